//! What is asked of ClickHouse: who arrived at a step and went on, by tick, and views by hour. The
//! definition of both, in words and as SQL. Runs nothing.

use super::detector::{AGES, TICK_MS};
use super::traffic::HOUR_MS;
use crate::config::Funnel;
use crate::live::sql::{self, literal, moment};
use crate::live::step::CompiledStep;

/// Pages watched beside the site as a whole: those viewed most.
pub(super) const PAGES_MAX: usize = 10;

/// A step of a funnel and the next.
#[derive(Clone, Debug)]
pub(super) struct Transition {
    /// The funnel's id.
    pub(super) funnel: String,
    /// Its name for people.
    pub(super) funnel_name: String,
    /// The steps' names.
    pub(super) names: (String, String),
    steps: (CompiledStep, CompiledStep),
    /// Time within which who goes on must.
    within_ms: u64,
}

/// The definition in words.
pub(crate) const DEFINITION: &str = "A visitor arrives at a step of a funnel with an event that matches it, \
    when none of theirs did within the funnel's window (24 hours at most) before; they go on with \
    their first event later than that which matches the next step, within the same time. The \
    campaign is that of the arrival. Time is cut into ticks of 10 minutes. Expected: each arrival \
    counts as it grows as old as those before it were when they went on, times the share that goes \
    on; the share is learned from the campaign itself and, while that is young, from the site's \
    others. Told when a loss of 25, 50, 75 or 100 percent that began in any past hour explains what \
    was seen so much better that it would take 30 days, times the steps watched, to see as much by \
    chance (Shiryaev-Roberts e-detector). Views: page views by hour, beside the same hour of \
    earlier days and weeks; told when a tenth or none, or five or twenty times as many, explains \
    them so much better. All events count, of people and programs.";

impl Transition {
    /// Those of a funnel.
    pub(super) fn of(funnel: &Funnel) -> Vec<Self> {
        let longest = AGES as u64 * TICK_MS;
        let window = u64::try_from(funnel.window.as_millis()).unwrap_or(longest);
        let pairs = funnel.steps.windows(2);
        let transition = |pair: &[crate::config::Step]| {
            let [from, to] = pair else { return None };
            Some(Self {
                funnel: funnel.id.clone(),
                funnel_name: funnel.name.clone(),
                names: (from.name.clone(), to.name.clone()),
                steps: (CompiledStep::new(from), CompiledStep::new(to)),
                within_ms: window.min(longest),
            })
        };
        pairs.filter_map(transition).collect()
    }

    /// Kinds of event that it is made of.
    pub(super) fn kinds(&self) -> [&'static str; 2] {
        [self.steps.0.kind.name(), self.steps.1.kind.name()]
    }

    /// Arrivals, each with its campaign, its time `came` and the time they went on `went`, 0: not.
    fn arrivals(&self, site: &str, from_ms: u64, until_ms: u64) -> String {
        // An arrival just before may go on within, and what came before it decides whether it is one.
        let first_ms = from_ms.saturating_sub(2 * self.within_ms);
        format!(
            "SELECT arrival.2 AS campaign, arrival.1 AS came,\n        \
             arrayFirst(ms -> ms > came AND ms <= came + {within}, there_at) AS went\n    \
             FROM\n    (\n        \
             SELECT arraySort(groupArrayIf((ms, utm_campaign), here)) AS here_at,\n            \
             arraySort(groupArrayIf(ms, there)) AS there_at,\n            \
             arrayFilter((one, at) -> at = 1 OR one.1 > here_at[at - 1].1 + {within},\n                \
             here_at, arrayEnumerate(here_at)) AS arrivals\n        \
             FROM\n        (\n            \
             SELECT visitor, utm_campaign, toUnixTimestamp64Milli(time) AS ms,\n                \
             ({here}) AS here,\n                ({there}) AS there\n            \
             FROM events\n            \
             WHERE {rows} AND time < {until}\n                \
             AND (here OR there)\n        )\n        \
             GROUP BY visitor\n    )\n    ARRAY JOIN arrivals AS arrival",
            within = self.within_ms,
            here = self.steps.0.sql(),
            there = self.steps.1.sql(),
            rows = sql::in_range(site, first_ms),
            until = moment(until_ms),
        )
    }

