//! Numbers by name, so that three ways of counting can be laid side by side: the live answer, the
//! SQL that stands beside it, and the recount. A number that is 0 has no entry.

use std::collections::BTreeMap;
use upriver_collector::live::{Resource, Window};
use upriver_wire::batch::Device;
use upriver_wire::live::{
    Activity, Board, Campaigns, Errors, Experiments, Funnel, FunnelVisitors, HeatMap, Money,
    Overview, Pages, Presence, PresentVisitors, Releases, Sources,
};

/// The numbers of `overview`, as the answer and SQL call them: visitors, then events by kind.
pub(super) const OVERVIEW: [&str; 23] = [
    "visitors",
    "page_views",
    "presses",
    "scrolls",
    "swipes",
    "customs",
    "conversions",
    "exposures",
    "long_presses",
    "pinches",
    "hesitations",
    "paths",
    "attention_reports",
    "impressions",
    "form_steps",
    "rages",
    "dead_presses",
    "error_presses",
    "thrashes",
    "faults",
    "visibility_changes",
    "consents",
    "identities",
];

/// What the names of an answer's numbers begin with, where its query alone does not say it.
pub(super) type Place = String;

/// The place of a funnel's numbers of some visitors only.
pub(super) const NARROWED: &str = "narrowed/";

/// The columns of a row of a board that is no group.
pub(super) const BOARD: [&str; 10] = [
    "impressions",
    "presses",
    "hesitations",
    "rages",
    "dead_presses",
    "seen",
    "pressed",
    "seen_pressed",
    "hesitated",
    "undecided",
];

/// The name of an event in the feed.
pub(super) fn activity_key(place: &str, visitor: &str, kind: &str, ms: u64, path: &str) -> String {
    format!("{place}activity/{visitor}/{kind}/{ms}/{path}")
}

/// The name of who is here, which changes while time passes.
pub(super) fn here(dimension: &str, name: &str) -> String {
    format!("presence/minute/{dimension}/{name}")
}

fn device(device: Device) -> &'static str {
    match device {
        Device::Desktop => "desktop",
        Device::Tablet => "tablet",
        Device::Phone => "phone",
        Device::Other => "other",
    }
}

/// The columns of a side of a release.
pub(super) const RELEASES: [&str; 13] = [
    "at_ms",
    "span_ms",
    "visitors",
    "conversions_visitors",
    "conversions",
    "rages_visitors",
    "rages",
    "dead_presses_visitors",
    "dead_presses",
    "error_presses_visitors",
    "error_presses",
    "faults_visitors",
    "faults",
];

/// What the names of a side of a release begin with. Its windows change while time passes.
pub(super) fn release_key(name: &str, id: &str, side: &str) -> String {
    format!("releases/minute/{name}|{id}/{side}")
}

/// The place of a board of elements.
pub(super) fn board_key(place: usize) -> Place {
    format!("board/{place}")
}

/// The place of a heat map. Windows of minutes change while time passes.
pub(super) fn heat_key(place: usize, window: Window) -> Place {
    match window {
        Window::Minutes(_) => format!("heat/minute/{place}"),
        _ => format!("heat/{place}"),
    }
}

/// What is counted, by name: `pages//cart/views`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers(BTreeMap<String, i128>);

impl Numbers {
    /// Adds to a number.
    pub(super) fn add(&mut self, name: String, count: i128) {
        if count != 0 {
            *self.0.entry(name).or_default() += count;
        }
    }

    /// Sets numbers of one row.
    fn row(&mut self, key: &str, numbers: &[(&str, u64)]) {
        for (name, number) in numbers {
            self.add(format!("{key}/{name}"), i128::from(*number));
        }
    }

    /// One of them.
    pub(crate) fn get(&self, name: &str) -> i128 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Only those that do not change while time passes.
    #[must_use]
    pub(super) fn timeless(&self) -> Self {
        self.without(&["/open", "/lost", "/minute/"])
    }

