//! Each named limit binds exactly where it says: at the limit a message is read, one past it it is
//! refused, in both forms.

use crate::sample;
use std::fmt::Debug;
use upriver_wire::answer::{Ack, Refused, Signal};
use upriver_wire::batch::{
    Attention, BoxPoint, Campaign, Conversion, Custom, Descriptor, Direction, Element, Fault,
    Identify, Page, PageRef, PageView, Path, Prop, Step, Value, Variant,
};
use upriver_wire::envelope::{HEADER_BYTES, VERSION, decode_answer, encode_answer};
use upriver_wire::limits::{
    BANDS_MAX, ELEMENTS_MAX, EVENTS_MAX, LABEL_BYTES_MAX, NAME_BYTES_MAX, NEED_MAX, PROPS_MAX,
    SELECTOR_BYTES_MAX, SIGNAL_BYTES_MAX, STEPS_MAX, STRING_BYTES_MAX, VARIANTS_MAX,
};
use upriver_wire::{
    Answer, Batch, Body, ElementId, Event, Refusal, StreamId, WireError, decode, encode,
    set_sent_at,
};

/// Checks that `make(limit)` is read and `make(limit + 1)` refused, binary and JSON.
fn check_batch(what: &str, limit: usize, make: impl Fn(usize) -> Batch) {
    let (fits, exceeds) = (make(limit), make(limit + 1));
    assert_eq!(
        decode(&encode(&fits, 0)).map(|(batch, _)| batch),
        Ok(fits.clone()),
        "{what}"
    );
    assert_eq!(
        decode(&encode(&exceeds, 0)),
        Err(WireError::Body),
        "{what}, one more"
    );
    check_json(what, &fits, &exceeds);
}

fn check_answer(what: &str, limit: usize, make: impl Fn(usize) -> Answer) {
    let (fits, exceeds) = (make(limit), make(limit + 1));
    assert_eq!(
        decode_answer(&encode_answer(&fits)),
        Ok(fits.clone()),
        "{what}"
    );
    assert_eq!(
        decode_answer(&encode_answer(&exceeds)),
        Err(WireError::Body),
        "{what}, one more"
    );
    check_json(what, &fits, &exceeds);
}

