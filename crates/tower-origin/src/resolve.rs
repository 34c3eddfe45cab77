//! The rule: which headers count.
//!
//! A header counts if the peer that sent it is trusted. If several proxies have written a list,
//! only the entries of trusted proxies count. They are read from the right, up to the first hop
//! that is not a trusted proxy. That hop is the client.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Uri, Version,
    header::{FORWARDED, HOST},
    uri::Scheme,
};
use ipnet::IpNet;

use crate::{
    BadOrigin, Origin, forwarded,
    host::{self, Host, HostPattern},
    node::Node,
    prefix,
};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The configuration of the layer.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) trusted: Vec<IpNet>,
    pub(crate) trusted_without_address: bool,
    pub(crate) kind: Kind,
    /// The headers that count besides X-Forwarded-For and -Proto.
    pub(crate) extra: Vec<XForwarded>,
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) default_host: Option<Host>,
    pub(crate) scheme: Scheme,
    pub(crate) prefix: Option<Arc<str>>,
}

/// The kind of headers that the proxies set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Either,
    Forwarded,
    XForwarded,
}

/// A header that counts only if [`OriginLayer::x_forwarded`](crate::OriginLayer::x_forwarded) names
/// it, because many proxies do not set it and pass it on if a client sends it.
///
/// # Examples
///
/// ```
/// use tower_origin::{OriginLayer, XForwarded};
///
/// // The proxy sets X-Forwarded-For, -Proto and -Host, and drops the others.
/// let layer = OriginLayer::new()
///     .trusted(["10.0.0.0/8"])?
///     .x_forwarded([XForwarded::Host]);
/// # Ok::<(), tower_origin::OriginError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum XForwarded {
    /// X-Forwarded-Host: the host that the client requested, perhaps with the port.
    Host,
    /// X-Forwarded-Port: the port that the client requested.
    Port,
    /// X-Forwarded-Prefix: the prefix that the proxy has stripped from the path. It also counts
    /// beside `Forwarded`, which has no such parameter.
    Prefix,
}

/// The report of the trusted proxies.
#[derive(Default)]
struct Report {
    /// The client's end, or that it is hidden. It is `None` if the proxies report nothing of it.
    client: Option<Node>,
    scheme: Option<Scheme>,
    host: Option<Host>,
    port: Option<u16>,
    prefix: Option<Arc<str>>,
}

