//! The engine against a recount from the definitions, over random rows in random order.

mod bounds;
mod hub;
mod recount;

use super::limits::Bounds;
use super::{ActivityFilter, Engine, Filter, HOUR_MS, HeatKind, Naming, Query, Resource, Window};
use crate::config::{Funnel, Site, Sites};
use crate::row::{Device, Direction, ElementRow, EventRow, Kind, order};
use proptest::prelude::*;
use recount::Recount;
use uuid::Uuid;

/// A time in the middle of an hour, far from every edge.
const NOW_MS: u64 = 500_000 * HOUR_MS + HOUR_MS / 2;

pub(super) fn sites() -> Vec<Site> {
    let text = r#"
        [[site]]
        id = "shop"
        write_key = "shop-write-key"

        [[site.funnel]]
        id = "checkout"
        name = "Checkout"
        window = "20m"
        step = [
            { name = "Product", kind = "page_view", page = "/product/*" },
            { name = "Buy", kind = "press", element = "0000000000000001" },
            { name = "Order", kind = "conversion", event = "order" },
        ]

        [[site.funnel]]
        id = "views"
        name = "Three views"
        window = "2h"
        step = [
            { name = "One", kind = "page_view" },
            { name = "Two", kind = "page_view" },
            { name = "Three", kind = "page_view", page = "/" },
        ]

        [[site.funnel]]
        id = "straight"
        name = "Without going back"
        window = "2h"
        step = [
            { name = "Product", kind = "page_view", page = "/product/*" },
            { name = "Press", kind = "press" },
            { name = "Order", kind = "conversion" },
        ]
        exclude = [{ name = "Rage", kind = "rage" }, { name = "Home", kind = "page_view", page = "/" }]

        [[site]]
        id = "other"
        write_key = "other-write-key"
    "#;
    toml::from_str::<Sites>(text).expect("sites").sites
}

/// What is drawn of a row. Indexes choose from the short lists in [`event`].
#[derive(Clone, Debug, Default)]
pub(super) struct Drawn {
    other_site: bool,
    minutes_ago: u64,
    tie: u16,
    received_minutes_later: u64,
    kind: usize,
    path: usize,
    visitor: u128,
    stream: u128,
    campaign: usize,
    variant: usize,
    device: usize,
    element: u64,
    value: i64,
}

/// Few values of everything, so that repeats, ties and edges are the rule.
fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let minute = prop_oneof![0_u64..60, 0_u64..1_600, Just(59_u64), 1_400_u64..1_500];
    // Mostly the kinds that numbers of their own are made of.
    let kind = prop_oneof![3 => 0_usize..7, 1 => 7_usize..Kind::ALL.len()];
    let row = (
        (0_u8..10, minute, 0_u16..2, 0_u64..9, kind, 0_usize..4),
        (
            0_u128..4,
            0_u128..3,
            0_usize..3,
            0_usize..3,
            0_usize..4,
            0_u64..3,
            -2_i64..9,
        ),
    );
    let row = row.prop_map(|(when, who)| Drawn {
        other_site: when.0 == 0,
        minutes_ago: when.1,
        tie: when.2,
        received_minutes_later: when.3,
        kind: when.4,
        path: when.5,
        visitor: who.0,
        stream: who.1,
        campaign: who.2,
        variant: who.3,
        device: who.4,
        element: who.5,
        value: who.6,
    });
    prop::collection::vec(row, 0..60)
}

