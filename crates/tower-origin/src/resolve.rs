//! The rule: whose word counts for what.
//!
//! A header counts if the peer, who sent it, is trusted, and of a list that several proxies have written only the end
//! that trusted ones have: from the right, as far as and including the first hop that is none of them. That hop is
//! the client.

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

/// What the layer was told.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) trusted: Vec<IpNet>,
    pub(crate) trusted_without_address: bool,
    pub(crate) kind: Kind,
    /// What counts besides X-Forwarded-For and -Proto.
    pub(crate) extra: Vec<XForwarded>,
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) default_host: Option<Host>,
    pub(crate) scheme: Scheme,
    pub(crate) prefix: Option<Arc<str>>,
}

/// Which headers the proxies set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Either,
    Forwarded,
    XForwarded,
}

/// A header that many proxies do not set, and pass on if a client does. Those that the proxies do set are named to
/// [`OriginLayer::x_forwarded`](crate::OriginLayer::x_forwarded).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum XForwarded {
    /// X-Forwarded-Host: the host that the client asked for, perhaps with the port.
    Host,
    /// X-Forwarded-Port: the port that the client asked for.
    Port,
    /// X-Forwarded-Prefix: what the proxy has taken off the path. It also counts beside `Forwarded`, which has nothing
    /// of the kind.
    Prefix,
}