impl Rules {
    pub(crate) fn resolve(
        &self,
        uri: &Uri,
        version: Version,
        headers: &HeaderMap,
        peer: Option<SocketAddr>,
        of_server: Option<&Scheme>,
    ) -> Result<Origin, BadOrigin> {
        let header = host_in_header(headers)?;
        let authority = host_in_target(uri)?;
        let peer = peer.map(|peer| (peer.ip().to_canonical(), peer.port()));
        let trusted = match peer {
            Some((address, _)) => self.trusts(address),
            None => self.trusted_without_address,
        };
        // DIFFERENCE: PasteDeploy's PrefixMiddleware trusts every peer.
        let mut report = match (trusted, self.kind) {
            (false, _) => Report::default(),
            (true, Kind::Either) => self.either(headers)?,
            (true, Kind::Forwarded) => self.forwarded(headers)?,
            (true, Kind::XForwarded) => self.x_forwarded(headers)?,
        };
        // The prefix of the configuration counts before the one in the header.
        if trusted && self.prefix.is_none() && self.reads(XForwarded::Prefix) {
            report.prefix = last(
                headers,
                &PREFIX,
                "X-Forwarded-Prefix",
                prefix::EXPECTED,
                |text| prefix::parse(text).map(Arc::from),
            )?;
        }
        let scheme = report.scheme.as_ref().or(of_server);
        let scheme = scheme.unwrap_or(&self.scheme).clone();
        // In HTTP/1 the target's host counts before the header's (RFC 9112, section 3.2.2).
        if version >= Version::HTTP_2
            && let (Some(authority), Some(header)) = (&authority, &header)
        {
            // A proxy that ends TLS may send `http` here and `https` in its header.
            let target = [uri.scheme().unwrap_or(&scheme)];
            let mut schemes = target.into_iter().chain(&report.scheme);
            if !schemes.any(|scheme| authority.is_same(header, scheme)) {
                return Err(BadOrigin::HostsDiffer);
            }
        }
        let (client, client_port) = match report.client {
            Some(Node::Address(address, port)) => (Some(address), port),
            Some(Node::Hidden | Node::Local) => (None, None),
            // A proxy reports something, but no client.
            None if report.scheme.is_some() || report.host.is_some() || report.port.is_some() => {
                (None, None)
            }
            None => peer.unzip(),
        };
        // It is moved only if there is another one: for `ratios` overhead/origin.
        let mut host = header;
        if authority.is_some() {
            host = authority;
        }
        if report.host.is_some() {
            host = report.host;
        }
        let is_named = host.is_some();
        if !is_named {
            host = self.default_host.clone();
        }
        if let (Some(host), Some(port)) = (&mut host, report.port) {
            host.port = Some(port);
        }
        // DIFFERENCE: WSGI's `construct_url` takes any `Host`.
        match &host {
            _ if self.hosts.is_empty() => {}
            None => return Err(BadOrigin::NoHost),
            Some(host) if is_named && !self.serves(host, &scheme) => {
                return Err(BadOrigin::UnknownHost(host.name.as_str().into()));
            }
            Some(_) => {}
        }
        let prefix = self.prefix.clone().or(report.prefix);
        Ok(Origin {
            scheme,
            vouched: !self.hosts.is_empty() || !is_named,
            host,
            client,
            client_port,
            prefix: prefix.filter(|prefix| !prefix.is_empty()),
        })
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&address))
    }

    fn serves(&self, host: &Host, scheme: &Scheme) -> bool {
        let mut hosts = self.hosts.iter();
        hosts.any(|pattern| pattern.matches(host, scheme))
    }

    fn either(&self, headers: &HeaderMap) -> Result<Report, BadOrigin> {
        if !headers.contains_key(FORWARDED) {
            return self.x_forwarded(headers);
        }
        let x_forwarded = [
            (FOR, true),
            (PROTO, true),
            (X_HOST, self.reads(XForwarded::Host)),
            (PORT, self.reads(XForwarded::Port)),
        ];
        if x_forwarded
            .iter()
            .any(|(name, read)| *read && headers.contains_key(name))
        {
            return Err(BadOrigin::TwoKinds);
        }
        self.forwarded(headers)
    }

    fn reads(&self, header: XForwarded) -> bool {
        self.extra.contains(&header)
    }

    fn forwarded(&self, headers: &HeaderMap) -> Result<Report, BadOrigin> {
        let mut elements = Vec::new();
        for line in headers.get_all(FORWARDED) {
            let bad =
                |at, expected| BadOrigin::malformed("Forwarded", line.as_bytes(), at, expected);
            let text = line.to_str().map_err(|_| bad(0, "expected ASCII"))?;
            let line = forwarded::parse(text).map_err(|(at, expected)| bad(at, expected))?;
            elements.extend(line);
        }
        let mut report = Report::default();
        for element in elements.into_iter().rev() {
            // An element without `for` is a hop that is not known.
            let node = element.node.unwrap_or(Node::Hidden);
            report.client = Some(node);
            // The first proxy saw the client's request. If it reports nothing, the next one's
            // report counts.
            if let Some(host) = element.host.filter(|host| !host.is_empty()) {
                let bad = || BadOrigin::malformed_host("Forwarded", host.as_bytes());
                report.host = Some(Host::parse(&host).ok_or_else(bad)?);
            }
            if let Some(proto) = element.proto.filter(|proto| !proto.is_empty()) {
                let bad = || BadOrigin::malformed("Forwarded", proto.as_bytes(), 0, SCHEME);
                report.scheme = Some(scheme(&proto).ok_or_else(bad)?);
            }
            if !self.is_proxy(node) {
                break;
            }
        }
        Ok(report)
    }

    fn x_forwarded(&self, headers: &HeaderMap) -> Result<Report, BadOrigin> {
        let mut report = Report::default();
        for (line, at, entry) in entries(headers, &FOR) {
            let text = std::str::from_utf8(entry).ok();
            let node = text.and_then(Node::parse_bare).ok_or_else(|| {
                let expected = "expected an address or `unknown` in each entry up to the client's";
                BadOrigin::malformed("X-Forwarded-For", line.as_bytes(), at, expected)
            })?;
            report.client = Some(node);
            if !self.is_proxy(node) {
                break;
            }
        }
        // In these headers only the last value is surely that of a proxy.
        report.scheme = last(headers, &PROTO, "X-Forwarded-Proto", SCHEME, scheme)?;
        if self.reads(XForwarded::Port) {
            report.port = last(
                headers,
                &PORT,
                "X-Forwarded-Port",
                "expected a port",
                host::port,
            )?;
        }
        if self.reads(XForwarded::Host) {
            report.host = last(
                headers,
                &X_HOST,
                "X-Forwarded-Host",
                "expected a host",
                Host::parse,
            )?;
        }
        Ok(report)
    }

    fn is_proxy(&self, node: Node) -> bool {
        match node {
            Node::Address(address, _) => self.trusts(address),
            Node::Local => self.trusted_without_address,
            Node::Hidden => false,
        }
    }
}

