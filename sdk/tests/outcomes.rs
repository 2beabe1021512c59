//! What comes of presses, and what a mouse does besides, told to the recorder as the shell tells it
//! and read back from the wire: rage, dead and error presses, thrash, faults.

mod told;

use std::path::Path;
use upriver_sdk::driver::{Command, News};
use upriver_sdk::driver::{Down, Target};
use upriver_sdk::driver::{Input, Names, Recorder};
use upriver_sdk::presses::{MAY_BE_DEAD, MAY_RAGE};
use upriver_sdk::recorder::FAULTS_A_PAGE_MAX;
use upriver_wire::batch::{
    Dead, ErrorPress, Fault, FaultKind, PageView, Point, Pointer, Rage, Spot, Thrash,
};
use upriver_wire::{Batch, Body, ElementId, Event, StreamId, encode};

const T0: f64 = 1_000_000.0;
const BOTH: u32 = MAY_RAGE | MAY_BE_DEAD;

struct Tab {
    recorder: Recorder,
    sent: Vec<Command>,
    now: f64,
}

impl Tab {
    fn open() -> Self {
        let names = Names {
            stream: StreamId(1),
            seed: 5,
            ..Names::default()
        };
        let mut tab = Self {
            recorder: Recorder::new(names),
            sent: vec![],
            now: T0,
        };
        tab.view();
        tab.at(0.0, Input::News(News::Opened));
        tab
    }

    fn view(&mut self) -> &mut Self {
        let page = told::shown(PageView::default());
        let commands = self.recorder.step(self.now, Input::View(page.view()));
        self.sent.extend(commands);
        self
    }

    fn at(&mut self, ms: f64, input: Input<'_>) -> &mut Self {
        self.now = T0 + ms;
        let commands = self.recorder.step(self.now, input);
        self.sent.extend(commands);
        self
    }

    fn down(&mut self, ms: f64, x: f64, signs: u32) -> &mut Self {
        let target = Target {
            element: ElementId(9),
            ..Target::default()
        };
        let down = Down {
            x,
            y: 20.0,
            target,
            signs,
            ..Down::default()
        };
        self.at(ms, Input::Down(down, (0, 0), true))
    }

    /// A press of the mouse that becomes a click 60 ms later.
    fn press(&mut self, ms: f64, x: f64, signs: u32) -> &mut Self {
        self.down(ms, x, signs).at(ms + 60.0, Input::Up(0, x, 20.0));
        assert!(!self.recorder.click(T0 + ms + 60.0, 1));
        self
    }

    /// Everything but presses and views, with its time since the start.
    fn outcomes(&mut self) -> Vec<(u64, Body)> {
        let end = self.now - T0;
        // As its timer would.
        for ms in 0..100 {
            self.at(end + f64::from(ms) * 50.0, Input::Tick);
        }
        self.at(end + 6_000.0, Input::Flush);
        let sent = std::mem::take(&mut self.sent);
        let mut told = vec![];
        for command in sent {
            if let Command::Send(bytes) = command {
                let batch = told::read(&bytes);
                let mut ms = batch.first_ms;
                for event in batch.events {
                    ms += u64::from(event.delta_ms);
                    told.push((ms - T0 as u64, event.body));
                }
            }
        }
        told.retain(|(_, body)| !matches!(body, Body::Press(_) | Body::PageView(_)));
        told
    }
}

fn spot(x: u32) -> Spot {
    Spot {
        client: Point { x, y: 20 },
        ..Spot::default()
    }
}

fn rages(presses: &[(f64, f64)]) -> Vec<u64> {
    let mut tab = Tab::open();
    for (ms, x) in presses {
        tab.press(*ms, *x, MAY_RAGE);
    }
    let told = tab.outcomes();
    assert!(
        told.iter().all(|(_, body)| matches!(body, Body::Rage(_))),
        "{told:?}"
    );
    told.iter().map(|(ms, _)| *ms).collect()
}

