//! Names of fields that mean one thing to every server.

use std::borrow::Cow;

/// Returns whether a name has only letters, digits and hyphens.
///
/// CGI, WSGI and PHP make variables of names, and in these `_` stands for a hyphen. In some of them
/// `.` and other characters stand for one too. Only a plain name is not taken for another one.
pub(crate) fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Returns the plain name for which this one may be taken.
pub(crate) fn plain(name: &str) -> Cow<'_, str> {
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
    fn upstream_3_a_name_that_is_taken_for_another_is_not_plain() {
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
