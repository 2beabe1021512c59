//! The crash harness: real processes under real load, a fault of a kind, and then whether every event
//! that was acknowledged is stored, once, in rows, roll-ups and live numbers. And three collectors that
//! break a promise on purpose, which must be caught.
//!
//! Owns the runs and their sum. What is done is in `strike`, what is compared in `judge`.

mod damage;
mod disk;
mod fault;
mod house;
mod journal;
mod judge;
mod load;
mod proxy;
mod rolled;
mod strike;

pub use fault::{Fault, Machine};

use crate::oracle::{Chance, World};
use anyhow::{Context, Result};
use disk::Disk;
use house::{Blueprint, House};
use journal::Journal;
use judge::{Scene, Verdict};
use load::Load;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Batches acknowledged after a fault before a run ends.
const ACKS_AFTER: u64 = 30;
/// Attempts at catching a planted fault.
const CONTROL_TRIES: u64 = 3;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Runs, all kinds together.
    pub runs: u64,
    /// Repeats the choices of a run exactly; not its moments.
    pub seed: u64,
    /// The kinds.
    pub faults: Vec<Fault>,
    /// The collector.
    pub binary: PathBuf,
    /// The collector built with planted faults; none leaves the controls out.
    pub planted: Option<PathBuf>,
    /// What the machine allows.
    pub machine: Machine,
}

/// What came of one kind of fault.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Line {
    /// Runs.
    pub runs: u64,
    /// Faults brought about in them.
    pub faults: u64,
    /// Events acknowledged.
    pub acked: u64,
    /// Events stored though their page never heard of it.
    pub unacked_stored: u64,
    /// Events acknowledged and not stored.
    pub lost: u64,
    /// Of those, events of a group of the log that was damaged, and told to be: not counted as lost.
    pub excused: u64,
    /// Rows beyond the first of an event.
    pub doubled: u64,
    /// Other findings.
    pub wrong: u64,
    /// From the end of each fault to the next acknowledgement, ms.
    pub back_ms: Vec<u64>,
    /// From the end of each run's fault until everything acknowledged was stored, ms.
    pub stored_ms: Vec<u64>,
}

/// A planted fault, and what showed it; none when nothing did.
#[derive(Clone, Debug, Serialize)]
pub struct Control {
    /// Its name.
    pub planted: &'static str,
    /// Runs it took, and what they found.
    pub caught: Option<(u64, String)>,
}

/// What came of everything.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// By kind of fault.
    pub lines: Vec<(Fault, Line)>,
    /// The planted faults.
    pub controls: Vec<Control>,
    /// Runs that did not keep a promise, or broke: which, and what was found.
    pub failures: Vec<String>,
}

impl Outcome {
    /// Whether no run failed and every planted fault was caught.
    pub fn holds(&self) -> bool {
        self.failures.is_empty() && self.controls.iter().all(|control| control.caught.is_some())
    }
}

/// Runs all of a plan. `said` is told about each run.
///
/// # Errors
/// The harness itself cannot work; what a run finds is no error.
pub async fn run(plan: &Plan, mut said: impl FnMut(&str)) -> Result<Outcome> {
    let mut outcome = Outcome {
        lines: plan
            .faults
            .iter()
            .map(|fault| (*fault, Line::default()))
            .collect(),
        ..Outcome::default()
    };
    let mut chance = Chance::new(plan.seed);
    if let Some(planted) = &plan.planted {
        for (name, fault) in CONTROLS {
            if fault.left_out(plan.machine).is_some() {
                said(&format!(
                    "control {name}: left out, it needs: {}",
                    fault.words()
                ));
                continue;
            }
            let control = catch(plan, planted, name, fault, &mut chance, &mut said).await?;
            outcome.controls.push(control);
        }
    }
    let kinds = plan.faults.len().max(1) as u64;
    for number in 0..plan.runs {
        let seed = chance.below(1 << 48);
        let (fault, line) = &mut outcome.lines[(number % kinds) as usize];
        let began = Instant::now();
        let binary = match (fault.is_planted(), &plan.planted) {
            (true, Some(planted)) => planted,
            _ => &plan.binary,
        };
        let ran = one(*fault, seed, binary, None, plan.machine).await;
        let took = began.elapsed().as_secs_f64();
        let name = format!(
            "run {} of {}, {}, seed {seed}",
            number + 1,
            plan.runs,
            fault.words()
        );
        line.runs += 1;
        match ran {
            Ok(ran) => {
                let verdict = &ran.verdict;
                said(&format!(
                    "{name}: {} acked, {} lost, {} doubled, {took:.1} s",
                    verdict.acked, verdict.lost, verdict.doubled
                ));
                line.add(&ran);
                if !verdict.holds() {
                    outcome.failures.push(format!("{name}: {}", ran.finding()));
                }
            }
            Err(error) => {
                said(&format!("{name}: broke: {error:#}"));
                line.wrong += 1;
                outcome.failures.push(format!("{name}: broke: {error:#}"));
            }
        }
    }
    Ok(outcome)
}

/// The planted faults, and the fault in which each must show.
const CONTROLS: [(&str, Fault); 3] = [
    ("no-fsync", Fault::PowerCut),
    ("no-dedup", Fault::Repeats),
    ("ack-before-write", Fault::CollectorKilled),
];

