//! The response body of a boxed endpoint.

use std::any::Any;

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tower_kit::EitherBody;

use crate::BoxError;

/// The response body of an [`Endpoint`](crate::Endpoint): a `Full` unchanged, any other in a box.
///
/// It has a [`Default`], an empty body. So layers such as tower-http's `CorsLayer` and
/// `TimeoutLayer` fit around an endpoint.
pub type EndpointBody = EitherBody<UnsyncBoxBody<Bytes, BoxError>>;

/// Makes the body of an endpoint of any other.
pub(crate) fn boxed<B>(body: B) -> EndpointBody
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let mut body = Some(body);
    let any = &mut body as &mut dyn Any;
    if let Some(full) = any.downcast_mut::<Option<Full<Bytes>>>() {
        return EitherBody::own(full.take().unwrap_or_default());
    }
    // The body of an endpoint within layers is not boxed again.
    if let Some(own) = any.downcast_mut::<Option<EndpointBody>>() {
        return own.take().unwrap_or_default();
    }
    match body {
        Some(body) => EitherBody::inner(body.map_err(Into::into).boxed_unsync()),
        None => EndpointBody::default(),
    }
}
