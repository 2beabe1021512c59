//! A page in a browser, as the recorder is told of it.

#![allow(dead_code, reason = "each of the tests needs another part of it")]

use crate::told;
use upriver_sdk::driver::{Command, News};
use upriver_sdk::driver::{Down, Target};
use upriver_sdk::driver::{Input, Names, Recorder};
use upriver_wire::batch::{PageView, Pointer};
use upriver_wire::{Batch, Body, ElementId, StreamId};

/// When the page is opened, Unix ms.
pub(crate) const T0: f64 = 1_000_000.0;

/// A page in a browser.
pub(crate) struct Tab {
    pub(crate) recorder: Recorder,
    now: f64,
    /// Where the page stands.
    pub(crate) page: (i32, i32),
    sent: Vec<Command>,
    /// Number of the first event that was not read yet.
    next_seq: u64,
}

impl Tab {
    /// One that shows a page and is connected.
    pub(crate) fn open() -> Self {
        let names = Names {
            stream: StreamId(1),
            seed: 5,
            ..Names::default()
        };
        let mut tab = Self {
            recorder: Recorder::new(names),
            now: T0,
            page: (0, 0),
            sent: vec![],
            next_seq: 0,
        };
        tab.recorder
            .step(T0, Input::View(told::shown(PageView::default()).view()));
        tab.recorder.step(T0, Input::News(News::Opened));
        tab
    }

    /// An input so long after the page was opened.
    pub(crate) fn at(&mut self, ms: f64, input: Input<'_>) -> &mut Self {
        self.now = T0 + ms;
        let commands = self.recorder.step(self.now, input);
        self.sent.extend(commands);
        self
    }

    /// A first pointer goes down on something one can press.
    pub(crate) fn down(&mut self, ms: f64, pointer: Pointer, id: i32, x: f64, y: f64) -> &mut Self {
        let target = Target {
            element: ElementId(9),
            interactive: true,
            ..Target::default()
        };
        let down = Down {
            id,
            pointer,
            x,
            y,
            target,
            ..Down::default()
        };
        let page = self.page;
        self.at(ms, Input::Down(down, page, true))
    }

    /// A click; counts it as the shell does when nothing else told of it.
    pub(crate) fn click(&mut self, ms: f64, detail: i32) -> &mut Self {
        if self.recorder.click(T0 + ms, detail) {
            let pointer = if detail > 0 {
                Pointer::Mouse
            } else {
                Pointer::Keyboard
            };
            let page = self.page;
            self.at(
                ms,
                Input::Activated(
                    Down {
                        pointer,
                        ..Down::default()
                    },
                    page,
                ),
            );
        }
        self
    }

    /// Everything recorded, as it is on the wire.
    pub(crate) fn batches(&mut self) -> Vec<Batch> {
        self.now += 10_000.0;
        let mut commands = std::mem::take(&mut self.sent);
        commands.extend(self.recorder.step(self.now, Input::Flush));
        commands.extend(self.recorder.step(self.now + 1_000.0, Input::Tick));
        let mut batches: Vec<Batch> = Vec::new();
        for command in commands {
            if let Command::Send(bytes) | Command::Post(_, bytes, _) = command {
                let batch = told::read(&bytes);
                if batch.first_seq >= self.next_seq {
                    self.next_seq = batch.first_seq + batch.events.len() as u64;
                    batches.push(batch);
                }
            }
        }
        batches
    }

    /// What pressed.
    pub(crate) fn presses(&mut self) -> Vec<Pointer> {
        let events = self.batches().into_iter().flat_map(|batch| batch.events);
        events
            .filter_map(|event| match event.body {
                Body::Press(press) => Some(press.how.pointer),
                _ => None,
            })
            .collect()
    }

    /// What was sent so far, with its time since the page was opened; acknowledged by it.
    pub(crate) fn sent(&mut self) -> Vec<(f64, Body)> {
        let mut all = Vec::new();
        for command in std::mem::take(&mut self.sent) {
            let (Command::Send(bytes) | Command::Post(_, bytes, _)) = command else {
                continue;
            };
            let batch = told::read(&bytes);
            // What was not acknowledged is sent again when the page is left.
            if batch.first_seq < self.next_seq {
                continue;
            }
            self.next_seq = batch.first_seq + batch.events.len() as u64;
            let ack = upriver_wire::answer::Ack {
                stream: batch.stream,
                first_seq: batch.first_seq,
                next_seq: self.next_seq,
                need: vec![],
            };
            all.extend(timed(batch));
            let ack = upriver_wire::envelope::encode_answer(&upriver_wire::Answer::Ack(ack));
            let commands = self.recorder.step(self.now, Input::News(News::Frame(&ack)));
            self.sent.extend(commands);
        }
        all
    }

    /// Everything recorded, with its time since the page was opened.
    pub(crate) fn events(&mut self) -> Vec<(f64, Body)> {
        self.batches().into_iter().flat_map(timed).collect()
    }
}

fn timed(batch: Batch) -> Vec<(f64, Body)> {
    let mut ms = batch.first_ms as f64 - T0;
    let events = batch.events.into_iter().map(|event| {
        ms += f64::from(event.delta_ms);
        (ms, event.body)
    });
    events.collect()
}
