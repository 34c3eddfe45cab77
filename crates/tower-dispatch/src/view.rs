//! Class-based views: one object, and a method of it for each HTTP method.

use std::{fmt, future::Future, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;

use crate::{BoxError, Endpoint};

/// An object with a method for each of some HTTP methods, for
/// [`Builder::view`](crate::Builder::view).
///
/// All requests share the object. The method for GET takes HEAD too, unless there is one for HEAD,
/// and the body of that response is dropped.
///
/// ```
/// use std::{convert::Infallible, sync::Arc};
///
/// use http::{Request, Response};
/// use tower_dispatch::{Dispatch, View};
///
/// struct Greeting(&'static str);
///
/// impl Greeting {
///     // An `Arc`, since the response may outlive the call.
///     async fn get(self: Arc<Self>, _: Request<()>) -> Result<Response<String>, Infallible> {
///         Ok(Response::new(self.0.to_owned()))
///     }
/// }
///
/// let urls = Dispatch::builder()
///     .view("/greeting", View::new(Greeting("hello")).get(Greeting::get))
///     .build()?;
/// # Ok::<(), tower_dispatch::BuildDispatchError>(())
/// ```
pub struct View<T, B, Err = std::convert::Infallible> {
    object: Arc<T>,
    methods: Vec<(Method, Endpoint<B, Err>)>,
}

impl<T, B, Err> View<T, B, Err>
where
    T: Send + Sync + 'static,
{
    /// Makes a view without methods.
    #[must_use]
    pub fn new(object: T) -> Self {
        Self {
            object: Arc::new(object),
            methods: Vec::new(),
        }
    }

    /// Sets the object's method for an HTTP method. A repetition replaces it.
    #[must_use]
    pub fn method<F, Fut, ResBody>(mut self, method: Method, call: F) -> Self
    where
        F: Fn(Arc<T>, Request<B>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<ResBody>, Err>> + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let object = self.object.clone();
        self.methods.retain(|(other, _)| *other != method);
        self.methods.push((
            method,
            Endpoint::new(move |request| call(object.clone(), request)),
        ));
        self
    }

    /// Sets the object's method for GET and HEAD.
    #[must_use]
    pub fn get<F, Fut, ResBody>(self, call: F) -> Self
    where
        F: Fn(Arc<T>, Request<B>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<ResBody>, Err>> + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.method(Method::GET, call)
    }

    /// Sets the object's method for POST.
    #[must_use]
    pub fn post<F, Fut, ResBody>(self, call: F) -> Self
    where
        F: Fn(Arc<T>, Request<B>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<ResBody>, Err>> + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.method(Method::POST, call)
    }

    /// Sets the object's method for PUT.
    #[must_use]
    pub fn put<F, Fut, ResBody>(self, call: F) -> Self
    where
        F: Fn(Arc<T>, Request<B>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<ResBody>, Err>> + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.method(Method::PUT, call)
    }

    /// Sets the object's method for PATCH.
    #[must_use]
    pub fn patch<F, Fut, ResBody>(self, call: F) -> Self
    where
        F: Fn(Arc<T>, Request<B>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<ResBody>, Err>> + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.method(Method::PATCH, call)
    }

    /// Sets the object's method for DELETE.
    #[must_use]
    pub fn delete<F, Fut, ResBody>(self, call: F) -> Self
    where
        F: Fn(Arc<T>, Request<B>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<ResBody>, Err>> + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.method(Method::DELETE, call)
    }
}

impl<T, B: 'static, Err: Send + 'static> View<T, B, Err> {
    /// Returns the methods that it has, and the endpoint for all of them.
    pub(crate) fn into_endpoint(self) -> (Vec<Method>, Endpoint<B, Err>) {
        let methods = self.methods.iter().map(|(method, _)| method.clone());
        (methods.collect(), Endpoint::by_method(self.methods))
    }
}

impl<T, B, Err> fmt::Debug for View<T, B, Err> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = self.methods.iter().map(|(method, _)| method);
        f.debug_list().entries(methods).finish()
    }
}
