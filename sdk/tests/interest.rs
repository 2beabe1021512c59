//! What was looked at, seen and filled in, told to the recorder as a page tells it, and read back
//! from the wire. Sums are held to a recount, millisecond by millisecond.

mod told;

use proptest::prelude::*;
use upriver_sdk::driver::Filled;
use upriver_sdk::driver::{Command, News};
use upriver_sdk::driver::{Input, Names, Recorder};
use upriver_sdk::interest::{FORMS_MAX, IMPRESSIONS_MAX};
use upriver_wire::answer::{Ack, Answer};
use upriver_wire::batch::{
    Attention, Custom, Form, FormStep, Impression, Look, PageView, Size, Visibility,
};
use upriver_wire::envelope::encode_answer;
use upriver_wire::{Batch, Body, ElementId, Event, StreamId};

const T0: u64 = 1_000_000;
const BANDS: usize = 20;

struct Tab {
    recorder: Recorder,
    now: u64,
    sent: Vec<Batch>,
}

impl Tab {
    fn open(visible: bool) -> Self {
        let names = Names {
            stream: StreamId(1),
            seed: 5,
            ..Names::default()
        };
        let mut tab = Self {
            recorder: Recorder::new(names),
            now: T0,
            sent: vec![],
        };
        tab.at(0, Input::Shown(visible));
        tab.view();
        tab.at(0, Input::News(News::Opened));
        tab
    }
    fn view(&mut self) -> &mut Self {
        let shown = told::shown(PageView::default());
        self.at(0, Input::View(shown.view()))
    }
    /// So long after what came before. Everything that is sent is acknowledged at once.
    fn at(&mut self, later_ms: u64, input: Input<'_>) -> &mut Self {
        self.now += later_ms;
        let commands = self.recorder.step(self.now as f64, input);
        for command in commands {
            let (bytes, number) = match command {
                Command::Send(bytes) => (bytes, None),
                Command::Post(number, bytes, _) => (bytes, Some(number)),
                _ => continue,
            };
            let batch = told::read(&bytes);
            let next_seq = batch.first_seq + batch.events.len() as u64;
            let ack = Answer::Ack(Ack {
                stream: batch.stream,
                first_seq: batch.first_seq,
                next_seq,
                need: vec![],
            });
            let body = &encode_answer(&ack);
            self.sent.push(batch);
            let news = match number {
                None => News::Frame(body),
                Some(number) => News::Posted {
                    number,
                    status: 200,
                    retry_after_ms: 0.0,
                    body,
                },
            };
            self.at(0, Input::News(news));
        }
        self
    }
    fn ticks(&mut self, ms: u64) -> &mut Self {
        let end = self.now + ms;
        // As the shell does: when it is due, not sooner.
        while let due = self.recorder.due_ms().ceil()
            && due <= end as f64
        {
            let wait = (due as u64).saturating_sub(self.now).max(1);
            self.at(wait, Input::Tick);
        }
        self.now = self.now.max(end);
        self
    }
    /// Everything told so far: when, and what.
    fn told(&mut self) -> Vec<(u64, Vec<ElementId>, Event)> {
        self.at(0, Input::Flush);
        let mut told = vec![];
        for batch in std::mem::take(&mut self.sent) {
            let ids: Vec<ElementId> = batch.elements.iter().map(|element| element.id).collect();
            let mut ms = batch.first_ms;
            for event in batch.events {
                ms += u64::from(event.delta_ms);
                told.push((ms - T0, ids.clone(), event));
            }
        }
        told
    }
    /// Attention of each view.
    fn views(&mut self) -> Vec<Vec<Attention>> {
        let mut views = vec![];
        for (_, _, event) in self.told() {
            match event.body {
                Body::PageView(_) => views.push(vec![]),
                Body::Attention(attention) => {
                    views
                        .last_mut()
                        .expect("a view comes first")
                        .push(attention);
                }
                _ => {}
            }
        }
        views
    }
}