/// What trusted proxies say.
#[derive(Default)]
struct Said {
    /// The client's end, or that it is hidden; `None` if nothing is said of it.
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
    ) -> Result<Origin, BadOrigin> {
        let (authority, header) = asked(uri, headers)?;
        let peer = peer.map(|peer| (peer.ip().to_canonical(), peer.port()));
        let trusted = match peer {
            Some((address, _)) => self.trusts(address),
            None => self.trusted_without_address,
        };
        // DIFFERENCE: PasteDeploy's PrefixMiddleware believes whoever says it.
        let mut said = match (trusted, self.kind) {
            (false, _) => Said::default(),
            (true, Kind::Either) => self.either(headers)?,
            (true, Kind::Forwarded) => self.forwarded(headers)?,
            (true, Kind::XForwarded) => self.x_forwarded(headers)?,
        };
        // What the layer was told goes before what is said.
        if trusted && self.prefix.is_none() && self.reads(XForwarded::Prefix) {
            said.prefix = last(
                headers,
                &PREFIX,
                "X-Forwarded-Prefix",
                prefix::EXPECTED,
                |text| prefix::parse(text).map(Arc::from),
            )?;
        }
        let scheme = said.scheme.as_ref().unwrap_or(&self.scheme).clone();
        // In HTTP/1 the target's host counts before the header's (RFC 9112, section 3.2.2).
        if version >= Version::HTTP_2
            && let (Some(authority), Some(header)) = (&authority, &header)
        {
            // A proxy that ends TLS may send `http` here and `https` in its header.
            let target = [uri.scheme().unwrap_or(&scheme)];
            let mut schemes = target.into_iter().chain(&said.scheme);
            if !schemes.any(|scheme| authority.is_same(header, scheme)) {
                return Err(BadOrigin::HostsDiffer);
            }
        }
        let (client, client_port) = match said.client {
            Some(Node::Address(address, port)) => (Some(address), port),
            Some(Node::Hidden | Node::Local) => (None, None),
            // A proxy that says something, and not for whom.
            None if said.scheme.is_some() || said.host.is_some() || said.port.is_some() => {
                (None, None)
            }
            None => peer.unzip(),
        };
        let named = said.host.or(authority).or(header);
        let is_named = named.is_some();
        let mut host = named.or_else(|| self.default_host.clone());
        if let (Some(host), Some(port)) = (&mut host, said.port) {
            host.port = Some(port);
        }
        // DIFFERENCE: WSGI's `construct_url` takes any `Host`.
        match &host {
            _ if self.hosts.is_empty() => {}
            None => return Err(BadOrigin::NoHost),
            Some(host) if is_named && !self.serves(host, &scheme) => {
                return Err(BadOrigin::UnknownHost(host.name.clone()));
            }
            Some(_) => {}
        }
        Ok(Origin {
            scheme,
            vouched: !self.hosts.is_empty() || !is_named,
            host,
            client,
            client_port,
            prefix: self.prefix.clone().or(said.prefix).unwrap_or_default(),
        })
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&address))
    }

    fn serves(&self, host: &Host, scheme: &Scheme) -> bool {
        let mut hosts = self.hosts.iter();
        hosts.any(|pattern| pattern.matches(host, scheme))
    }

    fn either(&self, headers: &HeaderMap) -> Result<Said, BadOrigin> {
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

    fn forwarded(&self, headers: &HeaderMap) -> Result<Said, BadOrigin> {
        let mut elements = Vec::new();
        for line in headers.get_all(FORWARDED) {
            let bad =
                |at, expected| BadOrigin::malformed("Forwarded", line.as_bytes(), at, expected);
            let text = line.to_str().map_err(|_| bad(0, "expected ASCII"))?;
            let line = forwarded::parse(text).map_err(|(at, expected)| bad(at, expected))?;
            elements.extend(line);
        }
        let mut said = Said::default();
        for element in elements.into_iter().rev() {
            // An element in which a hop is not named is a hop that is not known.
            let node = element.node.unwrap_or(Node::Hidden);
            said.client = Some(node);
            // The first proxy knows best what the client has asked; if it says nothing, the next one's word counts.
            if let Some(host) = element.host.filter(|host| !host.is_empty()) {
                let bad = || BadOrigin::malformed_host("Forwarded", host.as_bytes());
                said.host = Some(Host::parse(&host).ok_or_else(bad)?);
            }
            if let Some(proto) = element.proto.filter(|proto| !proto.is_empty()) {
                let bad = || BadOrigin::malformed("Forwarded", proto.as_bytes(), 0, SCHEME);
                said.scheme = Some(scheme(&proto).ok_or_else(bad)?);
            }
            if !self.is_proxy(node) {
                break;
            }
        }
        Ok(said)
    }

    fn x_forwarded(&self, headers: &HeaderMap) -> Result<Said, BadOrigin> {
        let mut said = Said::default();
        for (line, at, entry) in entries(headers, &FOR) {
            let text = std::str::from_utf8(entry).ok();
            let node = text.and_then(Node::parse_bare).ok_or_else(|| {
                let expected = "expected an address or `unknown` in each entry up to the client's";
                BadOrigin::malformed("X-Forwarded-For", line.as_bytes(), at, expected)
            })?;
            said.client = Some(node);
            if !self.is_proxy(node) {
                break;
            }
        }
        // Of these there is only the nearest proxy's word that is sure to be a proxy's.
        said.scheme = last(headers, &PROTO, "X-Forwarded-Proto", SCHEME, scheme)?;
        if self.reads(XForwarded::Port) {
            said.port = last(
                headers,
                &PORT,
                "X-Forwarded-Port",
                "expected a port",
                host::port,
            )?;
        }
        if self.reads(XForwarded::Host) {
            said.host = last(
                headers,
                &X_HOST,
                "X-Forwarded-Host",
                "expected a host",
                Host::parse,
            )?;
        }
        Ok(said)
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

/// The schemes of WebSockets are what some proxies say of the request that opens one.
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

/// Returns the hosts that the request itself names: in its target, and in its header.
fn asked(uri: &Uri, headers: &HeaderMap) -> Result<(Option<Host>, Option<Host>), BadOrigin> {
    let parse = |name, value: &[u8]| {
        let host = std::str::from_utf8(value).ok().and_then(Host::parse);
        host.ok_or_else(|| BadOrigin::malformed_host(name, value))
    };
    let mut values = headers.get_all(HOST).iter();
    let header = values.next();
    if values.next().is_some() {
        return Err(BadOrigin::SeveralHosts);
    }
    let header = header.filter(|value| !value.is_empty());
    let header = header
        .map(|value| parse("Host", value.as_bytes()))
        .transpose()?;
    let authority = uri.authority();
    let authority = authority
        .map(|authority| parse(":authority", authority.as_str().as_bytes()))
        .transpose()?;
    Ok((authority, header))
}

/// What stands between the commas of all lines of a header, from the last to the first, with its line and its place
/// there.
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
            // The comma before it belongs to no entry.
            end = start.saturating_sub(1);
            let at = start + (entry.len() - entry.trim_ascii_start().len());
            let entry = entry.trim_ascii();
            (!entry.is_empty()).then_some((line, at, entry))
        })
    })
}

/// The last entry of a header, read.
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
