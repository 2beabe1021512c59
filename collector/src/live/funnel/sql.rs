//! A funnel in words and as SQL: the definition, and the queries that give the same numbers and the
//! same visitors.

use super::super::limits::VISITOR_ROWS_MAX;
use super::super::names::{NONE, OTHER};
use super::super::step::CompiledStep;
use super::super::{filter, sql, took};
use super::{FunnelCounts, Stayed};
use crate::live::Filter;
use std::time::Duration;

/// Milliseconds doubled in the order. `windowFunnel` compares its window with the whole key, ties
/// included, so a chain one millisecond too long could pass when its first event has the larger
/// tie. This leaves the order as it is and puts a gap between "in" and "out" that no tie can bridge.
const KEY: &str = "ord + bitShiftLeft(bitShiftRight(ord, 20), 20)";

impl FunnelCounts {
    /// The definition in words, from the steps as they are.
    pub(crate) fn definition(&self, filter: &Filter) -> String {
        let steps: Vec<String> = self
            .steps
            .iter()
            .enumerate()
            .map(|(at, step)| format!("{}. {} ({})", at + 1, step.name, step.words()))
            .collect();
        let window = Duration::from_millis(self.shape.window_ms);
        let window = humantime_serde::re::humantime::format_duration(window);
        let excludes: Vec<String> = self.excludes.iter().map(CompiledStep::words).collect();
        let (except, after) = match excludes.is_empty() {
            true => (String::new(), ""),
            false => (
                format!(
                    ", and without any of these from e1 on to before ek: {}",
                    excludes.join("; ")
                ),
                ", with none of those since,",
            ),
        };
        let narrowed = narrowed(filter);
        format!(
            "Steps: {}. A visitor reaches step k if there are k different events e1 to ek of \
             theirs that match steps 1 to k, ordered by ord (time in milliseconds, then stream, \
             then number in the stream), with the time of ek at most {window} after that of e1 \
             and e1 within the counted range{except}. A visitor counts once, with the longest such chain. \
             Campaign, source, variant, device and page are those of e1 of the chain that reached \
             that length first; if there are several such e1, the latest.{narrowed} Open: got no further, but their \
             latest e1{after} is at most {window} ago. Lost: got no further, and it is longer ago. \
             Time to convert: from that e1 to the event that reached the last step, in milliseconds of \
             which the two leading digits are kept; its median is that of the middle visitor, of an \
             even number the earlier. Past the bounds of memory, campaigns, sources, variants and \
             pages count as {OTHER}.",
            steps.join("; "),
        )
    }

    /// The query that gives the same numbers: visitors by step (`dimension` empty; with those open
    /// and lost), by what they began with, and (`dimension` `took`) by time to convert.
    pub(crate) fn sql(&self, filter: &Filter, site: &str, from_ms: u64, now_ms: u64) -> String {
        let steps = self.shape.steps;
        let none = |name: &str| format!("if({name} = '', '{NONE}', {name})");
        format!(
            "SELECT dimension, value, step, count() AS visitors,\n    \
             countIf(dimension = '' AND level = step AND step < {steps} AND may_go_on) AS open,\n    \
             countIf(dimension = '' AND level = step AND step < {steps} AND NOT may_go_on) AS lost\n\
             FROM\n(\n    SELECT level, may_go_on, arrayJoin(arrayConcat([('', ''), ('campaign', {campaign}),\n        \
             ('device', device), ('source', {source}), ('page', {page})],\n        \
             arrayMap(name -> ('variant', name), if(empty(variants), ['{NONE}'], variants)),\n        \
             if(level = {steps}, [('took', toString(took))], []))) AS is, is.1 AS dimension, is.2 AS value\n    \
             FROM\n    (\n{visitors}\n    )\n    WHERE {wanted}\n)\n\
             ARRAY JOIN if(dimension = 'took', [{steps}], range(1, level + 1)) AS step\n\
             GROUP BY dimension, value, step\nORDER BY dimension, value, step",
            campaign = none("campaign"),
            source = none("source"),
            page = none("page"),
            visitors = self.visitors_sql(site, from_ms, now_ms),
            wanted = wanted(filter),
        )
    }

    /// The query that gives the same visitors: those who stopped at a step, or converted.
    pub(crate) fn stayed_sql(
        &self,
        (filter, step, state): (&Filter, usize, Stayed),
        site: &str,
        (from_ms, now_ms): (u64, u64),
    ) -> String {
        let stopped = match state {
            Stayed::Converted => String::new(),
            Stayed::Open => format!(" AND level < {} AND may_go_on", self.shape.steps),
            Stayed::Lost => format!(" AND level < {} AND NOT may_go_on", self.shape.steps),
        };
        let step = self.level_of(step, state);
        format!(
            "SELECT toString(visitor) AS visitor, began_ms, reached_ms, campaign, source, device, page\n\
             FROM\n(\n{visitors}\n)\nWHERE level = {step}{stopped} AND {wanted}\n\
             ORDER BY reached_ms DESC, visitor\nLIMIT {VISITOR_ROWS_MAX}",
            visitors = self.visitors_sql(site, from_ms, now_ms),
            wanted = wanted(filter),
        )
    }

