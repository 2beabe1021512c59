//! Elements: which one was meant, what it is called, how it looks.
//!
//! Owns reading the tree, boxes and styles; on a press only, and of an element once. Refuses to
//! know the rules of naming ([`crate::element`]).

use super::{Shell, page};
use crate::element::{
    NAMING_ATTRIBUTES, SHADOW, Step, attribute_selector, colour, fitting, id_selector, identity,
    length, looks_generated, mask, path_selector,
};
use crate::gesture::Target;
use alloc::string::String;
use alloc::vec::Vec;
use upriver_wire::ElementId;
use upriver_wire::batch::{BoxPoint, Descriptor, Layer, Point, Size};
use upriver_wire::limits::{LABEL_BYTES_MAX, PIXELS_MAX};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, DomRect, Element, Event, Node};

/// What people press. The pressed thing is the nearest of these, or what lay under the pointer.
const INTERACTIVE: &str = "a,button,input,select,textarea,label,summary,option,[onclick],\
    [data-upriver],[role=button],[role=link],[role=tab],[role=menuitem],[role=checkbox],\
    [role=radio],[role=switch],[role=option],[role=treeitem]";
/// What a browser itself turns a key into a click on, or what takes text.
const NATIVE: &str = "a[href],button,input,select,textarea,summary,[contenteditable]";
/// What a site makes pressable by itself.
const BY_HAND: &str = "[onclick],[role=button],[role=link],[role=tab],[role=menuitem],\
    [role=checkbox],[role=radio],[role=switch],[role=option],[role=treeitem]";
const PRIVATE: &str = "[data-upriver-private]";
/// Text inside these is never read.
const UNREAD: &str =
    "input,textarea,select,script,style,noscript,[contenteditable],[data-upriver-private]";
const TOP_LAYER: &str = ":is(:modal,:popover-open,:fullscreen)";
/// Values of attributes longer than this name nothing.
const NAME_BYTES_MAX: usize = 96;
/// Ancestors looked at for layer and background.
const ANCESTORS_MAX: usize = 48;
/// Nodes looked at for a label.
const LABEL_NODES_MAX: u32 = 48;

/// The element an event is about, also inside an open shadow root.
pub(super) fn under(event: &Event) -> Option<Element> {
    event.composed_path().get(0).dyn_into().ok()
}

/// The host of the shadow root an element lives in, with that root.
fn host(element: &Element) -> Option<(Element, Node)> {
    let root = element.get_root_node();
    Some((page::property(&root, "host").dyn_into().ok()?, root))
}

/// The nearest that matches, up through open shadow roots.
fn nearest(element: &Element, selector: &str) -> Option<Element> {
    match element.closest(selector) {
        Ok(Some(found)) => Some(found),
        _ => nearest(&host(element)?.0, selector),
    }
}

fn parent(element: &Element) -> Option<Element> {
    element.parent_element().or_else(|| Some(host(element)?.0))
}

/// Whether a key on this element is a press, though no browser makes a click of it.
pub(super) fn pressable_by_hand(element: &Element) -> bool {
    nearest(element, BY_HAND).is_some() && nearest(element, NATIVE).is_none()
}

/// Whether a place in the window is on an element's scroll bar.
pub(super) fn on_scrollbar(element: &Element, x: f64, y: f64) -> bool {
    let (w, h) = (
        f64::from(element.client_width()),
        f64::from(element.client_height()),
    );
    if element.local_name() == "html" {
        return x >= w || y >= h;
    }
    // Nearly every element has none, and needs no box to be read.
    let number = |name| page::property(element, name).as_f64().unwrap_or(0.0);
    let (offset_w, offset_h) = (number("offsetWidth"), number("offsetHeight"));
    if w <= 0.0 || (offset_w - w < 8.0 && offset_h - h < 8.0) {
        return false;
    }
    let rect = element.get_bounding_client_rect();
    let (left, top) = (
        f64::from(element.client_left()),
        f64::from(element.client_top()),
    );
    x >= rect.left() + left + w || y >= rect.top() + top + h
}

/// What was pressed at a place in the window, described if it has not been; with the place, which
/// for not-a-number is the middle of its box.
pub(super) fn target(shell: &Shell, under: &Element, (x, y): (f64, f64)) -> (Target, f64, f64) {
    let interactive = nearest(under, INTERACTIVE);
    let pressed = interactive.as_ref().unwrap_or(under);
    let rect = pressed.get_bounding_client_rect();
    let (left, top, w, h) = (rect.left(), rect.top(), rect.width(), rect.height());
    let at = BoxPoint::new(fraction(x, left, w), fraction(y, top, h));
    let x = if x.is_nan() { left + w / 2.0 } else { x };
    let y = if y.is_nan() { top + h / 2.0 } else { y };
    let element = name(shell, pressed, Some(&rect), interactive.is_some());
    (
        Target {
            element,
            at,
            layer: layer(shell, pressed),
        },
        x,
        y,
    )
}

