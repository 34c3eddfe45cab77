use http_body_util::Either;
use tower_kit::EitherBody;

/// The body of a response that went through a [`Cascade`](crate::Cascade): that of the service that
/// responded, or the cascade's own.
pub type ResponseBody<A, S> = EitherBody<Either<A, S>>;

/// Returns the body of a service that another one follows.
pub(crate) fn first<A, S>(body: A) -> ResponseBody<A, S> {
    EitherBody::inner(Either::Left(body))
}

/// Returns the body of a service after it.
pub(crate) fn last<A, S>(body: S) -> ResponseBody<A, S> {
    EitherBody::inner(Either::Right(body))
}
