//! Clients and apps that misbehave, one kind after the other, beside normal traffic: does every
//! normal request succeed, and is everything given back afterwards?
//!
//! `cargo run --release -p tests --bin faults` starts a server as a process of its own for each
//! fault, and prints a row of a table:
//!
//! ```text
//! fault | normal requests (failed) | p50 p99 ms | memory before/most/after MiB | tasks
//! before/after | files before/after | lines of the log | ok
//! ```
//!
//! It fails if a normal request failed, if the server did not behave as it should, if a request
//! never finished, or if the access log has not exactly one line for each request. It fails as well
//! if tasks, files or memory are not given back within ten seconds of quiet (20 % and 2 MiB of
//! memory may stay), or if the server could not drain. `--seconds N` is the time of
//! each fault, `--only WORD` selects faults with that word in their names. It needs Linux
//! (`/proc/self`), and everything is on 127.0.0.1.
//!
//! `faults soak --minutes N` is all of it at once, at a low rate and with reloads: see `soak.rs`.

mod child;
mod clients;
mod connection;
mod fault;
mod level;
mod random;
mod requests;
mod server;
mod site;
mod soak;
mod traffic;

use std::{env, error::Error, process::ExitCode, time::Duration};

use child::Child;
use fault::{Fault, complaints};
use level::Level;
use tokio::time::{Instant, sleep};
use traffic::{Normal, Report};

type Failure = Box<dyn Error + Send + Sync>;

const WARM_UP: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_secs(10);
/// The interval at which the server's level is read meanwhile.
const ASKED_EVERY: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some(kind @ ("server" | "soak-server")) => server::serve(
            kind == "soak-server",
            args.get(1).map_or("", String::as_str),
        ),
        Some("soak") => number(&args, "--minutes", 30.0).and_then(|minutes| soaked(minutes * 60.0)),
        _ => number(&args, "--seconds", 20.0).and_then(|seconds| tried(seconds, &args)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faults: {error}");
            ExitCode::FAILURE
        }
    }
}

fn said<'a>(args: &'a [String], option: &str) -> Option<&'a str> {
    let place = args.iter().position(|arg| arg == option)?;
    args.get(place + 1).map(String::as_str)
}

fn number(args: &[String], option: &str, default: f64) -> Result<f64, Failure> {
    let number = said(args, option).map_or(Ok(default), str::parse)?;
    match number > 0.0 && number < 1e6 {
        true => Ok(number),
        false => Err(format!("{option} {number} is no time").into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn soaked(seconds: f64) -> Result<(), Failure> {
    soak::soak(Duration::from_secs_f64(seconds)).await
}

#[tokio::main(flavor = "current_thread")]
async fn tried(seconds: f64, args: &[String]) -> Result<(), Failure> {
    let only = said(args, "--only").unwrap_or_default();
    if !Fault::ALL.iter().any(|fault| fault.name().contains(only)) {
        return Err(format!("no fault has {only} in its name").into());
    }
    println!(
        "fault          | normal requests (failed) | p50 p99 ms | memory before/most/after MiB | tasks before/after | files before/after | lines of the log | ok"
    );
    let mut failed = false;
    for fault in Fault::ALL
        .into_iter()
        .filter(|fault| fault.name().contains(only))
    {
        match outcome(fault, Duration::from_secs_f64(seconds)).await {
            Ok(outcome) => {
                outcome.print(fault);
                failed |= !outcome.wrong.is_empty();
            }
            // The server does not even report its level. The other faults are tried nevertheless.
            Err(failure) => {
                println!("{:14} | NO: {failure}", fault.name());
                failed = true;
            }
        }
    }
    match failed {
        true => Err("something is lost".into()),
        false => Ok(()),
    }
}

struct Outcome {
    normal: Report,
    before: Level,
    /// The most memory, in KiB, that was seen meanwhile.
    most: u64,
    after: Level,
    /// The lines of the access log.
    lines: u64,
    wrong: Vec<String>,
}

async fn outcome(fault: Fault, time: Duration) -> Result<Outcome, Failure> {
    let mut child = Child::start("server", fault.files()).await?;
    let normal = Normal::start(&child.address).await?;
    sleep(WARM_UP).await;
    let mut wrong = normal.stop().await?.failures;
    sleep(WARM_UP / 2).await;
    let before = child.level().await?;

    let normal = Normal::start(&child.address).await?;
    let mut running = fault.start(&child.address);
    let deadline = Instant::now() + time;
    let (mut most, mut was_full) = (before.memory, false);
    while Instant::now() < deadline {
        sleep(ASKED_EVERY).await;
        // A server without a free file descriptor cannot report it.
        match child.level().await {
            Ok(level) => most = most.max(level.memory),
            Err(failure) if failure.to_string().contains("os error 24") => was_full = true,
            Err(failure) => return Err(failure),
        }
    }
    wrong.extend(complaints(&mut running));
    drop(running);
    let report = normal.stop().await?;
    wrong.extend(report.failures.iter().cloned());
    if fault.files().is_some() && !was_full {
        wrong.push("the server never had too many open files".to_owned());
    }

    let after = child.level_in_quiet(&before, QUIET).await?;
    for (what, is_back) in [
        ("memory", after.memory <= before.may_keep()),
        ("tasks", after.tasks <= before.tasks),
        ("files", after.files <= before.files),
        ("requests that never finish", after.begun == after.finished),
    ] {
        if !is_back {
            wrong.push(format!("not given back: {what}"));
        }
    }
    let lines = child.end().await.unwrap_or_else(|failure| {
        wrong.push(failure.to_string());
        0
    });
    Ok(Outcome {
        normal: report,
        before,
        most,
        after,
        lines,
        wrong,
    })
}

impl Outcome {
    fn print(&self, fault: Fault) {
        let Self {
            normal,
            before,
            most,
            after,
            lines,
            wrong,
        } = self;
        println!(
            "{:14} | {:15} ({:6}) | {:4.1} {:5.1} | {:8.1}/{:8.1}/{:9.1} | {:8}/{:9} | {:8}/{:9} | {:16} | {}",
            fault.name(),
            normal.requests(),
            normal.failed,
            normal.percentile(50),
            normal.percentile(99),
            before.mib(),
            *most as f64 / 1024.0,
            after.mib(),
            before.tasks,
            after.tasks,
            before.files,
            after.files,
            lines,
            if wrong.is_empty() { "yes" } else { "NO" },
        );
        for wrong in wrong {
            println!("  {wrong}");
        }
    }
}
