//! What a batch carries from event to event: the page, its scroll position, the variants shown.

use crate::ingest::bot;
use crate::ingest::record::BatchRecord;
use crate::row::{self, EventRow};
use upriver_wire::batch::{Body, Element, Offset, Page, PageRef, Point, Variant};
use uuid::Uuid;

/// What holds at one event of a batch.
pub(super) struct Context<'a> {
    record: &'a BatchRecord,
    page: Page,
    scroll: Offset,
    variants: Vec<(String, String)>,
    bot: (u8, Vec<String>),
}

impl<'a> Context<'a> {
    pub(super) fn new(record: &'a BatchRecord) -> Self {
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
            bot: bot::score(record),
            scroll: page.scroll,
            page,
            variants,
        }
    }

    /// What changes with an event and holds for it already.
    pub(super) fn enter(&mut self, body: &Body) {
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
    pub(super) fn leave(&mut self, body: &Body) {
        if let Body::Scroll(scroll) = body
            && scroll.container == 0
        {
            self.scroll.x = self.scroll.x.saturating_add(scroll.dx);
            self.scroll.y = self.scroll.y.saturating_add(scroll.dy);
        }
    }

    /// A row with all that does not depend on what happened.
    pub(super) fn base(&self) -> EventRow {
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
            browser: record.agent.browser.clone(),
            os: record.agent.os.clone(),
            country: record.agent.country.clone(),
            imported: record.event_id.is_some(),
            bot_score: self.bot.0,
            bot_reasons: self.bot.1.clone(),
            utm_source: campaign.source,
            utm_medium: campaign.medium,
            utm_campaign: campaign.campaign,
            utm_term: campaign.term,
            utm_content: campaign.content,
            variants: self.variants.clone(),
            release: page.release.clone(),
            ..EventRow::default()
        }
    }

    /// The element at a position of the batch's list.
    pub(super) fn element(&self, index: u16) -> u64 {
        // Validation made sure that the position exists.
        let elements: &[Element] = &self.record.batch.elements;
        elements
            .get(usize::from(index))
            .map_or(0, |element| element.id.0)
    }

    /// The same where 0 is none and positions count from 1.
    pub(super) fn element_if_any(&self, number: u16) -> u64 {
        number.checked_sub(1).map_or(0, |index| self.element(index))
    }

    /// A place in the window as one in the document.
    pub(super) fn on_page(&self, client: Point) -> (i32, i32) {
        let sum = |place: u32, scroll: i32| scroll.saturating_add_unsigned(place);
        (sum(client.x, self.scroll.x), sum(client.y, self.scroll.y))
    }
}

fn set_variant(variants: &mut Vec<(String, String)>, shown: &Variant) {
    match variants.binary_search_by(|(experiment, _)| experiment.cmp(&shown.experiment)) {
        Ok(place) => variants[place].1.clone_from(&shown.variant),
        Err(place) => variants.insert(place, (shown.experiment.clone(), shown.variant.clone())),
    }
}
