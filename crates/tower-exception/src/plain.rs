//! Errors of inner layers that do not speak gRPC.

use std::{error::Error, fmt};

use http::Response;
use tower_kit::{Preferences, Rejection};

use crate::{ResponseBody, guard::discard};

/// The reason of a [`Rejection`] that was made of an inner service's plain error, because the
/// client speaks gRPC.
#[derive(Debug)]
struct PlainError;

impl fmt::Display for PlainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an inner service has responded with an error that is not of gRPC")
    }
}

impl Error for PlainError {}

/// Returns a rejection instead of a plain error. The body would have to be waited for, so its text
/// is dropped.
#[cold]
pub(crate) fn rejected<B>(
    response: Response<B>,
    preferences: Preferences,
) -> Response<ResponseBody<B>> {
    let (head, body) = response.into_parts();
    discard(body);
    let rejection = Rejection::of_plain_error(&head, PlainError);
    let response = rejection.response_instead_of(head, preferences);
    response.map(ResponseBody::own)
}
