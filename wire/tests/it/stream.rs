//! Batches as a busy page makes them: for the size promises and the benchmark. Every value is
//! spread by a fixed step, so the figures are the same on each run.

use crate::sample;
use upriver_wire::batch::{BoxPoint, How, Point, Press, Scroll};
use upriver_wire::{Batch, Body, Event};

/// Presses 0.3 to 4 s apart, all over a window of 1,440 × 900.
pub(crate) fn presses(count: usize) -> Batch {
    filled(count, |index| {
        (300 + index * 37 % 3_700, Body::Press(press(index)))
    })
}

/// Scroll gestures of a page 0.3 to 4 s apart, one in eight of them turning back.
pub(crate) fn scrolls(count: usize) -> Batch {
    filled(count, |index| {
        (300 + index * 53 % 3_700, Body::Scroll(scroll(index)))
    })
}

/// Scrolls and presses in turn, every fifth event one of the other kinds.
pub(crate) fn mixed(count: usize) -> Batch {
    let others = sample::bodies();
    filled(count, |index| {
        let body = match index % 5 {
            0 | 2 => Body::Scroll(scroll(index)),
            1 | 3 => Body::Press(press(index)),
            _ => others[index as usize / 5 % others.len()].1.clone(),
        };
        (700 + index * 29 % 900, body)
    })
}

fn filled(count: usize, make: impl Fn(u32) -> (u32, Body)) -> Batch {
    let event = |index| {
        let (delta_ms, body) = make(index);
        Event { delta_ms, body }
    };
    Batch {
        events: (0..count as u32).map(event).collect(),
        ..sample::batch()
    }
}

fn press(index: u32) -> Press {
    Press {
        element: (index % 60) as u16,
        at: BoxPoint::new(f64::from(index % 97) / 96.0, f64::from(index % 89) / 88.0),
        client: Point {
            x: index * 131 % 1_440,
            y: index * 71 % 900,
        },
        how: How::default(),
    }
}

fn scroll(index: u32) -> Scroll {
    let turned = index.is_multiple_of(8);
    Scroll {
        dy: (index * 137 % 2_400) as i32 - 600,
        detour: if turned { 180 } else { 0 },
        reversals: u16::from(turned),
        duration_ms: 120 + index * 41 % 1_800,
        ..Scroll::default()
    }
}
