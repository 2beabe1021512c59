//! From a record of the log to the rows it stands for. Pure and deterministic: the same record
//! gives the same rows, before a crash and after it.

use super::record::BatchRecord;
use crate::row::{self, ElementRow, EventRow, Kind};
use upriver_wire::batch::{
    Body, Button, Conversion, Custom, Element, Layer, Navigation, Page, PageRef, Point, Pointer,
    Press, Prop, Scroll, Swipe, Value, Variant,
};
use upriver_wire::batch::{BoxPoint, Direction, How};
use uuid::Uuid;

/// How far in the future an event may lie before its time is pulled back to this.
pub const FUTURE_MS_MAX: u64 = 5 * 60 * 1000;

/// Time and number within it for each event of a batch, and whether the time was pulled back.
///
/// Events that follow in sequence never go back in time behind `floor` or behind one another, so
/// the order of a stream is that of its sequence, whatever the clock does between two batches.
pub fn times(record: &BatchRecord) -> impl Iterator<Item = (u64, u16, bool)> + '_ {
    let latest = record.received_ms + FUTURE_MS_MAX;
    let mut page_ms = record.batch.first_ms;
    let mut last = record.floor;
    record.batch.events.iter().map(move |event| {
        page_ms = page_ms.saturating_add(u64::from(event.delta_ms));
        let corrected = page_ms.saturating_add_signed(record.skew_ms);
        let clamped = corrected > latest;
        let time = corrected.min(latest);
        let (time, number) = match last {
            Some((last_time, number)) if time <= last_time => (last_time, number.saturating_add(1)),
            _ => (time, 0),
        };
        last = Some((time, number));
        (time, number, clamped)
    })
}

/// The rows of the events that were new, in order. `lane`, `batch` and `idx` are left at 0.
pub fn event_rows(record: &BatchRecord) -> Vec<EventRow> {
    let batch = &record.batch;
    let mut context = Context::new(record);
    let mut rows = Vec::new();
    for (index, (event, (time, number, clamped))) in
        batch.events.iter().zip(times(record)).enumerate()
    {
        context.enter(&event.body);
        let accepted = record
            .accepted
            .iter()
            .any(|&(start, end)| (usize::from(start)..usize::from(end)).contains(&index));
        if accepted {
            let mut row = context.base();
            row.time = time as i64;
            row.ord = row::order(time, batch.stream.0, number);
            row.clamped = clamped;
            row.seq = batch.first_seq + index as u64;
            context.fill(&mut row, &event.body);
            rows.push(row);
        }
        context.leave(&event.body);
    }
    rows
}

/// The rows of the elements whose descriptors were new.
pub fn element_rows(record: &BatchRecord) -> Vec<ElementRow> {
    let path = first_page(record).map_or("", |page| &page.path);
    let described = record.described.iter().filter_map(|&index| {
        let element = record.batch.elements.get(usize::from(index))?;
        Some((element, element.descriptor.as_ref()?))
    });
    described
        .map(|(element, descriptor)| ElementRow {
            site: record.site.clone(),
            element: element.id.0,
            received_at: record.received_ms as i64,
            path: path.to_owned(),
            selector: descriptor.selector.clone(),
            label: descriptor.label.clone(),
            role: descriptor.role.clone(),
            background: descriptor.background,
            width: descriptor.size.w,
            height: descriptor.size.h,
            x: descriptor.place.x,
            y: descriptor.place.y,
            radius: descriptor.radius,
            ..ElementRow::default()
        })
        .collect()
}

fn first_page(record: &BatchRecord) -> Option<&Page> {
    match (
        &record.batch.page,
        record.batch.events.first().map(|event| &event.body),
    ) {
        (PageRef::Inline(page), _) => Some(page),
        (PageRef::None, Some(Body::PageView(view))) => Some(&view.page),
        (PageRef::None, _) => None,
    }
}

/// What a batch carries from event to event.
struct Context<'a> {
    record: &'a BatchRecord,
    page: Page,
    scroll: Point,
    variants: Vec<(String, String)>,
}

impl<'a> Context<'a> {
    fn new(record: &'a BatchRecord) -> Self {
        let page = match &record.batch.page {
            PageRef::Inline(page) => page.clone(),
            PageRef::None => Page::default(),
        };
        let mut variants = Vec::new();
        for variant in &record.batch.variants {
            set_variant(&mut variants, variant);
        }
        Self {
            record,
            scroll: page.scroll,
            page,
            variants,
        }
    }

    /// What changes with an event and holds for it already.
    fn enter(&mut self, body: &Body) {
        match body {
            Body::PageView(view) => {
                self.page = view.page.clone();
                self.scroll = view.page.scroll;
            }
            Body::Exposure(variant) => set_variant(&mut self.variants, variant),
            _ => {}
        }
    }

