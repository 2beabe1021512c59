//! A random site: what can be visited on it, and funnels over few values, so that ties, repeats and
//! events that match several steps are the rule. Knows no visitor.

use super::chance::Chance;
use anyhow::{Context, Result};
use upriver_collector::config::{Site, Sites};
use upriver_collector::live::HeatFilter;
use upriver_collector::row::Device;
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
/// Windows of funnels, milliseconds: the shortest make every edge common.
const WINDOWS_MS: [u64; 5] = [1, 3, 1_000, 20 * 60_000, 2 * 3_600_000];
/// Steps a funnel may have here.
const STEPS_MAX: u64 = 5;

/// What a step may match, as it is written in the sites file.
const STEPS: [&str; 11] = [
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
    /// The heat maps that are compared.
    pub heat_maps: Vec<HeatFilter>,
}

impl World {
    /// Draws one.
    ///
    /// # Errors
    /// The collector refuses what was drawn: a fault of the generator.
    pub fn draw(chance: &mut Chance, id: &str) -> Result<Self> {
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
        }
        let sites: Sites = toml::from_str(&text).with_context(|| text.clone())?;
        sites.check().map_err(anyhow::Error::msg)?;
        let site = sites.sites.into_iter().next().context("no site")?;
        Ok(Self {
            site,
            text,
            windows_ms,
            heat_maps: heat_maps(chance),
        })
    }
}

/// One heat map of each filter.
fn heat_maps(chance: &mut Chance) -> Vec<HeatFilter> {
    let mut page = || HeatFilter {
        page: (*chance.of(&PATHS)).into(),
        ..HeatFilter::default()
    };
    let (all, device, campaign, variant) = (page(), page(), page(), page());
    let named = match *chance.of(&CAMPAIGNS) {
        "" => "(none)",
        name => name,
    };
    let (experiment, shown) = *chance.of(&VARIANTS);
    vec![
        all,
        HeatFilter {
            device: Some(*chance.of(Device::ALL)),
            ..device
        },
        HeatFilter {
            campaign: Some(named.into()),
            ..campaign
        },
        HeatFilter {
            variant: Some(format!("{experiment}={shown}")),
            ..variant
        },
    ]
}
