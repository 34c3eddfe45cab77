//! References of a response to the upstream itself, as the client has to see them.
//!
//! A client asks for `/shop/x` below the mount `/shop`, and the upstream at `http://h:81/base` gets
//! `/base/x`. It redirects to `/base/y` or to `http://h:81/base/y`, and the client has to get
//! `/shop/y`. Whatever is not below the upstream's own path stays as it is: the client could not
//! reach it through the proxy under any path. So do references to other hosts and relative ones.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_LOCATION, LOCATION, REFRESH, SET_COOKIE},
};

use crate::{
    Address,
    forwarded::{self, Forwarding},
    host::{Hosts, is_host},
};

/// What the references in the response to one request are mapped with.
#[derive(Debug)]
pub(crate) struct Locations {
    /// The path of the upstream's address, without a slash at its end.
    base: String,
    /// The path that the client has before the path below `base`, without a slash at its end.
    mount: String,
    /// The hosts that stand for the upstream: those of its addresses, and the one in `Host`.
    hosts: Vec<String>,
    /// Those of `https` addresses.
    secure_hosts: Vec<String>,
    /// The client's scheme, if it is known.
    scheme: Option<String>,
    /// The client's host, if it is known.
    client_host: Option<String>,
}

impl Locations {
    /// Returns the mapping for a request with these headers about the client, and with these values
    /// of `Host`.
    pub(crate) fn new<'a>(
        addresses: impl Iterator<Item = &'a Address>,
        forwarding: &Forwarding,
        host: &Hosts,
    ) -> Self {
        let first = |name: HeaderName| {
            let value = forwarding.get(&name);
            let value = value.and_then(|value| value.to_str().ok());
            value.map(|value| {
                value
                    .split(',')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            })
        };
        let prefix = first(forwarded::PREFIX).unwrap_or_default();
        let mut base = "";
        let (mut hosts, mut secure_hosts) = (Vec::new(), Vec::new());
        for address in addresses {
            // All have the same path.
            base = address.path();
            let own = normal(address.host());
            if address.is_https {
                secure_hosts.push(own.clone());
            }
            hosts.push(own);
            hosts.push(normal(host.of(address)));
        }
        Self {
            base: base.trim_end_matches('/').to_owned(),
            mount: prefix.trim_end_matches('/').to_owned(),
            hosts,
            secure_hosts,
            scheme: first(forwarded::PROTO),
            client_host: first(forwarded::HOST).filter(|host| is_host(host.as_bytes())),
        }
    }

    /// Maps the references in a response's headers.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        change(headers, &LOCATION, |value| self.reference(value));
        change(headers, &CONTENT_LOCATION, |value| self.reference(value));
        change(headers, &REFRESH, |value| self.refresh(value));
        change(headers, &SET_COOKIE, |value| self.cookie(value));
    }

    /// Returns a reference to the upstream for the client, or `None` for all others.
    fn reference(&self, text: &str) -> Option<String> {
        if text.starts_with('/') {
            return self.path(text);
        }
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return None;
        }
        let (host, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let host = host.to_ascii_lowercase();
        let port = if scheme == "http" { ":80" } else { ":443" };
        let host = host.strip_suffix(port).unwrap_or(&host);
        if !self.hosts.iter().any(|own| own == host) {
            return None;
        }
        let path = match rest.starts_with('/') {
            true => self.path(rest)?,
            false => self.path(&format!("/{rest}"))?,
        };
        // A reference without a scheme and a host keeps those of the client. They are not enough
        // for an upstream that sends clients from http to https. An upstream with TLS names itself.
        if self.secure_hosts.iter().any(|own| own == host) {
            return Some(path);
        }
        match (&self.scheme, &self.client_host) {
            (Some(own), Some(host)) if *own != scheme && scheme == "https" => {
                Some(format!("{scheme}://{host}{path}"))
            }
            _ => Some(path),
        }
    }

    /// Returns an absolute path, with its query and fragment, for the client.
    fn path(&self, text: &str) -> Option<String> {
        if names_host(text) {
            return None;
        }
        let (path, _) = text.split_at(text.find(['?', '#']).unwrap_or(text.len()));
        // An upstream that reads X-Forwarded-Prefix has already done it.
        if self.base.is_empty() && !self.mount.is_empty() && below(path, &self.mount).is_some() {
            return Some(text.to_owned());
        }
        below(path, &self.base)?;
        let mapped = format!("{}{}", self.mount, &text[self.base.len()..]);
        let mapped = match mapped.starts_with('/') {
            true => mapped,
            false => format!("/{mapped}"),
        };
        // What is left of `/base//evil.example` would lead to another host.
        (!names_host(&mapped)).then_some(mapped)
    }

    /// Maps the reference in `5; url=/x`.
    fn refresh(&self, text: &str) -> Option<String> {
        let at = text.to_ascii_lowercase().find("url=")? + "url=".len();
        let (start, rest) = text.split_at(at);
        let quote = rest
            .chars()
            .next()
            .filter(|char| ['"', '\''].contains(char));
        let Some(quote) = quote else {
            return Some(format!("{start}{}", self.reference(rest.trim())?));
        };
        let (reference, end) = rest[1..].split_at(rest[1..].find(quote)?);
        Some(format!("{start}{quote}{}{end}", self.reference(reference)?))
    }

    /// Maps the `Path` of a cookie. A browser takes a cookie with the prefix `__Host-` only for the
    /// path `/`.
    fn cookie(&self, text: &str) -> Option<String> {
        let prefix = text.trim_start().get(.."__Host-".len());
        if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case("__Host-")) {
            return None;
        }
        let mut is_changed = false;
        let parts = text.split(';').enumerate().map(|(at, part)| {
            let mapped = part.split_once('=').and_then(|(name, path)| {
                let is_path = at > 0 && name.trim().eq_ignore_ascii_case("path");
                let path = is_path.then(|| self.cookie_path(path.trim()))??;
                Some(format!("{name}={path}"))
            });
            is_changed |= mapped.is_some();
            mapped.unwrap_or_else(|| part.to_owned())
        });
        let cookie = parts.collect::<Vec<_>>().join(";");
        is_changed.then_some(cookie)
    }

    fn cookie_path(&self, path: &str) -> Option<String> {
        // `/shop/` would not match `/shop`.
        if path == "/" && self.base.is_empty() && !self.mount.is_empty() {
            return Some(self.mount.clone());
        }
        path.starts_with('/').then(|| self.path(path))?
    }
}