#[test]
fn the_third_quick_press_in_a_place_is_rage_once_a_burst() {
    assert_eq!(rages(&[(0.0, 5.0), (200.0, 5.0)]), []);
    assert_eq!(rages(&[(0.0, 5.0), (200.0, 5.0), (400.0, 5.0)]), [400]);
    let seven: Vec<_> = (0..7).map(|n| (f64::from(n) * 150.0, 5.0)).collect();
    assert_eq!(rages(&seven), [300]);
    // Exactly at the limits, and beyond them.
    assert_eq!(
        rages(&[(0.0, 5.0), (1_000.0, 35.0), (2_000.0, 5.0)]),
        [2_000]
    );
    assert_eq!(rages(&[(0.0, 5.0), (1_001.0, 5.0), (1_200.0, 5.0)]), []);
    assert_eq!(rages(&[(0.0, 5.0), (200.0, 36.0), (400.0, 36.0)]), []);
    // Two bursts.
    let two = [0.0, 100.0, 200.0, 300.0, 1_400.0, 1_500.0, 1_600.0];
    let two: Vec<_> = two.iter().map(|ms| (*ms, 5.0)).collect();
    assert_eq!(rages(&two), [200, 1_600]);
}

#[test]
fn rage_is_told_with_its_third_press_and_lies_where_that_lay() {
    let mut tab = Tab::open();
    tab.press(0.0, 5.0, MAY_RAGE).press(200.0, 5.0, MAY_RAGE);
    tab.down(400.0, 7.0, MAY_RAGE);
    let told = tab.outcomes();
    assert_eq!(told, [(400, Body::Rage(Rage { spot: spot(7) }))]);
}

#[test]
fn presses_that_each_change_something_elsewhere_are_no_rage() {
    for (elsewhere, rage) in [(true, 0), (false, 1)] {
        let mut tab = Tab::open();
        for n in 0..6 {
            let ms = f64::from(n) * 250.0;
            tab.press(ms, 5.0, BOTH);
            tab.at(ms + 70.0, Input::Effect(elsewhere));
        }
        let told = tab.outcomes();
        assert_eq!(told.len(), rage, "elsewhere: {elsewhere}, {told:?}");
    }
    // The first shows that it is busy; that the others change nothing is what enrages.
    let mut tab = Tab::open();
    tab.press(0.0, 5.0, MAY_RAGE).at(70.0, Input::Effect(true));
    tab.press(250.0, 5.0, MAY_RAGE).press(500.0, 5.0, MAY_RAGE);
    assert!(matches!(tab.outcomes()[..], [(500, Body::Rage(_))]));
}

#[test]
fn what_may_not_be_rage_is_none() {
    let mut tab = Tab::open();
    for n in 0..5 {
        tab.press(f64::from(n) * 200.0, 5.0, 0);
    }
    assert_eq!(tab.outcomes(), []);
}

#[test]
fn a_press_without_effect_is_dead_once_that_is_known() {
    let mut tab = Tab::open();
    tab.press(0.0, 5.0, MAY_BE_DEAD);
    tab.at(2_559.0, Input::Tick).at(2_561.0, Input::Tick);
    let dead = Dead {
        spot: spot(5),
        after_ms: 2_561,
    };
    assert_eq!(tab.outcomes(), [(2_561, Body::Dead(dead))]);
}

