//! One case: a random site whose visitors' batches arrive one by one, looked at all the way.

use super::beside::Beside;
use super::chance::Chance;
use super::faults::Fault;
use super::pipeline::{Pipeline, beyond};
use super::recount::{self, interest, recount};
use super::truth::Truth;
use super::walk::{self, Send};
use super::world::World;
use anyhow::Result;
use std::collections::BTreeMap;
use upriver_collector::live::HOUR_MS;

/// The hour at the end of which the last batch of a case may arrive: any would do.
const HOUR: u64 = 497_000;

/// How large a case is and how often it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Its visitors.
    pub visitors: u64,
    /// Times live and recount are compared; after every batch when there are fewer.
    pub looks: usize,
    /// Times SQL is run as well; the last is at the end.
    pub sql_looks: usize,
}

/// What was compared.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Cases.
    pub cases: u64,
    /// Visitors.
    pub visitors: u64,
    /// Batches that arrived.
    pub batches: u64,
    /// Events in them.
    pub events_sent: u64,
    /// Different events among those.
    pub events: u64,
    /// Comparisons of all live numbers with the recount.
    pub looks: u64,
    /// Numbers in those.
    pub numbers: u64,
    /// What the events were like.
    pub interest: BTreeMap<&'static str, u64>,
    /// Cases and what differed in them.
    pub differences: Vec<(String, Vec<String>)>,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.visitors += other.visitors;
        self.batches += other.batches;
        self.events_sent += other.events_sent;
        self.events += other.events;
        self.looks += other.looks;
        self.numbers += other.numbers;
        for (name, count) in other.interest {
            *self.interest.entry(name).or_default() += count;
        }
        self.differences.extend(other.differences);
    }
}

/// Runs one case. What SQL finds comes with the next [`Beside::run`], except what was looked at on
/// the way.
///
/// # Errors
/// Something broke; a difference is not an error.
pub async fn run(
    seed: u64,
    size: Size,
    fault: Option<Fault>,
    mut beside: Option<&mut Beside>,
) -> Result<Tally> {
    let mut chance = Chance::new(seed);
    let planted = fault.map_or(0, |fault| fault as usize + 1);
    let id = format!("s{seed:x}-{planted}");
    let start_ms = HOUR * HOUR_MS + chance.below(HOUR_MS);
    let world = World::draw(&mut chance, &id, start_ms)?;
    let sends = walk::draw(&mut chance, &world, size.visitors, start_ms, false);
    // The batches arrive within a moment, or within hours, so that hours leave the range meanwhile.
    let lasts_ms = *chance.of(&[0, 1_000, 90 * 60_000, 3 * HOUR_MS]);
    let received_ms = |at: usize| start_ms + lasts_ms * at as u64 / sends.len() as u64;

    let mut pipeline = Pipeline::start(&world, start_ms, fault)?;
    let mut truth = Truth::default();
    let mut tally = Tally {
        cases: 1,
        visitors: size.visitors,
        batches: sends.len() as u64,
        events_sent: sends.iter().map(|send| send.events.len() as u64).sum(),
        ..Tally::default()
    };
    let step = sends.len().div_ceil(size.looks).max(1);
    let looks = sends.len().div_ceil(step);
    for (look, part) in sends.chunks(step).enumerate() {
        let part: Vec<(&Send, u64)> = part
            .iter()
            .enumerate()
            .map(|(at, send)| (send, received_ms(look * step + at)))
            .collect();
        for (send, received_ms) in &part {
            truth.arrive(send, *received_ms);
        }
        let rows = pipeline.take(&part).await?;
        let now_ms = part
            .last()
            .map_or(start_ms, |(_, received_ms)| *received_ms);
        let live = pipeline.numbers()?;
        let again = recount(&world, &truth.facts, now_ms, fault);
        tally.looks += 1;
        tally.numbers += again.len() as u64;
        let case = format!("seed {seed}, after {} of {looks} looks", look + 1);
        let differences = live.differences(&again);
        if !differences.is_empty() {
            let text = vec![world.text.clone()];
            tally
                .differences
                .push((case.clone(), [differences, text].concat()));
        }
        if let Some(beside) = beside.as_deref_mut() {
            beside.insert(rows);
            let last = look + 1 == looks;
            let due = (look + 1) * size.sql_looks / looks > look * size.sql_looks / looks;
            if last || due {
                let asked = beyond(&world).into_iter().filter_map(|(place, query)| {
                    Some((
                        place,
                        query.beyond(&world.site.id, &world.site.releases, now_ms)?,
                    ))
                });
                let expected = recount::beyond(&world, &truth.facts, now_ms);
                let beyond = (asked.collect(), expected);
                let answers = pipeline.answers()?;
                beside.expect(&case, answers, beyond, &world.windows_ms, fault);
            }
            if due && !last || beside.is_full() {
                tally.differences.extend(beside.run().await?);
            }
        }
        if fault.is_some() && !tally.differences.is_empty() {
            break;
        }
    }
    tally.events = truth.facts.len() as u64;
    tally.interest = interest(&world, &truth.facts);
    pipeline.stop()?;
    Ok(tally)
}