    fn without(&self, parts: &[&str]) -> Self {
        let stays = |name: &str| !parts.iter().any(|part| name.contains(part));
        let entries = self.0.iter().filter(|(name, _)| stays(name));
        Self(
            entries
                .map(|(name, count)| (name.clone(), *count))
                .collect(),
        )
    }

    /// The numbers that differ, as `name: this, that`.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, count) in &self.0 {
            let there = other.0.get(name).copied().unwrap_or(0);
            if *count != there {
                found.push(format!("{name}: {count}, {there}"));
            }
        }
        // A sum of values may be 0 on one side and have no entry on the other.
        let here = |name: &&String| !self.0.contains_key(*name) && other.0[*name] != 0;
        let missing = other.0.keys().filter(here);
        found.extend(missing.map(|name| format!("{name}: 0, {}", other.0[name])));
        found
    }

    /// Takes a live answer in. `place` tells answers to different filters apart.
    pub(super) fn take(&mut self, place: &Place, answer: &Resource) {
        match answer {
            Resource::Overview(answer) => self.overview(answer),
            Resource::Campaigns(answer) => self.campaigns(answer),
            Resource::Experiments(answer) => self.experiments(answer),
            Resource::Pages(answer) => self.pages(answer),
            Resource::Funnel(answer) => self.funnel(place, answer),
            Resource::FunnelVisitors(answer) => self.visitors(place, answer),
            Resource::HeatMap(answer) => self.heat_map(place, answer),
            Resource::Board(answer) => self.board(place, answer),
            Resource::Sources(answer) => self.sources(answer),
            Resource::Errors(answer) => self.errors(answer),
            Resource::Releases(answer) => self.releases(answer),
            Resource::Activity(answer) => self.activity(place, answer),
            Resource::Presence(answer) => self.presence(answer),
            Resource::PresentVisitors(answer) => self.present(answer),
            Resource::Alerts(_) => {}
        }
    }

    /// Takes `overview` in.
    pub(super) fn overview(&mut self, answer: &Overview) {
        self.row(
            "overview",
            &[
                ("visitors", answer.visitors),
                ("page_views", answer.page_views),
                ("presses", answer.presses),
                ("scrolls", answer.scrolls),
                ("swipes", answer.swipes),
                ("customs", answer.customs),
                ("conversions", answer.conversions),
                ("exposures", answer.exposures),
                ("long_presses", answer.long_presses),
                ("pinches", answer.pinches),
                ("hesitations", answer.hesitations),
                ("paths", answer.paths),
                ("attention_reports", answer.attention_reports),
                ("impressions", answer.impressions),
                ("form_steps", answer.form_steps),
                ("rages", answer.rages),
                ("dead_presses", answer.dead_presses),
                ("error_presses", answer.error_presses),
                ("thrashes", answer.thrashes),
                ("faults", answer.faults),
                ("visibility_changes", answer.visibility_changes),
                ("consents", answer.consents),
                ("identities", answer.identities),
            ],
        );
        self.money("overview", &answer.value);
    }

    /// Takes `campaigns` in.
    pub(super) fn campaigns(&mut self, answer: &Campaigns) {
        for row in &answer.rows {
            let key = format!("campaigns/{}|{}|{}", row.source, row.medium, row.campaign);
            self.row(
                &key,
                &[
                    ("visitors", row.visitors),
                    ("engaged", row.engaged),
                    ("converted", row.converted),
                    ("conversions", row.conversions),
                ],
            );
            self.money(&key, &row.value);
            for (minute, views) in row.minutes.iter().enumerate() {
                self.add(format!("{key}/minute/{minute}"), i128::from(*views));
            }
        }
    }

    /// Takes `experiments` in.
    pub(super) fn experiments(&mut self, answer: &Experiments) {
        for row in &answer.rows {
            let mut visitors = 0;
            for variant in &row.variants {
                let key = format!("experiments/{}/{}", row.experiment, variant.variant);
                self.row(
                    &key,
                    &[
                        ("visitors", variant.visitors),
                        ("converted", variant.converted),
                        ("conversions", variant.conversions),
                    ],
                );
                self.money(&key, &variant.value);
                visitors += variant.visitors;
            }
            let key = format!("experiments/{}", row.experiment);
            self.row(&key, &[("conflicting", row.conflicting)]);
            // The sum over its variants is told beside them.
            let beside = i128::from(visitors) - i128::from(row.visitors);
            self.add(format!("{key}/not in a variant"), beside);
        }
    }

    /// Takes `activity` in.
    fn activity(&mut self, place: &Place, answer: &Activity) {
        for item in &answer.items {
            let name = activity_key(place, &item.visitor, &item.kind, item.time_ms, &item.path);
            self.add(format!("{name}/{}", item.element), 1);
        }
    }

    /// Takes `presence` in.
    fn presence(&mut self, answer: &Presence) {
        self.add(here("online", ""), i128::from(answer.online));
        for (dimension, counts) in [
            ("page", &answer.pages),
            ("device", &answer.devices),
            ("campaign", &answer.campaigns),
        ] {
            for count in counts {
                self.add(here(dimension, &count.name), i128::from(count.visitors));
            }
        }
    }

    /// Takes `presence/visitors` in.
    fn present(&mut self, answer: &PresentVisitors) {
        for row in &answer.rows {
            let element = row.element.to_string();
            let device = device(row.device);
            let with = [&*row.page, device, &row.campaign, &row.kind, &element];
            self.here(&row.visitor, with, row.since_ms, row.last_ms);
        }
    }

    /// A visitor who is here: page, device, campaign, and what they did last with which element.
    pub(super) fn here(&mut self, visitor: &str, with: [&str; 5], since_ms: u64, last_ms: u64) {
        let key = here("visitors", visitor);
        self.add(format!("{key}/{}", with.join("|")), 1);
        self.row(&key, &[("since", since_ms), ("last", last_ms)]);
    }

    /// Takes `errors` in.
    fn errors(&mut self, answer: &Errors) {
        for row in &answer.rows {
            let key = format!("errors/{}|{}|{}", row.message, row.source, row.line);
            let numbers = [
                ("errors", row.errors),
                ("visitors", row.visitors),
                ("last_ms", row.last_ms),
            ];
            self.row(&format!("{key}//0"), &numbers);
            for funnel in &row.funnels {
                for step in &funnel.steps {
                    let numbers = [("errors", step.errors), ("visitors", step.visitors)];
                    self.row(&format!("{key}/{}/{}", funnel.id, step.step), &numbers);
                }
            }
        }
    }

    /// Takes `sources` in.
    fn sources(&mut self, answer: &Sources) {
        for row in &answer.rows {
            let key = format!("sources/{}|{}|{}", row.source, row.medium, row.referrer);
            self.row(
                &key,
                &[
                    ("visitors", row.visitors),
                    ("engaged", row.engaged),
                    ("converted", row.converted),
                    ("conversions", row.conversions),
                ],
            );
            self.money(&key, &row.value);
        }
    }

    /// Takes `releases` in.
    fn releases(&mut self, answer: &Releases) {
        for row in &answer.rows {
            for (name, side) in [("before", &row.before), ("after", &row.after)] {
                let key = release_key(&row.name, &row.id, name);
                let numbers = [
                    ("at_ms", row.at_ms),
                    ("span_ms", row.span_ms),
                    ("visitors", side.visitors),
                    ("conversions_visitors", side.converted.visitors),
                    ("conversions", side.conversions),
                    ("rages_visitors", side.raged.visitors),
                    ("rages", side.rages),
                    ("dead_presses_visitors", side.dead.visitors),
                    ("dead_presses", side.dead_presses),
                    ("error_presses_visitors", side.error_pressed.visitors),
                    ("error_presses", side.error_presses),
                    ("faults_visitors", side.faulted.visitors),
                    ("faults", side.faults),
                ];
                self.row(&key, &numbers);
                self.money(&key, &side.value);
            }
        }
    }

    /// Takes `pages` in.
    pub(super) fn pages(&mut self, answer: &Pages) {
        for row in &answer.rows {
            let numbers = [
                ("views", row.views),
                ("visitors", row.visitors),
                ("presses", row.presses),
            ];
            self.row(&format!("pages/{}", row.path), &numbers);
        }
    }

    /// Takes a funnel in.
    fn funnel(&mut self, place: &Place, answer: &Funnel) {
        let key = format!("{place}funnel/{}", answer.id);
        for (at, step) in answer.steps.iter().enumerate() {
            let numbers = [
                ("visitors", step.visitors),
                ("open", step.open),
                ("lost", step.lost),
            ];
            self.row(&format!("{key}/{}", at + 1), &numbers);
        }
        for (ms, visitors) in &answer.took {
            self.add(format!("{key}/took/{ms}"), i128::from(*visitors));
        }
        // The middle is checked against its own distribution, which is checked against the others.
        let each: Vec<u64> = answer
            .took
            .iter()
            .flat_map(|(ms, visitors)| std::iter::repeat_n(*ms, *visitors as usize))
            .collect();
        let middle = each.get(each.len().saturating_sub(1) / 2).copied();
        self.add(
            format!("{key}/no median"),
            i128::from(middle != answer.median_ms),
        );
        for group in &answer.groups {
            let key = format!("{key}/group/{}/{}", group.dimension, group.value);
            for (at, visitors) in group.visitors.iter().enumerate() {
                self.add(format!("{key}/{}", at + 1), i128::from(*visitors));
            }
        }
    }

    /// Takes the visitors of a funnel in.
    fn visitors(&mut self, place: &Place, answer: &FunnelVisitors) {
        let key = format!("{place}stayed/{}/{}", answer.id, answer.state);
        for row in &answer.rows {
            let device = device(row.device);
            let with = [row.campaign.as_str(), &row.source, device, &row.page];
            self.stayed(&key, &row.visitor, row.began_ms, row.reached_ms, with);
        }
    }

    /// One visitor of a funnel: campaign, source, device and page are those they began with.
    pub(super) fn stayed(
        &mut self,
        key: &str,
        visitor: &str,
        began_ms: u64,
        reached_ms: u64,
        with: [&str; 4],
    ) {
        let key = format!("{key}/{visitor}");
        self.add(format!("{key}/{}", with.join("|")), 1);
        self.row(&key, &[("began", began_ms), ("reached", reached_ms)]);
    }

    /// Takes a heat map in.
    pub(super) fn heat_map(&mut self, place: &Place, answer: &HeatMap) {
        for element in &answer.elements {
            for (cell, amount) in &element.cells {
                let name = format!("{place}/{}/{cell}", element.element);
                self.add(name, i128::from(*amount));
            }
        }
    }

    /// Takes a board of elements in.
    fn board(&mut self, place: &Place, answer: &Board) {
        for row in &answer.rows {
            let key = format!("{place}/{}/", row.element);
            let events = [
                ("impressions", row.impressions),
                ("presses", row.presses),
                ("hesitations", row.hesitations),
                ("rages", row.rages),
                ("dead_presses", row.dead_presses),
                ("seen", row.seen),
                ("pressed", row.pressed),
                ("seen_pressed", row.seen_pressed),
                ("hesitated", row.hesitated),
                ("undecided", row.undecided),
            ];
            self.row(&key, &events);
            for group in &row.groups {
                let visitors = [
                    ("seen", group.seen),
                    ("pressed", group.pressed),
                    ("hesitated", group.hesitated),
                    ("undecided", group.undecided),
                ];
                self.row(&format!("{key}{}", group.value), &visitors);
            }
        }
    }

    fn money(&mut self, key: &str, sums: &[Money]) {
        for sum in sums {
            self.add(
                format!("{key}/value/{}", sum.currency),
                i128::from(sum.micros),
            );
        }
    }
}