async fn catch(
    plan: &Plan,
    binary: &Path,
    planted: &'static str,
    fault: Fault,
    chance: &mut Chance,
    said: &mut impl FnMut(&str),
) -> Result<Control> {
    for attempt in 1..=CONTROL_TRIES {
        let seed = chance.below(1 << 48);
        let ran = one(fault, seed, binary, Some(planted), plan.machine).await;
        let ran = ran.with_context(|| format!("control {planted}"))?;
        let Verdict { lost, doubled, .. } = ran.verdict;
        said(&format!(
            "control {planted}: {lost} lost, {doubled} doubled"
        ));
        if lost + doubled > 0 {
            let caught = Some((attempt, format!("{lost} lost, {doubled} doubled")));
            return Ok(Control { planted, caught });
        }
    }
    Ok(Control {
        planted,
        caught: None,
    })
}

/// What came of one run.
struct Ran {
    verdict: Verdict,
    faults: u64,
    back: Duration,
    stored: Duration,
    /// Where everything is kept that a person may want to see, when a promise was broken.
    kept: Option<PathBuf>,
}

impl Ran {
    fn finding(&self) -> String {
        let Verdict {
            lost,
            doubled,
            wrong,
            named,
            ..
        } = &self.verdict;
        let kept = self.kept.as_ref().map(|kept| kept.display().to_string());
        format!(
            "{lost} lost, {doubled} doubled\n    {}\n    kept in {}",
            [named.clone(), wrong.clone()].concat().join("\n    "),
            kept.unwrap_or_default()
        )
    }
}

impl Line {
    fn add(&mut self, ran: &Ran) {
        self.faults += ran.faults;
        self.acked += ran.verdict.acked;
        self.unacked_stored += ran.verdict.unacked_stored;
        self.lost += ran.verdict.lost;
        self.excused += ran.verdict.excused;
        self.doubled += ran.verdict.doubled;
        self.wrong += ran.verdict.wrong.len() as u64;
        self.back_ms.push(ran.back.as_millis() as u64);
        self.stored_ms.push(ran.stored.as_millis() as u64);
    }
}

/// One run: start, load, fault, load, rest, comparison.
async fn one(
    fault: Fault,
    seed: u64,
    binary: &Path,
    planted: Option<&'static str>,
    machine: Machine,
) -> Result<Ran> {
    let mut folder = tempfile::Builder::new()
        .prefix("upriver-crash-")
        .tempdir()?;
    let mut chance = Chance::new(seed);
    let world = Arc::new(World::draw(&mut chance, "crash", load::now_ms())?);
    let disk = match fault.disk() {
        Some(kind) => Some(Disk::mount(folder.path(), kind)?),
        None => None,
    };
    let place = disk.as_ref().map_or(folder.path(), Disk::folder).to_owned();
    let blueprint = Blueprint {
        binary: binary.to_owned(),
        planted,
        desk: folder.path().to_owned(),
        place: place.join("place"),
        apart: fault.apart(),
        traps: machine.traps,
        clock: fault.is_planted(),
    };
    let mut house = House::start(blueprint, world.clone(), disk).await?;
    let ran = under(fault, seed, &mut house, &mut chance).await;
    house.end();
    drop(house);
    let keep = planted.is_none() && !ran.as_ref().is_ok_and(|ran| ran.verdict.holds());
    folder.disable_cleanup(keep);
    let kept = keep.then(|| folder.path().to_owned());
    match ran {
        Ok(ran) => Ok(Ran { kept, ..ran }),
        Err(error) => Err(error.context(format!("what it left is in {}", folder.path().display()))),
    }
}

async fn under(fault: Fault, seed: u64, house: &mut House, chance: &mut Chance) -> Result<Ran> {
    let world = house.world.clone();
    if fault == Fault::DiskFull {
        // Not while tables are made: ClickHouse may not survive that, and has nothing to lose then.
        house.all_stored().await?;
    }
    let journal = Journal::create(house.blueprint.desk.join("journal"))?;
    let mut load = Load::start(seed, &world, &house.address, journal, fault.manner())?;
    let struck = strike::strike(fault, house, &mut load, chance).await?;
    let back = load.acked_since(struck.over, ACKS_AFTER).await?;
    let journal = load.finish().await?;
    house.all_stored().await?;
    let stored = struck.over.elapsed();
    let sent = journal::read(&journal)?;
    let (client, url) = (house.client()?, house.address.get());
    let scene = Scene {
        client: &client,
        url: &url,
        world: &world,
        http: &house.http,
        clock: house.clock,
    };
    let excused = struck
        .spoilt
        .iter()
        .flat_map(|spoilt| spoilt.events.iter().copied())
        .collect();
    let mut verdict = scene.judge(&sent, &excused).await?;
    let must_tell = struck
        .spoilt
        .iter()
        .any(|spoilt| !spoilt.events.is_empty() && !spoilt.last);
    if fault == Fault::ClockJumps {
        let report = house.audit().await?;
        if report["healthy"] != true {
            verdict.wrong.push(format!("the audit: {report}"));
        }
    }
    if must_tell && !damage::set_aside(&house.data().join("log"))? {
        verdict
            .wrong
            .push("the damage of the log was not set aside".into());
    }
    Ok(Ran {
        verdict,
        faults: struck.times,
        back: back - struck.over,
        stored,
        kept: None,
    })
}
