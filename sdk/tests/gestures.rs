//! What is counted as a press, a swipe and a scroll, told to the recorder as browsers tell it, and
//! read back from the wire.

mod tab;
mod told;

use tab::{T0, Tab};
use upriver_sdk::driver::{Command, News};
use upriver_sdk::driver::{Input, Names, Recorder};
use upriver_wire::batch::{
    Custom, Descriptor, Offset, Page, PageRef, PageView, Point, Pointer, Scroll,
};
use upriver_wire::{Batch, Body, ElementId, StreamId};

#[test]
fn a_mouse_press_is_counted_once_whatever_follows() {
    let mut tab = Tab::open();
    tab.down(0.0, Pointer::Mouse, 1, 5.0, 5.0)
        .at(80.0, Input::Up(1, 5.0, 5.0))
        .click(80.0, 1);
    tab.down(200.0, Pointer::Mouse, 1, 5.0, 5.0)
        .at(250.0, Input::Up(1, 5.0, 5.0))
        .click(250.0, 2);
    // A drag makes no click.
    tab.down(400.0, Pointer::Mouse, 1, 5.0, 5.0)
        .at(900.0, Input::Up(1, 90.0, 5.0));
    assert_eq!(tab.presses(), [Pointer::Mouse; 3]);
}

#[test]
fn a_label_is_one_press_though_it_makes_two_clicks() {
    for echo in [0, 1] {
        let mut tab = Tab::open();
        tab.down(0.0, Pointer::Mouse, 1, 5.0, 5.0)
            .at(80.0, Input::Up(1, 5.0, 5.0));
        tab.click(80.0, 1).click(81.0, echo);
        assert_eq!(
            tab.presses(),
            [Pointer::Mouse],
            "with a second click of detail {echo}"
        );
    }
}

#[test]
fn a_key_is_one_press_however_long_it_is_held() {
    let mut tab = Tab::open();
    tab.at(0.0, Input::Key(false)).click(1.0, 0);
    tab.at(500.0, Input::Key(true))
        .click(501.0, 0)
        .at(530.0, Input::Key(true))
        .click(531.0, 0);
    tab.at(900.0, Input::Key(false)).click(901.0, 0);
    assert_eq!(tab.presses(), [Pointer::Keyboard; 2]);
    // Right after a pointer's click, a key still counts.
    let mut tab = Tab::open();
    tab.down(0.0, Pointer::Mouse, 1, 5.0, 5.0)
        .at(80.0, Input::Up(1, 5.0, 5.0))
        .click(80.0, 1);
    tab.at(300.0, Input::Key(false)).click(301.0, 0);
    assert_eq!(tab.presses(), [Pointer::Mouse, Pointer::Keyboard]);
}

#[test]
fn a_tap_counts_when_it_is_lifted_and_a_scroll_does_not() {
    let mut tab = Tab::open();
    tab.down(0.0, Pointer::Touch, 2, 50.0, 50.0)
        .at(70.0, Input::Up(2, 53.0, 51.0));
    tab.at(71.0, Input::TouchEnd(53.0, 51.0)).click(75.0, 1);
    // The browser takes this one over to scroll.
    tab.down(500.0, Pointer::Touch, 3, 50.0, 400.0)
        .at(520.0, Input::Move(3, 50.0, 385.0, None, true));
    tab.at(525.0, Input::Cancel(3))
        .at(600.0, Input::TouchMove(50.0, 380.0, (f64::NAN, 0.0)));
    tab.at(1_200.0, Input::TouchMove(50.0, 371.0, (f64::NAN, 0.0)))
        .at(1_400.0, Input::TouchEnd(50.0, 371.0));
    assert_eq!(tab.presses(), [Pointer::Touch]);
}

#[test]
fn a_finger_that_wandered_counts_only_if_the_browser_makes_a_click_of_it() {
    for (clicked, expected) in [(true, 1), (false, 0)] {
        let mut tab = Tab::open();
        tab.down(0.0, Pointer::Touch, 2, 50.0, 50.0)
            .at(700.0, Input::Up(2, 63.0, 50.0));
        if clicked {
            tab.click(702.0, 1);
        }
        assert_eq!(tab.presses().len(), expected);
    }
}

#[test]
fn a_click_without_pointer_counts_once() {
    let mut tab = Tab::open();
    tab.click(0.0, 1);
    assert_eq!(tab.presses(), [Pointer::Mouse]);
}

