//! What a visitor does with a pointer, a wheel or a key, as events carry it: presses, scroll
//! gestures, swipes. How a gesture is told apart from another is the recorder's business.

use crate::batch::Point;
use crate::pointer::{BoxPoint, How};
use core::fmt;
use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A press. The time is that of the pointer going down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Press {
    /// Position in [`Batch::elements`](crate::Batch::elements).
    pub element: u16,
    /// Where in the element's box.
    #[serde(default)]
    pub at: BoxPoint,
    /// Where in the window, CSS pixels. Add the scroll position for the place in the document.
    #[serde(default)]
    pub client: Point,
    /// With what, on which layer.
    #[serde(default)]
    pub how: How,
}

/// A place on an element, with what it was reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// Position in [`Batch::elements`](crate::Batch::elements).
    pub element: u16,
    /// Where in the element's box.
    #[serde(default)]
    pub at: BoxPoint,
    /// Where in the window, CSS pixels.
    #[serde(default)]
    pub client: Point,
    /// With what, on which layer.
    #[serde(default)]
    pub how: How,
}

/// A finger, pen or mouse button held down in one place. The time is that of going down; the press
/// it may also be is an event of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongPress {
    /// Where.
    pub spot: Spot,
    /// From going down to letting go.
    #[serde(default)]
    pub duration_ms: u32,
}

/// Two fingers moved apart or together. The time is that of the second finger going down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinch {
    /// Where the second finger went down.
    pub spot: Spot,
    /// Distance of the fingers at the end, in percent of that at the start: over 100 is apart.
    #[serde(default)]
    pub scale_percent: u32,
    /// From the second finger going down to the first of them lifting.
    #[serde(default)]
    pub duration_ms: u32,
}

/// One scroll gesture in one container. Ends 150 ms after the last movement, or with a press.
///
/// Eight bytes for most gestures in the binary form, where fields that are 0 are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scroll {
    /// 0: the page itself; otherwise 1 + position in [`Batch::elements`](crate::Batch::elements) of the inner scroller.
    pub container: u16,
    /// Net movement to the right, CSS pixels.
    pub dx: i32,
    /// Net movement downwards, CSS pixels.
    pub dy: i32,
    /// Distance travelled beyond `|dx| + |dy|`, CSS pixels: nonzero only when it turned back.
    pub detour: u32,
    /// Times it turned back by more than 10 px.
    pub reversals: u16,
    /// How long it took.
    pub duration_ms: u32,
}

/// One swipe by touch or pen. The time is that of the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swipe {
    /// Position in [`Batch::elements`](crate::Batch::elements) of the element it started on.
    pub element: u16,
    /// Where in that element's box it started.
    #[serde(default)]
    pub at: BoxPoint,
    /// Where in the window it started, CSS pixels.
    #[serde(default)]
    pub client: Point,
    /// Travel to the right, CSS pixels.
    #[serde(default)]
    pub dx: i32,
    /// Travel downwards, CSS pixels.
    #[serde(default)]
    pub dy: i32,
    /// From touching to letting go.
    #[serde(default)]
    pub duration_ms: u32,
    /// Speed at release along the larger axis, CSS pixels per second.
    #[serde(default)]
    pub release_px_s: u32,
    /// With what, on which layer.
    #[serde(default)]
    pub how: How,
}

/// The direction of a swipe or scroll: that of its larger axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards smaller y.
    Up,
    /// Towards larger y.
    Down,
    /// Towards smaller x.
    Left,
    /// Towards larger x.
    Right,
}

impl Direction {
    /// The direction of a movement; none for no movement. A tie counts as vertical.
    pub fn of(dx: i32, dy: i32) -> Option<Self> {
        let (across, along) = (dx.unsigned_abs(), dy.unsigned_abs());
        match () {
            () if across == 0 && along == 0 => None,
            () if across > along => Some(if dx > 0 { Self::Right } else { Self::Left }),
            () => Some(if dy > 0 { Self::Down } else { Self::Up }),
        }
    }
}

