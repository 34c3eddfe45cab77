//! The end of a body that fails after its head was sent.

use bytes::Bytes;
use http::{
    Response,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::Frame;
use tower_kit::grpc::{self, Flavor, Protocol};

use crate::{Incident, messages::Messages, watch::Watch};

/// The end of a body that fails after its head was sent.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The response is broken off, so that the client does not take the part for the whole.
    Break,
    /// gRPC reports the failure in trailers.
    Trailers,
    /// gRPC-Web reports it in a last message.
    Message(Protocol, Messages),
    /// A text about the incident follows, and the body ends well.
    #[cfg(feature = "debug")]
    Text(crate::debug::Markup),
}

impl Ending {
    /// Returns the ending that the response's head allows.
    pub(crate) fn of<B>(response: &Response<B>, watch: &Watch) -> Self {
        let headers = response.headers();
        let mut types = headers.get_all(CONTENT_TYPE).into_iter();
        // With a length, the client would take the next bytes for the rest, or never see its end.
        let (Some(content_type), None, false) = (
            types.next(),
            types.next(),
            headers.contains_key(CONTENT_LENGTH),
        ) else {
            return Self::Break;
        };
        // A message in the body must be in the body's encoding; trailers are outside of it.
        let encoded = headers.contains_key(CONTENT_ENCODING);
        match Flavor::of(content_type.as_bytes()).map(Flavor::protocol) {
            Some(Protocol::Native) => Self::Trailers,
            _ if encoded => Self::Break,
            Some(protocol) => Self::Message(protocol, Messages::new(protocol)),
            #[cfg(feature = "debug")]
            None => match watch.debug().and_then(|debug| debug.markup(response)) {
                Some(markup) => Self::Text(markup),
                None => Self::Break,
            },
            #[cfg(not(feature = "debug"))]
            None => {
                let _ = watch;
                Self::Break
            }
        }
    }

    /// Notes a frame that was sent, since it decides which ending is possible.
    pub(crate) fn follow(&mut self, frame: &Frame<Bytes>) {
        match (frame.data_ref(), &mut *self) {
            (Some(data), Self::Message(_, messages)) => messages.follow(data),
            (Some(_), _) => {}
            // Trailers are the end of a body.
            (None, _) => *self = Self::Break,
        }
    }

    /// Returns the frame in which gRPC reports the failure.
    pub(crate) fn last_frame(&self, incident: &Incident) -> Option<Frame<Bytes>> {
        let message = format!("incident {}", incident.id());
        let trailers = grpc::trailers(incident.status(), &message);
        match self {
            Self::Trailers => Some(Frame::trailers(trailers)),
            Self::Message(protocol, messages) if messages.may_end() => {
                Some(Frame::data(grpc::last_message(*protocol, &trailers)))
            }
            _ => None,
        }
    }
}
