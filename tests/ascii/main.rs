//! Regexes of tower-dispatch without its feature `unicode`.
//!
//! It is a program, and not a test of the crate, since other packages of the workspace ask for the
//! tables, and a test gets all that they ask for. `.ci/run alone` runs it by itself.

use std::process::ExitCode;

use tower_dispatch::Pattern;

/// Regexes that need tables, and the column of the first character that does.
const NEED_TABLES: [(&str, usize); 6] = [
    (r"/é\d+", 3),
    (r"/\w", 2),
    (r"/[\s]", 3),
    (r"/\p{Greek}", 2),
    (r"/(?i)a", 6),
    (r"/a\b", 3),
];

const NEED_NONE: [&str; 5] = [
    r"/[0-9]+",
    r"/(?-u:\d\w\b)",
    r"/(?i-u:a)",
    "/[é-ü]",
    "/[^/]",
];

fn main() -> ExitCode {
    let mut faults = Vec::new();
    for (regex, column) in NEED_TABLES {
        let found = Pattern::regex(regex).map_err(|error| error.to_string());
        let start = format!("pattern {regex:?}, column {column}: it needs tables of Unicode");
        let names_the_feature = |text: &String| {
            text.starts_with(&start) && text.contains("the feature `unicode` of tower-dispatch")
        };
        if !found.as_ref().is_err_and(names_the_feature) {
            faults.push(format!("expected {start:?}, found {found:?}"));
        }
    }
    for regex in NEED_NONE {
        if let Err(error) = Pattern::regex(regex) {
            faults.push(error.to_string());
        }
    }
    for fault in &faults {
        eprintln!("{fault}");
    }
    match faults.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
