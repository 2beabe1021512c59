//! Subscriptions: snapshot, then deltas, nothing lost and nothing without end.

use super::super::hub::{Hub, LiveError, Published};
use super::super::limits::{SUBSCRIBER_QUEUE_MAX, SUBSCRIBERS_PER_SITE_MAX, TOPICS_PER_SITE_MAX};
use super::super::{ActivityFilter, Engine, Filter, HeatKind, Naming, Query, Seen, Window};
use super::{Bounds, Drawn, HOUR_MS, NOW_MS, event, sites};
use crate::config::{Experiment, Funnel, Variant};
use crate::row::{EventRow, Kind};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;

const FIRST_SEQ: u64 = 1_000;

fn hub() -> Hub {
    let mut engine = Engine::new(&sites(), Bounds::default(), NOW_MS);
    engine.history_complete();
    Hub::new(engine, FIRST_SEQ)
}

fn shop() -> Arc<str> {
    "shop".into()
}

/// A page view of a visitor on a path (0: `/`, 1: kettle), minutes ago.
fn view(number: usize, visitor: u128, path: usize, minutes: u64) -> EventRow {
    let drawn = Drawn {
        minutes_ago: minutes,
        path,
        visitor,
        ..Drawn::default()
    };
    event(number, &drawn)
}

fn next(subscription: &mut Receiver<Published>) -> Value {
    let message = subscription.try_recv().expect("a message");
    let mut value: Value = serde_json::from_str(&message.json).expect("JSON");
    assert_eq!(value["seq"], json!(message.seq));
    let cursor = value
        .as_object_mut()
        .and_then(|value| value.remove("cursor"));
    assert_eq!(cursor, Some(json!(*message.cursor)));
    value
}

#[test]
fn a_snapshot_comes_first_then_only_rows_that_changed() {
    let mut hub = hub();
    hub.engine.apply(&[view(0, 1, 0, 1)]);
    let mut pages = hub.subscribe(&shop(), &Query::Pages, None).expect("room");
    let snapshot = next(&mut pages);
    assert_eq!(snapshot["type"], "snapshot");
    assert_eq!(snapshot["data"]["basis"]["complete"], true);
    assert_eq!(
        snapshot["data"]["rows"],
        json!([{"path": "/", "views": 1, "visitors": 1, "presses": 0}])
    );
    hub.publish();
    assert!(pages.try_recv().is_err(), "nothing changed");

    hub.engine.apply(&[view(1, 2, 1, 1), view(2, 2, 1, 1)]);
    hub.publish();
    let delta = next(&mut pages);
    let rows = json!([{"path": "/product/kettle", "views": 2, "visitors": 1, "presses": 0}]);
    let seq = snapshot["seq"].as_u64().expect("a number") + 1;
    assert_eq!(
        delta,
        json!({"seq": seq, "type": "delta", "data": {"rows": rows}})
    );
}

#[test]
fn a_row_that_vanishes_makes_a_new_snapshot() {
    let mut hub = hub();
    hub.engine
        .apply(&[view(0, 1, 0, 23 * 60), view(1, 1, 1, 1)]);
    let mut pages = hub.subscribe(&shop(), &Query::Pages, None).expect("room");
    assert_eq!(
        next(&mut pages)["data"]["rows"].as_array().map(Vec::len),
        Some(2)
    );
    hub.engine.advance(NOW_MS + HOUR_MS);
    hub.publish();
    let snapshot = next(&mut pages);
    assert_eq!(snapshot["type"], "snapshot");
    assert_eq!(snapshot["data"]["rows"].as_array().map(Vec::len), Some(1));
}

