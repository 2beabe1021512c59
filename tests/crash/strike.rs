//! Bringing a fault about, and undoing it as an operator would. Knows nothing of what is compared.

use super::damage::{self, Spoilt};
use super::fault::Fault;
use super::house::{House, Trap};
use super::load::Load;
use super::proxy::Weather;
use crate::eventually;
use crate::oracle::Chance;
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// Batches acknowledged between two faults of one run.
const ACKS_BETWEEN: u64 = 50;
/// Longest wait for a random moment, ms.
const MOMENT_MS: u64 = 500;
/// How long a trap may wait for its system call. Past it the process is killed as it is.
const TRAP_WAIT: Duration = Duration::from_secs(3);
/// How far the clock jumps when it does not jump to midnight, ms.
const JUMP_MS: u64 = 3_600_000;
/// How long before midnight it stands when it jumps there, ms.
const BEFORE_MIDNIGHT_MS: u64 = 1_000;
const DAY_MS: u64 = 24 * 3_600_000;
/// How long a full disk may go unnoticed by the collector.
const FULL_WAIT: Duration = Duration::from_secs(2);
/// System calls of the collector to be killed at, and the most calls of one thread let pass before.
const COLLECTOR_CALLS: [(&str, u64); 7] = [
    ("fdatasync", 30),
    ("fsync", 2),
    ("write", 120),
    ("pwrite64", 6),
    ("openat", 40),
    ("unlink", 1),
    ("sendto,writev,sendmsg", 60),
];
/// The same of ClickHouse.
const CLICKHOUSE_CALLS: [(&str, u64); 7] = [
    ("fsync", 3),
    ("fdatasync", 3),
    ("write", 30),
    ("rename", 2),
    ("openat", 60),
    ("mkdir", 2),
    ("unlink,unlinkat,rmdir", 3),
];

/// What was done.
pub(super) struct Struck {
    /// How often. A trap that did not go off is not one: there the process was killed as it was.
    pub times: u64,
    /// When the last one was over: when an operator had done what is theirs to do.
    pub over: Instant,
    /// What was spoilt of the log.
    pub spoilt: Vec<Spoilt>,
}

/// Brings a fault about, once or several times, while pages send.
///
/// # Errors
/// A process did not come back.
pub(super) async fn strike(
    fault: Fault,
    house: &mut House,
    load: &mut Load,
    chance: &mut Chance,
) -> Result<Struck> {
    let (mut times, mut spoilt) = (0, Vec::new());
    let mut over = Instant::now();
    for _ in 0..1 + chance.below(3) {
        load.acked_since(over, ACKS_BETWEEN).await?;
        moment(chance).await;
        if fault == Fault::FlippedBit {
            spoilt.push(flip(house, load, chance).await?);
            times += 1;
        } else {
            times += u64::from(once(fault, house, load, chance).await?);
        }
        over = Instant::now();
    }
    Ok(Struck {
        times,
        over,
        spoilt,
    })
}

async fn once(
    fault: Fault,
    house: &mut House,
    load: &mut Load,
    chance: &mut Chance,
) -> Result<bool> {
    match fault {
        Fault::Repeats | Fault::Clocks | Fault::FlippedBit => {}
        Fault::ClockJumps => jump(house, load, chance).await?,
        Fault::CollectorKilled => {
            house.kill_collector()?;
            house.start_collector(&Trap::new()).await?;
        }
        Fault::ClickHouseKilled => house.kill_clickhouse().await?,
        Fault::BothKilled => {
            house.kill_clickhouse().await?;
            house.kill_collector()?;
            house.start_collector(&Trap::new()).await?;
        }
        Fault::CollectorTrapped => {
            let (calls, most) = *chance.of(&COLLECTOR_CALLS);
            let trap = trap(calls, "signal=KILL", 1 + chance.below(most));
            return collector_in(house, &trap, async |house| house.collector_ended()).await;
        }
        Fault::SyncFails => {
            // The first two belong to the opening of the state.
            let trap = trap("fdatasync", "error=EIO", 3 + chance.below(40));
            return collector_in(house, &trap, async |house| house.takes_nothing().await).await;
        }
        Fault::ClickHouseTrapped => {
            let (calls, most) = *chance.of(&CLICKHOUSE_CALLS);
            let trap = trap(calls, "signal=KILL", 1 + chance.below(most));
            return clickhouse_in(house, &trap).await;
        }
        Fault::ClickHouseDown => spell(house, load, chance, Weather::Down).await?,
        Fault::ClickHouseSlow => spell(house, load, chance, Weather::Slow).await?,
        Fault::ClickHouseRefuses => spell(house, load, chance, Weather::Refusing).await?,
        Fault::AnswersCut => spell(house, load, chance, Weather::CutBeforeAnswer).await?,
        Fault::DiskFull => fill(house, chance).await?,
        Fault::PowerCut => cut_power(house, load, chance).await?,
        Fault::TornTail => {
            becomes(house, Weather::Down)?;
            load.acked_since(Instant::now(), ACKS_BETWEEN).await?;
            house.kill_collector()?;
            damage::tear(&house.data().join("log"), chance)?;
            becomes(house, Weather::Fair)?;
            house.start_collector(&Trap::new()).await?;
        }
    }
    Ok(true)
}

