//! What the types of the wire cannot say: numbers that must fit together.

use crate::config::RULE_PREFIX;
use upriver_wire::batch::{Batch, Body, Page, PageRef, Path, Point, Size, Spot};
use upriver_wire::limits::{BANDS_MAX, PIXELS_MAX};

/// Latest time a page may claim (the year 2100). Everything later does not fit the order key.
pub const TIME_MS_MAX: u64 = 4_102_444_800_000;
/// Largest sequence number: far beyond any stream, far from overflowing.
pub const SEQ_MAX: u64 = 1 << 48;

/// Checks a batch apart from its events.
///
/// # Errors
/// What is wrong, for the client's developer.
pub fn batch(batch: &Batch) -> Result<(), String> {
    if batch.stream.0 == 0 {
        return Err("stream is missing or zero; it must be random".into());
    }
    if batch.visitor.0 == 0 {
        return Err("visitor is missing or zero; it must be random".into());
    }
    if batch.events.is_empty() {
        return Err("the batch has no events".into());
    }
    if batch.first_seq > SEQ_MAX {
        return Err(format!("first_seq {} is over {SEQ_MAX}", batch.first_seq));
    }
    let span: u64 = batch
        .events
        .iter()
        .map(|event| u64::from(event.delta_ms))
        .sum();
    if batch.first_ms.saturating_add(span) > TIME_MS_MAX {
        return Err(format!(
            "first_ms {} plus {span} ms lies after the year 2100",
            batch.first_ms
        ));
    }
    match &batch.page {
        PageRef::Inline(found) => page(found),
        PageRef::None => Ok(()),
    }
}

/// Checks one event against the batch it came in.
///
/// # Errors
/// What is wrong, for the client's developer.
pub fn event(batch: &Batch, body: &Body) -> Result<(), String> {
    let element = |index: u16| element(batch, index);
    let spot = |spot: &Spot| {
        element(spot.element)?;
        client(spot.client)
    };
    match body {
        Body::PageView(view) => page(&view.page),
        Body::Press(press) => {
            element(press.element)?;
            client(press.client)
        }
        Body::Scroll(scroll) => {
            if let Some(index) = scroll.container.checked_sub(1) {
                element(index)?;
            }
            pixels("dx", scroll.dx.unsigned_abs())?;
            pixels("dy", scroll.dy.unsigned_abs())?;
            pixels("detour", scroll.detour)
        }
        Body::Swipe(swipe) => {
            element(swipe.element)?;
            client(swipe.client)?;
            pixels("dx", swipe.dx.unsigned_abs())?;
            pixels("dy", swipe.dy.unsigned_abs())
        }
        Body::Custom(custom) => named("name", &custom.name),
        Body::Conversion(conversion) => named("name", &conversion.name),
        Body::Exposure(variant) => named("experiment", &variant.experiment),
        Body::LongPress(held) => spot(&held.spot),
        Body::Pinch(pinch) => spot(&pinch.spot),
        Body::Hesitation(rest) => spot(&rest.spot),
        Body::Path(path) => way(path),
        Body::Attention(attention) => {
            bands(usize::from(attention.first_band), attention.bands.len())
        }
        Body::Impression(seen) => {
            element(seen.element)?;
            pixels("look.size.w", seen.look.size.w)?;
            pixels("look.size.h", seen.look.size.h)?;
            pixels("look.x", seen.look.x.unsigned_abs())?;
            pixels("look.y", seen.look.y.unsigned_abs())
        }
        Body::Form(form) => {
            element(form.element)?;
            form.field.checked_sub(1).map_or(Ok(()), element)
        }
        Body::Rage(rage) => spot(&rage.spot),
        Body::Dead(dead) => spot(&dead.spot),
        Body::ErrorPress(press) => spot(&press.spot),
        Body::Thrash(thrash) => {
            client(thrash.client)?;
            pixels("distance", thrash.distance)
        }
        Body::Fault(_) | Body::Visibility(_) | Body::Consent(_) => Ok(()),
        Body::Identify(identify) => named("user", &identify.user),
    }
}

/// Checks what pages may not say, though the collector does.
///
/// # Errors
/// What is wrong, for the client's developer.
pub fn of_page(body: &Body) -> Result<(), String> {
    match body {
        // Anybody can send what a page can, and what a rule brings must not be theirs to make up.
        Body::Exposure(variant) if variant.experiment.starts_with(RULE_PREFIX) => Err(format!(
            "experiments whose names begin with {RULE_PREFIX} are told by the collector's rules alone"
        )),
        _ => Ok(()),
    }
}

fn element(batch: &Batch, index: u16) -> Result<(), String> {
    if usize::from(index) < batch.elements.len() {
        return Ok(());
    }
    Err(format!(
        "element {index} is named, but the batch has {}",
        batch.elements.len()
    ))
}

fn client(place: Point) -> Result<(), String> {
    pixels("client.x", place.x)?;
    pixels("client.y", place.y)
}

fn pixels(name: &str, value: u32) -> Result<(), String> {
    if value <= PIXELS_MAX {
        return Ok(());
    }
    Err(format!(
        "{name} is {value}, over the limit of {PIXELS_MAX} px"
    ))
}

fn named(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("its {what} is empty"));
    }
    Ok(())
}