#[test]
fn any_effect_saves_a_press_from_being_dead() {
    let scrolled = || Input::Scrolled(None, (0, 100));
    let saved: [(&str, f64, Input<'_>); 4] = [
        ("a mutation at last", 2_550.0, Input::Effect(false)),
        ("a scroll", 120.0, scrolled()),
        ("leaving", 900.0, Input::Leave),
        ("stopping", 900.0, Input::Stop),
    ];
    for (name, ms, effect) in saved {
        let mut tab = Tab::open();
        tab.press(0.0, 5.0, MAY_BE_DEAD).at(ms, effect);
        let told = tab.outcomes();
        let dead = told.iter().any(|(_, body)| matches!(body, Body::Dead(_)));
        assert!(!dead, "{name}: {told:?}");
    }
    let mut tab = Tab::open();
    tab.press(0.0, 5.0, MAY_BE_DEAD);
    tab.now = T0 + 300.0;
    assert_eq!(tab.view().outcomes(), []);
}

#[test]
fn what_a_press_did_not_cause_does_not_save_it() {
    let dead = |tab: &mut Tab| {
        let told = tab.outcomes();
        let dead = |(_, body): &(u64, Body)| matches!(body, Body::Dead(_));
        told.iter().filter(|told| dead(told)).count()
    };
    let mut tab = Tab::open();
    tab.press(0.0, 5.0, MAY_BE_DEAD)
        .at(300.0, Input::Wheel)
        .at(320.0, Input::Scrolled(None, (0, 100)));
    assert_eq!(dead(&mut tab), 1, "the visitor scrolled");
    let mut tab = Tab::open();
    tab.at(10.0, Input::Effect(true))
        .press(20.0, 5.0, MAY_BE_DEAD);
    assert_eq!(dead(&mut tab), 1, "it was before");
    let mut tab = Tab::open();
    tab.press(0.0, 5.0, MAY_BE_DEAD)
        .at(1_200.0, Input::Scrolled(None, (0, 100)));
    assert_eq!(dead(&mut tab), 1, "a script scrolls later");
}

#[test]
fn what_is_no_click_or_not_pressable_is_not_dead() {
    let mut tab = Tab::open();
    tab.down(0.0, 5.0, MAY_BE_DEAD)
        .at(400.0, Input::Up(0, 90.0, 20.0));
    assert_eq!(tab.outcomes(), [], "a drag");
    let mut tab = Tab::open();
    assert_eq!(tab.press(0.0, 5.0, MAY_RAGE).outcomes(), []);
}

#[test]
fn each_press_on_a_dead_button_is_dead_and_together_they_are_rage() {
    let mut tab = Tab::open();
    for n in 0..4 {
        tab.press(f64::from(n) * 200.0, 5.0, BOTH);
    }
    let told = tab.outcomes();
    let count = |what: fn(&Body) -> bool| told.iter().filter(|(_, body)| what(body)).count();
    assert_eq!(count(|body| matches!(body, Body::Rage(_))), 1);
    assert_eq!(count(|body| matches!(body, Body::Dead(_))), 4);
}

#[test]
fn a_key_or_a_tap_can_be_dead_too() {
    let mut tab = Tab::open();
    assert!(tab.recorder.click(T0 + 5.0, 0));
    let key = Down {
        pointer: Pointer::Keyboard,
        signs: BOTH,
        ..Down::default()
    };
    tab.at(5.0, Input::Activated(key, (0, 0)));
    assert!(matches!(tab.outcomes()[..], [(_, Body::Dead(_))]));
    let tap = Down {
        pointer: Pointer::Touch,
        ..key
    };
    for effect in [None, Some(30.0)] {
        let mut tab = Tab::open();
        tab.at(0.0, Input::Down(tap, (0, 0), true));
        if let Some(ms) = effect {
            // Before it counts as a press.
            tab.at(ms, Input::Effect(false));
        }
        tab.at(80.0, Input::Up(0, 0.0, 0.0));
        assert!(!tab.recorder.click(T0 + 90.0, 1));
        assert_eq!(tab.outcomes().len(), usize::from(effect.is_none()));
    }
}

#[test]
fn an_error_soon_after_a_press_is_laid_to_it_once() {
    let fault = fault_bytes("Cannot read x");
    let mut tab = Tab::open();
    tab.press(0.0, 5.0, 0)
        .at(900.0, Input::Fault(ElementId(1), &fault))
        .at(950.0, Input::Fault(ElementId(2), &fault));
    let told = tab.outcomes();
    let error = ErrorPress {
        spot: spot(5),
        after_ms: 900,
    };
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[1], (900, Body::ErrorPress(error)));
    let mut tab = Tab::open();
    tab.press(0.0, 5.0, 0)
        .at(1_001.0, Input::Fault(ElementId(1), &fault));
    assert!(matches!(tab.outcomes()[..], [(1_001, Body::Fault(_))]));
}

fn fault_bytes(message: &str) -> Vec<u8> {
    let fault = Fault {
        kind: FaultKind::Rejection,
        message: message.into(),
        source: "https://shop.example/app.js".into(),
        line: 3,
        column: 14,
    };
    let event = Event {
        delta_ms: 0,
        body: Body::Fault(fault),
    };
    let batch = |events| Batch {
        events,
        ..Batch::default()
    };
    let bytes = encode(&batch(vec![event]), 0);
    // What is before the event's own: that of none, delta and kind.
    bytes[encode(&batch(vec![]), 0).len() + 2..].to_vec()
}

