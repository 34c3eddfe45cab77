//! Layers and services of crates.io under tower-lint: which rules each of them breaks, a check by
//! hand of each violation, and its ruling.
//!
//! It writes the table of docs/published-layers.md, and fails if a layer breaks other rules than
//! those that are listed here. With names, it checks only these layers and prints their reports.

mod bench;
mod by_hand;
mod layers;
mod others;
mod services;

use std::{collections::BTreeSet, env, error::Error, fs, panic, process::ExitCode};

use bench::Seen;
use tower_lint::Rule;

/// A layer or a service.
struct Case {
    name: &'static str,
    package: &'static str,
    check: fn() -> Seen,
    breaks: &'static [Break],
}

/// A rule that it breaks. The check by hand shows the same without tower-lint, and returns what it
/// has observed.
struct Break {
    rule: Rule,
    by_hand: fn() -> Result<String, tower::BoxError>,
    ruling: &'static str,
}

/// Returns the version of a package in the lock file.
fn version(package: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let name = format!("name = \"{package}\"\nversion = \"");
    let found = lock
        .split_once(&name)
        .and_then(|(_, after)| after.split('"').next());
    found.unwrap_or("(not in the lock file)")
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let names: Vec<String> = env::args().skip(1).collect();
    // The check catches panics of layers. They are no output of this program.
    panic::set_hook(Box::new(|_| {}));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let _inside = runtime.enter();

    let cases: Vec<Case> = layers::all()
        .into_iter()
        .chain(others::all())
        .chain(services::all())
        .collect();
    let packages: BTreeSet<&str> = cases.iter().map(|case| case.package).collect();
    let mut table = String::from(
        "| layer or service | crate | result | by hand | ruling |\n|---|---|---|---|---|\n",
    );
    let mut failed = false;
    for case in &cases {
        if !names.is_empty() && !names.iter().any(|name| name == case.name) {
            continue;
        }
        let seen = (case.check)();
        let expected: BTreeSet<Rule> = case.breaks.iter().map(|broken| broken.rule).collect();
        let found: BTreeSet<Rule> = seen.keys().copied().collect();
        let (name, package) = (case.name, case.package);
        if found != expected || !names.is_empty() {
            failed |= found != expected;
            println!("{name} ({package}): expected {expected:?}, found {found:?}");
            for (rule, lines) in &seen {
                println!("  {rule}");
                for line in lines {
                    println!("    {line}");
                }
            }
        }
        let start = format!("| `{name}` | {package} {}", version(package));
        if case.breaks.is_empty() {
            table += &format!("{start} | keeps every rule | | |\n");
        }
        for Break {
            rule,
            by_hand,
            ruling,
        } in case.breaks
        {
            let observed = by_hand().unwrap_or_else(|error| {
                failed = true;
                println!(
                    "{name} ({package}), rule {}: not by hand: {error}",
                    rule.number()
                );
                "not shown".to_owned()
            });
            table += &format!(
                "{start} | breaks {} (`{rule:?}`) | {observed} | {ruling} |\n",
                rule.number()
            );
        }
    }
    println!(
        "{} layers and services of {} crates",
        cases.len(),
        packages.len()
    );
    if names.is_empty() {
        write(&table)?;
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Writes the table into the page, between its marks.
fn write(table: &str) -> Result<(), Box<dyn Error>> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/published-layers.md"
    );
    let page = fs::read_to_string(path)?;
    let (start, end) = ("<!-- the table -->\n", "<!-- the end of the table -->\n");
    let (before, rest) = page.split_once(start).ok_or("the page has no table")?;
    let (_, after) = rest.split_once(end).ok_or("the table has no end")?;
    Ok(fs::write(
        path,
        [before, start, "\n", table, "\n", end, after].concat(),
    )?)
}