pub(super) fn event(number: usize, drawn: &Drawn) -> EventRow {
    let Drawn {
        tie,
        visitor,
        stream,
        element,
        value,
        ..
    } = *drawn;
    let time = NOW_MS - drawn.minutes_ago * 60_000;
    let kind = Kind::ALL[drawn.kind];
    let conversion = kind == Kind::Conversion;
    let campaign = ["", "spring", "summer"][drawn.campaign];
    let variants: &[(&str, &str)] = [
        &[][..],
        &[("buy", "b")][..],
        &[("buy", "a"), ("size", "l")][..],
    ][drawn.variant];
    EventRow {
        site: if drawn.other_site { "other" } else { "shop" }.into(),
        time: time as i64,
        received_at: (time + drawn.received_minutes_later * 60_000).min(NOW_MS) as i64,
        ord: order(time, (stream << 70) | stream, tie),
        kind,
        stream: Uuid::from_u128((stream << 70) | stream),
        seq: number as u64,
        visitor: Uuid::from_u128((visitor << 96) | 7),
        path: ["/", "/product/kettle", "/product/pan", ""][drawn.path].into(),
        device: Device::ALL[drawn.device],
        width_bucket: [160, 320][drawn.device % 2],
        bot_score: [0, 49, 50][drawn.campaign],
        viewport_w: 320 * drawn.device as u32,
        viewport_h: 700,
        document_w: 400,
        document_h: 3_000 * drawn.variant as u32,
        client_x: 40 * number as u32,
        client_y: 100,
        page_x: 40 * number as i32 - 60,
        page_y: 100 + 300 * value as i32,
        dx: 150 - 60 * value as i32,
        dy: -90 * value as i32,
        way_ms: (0..=value.unsigned_abs() as u32)
            .map(|at| at * at * 10)
            .collect(),
        way_x: (0..=value.unsigned_abs() as i32)
            .map(|at| at * 90 - 80)
            .collect(),
        way_y: (0..=value.unsigned_abs() as i32)
            .map(|at| at * 333 - 50)
            .collect(),
        first_band: element as u8 * 4,
        bands: vec![value.unsigned_abs() as u32; 1 + drawn.variant],
        utm_source: if campaign.is_empty() { "" } else { "mail" }.into(),
        utm_campaign: campaign.into(),
        variants: variants
            .iter()
            .map(|(e, v)| ((*e).into(), (*v).into()))
            .collect(),
        element,
        cell: (value.unsigned_abs() * 31) as u8,
        direction: [Direction::Down, Direction::Up, Direction::None][drawn.variant],
        name: if conversion { "order" } else { "" }.into(),
        value: if conversion { value * 1_000_000 } else { 0 },
        currency: if conversion && value > 2 { "EUR" } else { "" }.into(),
        ..EventRow::default()
    }
}

/// Every query that a site answers, filters among them.
fn queries() -> Vec<Query> {
    let heat = |page: &str| Filter {
        page: page.into(),
        ..Filter::default()
    };
    let mut queries = vec![
        Query::Overview,
        Query::Campaigns,
        Query::Pages,
        Query::Presence,
        Query::Funnel("checkout".into(), Filter::default()),
        Query::Funnel("views".into(), Filter::default()),
        Query::Funnel("straight".into(), Filter::default()),
        Query::HeatMap(
            HeatKind::Press,
            Filter {
                device: Some(Device::Phone),
                ..heat("/")
            },
        ),
        Query::HeatMap(
            HeatKind::Press,
            Filter {
                campaign: Some("(none)".into()),
                width: Some(160),
                ..heat("/product/pan")
            },
        ),
        Query::HeatMap(
            HeatKind::Rage,
            Filter {
                variant: Some("buy=b".into()),
                human: true,
                ..heat("/product/*")
            },
        ),
    ];
    let windows = [
        Window::Minutes(5),
        Window::Minutes(30),
        Window::Today,
        Window::Day,
    ];
    for (at, kind) in HeatKind::ALL.into_iter().enumerate() {
        queries.push(Query::HeatMap(kind, heat(["*", "/"][at % 2])));
        let window = windows[at % 3];
        queries.push(Query::HeatMap(
            kind,
            Filter {
                window,
                ..heat("*")
            },
        ));
    }
    queries
}

/// All numbers of the engine, without what they mean.
fn numbers(engine: &Engine) -> Vec<Resource> {
    queries()
        .iter()
        .map(|query| engine.data("shop", query).expect("known").0)
        .collect()
}

