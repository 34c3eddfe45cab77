//! The compiled table finds the same as the plain loop "for each pattern: does it match? if not,
//! the next": the same pattern, at the same index, with the same groups.

use regex::Regex;
use tower_dispatch::{Pattern, Table};

/// Lines: the path, then patterns, the first character of each being its kind.
pub(crate) fn table_find(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (path, patterns) = text.split_once('\n').unwrap_or((text, ""));
    let patterns = patterns.split('\n').take(12).filter_map(pattern);
    let (patterns, regexes): (Vec<Pattern>, Vec<Regex>) = patterns.unzip();
    let Ok(table) = Table::new(&patterns) else {
        return;
    };
    let alone = regexes.iter().enumerate().find_map(|(index, regex)| {
        let groups = regex.captures(path)?;
        let spans = groups.iter().map(|group| group.map(|group| group.range()));
        Some((index, spans.collect::<Vec<_>>()))
    });
    let found = table.find(path).map(|found| {
        let spans = [Some(found.span())].into_iter().chain(found.spans());
        (found.index(), spans.collect())
    });
    assert_eq!(found, alone);
}

/// The pattern, and the regex that is the same for the loop.
fn pattern(line: &str) -> Option<(Pattern, Regex)> {
    let mut chars = line.chars();
    let kind = chars.next()?;
    let text = chars.as_str();
    // Patterns that take long to compile test nothing more.
    if text.len() > 64 || text.matches('{').count() > 2 && kind != '/' {
        return None;
    }
    let (pattern, alone) = match kind {
        '/' => (
            Pattern::template(line),
            format!(r"\A(?:{})\z", from_template(line)?),
        ),
        '=' => (Pattern::regex(text), format!(r"\A(?:{text})\z")),
        '^' => (Pattern::regex_prefix(text), format!(r"\A(?:{text})")),
        '?' => (Pattern::regex_search(text), text.to_owned()),
        _ => return None,
    };
    Some((pattern.ok()?, Regex::new(&alone).ok()?))
}

/// The regex of a template that has only parameters of the simple kinds.
fn from_template(template: &str) -> Option<String> {
    let mut regex = String::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        let (parameter, after) = after.split_once('}')?;
        regex += &regex::escape(text);
        regex += match parameter.split_once(':') {
            None if parameter.starts_with('*') => "((?s:.)+)",
            None => "([^/]+)",
            Some((_, "int")) => "([0-9]+)",
            Some((_, "path")) => "((?s:.)+)",
            Some((_, "any(a,ab)")) => "(a|ab)",
            Some(_) => return None,
        };
        rest = after;
    }
    (!template.contains(['[', ']']) && !template.contains("}}") && !template.contains("{{"))
        .then(|| regex + &regex::escape(rest))
}
