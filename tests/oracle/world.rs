//! A random site: what can be visited on it, and funnels over few values, so that ties, repeats and
//! events that match several steps are the rule. Knows no visitor.

use super::chance::Chance;
use anyhow::{Context, Result};
use upriver_collector::config::{Release, Site, Sites};
use upriver_collector::live::{
    ActivityFilter, By, Filter, HOUR_MS, HeatKind, Seen, Stayed, Window,
};
use upriver_collector::row::{Device, Kind};
use upriver_wire::ElementId;

/// Paths; the last ones hold what SQL and its `LIKE` treat specially.
pub(super) const PATHS: [&str; 6] = [
    "/",
    "/product/kettle",
    "/product/pan",
    "/cart",
    "/it's_100%",
    "/it's_200%",
];
/// Elements, by what they are called.
pub(super) const ELEMENTS: [&str; 3] = ["buy", "menu", "photo"];
/// `utm_campaign`; the empty one is no campaign.
pub(super) const CAMPAIGNS: [&str; 4] = ["", "spring", "summer", "o'ne"];
/// Experiments and their variants.
pub(super) const VARIANTS: [(&str, &str); 4] =
    [("buy", "a"), ("buy", "b"), ("size", "l"), ("size", "s")];
/// Names of custom events and conversions.
pub(super) const NAMES: [&str; 2] = ["order", "add"];
/// Where page views come from; the shop is the page itself.
pub(super) const REFERRERS: [&str; 4] =
    ["", "news.example/a/b", "shop.example/cart", "o'ne.example"];
/// Releases that pages tell; the empty one is none.
pub(super) const RELEASES: [&str; 3] = ["", "r1", "r'2"];
/// Windows of funnels, milliseconds: the shortest make every edge common.
const WINDOWS_MS: [u64; 5] = [1, 3, 1_000, 20 * 60_000, 2 * 3_600_000];
/// Steps a funnel may have here.
const STEPS_MAX: u64 = 5;

/// What a step may match, as it is written in the sites file.
const STEPS: [&str; 14] = [
    r#"kind = "page_view""#,
    r#"kind = "page_view", page = "/product/*""#,
    r#"kind = "page_view", page = "/""#,
    r#"kind = "page_view", page = "/it's_1*%""#,
    r#"kind = "press""#,
    r#"kind = "press", page = "*a*""#,
    r#"kind = "press", element = "BUY""#,
    r#"kind = "custom", event = "add""#,
    r#"kind = "conversion", event = "order""#,
    r#"kind = "scroll""#,
    r#"kind = "custom", props = { "col'our" = "red" }"#,
    r#"kind = "custom", event = "add", props = { "col'our" = "*e*", size = "" }"#,
    r#"kind = "hesitation""#,
    r#"kind = "exposure""#,
];

/// A site and what is asked about it.
#[derive(Clone, Debug)]
pub struct World {
    /// The site, as a collector reads it.
    pub site: Site,
    /// The same as text of the sites file.
    pub text: String,
    /// Windows of its funnels, milliseconds.
    pub windows_ms: Vec<u64>,
    /// Of each funnel, whose numbers are compared beside everyone's, and who is listed.
    pub narrowed: Vec<(Filter, usize, Stayed)>,
    /// Minutes of the windows around releases.
    pub release_minutes: u16,
    /// Which events of the feed are compared.
    pub feeds: Vec<ActivityFilter>,
    /// The heat maps that are compared.
    pub heat_maps: Vec<(HeatKind, Filter)>,
    /// Heat maps of times and visitors that memory does not hold.
    pub beyond: Vec<(HeatKind, Filter)>,
    /// The boards of elements that are compared.
    pub boards: Vec<(Filter, By)>,
    /// Boards that memory does not hold.
    pub boards_beyond: Vec<(Filter, By)>,
    /// When releases went out that are asked for, however long ago.
    pub releases_beyond: Window,
}

