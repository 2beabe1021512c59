//! The same through a whole collector: its process, its log on a real disk, HTTP, its live engine,
//! its writer and its ClickHouse.

use super::beside::rows;
use super::case::Tally;
use super::chance::Chance;
use super::numbers::{Numbers, OVERVIEW, Place};
use super::pipeline::{beyond, queries};
use super::recount::{self, interest, recount};
use super::truth::Truth;
use super::walk;
use super::world::World;
use crate::{Collector, eventually};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use upriver_collector::live::{ActivityFilter, Filter, HOUR_MS, Query, Resource, Seen, Window};
use upriver_wire::envelope;

/// Visitors of one site.
const VISITORS: u64 = 6;
/// Batches after which SQL is compared as well, and at the end.
const SQL_EVERY: usize = 12;
/// No case begins in the last minutes of an hour, when the range is about to move.
const HOUR_END_MS: u64 = 3 * 60_000;

/// Runs so many sites, one after the other, through one collector.
///
/// # Errors
/// Something broke; a difference is not an error.
pub async fn run(seed: u64, sites: u64) -> Result<Tally> {
    let mut chance = Chance::new(seed ^ 0x77_68_6f_6c_65);
    let mut worlds = Vec::new();
    for site in 0..sites {
        worlds.push(World::draw(
            &mut chance,
            &format!("whole{site}"),
            now_ms()?,
        )?);
    }
    let text: String = worlds.iter().map(|world| world.text.as_str()).collect();
    let collector = Collector::start_with_sites(&text, &[]).await?;
    let mut tally = Tally::default();
    for world in &worlds {
        let left_ms = HOUR_MS - now_ms()? % HOUR_MS;
        if left_ms < HOUR_END_MS {
            tokio::time::sleep(std::time::Duration::from_millis(left_ms + 1_000)).await;
        }
        tally.add(site(&collector, world, &mut chance).await?);
    }
    Ok(tally)
}

async fn site(collector: &Collector, world: &World, chance: &mut Chance) -> Result<Tally> {
    let sends = walk::draw(chance, world, VISITORS, now_ms()?, true);
    let id = &world.site.id;
    let mut truth = Truth::default();
    let mut tally = Tally {
        cases: 1,
        visitors: VISITORS,
        batches: sends.len() as u64,
        ..Tally::default()
    };
    for (at, send) in sends.iter().enumerate() {
        // A time of sending of 0 says nothing about the page's clock, so its times stay as they are.
        let bytes = envelope::encode(&send.batch(), 0);
        let path = format!("/v1/batch?key={}", world.site.write_key);
        let sent = collector.send_to(&path, bytes).await?;
        ensure!(sent.status == 200, "batch {at} of {id}: {sent:?}");
        truth.arrive(send, now_ms()?);
        tally.events_sent += send.events.len() as u64;
        counted(collector, world, truth.facts.len() as u64).await?;
        let answers = answers(&collector.http, &collector.url, world).await?;
        let mut live = Numbers::default();
        answers
            .iter()
            .for_each(|(place, answer)| live.take(place, answer));
        let again = recount(world, &truth.facts, now_ms()?, None);
        let case = format!("{id}, after batch {at}");
        let mut note = |what: &str, differences: Vec<String>| {
            if !differences.is_empty() {
                tally
                    .differences
                    .push((format!("{case}, {what}"), differences));
            }
        };
        note(
            "live and recount",
            live.timeless().differences(&again.timeless()),
        );
        if at % SQL_EVERY == SQL_EVERY - 1 || at + 1 == sends.len() {
            let count = format!("SELECT count() FROM events WHERE site = '{id}'");
            collector
                .sql_becomes(&count, truth.facts.len() as u64)
                .await?;
            let client = collector.clickhouse().await?;
            let mut sql = Numbers::default();
            for (place, answer) in &answers {
                let text = sql_of(answer)?;
                sql.take_sql(place, answer, &rows(&client, &text).await?)?;
            }
            let mut past = Numbers::default();
            for (place, query) in beyond(world) {
                let answer = answer(&collector.http, &collector.url, world, &query).await?;
                past.take(&place, &answer);
            }
            let expected = recount::beyond(world, &truth.facts, now_ms()?);
            // How long ago a release went out changes while it is asked for.
            let differences = expected.timeless().differences(&past.timeless());
            note("recount and the past", differences);
            note("live and SQL", live.timeless().differences(&sql.timeless()));
        }
        tally.looks += 1;
        tally.numbers += again.len() as u64;
    }
    tally.events = truth.facts.len() as u64;
    tally.interest = interest(world, &truth.facts);
    Ok(tally)
}