/// Every step of the way must lie within the limit, not only each movement.
fn way(path: &Path) -> Result<(), String> {
    if path.steps.is_empty() {
        return Err("its way has no step".into());
    }
    let (mut x, mut y) = (0_i32, 0_i32);
    for step in &path.steps {
        (x, y) = (x.saturating_add(step.dx), y.saturating_add(step.dy));
        pixels("x of a step", x.unsigned_abs())?;
        pixels("y of a step", y.unsigned_abs())?;
    }
    Ok(())
}

fn bands(first: usize, count: usize) -> Result<(), String> {
    if first + count <= BANDS_MAX {
        return Ok(());
    }
    Err(format!(
        "{count} bands from band {first} on go past the last of {BANDS_MAX}"
    ))
}

fn page(page: &Page) -> Result<(), String> {
    if page.path.is_empty() {
        return Err("page.path is empty".into());
    }
    for (name, Size { w, h }) in [("viewport", page.viewport), ("document", page.document)] {
        if w > PIXELS_MAX || h > PIXELS_MAX {
            return Err(format!(
                "page.{name} is {w} × {h}, over the limit of {PIXELS_MAX} px"
            ));
        }
    }
    if page.scroll.x.unsigned_abs() > PIXELS_MAX || page.scroll.y.unsigned_abs() > PIXELS_MAX {
        return Err(format!("page.scroll is over the limit of {PIXELS_MAX} px"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use upriver_wire::batch::{
        Attention, Element, Form, Identify, Impression, Look, PageView, Rage, Step, Thrash, Variant,
    };

    /// A batch with two elements.
    fn two() -> Batch {
        Batch {
            elements: vec![Element::default(); 2],
            ..Batch::default()
        }
    }

    fn check(body: Body, reason: Option<&str>) {
        let found = event(&two(), &body).err();
        match (reason, found) {
            (None, None) => {}
            (Some(reason), Some(found)) => assert!(found.contains(reason), "{body:?}: {found}"),
            (reason, found) => panic!("{body:?}: {found:?}, not {reason:?}"),
        }
    }

    #[test]
    fn positions_of_elements_and_fields_are_those_of_the_batch() {
        let form = |element, field| {
            Body::Form(Form {
                element,
                field,
                ..Form::default()
            })
        };
        check(form(1, 0), None);
        check(form(1, 2), None);
        check(form(1, 3), Some("element 2 is named"));
        check(form(2, 0), Some("element 2 is named"));
        let rage = |element, x| {
            let client = Point { x, y: 0 };
            let spot = Spot {
                element,
                client,
                ..Spot::default()
            };
            Body::Rage(Rage { spot })
        };
        check(rage(1, PIXELS_MAX), None);
        check(rage(2, 0), Some("element 2"));
        check(rage(1, PIXELS_MAX + 1), Some("client.x"));
    }

    #[test]
    fn no_page_says_what_a_rule_has_done() {
        let exposure = |experiment: &str| {
            let experiment = experiment.into();
            Body::Exposure(Variant {
                experiment,
                ..Variant::default()
            })
        };
        assert!(of_page(&exposure("rule:offer")).is_err());
        assert!(of_page(&exposure("ruler")).is_ok());
        check(exposure("rule:offer"), None);
    }

    #[test]
    fn bands_end_with_the_document() {
        let attention = |first_band, bands| {
            Body::Attention(Attention {
                first_band,
                bands: vec![1; bands],
                ..Attention::default()
            })
        };
        check(attention(0, 20), None);
        check(attention(19, 1), None);
        check(attention(20, 0), None);
        check(attention(19, 2), Some("2 bands from band 19"));
        check(attention(255, 1), Some("past the last of 20"));
    }

    #[test]
    fn every_step_of_a_way_lies_within_the_limit() {
        let way = |xs: &[i32]| {
            let step = |dx: &i32| Step {
                dx: *dx,
                ..Step::default()
            };
            let steps = xs.iter().map(step).collect();
            Body::Path(Path { steps })
        };
        let most = PIXELS_MAX as i32;
        check(way(&[most, -most, -most]), None);
        check(way(&[most, 1]), Some("x of a step"));
        check(way(&[i32::MIN, i32::MIN]), Some("x of a step"));
        check(way(&[]), Some("no step"));
    }

    #[test]
    fn looks_thrashes_scroll_positions_and_users_are_checked() {
        let seen = |x| {
            let look = Look {
                x,
                ..Look::default()
            };
            Body::Impression(Impression { element: 0, look })
        };
        check(seen(-(PIXELS_MAX as i32)), None);
        check(seen(i32::MIN), Some("look.x"));
        let thrash = |distance| {
            Body::Thrash(Thrash {
                distance,
                ..Thrash::default()
            })
        };
        check(thrash(PIXELS_MAX), None);
        check(thrash(PIXELS_MAX + 1), Some("distance"));
        let view = |x| {
            let mut page = Page {
                path: "/".into(),
                ..Page::default()
            };
            page.scroll.x = x;
            Body::PageView(PageView {
                page,
                ..PageView::default()
            })
        };
        check(view(-(PIXELS_MAX as i32)), None);
        check(view(i32::MIN), Some("page.scroll"));
        check(Body::Identify(Identify::default()), Some("user is empty"));
    }
}
