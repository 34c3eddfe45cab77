//! Python's `re`, pattern by pattern, and the table.

use serde_json::{Value, json};
use tower_dispatch::{Pattern, PatternError, Table};

use crate::Verdict;

pub(crate) fn run(vector: &Value) -> Verdict {
    let Some(path) = vector["path_utf8"].as_str() else {
        return Verdict::Skipped("the path is not UTF-8");
    };
    let expect = &vector["expect"];
    let expected = match &expect["utf8"] {
        Value::String(_) => &expect["latin1"],
        utf8 => utf8,
    };
    let same = vector["rust_regex"]["status"] == "same";
    let seen = json!({
        "match": find(vector, path, Pattern::regex_prefix),
        "search": find(vector, path, Pattern::regex_search),
    });
    match (same, *expected == seen) {
        (true, equal) => {
            if equal {
                Verdict::Passed
            } else {
                Verdict::Failed(expected.to_string(), seen.to_string())
            }
        }
        (false, true) => Verdict::Passed,
        // Rejected with a clear error, or with the documented meaning of the `regex` crate's
        // syntax.
        (false, false) => Verdict::Difference("the syntax and the meaning are the regex crate's"),
    }
}

fn find(
    vector: &Value,
    path: &str,
    constructor: fn(&str) -> Result<Pattern, PatternError>,
) -> Value {
    let patterns = vector["patterns"].as_array().into_iter().flatten();
    let patterns: Result<Vec<Pattern>, _> = patterns
        // `\Z` is the very end in Python.
        .map(|pattern| constructor(&pattern.as_str().unwrap_or_default().replace(r"\Z", r"\z")))
        .collect();
    let table = match patterns.map(|patterns| Table::new(&patterns)) {
        Ok(Ok(table)) => table,
        Ok(Err(error)) => return json!({"error": error.to_string()}),
        Err(error) => return json!({"error": error.to_string()}),
    };
    let Some(found) = table.find(path) else {
        return Value::Null;
    };
    // Python counts characters.
    let characters = |at: usize| path[..at].chars().count();
    let groups: Vec<Option<&str>> = found
        .spans()
        .map(|span| span.map(|span| &path[span]))
        .collect();
    let named: serde_json::Map<String, Value> = table
        .group_names(found.index())
        .zip(&groups)
        .filter_map(|(name, value)| Some((name?.to_owned(), json!(value))))
        .collect();
    let span = found.span();
    json!({
        "index": found.index(),
        "groups": groups,
        "named": named,
        "span": [characters(span.start), characters(span.end)],
    })
}
