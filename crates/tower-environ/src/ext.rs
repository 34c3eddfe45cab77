//! Reading the environ from wherever a request's extensions are at hand.

use http::{Extensions, Request, request::Parts};

use crate::{Environ, Key};

/// `request.environ(&KEY)`, on a request, on its parts and on its extensions.
pub trait RequestExt {
    /// The value that a layer further out has set for this key. `None` if no layer did, or if the
    /// value under this name has another type.
    fn environ<T: Send + Sync + 'static>(&self, key: &Key<T>) -> Option<&T>;
}

impl RequestExt for Extensions {
    fn environ<T: Send + Sync + 'static>(&self, key: &Key<T>) -> Option<&T> {
        self.get::<Environ>()?.get(key)
    }
}

impl RequestExt for Parts {
    fn environ<T: Send + Sync + 'static>(&self, key: &Key<T>) -> Option<&T> {
        self.extensions.environ(key)
    }
}

impl<B> RequestExt for Request<B> {
    fn environ<T: Send + Sync + 'static>(&self, key: &Key<T>) -> Option<&T> {
        self.extensions().environ(key)
    }
}
