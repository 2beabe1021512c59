//! One event as a server tells it in JSON, and the record it becomes. Pure.
//!
//! Body, page, variants and elements have the form they have in a JSON batch, so an event that was
//! imported gives the row that the same event gives when a page sends it.

use crate::ingest::imported;
use crate::ingest::record::{Agent, BatchRecord};
use humantime_serde::re::humantime::parse_rfc3339_weak;
use serde_json::{Map, Value, json};
use std::time::UNIX_EPOCH;
use upriver_wire::batch::Batch;
use upriver_wire::limits::NAME_BYTES_MAX;

/// Fields that go into the batch as they are.
const AS_IN_A_BATCH: [&str; 4] = ["visitor", "session", "variants", "elements"];

/// Reads one event.
///
/// # Errors
/// What is wrong, for the sender's developer.
pub(super) fn record(site: &str, event: Value, now_ms: u64) -> Result<BatchRecord, String> {
    let Value::Object(mut fields) = event else {
        return Err("an event is a JSON object with id, time, visitor and body".into());
    };
    let id = text(&mut fields, "id")?.ok_or("id is missing: a name that no other event has")?;
    let time_ms = time_ms(&mut fields)?;
    let agent = Agent {
        browser: text(&mut fields, "browser")?.unwrap_or_default(),
        os: text(&mut fields, "os")?.unwrap_or_default(),
        country: country(&mut fields)?,
        named: true,
        robot: false,
    };
    let body = fields
        .remove("body")
        .ok_or("body is missing: what happened")?;
    if !fields.contains_key("visitor") {
        return Err("visitor is missing: who it was, 1 to 32 hexadecimal digits".into());
    }
    let mut batch = Map::new();
    for name in AS_IN_A_BATCH {
        if let Some(value) = fields.remove(name) {
            batch.insert(name.into(), value);
        }
    }
    if let Some(page) = fields.remove("page") {
        batch.insert("page".into(), json!({"inline": page}));
    }
    if let Some(unknown) = fields.keys().next() {
        return Err(format!("an event has no field {:?}", clipped(unknown)));
    }
    batch.insert("stream".into(), json!("0"));
    batch.insert("first_seq".into(), json!(0));
    batch.insert("first_ms".into(), json!(time_ms));
    batch.insert("events".into(), json!([{"body": body}]));
    let batch: Batch =
        serde_json::from_value(Value::Object(batch)).map_err(|error| error.to_string())?;
    let mut record = imported::record(site, &id, batch, now_ms)?;
    record.agent = agent;
    Ok(record)
}

/// A text of at most [`NAME_BYTES_MAX`] bytes, if it is there.
fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match fields.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= NAME_BYTES_MAX => Ok(Some(text)),
        Some(_) => Err(format!(
            "{name} must be a text of at most {NAME_BYTES_MAX} bytes"
        )),
    }
}

fn country(fields: &mut Map<String, Value>) -> Result<String, String> {
    let country = text(fields, "country")?.unwrap_or_default();
    let code = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
    if code || country.is_empty() {
        return Ok(country);
    }
    Err("country must be two capital letters, as in ISO 3166-1".into())
}

/// `time_ms`, or `time` as a date and time in UTC.
fn time_ms(fields: &mut Map<String, Value>) -> Result<u64, String> {
    match (fields.remove("time_ms"), fields.remove("time")) {
        (Some(ms), None) => ms
            .as_u64()
            .ok_or_else(|| "time_ms must be a whole number of milliseconds since 1970".into()),
        (None, Some(time)) => {
            let text = time.as_str().unwrap_or_default();
            let since = parse_rfc3339_weak(text)
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            since
                .and_then(|since| u64::try_from(since.as_millis()).ok())
                .ok_or_else(|| "time must be UTC and look like 2026-03-01T12:30:45.678Z".into())
        }
        _ => Err("say when it was: time, like 2026-03-01T12:30:45.678Z, or time_ms".into()),
    }
}

/// The beginning of a text, for an error.
fn clipped(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::rows;
    use crate::row::Kind;

    const NOW_MS: u64 = 1_790_000_000_000;

    fn order() -> Value {
        json!({
            "id": "order-1042", "time_ms": NOW_MS - 86_400_000, "visitor": "c0ffee",
            "country": "DE",
            "page": {"path": "/checkout", "campaign": {"campaign": "spring"}},
            "body": {"conversion": {"name": "order", "value_micros": 19_900_000, "currency": "EUR"}},
        })
    }

    #[test]
    fn an_event_becomes_its_row() {
        let record = record("shop", order(), NOW_MS).unwrap();
        let rows = rows::event_rows(&record);
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((row.kind, row.value), (Kind::Conversion, 19_900_000));
        assert_eq!(row.time as u64, NOW_MS - 86_400_000);
        assert_eq!((&*row.path, &*row.utm_campaign), ("/checkout", "spring"));
        assert_eq!((row.visitor.as_u128(), &*row.country), (0xc0_ffee, "DE"));
        assert_eq!((row.bot_score, row.imported), (0, true));
    }

    #[test]
    fn both_forms_of_the_time_are_the_same() {
        let mut event = order();
        let fields = event.as_object_mut().unwrap();
        fields.remove("time_ms");
        fields.insert("time".into(), json!("2026-09-20T13:46:40.000Z"));
        let record = record("shop", event, NOW_MS).unwrap();
        assert_eq!(record.batch.first_ms, 1_789_912_000_000);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |name: &str, value: Value, reason: &str| {
            let mut event = order();
            match value {
                Value::Null => event.as_object_mut().unwrap().remove(name),
                value => event.as_object_mut().unwrap().insert(name.into(), value),
            };
            let found = record("shop", event, NOW_MS).unwrap_err();
            assert!(found.contains(reason), "{found:?} does not say {reason:?}");
        };
        check("id", Value::Null, "id is missing");
        check("id", json!("i".repeat(129)), "at most 128 bytes");
        check("time_ms", Value::Null, "say when it was");
        check("time_ms", json!(-1), "whole number");
        check("time_ms", json!(1), "366 days ago");
        check("time", json!("2026-01-01T00:00:00Z"), "say when it was");
        check("visitor", Value::Null, "visitor is missing");
        check("visitor", json!("xyz"), "hexadecimal");
        check("body", Value::Null, "body is missing");
        check("body", json!({"no_such_kind": {}}), "no_such_kind");
        check(
            "body",
            json!({"press": {"element": 0}}),
            "element 0 is named",
        );
        check("country", json!("Germany"), "two capital letters");
        check("colour", json!("red"), "no field \"colour\"");
        check("page", json!({"path": ""}), "page.path is empty");
        assert!(record("shop", json!([]), NOW_MS).is_err());
    }
}
