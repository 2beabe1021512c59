//! Releases by SQL: the definition in words, the query that gives the same numbers over the raw rows,
//! and the same answer from the rows of that. Runs nothing.

use super::{Mark, Numbers, Visitors};
use crate::config::Release;
use crate::live::limits::{RELEASE_ROWS_MAX, RELEASES_MAX};
use crate::live::minute::Deed;
use crate::live::sql;
use crate::live::window::{MINUTE_MS, Window};
use serde_json::Value;
use upriver_wire::live::{Money, ReleaseRow, Releases};

/// Kind and column of each [`Deed`].
const DEEDS: [(&str, &str); Deed::ALL.len()] = [
    ("conversion", "conversions"),
    ("rage", "rages"),
    ("dead", "dead_presses"),
    ("error_press", "error_presses"),
    ("fault", "faults"),
];

/// The definition in words, with windows of at most so many minutes, of releases that went out in a
/// stretch of time; none: whose windows lie in the live range.
pub(crate) fn definition(asked: u16, went_out: Option<Window>) -> String {
    let (which, bound) = match went_out {
        None => (
            "whose windows lie in the counted range".to_owned(),
            format!(" Past the bound of {RELEASES_MAX} releases the rest are left out."),
        ),
        Some(window) => (format!("that went out {}", window.words()), String::new()),
    };
    format!(
        "Releases {which}: those defined through the API, at their at_ms, and \
         those that events carry, at the time of the first event ever with them; of a name that is \
         defined only the definition. The {RELEASE_ROWS_MAX} newest. After: the whole minutes that \
         follow the minute it went out in, at most {asked}. Before: as many whole minutes that end \
         with that minute. The minute itself counts for neither. Each side: distinct visitors with any \
         event; of those, the ones with a conversion, rage burst, dead press, press followed by an \
         error, script error, with their share and its 95 % Wilson interval; events of these kinds; \
         and the sum of the conversions' values in millionths, by currency. Difference: after − before, \
         with Newcombe's 95 % interval.{bound}"
    )
}

/// The query that gives the same numbers, at a time in Unix milliseconds: one row a release and side.
/// `from_ms` is where the live range begins.
pub(crate) fn query(
    site: &str,
    defined: &[Release],
    (asked, went_out): (u16, Option<Window>),
    (from_ms, now_ms): (u64, u64),
) -> String {
    let own = sql::literal(site);
    let names: Vec<_> = defined
        .iter()
        .map(|known| sql::literal(&known.name))
        .collect();
    let marks = defined.iter().map(|known| {
        let (name, id) = (sql::literal(&known.name), sql::literal(&known.id));
        format!("({name}, {id}, toInt64({}))", known.at_ms)
    });
    let marks: Vec<_> = marks.collect();
    let mut which = match went_out {
        None => format!("at_minute - span >= {}", from_ms / MINUTE_MS),
        Some(window) => format!("at_ms >= {}", window.start_ms(now_ms)),
    };
    // The first event ever with a release lies before it, if the release does.
    let mut until = String::new();
    if let Some(to_ms) = went_out.and_then(Window::to_ms) {
        which.push_str(&format!(" AND at_ms < {to_ms}"));
        until = format!(" AND time < {}", sql::moment(to_ms));
    }
    let counts = DEEDS.map(|(kind, name)| {
        format!(
            "    uniqExactIf(visitor, kind = '{kind}') AS {name}_visitors, \
             countIf(kind = '{kind}') AS {name},\n"
        )
    });
    let before_it = "range(is.4 - is.5, is.4)";
    let after_it = "range(is.4 + 1, is.4 + 1 + is.5)";
    // What went out in the last minute has no minutes yet, and its row all the same.
    format!(
        "WITH\n    (\n        SELECT groupArray((name, id, at_ms, at_minute, span, left_out))\n        FROM\n        (\n            \
         SELECT name, id, at_ms, intDiv(at_ms, {MINUTE_MS}) AS at_minute,\n                \
         least({asked}, greatest(0, {now_minute} - at_minute - 1)) AS span,\n                \
         greatest(0, toInt64(count() OVER ()) - {RELEASE_ROWS_MAX}) AS left_out\n            FROM\n            (\n                \
         SELECT toString(release) AS name, '' AS id, toUnixTimestamp64Milli(min(time)) AS at_ms\n                \
         FROM events\n                WHERE site = {own} AND release != ''{until}\n                \
         GROUP BY release\n                \
         HAVING NOT has(CAST([{names}], 'Array(String)'), name)\n                UNION ALL\n                \
         SELECT is.1 AS name, is.2 AS id, is.3 AS at_ms\n                \
         FROM (SELECT arrayJoin(CAST([{marks}], 'Array(Tuple(String, String, Int64))')) AS is)\n            )\n            \
         WHERE at_ms <= {now_ms} AND {which}\n            \
         ORDER BY at_ms DESC, name, id\n            LIMIT {RELEASE_ROWS_MAX}\n        )\n    ) AS released\n\
         SELECT name, id, at_ms, span * {MINUTE_MS} AS span_ms, left_out, side,\n    \
         uniqExactIf(visitor, kind != '') AS visitors,\n{counts}    \
         sumMapIf(map(currency, toInt128(toDecimal128(value, 6) * 1000000)), \
         kind = 'conversion' AND (value != 0 OR currency != '')) AS value_micros\n\
         FROM\n(\n    SELECT visitor, toString(kind) AS kind, value, currency, \
         intDiv(toUnixTimestamp64Milli(time), {MINUTE_MS}) AS minute\n    FROM events\n    \
         WHERE site = {own} AND toStartOfMinute(time) IN\n    (\n        \
         SELECT toDateTime(60 * arrayJoin(arrayConcat({before_it}, {after_it})), 'UTC')\n        \
         FROM (SELECT arrayJoin(released) AS is)\n    )\n) AS happened\n\
         RIGHT JOIN\n(\n    SELECT is.1 AS name, is.2 AS id, is.3 AS at_ms, is.5 AS span, is.6 AS left_out, \
         part.1 AS side,\n        arrayJoin(if(span = 0, [toInt64(-1)], part.2)) AS minute\n    \
         FROM (SELECT arrayJoin(released) AS is)\n    \
         ARRAY JOIN [('before', {before_it}), ('after', {after_it})] AS part\n) AS counted USING minute\n\
         GROUP BY name, id, at_ms, span, left_out, side\nORDER BY at_ms DESC, name, id, side DESC",
        now_minute = now_ms / MINUTE_MS,
        names = names.join(", "),
        marks = marks.join(", "),
        counts = counts.concat(),
    )
}

