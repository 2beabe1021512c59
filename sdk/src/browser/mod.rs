//! The shell: the page's clock, its timer, and the way from an event to the recorder and back.
//!
//! Owns everything that touches the browser, in its files: [`listeners`] hears, [`dom`] reads
//! elements, [`page`] reads the address and the window, [`names`] keeps who visits, [`transport`]
//! moves bytes. Refuses to decide anything the recorder can decide.

mod dom;
mod listeners;
mod names;
mod page;
mod transport;

use crate::recorder::{Input, Recorder};
use crate::retry::Random;
use crate::uplink::{Command, Transport};
use crate::visit::Visit;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use js_sys::Function;
use upriver_wire::batch::Navigation;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, Performance, Window};

/// A page that is routed to is read this long afterwards, when its title and size are its own.
const ROUTE_SETTLE_MS: f64 = 50.0;

/// How the site wants it.
pub(crate) struct Options {
    /// Address of the collector, without `/` at its end.
    pub(crate) endpoint: String,
    /// The site's write key.
    pub(crate) key: String,
    /// Query parameters that may travel.
    pub(crate) allowed: Vec<String>,
    /// Told whenever the numbers change.
    pub(crate) changed: Function,
}

/// One page's recorder with all that it listens to.
pub(crate) struct Shell {
    window: Window,
    document: Document,
    performance: Performance,
    /// Unix time of the page's clock 0. Taken once: the clock must not jump with the system's.
    origin_ms: f64,
    options: Options,
    recorder: RefCell<Recorder>,
    visit: RefCell<Visit>,
    visit_saved_ms: Cell<f64>,
    random: RefCell<Random>,
    path: RefCell<String>,
    routed_ms: Cell<Option<f64>>,
    timer: RefCell<Option<Function>>,
    timer_due: Cell<Option<(i32, f64)>>,
    told: Cell<(u64, Transport)>,
    listener: RefCell<Option<Function>>,
    socket: RefCell<Option<transport::Socket>>,
}

impl Shell {
    /// Starts recording; `at`: when the site asked for it.
    pub(crate) fn start(window: Window, at: f64, options: Options) -> Rc<Self> {
        // A page without these is none; the TypeScript never loads this module elsewhere.
        let document: Document = page::property(&window, "document").unchecked_into();
        let performance: Performance = page::property(&window, "performance").unchecked_into();
        let origin_ms = (js_sys::Date::now() - performance.now()).max(0.0);
        let mut random = names::random(&window);
        let (visit, query) = names::visit(&window, &options, origin_ms + at, &mut random);
        let names = names::names(&window, &visit, &mut random);
        let shell = Rc::new(Self {
            recorder: RefCell::new(Recorder::new(names)),
            window,
            document,
            performance,
            origin_ms,
            options,
            visit: RefCell::new(visit),
            visit_saved_ms: Cell::new(origin_ms + at),
            random: RefCell::new(random),
            path: RefCell::default(),
            routed_ms: Cell::default(),
            timer: RefCell::default(),
            timer_due: Cell::default(),
            told: Cell::default(),
            listener: RefCell::default(),
            socket: RefCell::default(),
        });
        let timer = {
            let shell = Rc::clone(&shell);
            Closure::<dyn FnMut()>::new(move || {
                shell.timer_due.set(None);
                shell.step(Input::Tick);
            })
        };
        *shell.timer.borrow_mut() = Some(timer.into_js_value().unchecked_into());
        shell.view(shell.origin_ms + at, Navigation::Load, query);
        listeners::listen(&shell);
        shell.step(Input::Tick);
        shell
    }

    /// Now, Unix ms by the page's clock.
    fn now_ms(&self) -> f64 {
        self.origin_ms + self.performance.now()
    }

    /// Takes an input that happens now.
    pub(crate) fn step(self: &Rc<Self>, input: Input<'_>) {
        self.settle_route(false);
        self.step_at(self.now_ms(), input);
    }