/// The fields of a [`Scroll`] in JSON.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct ScrollFields {
    container: u16,
    dx: i32,
    dy: i32,
    detour: u32,
    reversals: u16,
    duration_ms: u32,
}

/// The bits of the byte that says which fields follow in the binary form, in their order.
mod has {
    pub(super) const CONTAINER: u8 = 1;
    pub(super) const DX: u8 = 1 << 1;
    pub(super) const DY: u8 = 1 << 2;
    pub(super) const DETOUR: u8 = 1 << 3;
    pub(super) const REVERSALS: u8 = 1 << 4;
    pub(super) const DURATION: u8 = 1 << 5;
    /// All of them; a bit outside is refused.
    pub(super) const ANY: u8 = (1 << 6) - 1;
}

impl Serialize for Scroll {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            container,
            dx,
            dy,
            detour,
            reversals,
            duration_ms,
        } = *self;
        if serializer.is_human_readable() {
            return ScrollFields {
                container,
                dx,
                dy,
                detour,
                reversals,
                duration_ms,
            }
            .serialize(serializer);
        }
        let bit = |present: bool, bit: u8| if present { bit } else { 0 };
        let fields = bit(container != 0, has::CONTAINER)
            | bit(dx != 0, has::DX)
            | bit(dy != 0, has::DY)
            | bit(detour != 0, has::DETOUR)
            | bit(reversals != 0, has::REVERSALS)
            | bit(duration_ms != 0, has::DURATION);
        let mut tuple = serializer.serialize_tuple(1 + fields.count_ones() as usize)?;
        tuple.serialize_element(&fields)?;
        if container != 0 {
            tuple.serialize_element(&container)?;
        }
        if dx != 0 {
            tuple.serialize_element(&dx)?;
        }
        if dy != 0 {
            tuple.serialize_element(&dy)?;
        }
        if detour != 0 {
            tuple.serialize_element(&detour)?;
        }
        if reversals != 0 {
            tuple.serialize_element(&reversals)?;
        }
        if duration_ms != 0 {
            tuple.serialize_element(&duration_ms)?;
        }
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Scroll {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let ScrollFields {
                container,
                dx,
                dy,
                detour,
                reversals,
                duration_ms,
            } = ScrollFields::deserialize(deserializer)?;
            return Ok(Self {
                container,
                dx,
                dy,
                detour,
                reversals,
                duration_ms,
            });
        }
        deserializer.deserialize_tuple(1 + has::ANY.count_ones() as usize, PackedScroll)
    }
}

struct PackedScroll;

impl<'de> Visitor<'de> for PackedScroll {
    type Value = Scroll;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte that says which fields of a scroll follow, and these")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Scroll, A::Error> {
        let fields: u8 = next(&mut access, true)?;
        if fields & !has::ANY != 0 {
            return Err(A::Error::custom(
                "an unknown bit is set in the fields of a scroll",
            ));
        }
        Ok(Scroll {
            container: next(&mut access, fields & has::CONTAINER != 0)?,
            dx: next(&mut access, fields & has::DX != 0)?,
            dy: next(&mut access, fields & has::DY != 0)?,
            detour: next(&mut access, fields & has::DETOUR != 0)?,
            reversals: next(&mut access, fields & has::REVERSALS != 0)?,
            duration_ms: next(&mut access, fields & has::DURATION != 0)?,
        })
    }
}

/// The next field, or 0 when it was left out.
fn next<'de, A, T>(access: &mut A, present: bool) -> Result<T, A::Error>
where
    A: SeqAccess<'de>,
    T: Deserialize<'de> + Default,
{
    if !present {
        return Ok(T::default());
    }
    access
        .next_element()?
        .ok_or_else(|| A::Error::invalid_length(0, &"a field of a scroll"))
}