    /// One row an error, of those that a query gives, with the step at which it happened: of the
    /// visitor's rows before the error and within the window, those behind the last that excludes.
    pub(crate) fn standing_sql(&self, errors: &str, rows: &str) -> String {
        let window = u128::from(self.shape.window_ms) * (1 << 21) + ((1 << 20) - 1);
        let conditions: Vec<String> = self.steps.iter().map(CompiledStep::sql).collect();
        let excludes: Vec<String> = self.excludes.iter().map(CompiledStep::sql).collect();
        let either = |conditions: &[String]| format!("({})", conditions.join(") OR ("));
        let any = either(&[conditions.clone(), excludes.clone()].concat());
        let excludes = match excludes.is_empty() {
            true => "0".into(),
            false => either(&excludes),
        };
        let columns = (1..=self.shape.steps)
            .map(|step| format!(", arrayMap(row -> row.3[{step}], near)"))
            .collect::<String>();
        let conditions: Vec<_> = conditions
            .iter()
            .map(|condition| format!("toUInt8({condition})"))
            .collect();
        format!(
            "SELECT visitor, message, source, line, ord, ms, {id} AS funnel, \
             toInt64(if(empty(near), 0, arrayReduce('windowFunnel({window}, \\'strict_once\\')', \
             arrayMap(row -> row.2, near){columns}))) AS step\n\
             FROM\n(\n    SELECT *,\n        \
             arrayMax(arrayPushBack(arrayMap(row -> if(row.4 AND row.1 < ord, row.1, 0), steps), 0)) AS excluded,\n        \
             arrayFilter(row -> row.1 < ord AND row.1 > excluded AND row.5 + {span} >= ms, steps) AS near\n    \
             FROM ({errors}) AS met\n    LEFT JOIN\n    (\n        \
             SELECT visitor, groupArray((ord, {KEY}, [{conditions}], toUInt8({excludes}),\n            \
             toUInt64(toUnixTimestamp64Milli(time)))) AS steps\n        \
             FROM events\n        WHERE {rows} AND ({any})\n        GROUP BY visitor\n    ) AS stepped USING (visitor)\n)",
            id = sql::literal(&self.id),
            span = self.shape.window_ms,
            conditions = conditions.join(", "),
        )
    }

