//! Which responses get a document.

use std::sync::Arc;

use http::{
    Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body::Body;
use tower_kit::{Rejection, grpc::Flavor, is_plain_error};

use crate::{document::Document, kept::Needs};

/// An extension of an error response whose body has to stay.
///
/// ```
/// use http::{Response, StatusCode};
/// use tower_error_document::KeepBody;
///
/// let mut response = Response::new("a text that the client has to see");
/// *response.status_mut() = StatusCode::CONFLICT;
/// response.extensions_mut().insert(KeepBody);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepBody;

/// The documents by status.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// A `None` keeps the response as it is.
    pub(crate) statuses: Vec<(StatusCode, Option<Arc<Document>>)>,
    pub(crate) client_errors: Option<Arc<Document>>,
    pub(crate) server_errors: Option<Arc<Document>>,
    pub(crate) any_content: bool,
    pub(crate) needs: Needs,
}

impl Rules {
    /// Returns the document for an error, if it is to be replaced.
    pub(crate) fn document<B: Body>(&self, response: &Response<B>) -> Option<&Arc<Document>> {
        let document = self.of_status(response.status())?;
        self.is_replaceable(response).then_some(document)
    }

    fn of_status(&self, status: StatusCode) -> Option<&Arc<Document>> {
        let named = self.statuses.iter().find(|(named, _)| *named == status);
        match named {
            Some((_, document)) => document.as_ref(),
            None if status.is_client_error() => self.client_errors.as_ref(),
            None => self.server_errors.as_ref(),
        }
    }

    fn is_replaceable<B: Body>(&self, response: &Response<B>) -> bool {
        if response.extensions().get::<KeepBody>().is_some() {
            return false;
        }
        let content_type = response.headers().get(CONTENT_TYPE);
        let essence = content_type.map(|value| {
            let mut parts = value.as_bytes().split(|byte| *byte == b';');
            parts.next().unwrap_or_default().trim_ascii()
        });
        let is = |name: &[u8]| essence.is_some_and(|essence| essence.eq_ignore_ascii_case(name));
        // Those of axum are in plain text, or have no type.
        if content_type.is_none() || is(b"text/plain") {
            return true;
        }
        let is_for_programs = is(b"application/problem+json")
            || essence.is_some_and(|found| Flavor::of(found).is_some());
        !is_for_programs
            && (self.any_content
                || Rejection::of(response).is_some()
                || response.body().is_end_stream())
    }
}

/// Returns whether a response is an error.
#[inline]
pub(crate) fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Returns whether the body of a response is a text that may be a detail. A rejection has its own.
pub(crate) fn has_text<B>(response: &Response<B>) -> bool {
    is_plain_error(response)
        && Rejection::of(response).is_none()
        && response.status().is_client_error()
        && response.headers().contains_key(CONTENT_TYPE)
        && !response.headers().contains_key(CONTENT_ENCODING)
}
