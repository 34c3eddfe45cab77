//! Suggestions for words that look misspelt.

/// Returns the known word that is most like a name, if one is.
pub(crate) fn did_you_mean<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let scored = known.into_iter().map(|known| {
        let (a, b) = (name.to_lowercase(), known.to_lowercase());
        (strsim::jaro_winkler(&a, &b), known)
    });
    let best = scored.max_by(|one, other| one.0.total_cmp(&other.0));
    best.filter(|(score, _)| *score > 0.8)
        .map(|(_, known)| known)
}

/// Returns whether a key looks like a misspelt one of those that say how a section is read.
fn is_like(key: &str, known: &str) -> bool {
    let key = key.to_lowercase().replace('_', "-");
    let most = if known.len() > 4 { 2 } else { 1 };
    // `text` is not `next`.
    key.chars().next() == known.chars().next() && strsim::osa_distance(&key, known) <= most
}

/// Returns the help for a key that looks like a known one, or like one without its `=`.
pub(crate) fn misspelt(key: &str, known: &[&str]) -> Option<String> {
    let word = key.split_whitespace().next()?;
    let meant = known.iter().find(|known| is_like(word, known))?;
    Some(match word == key {
        true => format!("did you mean `{meant}`?"),
        false => format!("did you mean `{meant} = …`?"),
    })
}

/// The same for the keys that any section may have.
pub(crate) fn misspelt_in_any(key: &str) -> Option<String> {
    let setter = || {
        let (word, name) = key.split_once(char::is_whitespace)?;
        let meant = ["set", "get"].into_iter().find(|set| is_like(word, set))?;
        Some(format!("did you mean `{meant} {}`?", name.trim_start()))
    };
    setter().or_else(|| misspelt(key, &["filter-with", "require"]))
}
