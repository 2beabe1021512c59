//! The faults there are, and what each needs of the machine. Knows not how one is brought about.

use super::disk;
use super::load::Manner;
use serde::Serialize;
use std::process::{Command, Stdio};

/// What is done to the processes while pages send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Fault {
    /// Nothing but what pages do: batches twice, at once, late, overlapping, in any order.
    Repeats,
    /// Clocks of pages are wrong by up to an hour, and jump.
    Clocks,
    /// The collector's own clock jumps: an hour to or fro, over midnight, while it runs or is down.
    ClockJumps,
    /// The collector is killed, several times.
    CollectorKilled,
    /// ClickHouse is killed, several times.
    ClickHouseKilled,
    /// Both are, in the same moment.
    BothKilled,
    /// The collector is killed as it enters a system call.
    CollectorTrapped,
    /// ClickHouse is killed as it enters a system call.
    ClickHouseTrapped,
    /// A sync of the collector's disk fails.
    SyncFails,
    /// ClickHouse cannot be reached.
    ClickHouseDown,
    /// ClickHouse is slow.
    ClickHouseSlow,
    /// ClickHouse answers 503.
    ClickHouseRefuses,
    /// ClickHouse takes requests, and no answer arrives.
    AnswersCut,
    /// The disk is full, and freed.
    DiskFull,
    /// The power is cut: only what was synced is there afterwards.
    PowerCut,
    /// The log ends with the beginning of a group, as a write leaves that was torn off.
    TornTail,
    /// One bit of the log is another one.
    FlippedBit,
}

/// What the machine allows.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// System calls can be made to fail.
    pub(super) traps: bool,
    /// File systems can be mounted.
    pub(super) disks: bool,
}

impl Machine {
    /// Tries it out.
    pub fn look() -> Self {
        // Not only present: containers may forbid it.
        let tried = Command::new("strace")
            .args([
                "-D",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                "inject=fsync:error=EIO",
                "true",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        Self {
            traps: tried.is_ok_and(|status| status.success()),
            disks: disk::possible(),
        }
    }
}

impl Fault {
    /// Every one.
    pub const ALL: [Self; 17] = [
        Self::Repeats,
        Self::Clocks,
        Self::ClockJumps,
        Self::CollectorKilled,
        Self::ClickHouseKilled,
        Self::BothKilled,
        Self::CollectorTrapped,
        Self::ClickHouseTrapped,
        Self::SyncFails,
        Self::ClickHouseDown,
        Self::ClickHouseSlow,
        Self::ClickHouseRefuses,
        Self::AnswersCut,
        Self::DiskFull,
        Self::PowerCut,
        Self::TornTail,
        Self::FlippedBit,
    ];

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Repeats => "batches twice, late, overlapping",
            Self::Clocks => "clocks of pages wrong, jumping",
            Self::ClockJumps => "collector: its clock jumps",
            Self::CollectorKilled => "collector: kill -9",
            Self::ClickHouseKilled => "ClickHouse: kill -9",
            Self::BothKilled => "both: kill -9",
            Self::CollectorTrapped => "collector: kill -9 at a system call",
            Self::ClickHouseTrapped => "ClickHouse: kill -9 at a system call",
            Self::SyncFails => "collector: fdatasync fails (EIO)",
            Self::ClickHouseDown => "ClickHouse: connections refused",
            Self::ClickHouseSlow => "ClickHouse: slow",
            Self::ClickHouseRefuses => "ClickHouse: answers 503",
            Self::AnswersCut => "ClickHouse: answers cut off",
            Self::DiskFull => "disk full, then freed",
            Self::PowerCut => "power cut",
            Self::TornTail => "log: torn tail",
            Self::FlippedBit => "log: a flipped bit",
        }
    }

    /// Why it cannot be had on this machine.
    pub fn left_out(self, machine: Machine) -> Option<&'static str> {
        let trap = matches!(
            self,
            Self::CollectorTrapped | Self::ClickHouseTrapped | Self::SyncFails
        );
        if trap && !machine.traps {
            return Some("there is no strace here that may inject faults");
        }
        if self.disk().is_some() && !machine.disks {
            return Some(
                "nothing can be mounted here: that needs root, mkfs.ext4 and loop devices",
            );
        }
        None
    }

    /// The disk of its own that it needs.
    pub(super) fn disk(self) -> Option<disk::Kind> {
        match self {
            Self::DiskFull => Some(disk::Kind::Small),
            Self::PowerCut => Some(disk::Kind::Image),
            _ => None,
        }
    }

    /// Whether only a collector that is built for it has this fault.
    pub fn is_planted(self) -> bool {
        self == Self::ClockJumps
    }

    /// How pages behave meanwhile.
    pub(super) fn manner(self) -> Manner {
        Manner {
            repeat_percent: if self == Self::Repeats { 40 } else { 10 },
            clocks_jump: self == Self::Clocks,
            clocks_told: self == Self::ClockJumps,
        }
    }

    /// Whether ClickHouse is a process apart.
    pub(super) fn apart(self) -> bool {
        !matches!(
            self,
            Self::Repeats
                | Self::Clocks
                | Self::ClockJumps
                | Self::CollectorKilled
                | Self::ClickHouseKilled
                | Self::BothKilled
                | Self::DiskFull
        )
    }
}
