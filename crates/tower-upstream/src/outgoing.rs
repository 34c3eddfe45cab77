//! A request on its way to an upstream, and what its response needs of it.

use std::sync::Arc;

use http::{
    HeaderMap, Method, Request, Uri, Version,
    header::{CONNECTION, HOST, TRANSFER_ENCODING},
    uri::{Authority, Parts, PathAndQuery},
};

use crate::{
    dropped::Dropped, error::Client, handshake::Handshake, host::Hosts, locations::Locations,
    member::Member, progress::Progress, protocol::Spoken, request_body::RequestBody,
};

/// A request on its way to an upstream. It is in a box, and its parts are taken out where they are
/// needed, because each function on the way would move it. So are the parts that few requests have.
pub(crate) struct Outgoing {
    pub(crate) client: Client,
    pub(crate) hosts: Hosts,
    pub(crate) head: Head,
    pub(crate) body: RequestBody,
    /// The state that `body` shares with the response's body. An empty body has none.
    pub(crate) progress: Option<Arc<Progress>>,
    /// Whether the client asks for a tunnel.
    pub(crate) handshake: Option<Box<Handshake>>,
    /// How references in the response are mapped.
    pub(crate) locations: Option<Box<Locations>>,
}

/// The head of a request, for any of the upstreams.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) target: PathAndQuery,
    /// As for HTTP/1.
    pub(crate) headers: HeaderMap,
    /// Metadata of gRPC whose names are not plain. Only HTTP/2 passes it on.
    pub(crate) metadata: Option<Box<HeaderMap>>,
}

impl Head {
    /// Returns whether a request may be processed twice (RFC 9110, section 9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(
            self.method,
            Method::GET
                | Method::HEAD
                | Method::OPTIONS
                | Method::TRACE
                | Method::PUT
                | Method::DELETE
        )
    }
}

impl Outgoing {
    /// Counts the metadata as headers that are not passed on, since HTTP/1 passes none.
    pub(crate) fn drop_metadata(&self, dropped: &Dropped) {
        if let Some(metadata) = &self.head.metadata {
            dropped.note(metadata.keys());
        }
    }

    /// Takes out the request to this upstream, in the protocol of a connection.
    pub(crate) fn take_request(&mut self, member: &Member, spoken: Spoken) -> Request<RequestBody> {
        // It has no extensions. One of them would tell the connection how to write headers.
        let mut request = Request::new(std::mem::take(&mut self.body));
        *request.method_mut() = self.head.method.clone();
        std::mem::swap(request.headers_mut(), &mut self.head.headers);
        let target = std::mem::replace(&mut self.head.target, PathAndQuery::from_static("/"));
        // After the first attempt, the head may have the host of another upstream.
        let is_in_head = std::mem::take(&mut self.hosts.is_in_head);
        let host = self.hosts.of(&member.address);
        let headers = request.headers_mut();
        match spoken {
            Spoken::Http1 => {
                if !is_in_head || self.hosts.client.as_ref() != Some(host) {
                    headers.insert(HOST, host.clone());
                }
                *request.uri_mut() = Uri::from(target);
                *request.version_mut() = Version::HTTP_11;
            }
            Spoken::Http2 => {
                // It is in the URI.
                headers.remove(HOST);
                // RFC 9113, section 8.2.2.
                headers.remove(CONNECTION);
                headers.remove(TRANSFER_ENCODING);
                if let Some(metadata) = self.head.metadata.take() {
                    headers.extend(*metadata);
                }
                // It is made of parts, so that `//evil` stays a path.
                let mut parts = Parts::default();
                parts.scheme = Some(member.address.scheme());
                let authority = Authority::try_from(host.as_bytes());
                parts.authority = authority
                    .ok()
                    .or_else(|| Some(member.address.authority().clone()));
                parts.path_and_query = Some(target);
                let uri = Uri::from_parts(parts);
                *request.uri_mut() = uri.expect("there is a scheme, an authority and a path");
                *request.version_mut() = Version::HTTP_2;
            }
        }
        request
    }

    /// Puts back a request that was not sent.
    pub(crate) fn put_back(&mut self, request: Request<RequestBody>) {
        let (parts, body) = request.into_parts();
        self.body = body;
        self.head.headers = parts.headers;
        if let Some(target) = parts.uri.path_and_query() {
            self.head.target = target.clone();
        }
    }

    /// Makes the body whole again, and returns whether that was possible.
    pub(crate) fn body_again(&mut self) -> bool {
        let Some(progress) = &self.progress else {
            return true;
        };
        let source = progress.again();
        match source {
            Some(source) => {
                self.body = RequestBody::again(source, progress.clone());
                true
            }
            None => false,
        }
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::{HostPolicy, fields::Fields, transport::Transport};

    /// The upstream with a name over TLS finds its own, and the other one the client's.
    #[test]
    fn upstream_5_a_second_attempt_has_the_host_for_its_upstream() {
        let member = |address: &str| Member::new(address.parse().unwrap(), &Transport::default());
        let members = [member("https://up.example"), member("http://10.0.0.5")];
        for (first, second) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            for spoken in [Spoken::Http1, Spoken::Http2] {
                let client = HeaderValue::from_static("client.example");
                let (mut parts, ()) = Request::new(()).into_parts();
                parts.headers.insert(HOST, client.clone());
                let mut outgoing = Outgoing {
                    client: Client::of(&parts, Fields::NONE),
                    hosts: Hosts {
                        client: Some(client),
                        is_in_head: true,
                        policy: HostPolicy::Auto,
                    },
                    head: Head {
                        method: Method::GET,
                        target: PathAndQuery::from_static("/"),
                        headers: parts.headers,
                        metadata: None,
                    },
                    body: RequestBody::default(),
                    progress: None,
                    handshake: None,
                    locations: None,
                };
                let request = outgoing.take_request(&members[first], spoken);
                outgoing.put_back(request);
                let request = outgoing.take_request(&members[second], Spoken::Http1);
                let expected = ["up.example", "client.example"][second];
                let hosts: Vec<_> = request.headers().get_all(HOST).iter().collect();
                assert_eq!(hosts, [expected], "{first} {second} {spoken:?}");
            }
        }
    }
}