/// Replaces the values for which there is another one.
fn change(headers: &mut HeaderMap, name: &HeaderName, map: impl Fn(&str) -> Option<String>) {
    let http::header::Entry::Occupied(mut entry) = headers.entry(name) else {
        return;
    };
    for value in entry.iter_mut() {
        let mapped = std::str::from_utf8(value.as_bytes()).ok().and_then(&map);
        if let Some(Ok(mapped)) = mapped.map(|mapped| HeaderValue::from_str(&mapped)) {
            *value = mapped;
        }
    }
}

/// Returns the rest of a path below a prefix, which ends at a segment's end.
fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// Returns whether a reference names a host without a scheme. Browsers take `\` for `/`.
fn names_host(reference: &str) -> bool {
    reference.starts_with("//") || reference.starts_with("/\\")
}

/// Returns a host in lower case and without the port of a scheme.
fn normal(host: &HeaderValue) -> String {
    let host = String::from_utf8_lossy(host.as_bytes()).to_ascii_lowercase();
    let plain = host
        .strip_suffix(":80")
        .or_else(|| host.strip_suffix(":443"));
    plain.unwrap_or(&host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostPolicy;

    fn locations(address: &str, mount: &str, proto: &str) -> Locations {
        let mut forwarding = HeaderMap::new();
        for (name, value) in [
            (forwarded::PREFIX, mount),
            (forwarded::PROTO, proto),
            (forwarded::HOST, "shop.example:8443"),
        ] {
            if !value.is_empty() {
                forwarding.insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
        let address: Address = address.parse().unwrap();
        let host = Hosts {
            client: Some(HeaderValue::from_static("shop.example:8443")),
            is_in_head: false,
            policy: HostPolicy::Client,
        };
        let forwarding = Forwarding::HandedOn(forwarding);
        Locations::new([&address].into_iter(), &forwarding, &host)
    }

    #[test]
    fn upstream_31_a_reference_to_the_upstream_is_mapped() {
        for (address, mount, reference, expected) in [
            ("http://h:81/two", "/one", "/two/x?q#f", Some("/one/x?q#f")),
            ("http://h:81/two", "/one", "/two", Some("/one")),
            ("http://h:81/two", "/one", "/two?q", Some("/one?q")),
            ("http://h:81/two/", "/one/", "/two/", Some("/one/")),
            (
                "http://h:81/two",
                "/one",
                "http://h:81/two/x",
                Some("/one/x"),
            ),
            (
                "http://h:81/two",
                "/one",
                "HTTP://H:81/two/x",
                Some("/one/x"),
            ),
            ("http://h:81/two", "", "http://h:81/two", Some("/")),
            ("http://h:81/two", "", "/two?q", Some("/?q")),
            // The name that is in `Host` is the upstream's, too.
            (
                "http://h/two",
                "/one",
                "http://shop.example:8443/two/x",
                Some("/one/x"),
            ),
            ("http://h", "/one", "http://h/x", Some("/one/x")),
            ("http://h:80", "/one", "http://h:80/x", Some("/one/x")),
            ("http://h", "/one", "http://h", Some("/one/")),
            ("http://h", "/one", "http://h?q", Some("/one/?q")),
            ("http://h", "/one", "/x", Some("/one/x")),
            (
                "unix:/run/x.sock",
                "/one",
                "http://localhost/x",
                Some("/one/x"),
            ),
            // It knows the prefix.
            ("http://h", "/one", "/one/x", Some("/one/x")),
            ("http://h", "/one", "http://h/one", Some("/one")),
            ("http://h", "/one", "/onex", Some("/one/onex")),
            ("http://h/one", "/one", "/one/one/x", Some("/one/one/x")),
            // Not the upstream's.
            ("http://h:81/two", "/one", "/other/x", None),
            ("http://h:81/two", "/one", "/twofold", None),
            ("http://h:81/two", "/one", "/", None),
            ("http://h:81/two", "/one", "http://h:81/other", None),
            ("http://h:81/two", "/one", "http://h/two/x", None),
            ("http://h:81/two", "/one", "http://h:82/two/x", None),
            ("http://h:81/two", "/one", "http://other/two/x", None),
            (
                "http://h:81/two",
                "/one",
                "http://h:81@evil.example/two/",
                None,
            ),
            (
                "http://h:81/two",
                "/one",
                "http://h:81\\evil.example/two/",
                None,
            ),
            ("http://h:81/two", "/one", "ftp://h:81/two/x", None),
            ("http://h:81/two", "/one", "//h:81/two/x", None),
            ("http://h:81/two", "/one", "x", None),
            ("http://h:81/two", "/one", "../x", None),
            ("http://h:81/two", "/one", "?q", None),
            ("http://h:81/two", "/one", "", None),
            // What would be left leads to another host.
            ("http://h:81/two", "", "/two//evil.example", None),
            ("http://h:81/two", "", "/two/\\evil.example", None),
            ("http://h:81/two", "", "http://h:81/two//evil.example", None),
        ] {
            let mapped = locations(address, mount, "http").reference(reference);
            assert_eq!(mapped.as_deref(), expected, "{address} {mount} {reference}");
        }
    }

    #[test]
    fn upstream_31_a_way_from_http_to_https_is_kept() {
        for (proto, reference, expected) in [
            ("http", "http://h/x", "/one/x"),
            ("http", "https://h/x", "https://shop.example:8443/one/x"),
            ("https", "https://h/x", "/one/x"),
            // It does not know that the client uses TLS.
            ("https", "http://h/x", "/one/x"),
            ("https, http", "https://h/x", "/one/x"),
            ("", "https://h/x", "/one/x"),
        ] {
            let mapped = locations("http://h", "/one", proto).reference(reference);
            assert_eq!(mapped.as_deref(), Some(expected), "{proto} {reference}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn upstream_31_an_upstream_with_tls_names_itself() {
        for (proto, reference, expected) in [
            ("http", "https://h/x", Some("/one/x")),
            ("http", "https://h:443/x", Some("/one/x")),
            ("https", "https://h/x", Some("/one/x")),
            ("http", "http://h/x", Some("/one/x")),
            ("http", "https://h:8443/x", None),
            // The client's host is not its own name.
            (
                "http",
                "https://shop.example:8443/x",
                Some("https://shop.example:8443/one/x"),
            ),
        ] {
            let mapped = locations("https://h", "/one", proto).reference(reference);
            assert_eq!(mapped.as_deref(), expected, "{proto} {reference}");
        }
    }

    #[test]
    fn upstream_31_refresh_and_cookies_are_mapped() {
        let of = |name: HeaderName, value: &str, address: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(&name, HeaderValue::from_str(value).unwrap());
            locations(address, "/one", "http").apply(&mut headers);
            headers[name].to_str().unwrap().to_owned()
        };
        let two = "http://h:81/two";
        for (name, value, address, expected) in [
            (LOCATION, "/two/x", two, "/one/x"),
            (CONTENT_LOCATION, "/two/x", two, "/one/x"),
            (REFRESH, "5; url=/two/x", two, "5; url=/one/x"),
            (REFRESH, "5;URL='/two/x'", two, "5;URL='/one/x'"),
            (
                REFRESH,
                "0, url=\"http://h:81/two\"",
                two,
                "0, url=\"/one\"",
            ),
            (REFRESH, "5", two, "5"),
            (REFRESH, "5; url=\"/two", two, "5; url=\"/two"),
            (REFRESH, "5; url=http://other/", two, "5; url=http://other/"),
            (SET_COOKIE, "a=/two; Path=/two", two, "a=/two; Path=/one"),
            (
                SET_COOKIE,
                "a=b;path=/two/x;Secure",
                two,
                "a=b;path=/one/x;Secure",
            ),
            (
                SET_COOKIE,
                "a=b; Path=/; HttpOnly",
                two,
                "a=b; Path=/; HttpOnly",
            ),
            (SET_COOKIE, "a=b; Path=/", "http://h", "a=b; Path=/one"),
            (SET_COOKIE, "a=b; Path=/one", "http://h", "a=b; Path=/one"),
            (SET_COOKIE, "path=/two", two, "path=/two"),
            (SET_COOKIE, "a=b", two, "a=b"),
            (SET_COOKIE, "a=b; Path", two, "a=b; Path"),
            (SET_COOKIE, "a=b; Path=x", two, "a=b; Path=x"),
            (
                SET_COOKIE,
                "__Host-a=b; Path=/",
                "http://h",
                "__Host-a=b; Path=/",
            ),
        ] {
            assert_eq!(of(name, value, address), expected, "{address}");
        }
    }
}
