//! Reading the environ from wherever a request's extensions are at hand.

use http::{Extensions, Request, request::Parts};

use crate::{Environ, EnvironError, Key};

/// `request.environ(&KEY)`, on a request, on its parts and on its extensions.
pub trait EnvironExt {
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

    /// Sets a value by hand, as [`EnvironLayer`](crate::EnvironLayer) does it: for what is only known after waiting, a user
    /// from a database for instance.
    fn set_environ<T>(&mut self, key: Key<T>, value: T);
}

impl EnvironExt for Extensions {
    fn environ<T: 'static>(&self, key: &Key<T>) -> Option<&T> {
        self.get::<Environ>()?.get(key)
    }

    fn try_environ<T: 'static>(&self, key: &Key<T>) -> Result<&T, EnvironError> {
        match self.get::<Environ>() {
            Some(environ) => environ.try_get(key),
            None => Err(EnvironError::missing(key.name(), std::iter::empty())),
        }
    }

    fn set_environ<T>(&mut self, key: Key<T>, value: T) {
        self.get_or_insert_default::<Environ>().set(key, value);
    }
}

impl EnvironExt for Parts {
    fn environ<T: 'static>(&self, key: &Key<T>) -> Option<&T> {
        self.extensions.environ(key)
    }

    fn try_environ<T: 'static>(&self, key: &Key<T>) -> Result<&T, EnvironError> {
        self.extensions.try_environ(key)
    }

    fn set_environ<T>(&mut self, key: Key<T>, value: T) {
        self.extensions.set_environ(key, value);
    }
}

impl<B> EnvironExt for Request<B> {
    fn environ<T: 'static>(&self, key: &Key<T>) -> Option<&T> {
        self.extensions().environ(key)
    }

    fn try_environ<T: 'static>(&self, key: &Key<T>) -> Result<&T, EnvironError> {
        self.extensions().try_environ(key)
    }

    fn set_environ<T>(&mut self, key: Key<T>, value: T) {
        self.extensions_mut().set_environ(key, value);
    }
}
