//! The recount over rows instead of over what was drawn, for measuring what it costs.

use super::recount::recount;
use super::truth::Fact;
use super::world::World;
use upriver_collector::config::Site;
use upriver_collector::live::Window;
use upriver_collector::row::EventRow;
use upriver_wire::batch::{Body, Consent};

/// All events of a site, ready to be counted again from nothing.
#[derive(Debug)]
pub struct Naive {
    world: World,
    facts: Vec<Fact>,
}

impl Naive {
    /// Of rows of that site.
    pub fn new(site: &Site, rows: &[EventRow]) -> Self {
        let world = World {
            site: site.clone(),
            text: String::new(),
            windows_ms: Vec::new(),
            narrowed: Vec::new(),
            release_minutes: 0,
            feeds: Vec::new(),
            heat_maps: Vec::new(),
            beyond: Vec::new(),
            boards: Vec::new(),
            boards_beyond: Vec::new(),
            releases_beyond: Window::Day,
        };
        Self {
            world,
            facts: rows.iter().map(fact).collect(),
        }
    }

    /// Counts everything again (heat maps apart) and returns a funnel's visitors by step.
    pub fn funnel_steps(&self, id: &str, now_ms: u64) -> Vec<u64> {
        let numbers = recount(&self.world, &self.facts, now_ms, None);
        let funnel = self
            .world
            .site
            .funnels
            .iter()
            .find(|funnel| funnel.id == id);
        let steps = 1..=funnel.map_or(0, |funnel| funnel.steps.len());
        steps
            .map(|step| numbers.get(&format!("funnel/{id}/{step}/visitors")) as u64)
            .collect()
    }
}

pub(super) fn fact(row: &EventRow) -> Fact {
    Fact {
        visitor: row.visitor.as_u128(),
        stream: row.stream.as_u128(),
        seq: row.seq,
        time: row.time as u64,
        ord: row.ord,
        kind: row.kind,
        path: row.path.clone(),
        received_ms: row.received_at as u64,
        release: row.release.clone(),
        referrer: row.referrer.clone(),
        source: row.utm_source.clone(),
        campaign: row.utm_campaign.clone(),
        variants: row.variants.clone(),
        device: row.device,
        element: row.element,
        cell: row.cell,
        name: row.name.clone(),
        props: row.props.clone(),
        value: row.value,
        currency: row.currency.clone(),
        session: row.session,
        robot: row.bot_score >= 50,
        viewport: (row.viewport_w, row.viewport_h),
        document: (row.document_w, row.document_h),
        // No heat map is counted from this.
        scroll: (0, 0),
        body: Body::Consent(Consent::default()),
    }
}