/// The answer from the rows that the SQL gives, one JSON object each. The second value counts sums too
/// large to tell.
pub(crate) fn of_rows(asked: u16, rows: &[Value]) -> (Releases, usize) {
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let number = |row: &Value, field: &str| row[field].as_u64().unwrap_or(0);
    let mut too_large = 0;
    let mut told: Vec<ReleaseRow> = Vec::new();
    // Both sides of a release are there, one after the other.
    for sides in rows.chunks(2) {
        let (name, id) = (text(&sides[0], "name"), text(&sides[0], "id"));
        let mark = Mark {
            name: &name,
            id: &id,
            at_ms: number(&sides[0], "at_ms"),
            span: number(&sides[0], "span_ms") / MINUTE_MS,
        };
        let mut of = |side: &str| {
            let row = sides.iter().find(|row| row["side"] == side);
            let (numbers, not_told) = row.map(numbers).unwrap_or_default();
            too_large += not_told;
            numbers
        };
        let (before, after) = (of("before"), of("after"));
        told.push(mark.row(before, after));
    }
    let releases = Releases {
        basis: None,
        window_ms: u64::from(asked) * MINUTE_MS,
        rows: told,
        left_out: rows.first().map_or(0, |row| number(row, "left_out")),
    };
    (releases, too_large)
}

/// The numbers of one row, and how many sums are too large to tell.
fn numbers(row: &Value) -> (Numbers, usize) {
    let number = |field: &str| row[field].as_u64().unwrap_or(0);
    let values = row["value_micros"].as_object().into_iter().flatten();
    let mut value = Vec::new();
    let mut too_large = 0;
    for (currency, micros) in values {
        match micros.as_i64() {
            Some(micros) => value.push(Money {
                currency: currency.clone(),
                micros,
            }),
            None => too_large += 1,
        }
    }
    value.sort_by(|a, b| a.currency.cmp(&b.currency));
    let visitors = Visitors {
        all: number("visitors"),
        did: DEEDS.map(|(_, name)| number(&format!("{name}_visitors"))),
    };
    let numbers = Numbers {
        visitors,
        events: DEEDS.map(|(_, name)| number(name)),
        value,
    };
    (numbers, too_large)
}