/// The sums of a view.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sums {
    visible_ms: u64,
    active_ms: u64,
    bands_ms: [u64; BANDS],
}

fn sums(told: &[Attention]) -> Sums {
    let mut sums = Sums::default();
    for attention in told {
        sums.visible_ms += u64::from(attention.visible_ms);
        sums.active_ms += u64::from(attention.active_ms);
        for (place, ms) in attention.bands.iter().enumerate() {
            sums.bands_ms[usize::from(attention.first_band) + place] += u64::from(*ms);
        }
    }
    sums
}

#[derive(Clone, Debug)]
enum Does {
    Alive,
    Shown(bool),
    Scrolled(i32),
    Sized(u32, u32),
    Routed,
    Tick,
    Said,
    Flushed,
    Left,
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        4 => Just(Does::Alive),
        2 => any::<bool>().prop_map(Does::Shown),
        4 => (-50..12_000).prop_map(Does::Scrolled),
        1 => (1..2_000_u32, 1..12_000_u32).prop_map(|(window, more)| Does::Sized(window, window + more)),
        1 => Just(Does::Routed),
        2 => Just(Does::Tick),
        1 => Just(Does::Said),
        1 => Just(Does::Flushed),
        1 => Just(Does::Left),
    ]
}

/// Every millisecond by itself: was the page visible, was somebody there, what was in the window.
fn recount(script: &[(u64, Does)], rest: u64) -> Vec<Sums> {
    let (mut visible, mut last_input) = (true, None::<u64>);
    let (mut top, mut window, mut document) = (0_u32, 1, 0);
    let mut views = vec![Sums::default()];
    let mut now = 0;
    let mut pass =
        |views: &mut Vec<Sums>, ms, visible, last_input: Option<u64>, (top, window, document)| {
            let band =
                |row: u32| ((row * BANDS as u32) / std::cmp::max(document, 1)).min(19) as usize;
            let (first, last) = (band(top), band(top + window - 1));
            let view = views.last_mut().expect("there is one");
            for _ in 0..ms {
                if visible {
                    view.visible_ms += 1;
                    if last_input.is_some_and(|at| now - at < 15_000) {
                        view.active_ms += 1;
                        for band in &mut view.bands_ms[first..=last] {
                            *band += 1;
                        }
                    }
                }
                now += 1;
            }
            now
        };
    for (ms, does) in script {
        let at = pass(
            &mut views,
            *ms,
            visible,
            last_input,
            (top, window, document),
        );
        match does {
            Does::Alive => last_input = Some(at),
            Does::Shown(shown) => visible = *shown,
            Does::Scrolled(y) => top = (*y).max(0) as u32,
            Does::Sized(w, d) => (window, document) = (*w, *d),
            Does::Routed => {
                views.push(Sums::default());
                top = 0;
            }
            Does::Tick | Does::Said | Does::Flushed | Does::Left => {}
        }
    }
    pass(
        &mut views,
        rest,
        visible,
        last_input,
        (top, window, document),
    );
    views
}

proptest! {
    #[test]
    fn attention_adds_up_to_a_recount(
        script in prop::collection::vec((prop_oneof![5 => 0..1_500_u64, 1 => 9_000..17_000_u64], does()), 0..40),
        rest in 0..20_000_u64,
    ) {
        let mut tab = Tab::open(true);
        tab.at(0, Input::Sized(1, 0));
        for (ms, does) in &script {
            tab.ticks(*ms);
            match does {
                Does::Alive => tab.at(0, Input::Wheel),
                Does::Shown(visible) => tab.at(0, Input::Shown(*visible)),
                Does::Scrolled(y) => tab.at(0, Input::Scrolled(None, (0, *y))),
                Does::Sized(window, document) => tab.at(0, Input::Sized(*window, *document)),
                Does::Routed => tab.view(),
                Does::Tick => tab.at(0, Input::Tick),
                Does::Said => tab.at(0, Input::Custom(&told::custom(Custom::default()))),
                Does::Flushed => tab.at(0, Input::Flush),
                Does::Left => tab.at(0, Input::Leave),
            };
        }
        tab.ticks(rest);
        let views: Vec<Sums> = tab.views().iter().map(|told| sums(told)).collect();
        prop_assert_eq!(views, recount(&script, rest));
    }
}

