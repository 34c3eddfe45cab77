//! The request for a tunnel at the upstream, and its response.

use http::{Method, Request, Response, StatusCode, Version};
use hyper::{Error, body::Incoming, client::conn::http1::SendRequest};
use tokio::time::timeout;

use crate::{
    ResponseBody, UpstreamError, connection::Lost, fields::Fields, handshake::Handshake, headers,
    member::Choice, outgoing::Outgoing, persistence::take_connection, protocol::Spoken,
    request_body::RequestBody, tunnel, upstream::Options,
};

impl Options {
    /// Sends a handshake, and returns the response. If it opens the tunnel, that begins when the
    /// client has got the response.
    ///
    /// It has a new connection, so nothing of it is sent twice. A task drives the connection from
    /// the beginning, because hyper decides with the 101 whether a connection can leave HTTP.
    pub(crate) async fn open(
        &self,
        outgoing: &mut Outgoing,
        handshake: Box<Handshake>,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        let mut lease = self.lease(Choice::NewHttp1).await?;
        handshake.ask(&mut outgoing.head.headers);
        outgoing.drop_metadata(&self.dropped);
        let request = outgoing.take_request(lease.member(), Spoken::Http1);
        let sender = lease
            .detach()
            .and_then(|connection| connection.for_upgrade());
        let sender = sender.ok_or(UpstreamError::NoResponse)?;
        let lost = match timeout(self.header_timeout, send(sender, request)).await {
            Ok(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                lease.member().health.succeed();
                return self.switch(*handshake, response);
            }
            Ok(Ok(response)) => {
                lease.member().health.succeed();
                // To a CONNECT, any 2xx would open the tunnel (RFC 9110, section 9.3.6).
                if handshake.is_connect() && response.status().is_success() {
                    tracing::warn!("the upstream responds to a handshake as to any request");
                    return Err(UpstreamError::NoResponse);
                }
                return self.received(response, lease, outgoing);
            }
            Ok(Err(error)) => Lost::Broken {
                error,
                unsent: None,
                received: false,
            },
            Err(_) => Lost::Late(UpstreamError::HeaderTimeout),
        };
        Err(self.error_of(&lost, &lease, None))
    }

    /// Joins the connections, and returns the response to the client.
    fn switch(
        &self,
        handshake: Handshake,
        mut response: Response<Incoming>,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        let chosen = handshake.chosen(response.headers()).map_err(|reason| {
            tracing::warn!(
                ?reason,
                "the upstream opens a tunnel that it was not asked for"
            );
            UpstreamError::NoResponse
        })?;
        let upstream = hyper::upgrade::on(&mut response);
        let (mut parts, body) = response.into_parts();
        if handshake.is_connect() {
            parts.status = StatusCode::OK;
        }
        let (fields, headers) = (Fields::of(&parts.headers), &mut parts.headers);
        take_connection(headers);
        headers::to_client(headers, fields, &Method::GET, parts.status, &body);
        handshake.confirm(&mut parts.headers, chosen);
        parts.version = Version::HTTP_11;
        let limits = tunnel::Limits {
            opening: self.header_timeout,
            idle: self.tunnel_timeout,
            half_closed: self.idle_timeout,
        };
        tunnel::join(handshake.client, upstream, limits);
        Ok(Response::from_parts(parts, ResponseBody::default()))
    }
}

/// Sends the only request of a connection.
async fn send(
    mut sender: SendRequest<RequestBody>,
    request: Request<RequestBody>,
) -> Result<Response<Incoming>, Error> {
    sender.ready().await?;
    sender.send_request(request).await
}
