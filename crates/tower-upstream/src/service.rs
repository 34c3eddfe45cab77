//! The service, from a request to its response.

use std::{
    convert::Infallible,
    future::ready,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Buf;
use http::{Method, Request, Response, Version, request::Parts};
use http_body::Body;
use tower_environ::MountExt;
use tower_service::Service;

use crate::{
    ResponseBody, ResponseFuture, Upstream, UpstreamError,
    error::{BoxError, Client},
    fields::Fields,
    forwarded::Forwarding,
    handshake::Handshake,
    headers,
    host::{self, Hosts},
    length::Length,
    locations::Locations,
    metadata,
    outgoing::{Head, Outgoing},
    queue::behind_others,
    request_body::RequestBody,
    upstream::Options,
};

impl<B> Service<Request<B>> for Upstream
where
    B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let (mut parts, body) = request.into_parts();
        let fields = Fields::of(&parts.headers);
        let client = Client::of(&parts, fields);
        let options = self.options.clone();
        // Over HTTP/2, the task of the connection writes several responses at once.
        let is_written_alone = parts.version < Version::HTTP_2;
        let may_ask = fields.have(Fields::CONNECTION) || parts.method == Method::CONNECT;
        let handshake = match may_ask {
            true => options.handshake(&mut parts, !body.is_end_stream()),
            false => None,
        };
        let (head, hosts, locations) = match options.to_upstream(parts, fields, &body) {
            Ok(found) => found,
            Err(error) => return ResponseFuture::new(ready(options.rejection(error, &client))),
        };
        // Over HTTP/2, any request may turn out not to have been processed.
        let is_recorded = head.is_idempotent() || options.balance.may_be_http2();
        let (body, progress) = match handshake {
            Some(_) => (RequestBody::default(), None),
            None => RequestBody::new(body, is_recorded),
        };
        let outgoing = Box::new(Outgoing {
            client,
            hosts,
            head,
            body,
            progress,
            handshake,
            locations,
        });
        ResponseFuture::new(options.respond(outgoing, is_written_alone))
    }
}

impl Options {
    /// Returns the client's request for a tunnel, if it is one that may be passed on.
    fn handshake(&self, parts: &mut Parts, has_content: bool) -> Option<Box<Handshake>> {
        let protocols = match self.balance.may_be_http1() {
            true => &self.upgrades[..],
            false => &[],
        };
        Handshake::take(parts, has_content, protocols).map(Box::new)
    }

    /// Returns the upstream's response, or a rejection. If the future or the response's body is
    /// dropped, so is the connection that the request is on.
    async fn respond(
        self: Arc<Self>,
        mut outgoing: Box<Outgoing>,
        is_written_alone: bool,
    ) -> Response<ResponseBody> {
        let response = match outgoing.handshake.take() {
            // In a box, since few requests are one, and all have the size of this.
            Some(handshake) => Box::pin(self.open(&mut outgoing, handshake)).await,
            None => {
                let response = self.exchange(&mut outgoing).await;
                if is_written_alone {
                    behind_others().await;
                }
                response
            }
        };
        match response {
            Ok(mut response) => {
                if let Some(locations) = &outgoing.locations {
                    locations.apply(response.headers_mut());
                }
                response
            }
            Err(error) => self.rejection(error, &outgoing.client),
        }
    }

    fn rejection(&self, error: UpstreamError, client: &Client) -> Response<ResponseBody> {
        let allow = self.methods.as_ref().map(|methods| &methods.allow);
        error.response(client, allow).map(ResponseBody::own)
    }

    /// Returns the head of the request to the upstream, the hosts that it may name, and how
    /// references in the response are mapped. The body is not read for it.
    fn to_upstream(
        &self,
        parts: Parts,
        fields: Fields,
        body: &impl Body,
    ) -> Result<(Head, Hosts, Option<Box<Locations>>), UpstreamError> {
        if parts.method == Method::CONNECT {
            return Err(UpstreamError::NoTunnel);
        }
        if fields.have(Fields::TRANSFER_ENCODING) && headers::is_coded(&parts.headers) {
            return Err(UpstreamError::UnknownCoding);
        }
        // DIFFERENCE: Paste responds with 400.
        if let Some(methods) = &self.methods
            && !methods.list.contains(&parts.method)
        {
            return Err(UpstreamError::MethodNotAllowed);
        }
        let named = host::of(&parts.uri, &parts.headers)?;
        let script_name = parts.script_name();
        let at_mount = !script_name.is_empty() && parts.path_info().is_empty();
        let target = self.balance.first().target(&parts.uri, at_mount)?;

        let forwarding = Forwarding::of(&parts, script_name, named.as_ref(), &self.trusted);
        let of_origin = host::of_origin(&parts.extensions);
        let hosts = Hosts {
            // `Connection` and a suppression may name it.
            is_in_head: of_origin.is_none()
                && parts.uri.authority().is_none()
                && !fields.have(Fields::CONNECTION)
                && self.suppressed.is_empty(),
            client: of_origin.or(named),
            // DIFFERENCE: Paste sends the upstream's.
            policy: self.host,
        };
        let maps = self.maps_locations;
        let locations = || Locations::new(self.balance.addresses(), &forwarding, &hosts);
        let locations = maps.then(|| Box::new(locations()));
        let length = Length::of(&parts.method, &parts.headers, fields, body);
        let mut headers = parts.headers;
        let mut metadata = None;
        if fields.have(Fields::AMBIGUOUS) {
            if self.balance.may_be_http2() {
                metadata = metadata::take(&mut headers, &self.passed, &self.suppressed);
            }
            let dropped = headers::remove_ambiguous(&mut headers, &self.passed);
            self.dropped.note(dropped.iter());
        }
        headers::to_upstream(
            &mut headers,
            fields,
            parts.version,
            forwarding,
            &self.suppressed,
            length,
            &self.via,
        );
        let head = Head {
            method: parts.method,
            target,
            headers,
            metadata,
        };
        Ok((head, hosts, locations))
    }
}