impl World {
    /// Draws one, to be looked at from a time in Unix milliseconds on.
    ///
    /// # Errors
    /// The collector refuses what was drawn: a fault of the generator.
    pub fn draw(chance: &mut Chance, id: &str, now_ms: u64) -> Result<Self> {
        let mut text = format!(
            "[[site]]\nid = \"{id}\"\nwrite_key = \"wk_{id}_0001\"\nread_token = \"rt_{id}_0001\"\n"
        );
        let mut windows_ms = Vec::new();
        for funnel in 0..1 + chance.below(2) {
            let window_ms = *chance.of(&WINDOWS_MS);
            windows_ms.push(window_ms);
            text += &format!(
                "[[site.funnel]]\nid = \"f{funnel}\"\nname = \"f\"\nwindow = \"{window_ms}ms\"\nstep = [\n"
            );
            let buy = format!("{:016x}", ElementId::of("buy").0);
            // Few patterns a funnel: the same event then often matches several steps.
            let patterns: Vec<&str> = (0..1 + chance.below(4))
                .map(|_| *chance.of(&STEPS))
                .collect();
            for step in 0..2 + chance.below(STEPS_MAX - 1) {
                let pattern = chance.of(&patterns).replace("BUY", &buy);
                text += &format!("  {{ name = \"s{step}\", {pattern} }},\n");
            }
            text += "]\n";
            if chance.percent(40) {
                let pattern = chance.of(&STEPS).replace("BUY", &buy);
                text += &format!("exclude = [{{ name = \"x\", {pattern} }}]\n");
            }
        }
        let sites: Sites = toml::from_str(&text).with_context(|| text.clone())?;
        sites.check().map_err(anyhow::Error::msg)?;
        let mut site = sites.sites.into_iter().next().context("no site")?;
        site.releases = releases(chance, now_ms);
        let narrowed = site.funnels.iter().map(|funnel| {
            let step = 1 + chance.below(funnel.steps.len() as u64);
            let filter = Filter {
                page: String::new(),
                width: None,
                ..filter(chance)
            };
            (filter, step as usize, *chance.of(&Stayed::ALL))
        });
        Ok(Self {
            narrowed: narrowed.collect(),
            site,
            text,
            windows_ms,
            release_minutes: *chance.of(&[15, 60, 360, 360]),
            feeds: feeds(chance),
            heat_maps: heat_maps(chance),
            beyond: beyond(chance, now_ms),
            boards: boards(chance),
            boards_beyond: boards_beyond(chance, now_ms),
            releases_beyond: releases_beyond(chance, now_ms),
        })
    }
}

/// Releases that were defined, one of them perhaps by a name that pages tell too.
fn releases(chance: &mut Chance, now_ms: u64) -> Vec<Release> {
    let release = |at: u64, chance: &mut Chance| Release {
        id: format!("d{at}"),
        name: (*chance.of(&["r1", "v'9", "v8"])).into(),
        at_ms: now_ms - chance.below(26 * HOUR_MS) + chance.below(2) * HOUR_MS,
    };
    (0..chance.below(3)).map(|at| release(at, chance)).collect()
}

/// Pages that a filter asks for: exact ones and patterns.
const ASKED: [&str; 4] = ["*", "/product/*", "/it's_*%", "*n"];

/// Kinds of heat maps, and comparisons of boards, that one site is asked for: the cost of a case is
/// its questions, and another case asks others.
const KINDS: usize = 6;
const BOARDS: usize = 2;

/// Heat maps of some kinds, with any filters.
fn heat_maps(chance: &mut Chance) -> Vec<(HeatKind, Filter)> {
    let mut kinds = HeatKind::ALL;
    chance.shuffle(&mut kinds);
    let mut maps: Vec<_> = kinds
        .into_iter()
        .take(KINDS)
        .map(|kind| {
            let window = *chance.of(&[
                Window::Day,
                Window::Day,
                Window::Today,
                Window::Minutes(5),
                Window::Minutes(30),
            ]);
            let filter = filter(chance);
            (kind, Filter { window, ..filter })
        })
        .collect();
    let page = (*chance.of(&PATHS)).into();
    let all = Filter {
        page,
        ..Filter::default()
    };
    maps.push((HeatKind::Press, all));
    maps
}

