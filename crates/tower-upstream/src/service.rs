//! The service, from a request to its response.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::Buf;
use http::{HeaderMap, Method, Request, Response, Version, request::Parts};
use http_body::Body;
use tower_environ::MountExt;
use tower_service::Service;

use crate::{
    ResponseBody, ResponseFuture, Upstream, UpstreamError,
    body::Received,
    error::{BoxError, Client},
    exchange::Head,
    forwarded,
    handshake::Handshake,
    headers,
    host::{self, Hosts},
    length::Length,
    locations::Locations,
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
        let options = self.options.clone();
        ResponseFuture::new(async move { options.respond(request).await })
    }
}

impl Options {
    /// Returns the upstream's response, or a rejection. If the future or the response's body is
    /// dropped, so is the connection that the request is on.
    async fn respond<B>(&self, request: Request<B>) -> Response<ResponseBody>
    where
        B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static,
    {
        let (mut parts, body) = request.into_parts();
        let client = Client::of(&parts);
        let protocols = match self.balance.may_be_http1() {
            true => &self.upgrades[..],
            false => &[],
        };
        let handshake = Handshake::take(&mut parts, !body.is_end_stream(), protocols);
        let response = match self.to_upstream(parts, &body) {
            Ok((head, locations)) => {
                let response = match handshake {
                    Some(handshake) => self.open(head, handshake).await,
                    None => {
                        // Over HTTP/2, any request may turn out not to have been processed.
                        let is_recorded = head.is_idempotent() || self.balance.may_be_http2();
                        let (body, progress) = RequestBody::new(body, is_recorded);
                        let response = self.exchange(head, body, progress).await;
                        response.map(|response| self.to_client(&client.method, response))
                    }
                };
                response.map(|mut response| {
                    if let Some(locations) = locations {
                        locations.apply(response.headers_mut());
                    }
                    response
                })
            }
            Err(error) => Err(error),
        };
        response.unwrap_or_else(|error| {
            let allow = self.methods.as_ref().map(|methods| &methods.allow);
            error.response(&client, allow).map(ResponseBody::own)
        })
    }

    /// Returns the head of the request to the upstream, and how references in the response are
    /// mapped. The body is not read for it.
    fn to_upstream(
        &self,
        parts: Parts,
        body: &impl Body,
    ) -> Result<(Head, Option<Locations>), UpstreamError> {
        if parts.method == Method::CONNECT {
            return Err(UpstreamError::NoTunnel);
        }
        if headers::is_coded(&parts.headers) {
            return Err(UpstreamError::UnknownCoding);
        }
        // DIFFERENCE: Paste responds with 400.
        if let Some(methods) = &self.methods
            && !methods.list.contains(&parts.method)
        {
            return Err(UpstreamError::MethodNotAllowed);
        }
        let named = host::of(&parts.uri, &parts.headers)?;
        let at_mount = parts.path_info().is_empty() && !parts.script_name().is_empty();
        let target = self.balance.first().target(&parts.uri, at_mount)?;

        let forwarding = forwarded::headers(&parts, named.as_ref(), &self.trusted);
        let host = Hosts {
            client: host::of_client(&parts.extensions, named),
            // DIFFERENCE: Paste sends the upstream's.
            policy: self.host,
        };
        let maps = self.maps_locations;
        let locations = maps.then(|| Locations::new(self.balance.addresses(), &forwarding, &host));
        let length = Length::of(&parts.method, &parts.headers, body);
        let mut headers = parts.headers;
        let metadata = match self.balance.may_be_http2() {
            true => headers::take_metadata(&mut headers, &self.passed, &self.suppressed),
            false => HeaderMap::new(),
        };
        let dropped = headers::remove_ambiguous(&mut headers, &self.passed);
        self.dropped.note(dropped.iter());
        headers::to_upstream(
            &mut headers,
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
            host,
        };
        Ok((head, locations))
    }

    pub(crate) fn to_client(
        &self,
        method: &Method,
        response: Response<Received>,
    ) -> Response<ResponseBody> {
        let (mut parts, body) = response.into_parts();
        parts.version = Version::HTTP_11;
        headers::to_client(&mut parts.headers, method, parts.status, &body);
        Response::from_parts(parts, ResponseBody::of_upstream(body))
    }
}
