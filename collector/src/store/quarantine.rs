//! Batches that ClickHouse refuses for a reason that does not heal by waiting: which reasons those are,
//! and the files that keep such batches until somebody has them written again.
//!
//! Owns the folder of these files. A file holds the records of the log that the batch was made from,
//! so that the same rows come out of it. Knows neither the writer nor the log's segments.

use super::StoreError;
use crate::ingest::record::{DeadLetter, Record, Seal};
use crate::log::frame::{self, Found};
use metrics::{counter, gauge};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Folder in the data folder.
pub const FOLDER: &str = "quarantine";
/// Ends the name of a file that waits, of one that is being written again, and of one that was.
const WAITS: &str = "refused";
const BEGUN: &str = "requeuing";
const DONE: &str = "requeued";
/// Of one that is being written for the first time, or anew.
const NEW: &str = "new";

/// Tables whose rows are kept apart. Roll-ups are made of rows that `events` took: what they refuse
/// they refuse of every batch, and an operator has to look.
pub const KEPT_OF: [&str; 3] = ["events", "elements", "dead_letters"];

/// Exceptions that say something of the rows themselves, by ClickHouse's numbers. What is not named
/// here may heal: networks, time, memory, parts, disks, rights, tables that are being changed.
const OF_THE_ROWS: [u32; 20] = [
    6,   // CANNOT_PARSE_TEXT
    25,  // CANNOT_PARSE_ESCAPE_SEQUENCE
    26,  // CANNOT_PARSE_QUOTED_STRING
    27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
    38,  // CANNOT_PARSE_DATE
    41,  // CANNOT_PARSE_DATETIME
    43,  // ILLEGAL_TYPE_OF_ARGUMENT
    53,  // TYPE_MISMATCH
    69,  // ARGUMENT_OUT_OF_BOUND
    70,  // CANNOT_CONVERT_TYPE
    72,  // CANNOT_PARSE_NUMBER
    117, // INCORRECT_DATA
    128, // TOO_LARGE_ARRAY_SIZE
    131, // TOO_LARGE_STRING_SIZE
    190, // SIZES_OF_ARRAYS_DONT_MATCH
    321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
    349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    376, // CANNOT_PARSE_UUID
    407, // DECIMAL_OVERFLOW
    469, // VIOLATED_CONSTRAINT
];

/// Whether trying again cannot help, because it is the rows that ClickHouse does not like.
pub fn is_final(error: &StoreError) -> bool {
    let StoreError::ClickHouse(clickhouse::error::Error::BadResponse(text)) = error else {
        return false;
    };
    code(text).is_some_and(|code| OF_THE_ROWS.contains(&code))
}

/// The number of an exception, as ClickHouse words it: `Code: 469. DB::Exception: …`.
fn code(text: &str) -> Option<u32> {
    let rest = text.trim_start().strip_prefix("Code: ")?;
    let (number, rest) = rest.split_once('.')?;
    rest.trim_start().strip_prefix("DB::")?;
    number.parse().ok()
}

/// What is known of a batch that was refused. The first line of its file, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its number.
    pub batch: u64,
    /// Its stretch of the log.
    pub from: u64,
    /// See `from`.
    pub to: u64,
    /// The table that refused it: of `events` all of the batch is here, else only the rows of it.
    pub table: String,
    /// Rows of that table.
    pub rows: u64,
    /// What ClickHouse said.
    pub reason: String,
    /// When, Unix ms.
    pub at_ms: u64,
}

impl Refused {
    fn seal(&self) -> Seal {
        let Self {
            batch, from, to, ..
        } = *self;
        Seal { batch, from, to }
    }

    fn name(&self) -> String {
        format!("{:020}.{}.{WAITS}", self.batch, self.table)
    }
}

/// How what is told of a batch in the table `dead_letters` begins.
pub(super) fn of_batch(batch: u64) -> String {
    format!("batch {batch}, ")
}

/// What is told of it in the table `dead_letters`.
pub fn letter(refused: &Refused, groups: &[Vec<Vec<u8>>]) -> DeadLetter {
    let site = groups.iter().flatten().find_map(|bytes| {
        let record = Record::decode(bytes).ok()?;
        match record {
            Record::Batch(record) => Some(record.site),
            Record::DeadLetter(_) | Record::Seal(_) => None,
        }
    });
    DeadLetter {
        site: site.unwrap_or_default(),
        received_ms: refused.at_ms,
        source: "writer".into(),
        code: "quarantined".into(),
        reason: format!(
            "{}{} rows of {}: {}",
            of_batch(refused.batch),
            refused.rows,
            refused.table,
            refused.reason
        ),
        body_bytes: refused.to - refused.from,
        body: Vec::new(),
    }
}