    /// The query that gives, for the ticks of a time, who came and who went on, by campaign.
    pub(super) fn ticks(&self, site: &str, from_ms: u64, until_ms: u64) -> String {
        format!(
            "SELECT campaign, toUInt64(intDiv(came, {TICK_MS})) AS arrived, \
             toUInt64(intDiv(went, {TICK_MS})) AS went_on, count() AS visitors\nFROM\n(\n    {}\n)\n\
             WHERE came >= {from_ms} OR went >= {from_ms}\nGROUP BY campaign, arrived, went_on",
            self.arrivals(site, from_ms, until_ms),
        )
    }

    /// The query that gives who arrived and who went on in a time, of a campaign or of all.
    pub(super) fn numbers(
        &self,
        site: &str,
        campaign: Option<&str>,
        from_ms: u64,
        until_ms: u64,
    ) -> String {
        let whose = campaign.map_or(String::new(), |campaign| {
            format!("\nWHERE campaign = {}", literal(campaign))
        });
        format!(
            "SELECT countIf(came >= {from_ms}) AS arrived, countIf(went >= {from_ms}) AS seen\n\
             FROM\n(\n    {}\n){whose}",
            self.arrivals(site, from_ms, until_ms),
        )
    }
}

/// The query that gives views by hour, of these pages or of those viewed most, and under no path
/// those of the rest.
pub(super) fn hours(site: &str, pages: Option<&[String]>, from_ms: u64, until_ms: u64) -> String {
    let rows = format!(
        "{} AND time < {} AND kind = 'page_view'",
        sql::in_range(site, from_ms),
        moment(until_ms)
    );
    let pages = match pages {
        Some(pages) => {
            let pages = pages.iter().map(|page| literal(page));
            pages.collect::<Vec<_>>().join(", ")
        }
        None => format!(
            "SELECT path FROM events WHERE {rows} GROUP BY path ORDER BY count() DESC, path \
             LIMIT {PAGES_MAX}"
        ),
    };
    format!(
        "SELECT if(path IN ({pages}), path, '') AS page,\n    \
         toUInt64(intDiv(toUnixTimestamp64Milli(time), {HOUR_MS})) AS hour, count() AS views\n\
         FROM events\nWHERE {rows}\nGROUP BY page, hour"
    )
}

/// The query that gives the views of a page, or of the site, in a time.
pub(super) fn views(site: &str, page: &str, from_ms: u64, until_ms: u64) -> String {
    let page = match page {
        "" => String::new(),
        page => format!(" AND path = {}", literal(page)),
    };
    format!(
        "SELECT count() AS seen\nFROM events\nWHERE {} AND time < {} AND kind = 'page_view'{page}",
        sql::in_range(site, from_ms),
        moment(until_ms),
    )
}

/// The query that tells when the newest row was received, of all sites: without reading any.
pub(super) const NEWEST: &str =
    "SELECT toUnixTimestamp64Milli(max(received_at)) AS newest_ms FROM events";

/// The query that counts rows received after a time, so long after they happened that they were not
/// there when their tick was judged.
pub(super) fn late(
    site: &str,
    kinds: &[&str],
    since_ms: u64,
    (from_ms, until_ms): (u64, u64),
    after_ms: u64,
) -> String {
    let kinds: Vec<_> = kinds.iter().map(|kind| literal(kind)).collect();
    format!(
        "SELECT count() AS late\nFROM events\nWHERE {} AND time < {} AND received_at > {}\n    \
         AND received_at > time + INTERVAL {after_ms} MILLISECOND AND kind IN ({})",
        sql::in_range(site, from_ms),
        moment(until_ms),
        moment(since_ms),
        kinds.join(", "),
    )
}
