//! The page: its address as it may travel, its sizes, its device.
//!
//! Owns reading `location`, `document` and the window. Refuses to know elements.

use super::Shell;
use crate::visit::read_query;
use alloc::string::String;
use upriver_wire::batch::{Campaign, Device, Navigation, Page, PageView, Point, Size};
use upriver_wire::limits::PIXELS_MAX;
use wasm_bindgen::JsValue;
use web_sys::Window;

/// Short side from which a touch device is a tablet, CSS pixels.
const TABLET_SHORT_SIDE_PX: f64 = 600.0;

/// A property of any object; `undefined` when it cannot be read.
pub(super) fn property(of: &JsValue, name: &str) -> JsValue {
    js_sys::Reflect::get(of, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}

fn number(of: &JsValue, name: &str) -> f64 {
    property(of, name).as_f64().unwrap_or(0.0)
}

fn text(of: &JsValue, name: &str) -> String {
    property(of, name).as_string().unwrap_or_default()
}

fn pixels(length: f64) -> u32 {
    ((length + 0.5) as u32).min(PIXELS_MAX)
}

/// The campaign and the path of the address, with the allowed part of its query and with a route
/// that is kept in the fragment (`#/cart`).
pub(super) fn read_address(window: &Window, allowed: &[String]) -> (Option<Campaign>, String) {
    let location = property(window, "location");
    let (campaign, query) = read_query(&text(&location, "search"), allowed, |part| {
        js_sys::decode_uri_component(part).map_or_else(|_| String::from(part), String::from)
    });
    let mut path = text(&location, "pathname");
    path.push_str(&query);
    let fragment = text(&location, "hash");
    if fragment.starts_with("#/") || fragment.starts_with("#!/") {
        path.push_str(fragment.split('?').next().unwrap_or_default());
    }
    (campaign, path)
}

/// The path of the address now, as in [`read_address`].
pub(super) fn path(shell: &Shell) -> String {
    read_address(&shell.window, &shell.options.allowed).1
}

/// Where the page stands, whole CSS pixels, never negative.
pub(super) fn position(window: &Window) -> (i32, i32) {
    let whole = |at: Result<f64, JsValue>| (at.unwrap_or(0.0) + 0.5).max(0.0) as i32;
    (whole(window.scroll_x()), whole(window.scroll_y()))
}

/// Everything a page view tells.
pub(super) fn view(shell: &Shell, navigation: Navigation, path: String) -> PageView {
    let window: &JsValue = &shell.window;
    let document: &JsValue = &shell.document;
    let root = property(document, "documentElement");
    let (x, y) = position(&shell.window);
    let referrer = if navigation == Navigation::Load {
        text(document, "referrer")
    } else {
        String::new()
    };
    let page = Page {
        host: text(&property(window, "location"), "host"),
        path,
        campaign: shell.visit.borrow().campaign.clone(),
        device: device(shell),
        viewport: Size {
            w: pixels(number(window, "innerWidth")),
            h: pixels(number(window, "innerHeight")),
        },
        document: Size {
            w: pixels(number(&root, "scrollWidth")),
            h: pixels(number(&root, "scrollHeight")),
        },
        scroll: Point {
            x: x as u32,
            y: y as u32,
        },
        pixel_ratio_percent: (number(window, "devicePixelRatio") * 100.0 + 0.5) as u16,
        ..Page::default()
    };
    PageView {
        page,
        navigation,
        title: text(document, "title"),
        referrer: bare(&referrer),
        language: text(&property(window, "navigator"), "language"),
    }
}

/// Host and path of an address.
fn bare(address: &str) -> String {
    let rest = address.split_once(':').map_or("", |(_, rest)| rest);
    // Only addresses with a host; a text search would bring its whole machinery along.
    let rest = rest.strip_prefix("//").unwrap_or_default();
    let end = rest
        .bytes()
        .position(|byte| byte == b'?' || byte == b'#')
        .unwrap_or(rest.len());
    String::from(rest.get(..end).unwrap_or_default())
}

fn device(shell: &Shell) -> Device {
    let matches = |query| {
        shell
            .window
            .match_media(query)
            .ok()
            .flatten()
            .is_some_and(|list| list.matches())
    };
    let screen = property(&shell.window, "screen");
    let short = number(&screen, "width").min(number(&screen, "height"));
    match () {
        () if matches("(pointer:fine)") => Device::Desktop,
        () if !matches("(pointer:coarse)") => Device::Other,
        () if short >= TABLET_SHORT_SIDE_PX => Device::Tablet,
        () => Device::Phone,
    }
}