/// The folder.
#[derive(Debug)]
pub struct Quarantine {
    folder: PathBuf,
    /// Batches that are here or were, with the table that refused them: they are not written again
    /// under their number.
    known: Vec<(Seal, String)>,
}

impl Quarantine {
    /// Opens the folder, making it if need be, and raises the alarm for what waits in it.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let mut known = Vec::new();
        for (_, refused) in list(&folder, &[WAITS, BEGUN, DONE])? {
            known.push((refused.seal(), refused.table));
        }
        let quarantine = Self { folder, known };
        quarantine.tell()?;
        Ok(quarantine)
    }

    /// Whether a table's rows of a batch are here, or were.
    pub fn has(&self, seal: Seal, table: &str) -> bool {
        let same = |(known, refused): &(Seal, String)| *known == seal && refused == table;
        self.known.iter().any(same)
    }

    /// Keeps the records of a batch. Durable when it returns.
    ///
    /// # Errors
    /// It cannot be written; it may be tried again.
    pub fn keep(&mut self, refused: &Refused, groups: &[Vec<Vec<u8>>]) -> io::Result<PathBuf> {
        let path = self.folder.join(refused.name());
        write(&path, refused, groups)?;
        self.known.push((refused.seal(), refused.table.clone()));
        counter!("upriver_quarantined_rows_total", "table" => refused.table.clone())
            .increment(refused.rows);
        self.tell()?;
        Ok(path)
    }

    fn tell(&self) -> io::Result<()> {
        let waiting = list(&self.folder, &[WAITS, BEGUN])?.len();
        gauge!("upriver_quarantined_batches").set(waiting as f64);
        Ok(())
    }
}

/// Files with one of these endings, oldest batch first.
fn list(folder: &Path, endings: &[&str]) -> io::Result<Vec<(PathBuf, Refused)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| endings.contains(&ending)) {
            let (refused, _) = read(&path)?;
            found.push((path, refused));
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

/// What a file holds: of whom, and its groups of records.
fn read(path: &Path) -> io::Result<(Refused, Vec<Vec<Vec<u8>>>)> {
    let bad = |what: &str| io::Error::other(format!("{}: {what}", path.display()));
    let bytes = fs::read(path)?;
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, mut rest) = bytes.split_at(end.ok_or_else(|| bad("it has no first line"))? + 1);
    let refused = serde_json::from_slice(line).map_err(|error| bad(&error.to_string()))?;
    let mut groups = Vec::new();
    loop {
        match frame::find_group(rest, groups.len() as u64) {
            Found::Group {
                payload,
                frame_bytes,
            } => {
                groups.push(frame::records(payload).map(<[u8]>::to_vec).collect());
                rest = &rest[frame_bytes..];
            }
            Found::End => return Ok((refused, groups)),
            Found::Bad => return Err(bad("its records are spoilt")),
        }
    }
}

/// What of a file is a visitor's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The batch.
    pub batch: u64,
    /// Places among its events, when it waits to be written; else ClickHouse has those.
    pub events: Vec<u32>,
}

/// Which files hold anything of a visitor, who is told by their records.
///
/// # Errors
/// A file cannot be read.
pub fn held(folder: &Path, theirs: impl Fn(&Record) -> bool) -> io::Result<Vec<Held>> {
    let mut found = Vec::new();
    for (path, refused) in list_if_there(folder)? {
        let waits = refused.table == "events" && path.extension().is_none_or(|end| end != DONE);
        let (mut events, mut next, mut any) = (Vec::new(), 0, false);
        for bytes in read(&path)?.1.iter().flatten() {
            let Ok(record) = Record::decode(bytes) else {
                continue;
            };
            let count = match &record {
                Record::Batch(record) => u32::try_from(record.events()).unwrap_or(u32::MAX),
                Record::DeadLetter(_) | Record::Seal(_) => 0,
            };
            if theirs(&record) {
                any = true;
                events.extend((next..next + count).filter(|_| waits));
            }
            next += count;
        }
        let batch = refused.batch;
        found.extend(any.then_some(Held { batch, events }));
    }
    Ok(found)
}

