//! Class-based views: one object, and a method of it for each HTTP method.

use std::{fmt, future::Future, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;

use crate::{BoxError, Endpoint};

/// An object and which of its methods is for which HTTP method, as a class has it in link.wsgi. There is one object, which all
/// requests share; [`Builder::view`](crate::Builder::view) takes it.
///
/// What is for GET takes HEAD too, and loses its body then, unless there is something else for HEAD.
///
/// ```
/// use std::{convert::Infallible, sync::Arc};
///
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use bytes::Bytes;
/// use tower_dispatch::{Dispatch, View};
///
/// struct Greeting(&'static str);
///
/// impl Greeting {
///     // An `Arc`, since the answer may outlive the call.
///     async fn get<B>(self: Arc<Self>, _: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
///         Ok(Response::new(self.0.into()))
///     }
/// }
///
/// let urls = Dispatch::builder()
///     .view("/greeting", View::new(Greeting("hello")).get(Greeting::get))
///     .build()?;
/// # let _: Dispatch<tower_dispatch::Endpoint<()>> = urls;
/// # Ok::<(), tower_dispatch::BuildError>(())
/// ```
pub struct View<T, B, Err = std::convert::Infallible> {
    object: Arc<T>,
    methods: Vec<(Method, Endpoint<B, Err>)>,
}

impl<T, B, Err> View<T, B, Err>
where
    T: Send + Sync + 'static,
{
    /// A view without methods.
    #[must_use]
    pub fn new(object: T) -> Self {
        Self {
            object: Arc::new(object),
            methods: Vec::new(),
        }
    }

    /// For this method. Given twice, the later one counts.
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

    /// For GET and HEAD.
    #[must_use]
    pub fn get<F, Fut, ResBody>(self, call: F) -> Self
    where
        F: Fn(Arc<T>, Request<B>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<ResBody>, Err>> + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.method(Method::GET, call)
    }

    /// For POST.
    #[must_use]
    pub fn post<F, Fut, ResBody>(self, call: F) -> Self
    where
        F: Fn(Arc<T>, Request<B>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<ResBody>, Err>> + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.method(Method::POST, call)
    }

    /// For PUT.
    #[must_use]
    pub fn put<F, Fut, ResBody>(self, call: F) -> Self
    where
        F: Fn(Arc<T>, Request<B>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<ResBody>, Err>> + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.method(Method::PUT, call)
    }

    /// For PATCH.
    #[must_use]
    pub fn patch<F, Fut, ResBody>(self, call: F) -> Self
    where
        F: Fn(Arc<T>, Request<B>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<ResBody>, Err>> + Send + 'static,
        ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.method(Method::PATCH, call)
    }

    /// For DELETE.
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

impl<T, B: 'static, Err: 'static> View<T, B, Err> {
    /// The methods that it has, and the endpoint for all of them.
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