/// The feed, without its ids, which are given in the order of arrival.
fn feed(engine: &Engine) -> Vec<(u64, String, String)> {
    match engine.data(
        "shop",
        &Query::Activity(ActivityFilter::default(), Naming::Named),
    ) {
        Some((Resource::Activity(feed), _)) => feed
            .items
            .into_iter()
            .map(|item| (item.time_ms, item.visitor, item.kind))
            .collect(),
        other => panic!("a feed expected, got {other:?}"),
    }
}

/// An order of arrival drawn from a seed; every fourth is by time.
fn shuffled(rows: &[EventRow], seed: u64) -> Vec<EventRow> {
    let mut rows = rows.to_vec();
    if seed.is_multiple_of(4) {
        rows.sort_by_key(|row| row.ord);
    } else {
        rows.sort_by_key(|row| (row.seq + 1).wrapping_mul(seed | 1).rotate_left(17));
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn every_number_is_the_recount_in_any_order_and_at_any_later_time(
        (drawn, seed, batch, pass_ms) in
            (drawn(), any::<u64>(), 1_usize..20, prop::collection::vec(0_u64..9 * HOUR_MS, 0..5))
    ) {
        let sites = sites();
        let rows: Vec<_> = drawn.iter().enumerate().map(|(at, row)| event(at, row)).collect();
        let mut engine = Engine::new(&sites, Bounds::default(), NOW_MS);
        for batch in shuffled(&rows, seed).chunks(batch) {
            engine.apply(batch);
        }
        let mut now_ms = NOW_MS;
        for pass_ms in std::iter::once(0).chain(pass_ms) {
            now_ms += pass_ms;
            engine.advance(now_ms);
            let recount = Recount::new(&rows, &sites[0], now_ms);
            prop_assert_eq!(numbers(&engine), recount.answers(&queries()));
            prop_assert_eq!(feed(&engine), recount.feed());
        }
    }

    #[test]
    fn rows_and_time_may_be_interleaved(
        (drawn, seed, batch) in (drawn(), any::<u64>(), 1_usize..20)
    ) {
        let sites = sites();
        let rows: Vec<_> = drawn.iter().enumerate().map(|(at, row)| event(at, row)).collect();
        let mut engine = Engine::new(&sites, Bounds::default(), NOW_MS);
        let mut now_ms = NOW_MS;
        for batch in shuffled(&rows, seed).chunks(batch) {
            engine.apply(batch);
            now_ms += 40 * 60_000;
            engine.advance(now_ms);
        }
        let recount = Recount::new(&rows, &sites[0], now_ms);
        prop_assert_eq!(numbers(&engine), recount.answers(&queries()));
    }

    #[test]
    fn a_funnel_defined_while_running_counts_as_one_that_was_there(
        (drawn, seed, batch, at, until, twice) in
            (drawn(), any::<u64>(), 1_usize..20, 0_usize..8, 0_usize..8, any::<bool>())
    ) {
        let sites = sites();
        let rows: Vec<_> = drawn.iter().enumerate().map(|(at, row)| event(at, row)).collect();
        let rows = shuffled(&rows, seed);
        let mut engine = Engine::new(&sites, Bounds::default(), NOW_MS);
        // Two places change hands: what was in them must leave nothing behind.
        let [checkout, views, straight] = &sites[0].funnels[..] else { panic!("three funnels") };
        let (mut come, mut generation, mut now_ms) = (0, 1, NOW_MS);
        for (number, batch) in rows.chunks(batch).enumerate() {
            if number == at {
                engine.define("shop", "checkout", None, 0);
                let other = Funnel { id: "views".into(), ..straight.clone() };
                engine.define("shop", "views", Some(&other), 7);
                engine.define("shop", "views", Some(views), 1);
                engine.define("shop", "checkout", Some(checkout), 2);
                // The past is read when more has come than was there.
                generation = 2;
            }
            engine.apply(batch);
            come += batch.len();
            if number >= at && number >= until && generation == 2 {
                let mut past = rows[..come].to_vec();
                past.retain(|row| row.site == "shop");
                for funnel in [1, 2] {
                    if twice {
                        engine.recount("shop", funnel, &past[..past.len() / 2], false);
                    }
                    engine.recount("shop", 7, &past, true);
                    engine.recount("shop", funnel, &past, true);
                }
                generation = 3;
            }
            now_ms += 5 * 60_000;
            engine.advance(now_ms);
        }
        if generation == 2 {
            for funnel in [1, 2] {
                engine.recount("shop", funnel, &rows[..come].iter().filter(|row| row.site == "shop").cloned().collect::<Vec<_>>(), true);
            }
        }
        let recount = Recount::new(&rows, &sites[0], now_ms);
        prop_assert_eq!(numbers(&engine), recount.answers(&queries()));
        for later_ms in [now_ms + 2 * HOUR_MS, now_ms + 40 * HOUR_MS] {
            engine.advance(later_ms);
            let recount = Recount::new(&rows, &sites[0], later_ms);
            prop_assert_eq!(numbers(&engine), recount.answers(&queries()));
        }
    }

    #[test]
    fn totals_stay_exact_when_every_bound_is_hit(
        (drawn, seed) in (drawn(), any::<u64>())
    ) {
        let bounds = Bounds {
            visitors: 1_000, pages: 1, campaigns: 1, names: 1, origins: 1, entries: 1, currencies: 1,
            heat_keys: 1, heat_cells: 2, elements: 1, marks: 1,
            subjects: 1, styles: 1, funnel_rows: 4_096,
            ..Bounds::default()
        };
        let sites = sites();
        let rows: Vec<_> = drawn.iter().enumerate().map(|(at, row)| event(at, row)).collect();
        let mut engine = Engine::new(&sites, bounds, NOW_MS);
        engine.apply(&shuffled(&rows, seed));
        for now_ms in [NOW_MS, NOW_MS + 3 * HOUR_MS, NOW_MS + 30 * HOUR_MS] {
            engine.advance(now_ms);
            let sums = |answers: &[Resource]| totals(answers);
            let recount = Recount::new(&rows, &sites[0], now_ms).answers(&queries());
            prop_assert_eq!(sums(&numbers(&engine)), sums(&recount));
        }
    }
}

/// Sums over rows, which a bound must not change.
fn totals(answers: &[Resource]) -> Vec<u64> {
    let mut sums = Vec::new();
    for answer in answers {
        match answer {
            Resource::Overview(data) => sums.extend([data.visitors, data.page_views, data.presses]),
            Resource::Campaigns(data) => {
                sums.push(data.rows.iter().map(|row| row.conversions).sum());
                let minutes = data.rows.iter().flat_map(|row| &row.minutes);
                sums.push(minutes.map(|views| u64::from(*views)).sum());
            }
            Resource::Presence(data) => {
                sums.push(data.online);
                sums.push(data.pages.iter().map(|row| row.visitors).sum());
            }
            Resource::Funnel(data) => {
                sums.extend(
                    data.steps
                        .iter()
                        .flat_map(|step| [step.visitors, step.open]),
                );
                let of = |dimension: &str| {
                    let groups = data
                        .groups
                        .iter()
                        .filter(|group| group.dimension == dimension);
                    groups.map(|group| group.visitors[0]).sum::<u64>()
                };
                sums.extend(["campaign", "device", "page", "source"].map(of));
            }
            // Events without a page are not listed, unless they fell into (other).
            Resource::Pages(_)
            | Resource::Activity(_)
            | Resource::PresentVisitors(_)
            | Resource::Alerts(_)
            | Resource::Board(_)
            | Resource::FunnelVisitors(_)
            | Resource::Releases(_)
            | Resource::Sources(_)
            | Resource::Errors(_)
            | Resource::Experiments(_) => (),
            // Where nothing but the page is asked for, what fell into (other) is there too.
            Resource::HeatMap(data) => sums.extend((data.page == "*").then_some(data.total)),
        }
    }
    sums
}

#[test]
fn a_full_table_of_visitors_is_said() {
    let bounds = Bounds {
        visitors: 1,
        ..Bounds::default()
    };
    let mut engine = Engine::new(&sites(), bounds, NOW_MS);
    engine.history_complete();
    let row = |visitor| {
        event(
            0,
            &Drawn {
                minutes_ago: 1,
                visitor,
                ..Drawn::default()
            },
        )
    };
    engine.apply(&[row(1)]);
    assert!(engine.data("shop", &Query::Overview).expect("known").1);
    engine.apply(&[row(2)]);
    let (data, complete) = engine.data("shop", &Query::Overview).expect("known");
    let Resource::Overview(data) = data else {
        panic!("an overview expected")
    };
    assert_eq!((data.visitors, data.page_views, complete), (1, 2, false));
    engine.advance(NOW_MS + 30 * HOUR_MS);
    assert!(
        engine.data("shop", &Query::Overview).expect("known").1,
        "complete again"
    );
}

#[test]
fn the_newest_descriptor_names_an_element_whenever_it_comes() {
    let says = |received_at, label: &str| ElementRow {
        site: "shop".into(),
        element: 2,
        received_at,
        label: label.into(),
        selector: "#buy".into(),
        role: "button".into(),
        ..ElementRow::default()
    };
    let press = event(
        0,
        &Drawn {
            minutes_ago: 1,
            kind: 1,
            element: 2,
            value: 3,
            ..Drawn::default()
        },
    );
    for described in [
        [says(1, "Buy"), says(2, "Buy now")],
        [says(2, "Buy now"), says(1, "Buy")],
    ] {
        let mut engine = Engine::new(&sites(), Bounds::default(), NOW_MS);
        engine.apply(std::slice::from_ref(&press));
        engine.describe(&described);
        let filter = Filter {
            page: "/".into(),
            ..Filter::default()
        };
        let asked = Query::HeatMap(HeatKind::Press, filter);
        let Some(Resource::HeatMap(map)) = engine.answer("shop", &asked) else {
            panic!("a heat map expected");
        };
        assert_eq!(map.elements[0].label, "Buy now");
        assert_eq!(
            (map.total, map.elements[0].cells.clone()),
            (1, vec![(93, 1)])
        );
        let Some(Resource::Activity(feed)) = engine.answer(
            "shop",
            &Query::Activity(ActivityFilter::default(), Naming::Named),
        ) else {
            panic!("a feed expected");
        };
        assert_eq!(
            (feed.items[0].about.as_str(), feed.items[0].id),
            ("Buy now", 1)
        );
    }
}

/// The clock was put ahead by more than the range reaches, and the event came before time passed.
#[test]
fn an_event_received_after_the_clock_jumped_is_counted() {
    let ahead_ms = NOW_MS + 13 * HOUR_MS;
    let row = EventRow {
        site: "shop".into(),
        received_at: ahead_ms as i64,
        time: ahead_ms as i64,
        ord: order(ahead_ms, 1, 0),
        kind: Kind::PageView,
        path: "/".into(),
        ..EventRow::default()
    };
    let mut engine = Engine::new(&sites(), Bounds::default(), NOW_MS);
    engine.catch_up(std::slice::from_ref(&row));
    engine.apply(std::slice::from_ref(&row));
    // The clock was put right again meanwhile.
    engine.advance(NOW_MS + HOUR_MS);
    let Some(Resource::Overview(overview)) = engine.answer("shop", &Query::Overview) else {
        panic!("no overview");
    };
    assert_eq!(overview.page_views, 1);
    let basis = overview.basis.unwrap();
    assert_eq!(basis.from_ms, (ahead_ms / HOUR_MS - 23) * HOUR_MS);
}
