//! One event as it is kept: the row of the table `events`, column for column.
//!
//! The live engine counts these rows and the writer inserts them, so a live number and the SQL
//! beside it are computed from the same values. Knows nothing of the log, HTTP or ClickHouse's
//! transport.

mod named;

pub use named::{
    Button, Consent, Device, Direction, Fault, FormStep, Kind, Layer, Navigation, Pointer,
};

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One event. Field order is column order in `migrations/`; names are column names.
#[derive(Clone, Debug, Default, PartialEq, Row, Serialize, Deserialize)]
pub struct EventRow {
    /// The site it belongs to.
    pub site: String,
    /// When the collector had it, Unix milliseconds.
    pub received_at: i64,
    /// When it happened, Unix milliseconds: the page's clock, corrected by the batch's skew.
    pub time: i64,
    /// Its order among all events of its visitor: `time << 20 | tie`. See [`order`].
    pub ord: u64,
    /// What was added to the page's clock, milliseconds.
    pub skew_ms: i64,
    /// Whether its time lay too far in the future and was pulled back.
    pub clamped: bool,
    /// What happened.
    pub kind: Kind,
    /// The stream it came in.
    #[serde(with = "clickhouse::serde::uuid")]
    pub stream: Uuid,
    /// Its number in the stream. `(stream, seq)` is its identity.
    pub seq: u64,
    /// Who it was.
    #[serde(with = "clickhouse::serde::uuid")]
    pub visitor: Uuid,
    /// The visit.
    pub session: u64,
    /// The showing of the page.
    pub view: u64,
    /// Host and port of the page.
    pub host: String,
    /// Path of the page, with the allow-listed part of the query.
    pub path: String,
    /// The device.
    pub device: Device,
    /// Inner size of the window, CSS pixels.
    pub viewport_w: u32,
    /// See `viewport_w`.
    pub viewport_h: u32,
    /// Size of the document, CSS pixels.
    pub document_w: u32,
    /// See `document_w`.
    pub document_h: u32,
    /// Window width rounded down to a step of 160 px, at most 2,560.
    pub width_bucket: u16,
    /// Device pixels per CSS pixel, percent.
    pub pixel_ratio_percent: u16,
    /// Family of the browser.
    pub browser: String,
    /// Family of the system.
    pub os: String,
    /// Country of the network it came from, two letters.
    pub country: String,
    /// Campaign the visit came with.
    pub utm_source: String,
    /// See `utm_source`.
    pub utm_medium: String,
    /// See `utm_source`.
    pub utm_campaign: String,
    /// See `utm_source`.
    pub utm_term: String,
    /// See `utm_source`.
    pub utm_content: String,
    /// Variants the visitor had been shown by then: experiment to variant, sorted by experiment.
    pub variants: Vec<(String, String)>,
    /// The element; 0 for none.
    pub element: u64,
    /// Where in the element's box, fraction of its width.
    pub element_x: f32,
    /// Where in the element's box, fraction of its height.
    pub element_y: f32,
    /// Cell of the 16 × 16 grid over the element's box, row by row.
    pub cell: u8,
    /// Where in the window, CSS pixels.
    pub client_x: u32,
    /// See `client_x`.
    pub client_y: u32,
    /// Where in the document, CSS pixels.
    pub page_x: i32,
    /// See `page_x`.
    pub page_y: i32,
    /// With what.
    pub pointer: Pointer,
    /// On which layer.
    pub layer: Layer,
    /// With which button.
    pub button: Button,
    /// Movement of a scroll or swipe to the right, CSS pixels.
    pub dx: i32,
    /// Movement of a scroll or swipe downwards, CSS pixels.
    pub dy: i32,
    /// Direction of a scroll or swipe.
    pub direction: Direction,
    /// Distance of a scroll beyond its net movement, CSS pixels.
    pub detour: u32,
    /// Times a scroll or thrash turned back.
    pub reversals: u16,
    /// How long it took.
    pub duration_ms: u32,
    /// Speed of a swipe at release, CSS pixels per second.
    pub release_px_s: u32,
    /// How a page came to be shown.
    pub navigation: Navigation,
    /// Title of a page shown.
    pub title: String,
    /// Host and path the visitor came from.
    pub referrer: String,
    /// Language of the browser.
    pub language: String,
    /// Name of a custom event, conversion, or shown experiment.
    pub name: String,
    /// Value of a conversion in millionths: `Decimal(18, 6)`.
    pub value: i64,
    /// Currency of the value.
    pub currency: String,
    /// The site's number of the order.
    pub order_id: String,
    /// Properties as text; a shown variant as `variant`.
    pub props: Vec<(String, String)>,
    /// Version of the site.
    pub release: String,
    /// Whether the element was pressed before a hesitation ended.
    pub pressed: bool,
    /// Distance of the fingers at the end of a pinch, percent of that at its start.
    pub scale_percent: u32,
    /// Distance of a thrash, CSS pixels.
    pub distance: u32,
    /// When the pointer was at each step of its way, milliseconds since the first.
    pub way_ms: Vec<u32>,
    /// Where it was then in the window, CSS pixels from the left.
    pub way_x: Vec<i32>,
    /// The same from the top.
    pub way_y: Vec<i32>,
    /// How long the page was visible.
    pub visible_ms: u32,
    /// How long it was visible and used.
    pub active_ms: u32,
    /// First band in `bands`, of 20 from the top of the document.
    pub first_band: u8,
    /// Active time of each band that was in the window, milliseconds.
    pub bands: Vec<u32>,
    /// Background of an element seen, `0xRRGGBB`.
    pub look_background: u32,
    /// Size of its box then, CSS pixels.
    pub look_width: u32,
    /// See `look_width`.
    pub look_height: u32,
    /// Top left of its box in the document then, CSS pixels.
    pub look_x: i32,
    /// See `look_x`.
    pub look_y: i32,
    /// Its corner radius then, CSS pixels.
    pub look_radius: u16,
    /// What happened to a form.
    pub form_step: FormStep,
    /// The field of the form that was used last.
    pub field: u64,
    /// Different fields of it used so far.
    pub fields: u16,
    /// Time since what went before: the press, or the last change of visibility.
    pub after_ms: u32,
    /// What kind of error it was.
    pub fault: Fault,
    /// Its message.
    pub message: String,
    /// Address of the script.
    pub source: String,
    /// Line in it, from 1.
    pub source_line: u32,
    /// Column in it, from 1.
    pub source_column: u32,
    /// Whether the page is visible from here on.
    pub visible: bool,
    /// What the visitor agreed to.
    pub consent: Consent,
    /// Who the visitor is, as the site says.
    pub user: String,
    /// Whether `user` is a hash.
    pub user_hashed: bool,
    /// How much its batch looks like a program sent it, 0 to 100.
    pub bot_score: u8,
    /// Why.
    pub bot_reasons: Vec<String>,
    /// Whether a server told it, with a time of its own, instead of a page as it happened.
    pub imported: bool,
    /// The writer's lane. `(lane, batch, idx)` names the row's place in storage.
    pub lane: u16,
    /// The sealed batch in that lane.
    pub batch: u64,
    /// The row's place in that batch.
    pub idx: u32,
}

