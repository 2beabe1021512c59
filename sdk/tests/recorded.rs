//! Input recorded from real people, fed through the recorder: flings of phones, wheels and trackpads,
//! and mouse sessions. What must come out is what the names of the files say, or a count of the file.

mod tab;
mod told;

use serde_json::Value;
use std::path::PathBuf;
use tab::Tab;
use upriver_sdk::driver::Input;
use upriver_sdk::driver::{Down, Target};
use upriver_wire::batch::{Button, Direction, Path, Pointer, Scroll};
use upriver_wire::{Body, ElementId};

/// A place of the recorded input, or none where it is not to be had.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn recorded(place: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(place);
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED, nothing was tested: there is no recorded input at {}",
        path.display()
    );
    None
}

/// The files of a folder and those in it, by name.
fn files(folder: PathBuf, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(path, ending));
        } else if path.extension().is_some_and(|it| it == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn number(value: &Value, field: &str) -> f64 {
    value[field].as_f64().expect("a number")
}

/// Real flings of phones, named by their true direction.
#[test]
fn flings_swipe_the_way_their_names_say() {
    let Some(path) = recorded("touch/flings.json") else {
        return;
    };
    let text = std::fs::read_to_string(path).expect("the flings are readable");
    let flings: Vec<Value> = serde_json::from_str(&text).expect("a list of flings");
    assert!(!flings.is_empty());
    let mut speeds: Vec<(u32, &str)> = Vec::new();
    for fling in &flings {
        let name = fling["name"].as_str().expect("a name");
        let points: Vec<(f64, f64, f64)> = fling["points"]
            .as_array()
            .expect("points")
            .iter()
            .map(|point| (number(point, "t"), number(point, "x"), number(point, "y")))
            .collect();
        let mut tab = Tab::open();
        let ((_, x, y), (end, end_x, end_y)) = (points[0], points[points.len() - 1]);
        tab.down(0.0, Pointer::Touch, 1, x, y);
        for (t, x, y) in &points[1..] {
            tab.at(*t, Input::Move(1, *x, *y, None, true));
        }
        tab.at(end, Input::Up(1, end_x, end_y));
        let events = tab.events();
        let swipes: Vec<_> = events
            .iter()
            .filter_map(|(_, body)| match body {
                Body::Swipe(swipe) => Some(swipe),
                Body::Press(_) | Body::Pinch(_) => panic!("{name}: {body:?}"),
                _ => None,
            })
            .collect();
        assert!(
            name.contains("Up") != name.contains("Down"),
            "{name} names no direction"
        );
        let expected = if name.contains("Up") {
            Direction::Up
        } else {
            Direction::Down
        };
        let [swipe] = swipes[..] else {
            panic!("{name}: {events:?}")
        };
        assert_eq!(Direction::of(swipe.dx, swipe.dy), Some(expected), "{name}");
        // Roughly: the straight speed of its last 100 ms, in the file itself.
        let recent = points
            .iter()
            .find(|point| point.0 >= end - 100.0)
            .expect("a point");
        let about = (end_y - recent.2).abs() / (end - recent.0).max(1.0) * 1_000.0;
        let ratio = f64::from(swipe.release_px_s) / about;
        assert!(
            (0.6..1.6).contains(&ratio),
            "{name}: {} px/s, about {about:.0}",
            swipe.release_px_s
        );
        speeds.push((swipe.release_px_s, name));
    }
    let of = |pace: &str| -> Vec<u32> {
        let named = |name: &str| {
            name.trim_end_matches(|it: char| it.is_ascii_digit())
                .ends_with(pace)
        };
        let found = speeds.iter().filter(|(_, name)| named(name));
        found.map(|(speed, _)| *speed).collect()
    };
    let [slow, faster, fast] = ["Slow", "Faster", "Fast"].map(of);
    eprintln!("px/s: slow {slow:?}, faster {faster:?}, fast {fast:?}");
    assert!(fast.iter().min() > slow.iter().chain(&faster).max());
    assert!(slow.iter().sum::<u32>() < faster.iter().sum());
}

/// The scroll gestures that a page makes of a recorded wheel.
fn scrolls(events: &[Value]) -> Vec<Scroll> {
    // Where nothing is at the edge: a page scrolls by what the wheel says.
    let mut tab = Tab::open();
    let from = number(&events[0], "timeStamp");
    let (mut x, mut y) = (0.0, 0.0);
    for event in events {
        let ms = number(event, "timeStamp") - from;
        // A line is about 16 px.
        let unit = if event["deltaMode"] == 1 { 16.0 } else { 1.0 };
        x += number(event, "deltaX") * unit;
        y += number(event, "deltaY") * unit;
        tab.at(ms, Input::Wheel);
        tab.at(ms + 8.0, Input::Scrolled(None, (x as i32, y as i32)));
    }
    let told = tab.events().into_iter().filter_map(|(_, body)| match body {
        Body::Scroll(scroll) => Some(scroll),
        _ => None,
    });
    told.collect()
}

/// The names say where the fingers went (or the wheel was tilted); the page goes the other way, as
/// it does under "natural" scrolling, which all of these were recorded with.
fn named(name: &str) -> Option<Direction> {
    let ways = [
        ("right", Direction::Left),
        ("left", Direction::Right),
        ("up", Direction::Down),
        ("down", Direction::Up),
        ("horizontal", Direction::Left),
    ];
    let found = ways.iter().find(|(word, _)| name.contains(word));
    found.map(|(_, direction)| *direction)
}

#[test]
fn wheels_scroll_the_way_their_names_say_and_once_a_pause() {
    let Some(folder) = recorded("wheel") else {
        return;
    };
    let found = files(folder, "json");
    assert!(found.len() >= 20, "{} recorded wheels", found.len());
    for path in found {
        let name = path.to_string_lossy();
        let name = name.rsplit("fixtures/").next().expect("a name");
        let text = std::fs::read_to_string(&path).expect("a wheel is readable");
        let file: Value = serde_json::from_str(&text).expect("a recorded wheel");
        let events = file["wheelEvents"].as_array().expect("events");
        let times: Vec<f64> = events.iter().map(|it| number(it, "timeStamp")).collect();
        let pauses = times.windows(2).filter(|pair| pair[1] - pair[0] >= 150.0);
        // A trackpad goes on by itself: a second swipe before that has ended is the same gesture.
        let expected = 1 + pauses.count();
        let told = scrolls(events);
        assert_eq!(told.len(), expected, "{name}: {told:?}");
        match named(name) {
            Some(direction) => {
                for scroll in &told {
                    assert_eq!(
                        Direction::of(scroll.dx, scroll.dy),
                        Some(direction),
                        "{name}"
                    );
                }
            }
            None => {
                assert!(name.contains("square"), "{name} names no direction");
                assert!(told[0].reversals >= 2, "{name}: {told:?}");
            }
        }
    }
}

/// A line of a recorded mouse.
struct Line {
    ms: f64,
    state: String,
    secondary: bool,
    x: f64,
    y: f64,
}

fn session(path: &PathBuf) -> Vec<Line> {
    let text = std::fs::read_to_string(path).expect("a session is readable");
    let lines = text.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let [ms, button, state, x, y] = fields[..] else {
            panic!("{line}")
        };
        let number = |text: &str| text.parse::<f64>().expect("a number");
        Line {
            ms: number(ms),
            state: state.to_owned(),
            secondary: button == "Right",
            x: number(x),
            y: number(y),
        }
    });
    lines.collect()
}

