//! Taking one batch: which of its events are new, which are left out, and what of it goes into the
//! log. Part of the sequencer, which alone may decide that.

use super::dedup::{Stream, StreamKey};
use super::group::Group;
use super::imported::EventKey;
use super::record::BatchRecord;
use super::sequencer::{BatchJob, ELEMENTS_MAX, EXPIRY_MS, ImportJob, Sequencer};
use super::shed::{self, Pressure};
use super::{Accepted, IngestError, Verdict, imported, rows};
use crate::log::storage::Storage;
use metrics::counter;
use std::ops::Range;
use upriver_wire::answer::Ack;
use upriver_wire::batch::Descriptor;
use upriver_wire::limits::NEED_MAX;

impl<S: Storage> Sequencer<S> {
    pub(super) fn take_batch(&mut self, job: BatchJob, group: &mut Group) {
        if let Err(error) = self.room() {
            let _ = job.reply.send(Err(error));
            return;
        }
        let BatchJob {
            site,
            received_ms,
            sent_at_ms,
            batch,
            refused,
            agent,
            reply,
            ..
        } = job;
        let key = StreamKey::new(&site, batch.stream);
        let skew_ms = match sent_at_ms {
            0 => 0,
            sent => received_ms as i64 - sent as i64,
        };
        let numbers = batch.first_seq..batch.first_seq + batch.events.len() as u64;
        group.touches(key, &self.dedup);
        let oldest_known_ms = self.dedup.oldest_known_ms(key);
        let stream = self.dedup.stream(key, received_ms);
        // Only what continues a stream is held to its clock; what comes late keeps its own time.
        let floor = stream.last.filter(|_| numbers.start >= stream.high());
        let record = BatchRecord {
            site: site.to_string(),
            received_ms,
            skew_ms,
            floor,
            accepted: Vec::new(),
            described: Vec::new(),
            agent,
            event_id: None,
            batch,
        };
        let oldest_ms = received_ms.saturating_sub(EXPIRY_MS).max(oldest_known_ms);
        let stream = stream.clone();
        let erased_ms = self.erased.until_ms(&site, record.batch.visitor);
        let bounds = Bounds {
            oldest_ms,
            erased_ms,
            pressure: self.pressure(),
        };
        let verdicts = verdicts(&record, &stream, &refused, bounds);
        let mut accepted = Accepted {
            ack: Ack {
                stream: record.batch.stream,
                first_seq: numbers.start,
                next_seq: numbers.end,
                need: Vec::new(),
            },
            verdicts,
        };
        let mut record = self.mark(key, record, &accepted.verdicts);
        // What an erased visitor sends again brings no label back.
        if erased_ms == 0 || !record.accepted.is_empty() {
            self.take_elements(&mut record, &mut accepted, key.site, group);
        }
        count(&accepted.verdicts, &site);
        leave_out(&mut record, &accepted.verdicts);
        if !record.accepted.is_empty() || !record.described.is_empty() {
            group.push_batch(record);
        }
        group.batches.push((reply, accepted));
        let forgotten = self.dedup.make_room();
        if forgotten > 0 {
            tracing::warn!(forgotten, "too many streams: the oldest are forgotten");
            counter!("upriver_streams_forgotten_total", "why" => "room")
                .increment(forgotten as u64);
        }
    }

    /// Takes the events of a server that were not taken before.
    pub(super) fn take_import(&mut self, job: ImportJob, group: &mut Group) {
        if let Err(error) = self.room() {
            let _ = job.reply.send(Err(error));
            return;
        }
        let keys: Vec<EventKey> = job.events.iter().filter_map(EventKey::of).collect();
        let taken = match self.imported.taken(&keys) {
            Ok(taken) => taken,
            Err(error) => {
                let _ = job.reply.send(Err(IngestError::StateFailed(error)));
                return;
            }
        };
        let oldest_day = imported::oldest_day(job.received_ms);
        let mut accepted = Accepted::default();
        for ((mut record, key), taken) in job.events.into_iter().zip(keys).zip(taken) {
            let erased_ms = self.erased.until_ms(&job.site, record.batch.visitor);
            let verdict = if record.batch.first_ms <= erased_ms {
                Verdict::Erased
            } else if taken {
                Verdict::Duplicate
            } else if key.day < oldest_day {
                // Whether it was taken may be forgotten: the clock was ahead since.
                Verdict::Expired
            } else if self.imported.is_full() {
                Verdict::Retry
            } else if self.imported.take(key) {
                Verdict::Ok
            } else {
                Verdict::Duplicate
            };
            if verdict == Verdict::Ok {
                record.received_ms = job.received_ms;
                group.imports(key);
                self.take_elements(&mut record, &mut accepted, key.site, group);
                group.push_batch(record);
            }
            accepted.verdicts.push(verdict);
        }
        for mut letter in job.letters {
            letter.received_ms = job.received_ms;
            group.push_letter(letter);
        }
        count(&accepted.verdicts, &job.site);
        group.batches.push((job.reply, accepted));
    }

