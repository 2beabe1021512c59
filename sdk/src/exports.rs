//! What the hand-written TypeScript in `npm/` calls. The only file with `#[wasm_bindgen]`.
//!
//! Times are milliseconds of `performance.now()`: calls made before the module was there are handed
//! over with the time they were made.

use crate::browser::{Options, Shell};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use js_sys::{Array, Function};
use upriver_wire::batch::{Conversion, Custom, Prop, Value, Variant};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::recorder::Input;

// A safe constructor, and about 1.3 KB of code before compression.
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// The recorder of this page, listening.
#[wasm_bindgen]
pub struct Page(Rc<Shell>);

#[wasm_bindgen]
impl Page {
    /// Starts recording. `endpoint`: address of the collector without `/` at its end; `allowed`:
    /// names of query parameters that may travel, with commas between; `changed`: called whenever
    /// [`Self::stat`] answers otherwise than before.
    #[wasm_bindgen(constructor)]
    pub fn new(
        window: web_sys::Window,
        at: f64,
        endpoint: String,
        key: String,
        allowed: String,
        changed: Function,
    ) -> Self {
        let allowed = allowed
            .split(',')
            .filter(|name| !name.is_empty())
            .map(String::from)
            .collect();
        Self(Shell::start(
            window,
            at,
            Options {
                endpoint,
                key,
                allowed,
                changed,
            },
        ))
    }

    /// Records the site's own event. `props`: name, value, name, value…
    pub fn track(&self, at: f64, name: String, props: &Array) {
        self.0.record(
            at,
            Input::Custom(Custom {
                name,
                props: read(props),
            }),
        );
    }

    /// Records a conversion.
    pub fn convert(
        &self,
        at: f64,
        name: String,
        value_micros: f64,
        currency: String,
        order: String,
        props: &Array,
    ) {
        let value_micros = value_micros as i64;
        let props = read(props);
        let conversion = Conversion {
            name,
            value_micros,
            currency,
            order,
            props,
        };
        self.0.record(at, Input::Conversion(conversion));
    }

    /// Records that a variant is shown.
    pub fn expose(&self, at: f64, experiment: String, variant: String) {
        self.0.record(
            at,
            Input::Exposure(Variant {
                experiment,
                variant,
            }),
        );
    }

    /// Records a page view. `route`: only if the address has changed.
    pub fn view(&self, at: f64, route: bool) {
        self.0.routed(at, route);
    }

    /// Sends without waiting.
    pub fn flush(&self) {
        self.0.step(Input::Flush);
    }

    /// Records nothing more, sends what there is, listens no longer.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// 0 recorded, 1 acked, 2 dropped, 3 refused: numbers of events; 4: number of the transport.
    pub fn stat(&self, which: u8) -> f64 {
        self.0.stat(which)
    }
}

fn read(props: &Array) -> Vec<Prop> {
    let mut read = Vec::new();
    let mut place = 0;
    while place + 1 < props.length() {
        let value = props.get(place + 1);
        let value = match (value.as_string(), value.as_f64()) {
            (Some(text), _) => Value::Text(text),
            (_, Some(number)) => Value::Number(number),
            _ => Value::Flag(value.is_truthy()),
        };
        if let Some(name) = props.get(place).as_string() {
            read.push(Prop { name, value });
        }
        place += 2;
    }
    read
}