#[test]
fn people_leave_by_time_alone_and_it_is_pushed() {
    let mut hub = hub();
    hub.engine.apply(&[view(0, 1, 0, 1)]);
    let mut presence = hub
        .subscribe(&shop(), &Query::Presence, None)
        .expect("room");
    assert_eq!(next(&mut presence)["data"]["online"], 1);
    hub.engine.advance(NOW_MS + 4 * 60_000 - 1);
    hub.publish();
    assert!(presence.try_recv().is_err(), "still here");
    hub.engine.advance(NOW_MS + 4 * 60_000);
    hub.publish();
    let delta = next(&mut presence);
    assert_eq!(delta["type"], "delta");
    assert_eq!(
        delta["data"],
        json!({"online": 0, "pages": [], "devices": [], "campaigns": []})
    );
}

#[test]
fn open_becomes_lost_by_time_alone_and_it_is_pushed() {
    let mut hub = hub();
    let checkout = Query::Funnel("checkout".into(), Filter::default());
    hub.engine.apply(&[view(0, 1, 1, 5)]);
    let mut funnel = hub.subscribe(&shop(), &checkout, None).expect("room");
    let first = |message: Value| message["data"]["steps"][0].clone();
    let step = |open, lost| {
        json!({"name": "Product", "matches": "page view on /product/*", "visitors": 1,
               "open": open, "lost": lost})
    };
    assert_eq!(first(next(&mut funnel)), step(1, 0));
    hub.engine.advance(NOW_MS + 15 * 60_000);
    hub.publish();
    assert!(
        funnel.try_recv().is_err(),
        "exactly the window is within it"
    );
    hub.engine.advance(NOW_MS + 15 * 60_000 + 1);
    hub.publish();
    assert_eq!(first(next(&mut funnel)), step(0, 1));
}

#[test]
fn a_slow_subscriber_gets_a_snapshot_once_it_has_room() {
    let mut hub = hub();
    let mut slow = hub
        .subscribe(&shop(), &Query::Overview, None)
        .expect("room");
    let mut quick = hub
        .subscribe(&shop(), &Query::Overview, None)
        .expect("room");
    let rounds = 3 * SUBSCRIBER_QUEUE_MAX;
    for round in 0..rounds {
        hub.engine.apply(&[view(round, 1, 0, 1)]);
        hub.publish();
        assert!(quick.try_recv().is_ok());
    }
    let mut last = 0;
    for at in 0..SUBSCRIBER_QUEUE_MAX {
        let message = next(&mut slow);
        let seq = message["seq"].as_u64().expect("a number");
        assert!(at == 0 || seq == last + 1, "no gap without a snapshot");
        last = seq;
    }
    assert!(slow.try_recv().is_err(), "never more than the bound");
    hub.publish();
    let snapshot = next(&mut slow);
    assert_eq!(snapshot["type"], "snapshot");
    assert_eq!(snapshot["data"]["page_views"], rounds);
    hub.engine.apply(&[view(rounds, 1, 0, 1)]);
    hub.publish();
    let delta = next(&mut slow);
    assert_eq!(
        (delta["type"].as_str(), delta["seq"].as_u64()),
        (Some("delta"), snapshot["seq"].as_u64().map(|seq| seq + 1))
    );
}

#[test]
fn versions_grow_with_and_without_subscribers() {
    let mut hub = hub();
    let mut last = hub.snapshot(&shop(), &Query::Overview).expect("known").seq;
    for round in 0..6 {
        hub.engine.apply(&[view(round, round as u128, 0, 1)]);
        let subscription = (round % 2 == 0).then(|| hub.subscribe(&shop(), &Query::Overview, None));
        hub.publish();
        let now = hub.snapshot(&shop(), &Query::Overview).expect("known");
        assert!(now.seq > last, "round {round}: {} after {last}", now.seq);
        assert!(now.json.contains(&format!("\"page_views\":{}", round + 1)));
        last = now.seq;
        drop(subscription);
    }
}

