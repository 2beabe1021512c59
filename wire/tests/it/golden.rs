//! The bytes of each version, kept as files in `golden/v1/`: clients in the field speak them for
//! years, so what is there once is never written again.

use crate::sample;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;
use upriver_wire::envelope::{decode_answer, encode_answer};
use upriver_wire::{decode, encode};

/// Set this to write golden files that are missing. Those that exist are never touched.
const ADD_VARIABLE: &str = "UPRIVER_GOLDEN_ADD";

#[test]
fn every_message_has_its_golden_bytes_and_json() {
    let mut claimed = BTreeSet::new();
    let batches = sample::bodies()
        .into_iter()
        .map(|(name, body)| (format!("body_{name}"), sample::batch_of(body)))
        .chain([("batch".to_owned(), sample::batch())]);
    for (name, batch) in batches {
        let golden = golden(&format!("{name}.hex"), &mut claimed, || {
            hex(&encode(&batch, sample::SENT_AT_MS))
        });
        assert_eq!(
            golden,
            hex(&encode(&batch, sample::SENT_AT_MS)),
            "{name}: {CHANGED}"
        );
        let (decoded, sent_at_ms) = decode(&unhex(&golden)).expect(&name);
        assert_eq!(
            (decoded, sent_at_ms),
            (batch.clone(), sample::SENT_AT_MS),
            "{name}"
        );
        check_json(&name, &batch, &mut claimed);
    }
    for (name, answer) in sample::answers() {
        let name = format!("answer_{name}");
        let golden = golden(&format!("{name}.hex"), &mut claimed, || {
            hex(&encode_answer(&answer))
        });
        assert_eq!(golden, hex(&encode_answer(&answer)), "{name}: {CHANGED}");
        assert_eq!(
            decode_answer(&unhex(&golden)).expect(&name),
            answer,
            "{name}"
        );
        check_json(&name, &answer, &mut claimed);
    }
    let present: BTreeSet<String> = fs::read_dir(folder())
        .expect("the golden folder is there")
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(
        present, claimed,
        "a golden file nobody checks guards nothing"
    );
}

const CHANGED: &str = "version 1 of the wire has changed. Clients speak it for years: add an enum \
                       variant at the end, or raise `envelope::VERSION` and keep reading this one";

fn check_json<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    name: &str,
    value: &T,
    claimed: &mut BTreeSet<String>,
) {
    let json = || serde_json::to_string_pretty(value).expect("JSON") + "\n";
    let golden = golden(&format!("{name}.json"), claimed, json);
    assert_eq!(golden, json(), "{name}: {CHANGED}");
    assert_eq!(
        &serde_json::from_str::<T>(&golden).expect(name),
        value,
        "{name}"
    );
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/v1")
}

fn golden(file: &str, claimed: &mut BTreeSet<String>, fresh: impl FnOnce() -> String) -> String {
    let path = folder().join(file);
    claimed.insert(file.to_owned());
    if !path.exists() && std::env::var_os(ADD_VARIABLE).is_some() {
        fs::write(&path, fresh()).expect("written");
    }
    fs::read_to_string(&path)
        .unwrap_or_else(|_| panic!("{} is missing; {ADD_VARIABLE}=1 writes it", path.display()))
}

/// Two digits a byte, 32 bytes a line, so that a change shows as a small difference.
fn hex(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    bytes.chunks(32).map(|chunk| line(chunk) + "\n").collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex"))
        .collect()
}
