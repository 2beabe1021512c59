//! A batch: what one recorder in one tab saw, in order, and everything needed to read it.
//!
//! A batch stands alone: no state of an earlier batch, connection or collector is needed to
//! understand it. Two things are carried *through* a batch: the page (a page view changes it for
//! the events that follow) and the page's scroll position (a page scroll moves it).
//!
//! Enums grow only at the end; a struct never changes within a version.

pub use crate::gesture::{Direction, LongPress, Pinch, Press, Scroll, Spot, Swipe};
pub use crate::interest::{Attention, Form, FormStep, Hesitation, Impression, Look, Path, Step};
pub use crate::pointer::{BoxPoint, Button, How, Layer, Pointer};
pub use crate::trouble::{Dead, ErrorPress, Fault, FaultKind, Rage, Thrash};

use crate::bounded;
use crate::id::{ElementId, SessionId, StreamId, ViewId, VisitorId};
use crate::limits::{
    ELEMENTS_MAX, EVENTS_MAX, LABEL_BYTES_MAX, NAME_BYTES_MAX, PROPS_MAX, SELECTOR_BYTES_MAX,
    STRING_BYTES_MAX, VARIANTS_MAX,
};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Consecutive events of one stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The stream these events belong to.
    pub stream: StreamId,
    /// Who saw it.
    pub visitor: VisitorId,
    /// The visit they belong to.
    #[serde(default)]
    pub session: SessionId,
    /// Sequence number of the first event; the following ones count up without a gap.
    pub first_seq: u64,
    /// Time of the first event by the page's clock, Unix milliseconds.
    pub first_ms: u64,
    /// The page at the first event.
    #[serde(default)]
    pub page: PageRef,
    /// Variants shown to this visitor so far.
    #[serde(default, deserialize_with = "bounded::seq::<_, _, VARIANTS_MAX>")]
    pub variants: Vec<Variant>,
    /// The elements that events name by position in this list.
    #[serde(default, deserialize_with = "bounded::seq::<_, _, ELEMENTS_MAX>")]
    pub elements: Vec<Element>,
    /// The events, oldest first.
    #[serde(deserialize_with = "bounded::seq::<_, _, EVENTS_MAX>")]
    pub events: Vec<Event>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Milliseconds since the event before it (the first: since `first_ms`).
    #[serde(default)]
    pub delta_ms: u32,
    /// What happened.
    pub body: Body,
}

/// What happened. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
// On a target of 32 bits it is small enough for the lint, so nothing is there to expect.
#[allow(
    clippy::large_enum_variant,
    reason = "a batch has at most 1,000 of them and lives for a moment; a box would cost more"
)]
pub enum Body {
    /// A page was shown, by load or by route change.
    PageView(PageView),
    /// A press by mouse, touch, pen or keyboard.
    Press(Press),
    /// One finished scroll gesture.
    Scroll(Scroll),
    /// One finished swipe.
    Swipe(Swipe),
    /// The site's own event.
    Custom(Custom),
    /// Something the site lives from: an order, a sign-up.
    Conversion(Conversion),
    /// A variant of an experiment was shown.
    Exposure(Variant),
    /// A finger, pen or button was held.
    LongPress(LongPress),
    /// Two fingers moved apart or together.
    Pinch(Pinch),
    /// A pointer rested over an element.
    Hesitation(Hesitation),
    /// The way of a pointer.
    Path(Path),
    /// How long the page was looked at.
    Attention(Attention),
    /// An element was seen.
    Impression(Impression),
    /// A form was begun, submitted or given up.
    Form(Form),
    /// The same place was pressed again and again.
    Rage(Rage),
    /// A press had no effect.
    Dead(Dead),
    /// A press was followed by an error.
    ErrorPress(ErrorPress),
    /// A pointer was moved to and fro.
    Thrash(Thrash),
    /// An error of the page's scripts.
    Fault(Fault),
    /// The page was hidden or shown again.
    Visibility(Visibility),
    /// The visitor agreed to be recorded, so far as it was asked.
    Consent(Consent),
    /// The site says who the visitor is.
    Identify(Identify),
}

/// Where a batch gets its page from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
// On a target of 32 bits it is small enough for the lint, so nothing is there to expect.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one in a batch; a box would save nothing"
)]
pub enum PageRef {
    /// There is no page (a server or a device), or the first event is the page view that brings it.
    #[default]
    None,
    /// This one.
    Inline(Page),
}

/// A page as one visitor saw it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Names this showing of the page.
    #[serde(default)]
    pub view: ViewId,
    /// Host and port, `shop.example:8080`.
    #[serde(default, deserialize_with = "bounded::string::<_, STRING_BYTES_MAX>")]
    pub host: String,
    /// Path with the allow-listed part of the query, `/product/kettle?colour=red`.
    #[serde(deserialize_with = "bounded::string::<_, STRING_BYTES_MAX>")]
    pub path: String,
    /// The campaign that brought this visit.
    #[serde(default)]
    pub campaign: Option<Campaign>,
    /// What kind of device this is.
    #[serde(default)]
    pub device: Device,
    /// Inner size of the window, CSS pixels.
    #[serde(default)]
    pub viewport: Size,
    /// Size of the whole document, CSS pixels.
    #[serde(default)]
    pub document: Size,
    /// Scroll position at this moment, CSS pixels.
    #[serde(default)]
    pub scroll: Offset,
    /// Device pixels per CSS pixel, in percent.
    #[serde(default)]
    pub pixel_ratio_percent: u16,
    /// Version of the site, as it calls it; empty when it does not say.
    #[serde(default, deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub release: String,
}

