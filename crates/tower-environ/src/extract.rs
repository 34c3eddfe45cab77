//! Extractors for axum.

use std::{convert::Infallible, fmt};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::{StatusCode, request::Parts};
use tower_kit::Rejection;

use crate::{Environ, EnvironError, EnvironExt, Key, PathInfo, ScriptName};

/// A trait for a type that names a key and the type of its value, for the extractor [`Env`].
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

/// An extractor of axum that clones the value of one key.
///
/// If no layer has set it, or if it was set with another type, the client gets a 500. The reason of
/// that [`Rejection`] is the [`EnvironError`]. An `Option<Env<K>>` is `None` if no layer has set
/// the key. [`EnvironKey`] has an example.
pub struct Env<K: EnvironKey>(pub K::Value);

impl<K: EnvironKey<Value: fmt::Debug>> fmt::Debug for Env<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Env").field(&self.0).finish()
    }
}

impl<K: EnvironKey, S: Sync> FromRequestParts<S> for Env<K> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let value = parts.try_environ(&K::KEY).cloned();
        value.map(Self).map_err(|error| rejection(error, parts))
    }
}

impl<K: EnvironKey, S: Sync> OptionalFromRequestParts<S> for Env<K> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        match parts.try_environ(&K::KEY) {
            Ok(value) => Ok(Some(Self(value.clone()))),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(rejection(error, parts)),
        }
    }
}

/// Returns a 500 that shows the client nothing of the error.
fn rejection(error: EnvironError, parts: &Parts) -> Rejection {
    Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, error).with_preferences(parts)
}

/// Extracts all values. The environ is empty if no layer has set anything.
impl<S: Sync> FromRequestParts<S> for Environ {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// Extracts the part of the path that mounts and axum's `nest` have stripped.
impl<S: Sync> FromRequestParts<S> for ScriptName {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.uri, &parts.extensions))
    }
}

/// Extracts the part of the path that is left.
impl<S: Sync> FromRequestParts<S> for PathInfo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.uri, &parts.extensions))
    }
}
