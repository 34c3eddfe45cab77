//! The compiled table finds what the plain loop "for each pattern: does it match? if not, the next" finds: the same
//! pattern, in the same place, with the same groups.

use tower_dispatch::{Pattern, Table};

/// Lines: the path, then patterns, the first character of each being its kind.
pub(crate) fn table_find(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (path, patterns) = text.split_once('\n').unwrap_or((text, ""));
    let patterns: Vec<Pattern> = patterns.split('\n').take(8).filter_map(pattern).collect();
    let Ok(table) = Table::new(&patterns) else {
        return;
    };
    let alone = patterns.iter().enumerate().find_map(|(index, pattern)| {
        let alone = Table::new(std::slice::from_ref(pattern)).expect("it is in a table already");
        let found = alone.find(path)?;
        Some((index, found.span(), found.spans().collect::<Vec<_>>()))
    });
    let found = table.find(path);
    let found = found.map(|found| (found.index(), found.span(), found.spans().collect()));
    assert_eq!(found, alone);
}

fn pattern(line: &str) -> Option<Pattern> {
    let mut chars = line.chars();
    let kind = chars.next()?;
    let text = chars.as_str();
    // What takes long to compile says nothing more.
    if text.len() > 64 || text.matches('{').count() > 2 && kind != '/' {
        return None;
    }
    match kind {
        '/' => Pattern::template(line).ok(),
        '=' => Pattern::regex(text).ok(),
        '^' => Pattern::regex_prefix(text).ok(),
        '?' => Pattern::regex_search(text).ok(),
        _ => None,
    }
}
