//! Names of headers that mean one thing to every server.
//!
//! CGI, WSGI and PHP make variables of names, and in these `_` stands for a hyphen: `X-User` and
//! `X_User` are one variable. In some of them `.` and other characters stand for one too. So a
//! client could set a header that only a proxy may set, under another name. Only a plain name is
//! not taken for another one.

use std::borrow::Cow;

/// Returns whether a name is plain: it has only letters, digits and hyphens.
///
/// ```
/// use tower_kit::names::is_plain;
///
/// assert!(is_plain("x-forwarded-for"));
/// assert!(!is_plain("x_forwarded_for"));
/// ```
#[must_use]
pub fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Returns the plain name for which a server may take this one.
///
/// ```
/// use tower_kit::names::plain;
///
/// assert_eq!(plain("x.forwarded_for"), "x-forwarded-for");
/// ```
#[must_use]
pub fn plain(name: &str) -> Cow<'_, str> {
    match is_plain(name) {
        true => name.into(),
        false => {
            let is_kept = |char: char| char.is_ascii_alphanumeric();
            name.replace(|char| !is_kept(char), "-").into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kit_18_a_name_that_is_taken_for_another_is_not_plain() {
        for (name, plain_name) in [
            ("accept", "accept"),
            ("x-3", "x-3"),
            ("-", "-"),
            ("script_name", "script-name"),
            ("x.forwarded.for", "x-forwarded-for"),
            ("x-forwarded_for", "x-forwarded-for"),
            ("a!#$%&'*+^`|~b", "a------------b"),
        ] {
            assert_eq!(plain(name), plain_name);
            assert_eq!(is_plain(name), name == plain_name);
        }
    }
}