/// As if the window were full of buttons of 120 × 40 px.
fn button_at(line: &Line) -> i32 {
    1 + (line.x / 120.0) as i32 * 1_000 + (line.y / 40.0) as i32
}

/// Stays of half a second over one of them with no press in that time: a naive recount.
fn rests(lines: &[Line]) -> usize {
    let mut count = 0;
    let mut at = 0;
    while at < lines.len() {
        let over = button_at(&lines[at]);
        let end = (at..lines.len()).find(|next| button_at(&lines[*next]) != over);
        let stay = &lines[at..end.unwrap_or(lines.len())];
        let until = end.map_or(stay[stay.len() - 1].ms + 60_000.0, |end| lines[end].ms);
        let rested = stay[0].ms + 500.0;
        let prompt = stay
            .iter()
            .any(|it| it.state == "Pressed" && it.ms <= rested);
        count += usize::from(until > rested && !prompt);
        at = end.unwrap_or(lines.len());
    }
    count
}

/// What the recorder makes of a session.
fn replay(lines: &[Line]) -> Vec<(f64, Body)> {
    let mut tab = Tab::open();
    let mut events = Vec::new();
    let mut over = 0;
    let target = |over: i32| Target {
        element: ElementId(over as u64),
        interactive: true,
        ..Target::default()
    };
    let end = Line {
        ms: lines[lines.len() - 1].ms + 60_000.0,
        state: "Left".to_owned(),
        secondary: false,
        ..lines[lines.len() - 1]
    };
    for line in lines.iter().chain([&end]) {
        // What the page's timer would have done since.
        while tab.recorder.due_ms() < tab::T0 + line.ms {
            let due = tab.recorder.due_ms() - tab::T0;
            if tab.recorder.look(tab::T0 + due) == 1 {
                let target = target(over);
                tab.at(
                    due,
                    Input::Rests(Down {
                        target,
                        ..Down::default()
                    }),
                );
            }
            tab.at(due, Input::Tick);
        }
        let (x, y) = (line.x, line.y);
        if button_at(line) != over || line.state == "Move" || line.state == "Drag" {
            over = button_at(line);
            tab.at(line.ms, Input::Move(1, x, y, Some(over), true));
        }
        let button = if line.secondary {
            Button::Secondary
        } else {
            Button::Primary
        };
        let down = Down {
            id: 1,
            button,
            x,
            y,
            target: target(over),
            ..Down::default()
        };
        match &line.state[..] {
            "Pressed" => {
                tab.at(line.ms, Input::Down(down, (0, 0), true));
            }
            "Released" => {
                tab.at(line.ms, Input::Up(1, x, y));
            }
            "Left" => {
                tab.at(line.ms, Input::Leave);
            }
            _ => {}
        }
        // A real page sends as it goes; so much waits in no queue.
        events.extend(tab.sent());
    }
    events.extend(tab.events());
    events
}

