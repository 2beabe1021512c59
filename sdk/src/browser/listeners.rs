//! What is listened to, and what each event says to the recorder.
//!
//! Owns the listeners: all on the window, capturing and passive, one function for all of them. With
//! the one for routes (`npm/routes.ts`) there are 14. Refuses to know what a press is.

use super::{Shell, dom, page};
use crate::gesture::Down;
use crate::recorder::Input;
use alloc::rc::Rc;
use js_sys::{Object, Reflect};
use upriver_wire::batch::{Button, Navigation, Pointer};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, Event, KeyboardEvent, PointerEvent, TouchEvent};

const KINDS: [&str; 13] = [
    "pointerdown",
    "pointermove",
    "pointerup",
    "pointercancel",
    "click",
    "keydown",
    "touchmove",
    "touchend",
    "wheel",
    "scroll",
    "visibilitychange",
    "pagehide",
    "pageshow",
];

/// Starts listening.
pub(super) fn listen(shell: &Rc<Shell>) {
    let function = {
        let shell = Rc::clone(shell);
        Closure::<dyn FnMut(Event)>::new(move |event: Event| heard(&shell, &event))
    };
    *shell.listener.borrow_mut() = Some(function.into_js_value().unchecked_into());
    each(shell, "addEventListener");
}

/// Stops listening.
pub(super) fn unlisten(shell: &Shell) {
    each(shell, "removeEventListener");
}

fn each(shell: &Shell, method: &str) {
    let Some(listener) = &*shell.listener.borrow() else {
        return;
    };
    let options = Object::new();
    for name in ["capture", "passive"] {
        let _ = Reflect::set(&options, &name.into(), &JsValue::TRUE);
    }
    let method: js_sys::Function = page::property(&shell.window, method).unchecked_into();
    for kind in KINDS {
        let _ = method.call3(&shell.window, &kind.into(), listener, &options);
    }
}

fn heard(shell: &Rc<Shell>, event: &Event) {
    // Only what the browser itself says happened.
    if !event.is_trusted() {
        return;
    }
    let kind = event.type_();
    let at = event.time_stamp();
    let see = |input| shell.step_at(shell.origin_ms + at, input);
    match kind.as_str() {
        "pointermove" => {
            // Nothing is read of the movements of a mouse.
            if shell.recorder.borrow().touching() {
                let pointer: &PointerEvent = event.unchecked_ref();
                let (x, y) = place(pointer);
                see(Input::Move(pointer.pointer_id(), x, y));
            }
        }
        "pointerdown" => pressed(shell, event.unchecked_ref(), at),
        "pointerup" => {
            let pointer: &PointerEvent = event.unchecked_ref();
            let (x, y) = place(pointer);
            see(Input::Up(pointer.pointer_id(), x, y));
        }
        "pointercancel" => {
            see(Input::Cancel(
                event.unchecked_ref::<PointerEvent>().pointer_id(),
            ));
        }
        "click" => clicked(shell, event.unchecked_ref(), at),
        "keydown" => key(shell, event.unchecked_ref(), at),
        "touchmove" | "touchend" => {
            let touch: &TouchEvent = event.unchecked_ref();
            if let Some(touch) = touch.changed_touches().get(0) {
                let (x, y) = (f64::from(touch.client_x()), f64::from(touch.client_y()));
                let moves = kind == "touchmove";
                see(if moves {
                    Input::TouchMove(x, y)
                } else {
                    Input::TouchEnd(x, y)
                });
            }
        }
        "wheel" => see(Input::Wheel),
        "scroll" => scrolled(shell, event, at),
        "visibilitychange" => {
            if shell.document.hidden() {
                shell.step(Input::Leave);
            } else {
                shell.step(Input::Resume);
            }
        }
        "pagehide" => {
            shell.step(Input::Leave);
            shell.step(Input::Pause);
        }
        _ => {
            let restored = page::property(event, "persisted").is_truthy();
            if restored {
                let now_ms = shell.now_ms();
                shell.step(Input::Resume);
                shell.alive(now_ms);
                shell.view(now_ms, Navigation::Restore, page::path(shell));
            }
        }
    }
}