fn check_json<T>(what: &str, fits: &T, exceeds: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + Debug,
{
    let json = serde_json::to_string(fits).expect("JSON");
    assert_eq!(
        &serde_json::from_str::<T>(&json).expect(what),
        fits,
        "{what} as JSON"
    );
    let json = serde_json::to_string(exceeds).expect("JSON");
    let error = serde_json::from_str::<T>(&json)
        .expect_err(what)
        .to_string();
    assert!(
        error.contains("at most"),
        "{what} as JSON, one more: {error}"
    );
}

/// Text of exactly so many bytes, ending in a character of two bytes where that fits: limits
/// count bytes, not characters.
fn text(bytes: usize) -> String {
    let mut text = "a".repeat(bytes.saturating_sub(2));
    text.push_str(if bytes >= 2 { "é" } else { "" });
    text
}

#[test]
fn lists_hold_their_limit_and_no_more() {
    let event = |_| Event {
        delta_ms: 1,
        body: Body::Press(sample::press()),
    };
    check_batch("events", EVENTS_MAX, |count| Batch {
        events: (0..count).map(event).collect(),
        ..Batch::default()
    });
    check_batch("elements", ELEMENTS_MAX, |count| Batch {
        elements: vec![Element::default(); count],
        ..Batch::default()
    });
    check_batch("variants", VARIANTS_MAX, |count| Batch {
        variants: vec![Variant::default(); count],
        ..Batch::default()
    });
    let props = |count| {
        vec![
            Prop {
                name: "p".into(),
                value: Value::Flag(true)
            };
            count
        ]
    };
    check_batch("properties of a custom event", PROPS_MAX, |count| {
        sample::batch_of(Body::Custom(Custom {
            name: "c".into(),
            props: props(count),
        }))
    });
    check_batch("properties of a conversion", PROPS_MAX, |count| {
        sample::batch_of(Body::Conversion(Conversion {
            props: props(count),
            ..Conversion::default()
        }))
    });
    check_batch("steps of a path", STEPS_MAX, |count| {
        sample::batch_of(Body::Path(Path {
            steps: vec![Step::default(); count],
        }))
    });
    check_batch("bands of attention", BANDS_MAX, |count| {
        sample::batch_of(Body::Attention(Attention {
            bands: vec![7; count],
            ..Attention::default()
        }))
    });
    check_answer("needed elements", NEED_MAX, |count| {
        Answer::Ack(Ack {
            need: vec![ElementId(7); count],
            ..Ack::default()
        })
    });
}

#[test]
fn strings_hold_their_limit_and_no_more() {
    type Set = fn(&mut Page, String);
    let page_fields: [(&str, usize, Set); 8] = [
        ("release", NAME_BYTES_MAX, |page, text| page.release = text),
        ("host", STRING_BYTES_MAX, |page, text| page.host = text),
        ("path", STRING_BYTES_MAX, |page, text| page.path = text),
        ("utm_source", NAME_BYTES_MAX, |page, text| {
            campaign(page).source = text
        }),
        ("utm_medium", NAME_BYTES_MAX, |page, text| {
            campaign(page).medium = text
        }),
        ("utm_campaign", NAME_BYTES_MAX, |page, text| {
            campaign(page).campaign = text
        }),
        ("utm_term", NAME_BYTES_MAX, |page, text| {
            campaign(page).term = text
        }),
        ("utm_content", NAME_BYTES_MAX, |page, text| {
            campaign(page).content = text
        }),
    ];
    for (what, limit, set) in page_fields {
        check_batch(what, limit, |bytes| {
            let mut page = Page::default();
            set(&mut page, text(bytes));
            Batch {
                page: PageRef::Inline(page),
                ..Batch::default()
            }
        });
    }

    type Make = fn(String) -> Batch;
    let others: [(&str, usize, Make); 17] = [
        ("message of an error", STRING_BYTES_MAX, |message| {
            sample::batch_of(Body::Fault(Fault {
                message,
                ..Fault::default()
            }))
        }),
        ("script of an error", STRING_BYTES_MAX, |source| {
            sample::batch_of(Body::Fault(Fault {
                source,
                ..Fault::default()
            }))
        }),
        ("user", NAME_BYTES_MAX, |user| {
            sample::batch_of(Body::Identify(Identify {
                user,
                hashed: false,
            }))
        }),
        ("title", STRING_BYTES_MAX, |title| {
            viewed(PageView {
                title,
                ..PageView::default()
            })
        }),
        ("referrer", STRING_BYTES_MAX, |referrer| {
            viewed(PageView {
                referrer,
                ..PageView::default()
            })
        }),
        ("language", NAME_BYTES_MAX, |language| {
            viewed(PageView {
                language,
                ..PageView::default()
            })
        }),
        ("experiment", NAME_BYTES_MAX, |experiment| {
            sample::batch_of(Body::Exposure(Variant {
                experiment,
                ..Variant::default()
            }))
        }),
        ("variant", NAME_BYTES_MAX, |variant| {
            sample::batch_of(Body::Exposure(Variant {
                variant,
                ..Variant::default()
            }))
        }),
        ("selector", SELECTOR_BYTES_MAX, |selector| {
            described(Descriptor {
                selector,
                ..Descriptor::default()
            })
        }),
        ("label", LABEL_BYTES_MAX, |label| {
            described(Descriptor {
                label,
                ..Descriptor::default()
            })
        }),
        ("role", NAME_BYTES_MAX, |role| {
            described(Descriptor {
                role,
                ..Descriptor::default()
            })
        }),
        ("name of a custom event", NAME_BYTES_MAX, |name| {
            sample::batch_of(Body::Custom(Custom {
                name,
                props: vec![],
            }))
        }),
        ("name of a property", NAME_BYTES_MAX, |name| {
            prop(Prop {
                name,
                value: Value::Flag(true),
            })
        }),
        ("text of a property", STRING_BYTES_MAX, |text| {
            prop(Prop {
                name: "p".into(),
                value: Value::Text(text),
            })
        }),
        ("name of a conversion", NAME_BYTES_MAX, |name| {
            converted(Conversion {
                name,
                ..Conversion::default()
            })
        }),
        ("currency", NAME_BYTES_MAX, |currency| {
            converted(Conversion {
                currency,
                ..Conversion::default()
            })
        }),
        ("order", NAME_BYTES_MAX, |order| {
            converted(Conversion {
                order,
                ..Conversion::default()
            })
        }),
    ];
    for (what, limit, make) in others {
        check_batch(what, limit, |bytes| make(text(bytes)));
    }

    check_answer("reason", STRING_BYTES_MAX, |bytes| {
        Answer::Refused(Refused {
            stream: StreamId(1),
            first_seq: 1,
            refusal: Refusal::Bad,
            retry_after_ms: 0,
            reason: text(bytes),
        })
    });
    check_answer("name of a signal", NAME_BYTES_MAX, |bytes| {
        Answer::Signal(Signal {
            name: text(bytes),
            ..Signal::default()
        })
    });
    check_answer("payload of a signal", SIGNAL_BYTES_MAX, |bytes| {
        Answer::Signal(Signal {
            payload: text(bytes),
            ..Signal::default()
        })
    });
}

fn campaign(page: &mut Page) -> &mut Campaign {
    page.campaign.get_or_insert_default()
}

fn viewed(view: PageView) -> Batch {
    sample::batch_of(Body::PageView(view))
}

fn described(descriptor: Descriptor) -> Batch {
    let element = Element {
        id: ElementId(1),
        descriptor: Some(descriptor),
    };
    Batch {
        elements: vec![element],
        ..Batch::default()
    }
}

fn prop(prop: Prop) -> Batch {
    sample::batch_of(Body::Custom(Custom {
        name: "c".into(),
        props: vec![prop],
    }))
}

fn converted(conversion: Conversion) -> Batch {
    sample::batch_of(Body::Conversion(conversion))
}

#[test]
fn the_time_of_sending_can_be_set_again_without_decoding() {
    let batch = sample::batch();
    let mut bytes = encode(&batch, 1);
    set_sent_at(&mut bytes, sample::SENT_AT_MS);
    assert_eq!(bytes, encode(&batch, sample::SENT_AT_MS));
    assert_eq!(decode(&bytes), Ok((batch.clone(), sample::SENT_AT_MS)));

    // 48 bits: the year 10889. What does not fit is cut, and the body stays whole.
    set_sent_at(&mut bytes, u64::MAX);
    assert_eq!(decode(&bytes), Ok((batch, (1 << 48) - 1)));

    for length in 0..HEADER_BYTES {
        let mut short = vec![9; length];
        set_sent_at(&mut short, 5);
        assert_eq!(short, vec![9; length], "{length} bytes are no header");
    }
}

#[test]
fn each_way_of_being_unreadable_is_told_apart() {
    let bytes = encode(&sample::batch(), 1);
    for length in 0..HEADER_BYTES {
        assert_eq!(
            decode(&bytes[..length]),
            Err(WireError::Truncated),
            "{length} bytes"
        );
    }
    for length in HEADER_BYTES..bytes.len() {
        assert_eq!(
            decode(&bytes[..length]),
            Err(WireError::Body),
            "{length} bytes"
        );
    }
    let mut longer = bytes.clone();
    longer.extend([0; 3]);
    assert_eq!(decode(&longer), Err(WireError::Trailing(3)));
    for version in (0..=u8::MAX).filter(|version| *version != VERSION) {
        let mut other = bytes.clone();
        other[0] = version;
        assert_eq!(decode(&other), Err(WireError::Version(version)));
    }
    assert_eq!(decode_answer(&[]), Err(WireError::Truncated));
    assert_eq!(decode_answer(&[VERSION]), Err(WireError::Body));
    assert_eq!(
        decode_answer(&[VERSION + 1, 0]),
        Err(WireError::Version(VERSION + 1))
    );
}

#[test]
fn a_box_point_stays_in_its_box() {
    let cell = |x, y| BoxPoint::new(x, y).cell();
    assert_eq!(cell(0.0, 0.0), 0);
    assert_eq!(cell(1.0, 0.0), 15);
    assert_eq!(cell(0.0, 1.0), 240);
    assert_eq!(cell(1.0, 1.0), 255);
    // Every cell is 64 steps wide; its first and last step fall in it and the next one does not.
    let step = |step: u16| f64::from(step) / f64::from(BoxPoint::STEPS);
    for column in 0..16_u16 {
        assert_eq!(cell(step(column * 64), 0.0), column as u8);
        assert_eq!(cell(step(column * 64 + 63), 0.0), column as u8);
        assert_eq!(cell(0.0, step(column * 64)), column as u8 * 16);
        assert_eq!(cell(0.0, step(column * 64 + 63)), column as u8 * 16);
    }
    for (outside, edge) in [
        (-0.001, 0.0),
        (f64::NEG_INFINITY, 0.0),
        (f64::NAN, 0.0),
        (1.001, 1.0),
        (1e300, 1.0),
        (f64::INFINITY, 1.0),
    ] {
        assert_eq!(
            BoxPoint::new(outside, outside),
            BoxPoint::new(edge, edge),
            "{outside}"
        );
    }
    for number in 0..=BoxPoint::STEPS {
        let point = BoxPoint::new(step(number), 1.0 - step(number));
        assert!((f64::from(point.x()) - step(number)).abs() < 1e-6);
        assert!((f64::from(point.y()) - (1.0 - step(number))).abs() < 1e-6);
    }
}

#[test]
fn a_direction_is_that_of_the_larger_axis() {
    let check = |dx, dy, expected| assert_eq!(Direction::of(dx, dy), expected, "{dx} {dy}");
    check(0, 0, None);
    check(1, 0, Some(Direction::Right));
    check(-1, 0, Some(Direction::Left));
    check(0, 1, Some(Direction::Down));
    check(0, -1, Some(Direction::Up));
    check(-7, 6, Some(Direction::Left));
    check(7, 7, Some(Direction::Down));
    check(-7, -7, Some(Direction::Up));
    check(i32::MIN, i32::MAX, Some(Direction::Left));
}