/// Waits until a site has counted so many events.
async fn counted(collector: &Collector, world: &World, events: u64) -> Result<()> {
    eventually("the live engine has counted every event", async || {
        let overview = get(&collector.http, &collector.url, world, "overview", &[]).await?;
        let counted: u64 = OVERVIEW
            .iter()
            .skip(1)
            .filter_map(|name| overview[*name].as_u64())
            .sum();
        ensure!(
            counted <= events,
            "{counted} events counted of {events} sent"
        );
        Ok((counted == events).then_some(()))
    })
    .await
}

/// Every answer of a site, from the collector at an address.
pub(super) async fn answers(
    http: &reqwest::Client,
    url: &str,
    world: &World,
) -> Result<Vec<(Place, Resource)>> {
    let mut answers = Vec::new();
    for (place, query) in queries(world) {
        let answer = answer(http, url, world, &query).await?;
        answers.push((place, answer));
    }
    Ok(answers)
}

/// The answer to one query, as its URL gives it.
async fn answer(
    http: &reqwest::Client,
    url: &str,
    world: &World,
    query: &Query,
) -> Result<Resource> {
    let get = async |name, pairs: &[(&str, &str)]| get(http, url, world, name, pairs).await;
    Ok(match query {
        Query::HeatMap(kind, filter) => {
            let pairs = pairs(filter);
            let mut pairs = texts(&pairs);
            pairs.push(("kind", kind.name()));
            Resource::HeatMap(serde_json::from_value(get("heatmap", &pairs).await?)?)
        }
        Query::Board(filter, by) => {
            let pairs = pairs(filter);
            let mut pairs = texts(&pairs);
            pairs.push(("by", by.name()));
            Resource::Board(serde_json::from_value(get("elements", &pairs).await?)?)
        }
        Query::Funnel(id, filter) => {
            let mut pairs = pairs(filter);
            pairs.push(("id", id.clone()));
            Resource::Funnel(serde_json::from_value(
                get("funnel", &texts(&pairs)).await?,
            )?)
        }
        Query::FunnelVisitors(id, filter, step, state) => {
            let mut pairs = pairs(filter);
            pairs.push(("id", id.clone()));
            pairs.push(("step", step.to_string()));
            pairs.push(("state", state.name().into()));
            let answer = get("funnel/visitors", &texts(&pairs)).await?;
            Resource::FunnelVisitors(serde_json::from_value(answer)?)
        }
        Query::Overview => Resource::Overview(serde_json::from_value(get("overview", &[]).await?)?),
        Query::Campaigns => {
            Resource::Campaigns(serde_json::from_value(get("campaigns", &[]).await?)?)
        }
        Query::Experiments => {
            Resource::Experiments(serde_json::from_value(get("experiments", &[]).await?)?)
        }
        Query::Errors => Resource::Errors(serde_json::from_value(get("errors", &[]).await?)?),
        Query::Presence => Resource::Presence(serde_json::from_value(get("presence", &[]).await?)?),
        Query::Present => {
            let answer = get("presence/visitors", &[]).await?;
            Resource::PresentVisitors(serde_json::from_value(answer)?)
        }
        Query::Activity(wanted, _) => {
            let pairs = wanted_pairs(wanted);
            let answer = get("activity", &texts(&pairs)).await?;
            Resource::Activity(serde_json::from_value(answer)?)
        }
        Query::Sources => Resource::Sources(serde_json::from_value(get("sources", &[]).await?)?),
        Query::Releases(minutes, went_out) => {
            let window = match minutes {
                15 => "15m",
                60 => "1h",
                _ => "6h",
            };
            let mut pairs = vec![("window", window.to_owned())];
            pairs.extend(went_out.iter().copied().flat_map(moments));
            let answer = get("releases", &texts(&pairs)).await?;
            Resource::Releases(serde_json::from_value(answer)?)
        }
        _ => Resource::Pages(serde_json::from_value(get("pages", &[]).await?)?),
    })
}

