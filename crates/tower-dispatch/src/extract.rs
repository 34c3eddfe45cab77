//! Extractors for axum.

use std::fmt;

use axum::extract::FromRequestParts;
use http::{StatusCode, request::Parts};
use serde::de::DeserializeOwned;
use tower_kit::Rejection;

use crate::{ParseError, UrlArgs};

/// The url args as a value, see [`UrlArgs::parse`].
///
/// A value that the client has sent and that does not parse is 400. A type that no path of the
/// route can give is 500.
///
/// The type is anything that [`UrlArgs::parse`] makes: a tuple, a struct, a `HashMap`, or a single
/// value. A group that may be missing from the path is an `Option`.
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
///
/// use axum::{body::Body, http::Request, routing::get};
/// use http_body_util::BodyExt;
/// use tower::ServiceExt;
/// use tower_dispatch::{Args, Dispatch, Endpoint};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
///
/// let urls: Dispatch<Endpoint<Body>> = Dispatch::builder()
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
pub struct Args<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Args<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let args = url_args(parts)?.parse().map_err(ArgsError::Parse);
        args.map(Self).map_err(|error| error.rejection(parts))
    }
}

/// A clone; the text is shared.
impl<S: Sync> FromRequestParts<S> for UrlArgs {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        url_args(parts).cloned()
    }
}

fn url_args(parts: &Parts) -> Result<&UrlArgs, Rejection> {
    let args = parts.extensions.get();
    args.ok_or_else(|| ArgsError::NoArgs.rejection(parts))
}

/// The reason of an extractor's [`Rejection`]: why url args cannot be extracted. The client learns
/// no more than the status.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgsError {
    /// 500: no dispatcher has matched the request.
    NoArgs,
    /// They do not parse as the handler's type. That is 400 for a value in the path, and 500 for a
    /// type that no path could give, see [`ParseError::is_permanent`].
    Parse(ParseError),
}

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoArgs => {
                f.write_str("the request has no url args: it did not come through a dispatcher")
            }
            Self::Parse(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ArgsError {}

impl ArgsError {
    fn rejection(self, parts: &Parts) -> Rejection {
        let rejection = match &self {
            Self::Parse(error) if !error.is_permanent() => {
                Rejection::new(StatusCode::BAD_REQUEST, self)
                    .with_detail("a value in the path is not valid")
            }
            Self::NoArgs | Self::Parse(_) => {
                Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, self)
            }
        };
        rejection.with_preferences(parts)
    }
}
