//! What a pointer does besides pressing, told to the recorder as browsers tell it, and read back
//! from the wire: hesitation, long presses, pinches, and the way of a mouse.

mod tab;
mod told;

use tab::Tab;
use upriver_sdk::driver::Input;
use upriver_sdk::driver::News;
use upriver_sdk::driver::{Down, Target};
use upriver_wire::batch::{Hesitation, LongPress, Pinch, Point, Pointer, Step};
use upriver_wire::{Body, ElementId};

/// A mouse is moved over an element (0: none).
fn mouse(tab: &mut Tab, ms: f64, x: f64, y: f64, over: i32) {
    tab.at(ms, Input::Move(1, x, y, Some(over), true));
    look(tab, ms, true);
}

/// The timer of a page: the recorder is asked whether it wants to know where the pointer is.
fn look(tab: &mut Tab, ms: f64, there: bool) {
    let wanted = tab.recorder.look(tab::T0 + ms);
    if wanted > 0 && !there {
        tab.at(ms, Input::Away);
    } else if wanted == 1 {
        let target = Target {
            element: ElementId(9),
            interactive: true,
            ..Target::default()
        };
        let down = Down {
            x: 30.0,
            y: 20.0,
            target,
            ..Down::default()
        };
        tab.at(ms, Input::Rests(down));
    }
}

fn hesitations(tab: &mut Tab) -> Vec<(f64, Hesitation)> {
    let events = tab.events().into_iter();
    events
        .filter_map(|(ms, body)| match body {
            Body::Hesitation(it) => Some((ms, it)),
            _ => None,
        })
        .collect()
}

#[test]
fn resting_over_an_element_for_half_a_second_is_a_hesitation_until_it_leaves() {
    for (rest, left, expected) in [
        (499.0, 499.0, None),
        (500.0, 501.0, Some(501)),
        (600.0, 2_300.0, Some(2_300)),
    ] {
        let mut tab = Tab::open();
        mouse(&mut tab, 0.0, 5.0, 5.0, 0);
        mouse(&mut tab, 100.0, 30.0, 20.0, 4);
        // Moving inside is being over it.
        mouse(&mut tab, 300.0, 33.0, 20.0, 4);
        look(&mut tab, 100.0 + rest, true);
        mouse(&mut tab, 100.0 + left, 90.0, 20.0, 0);
        let told = hesitations(&mut tab);
        let durations: Vec<_> = told.iter().map(|(_, it)| it.duration_ms).collect();
        assert_eq!(durations, Vec::from_iter(expected), "rested for {rest} ms");
        if let Some((ms, it)) = told.first() {
            assert_eq!(*ms, 100.0 + left);
            assert!(!it.pressed);
            assert_eq!(it.spot.client, Point { x: 30, y: 20 });
        }
    }
}

#[test]
fn a_hesitation_says_whether_it_was_pressed_and_a_prompt_press_is_none() {
    let stay = |pressed_ms: Option<f64>| {
        let mut tab = Tab::open();
        mouse(&mut tab, 100.0, 30.0, 20.0, 4);
        for ms in [200.0, 650.0, 900.0] {
            if pressed_ms == Some(ms) {
                tab.down(ms, Pointer::Mouse, 1, 30.0, 20.0);
                tab.at(ms + 50.0, Input::Up(1, 30.0, 20.0));
            }
            look(&mut tab, ms + 60.0, true);
        }
        mouse(&mut tab, 2_000.0, 200.0, 200.0, 7);
        let told = hesitations(&mut tab);
        told.iter().map(|(_, it)| it.pressed).collect::<Vec<_>>()
    };
    assert_eq!(stay(None), [false]);
    assert_eq!(stay(Some(900.0)), [true]);
    assert_eq!(
        stay(Some(200.0)),
        [false; 0],
        "pressed within half a second"
    );
}

#[test]
fn a_hesitation_ends_when_the_pointer_is_gone_or_the_page_is_left() {
    let mut tab = Tab::open();
    mouse(&mut tab, 0.0, 30.0, 20.0, 4);
    look(&mut tab, 500.0, true);
    look(&mut tab, 1_500.0, true);
    look(&mut tab, 2_500.0, false);
    let told = hesitations(&mut tab);
    assert_eq!(told[0].1.duration_ms, 2_500, "the window was left");

    let mut tab = Tab::open();
    mouse(&mut tab, 0.0, 30.0, 20.0, 4);
    look(&mut tab, 500.0, true);
    tab.at(800.0, Input::Leave);
    assert_eq!(hesitations(&mut tab)[0].1.duration_ms, 800, "hidden");
}

