//! A page that a test plays: it keeps count of its stream like a recorder does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use upriver_wire::batch::{
    Attention, Batch, Body, BoxPoint, Campaign, Consent, Conversion, Custom, Dead, Descriptor,
    Device, Element, ErrorPress, Event, Fault, Form, Hesitation, Identify, Impression, LongPress,
    PageRef, PageView, Path, Pinch, Point, Press, Rage, Size, Spot, Step, Thrash, Visibility,
};
use upriver_wire::{ElementId, SessionId, StreamId, ViewId, VisitorId, envelope};

/// One visitor on one page.
#[derive(Clone, Debug)]
pub struct Page {
    stream: StreamId,
    visitor: VisitorId,
    next_seq: u64,
    page: upriver_wire::batch::Page,
}

static UNIQUE: AtomicU64 = AtomicU64::new(1);

impl Page {
    /// A new visitor on a path.
    pub fn new(path: &str) -> Self {
        let number = u128::from(UNIQUE.fetch_add(1, Ordering::Relaxed));
        let process = u128::from(std::process::id());
        let id = number << 64 | process << 32 | u128::from(now_ms() as u32);
        let page = upriver_wire::batch::Page {
            view: ViewId(number as u64),
            host: "shop.example".into(),
            path: path.into(),
            device: Device::Desktop,
            viewport: Size { w: 1280, h: 800 },
            document: Size { w: 1280, h: 3000 },
            ..Default::default()
        };
        Self {
            stream: StreamId(id),
            visitor: VisitorId(id.rotate_left(13)),
            next_seq: 0,
            page,
        }
    }

    /// The same visitor, come by a campaign.
    pub fn from_campaign(mut self, campaign: &str) -> Self {
        self.page.campaign = Some(Campaign {
            source: "news".into(),
            medium: "email".into(),
            campaign: campaign.into(),
            ..Campaign::default()
        });
        self
    }

    /// The visitor.
    pub fn visitor(&self) -> VisitorId {
        self.visitor
    }

    /// A batch with these events, 1 ms apart, ending now.
    pub fn batch(&mut self, bodies: Vec<Body>) -> Batch {
        let first_seq = self.next_seq;
        self.next_seq += bodies.len() as u64;
        let button = Descriptor {
            selector: "#buy".into(),
            label: "Buy".into(),
            role: "button".into(),
            ..Descriptor::default()
        };
        Batch {
            stream: self.stream,
            visitor: self.visitor,
            session: SessionId(7),
            first_seq,
            first_ms: now_ms() - bodies.len() as u64,
            page: PageRef::Inline(self.page.clone()),
            variants: Vec::new(),
            elements: vec![Element {
                id: ElementId::of("buy"),
                descriptor: Some(button),
            }],
            events: bodies
                .into_iter()
                .map(|body| Event { delta_ms: 1, body })
                .collect(),
        }
    }

    /// That batch in the binary form, sent now.
    pub fn bytes(&mut self, bodies: Vec<Body>) -> Vec<u8> {
        envelope::encode(&self.batch(bodies), now_ms())
    }

    /// A view of another path; the visitor is there from now on.
    pub fn view(&mut self, path: &str) -> Body {
        self.page.path = path.into();
        Body::PageView(PageView {
            page: self.page.clone(),
            ..PageView::default()
        })
    }

    /// A press on the button.
    pub fn press(x: f64, y: f64) -> Body {
        Body::Press(Press {
            at: BoxPoint::new(x, y),
            client: Point { x: 100, y: 200 },
            ..Press::default()
        })
    }

    /// An event of the site's own.
    pub fn custom(name: &str) -> Body {
        Body::Custom(Custom {
            name: name.into(),
            props: Vec::new(),
        })
    }

    /// One of the kinds that are neither pressed, swiped, scrolled, viewed nor the site's own: by
    /// turns all of them.
    pub fn by_turns(number: usize) -> Body {
        let spot = Spot {
            at: BoxPoint::new(0.5, 0.5),
            client: Point { x: 100, y: 200 },
            ..Spot::default()
        };
        let (duration_ms, after_ms) = (700, 40);
        match number % 15 {
            0 => Body::LongPress(LongPress { spot, duration_ms }),
            1 => Body::Pinch(Pinch {
                spot,
                scale_percent: 130,
                duration_ms,
            }),
            2 => Body::Hesitation(Hesitation {
                spot,
                duration_ms,
                pressed: false,
            }),
            3 => Body::Path(Path {
                steps: vec![
                    Step {
                        delta_ms: 9,
                        dx: 40,
                        dy: 30
                    };
                    5
                ],
            }),
            4 => Body::Attention(Attention {
                visible_ms: 9_000,
                active_ms: 4_000,
                first_band: 17,
                bands: vec![4_000, 2_000, 1],
            }),
            5 => Body::Impression(Impression::default()),
            6 => Body::Form(Form {
                field: 1,
                fields: 1,
                ..Form::default()
            }),
            7 => Body::Rage(Rage { spot }),
            8 => Body::Dead(Dead { spot, after_ms }),
            9 => Body::ErrorPress(ErrorPress { spot, after_ms }),
            10 => Body::Thrash(Thrash {
                reversals: 6,
                distance: 2_000,
                ..Thrash::default()
            }),
            11 => Body::Fault(Fault {
                message: "x is not a function".into(),
                ..Fault::default()
            }),
            12 => Body::Visibility(Visibility {
                visible: false,
                after_ms,
            }),
            13 => Body::Consent(Consent::default()),
            _ => Body::Identify(Identify {
                user: "0f".repeat(32),
                hashed: true,
            }),
        }
    }

    /// An order.
    pub fn order(value_micros: i64) -> Body {
        Body::Conversion(Conversion {
            name: "order".into(),
            value_micros,
            currency: "EUR".into(),
            ..Conversion::default()
        })
    }
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
