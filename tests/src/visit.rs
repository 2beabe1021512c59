//! A visit told second by second, at any time of the last two days: what a test knows the answers of.

use upriver_wire::batch::{
    Attention, Batch, Body, BoxPoint, Campaign, Conversion, Custom, Dead, Descriptor, Device,
    Element, ErrorPress, Event, Fault, Form, FormStep, Hesitation, How, Identify, Impression, Look,
    Navigation, Page, PageRef, PageView, Path, Point, Pointer, Press, Prop, Rage, Scroll, Size,
    Spot, Step, Swipe, Value, Variant,
};
use upriver_wire::{ElementId, SessionId, StreamId, ViewId, VisitorId, envelope};

/// An element of a page, as a visit names it.
#[derive(Clone, Copy, Debug)]
pub struct Thing {
    /// Its selector, which is also its identity.
    pub selector: &'static str,
    /// Its label.
    pub label: &'static str,
    /// Its role.
    pub role: &'static str,
    /// Its background, `0xRRGGBB`.
    pub background: u32,
}

/// One visit of one visitor.
#[derive(Clone, Debug)]
pub struct Visit {
    start_ms: u64,
    last_ms: u64,
    page: Page,
    batch: Batch,
}

impl Visit {
    /// A visit that begins at a time (Unix ms). `visitor` and `session` are small numbers that the
    /// test chose; the stream is named after both.
    pub fn new(visitor: u128, session: u64, start_ms: u64, device: Device) -> Self {
        let (w, h) = match device {
            Device::Phone => (390, 844),
            Device::Tablet => (820, 1_180),
            Device::Desktop | Device::Other => (1_280, 800),
        };
        let page = Page {
            view: ViewId(session * 100),
            host: "shop.example".into(),
            device,
            viewport: Size { w, h },
            document: Size { w, h: 3_000 },
            ..Page::default()
        };
        let batch = Batch {
            stream: StreamId(visitor << 64 | u128::from(session)),
            visitor: VisitorId(visitor),
            session: SessionId(session),
            first_ms: start_ms,
            page: PageRef::None,
            ..Batch::default()
        };
        Self {
            start_ms,
            last_ms: start_ms,
            page,
            batch,
        }
    }

    /// Whose it is.
    pub fn visitor(&self) -> u128 {
        self.batch.visitor.0
    }

    /// It came by a campaign.
    pub fn campaign(mut self, source: &str, medium: &str, campaign: &str) -> Self {
        self.page.campaign = Some(Campaign {
            source: source.into(),
            medium: medium.into(),
            campaign: campaign.into(),
            ..Campaign::default()
        });
        self
    }

    /// The site is of this release from here on.
    pub fn release(mut self, release: &str) -> Self {
        self.page.release = release.into();
        self
    }

    /// A variant that an earlier visit had been shown.
    pub fn shown_before(mut self, experiment: &str, variant: &str) -> Self {
        self.batch.variants.push(Variant {
            experiment: experiment.into(),
            variant: variant.into(),
        });
        self
    }

    /// A page is shown, `second` seconds into the visit.
    pub fn view(mut self, second: u64, path: &str) -> Self {
        self.page.path = path.into();
        self.page.view = ViewId(self.page.view.0 + 1);
        let view = PageView {
            page: self.page.clone(),
            navigation: Navigation::Load,
            ..PageView::default()
        };
        self.event(second, Body::PageView(view))
    }

    /// A variant is shown.
    pub fn exposure(self, second: u64, experiment: &str, variant: &str) -> Self {
        let shown = Variant {
            experiment: experiment.into(),
            variant: variant.into(),
        };
        self.event(second, Body::Exposure(shown))
    }

    /// A press in an element, at a fraction of its width and half its height.
    pub fn press(mut self, second: u64, thing: Thing, x: f64) -> Self {
        let press = Press {
            element: self.element(thing),
            at: BoxPoint::new(x, 0.5),
            client: Point { x: 100, y: 200 },
            ..Press::default()
        };
        self.event(second, Body::Press(press))
    }

    /// A swipe across an element that begins at a place in the window.
    pub fn swipe(mut self, second: u64, thing: Thing, client: (u32, u32), dx: i32) -> Self {
        let swipe = Swipe {
            element: self.element(thing),
            at: BoxPoint::new(0.5, 0.5),
            client: Point {
                x: client.0,
                y: client.1,
            },
            dx,
            duration_ms: 200,
            release_px_s: 900,
            how: How {
                pointer: Pointer::Touch,
                ..How::default()
            },
            ..Swipe::default()
        };
        self.event(second, Body::Swipe(swipe))
    }

    /// A scroll of the page, or of an inner scroller.
    pub fn scroll(mut self, second: u64, inner: Option<Thing>, dx: i32, dy: i32) -> Self {
        let scroll = Scroll {
            container: inner.map_or(0, |thing| 1 + self.element(thing)),
            dx,
            dy,
            duration_ms: 300,
            ..Scroll::default()
        };
        self.event(second, Body::Scroll(scroll))
    }