const SCHEME: &str = "expected `http` or `https`";

/// Reads a scheme. Some proxies report the scheme of a WebSocket for the request that opens one.
fn scheme(text: &str) -> Option<Scheme> {
    let is = |scheme: &str| text.eq_ignore_ascii_case(scheme);
    if is("https") || is("wss") {
        Some(Scheme::HTTPS)
    } else if is("http") || is("ws") {
        Some(Scheme::HTTP)
    } else {
        None
    }
}

/// Returns the host that the request's target names.
fn host_in_target(uri: &Uri) -> Result<Option<Host>, BadOrigin> {
    let authority = uri.authority().map(|authority| authority.as_str());
    let read = |text: &str| {
        let bad = || BadOrigin::malformed_host(":authority", text.as_bytes());
        Host::parse(text).ok_or_else(bad)
    };
    authority.map(read).transpose()
}

/// Returns the host that the request's header names.
fn host_in_header(headers: &HeaderMap) -> Result<Option<Host>, BadOrigin> {
    // Clients send it first (RFC 9110, section 7.2), so a pass over the lines is shorter than a
    // lookup. All lines of a name are adjacent.
    let mut lines = headers.iter().skip_while(|(name, _)| **name != HOST);
    let Some((_, value)) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some_and(|(name, _)| *name == HOST) {
        return Err(BadOrigin::SeveralHosts);
    }
    if value.is_empty() {
        return Ok(None);
    }
    let bad = || BadOrigin::malformed_host("Host", value.as_bytes());
    Host::read(value.as_bytes()).ok_or_else(bad).map(Some)
}

/// Returns the entries of all lines of a header, from the last to the first, with their line and
/// their position in it. Entries are separated by commas.
fn entries<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = (&'a HeaderValue, usize, &'a [u8])> {
    let lines = headers.get_all(name).iter().rev();
    lines.flat_map(|line| {
        let mut end = line.len();
        let entries = line.as_bytes().rsplit(|byte| *byte == b',');
        entries.filter_map(move |entry| {
            let start = end - entry.len();
            // The comma before it is not part of an entry.
            end = start.saturating_sub(1);
            let at = start + (entry.len() - entry.trim_ascii_start().len());
            let entry = entry.trim_ascii();
            (!entry.is_empty()).then_some((line, at, entry))
        })
    })
}

/// Returns the last entry of a header, parsed.
fn last<T>(
    headers: &HeaderMap,
    name: &HeaderName,
    shown: &'static str,
    expected: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, BadOrigin> {
    let Some((line, at, entry)) = entries(headers, name).next() else {
        return Ok(None);
    };
    match std::str::from_utf8(entry).ok().and_then(read) {
        Some(read) => Ok(Some(read)),
        None => Err(BadOrigin::malformed(shown, line.as_bytes(), at, expected)),
    }
}