/// A pointer that rests for hours must not keep the page awake.
#[test]
fn the_page_is_asked_to_look_ever_more_rarely() {
    let mut tab = Tab::open();
    mouse(&mut tab, 0.0, 30.0, 20.0, 4);
    let mut looks = 0;
    for second in 0..3_600 {
        looks += u32::from(tab.recorder.look(tab::T0 + f64::from(second) * 1_000.0) > 0);
    }
    assert!(looks < 60, "{looks} looks in an hour");
}

#[test]
fn a_held_finger_hesitates_and_says_whether_it_pressed() {
    let held = |until: f64, to: f64, cancelled: bool| {
        let mut tab = Tab::open();
        tab.down(0.0, Pointer::Touch, 2, 50.0, 50.0);
        if cancelled {
            tab.at(until, Input::Cancel(2));
        } else {
            tab.at(until, Input::Move(2, to, 50.0, None, true));
            tab.at(until + 20.0, Input::Up(2, to, 50.0));
        }
        let told = hesitations(&mut tab);
        let told: Vec<_> = told
            .iter()
            .map(|(ms, it)| (*ms, it.duration_ms, it.pressed))
            .collect();
        told
    };
    assert_eq!(held(250.0, 50.0, false), [], "a tap");
    assert_eq!(held(310.0, 51.0, false), [(330.0, 330, true)]);
    assert_eq!(held(310.0, 90.0, false), [(310.0, 310, false)], "slid off");
    assert_eq!(
        held(640.0, 50.0, true),
        [(640.0, 640, false)],
        "a menu opened"
    );
}

fn long_presses(tab: &mut Tab) -> Vec<(f64, LongPress)> {
    let events = tab.events().into_iter();
    events
        .filter_map(|(ms, body)| match body {
            Body::LongPress(it) => Some((ms, it)),
            _ => None,
        })
        .collect()
}

#[test]
fn held_in_place_for_half_a_second_is_a_long_press() {
    for pointer in [Pointer::Mouse, Pointer::Touch, Pointer::Pen] {
        let held = |until: f64, to: f64| {
            let mut tab = Tab::open();
            tab.down(0.0, pointer, 2, 50.0, 50.0);
            tab.at(until - 10.0, Input::Move(2, to, 50.0, None, true));
            tab.at(until, Input::Up(2, to, 50.0));
            let presses = tab.presses().len();
            let mut tab = Tab::open();
            tab.down(0.0, pointer, 2, 50.0, 50.0);
            tab.at(until - 10.0, Input::Move(2, to, 50.0, None, true));
            tab.at(until, Input::Up(2, to, 50.0));
            (presses, long_presses(&mut tab))
        };
        assert_eq!(held(480.0, 50.0).1, []);
        let (presses, told) = held(720.0, 55.0);
        assert_eq!(
            (presses, told.len()),
            (1, 1),
            "{pointer:?}: a press as well"
        );
        let (ms, it) = told[0];
        assert_eq!(
            (ms, it.duration_ms, it.spot.how.pointer),
            (0.0, 720, pointer)
        );
        assert_eq!(held(720.0, 62.0).1, [], "dragged");
    }
}

fn pinches(tab: &mut Tab) -> Vec<(f64, Pinch)> {
    let events = tab.events().into_iter();
    events
        .filter_map(|(ms, body)| match body {
            Body::Pinch(it) => Some((ms, it)),
            Body::Press(_) | Body::Swipe(_) => panic!("{body:?} besides a pinch"),
            _ => None,
        })
        .collect()
}

/// Two fingers, the first at (100, 100), the second going down 100 px beside it.
fn two_fingers(second_to: f64, browser_zooms: bool) -> Tab {
    let mut tab = Tab::open();
    tab.down(0.0, Pointer::Touch, 2, 100.0, 100.0);
    let target = Target {
        element: ElementId(9),
        ..Target::default()
    };
    let second = Down {
        id: 3,
        pointer: Pointer::Touch,
        x: 200.0,
        y: 100.0,
        target,
        ..Down::default()
    };
    tab.at(40.0, Input::Down(second, (0, 0), false));
    if browser_zooms {
        tab.at(50.0, Input::Cancel(2)).at(50.0, Input::Cancel(3));
        tab.at(300.0, Input::TouchMove(100.0, 100.0, (second_to, 100.0)));
        tab.at(440.0, Input::TouchEnd(100.0, 100.0));
        tab.at(460.0, Input::TouchEnd(second_to, 100.0));
    } else {
        tab.at(300.0, Input::Move(3, second_to, 100.0, None, true));
        tab.at(440.0, Input::Up(3, second_to, 100.0));
        tab.at(460.0, Input::Up(2, 100.0, 100.0));
    }
    tab
}

