//! What the client did, as it wrote it down in a file of its own: each batch with all its bytes before
//! it was sent, each acknowledgement when it came. The comparison afterwards knows nothing else of it.
//!
//! ```text
//! sent 17 01a4…      batch 17, its bytes in hexadecimal
//! acked 17           a 2xx came for it
//! ```

use crate::oracle::{Told, told};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use upriver_wire::envelope;

/// One event's identity: stream and number in it.
pub(super) type Identity = (u128, u64);

/// An event that was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// What it says.
    pub told: Told,
    /// Whether a batch that holds it was acknowledged.
    pub acked: bool,
}

/// The file of one client, being written.
pub(super) struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Begins one.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        let file = Mutex::new(File::create_new(&path)?);
        Ok(Self { path, file })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A batch is about to be sent for the first time.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn sent(&self, id: u64, bytes: &[u8]) -> Result<()> {
        let mut line = format!("sent {id} ");
        for byte in bytes {
            line += &format!("{byte:02x}");
        }
        self.line(&line)
    }

    /// It was acknowledged.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn acked(&self, id: u64) -> Result<()> {
        self.line(&format!("acked {id}"))
    }

    fn line(&self, line: &str) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(|error| error.into_inner());
        file.write_all(format!("{line}\n").as_bytes())?;
        Ok(())
    }
}

/// Reads a file back: every event that was sent.
///
/// # Errors
/// The file cannot be read, or is not a journal.
pub(super) fn read(path: &Path) -> Result<BTreeMap<Identity, Sent>> {
    let mut batches: BTreeMap<u64, (Vec<u8>, bool)> = BTreeMap::new();
    for line in BufReader::new(File::open(path)?).lines() {
        let line = line?;
        let mut words = line.split(' ');
        let (what, id) = (
            words.next(),
            words.next().context("a line without a batch")?,
        );
        let id: u64 = id.parse()?;
        match (what, words.next()) {
            (Some("sent"), Some(hex)) => {
                batches.insert(id, (unhex(hex)?, false));
            }
            (Some("acked"), None) => {
                batches
                    .get_mut(&id)
                    .context("acknowledged before it was sent")?
                    .1 = true;
            }
            _ => anyhow::bail!("not a line of a journal: {line}"),
        }
    }
    let mut events: BTreeMap<Identity, Sent> = BTreeMap::new();
    for (bytes, acked) in batches.into_values() {
        let (batch, _) = envelope::decode(&bytes).map_err(|error| anyhow::anyhow!("{error}"))?;
        for (seq, told) in told(&batch)? {
            let sent = events.entry((batch.stream.0, seq));
            sent.or_insert(Sent { told, acked: false }).acked |= acked;
        }
    }
    Ok(events)
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect()
}