/// Heat maps that only SQL can answer.
fn beyond(chance: &mut Chance, now_ms: u64) -> Vec<(HeatKind, Filter)> {
    let kinds = HeatKind::ALL;
    let mut maps = Vec::new();
    for _ in 0..2 {
        let from_ms = now_ms - chance.below(26 * HOUR_MS);
        let to_ms = from_ms + 1 + chance.below(26 * HOUR_MS);
        let seen = [None, Some(Seen::New), Some(Seen::Returning)];
        let filter = Filter {
            seen: *chance.of(&seen),
            window: Window::Between(from_ms, to_ms),
            ..filter(chance)
        };
        maps.push((*chance.of(&kinds), filter));
    }
    // Presses of whole hours are answered from their roll-up.
    let hour = now_ms / HOUR_MS - chance.below(26);
    let hours = Window::Between(hour * HOUR_MS, (hour + 1 + chance.below(26)) * HOUR_MS);
    let rolled_up = Filter {
        window: hours,
        human: false,
        ..filter(chance)
    };
    maps.push((HeatKind::Press, rolled_up));
    maps
}

/// The whole feed, and some of it.
fn feeds(chance: &mut Chance) -> Vec<ActivityFilter> {
    let narrowed = filter(chance);
    let mut kinds = [Kind::PageView, Kind::Press, Kind::Conversion, Kind::Fault];
    chance.shuffle(&mut kinds);
    let mut kinds = kinds[..chance.below(4) as usize].to_vec();
    kinds.sort();
    let name = *chance.of(&ELEMENTS);
    let element = ElementId::of(name).0;
    let event = (*chance.of(&NAMES)).to_owned();
    let some = ActivityFilter {
        kinds,
        page: chance.percent(30).then_some(narrowed.page),
        element: chance.percent(30).then_some(element),
        event: chance.percent(20).then_some(event),
        campaign: narrowed.campaign,
        source: chance
            .percent(20)
            .then(|| (*chance.of(&["mail", "(none)"])).into()),
        device: narrowed.device,
        human: narrowed.human,
    };
    vec![ActivityFilter::default(), some]
}

/// Boards of some comparisons.
fn boards(chance: &mut Chance) -> Vec<(Filter, By)> {
    let mut all = By::ALL;
    chance.shuffle(&mut all);
    let mut board = |by| {
        let window = *chance.of(&[Window::Day, Window::Today]);
        let filter = filter(chance);
        (Filter { window, ..filter }, by)
    };
    all.into_iter().take(BOARDS).map(&mut board).collect()
}

/// A board that only SQL can answer.
fn boards_beyond(chance: &mut Chance, now_ms: u64) -> Vec<(Filter, By)> {
    let from_ms = now_ms - chance.below(26 * HOUR_MS);
    let filter = Filter {
        seen: *chance.of(&[None, Some(Seen::New), Some(Seen::Returning)]),
        window: Window::Between(from_ms, from_ms + 1 + chance.below(26 * HOUR_MS)),
        ..filter(chance)
    };
    vec![(filter, *chance.of(&By::ALL))]
}

/// When releases went out that only SQL can tell of.
fn releases_beyond(chance: &mut Chance, now_ms: u64) -> Window {
    let from_ms = now_ms - chance.below(30 * HOUR_MS);
    match chance.percent(50) {
        true => Window::Since(from_ms),
        false => Window::Between(from_ms, from_ms + 1 + chance.below(26 * HOUR_MS)),
    }
}

fn filter(chance: &mut Chance) -> Filter {
    let page = match chance.percent(60) {
        true => *chance.of(&ASKED),
        false => *chance.of(&PATHS),
    };
    let named = match *chance.of(&CAMPAIGNS) {
        "" => "(none)",
        name => name,
    };
    let (experiment, shown) = *chance.of(&VARIANTS);
    let mut some = || chance.percent(20);
    let (device, width, campaign, variant, human) = (some(), some(), some(), some(), some());
    Filter {
        page: page.into(),
        device: device.then(|| *chance.of(Device::ALL)),
        width: width.then(|| *chance.of(&[320, 1_280])),
        campaign: campaign.then(|| named.into()),
        variant: variant.then(|| format!("{experiment}={shown}")),
        human,
        ..Filter::default()
    }
}