async fn moment(chance: &mut Chance) {
    tokio::time::sleep(Duration::from_millis(chance.below(MOMENT_MS))).await;
}

/// The collector's clock jumps an hour ahead, an hour back, to the end of the day and over it, or from
/// there back before it. Now and then it does while the collector is down, and half of the time the
/// collector is killed under load by the new time and started again.
async fn jump(house: &mut House, load: &mut Load, chance: &mut Chance) -> Result<()> {
    // Two midnights in a row at most: who is days ahead has forgotten what pages still send again.
    let ways = if house.clock.ahead_ms() < DAY_MS / 2 {
        5
    } else {
        3
    };
    let way = chance.below(ways);
    let down = chance.percent(25);
    if down {
        house.kill_collector()?;
    }
    let now_ms = house.clock.now_ms();
    let midnight_ms = (now_ms / DAY_MS + 1) * DAY_MS;
    house.set_clock(match way {
        0 => now_ms + JUMP_MS,
        1 => now_ms - JUMP_MS,
        // Where it should stand.
        2 => super::load::now_ms(),
        _ => midnight_ms - BEFORE_MIDNIGHT_MS,
    })?;
    if down {
        house.start_collector(&Trap::new()).await?;
    }
    if way >= 3 {
        let begun = Instant::now();
        while house.clock.now_ms() < midnight_ms + BEFORE_MIDNIGHT_MS {
            load.acked_since(begun, 1).await?;
        }
    }
    if way == 4 {
        house.set_clock(house.clock.now_ms() - JUMP_MS)?;
    }
    if !down && chance.percent(50) {
        load.acked_since(Instant::now(), ACKS_BETWEEN).await?;
        moment(chance).await;
        house.kill_collector()?;
        house.start_collector(&Trap::new()).await?;
    }
    Ok(())
}

/// A program's way into a trap: something is done to the n-th of these calls of any one thread.
fn trap(calls: &str, what: &str, nth: u64) -> Trap {
    let inject = format!("inject={calls}:{what}:when={nth}");
    let trace = format!("trace={calls}");
    let words = [
        "strace",
        "-D",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        &trace,
        "-e",
        &inject,
    ];
    words.map(str::to_owned).to_vec()
}

/// Starts the collector anew in a trap, waits until it went off, and starts it as it should be. Says
/// whether it did.
async fn collector_in(
    house: &mut House,
    trap: &Trap,
    went_off: impl AsyncFn(&mut House) -> Result<bool>,
) -> Result<bool> {
    house.kill_collector()?;
    let mut sprung = true;
    // One that goes off before it listens is as good.
    if house.start_collector(trap).await.is_ok() {
        let deadline = Instant::now() + TRAP_WAIT;
        sprung = went_off(house).await?;
        while !sprung && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
            sprung = went_off(house).await?;
        }
        house.kill_collector()?;
    }
    house.start_collector(&Trap::new()).await?;
    Ok(sprung)
}

