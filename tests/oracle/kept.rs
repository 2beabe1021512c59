//! What the oracle lends to the crash harness: visitors to send, what each event of a batch says, and
//! whether live answers are what the stored events say. Knows no process and no fault.

use super::chance::Chance;
use super::naive;
use super::numbers::Numbers;
use super::recount::recount;
use super::truth::{Fact, fact};
use super::walk::{self, Before, after};
use super::whole::answers;
use super::world::World;
use anyhow::{Result, ensure};
use upriver_collector::row::{EventRow, Kind};
use upriver_wire::batch::{Batch, Body, Page, PageRef};

/// What an event says, as its batch does. Its time and order are the collector's to give.
#[derive(Clone, Debug)]
pub(crate) struct Told(Fact);

/// The batches of one visitor, in the order they are sent: some twice, some overlapping, in any
/// order. No clock is wrong.
pub(crate) fn visit(chance: &mut Chance, world: &World, now_ms: u64) -> Vec<Batch> {
    let sends = walk::draw(chance, world, 1, now_ms, true);
    sends.iter().map(walk::Send::batch).collect()
}

impl Told {
    /// Where a row says something else, as `sent, stored`.
    pub(crate) fn differs(&self, row: &EventRow) -> Option<String> {
        let (sent, stored) = (words(&self.0), words(&naive::fact(row)));
        (sent != stored).then(|| format!("{sent}, {stored}"))
    }
}

/// What must be the same in a batch and in its row.
fn words(fact: &Fact) -> String {
    let name = match fact.kind {
        Kind::Custom | Kind::Conversion | Kind::Exposure => fact.name.as_str(),
        // Rows of other kinds may have one too; no number is made of it.
        _ => "",
    };
    let Fact {
        visitor,
        session,
        kind,
        path,
        source,
        campaign,
        variants,
        device,
        element,
        cell,
        value,
        currency,
        ..
    } = fact;
    format!(
        "{visitor:x} {session} {kind:?} {path} {source} {campaign} {variants:?} {device:?} \
         {element:x} {cell} {name} {value} {currency}"
    )
}

/// Each event of a batch: its number in the stream, and what it says.
///
/// # Errors
/// The batch is not one of [`visit`]'s.
pub(crate) fn told(batch: &Batch) -> Result<Vec<(u64, Told)>> {
    let page = match &batch.page {
        PageRef::Inline(page) => page.clone(),
        _ => Page::default(),
    };
    let mut before = Before {
        page,
        variants: batch.variants.clone(),
    };
    let first = batch.events.first().map(|event| &event.body);
    ensure!(
        matches!(first, Some(Body::PageView(_))) || matches!(batch.page, PageRef::Inline(_)),
        "a batch says neither its page nor a page view"
    );
    let mut found = Vec::new();
    for (seq, event) in (batch.first_seq..).zip(&batch.events) {
        let mut fact = fact(&event.body, &before);
        (fact.visitor, fact.stream, fact.seq) = (batch.visitor.0, batch.stream.0, seq);
        fact.session = batch.session.0;
        found.push((seq, Told(fact)));
        before = after(&event.body, &before);
    }
    Ok(found)
}

/// Where the live answers of a collector are not what the stored events say, as `name: live,
/// recount`. Of rows only what the collector gives is taken: time, order, and how much their sender
/// looks like a program.
///
/// # Errors
/// The collector does not answer.
pub(crate) async fn live_differences(
    http: &reqwest::Client,
    url: &str,
    world: &World,
    stored: &[(&Told, &EventRow)],
    now_ms: u64,
) -> Result<Vec<String>> {
    let mut live = Numbers::default();
    for (place, answer) in answers(http, url, world).await? {
        live.take(&place, &answer);
    }
    let facts: Vec<Fact> = stored
        .iter()
        .map(|(told, row)| {
            let given = naive::fact(row);
            Fact {
                time: given.time,
                ord: given.ord,
                received_ms: given.received_ms,
                robot: given.robot,
                ..told.0.clone()
            }
        })
        .collect();
    let again = recount(world, &facts, now_ms, None);
    Ok(live.timeless().differences(&again.timeless()))
}