/// How long after it happened an imported event is still news: it is in the feed, and its visitor is
/// present. What is told later is history.
pub const NEWS_MS: i64 = 5 * 60 * 1000;

impl EventRow {
    /// Whether it was told as it happened: what a page sends always counts as that, since its sender
    /// is there.
    pub fn is_news(&self) -> bool {
        !self.imported || self.received_at - self.time <= NEWS_MS
    }
}

/// The order of an event among those of its visitor: milliseconds, then 10 bits of its stream,
/// then its number within that millisecond (the last number stands for all past it).
///
/// Live engine and SQL sort by this one number, so both see the same order, ties included.
pub fn order(time_ms: u64, stream: u128, number_in_ms: u16) -> u64 {
    // Folding keeps any part of the random id from being the only one that counts.
    let folded = (stream ^ (stream >> 64)) as u64;
    let stream_bits = (folded ^ (folded >> 32)) & 0x3ff;
    (time_ms << 20) | (stream_bits << 10) | u64::from(number_in_ms.min(0x3ff))
}

/// The width bucket of a window: steps of 160 px, the last one open upwards.
pub fn width_bucket(viewport_w: u32) -> u16 {
    (viewport_w.min(2_560) / 160 * 160) as u16
}

/// What an element is: the row of the table `elements`. The newest row of a key counts.
#[derive(Clone, Debug, Default, PartialEq, Row, Serialize, Deserialize)]
pub struct ElementRow {
    /// The site.
    pub site: String,
    /// The element's identity.
    pub element: u64,
    /// When this was said, Unix milliseconds.
    pub received_at: i64,
    /// A page it was seen on.
    pub path: String,
    /// A selector that found it.
    pub selector: String,
    /// Its masked label.
    pub label: String,
    /// Its role.
    pub role: String,
    /// Background, `0xRRGGBB`.
    pub background: u32,
    /// Size of its box, CSS pixels.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// Top left of its box in the document, CSS pixels.
    pub x: u32,
    /// See `x`.
    pub y: u32,
    /// Corner radius, CSS pixels.
    pub radius: u16,
    /// The writer's lane.
    pub lane: u16,
    /// The sealed batch in that lane.
    pub batch: u64,
    /// The row's place in that batch.
    pub idx: u32,
}
