use tower_layer::Layer;

use crate::{Key, WithEnviron, environ::Entry};

/// Sets one key for every request.
#[derive(Clone, Debug)]
pub struct EnvironLayer {
    entry: Entry,
}

impl EnvironLayer {
    /// The same value for every request. It is kept once and shared, so it need not be `Clone`.
    #[must_use]
    pub fn new<T: Send + Sync + 'static>(key: Key<T>, value: T) -> Self {
        Self {
            entry: Entry::new(key, value),
        }
    }
}

impl<S> Layer<S> for EnvironLayer {
    type Service = WithEnviron<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithEnviron {
            inner,
            entry: self.entry.clone(),
        }
    }
}
