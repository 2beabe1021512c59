//! The recorder against a network that drops, delays, repeats, reorders and refuses: at its end
//! every event is on the server exactly once, and what was sent again was the same.

mod told;

use proptest::prelude::*;
use std::collections::BTreeMap;
use upriver_sdk::driver::{Command, News};
use upriver_sdk::driver::{Input, Names, Recorder};
use upriver_wire::answer::{Ack, Answer, Refusal, Refused};
use upriver_wire::batch::{Custom, PageView};
use upriver_wire::envelope::encode_answer;
use upriver_wire::limits::FRAME_BYTES_MAX;
use upriver_wire::{Body, StreamId};

/// What becomes of one message.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    ArrivesButAnswerIsLost,
    AnswerComesTwice,
    Lost,
    Later,
}

#[derive(Clone, Debug)]
enum Act {
    Event,
    Wait(u16),
    CutStream,
    Leave,
    PutAwayAndBack,
    Flush,
}

fn fates() -> impl Strategy<Value = Vec<(Fate, u8)>> {
    let fate = prop_oneof![
        3 => Just(Fate::Arrives),
        2 => Just(Fate::ArrivesButAnswerIsLost),
        1 => Just(Fate::AnswerComesTwice),
        2 => Just(Fate::Lost),
        1 => Just(Fate::Later),
    ];
    // The number is a priority: answers of the same moment arrive in its order.
    proptest::collection::vec((fate, any::<u8>()), 1..60)
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => Just(Act::Event),
        6 => (0..8_000_u16).prop_map(Act::Wait),
        1 => Just(Act::CutStream),
        1 => Just(Act::Leave),
        1 => Just(Act::PutAwayAndBack),
        1 => Just(Act::Flush),
    ];
    proptest::collection::vec(act, 1..150)
}

/// News as it will be told, owned.
enum Told {
    Opened,
    Frame(Vec<u8>),
    Closed,
    Posted(u64, u16, Vec<u8>),
}

struct Network {
    fates: Vec<(Fate, u8)>,
    used: usize,
    stream_works: bool,
    /// By time, then priority: what the page will hear.
    coming: Vec<(u64, u8, Told)>,
    stored: BTreeMap<u64, Body>,
    stream: StreamId,
    sent_again: usize,
    calm: bool,
}

impl Network {
    fn fate(&mut self) -> (Fate, u8) {
        self.used += 1;
        if self.calm {
            (Fate::Arrives, 0)
        } else {
            self.fates[self.used % self.fates.len()]
        }
    }

    fn store(&mut self, bytes: &[u8]) -> (Vec<u8>, u64) {
        assert!(
            bytes.len() <= FRAME_BYTES_MAX,
            "{} bytes in one batch",
            bytes.len()
        );
        let batch = told::read(bytes);
        assert_eq!(batch.stream, self.stream);
        let mut seq = batch.first_seq;
        for event in batch.events {
            if let Some(before) = self.stored.insert(seq, event.body.clone()) {
                self.sent_again += 1;
                assert_eq!(before, event.body, "event {seq} came again, but different");
            }
            seq += 1;
        }
        let ack = Ack {
            stream: self.stream,
            first_seq: batch.first_seq,
            next_seq: seq,
            need: vec![],
        };
        (encode_answer(&Answer::Ack(ack)), batch.first_seq)
    }

    fn later(&self, first_seq: u64) -> Vec<u8> {
        encode_answer(&Answer::Refused(Refused {
            stream: self.stream,
            first_seq,
            refusal: Refusal::Later,
            retry_after_ms: 2_000,
            reason: "busy".into(),
        }))
    }

    fn take(&mut self, now: u64, command: Command) {
        match command {
            Command::Open => {
                let told = if self.stream_works || self.calm {
                    Told::Opened
                } else {
                    Told::Closed
                };
                self.coming.push((now + 30, 0, told));
            }
            Command::Close => {
                self.coming
                    .retain(|(_, _, told)| matches!(told, Told::Posted(..)));
            }
            Command::Send(bytes) => {
                let (fate, priority) = self.fate();
                let at = now + 20 + u64::from(priority);
                match fate {
                    Fate::Lost => {}
                    Fate::Later => {
                        let batch = told::read(&bytes);
                        self.coming
                            .push((at, priority, Told::Frame(self.later(batch.first_seq))));
                    }
                    _ => {
                        let (answer, _) = self.store(&bytes);
                        if !matches!(fate, Fate::ArrivesButAnswerIsLost) {
                            self.coming
                                .push((at, priority, Told::Frame(answer.clone())));
                        }
                        if matches!(fate, Fate::AnswerComesTwice) {
                            self.coming.push((at + 300, priority, Told::Frame(answer)));
                        }
                    }
                }
            }
            Command::Keep(..) | Command::Forget(_) => {}
            Command::Post(number, bytes, _) => {
                let (fate, priority) = self.fate();
                let at = now + 20 + u64::from(priority);
                let told = match fate {
                    Fate::Lost => Told::Posted(number, 0, vec![]),
                    Fate::Later => Told::Posted(number, 503, vec![]),
                    Fate::ArrivesButAnswerIsLost => {
                        self.store(&bytes);
                        Told::Posted(number, 0, vec![])
                    }
                    _ => {
                        let (answer, _) = self.store(&bytes);
                        Told::Posted(number, 200, answer)
                    }
                };
                self.coming.push((at, priority, told));
            }
        }
    }
}