#[test]
fn a_fault_is_told_once_a_page_and_place_and_so_many_a_page() {
    let bytes = fault_bytes("once");
    let mut tab = Tab::open();
    for n in 0..50 {
        for place in 0..30 {
            tab.at(f64::from(n) * 10.0, Input::Fault(ElementId(place), &bytes));
        }
    }
    assert_eq!(tab.outcomes().len(), FAULTS_A_PAGE_MAX);
    let mut tab = Tab::open();
    tab.at(1.0, Input::Fault(ElementId(1), &bytes));
    tab.view().at(2.0, Input::Fault(ElementId(1), &bytes));
    let told = tab.outcomes();
    assert_eq!(told.len(), 2, "another page: {told:?}");
    assert!(
        matches!(&told[0].1, Body::Fault(fault) if fault.message == "once" && fault.column == 14)
    );
}

#[test]
fn a_site_sets_its_own_limits() {
    let mut tab = Tab::open();

    tab.at(0.0, Input::Limits([4, 0, 0, 500], [0; 3]));
    for n in 0..4 {
        tab.press(10.0 + f64::from(n) * 100.0, 5.0, BOTH);
    }
    tab.at(569.0, Input::Tick).at(570.0, Input::Tick);
    let told = tab.outcomes();
    assert!(matches!(told[0], (310, Body::Rage(_))), "{told:?}");
    assert!(matches!(told[1], (570, Body::Dead(_))), "{told:?}");
    assert_eq!(told.len(), 5);
}

fn shaken(stroke_px: f64, stroke_ms: f64, strokes: u32, held: bool) -> Vec<Thrash> {
    let mut tab = Tab::open();
    if held {
        tab.down(0.0, 500.0, 0);
    }
    let mut ms = 10.0;
    for stroke in 0..strokes {
        for part in 1..=5 {
            let way = stroke_px * f64::from(part) / 5.0;
            let x = if stroke % 2 == 0 {
                way
            } else {
                stroke_px - way
            };
            ms += stroke_ms / 5.0;
            tab.at(ms, Input::Move(1, 500.0 + x, 300.0, Some(0), false));
        }
    }
    let told = tab.outcomes().into_iter();
    told.filter_map(|(_, body)| match body {
        Body::Thrash(thrash) => Some(thrash),
        _ => None,
    })
    .collect()
}

#[test]
fn shaking_a_mouse_is_thrash_once_and_slower_or_shorter_strokes_are_not() {
    let [thrash] = shaken(200.0, 120.0, 14, false)[..] else {
        panic!("{:?}", shaken(200.0, 120.0, 14, false))
    };
    assert_eq!(thrash.reversals, 5);
    assert!((900..=1_000).contains(&thrash.distance), "{thrash:?}");
    assert!((500..=620).contains(&thrash.duration_ms), "{thrash:?}");
    assert_eq!(shaken(200.0, 120.0, 5, false), []);
    assert_eq!(shaken(200.0, 400.0, 14, false), []);
    assert_eq!(shaken(40.0, 120.0, 14, false), []);
    assert_eq!(shaken(200.0, 120.0, 14, true), [], "with a button held");
}

/// 19 people, three minutes each, at work in a web page.
#[test]
fn people_at_work_hardly_ever_thrash() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mouse");
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: no recorded mouse sessions at ../shared/data/mouse");
        return;
    };
    let (mut sessions, mut minutes, mut found) = (0, 0.0, 0);
    for file in files {
        let file = file.expect("a folder that can be read").path();
        if file.extension().is_none_or(|ending| ending != "csv") {
            continue;
        }
        let text = std::fs::read_to_string(file).expect("a file that can be read");
        let mut tab = Tab::open();
        for line in text.lines().skip(1) {
            let mut fields = line.split(',');
            let mut next = || fields.next().expect("five fields");
            let ms: f64 = next().parse().expect("a time");
            let (_, state) = (next(), next());
            let (x, y): (f64, f64) = (next().parse().expect("x"), next().parse().expect("y"));
            match state {
                "Pressed" => tab.down(ms, x, 0),
                "Released" => tab.at(ms, Input::Up(0, x, y)),
                _ => tab.at(ms, Input::Move(1, x, y, Some(0), false)),
            };
        }
        sessions += 1;
        minutes += (tab.now - T0) / 60_000.0;
        let told = tab.outcomes();
        found += told
            .iter()
            .filter(|(_, body)| matches!(body, Body::Thrash(_)))
            .count();
    }
    println!("{found} times thrash in {sessions} sessions, {minutes:.0} minutes");
    assert!(sessions >= 19);
    assert!(found <= 2, "{found} in {minutes:.0} minutes");
}
