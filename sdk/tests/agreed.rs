//! What the site says of its visitor, through the recorder: written as the wire has it.

use upriver_sdk::driver::{Command, News};
use upriver_sdk::driver::{Input, Names, Recorder};
use upriver_wire::batch::{Consent, ConsentState, Identify};
use upriver_wire::{Body, decode};

const T0: f64 = 1_700_000_000_000.0;

#[test]
fn what_was_agreed_to_and_who_it_is_are_written_as_the_wire_has_them() {
    let mut recorder = Recorder::new(Names::default());
    recorder.step(T0, Input::Tick);
    recorder.step(T0, Input::News(News::Opened));
    recorder.hear(T0 + 1.0, Input::Consent(&[1]));
    recorder.hear(T0 + 1.0, Input::Identify(b"\x03ada\x01"));
    let mut commands = recorder.step(T0 + 2.0, Input::Flush);
    commands.extend(recorder.step(T0 + 1_000.0, Input::Tick));
    let bodies: Vec<Body> = commands
        .iter()
        .filter_map(|command| match command {
            Command::Send(bytes) => Some(decode(bytes).expect("readable").0.events),
            _ => None,
        })
        .flatten()
        .map(|event| event.body)
        .collect();
    let consent = Consent {
        state: ConsentState::Cookieless,
    };
    let identify = Identify {
        user: "ada".into(),
        hashed: true,
    };
    assert_eq!(bodies, [Body::Consent(consent), Body::Identify(identify)]);
}
