//! What a heat map can show: each kind three ways: as marks of an event, in words, and in SQL.
//! The three must say the same. Knows nothing of where marks are kept.

use crate::row::{EventRow, Kind};
use upriver_wire::limits::BANDS_MAX;

/// Cells along each side of the grid over an element or the window.
pub(crate) const SIDE: u16 = 16;
/// Columns of the grid over a document.
pub(crate) const DOCUMENT_COLUMNS: u16 = 32;
/// Rows of the grid over a document.
pub(crate) const DOCUMENT_ROWS: u16 = 128;
/// Points of a swipe's straight line that are looked at, beside its start.
const SWIPE_POINTS: i64 = 16;

/// What a heat map shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // each is what `words` says
pub enum HeatKind {
    #[default]
    Press,
    LongPress,
    Rage,
    Dead,
    ErrorPress,
    Hesitation,
    Swipe,
    SwipePath,
    SwipeDirection,
    Move,
    Attention,
    ScrollDepth,
    ScrollDirection,
    Impression,
}

/// What the cells of a heat map lie over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The box of each element, 16 × 16.
    Element,
    /// The window, 16 × 16.
    Window,
    /// The document, 32 × 128.
    Document,
    /// The document, 20 bands from the top.
    Bands,
    /// Nothing: the cells are directions, 1 up, 2 down, 3 left, 4 right, 0 back where it began.
    Directions,
    /// Nothing: there is one cell.
    Nothing,
}

impl Over {
    /// Its name in an answer.
    pub fn name(self) -> &'static str {
        match self {
            Self::Element => "element",
            Self::Window => "window",
            Self::Document => "document",
            Self::Bands => "bands",
            Self::Directions => "directions",
            Self::Nothing => "nothing",
        }
    }

    /// Columns and rows; the number of a cell is `row * columns + column`.
    pub fn size(self) -> (u16, u16) {
        match self {
            Self::Element | Self::Window => (SIDE, SIDE),
            Self::Document => (DOCUMENT_COLUMNS, DOCUMENT_ROWS),
            Self::Bands => (1, BANDS_MAX as u16),
            Self::Directions => (5, 1),
            Self::Nothing => (1, 1),
        }
    }
}

/// Part of an event in a heat map: a cell and how much is added to it.
pub(crate) type Mark = (u16, u32);

