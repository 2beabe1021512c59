//! Arbitrary messages within the limits, for the properties. Knows the shapes, not the promises.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use upriver_wire::answer::{Ack, Refused, Signal};
use upriver_wire::batch::{
    Attention, BoxPoint, Button, Campaign, Consent, ConsentState, Conversion, Custom, Dead,
    Descriptor, Device, Element, ErrorPress, Fault, FaultKind, Form, FormStep, Hesitation, How,
    Identify, Impression, Layer, LongPress, Look, Navigation, Offset, Page, PageRef, PageView,
    Path, Pinch, Point, Pointer, Press, Prop, Rage, Scroll, Size, Spot, Step, Swipe, Thrash, Value,
    Variant, Visibility,
};
use upriver_wire::limits::{BANDS_MAX, NAME_BYTES_MAX, SIGNAL_BYTES_MAX, STRING_BYTES_MAX};
use upriver_wire::{
    Answer, Batch, Body, ElementId, Event, Refusal, SessionId, StreamId, ViewId, VisitorId,
};

pub(crate) fn batch() -> impl Strategy<Value = Batch> {
    let identity = (
        any::<u128>(),
        any::<u128>(),
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
    );
    let page = prop_oneof![Just(PageRef::None), page().prop_map(PageRef::Inline)];
    let lists = (
        vec(variant(), 0..4),
        vec(element(), 0..6),
        vec(event(), 0..20),
    );
    (identity, page, lists).prop_map(|(identity, page, (variants, elements, events))| {
        let (stream, visitor, session, first_seq, first_ms) = identity;
        Batch {
            stream: StreamId(stream),
            visitor: VisitorId(visitor),
            session: SessionId(session),
            first_seq,
            first_ms,
            page,
            variants,
            elements,
            events,
        }
    })
}

pub(crate) fn answer() -> impl Strategy<Value = Answer> {
    let ack = (
        any::<u128>(),
        any::<u64>(),
        any::<u64>(),
        vec(any::<u64>(), 0..20),
    );
    let ack = ack.prop_map(|(stream, first_seq, next_seq, need)| {
        let need = need.into_iter().map(ElementId).collect();
        Answer::Ack(Ack {
            stream: StreamId(stream),
            first_seq,
            next_seq,
            need,
        })
    });
    let refusal = prop_oneof![
        Just(Refusal::Bad),
        Just(Refusal::Forbidden),
        Just(Refusal::Later)
    ];
    let refused = (
        any::<u128>(),
        any::<u64>(),
        refusal,
        any::<u32>(),
        text(STRING_BYTES_MAX),
    );
    let refused = refused.prop_map(|(stream, first_seq, refusal, retry_after_ms, reason)| {
        let stream = StreamId(stream);
        Answer::Refused(Refused {
            stream,
            first_seq,
            refusal,
            retry_after_ms,
            reason,
        })
    });
    let signal = (
        any::<u64>(),
        text(NAME_BYTES_MAX),
        text(SIGNAL_BYTES_MAX),
        any::<u64>(),
    );
    let signal = signal.prop_map(|(id, name, payload, expires_ms)| {
        Answer::Signal(Signal {
            id,
            name,
            payload,
            expires_ms,
        })
    });
    prop_oneof![ack, refused, signal]
}

/// Text of any characters, quotes, controls and astral planes included.
fn text(bytes_max: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..24).prop_map(move |characters| {
        let mut text = String::new();
        for character in characters {
            if text.len() + character.len_utf8() <= bytes_max {
                text.push(character);
            }
        }
        text
    })
}

fn name() -> impl Strategy<Value = String> {
    text(NAME_BYTES_MAX)
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u32>(), body()).prop_map(|(delta_ms, body)| Event { delta_ms, body })
}

fn body() -> impl Strategy<Value = Body> {
    let props = || vec(prop(), 0..4);
    let page_view = (
        page(),
        navigation(),
        text(STRING_BYTES_MAX),
        text(STRING_BYTES_MAX),
        name(),
    )
        .prop_map(|(page, navigation, title, referrer, language)| PageView {
            page,
            navigation,
            title,
            referrer,
            language,
        });
    let conversion = (name(), any::<i64>(), name(), name(), props()).prop_map(
        |(name, value_micros, currency, order, props)| Conversion {
            name,
            value_micros,
            currency,
            order,
            props,
        },
    );
    prop_oneof![
        page_view.prop_map(Body::PageView),
        press().prop_map(Body::Press),
        scroll().prop_map(Body::Scroll),
        swipe().prop_map(Body::Swipe),
        (name(), props()).prop_map(|(name, props)| Body::Custom(Custom { name, props })),
        conversion.prop_map(Body::Conversion),
        variant().prop_map(Body::Exposure),
        more_gestures(),
        interest(),
        trouble(),
        states(),
    ]
}