#[test]
fn two_fingers_pinch_whether_the_page_or_the_browser_zooms() {
    for browser_zooms in [false, true] {
        for (second_to, percent) in [(350.0, 250), (150.0, 50), (119.0, 19)] {
            let mut tab = two_fingers(second_to, browser_zooms);
            let told = pinches(&mut tab);
            assert_eq!(told.len(), 1);
            let (ms, it) = told[0];
            let off = it.scale_percent.abs_diff(percent);
            assert!(off <= 1, "{} percent, not {percent}", it.scale_percent);
            assert_eq!((ms, it.duration_ms), (40.0, 400));
            assert_eq!(it.spot.client, Point { x: 200, y: 100 });
        }
    }
    // Two fingers that scroll keep their distance.
    assert_eq!(pinches(&mut two_fingers(215.0, true)), []);
}

#[test]
fn the_way_of_a_mouse_is_straight_lines_and_ends_with_its_rest() {
    let mut tab = Tab::open();
    for step in 0..=10 {
        let at = f64::from(step) * 10.0;
        mouse(&mut tab, at, 20.0 + at, 40.0, 0);
    }
    for step in 1..=10 {
        let at = f64::from(step) * 10.0;
        mouse(&mut tab, 100.0 + at, 120.0, 40.0 + at, 0);
    }
    tab.at(700.0, Input::Tick);
    let events = tab.events();
    let [_, (ms, Body::Path(path))] = &events[..] else {
        panic!("{events:?}")
    };
    let step = |delta_ms, dx, dy| Step { delta_ms, dx, dy };
    let expected = [
        step(0, 20, 40),
        step(100, 100, 0),
        step(100, 0, 100),
        step(500, 0, 0),
    ];
    assert_eq!((*ms, &path.steps[..]), (700.0, &expected[..]));
}

#[test]
fn nothing_is_told_of_a_way_that_is_not_to_be_followed_or_not_taken() {
    let mut tab = Tab::open();
    for step in 0..100 {
        let at = f64::from(step) * 10.0;
        tab.at(at, Input::Move(1, at, at, Some(0), false));
    }
    mouse(&mut tab, 2_000.0, 5.0, 5.0, 0);
    tab.at(3_000.0, Input::Tick);
    let events = tab.events();
    assert_eq!(events.len(), 1, "{events:?}");
}

/// A visitor who is offline for long loses the ways of the mouse first.
#[test]
fn ways_are_shed_before_anything_else() {
    // A little more than all batches and what waits for one have room for.
    const ROUNDS: u64 = 13_000;
    let mut tab = Tab::open();
    let custom = upriver_wire::batch::Custom {
        name: "e".into(),
        props: vec![],
    };
    let custom = told::custom(custom);
    for round in 0..ROUNDS {
        let at = round as f64 * 1_000.0;
        tab.at(at, Input::Move(1, 10.0, 10.0, Some(0), true));
        tab.at(at + 50.0, Input::Move(1, 90.0, 10.0, Some(0), true));
        tab.at(at + 900.0, Input::Custom(&custom));
    }
    let counts = tab.recorder.counts();
    assert_eq!(counts.recorded, 1 + 2 * ROUNDS);
    assert!(counts.dropped > 0, "the queue has no bound");
    let mut told = tab.sent();
    for round in 0..200 {
        let at = 13_500_000.0 + f64::from(round) * 30_000.0;
        // Without an answer for so long, it has been closed.
        tab.at(at, Input::News(News::Closed(1_006)));
        tab.at(at + 20_000.0, Input::News(News::Opened));
        tab.at(at + 20_001.0, Input::Flush);
        told.extend(tab.sent());
    }
    let kept = |which: fn(&Body) -> bool| told.iter().filter(|(_, it)| which(it)).count();
    let (ways, own) = (
        kept(|it| matches!(it, Body::Path(_))),
        kept(|it| matches!(it, Body::Custom(_))),
    );
    assert!(
        own == ROUNDS as usize && ways < own,
        "{own} of the site's own, {ways} ways"
    );
}
