//! What an element is called: its identity, its selector, its masked label.
//!
//! Owns the rules. Refuses to know documents: the shell tells attributes and paths as text.
//!
//! The identity is `1:` (the version of these rules) and a canonical selector, hashed. The selector
//! is the first that is unique in the document:
//! - `[data-upriver="…"]`;
//! - `#id`, unless the id looks generated;
//! - `tag[name="…"]`, `tag[aria-label="…"]`, `tag[data-testid="…"]`;
//! - the path down from the nearest ancestor with one of the first two, or from the root.
//!
//! Several elements with the same attribute are told apart by path, so none collide. A private
//! element is named by path alone, from the root. Inside an open shadow root the path continues
//! after ` >>> `, which no browser resolves but a reader can.

use crate::clip;
use alloc::string::String;
use alloc::vec::Vec;
use upriver_wire::ElementId;
use upriver_wire::limits::{LABEL_BYTES_MAX, SELECTOR_BYTES_MAX};

/// Version of the rules above; another version gives every element another identity.
pub const IDENTITY_VERSION: &str = "1:";
/// Attributes that may name an element, most trusted first; the id has its own rule.
pub const NAMING_ATTRIBUTES: [&str; 5] = [
    "data-upriver",
    "name",
    "aria-label",
    "data-testid",
    "data-test",
];
/// Digits in a row from which a label hides them.
pub const DIGITS_SHOWN_MAX: usize = 3;
/// Separates a shadow host from the path inside it.
pub const SHADOW: &str = " >>> ";

/// The identity that belongs to a canonical selector.
pub fn identity(selector: &str) -> ElementId {
    let mut text = String::from(IDENTITY_VERSION);
    text.push_str(selector);
    ElementId::of(&text)
}

/// Whether an id was made by a program for one page load: `:r1:`, `ember123`, `a8f3e2…`.
pub fn looks_generated(id: &str) -> bool {
    let digits = id.bytes().filter(u8::is_ascii_digit).count();
    let plain = id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    // Frameworks count (`radix-:r1:`, `headlessui-menu-12`) or hash; people write words.
    id.is_empty() || id.len() > 64 || !plain || digits >= 3 || (digits == 2 && id.len() < 6)
}

/// `[name="value"]`, with everything escaped that could end it.
pub fn attribute_selector(tag: &str, name: &str, value: &str) -> String {
    let mut text = String::from(tag);
    text.push('[');
    text.push_str(name);
    text.push_str("=\"");
    for letter in value.chars() {
        match letter {
            '"' | '\\' => {
                text.push('\\');
                text.push(letter);
            }
            '\n' => text.push_str("\\a "),
            '\r' => text.push_str("\\d "),
            '\u{c}' => text.push_str("\\c "),
            _ => text.push(letter),
        }
    }
    text.push_str("\"]");
    text
}

/// `#id` for an id that does not look generated.
pub fn id_selector(id: &str) -> String {
    let mut text = String::from("#");
    // A digit or a dash with a digit may not stand first unescaped; `looks_generated` lets few of
    // those through.
    if id.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
        return attribute_selector("", "id", id);
    }
    text.push_str(id);
    text
}

/// One step of a path, from parent to child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Name of the tag, lower case.
    pub tag: String,
    /// Place among its siblings of the same tag, from 1; 0 when it is the only one.
    pub nth: u32,
}

/// The selector of an element found by going down from `anchor` (empty: from the root).
/// `steps`: from the element upwards.
pub fn path_selector(anchor: &str, steps: &[Step]) -> String {
    let mut text = String::from(anchor);
    for (place, step) in steps.iter().rev().enumerate() {
        let joined = place > 0 || !(anchor.is_empty() || anchor.ends_with(SHADOW));
        if joined {
            text.push('>');
        }
        text.push_str(&step.tag);
        if step.nth > 0 {
            text.push_str(":nth-of-type(");
            push_number(&mut text, step.nth);
            text.push(')');
        }
    }
    text
}

/// The longest end of a path selector that a descriptor has room for. It may match more than its
/// element; the shell checks.
pub fn fitting(selector: &str) -> &str {
    let mut rest = selector;
    while rest.len() > SELECTOR_BYTES_MAX {
        match rest.split_once('>') {
            Some((_, tail)) => rest = tail,
            None => return "",
        }
    }
    rest.trim_ascii_start()
}

/// A label as it may travel: white space in one, long numbers and addresses hidden, cut to size.
pub fn mask(text: &str) -> String {
    let mut masked = String::new();
    for word in text.split(|letter: char| letter.is_ascii_whitespace() || letter == '\u{a0}') {
        if word.is_empty() {
            continue;
        }
        if !masked.is_empty() {
            masked.push(' ');
        }
        if masked.len() > LABEL_BYTES_MAX {
            break;
        }
        if word.bytes().any(|byte| byte == b'@') {
            masked.push('*');
            continue;
        }
        mask_digits(word, &mut masked);
    }
    clip(&mut masked, LABEL_BYTES_MAX);
    masked
}