#[test]
fn attention_of_a_long_view_is_told_while_it_goes_on() {
    let mut tab = Tab::open(true);
    tab.at(0, Input::Sized(1_000, 4_000));
    for _ in 0..60 {
        tab.ticks(1_000).at(0, Input::Wheel);
    }
    // Nobody is there any more: nothing wakes the page up.
    tab.ticks(3_600_000);
    let told: Vec<(u64, Attention)> = tab
        .told()
        .into_iter()
        .filter_map(|(ms, _, event)| match event.body {
            Body::Attention(attention) => Some((ms, attention)),
            _ => None,
        })
        .collect();
    // From the first input after 1 s: every 10 s, and the rest when it is asked for.
    let times: Vec<u64> = told.iter().map(|(ms, _)| *ms).collect();
    assert_eq!(
        times,
        [
            11_000, 21_000, 31_000, 41_000, 51_000, 61_000, 71_000, 3_660_000
        ]
    );
    let all: Vec<Attention> = told.into_iter().map(|(_, attention)| attention).collect();
    assert_eq!(
        (all[1].visible_ms, all[1].active_ms, all[1].first_band),
        (10_000, 10_000, 0)
    );
    assert_eq!(all[1].bands, [10_000; 5]);
    let sums = sums(&all);
    assert_eq!(
        (sums.visible_ms, sums.active_ms),
        (3_660_000, 59_000 + 15_000)
    );
}

#[test]
fn a_page_opened_in_the_background_has_no_attention() {
    let mut tab = Tab::open(false);
    tab.at(0, Input::Sized(1_000, 4_000));
    tab.ticks(60_000).at(0, Input::Leave);
    assert!(
        tab.told()
            .iter()
            .all(|(_, _, event)| matches!(event.body, Body::PageView(_)))
    );
    tab.at(0, Input::Shown(true))
        .at(500, Input::Shown(false))
        .at(0, Input::Shown(false));
    tab.at(70_000, Input::Shown(true));
    let told: Vec<Body> = tab
        .told()
        .into_iter()
        .map(|(_, _, event)| event.body)
        .collect();
    let visibility = |visible, after_ms| Body::Visibility(Visibility { visible, after_ms });
    let attention = Attention {
        visible_ms: 500,
        ..Attention::default()
    };
    assert_eq!(
        told,
        [
            visibility(true, 60_000),
            Body::Attention(attention),
            visibility(false, 500),
            visibility(true, 70_000),
        ]
    );
}

#[test]
fn an_element_is_seen_once_a_view_and_so_many_at_most() {
    let mut tab = Tab::open(true);
    let look = Look {
        background: 0x0a_14_1e,
        size: Size { w: 120, h: 40 },
        x: -7,
        y: 900,
        radius: 6,
    };
    let bytes = [0x0a_14_1e, 120, 40, -7, 900, 6]
        .map(i32::to_le_bytes)
        .concat();
    tab.at(5, Input::Impression(ElementId(7), &bytes))
        .at(5, Input::Impression(ElementId(7), &bytes));
    tab.view().at(5, Input::Impression(ElementId(7), &bytes));
    let seen = |tab: &mut Tab| -> Vec<(u64, ElementId, Look)> {
        tab.told()
            .into_iter()
            .filter_map(|(ms, ids, event)| match event.body {
                Body::Impression(Impression { element, look }) => {
                    Some((ms, ids[usize::from(element)], look))
                }
                _ => None,
            })
            .collect()
    };
    assert_eq!(
        seen(&mut tab),
        [(5, ElementId(7), look), (15, ElementId(7), look)]
    );
    tab.view();
    for id in 0..IMPRESSIONS_MAX as u64 + 50 {
        tab.at(1, Input::Impression(ElementId(id), &bytes));
    }
    assert_eq!(seen(&mut tab).len(), IMPRESSIONS_MAX);
}

