//! What an event is: the wire's number for what happened.

/// A page was shown.
pub const VIEW: u8 = 0;
/// A press.
pub const PRESS: u8 = 1;
/// A scroll gesture.
pub const SCROLL: u8 = 2;
/// A swipe.
pub const SWIPE: u8 = 3;
/// The site's own event.
pub const CUSTOM: u8 = 4;
/// A conversion.
pub const CONVERSION: u8 = 5;
/// An exposure.
pub const EXPOSURE: u8 = 6;
/// A finger, pen or button was held.
pub const LONG_PRESS: u8 = 7;
/// Two fingers moved apart or together.
pub const PINCH: u8 = 8;
/// A pointer rested over an element.
pub const HESITATION: u8 = 9;
/// The way of a pointer.
pub const PATH: u8 = 10;
/// How long the page was looked at.
pub const ATTENTION: u8 = 11;
/// An element was seen.
pub const IMPRESSION: u8 = 12;
/// A form was begun, submitted or given up.
pub const FORM: u8 = 13;
/// The same place was pressed again and again.
pub const RAGE: u8 = 14;
/// A press had no effect.
pub const DEAD: u8 = 15;
/// A press was followed by an error.
pub const ERROR_PRESS: u8 = 16;
/// A pointer was moved to and fro.
pub const THRASH: u8 = 17;
/// An error of the page's scripts.
pub const FAULT: u8 = 18;
/// The page was hidden or shown again.
pub const VISIBILITY: u8 = 19;
/// What the visitor agreed to.
pub const CONSENT: u8 = 20;
/// Who the visitor is.
pub const IDENTIFY: u8 = 21;
