//! The board of elements: how often each was seen, hesitated over and pressed, and by how many
//! visitors, compared by variant or by how it looked.
//!
//! Owns the sums, their definition and their SQL. Counts of events are the heat map's, deeds of
//! visitors are their marks. Knows nothing of how either is kept.

use super::campaign::wilson;
use super::element::Elements;
use super::filter::{Filter, Wanted, pages_of};
use super::heatmap::{HeatKind, OTHER_ELEMENT};
use super::limits::BOARD_ROWS_MAX;
use super::mark::{Deed, Manner, Shape, Style};
use super::names::{NONE, OTHER};
use super::site::SiteState;
use super::sql;
use hashbrown::HashMap;
use serde_json::Value;
use upriver_wire::ElementId;
use upriver_wire::live::{Board, BoardGroup, BoardRow};

/// By what visitors who saw an element are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each is what `words` says
pub enum By {
    #[default]
    Nothing,
    Variant,
    Colour,
    Shape,
    Size,
    Position,
}

impl By {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Nothing,
        Self::Variant,
        Self::Colour,
        Self::Shape,
        Self::Size,
        Self::Position,
    ];

    /// Its name in a URL and an answer.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Variant => "variant",
            Self::Colour => "colour",
            Self::Shape => "shape",
            Self::Size => "size",
            Self::Position => "position",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Variant => " Groups: by experiment=variant shown by the time it was seen.",
            Self::Colour => " Groups: by background colour when it was seen.",
            Self::Shape => {
                " Groups: by corners when it was seen: square without a radius, round with one of at \
                 least half the shorter side, else rounded."
            }
            Self::Size => {
                " Groups: by width × height when it was seen, rounded down to steps of 20 px."
            }
            Self::Position => {
                " Groups: by where the middle of its box was when it was seen: which screenful of \
                 the document from the top, and which third of its width; unknown without sizes of \
                 window and document."
            }
        }
    }

    /// The groups of an impression, an array of texts.
    fn sql(self) -> &'static str {
        match self {
            Self::Nothing => "CAST([], 'Array(String)')",
            Self::Variant => {
                "if(empty(mapKeys(variants)), ['(none)'], arrayMap((e, v) -> concat(e, '=', v), \
                 mapKeys(variants), mapValues(variants)))"
            }
            Self::Colour => "[concat('#', lower(leftPad(hex(look_background), 6, '0')))]",
            Self::Shape => {
                "[multiIf(look_radius = 0, 'square', \
                 look_radius * 2 >= least(look_width, look_height), 'round', 'rounded')]"
            }
            Self::Size => {
                "[concat(toString(intDiv(look_width, 20) * 20), '×', \
                 toString(intDiv(look_height, 20) * 20))]"
            }
            Self::Position => {
                "[if(viewport_h = 0 OR document_w = 0, 'unknown', concat('screen ', \
                 toString(intDiv(greatest(0, look_y + toInt64(intDiv(look_height, 2))), \
                 greatest(1, toInt64(viewport_h))) + 1), ', ', \
                 ['left', 'centre', 'right'][1 + least(2, greatest(0, \
                 intDiv((look_x + toInt64(intDiv(look_width, 2))) * 3, \
                 greatest(1, toInt64(document_w)))))]))]"
            }
        }
    }

    /// The group that a style is in; none for what a style does not say.
    fn of_style(self, style: &Style) -> Option<String> {
        Some(match self {
            Self::Nothing | Self::Variant => return None,
            Self::Colour => format!("#{:06x}", style.colour),
            Self::Shape => match style.shape {
                Shape::Square => "square".into(),
                Shape::Rounded => "rounded".into(),
                Shape::Round => "round".into(),
            },
            Self::Size => format!("{}×{}", style.size.0, style.size.1),
            Self::Position => match style.place {
                None => "unknown".into(),
                Some((down, across)) => {
                    let third = ["left", "centre", "right"][usize::from(across)];
                    format!("screen {}, {third}", down + 1)
                }
            },
        })
    }
}

/// Visitors of an element, or of a group of it.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    seen: u64,
    pressed: u64,
    seen_pressed: u64,
    hesitated: u64,
    undecided: u64,
}

impl Tally {
    fn add(&mut self, saw: bool, hesitated: bool, pressed: bool) {
        self.seen += u64::from(saw);
        self.pressed += u64::from(pressed);
        self.seen_pressed += u64::from(saw && pressed);
        self.hesitated += u64::from(hesitated);
        self.undecided += u64::from(hesitated && !pressed);
    }
}