#[test]
fn a_press_stands_where_the_page_was_scrolled_to() {
    let mut tab = Tab::open();
    tab.at(0.0, Input::Wheel)
        .at(16.0, Input::Scrolled(None, (0, 120)));
    tab.at(32.0, Input::Scrolled(None, (0, 250)));
    // The press is heard before the last scroll event, but the position is read with it.
    tab.page = (0, 300);
    tab.down(40.0, Pointer::Mouse, 1, 10.0, 20.0);
    let batches = tab.batches();
    let bodies: Vec<Body> = batches
        .iter()
        .flat_map(|batch| &batch.events)
        .map(|it| it.body.clone())
        .collect();
    let [Body::PageView(_), Body::Scroll(scroll), Body::Press(press)] = &bodies[..] else {
        panic!("{bodies:?}")
    };
    assert_eq!((scroll.dy, scroll.detour, scroll.reversals), (300, 0, 0));
    assert_eq!(press.client, Point { x: 10, y: 20 });
}

#[test]
fn what_scripts_scroll_is_no_gesture_but_moves_the_page() {
    let mut tab = Tab::open();
    tab.at(0.0, Input::Scrolled(None, (0, 900)));
    tab.page = (0, 900);
    tab.down(2_000.0, Pointer::Mouse, 1, 10.0, 20.0);
    let batches = tab.batches();
    let [.., last] = &batches[..] else {
        panic!("no batch")
    };
    assert!(matches!(
        last.events[..],
        [upriver_wire::Event {
            body: Body::Press(_),
            ..
        }]
    ));
    let PageRef::Inline(Page { scroll, .. }) = &last.page else {
        panic!("{:?}", last.page)
    };
    assert_eq!(*scroll, Offset { x: 0, y: 900 });
}

/// A browser that scrolls holds back touch events and hands over the last one with the end.
#[test]
fn a_flick_is_a_swipe_though_the_browser_tells_little_of_it_and_a_rest_is_not() {
    let swipes = |told: &[(f64, f64)], end: f64| {
        let mut tab = Tab::open();
        tab.down(0.0, Pointer::Touch, 3, 50.0, 700.0)
            .at(20.0, Input::Cancel(3));
        for (ms, y) in told {
            tab.at(*ms, Input::TouchMove(50.0, *y, (f64::NAN, 0.0)));
        }
        tab.at(end, Input::TouchEnd(50.0, told[told.len() - 1].1));
        let events = tab.batches().into_iter().flat_map(|batch| batch.events);
        events
            .filter(|event| matches!(event.body, Body::Swipe(_)))
            .count()
    };
    assert_eq!(
        swipes(&[(30.0, 680.0), (219.0, 400.0)], 220.0),
        1,
        "held back"
    );
    assert_eq!(
        swipes(&[(25.0, 680.0), (35.0, 640.0), (166.0, 577.0)], 187.0),
        1,
        "told of late"
    );
    assert_eq!(
        swipes(&[(30.0, 680.0), (219.0, 400.0), (500.0, 400.0)], 501.0),
        0,
        "rested"
    );
    assert_eq!(swipes(&[(30.0, 680.0), (900.0, 600.0)], 901.0), 0, "slow");
}

#[test]
fn what_a_press_makes_a_script_scroll_is_no_gesture() {
    let scrolls = |mut tab: Tab| {
        let events = tab.batches().into_iter().flat_map(|batch| batch.events);
        events
            .filter(|event| matches!(event.body, Body::Scroll(_)))
            .count()
    };
    let mut tapped = Tab::open();
    tapped
        .down(0.0, Pointer::Touch, 2, 50.0, 50.0)
        .at(20.0, Input::TouchMove(51.0, 50.0, (f64::NAN, 0.0)))
        .at(70.0, Input::Up(2, 51.0, 50.0));
    tapped.at(71.0, Input::TouchEnd(51.0, 50.0)).click(75.0, 1);
    tapped.at(110.0, Input::Scrolled(None, (0, 0)));
    tapped.at(126.0, Input::Scrolled(None, (0, 250)));
    assert_eq!(scrolls(tapped), 0, "after a tap");

    let mut entered = Tab::open();
    entered.at(0.0, Input::Key(false)).click(1.0, 0);
    entered.at(40.0, Input::Scrolled(None, (0, 250)));
    assert_eq!(scrolls(entered), 0, "after a key");

    let mut flung = Tab::open();
    flung
        .down(0.0, Pointer::Touch, 3, 50.0, 400.0)
        .at(25.0, Input::Cancel(3))
        .at(40.0, Input::TouchMove(50.0, 300.0, (f64::NAN, 0.0)));
    flung
        .at(60.0, Input::TouchEnd(50.0, 200.0))
        .at(90.0, Input::Scrolled(None, (0, 250)));
    assert_eq!(
        scrolls(flung),
        1,
        "a fling goes on after the finger is lifted"
    );
}

