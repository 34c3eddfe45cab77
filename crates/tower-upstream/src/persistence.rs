//! `Connection`: the fields that it names, and whether the connection is kept.

use http::{
    HeaderMap, HeaderName, Version,
    header::{CONNECTION, CONTENT_LENGTH, Entry},
};

use crate::headers::members;

/// The options of `Connection` that are about the connection itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Persistence {
    has_close: bool,
    has_keep_alive: bool,
}

impl Persistence {
    /// Returns the options in these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for option in headers.get_all(CONNECTION).iter().flat_map(members) {
            found.note(option);
        }
        found
    }

    /// Returns whether the upstream closes the connection after a response of this version (RFC
    /// 9112, section 9.3).
    pub(crate) fn closes(self, version: Version) -> bool {
        self.has_close || (version < Version::HTTP_11 && !self.has_keep_alive)
    }

    fn note(&mut self, option: &[u8]) {
        self.has_close |= option.eq_ignore_ascii_case(b"close");
        self.has_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
    }
}

/// Removes `Connection`, on all its lines, and the fields that it names. Fields that must not be
/// removed are set afterwards.
pub(crate) fn take_connection(headers: &mut HeaderMap) -> Persistence {
    let mut found = Persistence::default();
    let Entry::Occupied(lines) = headers.entry(CONNECTION) else {
        return found;
    };
    let mut names = Vec::new();
    for line in &lines {
        // The usual one, which is about one hop in any case.
        if line.as_bytes().eq_ignore_ascii_case(b"keep-alive") {
            found.has_keep_alive = true;
            continue;
        }
        for option in members(line) {
            found.note(option);
            let name = HeaderName::from_bytes(option);
            // A length is that of the body.
            names.extend(name.ok().filter(|name| *name != CONTENT_LENGTH));
        }
    }
    lines.remove();
    for name in names {
        headers.remove(name);
    }
    found
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn upstream_11_a_connection_closes_by_version_and_options() {
        let table: [(Version, &[&str], bool); 9] = [
            (Version::HTTP_11, &[], false),
            (Version::HTTP_11, &["close"], true),
            (Version::HTTP_11, &["x, Close"], true),
            (Version::HTTP_11, &["x", "close"], true),
            (Version::HTTP_11, &["closed"], false),
            (Version::HTTP_10, &[], true),
            (Version::HTTP_10, &["keep-alive"], false),
            (Version::HTTP_10, &["x", "y, Keep-Alive"], false),
            (Version::HTTP_10, &["keep-alive", "close"], true),
        ];
        for (version, lines, expected) in table {
            let line = |line: &&'static str| (CONNECTION, HeaderValue::from_static(line));
            let lines: Vec<_> = lines.iter().map(line).collect();
            let mut headers = HeaderMap::new();
            headers.extend(lines.iter().cloned());
            for found in [Persistence::of(&headers), take_connection(&mut headers)] {
                assert_eq!(found.closes(version), expected, "{version:?} {lines:?}");
            }
            assert!(headers.is_empty());
        }
    }
}
