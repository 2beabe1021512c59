//! What goes wrong for a visitor, as events carry it. When a press counts as one of these is the
//! recorder's business.

use crate::batch::Point;
use crate::bounded;
use crate::gesture::Spot;
use crate::limits::STRING_BYTES_MAX;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// A press with which a visitor had pressed the same place in quick succession; once per burst, with
/// its third press. The presses themselves are events of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rage {
    /// The third press.
    pub spot: Spot,
}

/// A press on what looks pressable had no effect. The time is that of knowing it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dead {
    /// The press.
    pub spot: Spot,
    /// Time since the press.
    #[serde(default)]
    pub after_ms: u32,
}

/// A press was followed by an error of the page's scripts. The time is that of the error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorPress {
    /// The press.
    pub spot: Spot,
    /// Time since the press.
    #[serde(default)]
    pub after_ms: u32,
}

/// A pointer was moved to and fro, fast and without a purpose that shows. The time is that of its
/// end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thrash {
    /// Where in the window it ended, CSS pixels.
    #[serde(default)]
    pub client: Point,
    /// Times it turned back.
    #[serde(default)]
    pub reversals: u16,
    /// Distance travelled, CSS pixels.
    #[serde(default)]
    pub distance: u32,
    /// How long it took.
    #[serde(default)]
    pub duration_ms: u32,
}

/// An error of the page's scripts that nobody caught.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind.
    #[serde(default)]
    pub kind: FaultKind,
    /// Its message, masked by the same rules as labels.
    #[serde(deserialize_with = "bounded::string::<_, STRING_BYTES_MAX>")]
    pub message: String,
    /// Address of the script without its query; empty when the browser does not tell.
    #[serde(default, deserialize_with = "bounded::string::<_, STRING_BYTES_MAX>")]
    pub source: String,
    /// Line in it, from 1; 0 when unknown.
    #[serde(default)]
    pub line: u32,
    /// Column in it, from 1; 0 when unknown.
    #[serde(default)]
    pub column: u32,
}

/// Kinds of [`Fault`]. Grows only at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Thrown and not caught.
    #[default]
    Error,
    /// A promise was rejected, and nobody handled it.
    Rejection,
}
