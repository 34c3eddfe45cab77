//! The entry for `Via`, which a gateway must send in requests (RFC 9110, section 7.6.3). In
//! responses it is optional, and would show every client what is in between.

use http::{HeaderValue, Version};

/// The entries for `Via`, made once.
#[derive(Clone)]
pub(crate) struct Via {
    http_1: HeaderValue,
    others: [(Version, HeaderValue); 4],
}

impl Via {
    /// Returns the entries of a proxy with this name, which is a token.
    pub(crate) fn new(name: &str) -> Self {
        let entry = |version: &str| {
            HeaderValue::from_str(&format!("{version} {name}"))
                .expect("a number and a token are a value")
        };
        Self {
            http_1: entry("1.1"),
            others: [
                (Version::HTTP_2, entry("2.0")),
                (Version::HTTP_10, entry("1.0")),
                (Version::HTTP_3, entry("3.0")),
                (Version::HTTP_09, entry("0.9")),
            ],
        }
    }

    /// Returns the entry for a request of this version.
    pub(crate) fn entry(&self, version: Version) -> &HeaderValue {
        let mut others = self.others.iter();
        match others.find(|(other, _)| *other == version) {
            Some((_, entry)) => entry,
            None => &self.http_1,
        }
    }
}