impl HeatKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Press,
        Self::LongPress,
        Self::Rage,
        Self::Dead,
        Self::ErrorPress,
        Self::Hesitation,
        Self::Swipe,
        Self::SwipePath,
        Self::SwipeDirection,
        Self::Move,
        Self::Attention,
        Self::ScrollDepth,
        Self::ScrollDirection,
        Self::Impression,
    ];

    /// Its name in a URL and an answer.
    pub fn name(self) -> &'static str {
        match self {
            Self::Press => "press",
            Self::LongPress => "long_press",
            Self::Rage => "rage",
            Self::Dead => "dead",
            Self::ErrorPress => "error_press",
            Self::Hesitation => "hesitation",
            Self::Swipe => "swipe",
            Self::SwipePath => "swipe_path",
            Self::SwipeDirection => "swipe_direction",
            Self::Move => "move",
            Self::Attention => "attention",
            Self::ScrollDepth => "scroll_depth",
            Self::ScrollDirection => "scroll_direction",
            Self::Impression => "impression",
        }
    }

    /// What its cells lie over.
    pub fn over(self) -> Over {
        match self {
            Self::Press
            | Self::LongPress
            | Self::Rage
            | Self::Dead
            | Self::ErrorPress
            | Self::Hesitation
            | Self::Swipe => Over::Element,
            Self::SwipePath => Over::Window,
            Self::Move => Over::Document,
            Self::Attention | Self::ScrollDepth => Over::Bands,
            Self::SwipeDirection | Self::ScrollDirection => Over::Directions,
            Self::Impression => Over::Nothing,
        }
    }

    /// What its numbers are: `events` or `ms`.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Move | Self::Attention => "ms",
            _ => "events",
        }
    }

    /// The kinds that an event is in.
    pub(crate) fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Press => &[Self::Press],
            Kind::LongPress => &[Self::LongPress],
            Kind::Rage => &[Self::Rage],
            Kind::Dead => &[Self::Dead],
            Kind::ErrorPress => &[Self::ErrorPress],
            Kind::Hesitation => &[Self::Hesitation],
            Kind::Swipe => &[Self::Swipe, Self::SwipePath, Self::SwipeDirection],
            Kind::Path => &[Self::Move],
            Kind::Attention => &[Self::Attention],
            Kind::Scroll => &[Self::ScrollDepth, Self::ScrollDirection],
            Kind::Impression => &[Self::Impression],
            _ => &[],
        }
    }

    /// Puts the marks of an event of one of its kinds into `marks`; answers the element they are
    /// over, 0 for the page.
    pub(crate) fn marks(self, row: &EventRow, marks: &mut Vec<Mark>) -> u64 {
        match self {
            Self::SwipePath => {
                swipe_path(row, marks);
                0
            }
            Self::Move => {
                moves(row, marks);
                0
            }
            Self::Attention => {
                let bands = (u16::from(row.first_band)..).zip(&row.bands);
                let used = bands.filter(|(_, ms)| **ms > 0);
                marks.extend(used.map(|(band, ms)| (band, *ms)));
                0
            }
            Self::ScrollDepth => {
                if row.element == 0 && row.viewport_h > 0 && row.document_h > 0 {
                    let edge = i64::from(row.page_y) + i64::from(row.viewport_h);
                    let bands = BANDS_MAX as i64;
                    marks.push((part(edge * bands, row.document_h, bands), 1));
                }
                0
            }
            Self::SwipeDirection | Self::ScrollDirection => {
                marks.push((row.direction as u16, 1));
                row.element
            }
            Self::Impression => {
                marks.push((0, 1));
                row.element
            }
            _ => {
                marks.push((u16::from(row.cell), 1));
                row.element
            }
        }
    }

    /// What is counted, in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Press => "Presses by element and cell",
            Self::LongPress => "Long presses by element and cell",
            Self::Rage => "Bursts of angry presses by element and cell of the third press",
            Self::Dead => "Presses without an effect by element and cell",
            Self::ErrorPress => "Presses followed by an error by element and cell",
            Self::Hesitation => "Rests of a pointer over an element by element and cell",
            Self::Swipe => "Swipes by element and cell they began in",
            Self::SwipePath => {
                "Swipes by the cells of the window that their straight line passed: its start and \
                 16 further points of it at equal distances, each swipe once a cell; without those \
                 whose window is not known"
            }
            Self::SwipeDirection => "Swipes by element and direction of the finger",
            Self::Move => {
                "Milliseconds a pointer stayed by cell of the document: each step of its way counts \
                 until the next; without documents of unknown size"
            }
            Self::Attention => {
                "Active milliseconds by band of the document that was in the window; a moment counts \
                 for every band in the window"
            }
            Self::ScrollDepth => {
                "Scroll gestures of the page by the band that the lower edge of the window had \
                 reached at their end; without documents and windows of unknown size"
            }
            Self::ScrollDirection => {
                "Scroll gestures by scrolled element (0: the page itself) and direction"
            }
            Self::Impression => {
                "Impressions by element: at least half of it was in the window for a \
                 second, once a view"
            }
        }
    }

    /// Kind of its events in SQL.
    pub(crate) fn events(self) -> &'static str {
        match self {
            Self::SwipePath | Self::SwipeDirection => "swipe",
            Self::Move => "path",
            Self::ScrollDepth | Self::ScrollDirection => "scroll",
            kind => kind.name(),
        }
    }

    /// Element, and array of cells with amounts, of a row of `events`; and a condition on the row.
    pub(crate) fn sql(self) -> (&'static str, String, &'static str) {
        let cell = |cells: u16, over: &str, of: &str| {
            let last = cells - 1;
            format!("least({last}, greatest(0, intDiv({over}, toInt64({of}))))")
        };
        match self {
            Self::SwipePath => {
                let at = |client: &str, d: &str, window: &str| {
                    let over = format!("toInt64({client}) * {SIDE} + toInt64({d}) * toInt64(k)");
                    cell(SIDE, &over, window)
                };
                let (x, y) = (
                    at("client_x", "dx", "viewport_w"),
                    at("client_y", "dy", "viewport_h"),
                );
                let cells = format!(
                    "arrayMap(cell -> (cell, 1), arrayDistinct(arrayMap(k -> {SIDE} * {y} + {x}, \
                     range({}))))",
                    SWIPE_POINTS + 1
                );
                (
                    "toUInt64(0)",
                    cells,
                    " AND viewport_w > 0 AND viewport_h > 0",
                )
            }
            Self::Move => {
                let at = |cells: u16, axis: &str, document: &str| {
                    let over = format!(
                        "(toInt64(way_{axis}[i]) + page_{axis} - toInt64(client_{axis})) * {cells}"
                    );
                    cell(cells, &over, document)
                };
                let cells = format!(
                    "arrayMap(i -> ({DOCUMENT_COLUMNS} * {y} + {x}, \
                     toUInt64(way_ms[i + 1] - way_ms[i])), range(1, length(way_ms)))",
                    y = at(DOCUMENT_ROWS, "y", "document_h"),
                    x = at(DOCUMENT_COLUMNS, "x", "document_w"),
                );
                (
                    "toUInt64(0)",
                    cells,
                    " AND document_w > 0 AND document_h > 0",
                )
            }
            Self::Attention => (
                "toUInt64(0)",
                "arrayMap((ms, i) -> (first_band + i - 1, toUInt64(ms)), bands, \
                 arrayEnumerate(bands))"
                    .into(),
                "",
            ),
            Self::ScrollDepth => {
                let over = format!("(toInt64(page_y) + viewport_h) * {BANDS_MAX}");
                let cells = format!("[({}, 1)]", cell(BANDS_MAX as u16, &over, "document_h"));
                let known = " AND element = 0 AND viewport_h > 0 AND document_h > 0";
                ("toUInt64(0)", cells, known)
            }
            Self::SwipeDirection | Self::ScrollDirection => {
                ("element", "[(toInt8(direction), 1)]".into(), "")
            }
            Self::Impression => ("element", "[(0, 1)]".into(), ""),
            _ => ("element", "[(cell, 1)]".into(), ""),
        }
    }
}

