/// A trait for request bodies that can be empty. Every body with a [`Default`] has it.
///
/// The layers need it because they may call the inner service a second time, without content.
///
/// `hyper::body::Incoming` and the body of tower-http's `RequestBodyLimitLayer` have no `Default`.
/// A `MapRequestBodyLayer::new(tower_kit::EitherBody::inner)` directly around
/// [`RewriteLayer`](crate::RewriteLayer) or [`PrefixLayer`](crate::PrefixLayer) makes a body that
/// has one, without an allocation.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::post};
/// use tower::ServiceBuilder;
/// use tower_body_rewrite::PrefixLayer;
/// use tower_http::{limit::RequestBodyLimitLayer, map_request_body::MapRequestBodyLayer};
/// use tower_kit::EitherBody;
///
/// let layers = ServiceBuilder::new()
///     .layer(RequestBodyLimitLayer::new(1024))
///     .layer(MapRequestBodyLayer::new(EitherBody::inner))
///     .layer(PrefixLayer::new("yikes: "));
/// let _app: Router = Router::new().route("/", post(async |body: String| body)).layer(layers);
/// ```
#[diagnostic::on_unimplemented(
    message = "the request body `{Self}` cannot be empty, and this layer may call the service a second time without content",
    label = "`{Self}` has no `Default`",
    note = "add `.layer(MapRequestBodyLayer::new(tower_kit::EitherBody::inner))` before this layer; `MapRequestBodyLayer` is in tower-http"
)]
pub trait EmptyBody: Sized {
    /// Returns a body without content.
    fn empty() -> Self;
}

#[diagnostic::do_not_recommend]
impl<B: Default> EmptyBody for B {
    fn empty() -> Self {
        Self::default()
    }
}