/// A width and a height, CSS pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Width.
    pub w: u32,
    /// Height.
    pub h: u32,
}

/// A place, CSS pixels from the top left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// To the right.
    pub x: u32,
    /// Downwards.
    pub y: u32,
}

/// A scroll position, CSS pixels. `x` is negative where a right-to-left page is scrolled to the left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// To the right.
    pub x: i32,
    /// Downwards.
    pub y: i32,
}

/// The kind of device, as the page can tell it without fingerprinting.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// Not a browser, or it did not say.
    #[default]
    Other,
    /// A fine pointer is the main one.
    Desktop,
    /// A coarse pointer and a short side of at least 600 px.
    Tablet,
    /// A coarse pointer and a short side under 600 px.
    Phone,
}

/// The campaign parameters of a landing address (`utm_*`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Campaign {
    /// `utm_source`.
    #[serde(deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub source: String,
    /// `utm_medium`.
    #[serde(deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub medium: String,
    /// `utm_campaign`.
    #[serde(deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub campaign: String,
    /// `utm_term`.
    #[serde(deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub term: String,
    /// `utm_content`.
    #[serde(deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub content: String,
}

/// One experiment and the variant of it that was shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Variant {
    /// The experiment.
    #[serde(deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub experiment: String,
    /// The variant.
    #[serde(deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub variant: String,
}

/// An element that events of this batch name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Element {
    /// Its identity.
    pub id: ElementId,
    /// What it is; sent once a stream, and again when an answer asks for it.
    #[serde(default)]
    pub descriptor: Option<Descriptor>,
}

/// What an element is and how it looked when it was first named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// A selector that found exactly this element.
    #[serde(deserialize_with = "bounded::string::<_, SELECTOR_BYTES_MAX>")]
    pub selector: String,
    /// Its accessible name, masked by the site's rules; empty when private.
    #[serde(default, deserialize_with = "bounded::string::<_, LABEL_BYTES_MAX>")]
    pub label: String,
    /// Its role: `button`, `link`, `input`, or the tag name.
    #[serde(default, deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub role: String,
    /// Background as `0xRRGGBB`.
    #[serde(default)]
    pub background: u32,
    /// Size of its box, CSS pixels.
    #[serde(default)]
    pub size: Size,
    /// Top left of its box in the document, CSS pixels.
    #[serde(default)]
    pub place: Point,
    /// Corner radius, CSS pixels.
    #[serde(default)]
    pub radius: u16,
}

/// A page was shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PageView {
    /// The page, from here on.
    pub page: Page,
    /// How it came to be shown.
    #[serde(default)]
    pub navigation: Navigation,
    /// Document title.
    #[serde(default, deserialize_with = "bounded::string::<_, STRING_BYTES_MAX>")]
    pub title: String,
    /// Where the visitor came from: host and path, never a query.
    #[serde(default, deserialize_with = "bounded::string::<_, STRING_BYTES_MAX>")]
    pub referrer: String,
    /// Language of the browser, `en-GB`.
    #[serde(default, deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub language: String,
}

/// How a page came to be shown. Grows only at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Navigation {
    /// A document was loaded.
    #[default]
    Load,
    /// The address changed without a load.
    Route,
    /// The page came back from the back/forward cache.
    Restore,
}

/// The site's own event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Custom {
    /// Its name.
    #[serde(deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub name: String,
    /// Its properties, names unique.
    #[serde(default, deserialize_with = "bounded::seq::<_, _, PROPS_MAX>")]
    pub props: Vec<Prop>,
}

/// The page was hidden or shown again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visibility {
    /// Whether it is visible from here on.
    pub visible: bool,
    /// How long it had been otherwise.
    #[serde(default)]
    pub after_ms: u32,
}

/// What the visitor agreed to. Nothing travels of one who did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// From here on.
    pub state: ConsentState,
}

/// What may be recorded. Grows only at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentState {
    /// Everything, and names may be kept in the browser.
    #[default]
    Granted,
    /// Everything, and nothing may be kept in the browser: the visitor is new with every page load.
    Cookieless,
}

/// The site says who the visitor is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identify {
    /// Who: SHA-256 in hexadecimal of what the site gave, or that itself.
    #[serde(deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub user: String,
    /// Whether it is the hash.
    #[serde(default)]
    pub hashed: bool,
}

/// An order, a sign-up, or whatever else the site counts as a success.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversion {
    /// Its name, `order`.
    #[serde(deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub name: String,
    /// What it is worth, in millionths of the currency's unit. Whole numbers, so sums are exact.
    #[serde(default)]
    pub value_micros: i64,
    /// ISO 4217 code, `EUR`; empty when it has no value.
    #[serde(default, deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub currency: String,
    /// The site's own number for it; empty when it has none.
    #[serde(default, deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub order: String,
    /// Its properties, names unique.
    #[serde(default, deserialize_with = "bounded::seq::<_, _, PROPS_MAX>")]
    pub props: Vec<Prop>,
}

/// One property.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prop {
    /// Its name.
    #[serde(deserialize_with = "bounded::string::<_, NAME_BYTES_MAX>")]
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// The value of a property. Grows only at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Text.
    Text(#[serde(deserialize_with = "bounded::string::<_, STRING_BYTES_MAX>")] String),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
}