/// Takes the records of a visitor out of every file, and what ClickHouse said of a batch that had
/// any: it may quote them. The files stay: their batches are not written under their numbers.
///
/// # Errors
/// A file cannot be read or written. Each is as it was, or done.
pub fn take_out(folder: &Path, theirs: impl Fn(&Record) -> bool) -> io::Result<()> {
    for (path, mut refused) in list_if_there(folder)? {
        let (_, groups) = read(&path)?;
        let records = groups.iter().map(Vec::len).sum::<usize>();
        let stays = |bytes: &Vec<u8>| !Record::decode(bytes).is_ok_and(|record| theirs(&record));
        let groups: Vec<Vec<Vec<u8>>> = groups
            .into_iter()
            .map(|group| group.into_iter().filter(stays).collect())
            .collect();
        if groups.iter().map(Vec::len).sum::<usize>() < records {
            let said = refused
                .reason
                .find("Code: ")
                .map(|at| &refused.reason[at..]);
            refused.reason = match said.and_then(code) {
                Some(code) => format!("Code: {code}. The rest was erased with a visitor"),
                None => "erased with a visitor".into(),
            };
            write(&path, &refused, &groups)?;
        }
    }
    Ok(())
}

/// All files, whatever was half written removed. Nobody may be writing one.
fn list_if_there(folder: &Path) -> io::Result<Vec<(PathBuf, Refused)>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == NEW) {
            fs::remove_file(&path)?;
        }
    }
    list(folder, &[WAITS, BEGUN, DONE])
}

/// Writes a file anew. Durable when it returns.
fn write(path: &Path, refused: &Refused, groups: &[Vec<Vec<u8>>]) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(refused)?;
    bytes.push(b'\n');
    for (number, records) in (0..).zip(groups) {
        let mut payload = Vec::new();
        for record in records {
            frame::push_record(&mut payload, record);
        }
        frame::push_group(&mut bytes, number, &payload);
    }
    let begun = path.with_extension(NEW);
    let mut file = File::create(&begun)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    rename(&begun, path)
}

/// Gives every batch that waits back to the log with `append`, which is to make a group of records
/// durable. Says which those were. One at which an earlier attempt broke off is an error: somebody must
/// look whether its rows are in ClickHouse.
///
/// # Errors
/// A file cannot be read or renamed, or what `append` says.
pub fn requeue(
    folder: &Path,
    mut append: impl FnMut(&[Vec<u8>]) -> io::Result<()>,
) -> io::Result<Vec<Refused>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    if let Some((path, _)) = list(folder, &[BEGUN])?.first() {
        return Err(io::Error::other(format!(
            "an earlier attempt broke off at {}: look whether its events are in clickhouse; rename \
             it to .{DONE} when they are, to .{WAITS} when they are not",
            path.display()
        )));
    }
    let mut done = Vec::new();
    for (path, refused) in list(folder, &[WAITS])? {
        let (_, groups) = read(&path)?;
        let begun = path.with_extension(BEGUN);
        rename(&path, &begun)?;
        for records in &groups {
            let records: Vec<Vec<u8>> = records
                .iter()
                .filter_map(|bytes| of_table(bytes, &refused.table))
                .collect();
            if !records.is_empty() {
                append(&records)?;
            }
        }
        rename(&begun, &path.with_extension(DONE))?;
        done.push(refused);
    }
    Ok(done)
}

/// What of a record became rows of the table that refused it; of `events`, all of it.
fn of_table(bytes: &[u8], table: &str) -> Option<Vec<u8>> {
    match (Record::decode(bytes).ok()?, table) {
        (Record::Seal(_), _) => None,
        (Record::Batch(_), "events") | (Record::DeadLetter(_), "events" | "dead_letters") => {
            Some(bytes.to_vec())
        }
        (Record::Batch(mut record), "elements") if !record.described.is_empty() => {
            record.accepted.clear();
            Some(Record::Batch(record).encode())
        }
        _ => None,
    }
}

