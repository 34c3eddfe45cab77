//! Reading the environ from wherever a request's extensions are at hand.

use http::{Extensions, Request, request::Parts};

use crate::{Environ, EnvironError, Key};

/// `request.environ(&KEY)`, on a request, on its parts and on its extensions.
pub trait RequestExt {
    /// The value that a layer further out has set for this key. `None` if no layer did, or if the
    /// value under this name has another type.
    fn environ<T: 'static>(&self, key: &Key<T>) -> Option<&T>;

    /// The value that a layer further out has set for this key.
    ///
    /// # Errors
    ///
    /// An [`EnvironError`] that says which keys there are if this one is not, or which type the value has if
    /// it is another. It is for the log and not for the client.
    fn try_environ<T: 'static>(&self, key: &Key<T>) -> Result<&T, EnvironError>;
}

impl RequestExt for Extensions {
    fn environ<T: 'static>(&self, key: &Key<T>) -> Option<&T> {
        self.get::<Environ>()?.get(key)
    }

    fn try_environ<T: 'static>(&self, key: &Key<T>) -> Result<&T, EnvironError> {
        match self.get::<Environ>() {
            Some(environ) => environ.try_get(key),
            None => Err(EnvironError::missing(key.name(), std::iter::empty())),
        }
    }
}

impl RequestExt for Parts {
    fn environ<T: 'static>(&self, key: &Key<T>) -> Option<&T> {
        self.extensions.environ(key)
    }

    fn try_environ<T: 'static>(&self, key: &Key<T>) -> Result<&T, EnvironError> {
        self.extensions.try_environ(key)
    }
}

impl<B> RequestExt for Request<B> {
    fn environ<T: 'static>(&self, key: &Key<T>) -> Option<&T> {
        self.extensions().environ(key)
    }

    fn try_environ<T: 'static>(&self, key: &Key<T>) -> Result<&T, EnvironError> {
        self.extensions().try_environ(key)
    }
}
