//! The syntax of regexes, and the errors of what this build of the crate has not.

use regex_syntax::hir::{ErrorKind, Hir, Look};

use crate::template::SyntaxError;

/// The reason of a regex that needs tables which are left out.
const NEEDS_UNICODE: &str = "it needs tables of Unicode: write the characters, such as `[0-9]` for `\\d`, \
     or `(?-u:…)` around it for ASCII, or use the feature `unicode` of tower-dispatch";

/// Parses a regex without anchors.
pub(crate) fn parse(regex: &str) -> Result<Hir, SyntaxError> {
    let hir = regex_syntax::parse(regex).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => (error.span().start.column, error.kind().to_string()),
        regex_syntax::Error::Translate(error) => {
            let reason = match error.kind() {
                ErrorKind::UnicodePropertyNotFound
                | ErrorKind::UnicodePropertyValueNotFound
                | ErrorKind::UnicodePerlClassNotFound
                | ErrorKind::UnicodeCaseUnavailable
                    if cfg!(not(feature = "unicode")) =>
                {
                    NEEDS_UNICODE.to_owned()
                }
                kind => kind.to_string(),
            };
            (error.span().start.column, reason)
        }
        // The enum may grow. It has no others yet, and the code that shows them is long (`just
        // cost`).
        _ => (1, "it is not a regex".to_owned()),
    })?;
    // The parser takes it, and the engine would not.
    let looks = hir.properties().look_set();
    let has_unicode_word = (Look::WordUnicode, looks.contains_word_unicode());
    match has_unicode_word {
        (_, true) if cfg!(not(feature = "unicode")) => {
            let column = regex.find(r"\b").or_else(|| regex.find(r"\B"));
            let column = regex[..column.unwrap_or(0)].chars().count() + 1;
            Err((column, NEEDS_UNICODE.to_owned()))
        }
        _ => Ok(hir),
    }
}