    /// An event of the site's own with one property.
    pub fn custom(self, second: u64, name: &str, prop: (&str, &str)) -> Self {
        let custom = Custom {
            name: name.into(),
            props: vec![Prop {
                name: prop.0.into(),
                value: Value::Text(prop.1.into()),
            }],
        };
        self.event(second, Body::Custom(custom))
    }

    /// An order of so many euros.
    pub fn order(self, second: u64, euros: i64, number: &str) -> Self {
        let conversion = Conversion {
            name: "order".into(),
            value_micros: euros * 1_000_000,
            currency: "EUR".into(),
            order: number.into(),
            ..Conversion::default()
        };
        self.event(second, Body::Conversion(conversion))
    }

    /// A pointer leaves an element on which it had rested.
    pub fn hesitation(
        mut self,
        second: u64,
        thing: Thing,
        duration_ms: u32,
        pressed: bool,
    ) -> Self {
        let rest = Hesitation {
            spot: self.spot(thing),
            duration_ms,
            pressed,
        };
        self.event(second, Body::Hesitation(rest))
    }

    /// An element is seen, in a look of its own.
    pub fn impression(mut self, second: u64, thing: Thing, look: Look) -> Self {
        let element = self.element(thing);
        self.event(second, Body::Impression(Impression { element, look }))
    }

    /// How long the page was looked at: visible, active, and each band from the first.
    pub fn attention(
        self,
        second: u64,
        (visible_s, active_s): (u32, u32),
        first_band: u8,
        bands_s: &[u32],
    ) -> Self {
        let attention = Attention {
            visible_ms: visible_s * 1_000,
            active_ms: active_s * 1_000,
            first_band,
            bands: bands_s.iter().map(|seconds| seconds * 1_000).collect(),
        };
        self.event(second, Body::Attention(attention))
    }

    /// A form comes to a step, with a field used last and so many used so far.
    pub fn form(
        mut self,
        second: u64,
        form: Thing,
        step: FormStep,
        (field, fields): (Thing, u16),
        seconds: u32,
    ) -> Self {
        let step = Form {
            element: self.element(form),
            field: 1 + self.element(field),
            step,
            fields,
            duration_ms: seconds * 1_000,
        };
        self.event(second, Body::Form(step))
    }

    /// The third press of a quick burst.
    pub fn rage(mut self, second: u64, thing: Thing) -> Self {
        let spot = self.spot(thing);
        self.event(second, Body::Rage(Rage { spot }))
    }

    /// It is known that a press so long ago had no effect.
    pub fn dead(mut self, second: u64, thing: Thing, after_ms: u32) -> Self {
        let spot = self.spot(thing);
        self.event(second, Body::Dead(Dead { spot, after_ms }))
    }

    /// A press is followed by an error.
    pub fn error_press(mut self, second: u64, thing: Thing, after_ms: u32) -> Self {
        let spot = self.spot(thing);
        self.event(second, Body::ErrorPress(ErrorPress { spot, after_ms }))
    }

    /// An error of a script.
    pub fn fault(self, second: u64, message: &str, source: &str, line: u32) -> Self {
        let fault = Fault {
            message: message.into(),
            source: source.into(),
            line,
            ..Fault::default()
        };
        self.event(second, Body::Fault(fault))
    }

    /// The way of a pointer: milliseconds and pixels from step to step.
    pub fn path(self, second: u64, steps: &[(u32, i32, i32)]) -> Self {
        let step = |&(delta_ms, dx, dy): &(u32, i32, i32)| Step { delta_ms, dx, dy };
        let steps = steps.iter().map(step).collect();
        self.event(second, Body::Path(Path { steps }))
    }

    /// The site says who it is.
    pub fn identify(self, second: u64, user: &str) -> Self {
        let identify = Identify {
            user: user.into(),
            hashed: false,
        };
        self.event(second, Body::Identify(identify))
    }

    /// All of it in the binary form. The time of sending is left out, so that nothing is added to
    /// the times.
    pub fn bytes(&self) -> Vec<u8> {
        envelope::encode(&self.batch, 0)
    }

    /// How many events it has.
    pub fn events(&self) -> u64 {
        self.batch.events.len() as u64
    }

    fn spot(&mut self, thing: Thing) -> Spot {
        Spot {
            element: self.element(thing),
            at: BoxPoint::new(0.5, 0.5),
            client: Point { x: 100, y: 200 },
            ..Spot::default()
        }
    }

    fn element(&mut self, thing: Thing) -> u16 {
        let id = ElementId::of(thing.selector);
        let known = self.batch.elements.iter().position(|e| e.id == id);
        let place = known.unwrap_or_else(|| {
            let descriptor = Descriptor {
                selector: thing.selector.into(),
                label: thing.label.into(),
                role: thing.role.into(),
                background: thing.background,
                ..Descriptor::default()
            };
            self.batch.elements.push(Element {
                id,
                descriptor: Some(descriptor),
            });
            self.batch.elements.len() - 1
        });
        place as u16
    }

    fn event(mut self, second: u64, body: Body) -> Self {
        let time_ms = self.start_ms + second * 1_000;
        let delta_ms = (time_ms - self.last_ms) as u32;
        self.last_ms = time_ms;
        self.batch.events.push(Event { delta_ms, body });
        self
    }
}
