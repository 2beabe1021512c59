//! What the log holds: one enum, its bytes, and nothing about files or time.

use serde::{Deserialize, Serialize};
use upriver_wire::Batch;

/// First byte of every record, so that another form can be told from this one. Version 1 held a page
/// without its release, version 2 no country and nothing imported; neither was released.
const VERSION: u8 = 3;

/// One record of the log. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one")]
pub enum Record {
    /// Events that were taken.
    Batch(BatchRecord),
    /// Input that was refused.
    DeadLetter(DeadLetter),
    /// The records that make up one batch of rows.
    Seal(Seal),
}

/// A batch as it was taken, with every decision that was made about it, so that the same rows come
/// out of it after a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchRecord {
    /// The site.
    pub site: String,
    /// When it was received, Unix ms.
    pub received_ms: u64,
    /// Added to the page's clock, ms.
    pub skew_ms: i64,
    /// The last time and number within it given out to this stream before; events that follow in
    /// sequence do not go back behind it.
    pub floor: Option<(u64, u16)>,
    /// Ranges `start..end` of positions in [`Batch::events`] that were new.
    pub accepted: Vec<(u16, u16)>,
    /// Positions in [`Batch::elements`] whose descriptors were new.
    pub described: Vec<u16>,
    /// What sent it.
    pub agent: Agent,
    /// Of an imported event, which is alone in its batch: the hash of the id its sender gave it.
    pub event_id: Option<u128>,
    /// The batch.
    pub batch: Batch,
}

/// The program that sent a batch, as far as it says so and it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Family of the browser.
    pub browser: String,
    /// Family of the system.
    pub os: String,
    /// Country of the network it is in, two letters.
    pub country: String,
    /// Whether it said anything of itself.
    pub named: bool,
    /// Whether it called itself a robot, or a browser without a screen.
    pub robot: bool,
}

impl BatchRecord {
    /// How many of its events were new: the rows it stands for.
    pub fn events(&self) -> u64 {
        self.accepted
            .iter()
            .map(|&(start, end)| u64::from(end - start))
            .sum()
    }
}

/// Input that was refused, for somebody to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The site whose key it came with.
    pub site: String,
    /// When it was received, Unix ms.
    pub received_ms: u64,
    /// Where it came in: `batch` or `stream`.
    pub source: String,
    /// Short name of what was wrong.
    pub code: String,
    /// What was wrong.
    pub reason: String,
    /// How long the body was, bytes.
    pub body_bytes: u64,
    /// The beginning of the body.
    pub body: Vec<u8>,
}

/// Bytes of a refused body that are kept.
pub const DEAD_LETTER_BODY_BYTES_MAX: usize = 2_048;

/// The records from one position of the log to another, sealed as one batch of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Number of the batch. Counts up by one.
    pub batch: u64,
    /// First position of the records in it.
    pub from: u64,
    /// First position after them.
    pub to: u64,
}

/// A record that cannot be read back although its checksum was right: another version wrote it.
#[derive(Debug, thiserror::Error)]
#[error("a record of the log is of a form this version does not know")]
pub struct UnknownRecord;

impl Record {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Growing a Vec is the only thing that could fail, and that aborts.
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Another version wrote it.
    pub fn decode(bytes: &[u8]) -> Result<Self, UnknownRecord> {
        match bytes.split_first() {
            Some((&VERSION, body)) => postcard::from_bytes(body).map_err(|_| UnknownRecord),
            _ => Err(UnknownRecord),
        }
    }
}