#[test]
fn a_feed_sends_only_what_is_new() {
    let mut hub = hub();
    hub.engine.apply(&[view(0, 1, 0, 2), view(1, 1, 0, 2)]);
    let mut activity = hub
        .subscribe(
            &shop(),
            &Query::Activity(ActivityFilter::default(), Naming::Named),
            None,
        )
        .expect("room");
    let ids = |message: &Value| -> Vec<u64> {
        let items = message["data"]["items"].as_array().expect("items");
        items
            .iter()
            .filter_map(|item| item["id"].as_u64())
            .collect()
    };
    let before = ids(&next(&mut activity));
    assert_eq!(before.len(), 2);
    hub.engine.apply(&[view(2, 1, 0, 1)]);
    hub.publish();
    let delta = next(&mut activity);
    assert_eq!(
        (delta["type"].as_str(), ids(&delta)),
        (Some("delta"), vec![before[1] + 1])
    );
}

#[test]
fn what_cannot_be_had_is_said() {
    let mut hub = hub();
    let nowhere: Arc<str> = "nowhere".into();
    let refused = |result: Result<Published, LiveError>| result.err();
    assert_eq!(
        refused(hub.snapshot(&nowhere, &Query::Pages)),
        Some(LiveError::UnknownSite)
    );
    let unknown = Query::Funnel("nothing".into(), Filter::default());
    assert_eq!(
        refused(hub.snapshot(&shop(), &unknown)),
        Some(LiveError::UnknownFunnel)
    );

    for beyond in [
        Filter {
            window: Window::Between(1, 2),
            ..Filter::default()
        },
        Filter {
            seen: Some(Seen::New),
            ..Filter::default()
        },
    ] {
        let beyond = Query::HeatMap(HeatKind::Press, beyond);
        let refused = refused(hub.snapshot(&shop(), &beyond));
        assert_eq!(refused, Some(LiveError::NotInMemory));
    }

    let page = |at: usize| {
        let filter = Filter {
            page: format!("/{at}"),
            ..Filter::default()
        };
        Query::HeatMap(HeatKind::Press, filter)
    };
    let mut held: Vec<_> = (0..TOPICS_PER_SITE_MAX)
        .map(|at| hub.subscribe(&shop(), &page(at), None).expect("room"))
        .collect();
    let refused = hub
        .subscribe(&shop(), &page(TOPICS_PER_SITE_MAX), None)
        .err();
    assert_eq!(refused, Some(LiveError::TooManyQueries));
    while held.len() < SUBSCRIBERS_PER_SITE_MAX {
        held.push(hub.subscribe(&shop(), &page(0), None).expect("room"));
    }
    assert_eq!(
        hub.subscribe(&shop(), &page(0), None).err(),
        Some(LiveError::TooManySubscribers)
    );
    drop(held);
    assert!(hub.subscribe(&shop(), &page(0), None).is_ok(), "room again");
    assert_eq!(hub.subscribers(), 1);
}

/// What a subscriber holds: pages to views.
fn hold(held: &mut std::collections::BTreeMap<String, u64>, message: &Published) {
    let value: Value = serde_json::from_str(&message.json).expect("JSON");
    if value["type"] == "snapshot" {
        held.clear();
    }
    for row in value["data"]["rows"].as_array().expect("rows") {
        let path = row["path"].as_str().expect("a path");
        held.insert(path.into(), row["views"].as_u64().expect("views"));
    }
}