    /// Takes something a person or the site did, at a time of the page's clock.
    pub(crate) fn record(self: &Rc<Self>, at: f64, input: Input<'_>) {
        self.settle_route(true);
        self.alive(self.origin_ms + at);
        self.step_at(self.origin_ms + at, input);
    }

    fn step_at(self: &Rc<Self>, now_ms: f64, input: Input<'_>) {
        let commands = self.recorder.borrow_mut().step(now_ms, input);
        for command in commands {
            match command {
                Command::Open => transport::open(self),
                Command::Close => *self.socket.borrow_mut() = None,
                Command::Send(bytes) => transport::send(self, &bytes),
                Command::Post(number, bytes, keepalive) => {
                    transport::post(self, number, &bytes, keepalive);
                }
            }
        }
        self.arm();
        self.tell();
    }

    /// Sets the one timer to when something is due next.
    fn arm(&self) {
        let route = self.routed_ms.get().map(|ms| ms + ROUTE_SETTLE_MS);
        let due = self
            .recorder
            .borrow_mut()
            .due_ms()
            .into_iter()
            .chain(route)
            .reduce(f64::min);
        let Some(due) = due else { return };
        if let Some((handle, set)) = self.timer_due.get() {
            if set <= due {
                return;
            }
            self.window.clear_timeout_with_handle(handle);
        }
        let wait = (due - self.now_ms()).clamp(0.0, 600_000.0) as i32;
        if let Some(timer) = &*self.timer.borrow() {
            let set = self
                .window
                .set_timeout_with_callback_and_timeout_and_arguments_0(timer, wait + 1);
            self.timer_due.set(set.ok().map(|handle| (handle, due)));
        }
    }

    /// Tells the site's listeners when the numbers have changed.
    fn tell(&self) {
        let state = {
            let recorder = self.recorder.borrow();
            let counts = recorder.counts();
            (
                counts.acked + counts.dropped + counts.refused,
                recorder.transport(),
            )
        };
        if self.told.replace(state) != state {
            let _ = self.options.changed.call0(&JsValue::NULL);
        }
    }

    /// See the exports.
    pub(crate) fn stat(&self, which: u8) -> f64 {
        let recorder = self.recorder.borrow();
        let counts = recorder.counts();
        match which {
            0 => counts.recorded as f64,
            1 => counts.acked as f64,
            2 => counts.dropped as f64,
            3 => counts.refused as f64,
            _ => f64::from(recorder.transport() as u8),
        }
    }

    /// The address may have changed (`route`), or the site says that this is another page.
    pub(crate) fn routed(self: &Rc<Self>, at: f64, route: bool) {
        let now_ms = self.origin_ms + at;
        if route {
            if self.routed_ms.get().is_none() && page::path(self) != *self.path.borrow() {
                self.routed_ms.set(Some(now_ms));
                self.arm();
            }
        } else {
            self.routed_ms.set(None);
            self.alive(now_ms);
            self.view(now_ms, Navigation::Route, page::path(self));
        }
    }

    /// Records the page that was routed to, once it has settled or (`now`) before what follows.
    fn settle_route(self: &Rc<Self>, now: bool) {
        if let Some(ms) = self.routed_ms.get()
            && (now || self.now_ms() >= ms + ROUTE_SETTLE_MS)
        {
            self.routed_ms.set(None);
            self.alive(ms);
            self.view(ms, Navigation::Route, page::path(self));
        }
    }

    fn view(self: &Rc<Self>, now_ms: f64, navigation: Navigation, path: String) {
        let view = page::view(self, navigation, path.clone());
        *self.path.borrow_mut() = path;
        self.step_at(now_ms, Input::View(view));
    }

    /// Somebody is there: the visit goes on, or another begins.
    fn alive(self: &Rc<Self>, now_ms: f64) {
        if let Some(visit) = names::continued(self, now_ms) {
            let input = Input::Session(visit.session, visit.campaign);
            self.step_at(now_ms, input);
        }
    }

    /// Records nothing more.
    pub(crate) fn stop(self: &Rc<Self>) {
        listeners::unlisten(self);
        self.step(Input::Stop);
    }
}
