//! Everything at once and for long, at a low rate: does anything grow?

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use tokio::time::sleep_until;

use crate::{
    Failure,
    child::Child,
    fault::{Fault, complaints},
    traffic::Normal,
};

const SAMPLES: u32 = 10;
/// The faults beside the normal traffic: the number of clients, and the interval of each.
const FAULTS: [(Fault, usize, Duration); 3] = [
    (Fault::Panics, 1, Duration::from_millis(500)),
    (Fault::AbortsUpload, 2, Duration::from_millis(250)),
    (Fault::StopsReading, 2, Duration::from_secs(1)),
];

pub(crate) async fn soak(time: Duration) -> Result<(), Failure> {
    let mut child = Child::start("soak-server", None).await?;
    let normal = Normal::start(&child.address).await?;
    let mut running =
        FAULTS.map(|(fault, clients, pause)| fault.start_some(&child.address, clients, pause));
    println!("minute | memory MiB | files | tasks | requests | incidents | reloads | failed");
    let start = Instant::now();
    let (mut memory, mut wrong) = (Vec::new(), Vec::new());
    for sample in 1..=SAMPLES {
        sleep_until((start + time / SAMPLES * sample).into()).await;
        let level = child.level().await?;
        println!(
            "{:6.1} | {:10.1} | {:5} | {:5} | {:8} | {:9} | {:7} | {:6}",
            start.elapsed().as_secs_f64() / 60.0,
            level.mib(),
            level.files,
            level.tasks,
            level.begun,
            level.incidents,
            level.reloads,
            normal.failed.load(Ordering::Relaxed),
        );
        memory.push(level.memory);
    }
    wrong.extend(running.iter_mut().flat_map(complaints));
    drop(running);
    let report = normal.stop().await?;
    println!(
        "{} normal requests ({} failed), p50 {:.1} ms, p99 {:.1} ms",
        report.requests(),
        report.failed,
        report.percentile(50),
        report.percentile(99),
    );
    wrong.extend(report.failures);
    let (first, last) = thirds(&memory);
    if last * 10 > first * 11 {
        wrong.push(format!("memory grows: {first} KiB and then {last} KiB"));
    }
    if let Err(failure) = child.end().await {
        wrong.push(failure.to_string());
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n  ").into()),
    }
}

/// The means of the first and the last third.
fn thirds(samples: &[u64]) -> (u64, u64) {
    let third = (samples.len() / 3).max(1);
    let mean = |samples: &[u64]| samples.iter().sum::<u64>() / third as u64;
    (
        mean(&samples[..third]),
        mean(&samples[samples.len() - third..]),
    )
}
