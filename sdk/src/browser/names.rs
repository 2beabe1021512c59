//! Who visits: the names kept in the browser's storage, shared by the site's tabs.
//!
//! Owns the storage keys. Refuses to know when a visit is over ([`crate::visit`] does).

use super::{Options, Shell, page};
use crate::recorder::Names;
use crate::retry::Random;
use crate::visit::{SAVE_EVERY_MS, Visit, hex, unhex};
use alloc::string::String;
use upriver_wire::{StreamId, VisitorId};
use web_sys::{Storage, Window};

const VISITOR_KEY: &str = "upriver.visitor";
const VISIT_KEY: &str = "upriver.visit";

/// A generator seeded by the browser's own.
pub(super) fn random(window: &Window) -> Random {
    let mut seed = [0; 8];
    if let Ok(crypto) = window.crypto() {
        let _ = crypto.get_random_values_with_u8_array(&mut seed);
    }
    // Two pages opened in the same moment by an odd browser without `crypto` still differ.
    Random(u64::from_le_bytes(seed) ^ (js_sys::Math::random() * 9e15) as u64)
}

fn wide(random: &mut Random) -> u128 {
    u128::from(random.bits()) << 64 | u128::from(random.bits())
}

// Storage may be absent, full, or forbidden; then names last as long as the page.
fn storage(window: &Window) -> Option<Storage> {
    window.local_storage().ok().flatten()
}

fn kept_visit(window: &Window) -> Option<Visit> {
    Visit::from_text(&storage(window)?.get_item(VISIT_KEY).ok()??)
}

fn keep(window: &Window, key: &str, text: &str) {
    if let Some(storage) = storage(window) {
        let _ = storage.set_item(key, text);
    }
}

/// The visit this page belongs to, and the page's path as it may travel.
pub(super) fn visit(
    window: &Window,
    options: &Options,
    now_ms: f64,
    random: &mut Random,
) -> (Visit, String) {
    let (landed, path) = page::read_address(window, &options.allowed);
    let visit = Visit::of(kept_visit(window), landed, now_ms, random);
    keep(window, VISIT_KEY, &visit.to_text());
    (visit, path)
}

/// The names of this page's recorder.
pub(super) fn names(window: &Window, visit: &Visit, random: &mut Random) -> Names {
    let kept = storage(window).and_then(|storage| storage.get_item(VISITOR_KEY).ok()?);
    let visitor = kept.and_then(|text| unhex(&text)).unwrap_or_else(|| {
        let visitor = wide(random);
        keep(window, VISITOR_KEY, &hex(visitor, 32));
        visitor
    });
    Names {
        stream: StreamId(wide(random)),
        visitor: VisitorId(visitor),
        session: visit.session,
        seed: random.bits(),
    }
}

/// The visit goes on at this time. Returns the one that begins, when another does.
pub(super) fn continued(shell: &Shell, now_ms: f64) -> Option<Visit> {
    if now_ms - shell.visit_saved_ms.get() < SAVE_EVERY_MS {
        return None;
    }
    shell.visit_saved_ms.set(now_ms);
    let mut visit = shell.visit.borrow_mut();
    // Another tab may have gone on with it, or begun another.
    let kept = kept_visit(&shell.window).or_else(|| Some(visit.clone()));
    let (landed, before) = (None, visit.session);
    *visit = Visit::of(kept, landed, now_ms, &mut shell.random.borrow_mut());
    keep(&shell.window, VISIT_KEY, &visit.to_text());
    (visit.session != before).then(|| visit.clone())
}
