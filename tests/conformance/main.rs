//! Compares the crates with the Python, Ruby and Perl systems that they are modelled on. The tables
//! are in `tests/vectors`, or in the directory that `CONFORMANCE_VECTORS` names. A missing file is
//! skipped; an `op` that no runner knows fails.

mod cascade;
mod dispatch;
mod exception;
mod link_router;
mod pastedeploy;
mod prefix;
mod sockets;
mod urlmap;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::Value;

/// The result of a vector.
enum Verdict {
    Passed,
    /// Ours differs, and this ruling covers it.
    Difference(&'static str),
    /// The expected value, and the value that was seen.
    Failed(String, String),
    /// The vector does not concern these crates.
    Skipped(&'static str),
}

impl Verdict {
    fn equal<T: PartialEq + std::fmt::Debug>(expected: T, seen: T) -> Self {
        if expected == seen {
            Self::Passed
        } else {
            Self::Failed(format!("{expected:?}"), format!("{seen:?}"))
        }
    }
}

type Runner = fn(&Value) -> Verdict;

/// The files, with the `op`s that are known in each; `None` is a file without ops.
const FILES: [(&str, &[Option<&str>], Runner); 8] = [
    ("prefix.jsonl", &[None], prefix::run),
    ("dispatch.jsonl", &[None], dispatch::run),
    (
        "cascade.jsonl",
        &[Some("call"), Some("factory")],
        cascade::run,
    ),
    (
        "urlmap.jsonl",
        &[
            Some("route"),
            Some("parse_path_expression"),
            Some("factory"),
        ],
        urlmap::run,
    ),
    ("link_router.jsonl", &[None], link_router::run),
    ("exception.jsonl", &[None], exception::run),
    (
        "escape_accept.jsonl",
        &[Some("accept"), Some("escape")],
        |vector| match vector["op"].as_str() {
            Some("accept") => exception::accept(vector),
            _ => exception::escape(vector),
        },
    ),
    (
        "pastedeploy/cases.jsonl",
        &[
            Some("loadapp"),
            Some("loadfilter"),
            Some("loadserver"),
            Some("appconfig"),
        ],
        pastedeploy::run,
    ),
];

#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
    others: BTreeMap<String, usize>,
}

fn main() -> ExitCode {
    let folder = env::var_os("CONFORMANCE_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors"),
        PathBuf::from,
    );
    let (mut passed, mut failed, mut found) = (0, 0, false);
    for (name, ops, run) in FILES {
        let Ok(text) = fs::read_to_string(folder.join(name)) else {
            println!("{name}: absent");
            continue;
        };
        found = true;
        let count = file(name, &text, ops, run);
        print!("{name}: {} passed, {} failed", count.passed, count.failed);
        for (what, number) in &count.others {
            print!("; {number} {what}");
        }
        println!();
        passed += count.passed;
        failed += count.failed;
    }
    println!("{passed} passed, {failed} failed");
    if !found {
        println!("there are no vectors in {}", folder.display());
    }
    if failed == 0 && found {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn file(name: &str, text: &str, ops: &[Option<&str>], run: Runner) -> Count {
    let mut count = Count::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let verdict = match serde_json::from_str::<Value>(line) {
            Ok(vector) if ops.contains(&vector["op"].as_str()) => (run(&vector), vector),
            Ok(vector) => {
                let op = vector["op"].to_string();
                (
                    Verdict::Failed("an op that the runner knows".into(), op),
                    vector,
                )
            }
            Err(error) => (
                Verdict::Failed("JSON".into(), error.to_string()),
                Value::Null,
            ),
        };
        match verdict {
            (Verdict::Passed, _) => count.passed += 1,
            (Verdict::Failed(expected, seen), vector) => {
                count.failed += 1;
                let id = vector["id"].as_str().unwrap_or("(without id)");
                println!("{name} {id}: expected {expected}, seen {seen}");
            }
            (Verdict::Difference(ruling), _) => {
                *count
                    .others
                    .entry(format!("DIFFERENCE ({ruling})"))
                    .or_default() += 1
            }
            (Verdict::Skipped(why), _) => {
                *count.others.entry(format!("skipped ({why})")).or_default() += 1
            }
        }
    }
    count
}

/// A byte string, which the tables write with a character for each byte.
fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_default();
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
        .collect()
}
