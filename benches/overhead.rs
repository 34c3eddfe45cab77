//! The time that each layer adds to a request: that of a service with the layer, less that of the
//! bare service. The two take turns in the same run, so that a busy machine slows both.

#![allow(
    missing_docs,
    reason = "criterion's macros make an undocumented function"
)]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

/// The number of requests of one side before the other's turn.
const TURN: u64 = 100;

fn layers(criterion: &mut Criterion) {
    let mut bare = benches::bare();
    criterion.bench_function("bare", |bencher| {
        bencher.iter_custom(|iterations| bare.time(iterations));
    });
    for (name, mut layered) in benches::layered() {
        criterion.bench_function(&format!("overhead/{name}"), |bencher| {
            bencher.iter_custom(|iterations| {
                let (mut with, mut without) = (Duration::ZERO, Duration::ZERO);
                let mut left = iterations;
                while left > 0 {
                    let turn = left.min(TURN);
                    with += layered.time(turn);
                    without += bare.time(turn);
                    left -= turn;
                }
                // Criterion fails for a time of zero, to which noise may reduce a very short one.
                with.saturating_sub(without).max(Duration::from_nanos(1))
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = layers
}
criterion_main!(benches);