/// Bytes of a number as it travels.
fn width(value: u32) -> usize {
    (value.max(1).ilog2() / 7 + 1) as usize
}

/// Where a way was at which time.
fn places(end: f64, path: &Path) -> Vec<(f64, f64, f64)> {
    let whole: u32 = path.steps.iter().map(|step| step.delta_ms).sum();
    let (mut ms, mut x, mut y) = (end - f64::from(whole), 0, 0);
    let steps = path.steps.iter().map(|step| {
        ms += f64::from(step.delta_ms);
        (x, y) = (x + step.dx, y + step.dy);
        (ms, f64::from(x), f64::from(y))
    });
    steps.collect()
}

/// Distance from a place to a straight line between two.
fn off(line: &Line, a: (f64, f64, f64), b: (f64, f64, f64)) -> f64 {
    let (dx, dy) = (b.1 - a.1, b.2 - a.2);
    let (x, y) = (line.x - a.1, line.y - a.2);
    let length = dx * dx + dy * dy;
    let part = if length > 0.0 {
        ((x * dx + y * dy) / length).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (x - part * dx).hypot(y - part * dy)
}

#[test]
fn mouse_sessions_have_their_presses_their_rests_and_their_way_within_three_pixels() {
    let Some(folder) = recorded("mouse") else {
        return;
    };
    let found = files(folder, "csv");
    assert!(found.len() >= 19, "{} sessions", found.len());
    let (mut samples, mut missed, mut steps, mut bytes, mut ways) = (0, 0, 0, 0, 0);
    let (mut presses, mut hesitations, mut worst) = (0, 0, 0.0_f64);
    for path in found {
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let lines = session(&path);
        let told = replay(&lines);
        let count = |which: fn(&Body) -> bool| told.iter().filter(|(_, it)| which(it)).count();
        let pressed = lines.iter().filter(|line| line.state == "Pressed").count();
        assert_eq!(
            count(|it| matches!(it, Body::Press(_))),
            pressed,
            "{name}: presses"
        );
        let rested = count(|it| matches!(it, Body::Hesitation(_)));
        assert_eq!(rested, rests(&lines), "{name}: rests");
        let paths: Vec<Vec<(f64, f64, f64)>> = told
            .iter()
            .filter_map(|(ms, body)| match body {
                Body::Path(path) => {
                    bytes += 1 + width(path.steps.len() as u32);
                    for step in &path.steps {
                        let zigzag = |value: i32| (value << 1 ^ value >> 31) as u32;
                        let three = [step.delta_ms, zigzag(step.dx), zigzag(step.dy)];
                        bytes += three.map(width).iter().sum::<usize>();
                    }
                    steps += path.steps.len();
                    Some(places(*ms, path))
                }
                _ => None,
            })
            .collect();
        let moves = |line: &&Line| line.state == "Move" || line.state == "Drag";
        for line in lines.iter().filter(moves) {
            let near = paths
                .iter()
                .filter(|way| way[0].0 <= line.ms && line.ms <= way[way.len() - 1].0)
                .flat_map(|way| way.windows(2))
                .filter(|pair| pair[0].0 <= line.ms && line.ms <= pair[1].0)
                .map(|pair| off(line, pair[0], pair[1]))
                .fold(f64::INFINITY, f64::min);
            samples += 1;
            if near.is_finite() {
                worst = worst.max(near);
            } else {
                missed += 1;
            }
        }
        ways += paths.len();
        presses += pressed;
        hesitations += rested;
    }
    let each = f64::from(bytes as u32) / f64::from(steps as u32);
    let raw = f64::from(bytes as u32) / f64::from(samples as u32);
    eprintln!(
        "{samples} samples, {presses} presses, {hesitations} rests; {ways} ways of {steps} steps, \
         {bytes} bytes: {each:.2} a step, {raw:.2} a sample; at most {worst:.2} px off, \
         {missed} samples in no way"
    );
    assert!(
        each <= 4.0 && raw <= 2.0,
        "a step takes {each} bytes, a sample {raw}"
    );
    assert!(worst <= 3.0, "a way is {worst} px off");
    // Of those that were the only one between two rests nothing is told.
    assert!(
        missed * 500 < samples,
        "{missed} of {samples} samples are in no way"
    );
}