    /// What changes with an event for those after it.
    fn leave(&mut self, body: &Body) {
        if let Body::Scroll(scroll) = body
            && scroll.container == 0
        {
            self.scroll.x = self.scroll.x.saturating_add_signed(scroll.dx);
            self.scroll.y = self.scroll.y.saturating_add_signed(scroll.dy);
        }
    }

    fn base(&self) -> EventRow {
        let (record, page) = (self.record, &self.page);
        let campaign = page.campaign.clone().unwrap_or_default();
        EventRow {
            site: record.site.clone(),
            received_at: record.received_ms as i64,
            skew_ms: record.skew_ms,
            stream: Uuid::from_u128(record.batch.stream.0),
            visitor: Uuid::from_u128(record.batch.visitor.0),
            session: record.batch.session.0,
            view: page.view.0,
            host: page.host.clone(),
            path: page.path.clone(),
            device: page.device.into(),
            viewport_w: page.viewport.w,
            viewport_h: page.viewport.h,
            document_w: page.document.w,
            document_h: page.document.h,
            width_bucket: row::width_bucket(page.viewport.w),
            pixel_ratio_percent: page.pixel_ratio_percent,
            utm_source: campaign.source,
            utm_medium: campaign.medium,
            utm_campaign: campaign.campaign,
            utm_term: campaign.term,
            utm_content: campaign.content,
            variants: self.variants.clone(),
            ..EventRow::default()
        }
    }

    fn fill(&self, row: &mut EventRow, body: &Body) {
        match body {
            Body::PageView(view) => {
                row.kind = Kind::PageView;
                row.navigation = match view.navigation {
                    Navigation::Load => row::Navigation::Load,
                    Navigation::Route => row::Navigation::Route,
                    Navigation::Restore => row::Navigation::Restore,
                };
                row.title = view.title.clone();
                row.referrer = view.referrer.clone();
                row.language = view.language.clone();
            }
            Body::Press(Press {
                element,
                at,
                client,
                how,
            }) => {
                row.kind = Kind::Press;
                self.place(row, *element, *at, *client, *how);
            }
            Body::Scroll(Scroll {
                container,
                dx,
                dy,
                detour,
                reversals,
                duration_ms,
            }) => {
                row.kind = Kind::Scroll;
                row.element = container
                    .checked_sub(1)
                    .map_or(0, |index| self.element(index));
                (row.dx, row.dy) = (*dx, *dy);
                row.direction = direction(*dx, *dy);
                (row.detour, row.reversals, row.duration_ms) = (*detour, *reversals, *duration_ms);
            }
            Body::Swipe(Swipe {
                element,
                at,
                client,
                dx,
                dy,
                duration_ms,
                release_px_s,
                how,
            }) => {
                row.kind = Kind::Swipe;
                self.place(row, *element, *at, *client, *how);
                (row.dx, row.dy) = (*dx, *dy);
                row.direction = direction(*dx, *dy);
                (row.duration_ms, row.release_px_s) = (*duration_ms, *release_px_s);
            }
            Body::Custom(Custom { name, props }) => {
                row.kind = Kind::Custom;
                row.name = name.clone();
                row.props = texts(props);
            }
            Body::Conversion(Conversion {
                name,
                value_micros,
                currency,
                order,
                props,
            }) => {
                row.kind = Kind::Conversion;
                row.name = name.clone();
                row.value = *value_micros;
                row.currency = currency.clone();
                row.order_id = order.clone();
                row.props = texts(props);
            }
            Body::Exposure(Variant {
                experiment,
                variant,
            }) => {
                row.kind = Kind::Exposure;
                row.name = experiment.clone();
                row.props = vec![("variant".to_owned(), variant.clone())];
            }
        }
    }

    fn place(&self, row: &mut EventRow, element: u16, at: BoxPoint, client: Point, how: How) {
        row.element = self.element(element);
        (row.element_x, row.element_y, row.cell) = (at.x(), at.y(), at.cell());
        (row.client_x, row.client_y) = (client.x, client.y);
        row.page_x = client.x.saturating_add(self.scroll.x);
        row.page_y = client.y.saturating_add(self.scroll.y);
        row.pointer = match how.pointer {
            Pointer::Mouse => row::Pointer::Mouse,
            Pointer::Touch => row::Pointer::Touch,
            Pointer::Pen => row::Pointer::Pen,
            Pointer::Keyboard => row::Pointer::Keyboard,
        };
        row.layer = match how.layer {
            Layer::Flow => row::Layer::Flow,
            Layer::Fixed => row::Layer::Fixed,
            Layer::Stuck => row::Layer::Stuck,
            Layer::Top => row::Layer::Top,
        };
        row.button = match how.button {
            Button::Primary => row::Button::Primary,
            Button::Middle => row::Button::Middle,
            Button::Secondary => row::Button::Secondary,
            Button::Other => row::Button::Other,
        };
    }