struct World {
    recorder: Recorder,
    network: Network,
    now: u64,
}

impl World {
    fn step(&mut self, input: Input<'_>) {
        for command in self.recorder.step(self.now as f64, input) {
            self.network.take(self.now, command);
        }
    }

    fn due(&mut self) -> Option<u64> {
        let due = self.recorder.due_ms();
        due.is_finite().then_some(due.ceil() as u64)
    }

    /// Lets time pass until `end`, timers and answers included.
    fn run(&mut self, end: u64) {
        loop {
            let due = self.due().map(|due| due.max(self.now));
            let heard = self.network.coming.iter().map(|(at, ..)| *at).min();
            let next = due
                .into_iter()
                .chain(heard)
                .min()
                .filter(|next| *next <= end);
            let Some(next) = next else { break };
            let stuck = self.now;
            self.now = self.now.max(next);
            let at = self
                .network
                .coming
                .iter()
                .enumerate()
                .filter(|(_, it)| it.0 <= self.now);
            if let Some((place, _)) = at.min_by_key(|(_, it)| (it.0, it.1)) {
                match self.network.coming.remove(place).2 {
                    Told::Opened => self.step(Input::News(News::Opened)),
                    Told::Frame(bytes) => self.step(Input::News(News::Frame(&bytes))),
                    Told::Closed => self.step(Input::News(News::Closed(1006))),
                    Told::Posted(number, status, body) => self.step(Input::News(News::Posted {
                        number,
                        status,
                        retry_after_ms: 0.0,
                        body: &body,
                    })),
                }
            } else {
                self.step(Input::Tick);
                let again = self.due();
                let spins = self.now == stuck && again.is_some_and(|due| due <= self.now);
                assert!(
                    !spins || due != again,
                    "a timer that is due does nothing, for ever"
                );
            }
        }
        self.now = end;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_or_doubled(
        fates in fates(),
        acts in acts(),
        stream_works in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let stream = StreamId(7);
        let names = Names { stream, seed, ..Names::default() };
        let network = Network {
            fates, used: 0, stream_works, coming: vec![], stored: BTreeMap::new(), stream,
            sent_again: 0, calm: false,
        };
        let mut world = World { recorder: Recorder::new(names), network, now: 1_000_000 };
        world.step(Input::View(told::shown(PageView::default()).view()));
        let mut made = 0_u64;
        for act in acts {
            match act {
                Act::Event => {
                    made += 1;
                    let custom = Custom { name: made.to_string(), props: vec![] };
                    world.step(Input::Custom(&told::custom(custom)));
                }
                Act::Wait(ms) => world.run(world.now + u64::from(ms)),
                Act::CutStream => {
                    let before = world.network.coming.len();
                    world.network.coming.retain(|(_, _, told)| matches!(told, Told::Posted(..)));
                    let _ = before;
                    world.step(Input::News(News::Closed(1006)));
                }
                Act::Leave => world.step(Input::Leave),
                Act::PutAwayAndBack => {
                    world.step(Input::Leave);
                    world.step(Input::Pause);
                    world.now += 700;
                    world.step(Input::Resume);
                }
                Act::Flush => world.step(Input::Flush),
            }
        }
        world.network.calm = true;
        world.run(world.now + 3 * 600_000);
        prop_assert!(world.recorder.is_settled(), "something still waits: {:?}", world.recorder);
        let counts = world.recorder.counts();
        prop_assert_eq!(counts.recorded, made + 1);
        prop_assert_eq!(counts.acked, made + 1, "{:?}", counts);
        let names: Vec<String> = world.network.stored.values().filter_map(|body| match body {
            Body::Custom(custom) => Some(custom.name.clone()),
            _ => None,
        }).collect();
        let expected: Vec<String> = (1..=made).map(|number| number.to_string()).collect();
        prop_assert_eq!(names, expected);
    }
}