#[test]
fn who_comes_back_gets_what_was_missed_and_nothing_twice() {
    let mut hub = hub();
    let mut number = 0;
    let mut more = |hub: &mut Hub, path: usize| {
        number += 1;
        hub.engine
            .apply(&[view(number, number as u128 % 5, path, 1)]);
        hub.publish();
    };
    let pages = Query::Pages;
    let mut held = std::collections::BTreeMap::new();
    more(&mut hub, 0);
    let mut first = hub.subscribe(&shop(), &pages, None).expect("room");
    let snapshot = first.try_recv().expect("a snapshot");
    hold(&mut held, &snapshot);
    drop(first);
    // Gone for a while, in which nobody listens.
    for path in [0, 1, 1] {
        more(&mut hub, path);
    }
    let mut again = hub
        .subscribe(&shop(), &pages, Some(&snapshot.cursor))
        .expect("room");
    let mut seqs = vec![snapshot.seq];
    let mut last = snapshot.clone();
    while let Ok(message) = again.try_recv() {
        assert_eq!(message.extent, upriver_wire::live::Extent::Delta);
        hold(&mut held, &message);
        seqs.push(message.seq);
        last = message;
    }
    assert!(
        seqs.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{seqs:?}"
    );
    assert_eq!(
        held,
        [("/".to_owned(), 2), ("/product/kettle".to_owned(), 2)].into()
    );
    // Nothing was missed: nothing comes until there is something.
    let mut same = hub
        .subscribe(&shop(), &pages, Some(&last.cursor))
        .expect("room");
    assert!(same.try_recv().is_err());
    more(&mut hub, 0);
    assert_eq!(same.try_recv().expect("the next").seq, last.seq + 1);

    // Of another process, not ours, from the future, or too long ago: all of it.
    let other = last.cursor.replacen(char::is_alphanumeric, "9", 1);
    for after in [other.as_str(), "", "x", "3e8-ffffffffffff"] {
        let mut whole = hub.subscribe(&shop(), &pages, Some(after)).expect("room");
        let message = whole.try_recv().expect("a snapshot");
        assert_eq!(
            message.extent,
            upriver_wire::live::Extent::Snapshot,
            "{after}"
        );
    }
    for _ in 0..super::super::limits::RECENT_MAX + 1 {
        more(&mut hub, 1);
    }
    let mut late = hub
        .subscribe(&shop(), &pages, Some(&last.cursor))
        .expect("room");
    let message = late.try_recv().expect("a snapshot");
    assert_eq!(message.extent, upriver_wire::live::Extent::Snapshot);
    hold(&mut held, &message);
    assert_eq!(
        held["/product/kettle"],
        2 + super::super::limits::RECENT_MAX as u64 + 1
    );

    // A minute without anybody, and it is forgotten; the version still only grows.
    drop((again, same, late));
    for _ in 0..=super::super::limits::RECENT_TICKS {
        hub.publish();
    }
    more(&mut hub, 0);
    let mut anew = hub
        .subscribe(&shop(), &pages, Some(&message.cursor))
        .expect("room");
    let anew = anew.try_recv().expect("a snapshot");
    assert_eq!(anew.extent, upriver_wire::live::Extent::Snapshot);
    assert!(anew.seq > message.seq);
}

fn funnel(id: &str, paths: &[&str]) -> Funnel {
    let step = paths
        .iter()
        .map(|path| json!({"name": path, "kind": "page_view", "page": path}));
    let funnel = json!({"id": id, "name": id, "window": "2h", "step": step.collect::<Vec<_>>()});
    serde_json::from_value(funnel).expect("a funnel")
}

