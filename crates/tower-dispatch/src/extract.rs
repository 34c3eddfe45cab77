//! Extractors for axum.

use axum::extract::FromRequestParts;
use http::{StatusCode, request::Parts};
use serde::de::DeserializeOwned;
use tower_kit::Rejection;

use crate::{ParseArgsError, UrlArgs};

/// An extractor for the path parameters as a value, see [`UrlArgs::parse`].
///
/// It replaces axum's `Path`, which only axum's own router can fill. In an endpoint of a
/// dispatcher `Path` responds with 500 and "No paths parameters found for matched route". Use
/// `Args(id): Args<u32>` where you would write `Path(id): Path<u32>`.
///
/// The type is anything that [`UrlArgs::parse`] makes: a tuple, a struct, a `HashMap`, or a single
/// value. A group that may be missing from the path is an `Option`. A value of the client that does
/// not parse is 400. A type that no path of the route can have is 500, and so is a request that no
/// dispatcher has matched. The reason of the rejection is a [`ParseArgsError`].
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
///
/// use axum::{body::Body, http::Request, routing::get};
/// use http_body_util::BodyExt;
/// use tower::ServiceExt;
/// use tower_dispatch::{Args, Dispatch};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// let urls = Dispatch::builder()
///     .route("/add/{a:int}/{b:int}", get(async |Args((a, b)): Args<(u64, u64)>| {
///         format!("{}", a.saturating_add(b))
///     }))
///     .route("/posts[/{page:int}]", get(async |Args(page): Args<Option<u32>>| {
///         format!("page {}", page.unwrap_or(1))
///     }))
///     .route("/files/{user}/{*path}", get(async |Args(args): Args<HashMap<String, String>>| {
///         format!("{} of {}", args["path"], args["user"])
///     }))
///     .build()?;
///
/// for (path, expected) in [
///     ("/add/1/2", "3"),
///     ("/posts", "page 1"),
///     ("/posts/7", "page 7"),
///     ("/files/me/a/b", "a/b of me"),
/// ] {
///     let response = urls.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
///     assert_eq!(response.into_body().collect().await?.to_bytes(), expected);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[doc(alias = "Path")]
pub struct Args<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Args<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let args = url_args(parts)?.parse();
        args.map(Self).map_err(|error| rejection(error, parts))
    }
}

/// Extracts a clone, which shares the text.
impl<S: Sync> FromRequestParts<S> for UrlArgs {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        url_args(parts).cloned()
    }
}

fn url_args(parts: &Parts) -> Result<&UrlArgs, Rejection> {
    let args = parts.extensions.get();
    args.ok_or_else(|| {
        let reason = "the request has no path parameters: it did not come through a dispatcher";
        rejection(ParseArgsError::permanent(reason), parts)
    })
}

fn rejection(error: ParseArgsError, parts: &Parts) -> Rejection {
    let rejection = match error.is_permanent() {
        true => Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, error),
        false => Rejection::new(StatusCode::BAD_REQUEST, error)
            .with_detail("a value in the path is not valid"),
    };
    rejection.with_preferences(parts)
}