    /// One row a visitor who reached step 1. The first `length` of a visitor's rows, in order, are the
    /// fewest that reach as far as all of them, the first `until` those and what is of the same order;
    /// `first` is the latest of these that alone can begin it. Most visitors reach step 1 only: for them
    /// both are told without trying.
    /// Where something excludes, rows are cut into stretches: a new one begins behind each such
    /// event, and no chain goes from one into the next.
    fn visitors_sql(&self, site: &str, from_ms: u64, now_ms: u64) -> String {
        let window = u128::from(self.shape.window_ms) * (1 << 21) + ((1 << 20) - 1);
        let conditions: Vec<String> = self.steps.iter().map(CompiledStep::sql).collect();
        let excludes: Vec<String> = self.excludes.iter().map(CompiledStep::sql).collect();
        let either = |conditions: &[String]| format!("({})", conditions.join(") OR ("));
        let any = either(&[conditions.clone(), excludes.clone()].concat());
        let (excludes, stretch) = match excludes.is_empty() {
            true => ("0".into(), "toUInt64(0)"),
            false => (
                either(&excludes),
                "sum(excludes) OVER (PARTITION BY visitor ORDER BY ord) \
                 - sum(excludes) OVER (PARTITION BY visitor, ord)",
            ),
        };
        let matched: Vec<String> = (1..=self.shape.steps)
            .map(|step| format!("steps[{step}]"))
            .collect();
        let columns: Vec<String> = (1..=self.shape.steps)
            .map(|step| format!("arrayMap(row -> row.3[{step}], rows) AS step_{step}"))
            .collect();
        let later: String = (2..=self.shape.steps)
            .map(|step| format!(", arraySlice(step_{step}, 1, n)"))
            .collect();
        let upto: Vec<String> = (2..=self.shape.steps)
            .map(|step| format!("arraySlice(step_{step}, 1, until) AS upto_{step}"))
            .collect();
        let reached: Vec<String> = (2..=self.shape.steps)
            .map(|step| format!("upto_{step}"))
            .collect();
        // Without a cut a visitor has one stretch, and there is no best of several to choose.
        let [best, latest, excluded, whose] = match self.excludes.is_empty() {
            true => [
                "reaches AS level, chain AS best",
                "latest",
                "excluded",
                "WHERE",
            ],
            false => [
                "max(reaches) AS level, argMax(chain, (reaches, -toInt64(chain.2.1))) AS best",
                "max(latest)",
                "max(excluded)",
                "GROUP BY visitor\n      HAVING",
            ],
        };
        let level = format!("arrayReduce('windowFunnel({window}, \\'strict_once\\')', ");
        format!(
            "      SELECT visitor, {best},\n        \
             best.1.4 AS began_ms, best.2.4 AS reached_ms, best.1.5.1 AS campaign, best.1.5.2 AS device,\n        \
             best.1.5.3 AS variants, best.1.5.4 AS source, best.1.5.5 AS page, best.1.5.6 AS robot,\n        \
             reached_ms - began_ms AS took_ms, {bin} AS took,\n        \
             {latest} > {excluded} AND bitShiftRight({latest}, 20) + {span} >= {now_ms} AS may_go_on\n      \
             FROM\n      (\n        \
             SELECT visitor, latest, excluded, reaches,\n          \
             arrayMap(row -> row.1, rows) AS keys,\n          {columns},\n          \
             if(reaches = 1, indexOf(step_1, 1), arrayFirst(n -> {level}arraySlice(keys, 1, n), \
             arraySlice(step_1, 1, n){later}) = reaches,\n            \
             if(reaches > 1, range(toUInt64(reaches), length(keys) + 1), []))) AS length,\n          \
             arrayLastIndex(key -> key <= keys[length], keys) AS until,\n          \
             arraySlice(keys, 1, until) AS upto,\n          {upto},\n          \
             arrayFilter((n, is) -> is = 1 AND n <= until, arrayEnumerate(keys), step_1) AS firsts,\n          \
             if(reaches = 1, firsts[-1], arrayLast(n -> {level}upto, \
             arrayMap(m -> m = n, range(1, until + 1)), {reached}) = reaches,\n            \
             if(reaches > 1, firsts, []))) AS first,\n          \
             (rows[first], rows[length]) AS chain\n        \
             FROM\n        (\n          \
             SELECT visitor, stretch, maxIf(ord, steps[1] = 1) AS latest, maxIf(ord, excludes = 1) AS excluded,\n            \
             windowFunnel({window}, 'strict_once')({KEY}, {matched}) AS reaches,\n            \
             arraySort(row -> (row.1, row.2), groupArray(({KEY}, tie, steps, ms, began))) AS rows\n          \
             FROM\n          (\n            \
             SELECT *, {stretch} AS stretch\n            FROM\n            (\n              \
             SELECT visitor, ord, toUInt64(toUnixTimestamp64Milli(time)) AS ms, {tie} AS tie,\n                \
             [{conditions}] AS steps,\n                toUInt64({excludes}) AS excludes,\n                \
             (utm_campaign, toString(device), arrayDistinct(arrayMap((e, v) -> concat(e, '=', v),\n                \
             mapKeys(variants), mapValues(variants))), utm_source, path, bot_score >= {robot}) AS began\n              \
             FROM events\n              WHERE {rows} AND ({any})\n            )\n          )\n          \
             GROUP BY visitor, stretch\n          SETTINGS max_block_size = 1000\n        )\n      )\n      \
             {whose} level > 0",
            bin = took::sql("took_ms"),
            span = self.shape.window_ms,
            columns = columns.join(", "),
            upto = upto.join(", "),
            reached = reached.join(", "),
            matched = matched.join(", "),
            conditions = conditions
                .iter()
                .map(|condition| format!("toUInt8({condition})"))
                .collect::<Vec<_>>()
                .join(", "),
            tie = sql::TIE,
            robot = filter::ROBOT_SCORE_MIN,
            rows = sql::in_range(site, from_ms),
        )
    }
}

/// A filter in words, as a sentence that begins with a space; nothing of everyone.
fn narrowed(filter: &Filter) -> String {
    let mut only = Vec::new();
    only.extend(
        filter
            .campaign
            .as_ref()
            .map(|name| format!("campaign {name}")),
    );
    only.extend(
        filter
            .device
            .map(|device| format!("device {}", device.name())),
    );
    only.extend(
        filter
            .variant
            .as_ref()
            .map(|name| format!("variant {name}")),
    );
    let score = filter::ROBOT_SCORE_MIN;
    only.extend(filter.human.then(|| format!("a bot_score below {score}")));
    match only.is_empty() {
        true => String::new(),
        false => format!(" Only visitors whose e1 has {}.", only.join(" and ")),
    }
}

/// A filter as a condition on the rows of `visitors_sql`.
fn wanted(filter: &Filter) -> String {
    let mut all = Vec::new();
    all.extend(filter.campaign.as_ref().map(|name| {
        let name = if name == NONE { "" } else { name };
        format!("campaign = {}", sql::literal(name))
    }));
    all.extend(
        filter
            .device
            .map(|device| format!("device = {}", sql::literal(device.name()))),
    );
    all.extend(
        filter
            .variant
            .as_ref()
            .map(|name| format!("has(variants, {})", sql::literal(name))),
    );
    all.extend(filter.human.then(|| "NOT robot".into()));
    match all.is_empty() {
        true => "1".into(),
        false => all.join(" AND "),
    }
}