/// Renames, durably.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    match to.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::record::{BatchRecord, DeadLetter};

    #[test]
    fn only_exceptions_about_the_rows_are_final() {
        let says = |text: &str| {
            let error = clickhouse::error::Error::BadResponse(text.to_owned());
            is_final(&StoreError::ClickHouse(error))
        };
        assert!(says("Code: 469. DB::Exception: Constraint `c` is violated"));
        assert!(says("Code: 53. DB::Exception: Type mismatch"));
        assert!(!says("Code: 252. DB::Exception: Too many parts"));
        assert!(!says("Code: 241. DB::Exception: Memory limit exceeded"));
        assert!(!says("busy") && !says("") && !says("Code: 53"));
        let timeout = StoreError::ClickHouse(clickhouse::error::Error::TimedOut);
        assert!(!is_final(&timeout));
    }

    #[test]
    fn what_is_kept_comes_back_once() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join(FOLDER);
        let mut quarantine = Quarantine::open(place.clone()).unwrap();
        let record = BatchRecord {
            accepted: vec![(0, 2)],
            described: vec![0],
            ..BatchRecord::default()
        };
        let whole = Record::Batch(record.clone()).encode();
        let described = Record::Batch(BatchRecord {
            accepted: Vec::new(),
            ..record
        });
        let letter = Record::DeadLetter(DeadLetter::default()).encode();
        let seal = Record::Seal(Seal::default()).encode();
        let groups = [vec![seal, whole.clone()], vec![letter.clone()]];
        let refused = |batch, table: &str| Refused {
            batch,
            from: 10,
            to: 20,
            table: table.into(),
            rows: 2,
            reason: "Code: 469".into(),
            at_ms: 5,
        };
        let all = [refused(7, "events"), refused(8, "elements")];
        for refused in &all {
            quarantine.keep(refused, &groups).unwrap();
        }
        let (batch, from, to) = (7, 10, 20);
        let seal = Seal { batch, from, to };
        assert!(quarantine.has(seal, "events") && !quarantine.has(seal, "elements"));

        let mut appended = Vec::new();
        let mut append = |records: &[Vec<u8>]| {
            appended.push(records.to_vec());
            Ok(())
        };
        assert_eq!(requeue(&place, &mut append).unwrap(), all);
        assert_eq!(requeue(&place, &mut append).unwrap(), []);
        let wanted = [vec![whole], vec![letter], vec![described.encode()]];
        assert_eq!(appended, wanted);
        // Under its old number it is not to be written, whatever becomes of the process.
        assert!(Quarantine::open(place.clone()).unwrap().has(seal, "events"));

        quarantine.keep(&refused(9, "events"), &groups).unwrap();
        let full = |_: &[Vec<u8>]| Err(io::Error::other("full"));
        assert!(requeue(&place, full).is_err());
        let again = requeue(&place, |_| Ok(())).unwrap_err();
        assert!(again.to_string().contains("broke off"), "{again}");
    }

    #[test]
    fn a_visitor_is_taken_out_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join(FOLDER);
        let mut quarantine = Quarantine::open(place.clone()).unwrap();
        let record = |site: &str, events| {
            Record::Batch(BatchRecord {
                site: site.into(),
                accepted: vec![(0, events)],
                ..BatchRecord::default()
            })
        };
        let theirs = |record: &Record| match record {
            Record::Batch(record) => record.site == "gone",
            _ => false,
        };
        let groups = [
            vec![record("stays", 2).encode(), record("gone", 3).encode()],
            vec![record("gone", 1).encode()],
            vec![record("stays", 1).encode()],
        ];
        let refused = |batch, table: &str| Refused {
            batch,
            from: 10,
            to: 20,
            table: table.into(),
            rows: 7,
            reason: "clickhouse: Code: 469. DB::Exception: what they said".into(),
            at_ms: 5,
        };
        quarantine.keep(&refused(7, "events"), &groups).unwrap();
        quarantine.keep(&refused(8, "elements"), &groups).unwrap();
        quarantine
            .keep(&refused(9, "events"), &groups[2..])
            .unwrap();
        fs::write(place.join("half.new"), "half").unwrap();
        let held_of = |batch, events: &[u32]| Held {
            batch,
            events: events.to_vec(),
        };
        let found = held(&place, theirs).unwrap();
        assert_eq!(found, [held_of(7, &[2, 3, 4, 5]), held_of(8, &[])]);
        take_out(&place, theirs).unwrap();
        assert_eq!(held(&place, theirs).unwrap(), []);
        assert!(!place.join("half.new").exists());
        let known = list(&place, &[WAITS]).unwrap();
        let reasons: Vec<_> = known.iter().map(|(_, known)| &*known.reason).collect();
        let erased = "Code: 469. The rest was erased with a visitor";
        let whole = "clickhouse: Code: 469. DB::Exception: what they said";
        assert_eq!(reasons, [erased, erased, whole]);
        let mut appended = Vec::new();
        let append = |records: &[Vec<u8>]| {
            appended.push(records.to_vec());
            Ok(())
        };
        assert_eq!(requeue(&place, append).unwrap().len(), 3);
        let stays = |events| vec![record("stays", events).encode()];
        assert_eq!(appended, [stays(2), stays(1), stays(1)]);
        assert_eq!(held(&place, theirs).unwrap(), [], "nor in what is done");
    }
}