fn more_gestures() -> impl Strategy<Value = Body> {
    let ms = any::<u32>;
    prop_oneof![
        (spot(), ms())
            .prop_map(|(spot, duration_ms)| { Body::LongPress(LongPress { spot, duration_ms }) }),
        (spot(), ms(), ms()).prop_map(|(spot, scale_percent, duration_ms)| {
            Body::Pinch(Pinch {
                spot,
                scale_percent,
                duration_ms,
            })
        }),
        (spot(), ms(), any::<bool>()).prop_map(|(spot, duration_ms, pressed)| {
            Body::Hesitation(Hesitation {
                spot,
                duration_ms,
                pressed,
            })
        }),
        vec(any::<(u32, i32, i32)>(), 0..12).prop_map(|steps| {
            let step = |(delta_ms, dx, dy)| Step { delta_ms, dx, dy };
            let steps = steps.into_iter().map(step).collect();
            Body::Path(Path { steps })
        }),
    ]
}

fn interest() -> impl Strategy<Value = Body> {
    let attention = (any::<(u32, u32, u8)>(), vec(any::<u32>(), 0..=BANDS_MAX));
    let attention = attention.prop_map(|((visible_ms, active_ms, first_band), bands)| {
        Body::Attention(Attention {
            visible_ms,
            active_ms,
            first_band,
            bands,
        })
    });
    let impression = (any::<(u16, u32)>(), size(), any::<(i32, i32, u16)>());
    let impression = impression.prop_map(|((element, background), size, (x, y, radius))| {
        let look = Look {
            background,
            size,
            x,
            y,
            radius,
        };
        Body::Impression(Impression { element, look })
    });
    let step = prop_oneof![
        Just(FormStep::Start),
        Just(FormStep::Submit),
        Just(FormStep::Abandon)
    ];
    let form = (any::<(u16, u16, u16, u32)>(), step);
    let form = form.prop_map(|((element, field, fields, duration_ms), step)| {
        Body::Form(Form {
            element,
            field,
            step,
            fields,
            duration_ms,
        })
    });
    prop_oneof![attention, impression, form]
}

fn trouble() -> impl Strategy<Value = Body> {
    let ms = any::<u32>;
    let thrash = (point(), any::<u16>(), ms(), ms());
    let thrash = thrash.prop_map(|(client, reversals, distance, duration_ms)| {
        Body::Thrash(Thrash {
            client,
            reversals,
            distance,
            duration_ms,
        })
    });
    let kind = prop_oneof![Just(FaultKind::Error), Just(FaultKind::Rejection)];
    let told = (text(STRING_BYTES_MAX), text(STRING_BYTES_MAX));
    let fault = (kind, told, any::<(u32, u32)>());
    let fault = fault.prop_map(|(kind, (message, source), (line, column))| {
        Body::Fault(Fault {
            kind,
            message,
            source,
            line,
            column,
        })
    });
    prop_oneof![
        spot().prop_map(|spot| Body::Rage(Rage { spot })),
        (spot(), ms()).prop_map(|(spot, after_ms)| Body::Dead(Dead { spot, after_ms })),
        (spot(), ms()).prop_map(|(spot, after_ms)| Body::ErrorPress(ErrorPress { spot, after_ms })),
        thrash,
        fault,
    ]
}

fn states() -> impl Strategy<Value = Body> {
    let state = prop_oneof![Just(ConsentState::Granted), Just(ConsentState::Cookieless)];
    prop_oneof![
        any::<(bool, u32)>()
            .prop_map(|(visible, after_ms)| Body::Visibility(Visibility { visible, after_ms })),
        state.prop_map(|state| Body::Consent(Consent { state })),
        (name(), any::<bool>())
            .prop_map(|(user, hashed)| Body::Identify(Identify { user, hashed })),
    ]
}

fn spot() -> impl Strategy<Value = Spot> {
    (any::<u16>(), place(), point(), how()).prop_map(|(element, at, client, how)| Spot {
        element,
        at,
        client,
        how,
    })
}

fn press() -> impl Strategy<Value = Press> {
    (any::<u16>(), place(), point(), how()).prop_map(|(element, at, client, how)| Press {
        element,
        at,
        client,
        how,
    })
}

