//! What a visitor looks at, rests on and fills in, as events carry it. When something counts as a
//! rest, as seen or as given up is the recorder's business.

use crate::batch::Size;
use crate::bounded;
use crate::gesture::Spot;
use crate::limits::{BANDS_MAX, STEPS_MAX};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A pointer rested over an element, or a finger was held on it, and left. The time is that of
/// leaving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hesitation {
    /// Where it came to rest.
    pub spot: Spot,
    /// From coming to the element to leaving it.
    #[serde(default)]
    pub duration_ms: u32,
    /// The element was pressed before the pointer left it.
    #[serde(default)]
    pub pressed: bool,
}

/// The way of a pointer, thinned. The time is that of its last step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// Each step from the one before; the first from the top left of the window.
    #[serde(deserialize_with = "bounded::seq::<_, _, STEPS_MAX>")]
    pub steps: Vec<Step>,
}

/// One step of a [`Path`]: three or four bytes in the binary form for most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Time since the step before; 0 for the first.
    #[serde(default)]
    pub delta_ms: u32,
    /// To the right, CSS pixels.
    #[serde(default)]
    pub dx: i32,
    /// Downwards, CSS pixels.
    #[serde(default)]
    pub dy: i32,
}

/// How long a page was looked at since it was shown, or since the last such event of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// The page was visible for so long.
    #[serde(default)]
    pub visible_ms: u32,
    /// It was visible, and the visitor had done something within 15 s, for so long.
    #[serde(default)]
    pub active_ms: u32,
    /// The first band below that was in the window.
    #[serde(default)]
    pub first_band: u8,
    /// Active time of each band that was in the window, from the first to the last, ms. Bands are
    /// the document's height in 20 equal parts, numbered from the top.
    #[serde(default, deserialize_with = "bounded::seq::<_, _, BANDS_MAX>")]
    pub bands: Vec<u32>,
}

/// At least half of an element was in the window for a second; once per view of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impression {
    /// Position in [`Batch::elements`](crate::Batch::elements).
    pub element: u16,
    /// How it looked.
    #[serde(default)]
    pub look: Look,
}

/// How an element looked at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Look {
    /// Background as `0xRRGGBB`.
    pub background: u32,
    /// Size of its box, CSS pixels.
    pub size: Size,
    /// Left edge of its box in the document, CSS pixels; negative where a page scrolls to the left.
    pub x: i32,
    /// Top edge of its box in the document, CSS pixels.
    pub y: i32,
    /// Corner radius, CSS pixels.
    pub radius: u16,
}

/// A step of filling in a form. Never what was filled in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// Position in [`Batch::elements`](crate::Batch::elements) of the form.
    pub element: u16,
    /// 0: none; otherwise 1 + position in [`Batch::elements`](crate::Batch::elements) of the field
    /// that was used last.
    #[serde(default)]
    pub field: u16,
    /// What happened.
    pub step: FormStep,
    /// Different fields used so far.
    #[serde(default)]
    pub fields: u16,
    /// Since the first field was used.
    #[serde(default)]
    pub duration_ms: u32,
}

/// A step of filling in a form. Grows only at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormStep {
    /// The first field was changed.
    #[default]
    Start,
    /// It was submitted.
    Submit,
    /// The page was left, or the form disappeared, with fields used and nothing submitted.
    Abandon,
}
