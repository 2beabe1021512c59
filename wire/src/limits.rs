//! Every limit of the wire, by name. A decoder refuses what exceeds one; an encoder truncates or
//! splits before it gets there.

/// Bytes of one HTTP request body as it arrives (compressed or not).
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Bytes of one HTTP request body after decompression.
pub const BODY_DECODED_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of one WebSocket frame, in either direction.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Events in one batch.
pub const EVENTS_MAX: usize = 1_000;
/// Elements named by one batch.
pub const ELEMENTS_MAX: usize = 1_000;
/// Bytes of UTF-8 in a general string: path, title, property value, message.
pub const STRING_BYTES_MAX: usize = 1_024;
/// Bytes of UTF-8 in a name: event, property, campaign field, experiment, variant.
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of UTF-8 in an element's selector.
pub const SELECTOR_BYTES_MAX: usize = 512;
/// Bytes of UTF-8 in an element's masked label.
pub const LABEL_BYTES_MAX: usize = 128;
/// Properties on one custom event or conversion.
pub const PROPS_MAX: usize = 32;
/// Experiments a visitor takes part in at once.
pub const VARIANTS_MAX: usize = 16;
/// Steps of one pointer path.
pub const STEPS_MAX: usize = 512;
/// Bands of a document's height in which attention is told.
pub const BANDS_MAX: usize = 20;
/// Element ids one answer may ask the page to describe.
pub const NEED_MAX: usize = 256;
/// Bytes of JSON that come with a signal.
pub const SIGNAL_BYTES_MAX: usize = 8 * 1024;
/// Answers in the body of one HTTP answer: that to the batch, and signals.
pub const ANSWERS_MAX: usize = 17;
/// Largest coordinate or length in CSS pixels.
pub const PIXELS_MAX: u32 = 10_000_000;