#[test]
fn turning_back_is_counted_beyond_ten_pixels() {
    let mut tab = Tab::open();
    let inner = Some(ElementId(4));
    tab.at(0.0, Input::Wheel);
    for (place, y) in [40, 100, 95, 130, 60, 80].into_iter().enumerate() {
        tab.at(10.0 * place as f64, Input::Scrolled(inner, (0, y)));
    }
    let events: Vec<_> = tab
        .batches()
        .into_iter()
        .flat_map(|batch| batch.events)
        .collect();
    let [_, event] = &events[..] else {
        panic!("{events:?}")
    };
    let expected = Scroll {
        container: 1,
        dx: 0,
        dy: 80,
        detour: 150,
        reversals: 2,
        duration_ms: 50,
    };
    assert_eq!(event.body, Body::Scroll(expected));
}

#[test]
fn a_descriptor_travels_once_and_again_when_asked_for() {
    let mut tab = Tab::open();
    let described = Descriptor {
        selector: "#a".into(),
        ..Descriptor::default()
    };
    // The last of a batch whose only element it is, but for the number of events.
    let element = upriver_wire::batch::Element {
        id: ElementId(9),
        descriptor: Some(described.clone()),
    };
    let alone = Batch {
        elements: vec![element],
        ..Batch::default()
    };
    let bytes = upriver_wire::encode(&alone, 0);
    let before = upriver_wire::encode(&Batch::default(), 0).len() - 1 + 8 + 1;
    tab.recorder
        .describe(ElementId(9), &bytes[before..bytes.len() - 1]);
    let mut sent = Vec::new();
    for round in 0..3 {
        tab.down(f64::from(round) * 1_000.0, Pointer::Mouse, 1, 1.0, 1.0);
        for batch in tab.batches() {
            sent.extend(batch.elements.into_iter().map(|element| element.descriptor));
            if round == 1 {
                let (stream, first_seq) = (batch.stream, batch.first_seq);
                let need = vec![ElementId(9)];
                let ack = upriver_wire::answer::Ack {
                    stream,
                    first_seq,
                    next_seq: first_seq + 1,
                    need,
                };
                let ack = upriver_wire::envelope::encode_answer(&upriver_wire::Answer::Ack(ack));
                tab.at(1_500.0, Input::News(News::Frame(&ack)));
            }
        }
    }
    assert_eq!(sent, [Some(described.clone()), None, Some(described)]);
}

#[test]
fn scrolls_are_shed_first_and_the_page_stays_right() {
    let names = Names {
        stream: StreamId(1),
        seed: 5,
        ..Names::default()
    };
    let mut recorder = Recorder::new(names);
    recorder.step(T0, Input::View(told::shown(PageView::default()).view()));
    let mut now = T0;
    let mut commands = Vec::new();
    for round in 0..25_000 {
        now += 400.0;
        commands.extend(recorder.step(now, Input::Wheel));
        commands.extend(recorder.step(now, Input::Scrolled(None, (0, (round + 1) * 2))));
        now += 200.0;
        let custom = Custom {
            name: "e".into(),
            props: vec![],
        };
        commands.extend(recorder.step(now, Input::Custom(&told::custom(custom))));
    }
    let counts = recorder.counts();
    assert_eq!(counts.recorded, 50_001);
    assert!(counts.dropped > 0, "the queue has no bound");
    commands.extend(recorder.step(now, Input::News(News::Opened)));
    let mut kept = 0;
    let mut at = 0;
    for _ in 0..200 {
        for command in std::mem::take(&mut commands) {
            let bytes = match command {
                Command::Send(bytes) | Command::Post(_, bytes, _) => bytes,
                _ => continue,
            };
            let batch = told::read(&bytes);
            kept += batch.events.len() as u64;
            if let PageRef::Inline(page) = &batch.page {
                at = page.scroll.y;
            }
            at += batch
                .events
                .iter()
                .map(|event| match &event.body {
                    Body::Scroll(scroll) => scroll.dy,
                    _ => 0,
                })
                .sum::<i32>();
            let next_seq = batch.first_seq + batch.events.len() as u64;
            let ack = upriver_wire::answer::Ack {
                stream: batch.stream,
                first_seq: batch.first_seq,
                next_seq,
                need: vec![],
            };
            let ack = upriver_wire::envelope::encode_answer(&upriver_wire::Answer::Ack(ack));
            commands.extend(recorder.step(now, Input::News(News::Frame(&ack))));
        }
        now += 300.0;
        commands.extend(recorder.step(now, Input::Flush));
    }
    assert_eq!(kept, counts.recorded - counts.dropped);
    assert!(recorder.is_settled());
    assert!(at <= 50_000 && at > 0, "the page stands at {at}");
}