fn place(pointer: &PointerEvent) -> (f64, f64) {
    // As numbers, not through the integers of older bindings: half a pixel matters in a small box.
    let number = |name| page::property(pointer, name).as_f64().unwrap_or(0.0);
    (number("clientX"), number("clientY"))
}

fn pressed(shell: &Rc<Shell>, event: &PointerEvent, at: f64) {
    let Some(element) = dom::under(event) else {
        return;
    };
    let (x, y) = place(event);
    let pointer = pointer(event);
    if pointer == Pointer::Mouse && dom::on_scrollbar(&element, x, y) {
        return;
    }
    let down = Down {
        id: event.pointer_id(),
        pointer,
        button: button(event),
        x,
        y,
        ..down(shell, &element, (x, y))
    };
    let position = page::position(&shell.window);
    shell.record(at, Input::Down(down, position, event.is_primary()));
}

fn clicked(shell: &Rc<Shell>, event: &PointerEvent, at: f64) {
    let detail = event.detail();
    let wanted = shell
        .recorder
        .borrow_mut()
        .click(shell.origin_ms + at, detail);
    if !wanted {
        return shell.step(Input::Tick);
    }
    let Some(element) = dom::under(event) else {
        return;
    };
    if detail > 0 {
        let (x, y) = place(event);
        let down = Down {
            pointer: pointer(event),
            x,
            y,
            ..down(shell, &element, (x, y))
        };
        let position = page::position(&shell.window);
        return shell.record(at, Input::Activated(down, position));
    }
    by_key(shell, &element, at);
}

/// A press without a place: it counts for the middle of the box.
fn by_key(shell: &Rc<Shell>, element: &Element, at: f64) {
    let down = Down {
        pointer: Pointer::Keyboard,
        ..down(shell, element, (f64::NAN, f64::NAN))
    };
    shell.record(at, Input::Activated(down, page::position(&shell.window)));
}

fn key(shell: &Rc<Shell>, event: &KeyboardEvent, at: f64) {
    let repeat = event.repeat();
    shell.step_at(shell.origin_ms + at, Input::Key(repeat));
    // What a site has made pressable by itself makes no click when a key is pressed.
    if !repeat
        && let Some(element) = dom::under(event)
        && dom::pressable_by_hand(&element)
        && matches!(event.key().as_str(), "Enter" | " ")
    {
        by_key(shell, &element, at);
    }
}

fn scrolled(shell: &Rc<Shell>, event: &Event, at: f64) {
    let Some(target) = event.target() else { return };
    let now_ms = shell.origin_ms + at;
    let Some(element) = target.dyn_ref::<Element>() else {
        let position = page::position(&shell.window);
        return shell.step_at(now_ms, Input::Scrolled(None, position));
    };
    let id = dom::scroller(shell, element);
    let whole = |at: f64| at as i32;
    let position = (
        whole(f64::from(element.scroll_left())),
        whole(f64::from(element.scroll_top())),
    );
    shell.step_at(now_ms, Input::Scrolled(Some(id), position));
}

fn down(shell: &Shell, element: &Element, at: (f64, f64)) -> Down {
    let (target, x, y) = dom::target(shell, element, at);
    Down {
        target,
        x,
        y,
        ..Down::default()
    }
}

fn pointer(event: &PointerEvent) -> Pointer {
    match event.pointer_type().as_str() {
        "touch" => Pointer::Touch,
        "pen" => Pointer::Pen,
        _ => Pointer::Mouse,
    }
}

fn button(event: &PointerEvent) -> Button {
    match event.button() {
        0 => Button::Primary,
        1 => Button::Middle,
        2 => Button::Secondary,
        _ => Button::Other,
    }
}