/// What is counted of one element.
#[derive(Debug, Default)]
struct Sums {
    events: [u64; EVENTS.len()],
    visitors: Tally,
    groups: HashMap<String, Tally>,
}

/// The kinds of events that are counted, in the order of the columns.
const EVENTS: [HeatKind; 5] = [
    HeatKind::Impression,
    HeatKind::Press,
    HeatKind::Hesitation,
    HeatKind::Rage,
    HeatKind::Dead,
];

/// The numbers now.
pub(crate) fn data(site: &SiteState, filter: &Filter, by: By) -> Board {
    let pages = pages_of(&filter.page, &site.pages);
    let mut found: HashMap<u64, Sums> = HashMap::new();
    let (heat, origins) = (&site.heat, &site.origins);
    heat.each(
        &EVENTS,
        &pages,
        filter,
        origins,
        site.now_ms,
        |kind, element, _, count| {
            let column = EVENTS.iter().position(|known| *known == kind);
            if let Some(column) = column.filter(|_| element != 0) {
                found.entry(element).or_default().events[column] += count;
            }
        },
    );
    let hours = site.range.since(filter.window.start_ms(site.now_ms));
    let wanted = Wanted::new(filter, origins);
    let mut own: Vec<(u64, Manner)> = Vec::new();
    for visitor in site.visitors.iter() {
        own.clear();
        own.extend(visitor.marks.iter().filter_map(|mark| {
            let manner = *site.marks.manners.name(mark.manner);
            let subject = site.marks.subjects.name(manner.subject);
            let counts = mark.hours.meets(hours)
                && pages.contains(&subject.page)
                && wanted.holds(origins.get(manner.origin), manner.width, manner.robot);
            counts.then_some((subject.element, manner))
        }));
        // One element may be on several of the pages.
        own.sort_unstable_by_key(|(element, _)| *element);
        for manners in own.chunk_by(|a, b| a.0 == b.0) {
            let sums = found.entry(manners[0].0).or_default();
            add_visitor(site, sums, manners, by);
        }
    }
    message(filter, by, found, &site.elements)
}

fn add_visitor(site: &SiteState, sums: &mut Sums, manners: &[(u64, Manner)], by: By) {
    let did = |deed| manners.iter().any(|(_, manner)| manner.deed == deed);
    let (hesitated, pressed) = (did(Deed::Hesitated), did(Deed::Pressed));
    sums.visitors.add(did(Deed::Saw), hesitated, pressed);
    if by == By::Nothing {
        return;
    }
    let mut groups: Vec<String> = Vec::new();
    let saw = manners.iter().filter(|(_, own)| own.deed == Deed::Saw);
    for (_, manner) in saw {
        if by != By::Variant {
            groups.extend(by.of_style(site.marks.styles.name(manner.style)));
            continue;
        }
        let variants = &site.origins.get(manner.origin).variants;
        let names = variants.iter();
        groups.extend(names.map(|variant| site.origins.variants.name(*variant).to_string()));
        if variants.is_empty() {
            groups.push(NONE.into());
        }
    }
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        sums.groups
            .entry(group)
            .or_default()
            .add(true, hesitated, pressed);
    }
}

/// The answer of sums by element.
fn message(filter: &Filter, by: By, found: HashMap<u64, Sums>, elements: &Elements) -> Board {
    let mut rows: Vec<BoardRow> = found
        .into_iter()
        .map(|(element, sums)| row(element, sums, elements))
        .collect();
    rows.sort_by_key(|row| {
        let visitors = std::cmp::Reverse(row.seen.max(row.pressed).max(row.hesitated));
        (visitors, std::cmp::Reverse(row.presses), row.element)
    });
    let left_out = rows.len().saturating_sub(BOARD_ROWS_MAX) as u64;
    rows.truncate(BOARD_ROWS_MAX);
    Board {
        basis: None,
        page: filter.page.clone(),
        by: by.name().into(),
        left_out,
        rows,
    }
}