    /// Remembers what is taken, and what is left out: it is not to come again either.
    fn mark(
        &mut self,
        key: StreamKey,
        mut record: BatchRecord,
        verdicts: &[Verdict],
    ) -> BatchRecord {
        let first = record.batch.first_seq;
        let numbers = |range: &Range<usize>| first + range.start as u64..first + range.end as u64;
        for range in ranges(verdicts, Verdict::Ok) {
            let closed = self.dedup.take(key, record.received_ms, numbers(&range));
            counter!("upriver_gaps_closed_total").increment(closed);
            record.accepted.push((range.start as u16, range.end as u16));
        }
        for range in ranges(verdicts, Verdict::Shed) {
            self.dedup.take(key, record.received_ms, numbers(&range));
        }
        let stream = self.dedup.stream(key, record.received_ms);
        // What was there already may bring another time: only what is new continues the order.
        if !record.accepted.is_empty()
            && stream.high() == first + record.batch.events.len() as u64
            && let Some((time, number, _)) = rows::times(&record).last()
        {
            stream.ends_with(time, number);
        }
        record
    }

    /// Keeps descriptors that are new, and asks for those that are missing.
    fn take_elements(
        &mut self,
        record: &mut BatchRecord,
        accepted: &mut Accepted,
        site: u64,
        group: &mut Group,
    ) {
        if self.elements.len() > ELEMENTS_MAX {
            self.elements.clear();
        }
        for (index, element) in record.batch.elements.iter().enumerate() {
            let key = (site, element.id.0);
            match &element.descriptor {
                Some(descriptor) => {
                    let Descriptor {
                        selector,
                        label,
                        role,
                        background,
                        ..
                    } = descriptor;
                    let hash = look_hash(selector, label, role, *background);
                    if self.elements.insert(key, hash) != Some(hash) {
                        group.describes(key);
                        record.described.push(index as u16);
                    }
                }
                None if self.elements.contains_key(&key) => {}
                None if accepted.ack.need.len() < NEED_MAX => accepted.ack.need.push(element.id),
                None => {}
            }
        }
    }
}

/// Which events are not taken although they are new.
#[derive(Clone, Copy)]
struct Bounds {
    /// Those that happened before this,
    oldest_ms: u64,
    /// or up to this, when their visitor was erased,
    erased_ms: u64,
    /// or are of a kind that is left out now.
    pressure: Pressure,
}

/// What becomes of each event.
fn verdicts(
    record: &BatchRecord,
    stream: &Stream,
    refused: &[usize],
    bounds: Bounds,
) -> Vec<Verdict> {
    let first = record.batch.first_seq;
    let times: Vec<_> = rows::times(record).collect();
    let mut verdicts: Vec<Verdict> = (first..)
        .zip(&record.batch.events)
        .map(|(number, _)| match stream.is_unknowable(number) {
            true => Verdict::Expired,
            false => Verdict::Duplicate,
        })
        .collect();
    let numbers = first..first + times.len() as u64;
    let missing = stream.missing(numbers.clone());
    #[cfg(feature = "planted-faults")]
    let missing = match crate::planted::has(crate::planted::Fault::NoDedup) {
        true => vec![numbers.clone()],
        false => missing,
    };
    for number in missing.into_iter().flatten() {
        let index = (number - first) as usize;
        let kind = rows::kind(&record.batch.events[index].body);
        verdicts[index] = match () {
            () if times[index].0 < bounds.oldest_ms => Verdict::Expired,
            () if bounds.pressure.sheds(kind) => Verdict::Shed,
            () => Verdict::Ok,
        };
    }
    // By the page's own clock too: what is sent again as it was looks as old as it was only there.
    let mut page_ms = record.batch.first_ms;
    let events = verdicts.iter_mut().zip(&times).zip(&record.batch.events);
    for ((verdict, (time, ..)), event) in events {
        page_ms = page_ms.saturating_add(u64::from(event.delta_ms));
        if page_ms.min(*time) <= bounds.erased_ms {
            *verdict = Verdict::Erased;
        }
    }
    for &index in refused {
        verdicts[index] = Verdict::Refused;
    }
    verdicts
}

/// The stretches in which all have this verdict.
fn ranges(verdicts: &[Verdict], wanted: Verdict) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (index, verdict) in verdicts.iter().enumerate() {
        match ranges.last_mut() {
            _ if *verdict != wanted => {}
            Some(range) if range.end == index => range.end += 1,
            _ => ranges.push(index..index + 1),
        }
    }
    ranges
}

/// Tells two descriptors of an element apart. Place and size wander with the window, so only what
/// a person would call a change counts.
pub fn look_hash(selector: &str, label: &str, role: &str, background: u32) -> u64 {
    let text = [
        selector,
        "\0",
        label,
        "\0",
        role,
        "\0",
        &background.to_string(),
    ]
    .concat();
    upriver_wire::ElementId::of(&text).0
}

/// Counts what became of each event.
fn count(verdicts: &[Verdict], site: &str) {
    for verdict in [
        Verdict::Ok,
        Verdict::Duplicate,
        Verdict::Expired,
        Verdict::Shed,
        Verdict::Erased,
    ] {
        let events = verdicts.iter().filter(|v| **v == verdict).count() as u64;
        if events > 0 {
            let labels = [
                ("site", site.to_owned()),
                ("verdict", verdict.name().to_owned()),
            ];
            counter!("upriver_events_total", &labels).increment(events);
        }
    }
}

/// Takes the bodies of events that are left out away, so that they need no room in the log, and
/// counts them by kind.
fn leave_out(record: &mut BatchRecord, verdicts: &[Verdict]) {
    for (event, verdict) in record.batch.events.iter_mut().zip(verdicts) {
        if *verdict == Verdict::Shed {
            let kind = rows::kind(&event.body).name();
            counter!("upriver_shed_total", "kind" => kind).increment(1);
            event.body = shed::PLACE;
        }
    }
}