/// The name of an inner scroller, described if it has not been. Reads no box.
pub(super) fn scroller(shell: &Shell, element: &Element) -> ElementId {
    name(shell, element, None, false)
}

fn fraction(at: f64, from: f64, length: f64) -> f64 {
    if at.is_nan() || length <= 0.0 {
        0.5
    } else {
        (at - from) / length
    }
}

fn name(shell: &Shell, element: &Element, rect: Option<&DomRect>, interactive: bool) -> ElementId {
    let private = nearest(element, PRIVATE).is_some();
    let selector = canonical(shell, element, private);
    let id = identity(&selector);
    if !shell.recorder.borrow().knows(id) {
        let descriptor = describe(shell, element, rect, &selector, interactive && !private);
        shell.recorder.borrow_mut().describe(id, descriptor);
    }
    id
}

/// The canonical selector: see [`crate::element`].
fn canonical(shell: &Shell, element: &Element, private: bool) -> String {
    let inside = host(element);
    let root: &Node = inside.as_ref().map_or(&shell.document, |(_, root)| root);
    let mut anchor = String::new();
    if let Some((host, _)) = &inside {
        anchor = canonical(shell, host, private);
        anchor.push_str(SHADOW);
    }
    if !private && let Some(own) = own_name(root, element, true) {
        anchor.push_str(&own);
        return anchor;
    }
    let mut steps = Vec::new();
    let mut at = Some(element.clone());
    while let Some(here) = at {
        if !steps.is_empty()
            && !private
            && let Some(own) = own_name(root, &here, false)
        {
            anchor.push_str(&own);
            break;
        }
        steps.push(step(&here));
        at = here.parent_element();
    }
    // The root and the body are in every path and tell nothing.
    if steps.len() > 2 && steps.last().is_some_and(|step| step.tag == "html") {
        steps.pop();
    }
    path_selector(&anchor, &steps)
}

/// A selector of an element's own that finds nothing else. `any`: by any attribute that may name
/// it; otherwise only by those that may anchor a path.
fn own_name(root: &Node, element: &Element, any: bool) -> Option<String> {
    let unique = |selector: &String| {
        // Documents and shadow roots answer this alike.
        let found = root
            .unchecked_ref::<Document>()
            .query_selector_all(selector);
        found.is_ok_and(|found| found.length() == 1)
    };
    for (rank, attribute) in NAMING_ATTRIBUTES.iter().enumerate() {
        let given = rank == 0;
        if !given && !any {
            break;
        }
        let value = element.get_attribute(attribute).unwrap_or_default();
        // What a label would hide must not travel in a selector either.
        if !value.is_empty() && value.len() <= NAME_BYTES_MAX && (given || mask(&value) == value) {
            let tag = if given {
                String::new()
            } else {
                element.local_name()
            };
            let selector = Some(attribute_selector(&tag, attribute, &value)).filter(unique);
            if selector.is_some() {
                return selector;
            }
        }
        let id = if given { element.id() } else { String::new() };
        if !looks_generated(&id) {
            let selector = Some(id_selector(&id)).filter(unique);
            if selector.is_some() {
                return selector;
            }
        }
    }
    None
}

fn step(element: &Element) -> Step {
    let tag = element.local_name();
    let mut nth = 0;
    if !element.matches(":only-of-type").unwrap_or(true) {
        nth = 1;
        let mut before = element.previous_element_sibling();
        while let Some(sibling) = before {
            nth += u32::from(sibling.local_name() == tag);
            before = sibling.previous_element_sibling();
        }
    }
    Step { tag, nth }
}