#[test]
fn what_is_counted_anew_takes_the_others_place_with_the_funnels_of_now() {
    let mut hub = hub();
    let defined = funnel("defined", &["/", "/product/kettle"]);
    hub.define("shop", "checkout", None, 1);
    hub.define("shop", "defined", Some(&defined), 2);
    hub.recount(&shop(), 2, &[], true);
    // Visitor 1 is the one who goes; 2 and 3 stay.
    let rows: Vec<_> = (1..=3_u128)
        .flat_map(|visitor| {
            let number = visitor as usize * 2;
            [view(number, visitor, 0, 9), view(number + 1, visitor, 1, 8)]
        })
        .collect();
    hub.engine.apply(&rows);
    let steps = |message: &Value| -> Vec<u64> {
        let steps = message["data"]["steps"].as_array().expect("steps");
        steps
            .iter()
            .map(|step| step["visitors"].as_u64().expect("a number"))
            .collect()
    };
    let query = |id: &str| Query::Funnel(id.into(), Filter::default());
    let mut told = hub
        .subscribe(&shop(), &query("defined"), None)
        .expect("room");
    let first = next(&mut told);
    assert_eq!(steps(&first), [3, 3]);

    hub.begin_anew(NOW_MS);
    // Meanwhile another funnel is defined and given its past, and an event comes.
    let later = funnel("later", &["/product/kettle", "/"]);
    hub.define("shop", "later", Some(&later), 3);
    let come = [view(20, 3, 0, 1)];
    for engine in hub.engines() {
        engine.apply(&come);
    }
    let past: Vec<_> = rows[2..].iter().chain(&come).cloned().collect();
    hub.recount(&shop(), 3, &past, true);
    if let Some(anew) = &mut hub.anew {
        anew.apply(&rows[2..]);
    }
    hub.replace(NOW_MS);
    hub.publish();
    let mut message = next(&mut told);
    while let Ok(further) = told.try_recv() {
        message = serde_json::from_str(&further.json).expect("JSON");
    }
    assert_eq!(message["type"], "snapshot");
    assert!(message["seq"].as_u64() > first["seq"].as_u64());
    assert_eq!(steps(&message), [2, 2]);
    assert_eq!(message["data"]["basis"]["complete"], true);
    let later = hub.snapshot(&shop(), &query("later")).expect("a funnel");
    let later: Value = serde_json::from_str(&later.json).expect("JSON");
    assert_eq!(steps(&later), [2, 1]);
    assert_eq!(later["data"]["basis"]["complete"], true);
    assert!(hub.snapshot(&shop(), &query("checkout")).is_err());
}

#[test]
fn what_is_counted_anew_compares_by_the_plans_that_hold() {
    let mut hub = hub();
    let plan = |share| Experiment {
        id: "button".into(),
        variants: [("green", share), ("red", 1.0 - share)]
            .map(|(name, share)| Variant {
                name: name.into(),
                share,
            })
            .into(),
    };
    // One plan is there before it is counted anew and one is changed meanwhile.
    let other = |plan: Experiment| Experiment {
        id: "other".into(),
        ..plan
    };
    hub.plan("shop", "button", Some(&plan(0.25)));
    hub.plan("shop", "other", Some(&other(plan(0.25))));
    let rows: Vec<_> = (1..=4_u128)
        .flat_map(|visitor| {
            let shown = ["green", "red"][visitor as usize % 2];
            ["button", "other"].map(|name| EventRow {
                kind: Kind::Exposure,
                name: name.into(),
                props: vec![("variant".into(), shown.into())],
                ..view(visitor as usize, visitor, 0, 9)
            })
        })
        .collect();
    hub.engine.apply(&rows);
    let shares = |hub: &mut Hub| -> Vec<(String, Vec<f64>)> {
        let answer = hub.snapshot(&shop(), &Query::Experiments).expect("there");
        let answer: Value = serde_json::from_str(&answer.json).expect("JSON");
        let rows = answer["data"]["rows"].as_array().expect("rows");
        let shares = |row: &Value| -> Vec<f64> {
            let variants = row["variants"].as_array().expect("variants");
            let shares = variants.iter().map(|variant| variant["share"].as_f64());
            shares.map(|share| share.expect("a share")).collect()
        };
        let name = |row: &Value| row["experiment"].as_str().expect("a name").to_owned();
        rows.iter().map(|row| (name(row), shares(row))).collect()
    };
    let told = |button: f64, other: f64| {
        let row = |name: &str, share| (name.to_owned(), vec![share, 1.0 - share]);
        vec![row("button", button), row("other", other)]
    };
    assert_eq!(shares(&mut hub), told(0.25, 0.25));
    hub.begin_anew(NOW_MS);
    hub.plan("shop", "other", Some(&other(plan(0.125))));
    if let Some(anew) = &mut hub.anew {
        anew.apply(&rows);
    }
    hub.replace(NOW_MS);
    assert_eq!(shares(&mut hub), told(0.25, 0.125));
}