fn texts<'a>(pairs: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    let texts = pairs.iter().map(|(name, value)| (*name, value.as_str()));
    texts.collect()
}

/// Which events of the feed, as the parameters of a URL.
fn wanted_pairs(wanted: &ActivityFilter) -> Vec<(&'static str, String)> {
    let mut pairs = Vec::new();
    let kinds: Vec<_> = wanted.kinds.iter().map(|kind| kind.name()).collect();
    pairs.push(("kind", kinds.join(",")));
    let element = wanted.element.map(|element| format!("{element:016x}"));
    pairs.extend(element.map(|element| ("element", element)));
    for (name, value) in [
        ("page", &wanted.page),
        ("event", &wanted.event),
        ("campaign", &wanted.campaign),
        ("source", &wanted.source),
    ] {
        pairs.extend(value.clone().map(|value| (name, value)));
    }
    pairs.extend(wanted.device.map(|device| ("device", device.name().into())));
    pairs.extend(wanted.human.then(|| ("traffic", "human".into())));
    pairs
}

/// A filter as the parameters of a URL.
fn pairs(filter: &Filter) -> Vec<(&'static str, String)> {
    // Of a funnel no page is asked for.
    let page = Some(&filter.page).filter(|page| !page.is_empty());
    let mut pairs: Vec<_> = page
        .map(|page| ("page", page.clone()))
        .into_iter()
        .collect();
    pairs.extend(filter.device.map(|device| ("device", device.name().into())));
    pairs.extend(filter.width.map(|width| ("width", width.to_string())));
    pairs.extend(filter.campaign.clone().map(|name| ("campaign", name)));
    pairs.extend(filter.variant.clone().map(|name| ("variant", name)));
    pairs.extend(filter.seen.map(|seen| match seen {
        Seen::New => ("visitors", "new".into()),
        Seen::Returning => ("visitors", "returning".into()),
    }));
    pairs.extend(filter.human.then(|| ("traffic", "human".into())));
    pairs.extend(moments(filter.window));
    pairs
}

/// A stretch of time as the parameters of a URL.
fn moments(window: Window) -> Vec<(&'static str, String)> {
    match window {
        Window::Day => vec![],
        Window::Today => vec![("window", "today".into())],
        Window::Minutes(minutes) => vec![("window", format!("{minutes}m"))],
        Window::Since(from_ms) => vec![("from", from_ms.to_string())],
        Window::Between(from_ms, to_ms) => {
            vec![("from", from_ms.to_string()), ("to", to_ms.to_string())]
        }
    }
}

async fn get(
    http: &reqwest::Client,
    url: &str,
    world: &World,
    resource: &str,
    pairs: &[(&str, &str)],
) -> Result<Value> {
    let mut url = reqwest::Url::parse(&format!("{url}/v1/live/{resource}"))?;
    url.query_pairs_mut().extend_pairs(pairs);
    let token = format!("rt_{}_0001", world.site.id);
    let answer = http.get(url).bearer_auth(token).send().await?;
    ensure!(
        answer.status().is_success(),
        "{resource}: {}",
        answer.text().await?
    );
    let mut update: Value = answer.json().await?;
    Ok(update["data"].take())
}

fn sql_of(answer: &Resource) -> Result<String> {
    let value = serde_json::to_value(answer)?;
    let sql = value["basis"]["sql"].as_str();
    Ok(sql.context("an answer without its SQL")?.to_owned())
}

fn now_ms() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64)
}