/// Which of `parts` equal parts of `of` a place is in, the ends included; `scaled` is the place
/// times `parts`.
fn part(scaled: i64, of: u32, parts: i64) -> u16 {
    (scaled / i64::from(of)).clamp(0, parts - 1) as u16
}

fn swipe_path(row: &EventRow, marks: &mut Vec<Mark>) {
    if row.viewport_w == 0 || row.viewport_h == 0 {
        return;
    }
    let side = i64::from(SIDE);
    for k in 0..=SWIPE_POINTS {
        let at = |client: u32, d: i32, window: u32| {
            let scaled = i64::from(client) * side + i64::from(d) * k;
            part(scaled, window, side)
        };
        let x = at(row.client_x, row.dx, row.viewport_w);
        let cell = SIDE * at(row.client_y, row.dy, row.viewport_h) + x;
        if !marks.iter().any(|(known, _)| *known == cell) {
            marks.push((cell, 1));
        }
    }
}

fn moves(row: &EventRow, marks: &mut Vec<Mark>) {
    if row.document_w == 0 || row.document_h == 0 {
        return;
    }
    let scrolled_x = i64::from(row.page_x) - i64::from(row.client_x);
    let scrolled_y = i64::from(row.page_y) - i64::from(row.client_y);
    let (columns, rows) = (i64::from(DOCUMENT_COLUMNS), i64::from(DOCUMENT_ROWS));
    for (at, ms) in row.way_ms.windows(2).enumerate() {
        let x = part(
            (i64::from(row.way_x[at]) + scrolled_x) * columns,
            row.document_w,
            columns,
        );
        let y = part(
            (i64::from(row.way_y[at]) + scrolled_y) * rows,
            row.document_h,
            rows,
        );
        let stayed = ms[1] - ms[0];
        if stayed > 0 {
            marks.push((DOCUMENT_COLUMNS * y + x, stayed));
        }
    }
}