fn row(element: u64, sums: Sums, elements: &Elements) -> BoardRow {
    let known = elements.get(element);
    let text = |text: &str| text.to_owned();
    let visitors = sums.visitors;
    let (rate, rate_low, rate_high) = wilson(visitors.seen_pressed, visitors.seen);
    let mut groups: Vec<BoardGroup> = sums
        .groups
        .into_iter()
        .map(|(value, tally)| {
            let (rate, rate_low, rate_high) = wilson(tally.pressed, tally.seen);
            BoardGroup {
                value,
                seen: tally.seen,
                pressed: tally.pressed,
                hesitated: tally.hesitated,
                undecided: tally.undecided,
                rate,
                rate_low,
                rate_high,
            }
        })
        .collect();
    groups.sort_by(|a, b| (b.seen, &a.value).cmp(&(a.seen, &b.value)));
    BoardRow {
        element: ElementId(element),
        selector: known.map(|row| text(&row.selector)).unwrap_or_default(),
        label: match known {
            _ if element == OTHER_ELEMENT => OTHER.into(),
            known => known.map(|row| text(&row.label)).unwrap_or_default(),
        },
        role: known.map(|row| text(&row.role)).unwrap_or_default(),
        look: known.map(|row| row.look.clone()),
        impressions: sums.events[0],
        presses: sums.events[1],
        hesitations: sums.events[2],
        rages: sums.events[3],
        dead_presses: sums.events[4],
        seen: visitors.seen,
        pressed: visitors.pressed,
        seen_pressed: visitors.seen_pressed,
        hesitated: visitors.hesitated,
        undecided: visitors.undecided,
        rate,
        rate_low,
        rate_high,
        groups,
    }
}

/// The answer from the rows that the SQL gives, one JSON object each.
pub(crate) fn of_rows(filter: &Filter, by: By, rows: &[Value], elements: &Elements) -> Board {
    let mut found: HashMap<u64, Sums> = HashMap::new();
    for row in rows {
        let Some(element) = crate::past::element(row) else {
            continue;
        };
        let sums = found.entry(element).or_default();
        let number = |name: &str| row[name].as_u64().unwrap_or(0);
        let tally = Tally {
            seen: number("seen"),
            pressed: number("pressed"),
            seen_pressed: number("seen_pressed"),
            hesitated: number("hesitated"),
            undecided: number("undecided"),
        };
        match row["value"].as_str().unwrap_or_default() {
            "" => {
                sums.events = COLUMNS.map(number);
                sums.visitors = tally;
            }
            value => {
                sums.groups.insert(value.to_owned(), tally);
            }
        }
    }
    message(filter, by, found, elements)
}

/// What the columns of counted events are called.
const COLUMNS: [&str; EVENTS.len()] = [
    "impressions",
    "presses",
    "hesitations",
    "rages",
    "dead_presses",
];

/// The definition in words.
pub(crate) fn definition(filter: &Filter, by: By) -> String {
    format!(
        "Elements {}. Impressions, presses, hesitations, rages, dead_presses: events of these kinds. \
         Seen, pressed, hesitated: different visitors with an impression, a press, a hesitation. \
         Undecided: those who hesitated and never pressed it. Rate: of those who saw it, the share \
         who pressed it too, with its 95 % Wilson interval.{} A visitor who saw several counts in \
         each; whether they pressed or hesitated counts whenever it was. The {BOARD_ROWS_MAX} \
         elements with most visitors; left_out says how many more there are.",
        filter.words(),
        by.words(),
    )
}

/// The query that gives the same numbers: one row an element, with an empty `value`, and one each
/// of its groups.
pub(crate) fn query(filter: &Filter, by: By, site: &str, now_ms: u64) -> String {
    let kinds = EVENTS.map(|kind| sql::literal(kind.events())).join(", ");
    let counts: String = EVENTS
        .iter()
        .zip(COLUMNS)
        .map(|(kind, column)| {
            let kind = sql::literal(kind.events());
            format!("countIf(kind = {kind}) AS {column}_of,\n        ")
        })
        .collect();
    let sums = COLUMNS.map(|column| format!("    sumIf({column}_of, value = '') AS {column},\n"));
    format!(
        "SELECT lower(leftPad(hex(element), 16, '0')) AS element_id, value,\n{sums}    \
         countIf(impressions_of > 0) AS seen, countIf(presses_of > 0) AS pressed,\n    \
         countIf(impressions_of > 0 AND presses_of > 0) AS seen_pressed,\n    \
         countIf(hesitations_of > 0) AS hesitated,\n    \
         countIf(hesitations_of > 0 AND presses_of = 0) AS undecided\nFROM\n(\n    \
         SELECT element, visitor,\n        {counts}\
         groupUniqArrayArrayIf({groups}, kind = 'impression') AS groups\n    FROM events\n    \
         WHERE {rows} AND kind IN ({kinds})\n      AND element != 0\n    \
         GROUP BY element, visitor\n)\nARRAY JOIN arrayConcat([''], groups) AS value\n\
         GROUP BY element, value\nORDER BY element, value",
        sums = sums.concat(),
        groups = by.sql(),
        rows = filter.sql(site, now_ms),
    )
}
