//! What the types of the wire cannot say: numbers that must fit together.

use upriver_wire::batch::{Batch, Body, Page, PageRef, Size};
use upriver_wire::limits::PIXELS_MAX;

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
    let element = |index: u16| {
        if usize::from(index) < batch.elements.len() {
            return Ok(());
        }
        Err(format!(
            "element {index} is named, but the batch has {}",
            batch.elements.len()
        ))
    };
    let pixels = |name: &str, value: u32| {
        if value <= PIXELS_MAX {
            return Ok(());
        }
        Err(format!(
            "{name} is {value}, over the limit of {PIXELS_MAX} px"
        ))
    };
    let named = |name: &str| {
        if name.is_empty() {
            Err("its name is empty".to_owned())
        } else {
            Ok(())
        }
    };
    match body {
        Body::PageView(view) => page(&view.page),
        Body::Press(press) => {
            element(press.element)?;
            pixels("client.x", press.client.x)?;
            pixels("client.y", press.client.y)
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
            pixels("client.x", swipe.client.x)?;
            pixels("client.y", swipe.client.y)?;
            pixels("dx", swipe.dx.unsigned_abs())?;
            pixels("dy", swipe.dy.unsigned_abs())
        }
        Body::Custom(custom) => named(&custom.name),
        Body::Conversion(conversion) => named(&conversion.name),
        Body::Exposure(variant) => named(&variant.experiment),
    }
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
    if page.scroll.x > PIXELS_MAX || page.scroll.y > PIXELS_MAX {
        return Err(format!("page.scroll is over the limit of {PIXELS_MAX} px"));
    }
    Ok(())
}
