//! Reads and sets values of the environ on a request, on its parts and on its extensions.

use http::{Extensions, Request, request::Parts};

use crate::{Environ, EnvironError, Key};

/// A trait that adds `environ(&KEY)` to a request, to its parts and to its extensions.
///
/// # Examples
///
/// ```
/// use http::Request;
/// use tower_environ::{EnvironExt, Key};
///
/// const USER: Key<String> = Key::new("app.user");
///
/// let mut request = Request::new(());
/// assert_eq!(request.environ(&USER), None);
///
/// request.set_environ(USER, "Jörg".to_owned());
/// assert_eq!(request.environ(&USER).map(String::as_str), Some("Jörg"));
/// ```
pub trait EnvironExt {
    /// Returns the value that an outer layer has set for this key. It is `None` if no layer did, or
    /// if the value under this name has another type.
    fn environ<T: 'static>(&self, key: &Key<T>) -> Option<&T>;

    /// Returns the value that an outer layer has set for this key, or an error that has the reason.
    ///
    /// # Errors
    ///
    /// Returns an [`EnvironError`] if the key is missing, with the keys that are set, or if the
    /// value has another type, with that type. The error is for the log and not for the client.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::Request;
    /// use tower_environ::{EnvironExt, Key};
    ///
    /// const USER: Key<String> = Key::new("app.user");
    ///
    /// let error = Request::new(()).try_environ(&USER).unwrap_err();
    /// let text = r#"the environ has no "app.user": no layer has set anything"#;
    /// assert_eq!(error.to_string(), text);
    /// ```
    fn try_environ<T: 'static>(&self, key: &Key<T>) -> Result<&T, EnvironError>;

    /// Sets a value, as [`EnvironLayer`](crate::EnvironLayer) does. It replaces an earlier value.
    ///
    /// It is for values that are known only after waiting, such as a user from a database.
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
