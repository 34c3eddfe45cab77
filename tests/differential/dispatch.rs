//! A table of regexes and paths: which pattern takes each path, and the spans of its groups.

use serde_json::{Value, json};
use tower_dispatch::{Pattern, PatternError, Table};

/// Returns the result of each path, or the error of the table.
pub(crate) fn run(case: &Value) -> Value {
    let patterns = list(&case["patterns"]).map(|entry| {
        let constructor: fn(&str) -> Result<Pattern, PatternError> = match text(&entry[0]) {
            "full" => Pattern::regex,
            "prefix" => Pattern::regex_prefix,
            _ => Pattern::regex_search,
        };
        constructor(text(&entry[1]))
    });
    let table = match patterns.collect::<Result<Vec<_>, _>>() {
        Ok(patterns) => Table::new(&patterns).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match table {
        Ok(table) => list(&case["paths"])
            .map(|path| find(&table, text(path)))
            .collect(),
        Err(error) => json!({ "error": error }),
    }
}

/// Returns the index and the spans in characters, as Python counts. The first is that of the whole.
fn find(table: &Table, path: &str) -> Value {
    let Some(found) = table.find(path) else {
        return Value::Null;
    };
    let characters = |at: usize| path[..at].chars().count();
    let spans = std::iter::once(Some(found.span())).chain(found.spans());
    let spans: Vec<Value> = spans
        .map(|span| {
            span.map_or(Value::Null, |span| {
                json!([characters(span.start), characters(span.end)])
            })
        })
        .collect();
    let names: Vec<Option<&str>> = table.group_names(found.index()).collect();
    json!([found.index(), spans, names])
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