fn mask_digits(word: &str, out: &mut String) {
    let mut run = Vec::new();
    let end = |run: &mut Vec<char>, out: &mut String| {
        let hide = run.len() > DIGITS_SHOWN_MAX;
        for digit in run.drain(..) {
            out.push(if hide { '*' } else { digit });
        }
    };
    for letter in word.chars() {
        if letter.is_ascii_digit() {
            run.push(letter);
        } else {
            end(&mut run, out);
            out.push(letter);
        }
    }
    end(&mut run, out);
}

/// Appends a number in decimal.
pub fn push_number(text: &mut String, number: u32) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

/// The colour in a computed style, `rgb(1, 2, 3)` or `rgba(1, 2, 3, 0.5)`, as `0xRRGGBB`. None when
/// it is wholly transparent or in another notation.
pub fn colour(text: &str) -> Option<u32> {
    let inside = text.strip_prefix("rgb")?;
    let mut number = 0_u32;
    let mut in_number = false;
    let mut parts = Vec::new();
    for byte in inside.bytes() {
        if byte.is_ascii_digit() {
            number = number
                .saturating_mul(10)
                .saturating_add(u32::from(byte - b'0'));
            in_number = true;
        } else if byte == b'.' && parts.len() >= 3 {
            // The alpha: what stands behind the point decides whether it is nothing at all.
        } else if in_number {
            parts.push(number);
            number = 0;
            in_number = false;
        }
    }
    match parts.as_slice() {
        [_, _, _, 0] => None,
        [r, g, b, ..] => Some((r.min(&255) << 16) | (g.min(&255) << 8) | b.min(&255)),
        _ => None,
    }
}

/// The whole number a CSS length begins with, `12.5px` → 12.
pub fn length(text: &str) -> u32 {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    digits.fold(0, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_are_told_from_written_ones() {
        for id in ["buy", "add-to-cart", "nav_main", "section-2", "h1"] {
            assert!(!looks_generated(id), "{id} was written by a person");
        }
        for id in [
            ":r1:",
            "radix-:r3:",
            "ember1234",
            "8f3e2a91",
            "item-10482",
            "",
            "a b",
        ] {
            assert!(looks_generated(id), "{id} was generated");
        }
    }

    #[test]
    fn attributes_cannot_break_out_of_their_selector() {
        assert_eq!(
            attribute_selector("a", "name", "x\"]\\\n"),
            "a[name=\"x\\\"]\\\\\\a \"]"
        );
    }

    #[test]
    fn paths_go_down_from_their_anchor() {
        let step = |tag: &str, nth| Step {
            tag: tag.into(),
            nth,
        };
        let steps = [step("button", 0), step("div", 12)];
        assert_eq!(path_selector("", &steps), "div:nth-of-type(12)>button");
        assert_eq!(
            path_selector("#main", &steps),
            "#main>div:nth-of-type(12)>button"
        );
        assert_eq!(
            path_selector("x-a >>> ", &steps),
            "x-a >>> div:nth-of-type(12)>button"
        );
    }

    #[test]
    fn a_selector_that_is_too_long_keeps_its_end() {
        let steps: Vec<Step> = (0..80)
            .map(|n| Step {
                tag: "div".into(),
                nth: n + 1,
            })
            .collect();
        let selector = path_selector("", &steps);
        let fitting = fitting(&selector);
        assert!(fitting.len() <= SELECTOR_BYTES_MAX && selector.ends_with(fitting));
        assert!(fitting.starts_with("div:nth-of-type("));
    }

    #[test]
    fn labels_are_masked_and_cut_between_letters() {
        assert_eq!(mask("  Buy\n now  "), "Buy now");
        assert_eq!(mask("Card 4111 1111 99 x1234y"), "Card **** **** 99 x****y");
        assert_eq!(mask("Hello ada@example.com!"), "Hello *");
        let long = mask(&"é".repeat(200));
        assert_eq!(long.len(), LABEL_BYTES_MAX);
        let odd = mask(&("x".to_owned() + &"é".repeat(200)));
        assert_eq!(odd.len(), LABEL_BYTES_MAX - 1);
    }

    #[test]
    fn colours_are_read_from_computed_styles() {
        assert_eq!(colour("rgb(255, 128, 0)"), Some(0xff_80_00));
        assert_eq!(colour("rgba(1, 2, 3, 0.5)"), Some(0x01_02_03));
        assert_eq!(colour("rgba(0, 0, 0, 0)"), None);
        assert_eq!(colour("color(srgb 1 0 0)"), None);
        assert_eq!(length("12.5px"), 12);
    }
}