fn scroll() -> impl Strategy<Value = Scroll> {
    let movement = (any::<i32>(), any::<i32>(), any::<u32>());
    (any::<u16>(), movement, any::<u16>(), any::<u32>()).prop_map(
        |(container, (dx, dy, detour), reversals, duration_ms)| Scroll {
            container,
            dx,
            dy,
            detour,
            reversals,
            duration_ms,
        },
    )
}

fn swipe() -> impl Strategy<Value = Swipe> {
    let movement = (any::<i32>(), any::<i32>(), any::<u32>(), any::<u32>());
    (press(), movement).prop_map(|(start, (dx, dy, duration_ms, release_px_s))| {
        let Press {
            element,
            at,
            client,
            how,
        } = start;
        Swipe {
            element,
            at,
            client,
            dx,
            dy,
            duration_ms,
            release_px_s,
            how,
        }
    })
}

fn page() -> impl Strategy<Value = Page> {
    let device = prop_oneof![
        Just(Device::Other),
        Just(Device::Desktop),
        Just(Device::Tablet),
        Just(Device::Phone)
    ];
    let named = (any::<u64>(), text(STRING_BYTES_MAX), text(STRING_BYTES_MAX));
    let scroll = any::<(i32, i32)>().prop_map(|(x, y)| Offset { x, y });
    let measures = (size(), size(), scroll, any::<u16>(), name());
    (named, option::of(campaign()), device, measures).prop_map(
        |((view, host, path), campaign, device, (viewport, document, scroll, ratio, release))| {
            Page {
                view: ViewId(view),
                host,
                path,
                campaign,
                device,
                viewport,
                document,
                scroll,
                pixel_ratio_percent: ratio,
                release,
            }
        },
    )
}

fn campaign() -> impl Strategy<Value = Campaign> {
    (name(), name(), name(), name(), name()).prop_map(
        |(source, medium, campaign, term, content)| Campaign {
            source,
            medium,
            campaign,
            term,
            content,
        },
    )
}

fn element() -> impl Strategy<Value = Element> {
    let look = (any::<u32>(), size(), point(), any::<u16>());
    let descriptor = (text(512), text(128), name(), look).prop_map(
        |(selector, label, role, (background, size, place, radius))| Descriptor {
            selector,
            label,
            role,
            background,
            size,
            place,
            radius,
        },
    );
    (any::<u64>(), option::of(descriptor)).prop_map(|(id, descriptor)| Element {
        id: ElementId(id),
        descriptor,
    })
}

fn prop() -> impl Strategy<Value = Prop> {
    let value = prop_oneof![
        text(STRING_BYTES_MAX).prop_map(Value::Text),
        // JSON has no NaN and no infinity.
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Value::Number),
        any::<bool>().prop_map(Value::Flag),
    ];
    (name(), value).prop_map(|(name, value)| Prop { name, value })
}

fn variant() -> impl Strategy<Value = Variant> {
    (name(), name()).prop_map(|(experiment, variant)| Variant {
        experiment,
        variant,
    })
}

fn navigation() -> impl Strategy<Value = Navigation> {
    prop_oneof![
        Just(Navigation::Load),
        Just(Navigation::Route),
        Just(Navigation::Restore)
    ]
}

fn size() -> impl Strategy<Value = Size> {
    any::<(u32, u32)>().prop_map(|(w, h)| Size { w, h })
}

fn point() -> impl Strategy<Value = Point> {
    any::<(u32, u32)>().prop_map(|(x, y)| Point { x, y })
}

fn place() -> impl Strategy<Value = BoxPoint> {
    (0.0..=1.0, 0.0..=1.0).prop_map(|(x, y)| BoxPoint::new(x, y))
}

fn how() -> impl Strategy<Value = How> {
    let pointer = prop_oneof![
        Just(Pointer::Mouse),
        Just(Pointer::Touch),
        Just(Pointer::Pen),
        Just(Pointer::Keyboard)
    ];
    let layer = prop_oneof![
        Just(Layer::Flow),
        Just(Layer::Fixed),
        Just(Layer::Stuck),
        Just(Layer::Top)
    ];
    let button = prop_oneof![
        Just(Button::Primary),
        Just(Button::Middle),
        Just(Button::Secondary),
        Just(Button::Other)
    ];
    (pointer, layer, button).prop_map(|(pointer, layer, button)| How {
        pointer,
        layer,
        button,
    })
}
