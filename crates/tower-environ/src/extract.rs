//! Extractors for axum.

use std::{convert::Infallible, fmt};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use crate::{Environ, EnvironError, EnvironExt, Key, PathInfo, ScriptName};

/// Names a key and the type of its value, for the extractor [`Env`].
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_environ::{Env, EnvironKey, EnvironLayer, Key};
///
/// struct Hello;
///
/// impl EnvironKey for Hello {
///     type Value = &'static str;
///     const KEY: Key<&'static str> = Key::new("test.hello");
/// }
///
/// async fn hello(Env(hello): Env<Hello>) -> &'static str {
///     hello
/// }
///
/// let app: Router = Router::new()
///     .route("/", get(hello))
///     .layer(EnvironLayer::new(Hello::KEY, "Hello World"));
/// ```
pub trait EnvironKey {
    /// The type of the value. The extractor clones it.
    type Value: Clone + 'static;

    /// The key.
    const KEY: Key<Self::Value>;
}

/// Extracts a clone of the value of one key.
///
/// Where no layer has set it, and where it was set with another type, the client gets a plain 500 and the
/// response's extensions the [`EnvironError`]. As `Option<Env<K>>` it is `None` where no layer has set it.
pub struct Env<K: EnvironKey>(pub K::Value);

impl<K: EnvironKey<Value: fmt::Debug>> fmt::Debug for Env<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Env").field(&self.0).finish()
    }
}

impl<K: EnvironKey, S: Sync> FromRequestParts<S> for Env<K> {
    type Rejection = EnvironError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, EnvironError> {
        parts.try_environ(&K::KEY).cloned().map(Self)
    }
}

impl<K: EnvironKey, S: Sync> OptionalFromRequestParts<S> for Env<K> {
    type Rejection = EnvironError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, EnvironError> {
        match parts.try_environ(&K::KEY) {
            Ok(value) => Ok(Some(Self(value.clone()))),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A plain 500, with the error in its extensions and nothing of it in its body.
impl IntoResponse for EnvironError {
    fn into_response(self) -> Response {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let mut response = (status, "Internal Server Error\n").into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The whole bag; an empty one where no layer has set anything.
impl<S: Sync> FromRequestParts<S> for Environ {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// What mounts have taken, axum's `nest` among them.
impl<S: Sync> FromRequestParts<S> for ScriptName {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.uri, &parts.extensions))
    }
}

/// What is left of the path.
impl<S: Sync> FromRequestParts<S> for PathInfo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.uri, &parts.extensions))
    }
}
