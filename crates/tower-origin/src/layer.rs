use std::{error::Error, fmt, net::IpAddr, sync::Arc};

use http::uri::Scheme;
use ipnet::IpNet;
use tower_layer::Layer;

use crate::{
    WithOrigin,
    host::HostPattern,
    prefix,
    resolve::{Kind, Rules},
};

/// Puts the [`Origin`](crate::Origin) into each request, and refuses those whose host or proxy headers are
/// malformed.
#[derive(Clone, Debug)]
pub struct OriginLayer {
    rules: Arc<Rules>,
}

impl OriginLayer {
    /// Trusts nobody, and vouches for no host.
    #[must_use]
    pub fn new() -> Self {
        Self {
            rules: Arc::new(Rules {
                trusted: Vec::new(),
                trusted_without_address: false,
                kind: Kind::Either,
                hosts: Vec::new(),
                scheme: Scheme::HTTP,
                prefix: None,
            }),
        }
    }

    /// Whose headers count: addresses and networks of proxies, such as `10.0.0.0/8` or `2001:db8::1`. Called again it
    /// adds to those that there are.
    ///
    /// Trust only proxies that set the headers themselves: whatever else a trusted peer passes on is believed.
    ///
    /// # Errors
    ///
    /// An [`OriginError`] if one is no address and no network.
    pub fn trusted<T: AsRef<str>>(
        self,
        networks: impl IntoIterator<Item = T>,
    ) -> Result<Self, OriginError> {
        let read = |text: &str| {
            let address = text.parse::<IpAddr>().ok();
            let address = address.map(|address| IpNet::from(address.to_canonical()));
            address.or_else(|| text.parse().ok())
        };
        let networks = read_all(networks, Offence::Network, read)?;
        Ok(self.with(|rules| rules.trusted.extend(networks)))
    }

    /// Trusts requests whose peer has no address, as on a Unix socket. By default nobody does.
    ///
    /// If the server should put a [`PeerAddr`](crate::PeerAddr) into the requests and does not, every client is
    /// trusted.
    #[must_use]
    pub fn trusted_without_address(self) -> Self {
        self.with(|rules| rules.trusted_without_address = true)
    }

    /// Reads `Forwarded` (RFC 7239) only. By default either kind of headers is read, and both in one request are
    /// refused.
    #[must_use]
    pub fn only_forwarded(self) -> Self {
        self.with(|rules| rules.kind = Kind::Forwarded)
    }

    /// Reads X-Forwarded-For, -Proto, -Host, -Port and -Prefix only. By default either kind of headers is read, and
    /// both in one request are refused.
    #[must_use]
    pub fn only_x_forwarded(self) -> Self {
        self.with(|rules| rules.kind = Kind::XForwarded)
    }

    /// The hosts that are served: names, addresses, and `*.example.org` for all names below that one; without a
    /// port. Called again it adds to those that there are.
    ///
    /// A request for another host, or for none, is answered 400. Without a list every host goes, and
    /// [`Origin::url`](crate::Origin::url) makes no URL.
    ///
    /// # Errors
    ///
    /// An [`OriginError`] if one is no host.
    pub fn hosts<T: AsRef<str>>(
        self,
        hosts: impl IntoIterator<Item = T>,
    ) -> Result<Self, OriginError> {
        let hosts = read_all(hosts, Offence::Host, HostPattern::parse)?;
        Ok(self.with(|rules| rules.hosts.extend(hosts)))
    }

    /// The scheme in which this server itself is spoken to, where no trusted proxy says another. `http` by default; what
    /// the request claims does not count.
    #[must_use]
    pub fn scheme(self, scheme: Scheme) -> Self {
        self.with(|rules| rules.scheme = scheme)
    }

    /// The prefix that the proxies take off the path, where they do not say so themselves. What they say is not
    /// read then.
    ///
    /// # Errors
    ///
    /// An [`OriginError`] if it is not the start of a path, as it stands in a URL.
    pub fn prefix(self, prefix: &str) -> Result<Self, OriginError> {
        let read = |text: &str| prefix::parse(text).map(Arc::from);
        let prefix = read_all([prefix], Offence::Prefix, read)?.pop();
        Ok(self.with(|rules| rules.prefix = prefix))
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }
}

impl Default for OriginLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for OriginLayer {
    type Service = WithOrigin<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithOrigin {
            inner,
            rules: self.rules.clone(),
        }
    }
}

fn read_all<T: AsRef<str>, U>(
    texts: impl IntoIterator<Item = T>,
    offence: Offence,
    read: impl Fn(&str) -> Option<U>,
) -> Result<Vec<U>, OriginError> {
    let mut all = Vec::new();
    for text in texts {
        let text = text.as_ref();
        all.push(read(text).ok_or_else(|| OriginError {
            offence,
            text: text.into(),
        })?);
    }
    Ok(all)
}

/// What is wrong with the layer's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginError {
    offence: Offence,
    text: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offence {
    Network,
    Host,
    Prefix,
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = match self.offence {
            Offence::Network => "expected an address or a network, such as `10.0.0.0/8`",
            Offence::Host => {
                "expected a host without a port, such as `example.org`, `*.example.org` or `[2001:db8::1]`"
            }
            Offence::Prefix => prefix::EXPECTED,
        };
        write!(f, "{expected} (found {:?})", self.text)
    }
}

impl Error for OriginError {}
