//! Where on an element a gesture was, and with what it was made. Small values, packed tightly in
//! the binary form.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A place in an element's box, as fractions of its width and height in steps of 1/1023.
///
/// Three bytes for most places in the binary form; `{"x": 0.5, "y": 0.25}` in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BoxPoint {
    x: u16,
    y: u16,
}

impl BoxPoint {
    /// Steps from one edge to the other.
    pub const STEPS: u16 = 1_023;

    /// From fractions of the box; outside or undefined values go to the nearest edge.
    pub fn new(x: f64, y: f64) -> Self {
        Self {
            x: Self::step(x),
            y: Self::step(y),
        }
    }

    /// Fraction of the box's width, 0 to 1.
    pub fn x(self) -> f32 {
        f32::from(self.x) / f32::from(Self::STEPS)
    }

    /// Fraction of the box's height, 0 to 1.
    pub fn y(self) -> f32 {
        f32::from(self.y) / f32::from(Self::STEPS)
    }

    /// The cell of a grid of 16 × 16 over the box, row by row: 0 to 255.
    pub fn cell(self) -> u8 {
        // 1,024 steps by 64 a cell; the last step belongs to the last cell.
        ((self.y >> 6) as u8) << 4 | (self.x >> 6) as u8
    }

    /// Both steps as one number of 20 bits, as the binary form has it.
    pub fn packed(self) -> u32 {
        u32::from(self.x) << 10 | u32::from(self.y)
    }

    fn step(fraction: f64) -> u16 {
        // `as` saturates and takes NaN to 0, which is the contract above.
        (fraction * f64::from(Self::STEPS) + 0.5).clamp(0.0, f64::from(Self::STEPS)) as u16
    }
}

#[derive(Serialize, Deserialize)]
struct Fractions {
    x: f64,
    y: f64,
}

impl Serialize for BoxPoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            let steps = f64::from(Self::STEPS);
            Fractions {
                x: f64::from(self.x) / steps,
                y: f64::from(self.y) / steps,
            }
            .serialize(serializer)
        } else {
            self.packed().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for BoxPoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Fractions::deserialize(deserializer)
                .map(|fractions| Self::new(fractions.x, fractions.y))
        } else {
            let packed = u32::deserialize(deserializer)?;
            if packed >> 20 != 0 {
                return Err(serde::de::Error::custom("a box point has at most 20 bits"));
            }
            Ok(Self {
                x: (packed >> 10) as u16,
                y: (packed & 0x3ff) as u16,
            })
        }
    }
}

/// What pressed or swiped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pointer {
    /// A mouse or trackpad.
    #[default]
    Mouse,
    /// A finger.
    Touch,
    /// A pen.
    Pen,
    /// A key, or assistive technology.
    Keyboard,
}

/// How an element is laid over the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// It scrolls with the page.
    #[default]
    Flow,
    /// It stays where it is in the window.
    Fixed,
    /// It is stuck at an edge right now.
    Stuck,
    /// A dialog, popover or full-screen element.
    Top,
}

/// Which button.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Button {
    /// Left, touch or Enter.
    #[default]
    Primary,
    /// The wheel.
    Middle,
    /// Right.
    Secondary,
    /// Any other.
    Other,
}

/// With what and on which layer something was done. One byte in the binary form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct How {
    /// What pressed.
    pub pointer: Pointer,
    /// Which layer the element is on.
    pub layer: Layer,
    /// Which button.
    pub button: Button,
}

impl How {
    /// All three in one byte, as the binary form has it.
    pub fn packed(self) -> u8 {
        self.pointer as u8 | (self.layer as u8) << 2 | (self.button as u8) << 4
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct HowFields {
    pointer: Pointer,
    layer: Layer,
    button: Button,
}

impl Serialize for How {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            HowFields {
                pointer: self.pointer,
                layer: self.layer,
                button: self.button,
            }
            .serialize(serializer)
        } else {
            self.packed().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for How {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let HowFields {
                pointer,
                layer,
                button,
            } = HowFields::deserialize(deserializer)?;
            return Ok(Self {
                pointer,
                layer,
                button,
            });
        }
        let packed = u8::deserialize(deserializer)?;
        if packed >> 6 != 0 {
            return Err(serde::de::Error::custom(
                "an unknown bit is set in how a press was made",
            ));
        }
        Ok(Self {
            pointer: [
                Pointer::Mouse,
                Pointer::Touch,
                Pointer::Pen,
                Pointer::Keyboard,
            ][usize::from(packed & 3)],
            layer: [Layer::Flow, Layer::Fixed, Layer::Stuck, Layer::Top]
                [usize::from(packed >> 2 & 3)],
            button: [
                Button::Primary,
                Button::Middle,
                Button::Secondary,
                Button::Other,
            ][usize::from(packed >> 4 & 3)],
        })
    }
}