fn describe(
    shell: &Shell,
    element: &Element,
    rect: Option<&DomRect>,
    canonical: &str,
    labelled: bool,
) -> Descriptor {
    let whole = |length: f64| ((length + 0.5) as u32).min(PIXELS_MAX);
    let mut selector = String::from(fitting(canonical));
    if selector.len() < canonical.len() {
        let found = shell.document.query_selector_all(&selector);
        if !found.is_ok_and(|found| found.length() == 1) {
            selector.clear();
        }
    }
    let (x, y) = page::position(&shell.window);
    let (size, place) = rect.map_or_else(Default::default, |rect| {
        let size = Size {
            w: whole(rect.width()),
            h: whole(rect.height()),
        };
        let place = Point {
            x: whole(rect.left() + f64::from(x)),
            y: whole(rect.top() + f64::from(y)),
        };
        (size, place)
    });
    // Styles of a scroller would be read on a scroll; they can wait for its first press.
    let looked = rect.is_some();
    Descriptor {
        selector,
        label: if labelled {
            label(element)
        } else {
            String::new()
        },
        role: role(element),
        background: if looked {
            background(shell, element)
        } else {
            0xff_ff_ff
        },
        size,
        place,
        radius: if looked {
            length(&style(shell, element, "border-top-left-radius")) as u16
        } else {
            0
        },
    }
}

fn style(shell: &Shell, element: &Element, property: &str) -> String {
    let style = shell.window.get_computed_style(element).ok().flatten();
    style
        .and_then(|style| style.get_property_value(property).ok())
        .unwrap_or_default()
}

fn background(shell: &Shell, element: &Element) -> u32 {
    let mut at = Some(element.clone());
    for _ in 0..ANCESTORS_MAX {
        let Some(here) = at else { break };
        if let Some(colour) = colour(&style(shell, &here, "background-color")) {
            return colour;
        }
        at = parent(&here);
    }
    0xff_ff_ff
}

fn role(element: &Element) -> String {
    let tag = element.local_name();
    let given = element.get_attribute("role").unwrap_or_default();
    let kind = element.get_attribute("type").unwrap_or_default();
    let name = match (given.as_str(), tag.as_str(), kind.as_str()) {
        ("", "a", _) => "link",
        ("", "input", "submit" | "button" | "reset" | "image") => "button",
        ("", "select" | "textarea", _) => "input",
        ("", tag, _) => tag,
        (given, ..) => given,
    };
    let mut name = String::from(name);
    crate::clip(&mut name, upriver_wire::limits::NAME_BYTES_MAX);
    name
}

/// The accessible name as far as it is the site's own text. Never anything typed.
fn label(element: &Element) -> String {
    let mut text = String::new();
    for attribute in ["aria-label", "title", "alt"] {
        if text.is_empty() {
            text = element.get_attribute(attribute).unwrap_or_default();
        }
    }
    if text.is_empty() && nearest(element, UNREAD).is_none() {
        read(element, &mut text, &mut LABEL_NODES_MAX.clone());
    }
    mask(&text)
}

fn read(node: &Node, text: &mut String, left: &mut u32) {
    let mut child = node.first_child();
    while let Some(here) = child {
        if *left == 0 || text.len() > LABEL_BYTES_MAX * 2 {
            return;
        }
        *left -= 1;
        if let Some(element) = here.dyn_ref::<Element>() {
            if !element.matches(UNREAD).unwrap_or(true) {
                read(&here, text, left);
            }
        } else if here.node_type() == Node::TEXT_NODE {
            text.push_str(&here.text_content().unwrap_or_default());
            text.push(' ');
        }
        child = here.next_sibling();
    }
}

/// How an element is laid over the page right now.
fn layer(shell: &Shell, element: &Element) -> Layer {
    if let Some(top) = nearest(element, TOP_LAYER)
        && top.local_name() != "html"
    {
        return Layer::Top;
    }
    let mut at = Some(element.clone());
    for _ in 0..ANCESTORS_MAX {
        let Some(here) = at else { break };
        match style(shell, &here, "position").as_str() {
            "fixed" => return Layer::Fixed,
            "sticky" if stuck(shell, &here) => return Layer::Stuck,
            _ => {}
        }
        at = parent(&here);
    }
    Layer::Flow
}

/// Whether a sticky element stands at its edge because the page is scrolled, not by itself.
fn stuck(shell: &Shell, element: &Element) -> bool {
    let (_, scrolled) = page::position(&shell.window);
    let inset = |side| {
        let inset = style(shell, element, side);
        inset.ends_with("px").then(|| f64::from(length(&inset)))
    };
    let rect = element.get_bounding_client_rect();
    let window: &JsValue = &shell.window;
    let height = page::property(window, "innerHeight")
        .as_f64()
        .unwrap_or(0.0);
    let at = |edge: f64, inset: Option<f64>| inset.is_some_and(|inset| (edge - inset).abs() < 1.5);
    (scrolled > 0 && at(rect.top(), inset("top"))) || at(height - rect.bottom(), inset("bottom"))
}