async fn clickhouse_in(house: &mut House, trap: &Trap) -> Result<bool> {
    house.kill_clickhouse().await?;
    let mut sprung = true;
    if house.start_clickhouse(trap).await.is_ok() {
        let deadline = Instant::now() + TRAP_WAIT;
        sprung = house.clickhouse_ended()?;
        while !sprung && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
            sprung = house.clickhouse_ended()?;
        }
        house.kill_clickhouse().await?;
    }
    house.start_clickhouse(&Trap::new()).await?;
    Ok(sprung)
}

/// ClickHouse is as the weather is, while pages go on sending; now and then the collector is killed
/// meanwhile.
async fn spell(
    house: &mut House,
    load: &mut Load,
    chance: &mut Chance,
    weather: Weather,
) -> Result<()> {
    let proxy = house.proxy.as_ref().context("no proxy")?;
    let cut = proxy.cut();
    proxy.becomes(weather);
    load.acked_since(Instant::now(), ACKS_BETWEEN).await?;
    if weather == Weather::CutBeforeAnswer {
        let proxy = house.proxy.as_ref().context("no proxy")?;
        eventually("an answer is cut off", async || {
            Ok((proxy.cut() > cut).then_some(()))
        })
        .await?;
    }
    moment(chance).await;
    if chance.percent(30) {
        house.kill_collector()?;
        house.start_collector(&Trap::new()).await?;
    }
    house
        .proxy
        .as_ref()
        .context("no proxy")?
        .becomes(Weather::Fair);
    Ok(())
}

fn becomes(house: &House, weather: Weather) -> Result<()> {
    house.proxy.as_ref().context("no proxy")?.becomes(weather);
    Ok(())
}

/// Fills the disk, waits until the collector notices or some time has passed, and frees it. An operator
/// starts a collector again that says it takes nothing any more.
async fn fill(house: &mut House, chance: &mut Chance) -> Result<()> {
    house.disk.as_ref().context("no disk of its own")?.fill()?;
    let deadline = Instant::now() + FULL_WAIT;
    while !house.takes_nothing().await? && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    moment(chance).await;
    house.disk.as_ref().context("no disk of its own")?.free()?;
    if house.takes_nothing().await? {
        house.kill_collector()?;
        house.start_collector(&Trap::new()).await?;
    }
    Ok(())
}

/// Cuts the power. Half the time the collector was killed at a sync before, so that its log had a tail
/// that was read back and never synced; and mostly ClickHouse cannot be reached, so that what was
/// acknowledged is in the log and nowhere else.
async fn cut_power(house: &mut House, load: &mut Load, chance: &mut Chance) -> Result<()> {
    if house.blueprint.planted.is_some() || chance.percent(60) {
        becomes(house, Weather::Down)?;
        load.acked_since(Instant::now(), ACKS_BETWEEN).await?;
    }
    if house.blueprint.traps && house.blueprint.planted.is_none() && chance.percent(50) {
        let trap = trap("fdatasync", "signal=KILL", 3 + chance.below(10));
        collector_in(house, &trap, async |house| house.collector_ended()).await?;
        load.acked_since(Instant::now(), 1).await?;
    }
    let processes = [house.collector_pid()?, house.clickhouse_pid().await?];
    let disk = house.disk.as_mut().context("no disk of its own")?;
    let left = tokio::task::block_in_place(|| disk.freeze(&processes))?;
    house.end();
    let disk = house.disk.as_mut().context("no disk of its own")?;
    tokio::task::block_in_place(|| disk.come_back(left))?;
    becomes(house, Weather::Fair)?;
    house.start_clickhouse(&Trap::new()).await?;
    house.start_collector(&Trap::new()).await
}

/// Flips a bit of the log while the collector does not run.
async fn flip(house: &mut House, load: &mut Load, chance: &mut Chance) -> Result<Spoilt> {
    becomes(house, Weather::Down)?;
    load.acked_since(Instant::now(), ACKS_BETWEEN).await?;
    house.kill_collector()?;
    let spoilt = damage::flip(&house.data().join("log"), chance)?;
    becomes(house, Weather::Fair)?;
    house.start_collector(&Trap::new()).await?;
    Ok(spoilt)
}