#[test]
fn what_is_only_seen_is_described_when_it_is_asked_for_and_what_is_used_at_once() {
    let mut tab = Tab::open(true);
    let descriptor = [1, b'#', 0, 0, 0, 0, 0, 0, 0, 0];
    for id in [7, 8] {
        tab.recorder.describe(ElementId(id), &descriptor);
        tab.at(0, Input::Impression(ElementId(id), &[0; 24]));
    }
    tab.at(0, Input::Flush)
        .at(0, uses(0, 8, None, 1))
        .at(0, Input::Flush);
    let described: Vec<Vec<(u64, bool)>> = tab
        .sent
        .iter()
        .map(|batch| {
            batch
                .elements
                .iter()
                .map(|it| (it.id.0, it.descriptor.is_some()))
                .collect()
        })
        .collect();
    assert_eq!(
        described[described.len() - 2..],
        [vec![(7, false), (8, false)], vec![(8, true)]]
    );
}

fn uses(place: usize, form: u64, field: Option<u64>, fields: u16) -> Input<'static> {
    let filled = Filled {
        step: 0,
        form: ElementId(form),
        field: field.map(ElementId),
        fields,
    };
    Input::Form(place, filled)
}

/// What was told of forms: when, which form, field, step, fields, duration.
fn forms(tab: &mut Tab) -> Vec<(u64, u64, Option<u64>, FormStep, u16, u32)> {
    tab.told()
        .into_iter()
        .filter_map(|(ms, ids, event)| match event.body {
            Body::Form(Form {
                element,
                field,
                step,
                fields,
                duration_ms,
            }) => {
                let id = |place: u16| ids[usize::from(place)].0;
                let field = field.checked_sub(1).map(id);
                Some((ms, id(element), field, step, fields, duration_ms))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn a_form_begins_with_its_first_field_and_ends_once() {
    use FormStep::{Abandon, Start, Submit};
    let mut tab = Tab::open(true);
    let field = |place, form, field, fields| uses(place, form, Some(field), fields);
    let end = |place, submitted| {
        let filled = Filled {
            step: if submitted { 1 } else { 2 },
            form: ElementId(99),
            ..Filled::default()
        };
        Input::Form(place, filled)
    };
    tab.at(100, field(0, 1, 11, 1)).at(50, field(1, 2, 21, 1));
    // A private field is counted, and not named.
    tab.at(50, field(0, 1, 12, 2)).at(50, uses(0, 1, None, 3));
    tab.at(50, field(1, 2, 22, 2))
        .at(50, end(1, true))
        .at(50, end(1, false));
    tab.at(50, end(0, false)).at(50, end(0, false));
    assert_eq!(
        forms(&mut tab),
        [
            (100, 1, Some(11), Start, 1, 0),
            (150, 2, Some(21), Start, 1, 0),
            (350, 2, Some(22), Submit, 2, 200),
            (450, 1, None, Abandon, 3, 350),
        ]
    );
    // Sent without a field used, as a search that was filled in by a link.
    tab.at(10, end(3, true));
    // Used again after it was sent.
    tab.at(10, field(0, 1, 11, 1)).at(10, end(0, true));
    assert_eq!(
        forms(&mut tab),
        [
            (510, 99, None, Submit, 0, 0),
            (520, 1, Some(11), Start, 1, 0),
            (530, 1, Some(11), Submit, 1, 10),
        ]
    );
    tab.at(0, field(FORMS_MAX, 1, 1, 1))
        .at(0, end(FORMS_MAX, true));
    assert_eq!(forms(&mut tab), []);
}
