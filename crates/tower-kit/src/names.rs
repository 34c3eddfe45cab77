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

/// The fields about one connection, by their names in lower case.
const OF_ONE_HOP: [&str; 10] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Returns whether a field, by its name in lower case, is about one connection (RFC 9110, sections
/// 7.6.1, 10.1.4 and 11.7; RFC 7540, section 3.2.1).
///
/// The fields that `Connection` names are about it as well. `Trailer` is not: it announces fields
/// that are passed on.
///
/// ```
/// use tower_kit::names::is_of_one_hop;
///
/// assert!(is_of_one_hop("keep-alive"));
/// assert!(!is_of_one_hop("trailer"));
/// ```
#[must_use]
pub fn is_of_one_hop(name: &str) -> bool {
    OF_ONE_HOP.contains(&name)
}

/// Returns whether a field, by its name in lower case, tells who the client is.
///
/// All names that begin with `x-forwarded-` do, because X-Forwarded-User can lie as well as
/// X-Forwarded-For.
///
/// ```
/// use tower_kit::names::is_forwarding;
///
/// assert!(is_forwarding("x-forwarded-user"));
/// ```
#[must_use]
pub fn is_forwarding(name: &str) -> bool {
    matches!(name, "forwarded" | "x-real-ip") || name.starts_with("x-forwarded-")
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

    #[test]
    fn kit_19_fields_about_one_hop_and_fields_about_the_client() {
        for name in OF_ONE_HOP {
            assert!(is_of_one_hop(name) && !is_forwarding(name), "{name}");
        }
        for name in ["forwarded", "x-real-ip", "x-forwarded-for", "x-forwarded-"] {
            assert!(is_forwarding(name) && !is_of_one_hop(name), "{name}");
        }
        for name in [
            "",
            "trailer",
            "expect",
            "x-forwarded",
            "forwarded-for",
            "via",
        ] {
            assert!(!is_forwarding(name) && !is_of_one_hop(name), "{name}");
        }
    }
}