    fn element(&self, index: u16) -> u64 {
        // Validation made sure that the position exists.
        let elements: &[Element] = &self.record.batch.elements;
        elements
            .get(usize::from(index))
            .map_or(0, |element| element.id.0)
    }
}

fn set_variant(variants: &mut Vec<(String, String)>, shown: &Variant) {
    match variants.binary_search_by(|(experiment, _)| experiment.cmp(&shown.experiment)) {
        Ok(place) => variants[place].1.clone_from(&shown.variant),
        Err(place) => variants.insert(place, (shown.experiment.clone(), shown.variant.clone())),
    }
}

fn direction(dx: i32, dy: i32) -> row::Direction {
    match Direction::of(dx, dy) {
        None => row::Direction::None,
        Some(Direction::Up) => row::Direction::Up,
        Some(Direction::Down) => row::Direction::Down,
        Some(Direction::Left) => row::Direction::Left,
        Some(Direction::Right) => row::Direction::Right,
    }
}

fn texts(props: &[Prop]) -> Vec<(String, String)> {
    props
        .iter()
        .map(|prop| {
            let value = match &prop.value {
                Value::Text(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Flag(flag) => flag.to_string(),
            };
            (prop.name.clone(), value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use upriver_wire::batch::{Batch, Event, PageView};

    fn event(delta_ms: u32, body: Body) -> Event {
        Event { delta_ms, body }
    }

    fn view(path: &str) -> Body {
        let page = Page {
            path: path.into(),
            ..Page::default()
        };
        Body::PageView(PageView {
            page,
            ..PageView::default()
        })
    }

    fn record(events: Vec<Event>) -> BatchRecord {
        BatchRecord {
            site: "shop".into(),
            received_ms: 1_000_000,
            accepted: vec![(0, events.len() as u16)],
            batch: Batch {
                first_ms: 500_000,
                elements: vec![Element {
                    id: upriver_wire::ElementId(7),
                    descriptor: None,
                }],
                events,
                ..Batch::default()
            },
            ..BatchRecord::default()
        }
    }

    #[test]
    fn a_page_view_and_a_scroll_hold_for_what_follows() {
        let scroll = Body::Scroll(Scroll {
            dy: 300,
            ..Scroll::default()
        });
        let press = Body::Press(Press {
            client: Point { x: 5, y: 20 },
            ..Press::default()
        });
        let rows = event_rows(&record(vec![
            event(0, view("/a")),
            event(10, scroll),
            event(10, press.clone()),
            event(10, view("/b")),
            event(0, press),
        ]));
        let seen: Vec<_> = rows
            .iter()
            .map(|r| (r.path.as_str(), r.time, r.page_y, r.element))
            .collect();
        let wanted = vec![
            ("/a", 500_000, 0, 0),
            ("/a", 500_010, 0, 0),
            ("/a", 500_020, 320, 7),
            ("/b", 500_030, 0, 0),
            ("/b", 500_030, 20, 7),
        ];
        assert_eq!(seen, wanted);
        assert_eq!(
            rows[4].ord & 0x3ff,
            1,
            "the second event of its millisecond is number 1"
        );
    }

    #[test]
    fn only_new_events_become_rows_and_context_is_carried_over_the_others() {
        let press = Body::Press(Press::default());
        let mut record = record(vec![
            event(0, view("/a")),
            event(1, press),
            event(1, view("/b")),
        ]);
        record.accepted = vec![(1, 2)];
        record.batch.first_seq = 40;
        let rows = event_rows(&record);
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].path.as_str(), rows[0].seq), ("/a", 41));
    }

    #[test]
    fn time_never_goes_back_within_a_stream_and_the_far_future_is_pulled_back() {
        let press = || Body::Press(Press::default());
        let mut record = record(vec![
            event(0, press()),
            event(0, press()),
            event(50, press()),
        ]);
        record.floor = Some((500_020, 3));
        let all: Vec<_> = times(&record).collect();
        let wanted = vec![
            (500_020, 4, false),
            (500_020, 5, false),
            (500_050, 0, false),
        ];
        assert_eq!(all, wanted);

        record.floor = None;
        record.skew_ms = 10_000_000;
        let latest = 1_000_000 + FUTURE_MS_MAX;
        let all: Vec<_> = times(&record).collect();
        assert_eq!(
            all,
            vec![(latest, 0, true), (latest, 1, true), (latest, 2, true)]
        );
    }
}
