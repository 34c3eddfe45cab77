//! The kinds of fields that a head has, found in one pass.
//!
//! Each step on the way of a head is about a few fields, and most heads have none of them. A lookup
//! costs more than a look at a name. So all names are looked at once, and a step whose fields are
//! missing is left out.

use std::ops::BitOr;

use http::{
    HeaderMap, HeaderName,
    header::{
        ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONNECTION,
        CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, DATE, ETAG, HOST, LAST_MODIFIED,
        ORIGIN, REFERER, SERVER, SET_COOKIE, TE, TRANSFER_ENCODING, USER_AGENT, VARY,
    },
};
use tower_kit::names::is_plain;

use crate::one_hop::is_ours;

/// A set of kinds of fields.
///
/// It says only what may be left out: a field that was found may have been removed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fields(u16);

impl Fields {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ACCEPT: Self = Self(1);
    pub(crate) const CONNECTION: Self = Self(1 << 1);
    pub(crate) const CONTENT_LENGTH: Self = Self(1 << 2);
    pub(crate) const CONTENT_TYPE: Self = Self(1 << 3);
    pub(crate) const COOKIE: Self = Self(1 << 4);
    pub(crate) const TE: Self = Self(1 << 5);
    pub(crate) const TRANSFER_ENCODING: Self = Self(1 << 6);
    /// Other fields that never reach the upstream from a client, and not `Host`.
    pub(crate) const OURS: Self = Self(1 << 7);
    /// Fields whose names are not plain.
    pub(crate) const AMBIGUOUS: Self = Self(1 << 8);
    /// Fields about one hop or about the client, besides `Connection`.
    pub(crate) const OF_ONE_HOP: Self = Self(Self::TE.0 | Self::TRANSFER_ENCODING.0 | Self::OURS.0);
    /// Fields that may have to be removed on the way to the upstream, besides `Connection`.
    pub(crate) const REMOVED: Self =
        Self(Self::OF_ONE_HOP.0 | Self::CONTENT_LENGTH.0 | Self::AMBIGUOUS.0);

    /// Returns the kinds of fields in these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let kinds = headers.keys().map(kind);
        kinds.fold(Self::NONE, BitOr::bitor)
    }

    /// Returns whether there are fields of one of these kinds.
    pub(crate) fn have(self, kinds: Self) -> bool {
        self.0 & kinds.0 != 0
    }
}

impl BitOr for Fields {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Returns the kind of a field. Names for which `http` has constants are compared as numbers, so
/// the usual ones of no kind come first.
fn kind(name: &HeaderName) -> Fields {
    match *name {
        HOST | ACCEPT_ENCODING | ACCEPT_LANGUAGE | AUTHORIZATION | CACHE_CONTROL
        | CONTENT_ENCODING | DATE | ETAG | LAST_MODIFIED | ORIGIN | REFERER | SERVER
        | SET_COOKIE | USER_AGENT | VARY => Fields::NONE,
        ACCEPT => Fields::ACCEPT,
        CONNECTION => Fields::CONNECTION,
        CONTENT_LENGTH => Fields::CONTENT_LENGTH,
        CONTENT_TYPE => Fields::CONTENT_TYPE,
        COOKIE => Fields::COOKIE,
        TE => Fields::TE,
        TRANSFER_ENCODING => Fields::TRANSFER_ENCODING,
        _ => match name.as_str() {
            name if !is_plain(name) => Fields::AMBIGUOUS,
            name if is_ours(name) => Fields::OURS,
            _ => Fields::NONE,
        },
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tower_kit::names::{is_of_one_hop, plain};

    use super::*;

    fn of(names: &[&str]) -> Fields {
        let names = names
            .iter()
            .map(|name| HeaderName::from_bytes(name.as_bytes()));
        let lines = names.map(|name| (name.unwrap(), HeaderValue::from_static("x")));
        Fields::of(&lines.collect())
    }

    #[test]
    fn upstream_2_no_field_that_is_removed_is_overlooked() {
        let names = [
            "accept",
            "accept-encoding",
            "accept-language",
            "authorization",
            "cache-control",
            "connection",
            "content-encoding",
            "content-length",
            "content-type",
            "cookie",
            "date",
            "etag",
            "expect",
            "forwarded",
            "http2-settings",
            "keep-alive",
            "last-modified",
            "origin",
            "proxy",
            "proxy-authenticate",
            "proxy-authentication-info",
            "proxy-authorization",
            "proxy-connection",
            "referer",
            "sec-websocket-key",
            "server",
            "set-cookie",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "user-agent",
            "vary",
            "via",
            "x-forwarded-",
            "x-forwarded-for",
            "x-forwarded-user",
            "x-real-ip",
            "x-token",
        ];
        for name in names {
            let found = of(&[name]);
            let to_upstream = Fields::REMOVED | Fields::CONNECTION;
            assert_eq!(found.have(to_upstream), is_ours(name), "{name}");
            let to_client = Fields::OF_ONE_HOP | Fields::CONNECTION;
            assert!(found.have(to_client) || !is_of_one_hop(name), "{name}");
            assert!(!found.have(Fields::AMBIGUOUS), "{name}");
            let folded = name.replace('-', "_");
            if folded != name {
                assert_eq!(plain(&folded), name);
                assert_eq!(of(&[&folded]), Fields::AMBIGUOUS, "{folded}");
            }
        }
        // `Host` is replaced where it differs.
        assert_eq!(of(&["host"]), Fields::NONE);
    }

    #[test]
    fn the_kinds_of_all_fields_are_found() {
        let found = of(&["host", "te", "x-a", "cookie", "x_b", "accept"]);
        let expected = [
            Fields::TE,
            Fields::COOKIE,
            Fields::AMBIGUOUS,
            Fields::ACCEPT,
        ];
        assert_eq!(found, expected.into_iter().fold(Fields::NONE, BitOr::bitor));
        for kind in expected {
            assert!(found.have(kind) && !Fields::NONE.have(kind));
        }
        assert!(!found.have(Fields::OURS));
    }
}
