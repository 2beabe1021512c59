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
///
/// In the binary form each number is told as its difference from that of the impression before it in the
/// batch, from 0 for the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impression {
    /// Position in [`Batch::elements`](crate::Batch::elements).
    pub element: u16,
    /// How it looked.
    #[serde(default)]
    pub look: Look,
}

impl Impression {
    /// This one as what differs from the one before it, which is how the binary form has it. Elements that
    /// are seen together follow each other and look much alike: most of the differences are 0.
    pub(crate) fn since(self, before: Self) -> Self {
        let (look, other) = (self.look, before.look);
        Self {
            element: short_since(self.element, before.element),
            look: Look {
                background: since(look.background, other.background),
                size: Size {
                    w: since(look.size.w, other.size.w),
                    h: since(look.size.h, other.size.h),
                },
                x: look.x.wrapping_sub(other.x),
                y: look.y.wrapping_sub(other.y),
                radius: short_since(look.radius, other.radius),
            },
        }
    }

    /// The one of which [`Self::since`] has made this.
    pub(crate) fn after(self, before: Self) -> Self {
        let (by, other) = (self.look, before.look);
        Self {
            element: short_after(self.element, before.element),
            look: Look {
                background: after(by.background, other.background),
                size: Size {
                    w: after(by.size.w, other.size.w),
                    h: after(by.size.h, other.size.h),
                },
                x: other.x.wrapping_add(by.x),
                y: other.y.wrapping_add(by.y),
                radius: short_after(by.radius, other.radius),
            },
        }
    }
}

// A difference is written as a number from 0 on: 0, -1, 1, -2, … Whatever numbers there are, what they
// wrap to leads back.

fn since(now: u32, before: u32) -> u32 {
    let by = now.wrapping_sub(before).cast_signed();
    (by << 1 ^ by >> 31).cast_unsigned()
}

fn after(by: u32, before: u32) -> u32 {
    before.wrapping_add(by >> 1 ^ (by & 1).wrapping_neg())
}

fn short_since(now: u16, before: u16) -> u16 {
    let by = now.wrapping_sub(before).cast_signed();
    (by << 1 ^ by >> 15).cast_unsigned()
}

fn short_after(by: u16, before: u16) -> u16 {
    before.wrapping_add(by >> 1 ^ (by & 1).wrapping_neg())
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
