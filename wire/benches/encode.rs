//! How fast batches are written and read, in events, and how many bytes an event takes.
//! `cargo bench -p upriver-wire`.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use upriver_wire::{Batch, decode, encode};

#[path = "../tests/it/sample.rs"]
#[allow(dead_code, unreachable_pub)] // shared with the tests, which use all of it
mod sample;
#[path = "../tests/it/stream.rs"]
#[allow(dead_code, unreachable_pub)]
mod stream;

const EVENTS: usize = 1_000;

fn bytes_per_event(batch: &Batch) -> f64 {
    let empty = Batch {
        events: vec![],
        ..batch.clone()
    };
    (encode(batch, 0).len() - encode(&empty, 0).len()) as f64 / batch.events.len() as f64
}

fn run(criterion: &mut Criterion) {
    let cases = [
        ("press", stream::presses(EVENTS)),
        ("scroll", stream::scrolls(EVENTS)),
        ("mixed", stream::mixed(EVENTS)),
    ];
    for (name, batch) in cases {
        let bytes = encode(&batch, sample::SENT_AT_MS);
        let label = format!("{name} ({:.1} bytes an event)", bytes_per_event(&batch));
        let mut group = criterion.benchmark_group(label);
        group.throughput(Throughput::Elements(EVENTS as u64));
        group.bench_function("encode", |bencher| {
            bencher.iter(|| encode(black_box(&batch), sample::SENT_AT_MS));
        });
        group.bench_function("decode", |bencher| {
            bencher.iter_batched(
                || bytes.clone(),
                |bytes| decode(black_box(&bytes)).expect("read back"),
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

criterion_group!(benches, run);
criterion_main!(benches);
