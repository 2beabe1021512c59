//! Moves bytes: the stream and requests.
//!
//! Owns the socket and its callbacks. Refuses to know what the bytes mean and when to try again.

use super::{Shell, page};
use crate::recorder::Input;
use crate::uplink::News;
use alloc::rc::Rc;
use alloc::string::String;
use js_sys::{Function, Reflect, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{RequestInit, Response, WebSocket};

/// An open or opening stream. Dropping it closes it, and nothing more is heard of it.
pub(super) struct Socket(WebSocket);

impl Drop for Socket {
    fn drop(&mut self) {
        hear(&self.0, None);
        let _ = self.0.close();
    }
}

fn hear(socket: &WebSocket, callback: Option<&Function>) {
    socket.set_onopen(callback);
    socket.set_onmessage(callback);
    socket.set_onclose(callback);
    socket.set_onerror(callback);
}

fn address(shell: &Shell, path: &str) -> String {
    let mut address = shell.options.endpoint.clone();
    address.push_str(path);
    address.push_str("?key=");
    address.push_str(&shell.options.key);
    address
}

/// Opens the stream.
pub(super) fn open(shell: &Rc<Shell>) {
    let http = address(shell, "/v1/stream");
    // http → ws, https → wss.
    let mut url = String::from("ws");
    url.push_str(http.strip_prefix("http").unwrap_or_default());
    let Ok(socket) = WebSocket::new(&url) else {
        return shell.step(Input::News(News::Closed(0)));
    };
    let _ = Reflect::set(&socket, &"binaryType".into(), &"arraybuffer".into());
    let callback = {
        let shell = Rc::clone(shell);
        Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| heard(&shell, &event))
    };
    hear(&socket, Some(callback.into_js_value().unchecked_ref()));
    *shell.socket.borrow_mut() = Some(Socket(socket));
}

fn heard(shell: &Rc<Shell>, event: &JsValue) {
    match page::property(event, "type").as_string().as_deref() {
        Some("open") => shell.step(Input::News(News::Opened)),
        Some("message") => {
            let frame = Uint8Array::new(&page::property(event, "data")).to_vec();
            shell.step(Input::News(News::Frame(&frame)));
        }
        Some("close") => {
            let code = page::property(event, "code").as_f64().unwrap_or(0.0) as u16;
            shell.step(Input::News(News::Closed(code)));
        }
        // An error is always followed by a close, which has the code.
        _ => {}
    }
}

/// Sends a frame.
pub(super) fn send(shell: &Shell, bytes: &[u8]) {
    if let Some(Socket(socket)) = &*shell.socket.borrow() {
        // What fails here is closed as well, and that is heard.
        let _ = socket.send_with_u8_array(bytes);
    }
}

/// Sends a request; its result is told as news.
pub(super) fn post(shell: &Rc<Shell>, number: u64, bytes: &[u8], keepalive: bool) {
    let init = RequestInit::new();
    init.set_method("POST");
    // Bytes without a type: a simple request, which needs no preflight.
    let parts: [(&str, JsValue); 3] = [
        ("body", Uint8Array::from(bytes).into()),
        ("credentials", "omit".into()),
        ("keepalive", keepalive.into()),
    ];
    for (name, value) in &parts {
        let _ = Reflect::set(&init, &JsValue::from_str(name), value);
    }
    let promise = shell
        .window
        .fetch_with_str_and_init(&address(shell, "/v1/batch"), &init);
    let shell = Rc::clone(shell);
    then(&promise, move |answer| {
        let ended = |status, retry_after_ms, body: &[u8]| {
            shell.step(Input::News(News::Posted {
                number,
                status,
                retry_after_ms,
                body,
            }));
        };
        let Some(response) = answer.dyn_ref::<Response>() else {
            return ended(0, 0.0, &[]);
        };
        let status = response.status();
        if !response.ok() {
            let asked = response.headers().get("retry-after").ok().flatten();
            let seconds = asked.map_or(0, |text| crate::element::length(&text));
            return ended(status, f64::from(seconds) * 1_000.0, &[]);
        }
        let shell = Rc::clone(&shell);
        if let Ok(body) = response.array_buffer() {
            then(&body, move |buffer| {
                // The status has said it; a body that breaks off (an error here, which makes an
                // empty array) changes nothing.
                let body = Uint8Array::new(&buffer).to_vec();
                let news = News::Posted {
                    number,
                    status,
                    retry_after_ms: 0.0,
                    body: &body,
                };
                shell.step(Input::News(news));
            });
        }
    });
}

/// Calls back with what a promise comes to, whether it is kept or broken.
fn then(promise: &JsValue, callback: impl FnMut(JsValue) + 'static) {
    let callback = Closure::<dyn FnMut(JsValue)>::new(callback).into_js_value();
    let then: Function = page::property(promise, "then").unchecked_into();
    let _ = then.call2(promise, &callback, &callback);
}
