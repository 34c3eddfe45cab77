use std::{error::Error, fmt};

use crate::Incident;

/// An error of any type, as `tower` and `axum` have it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The error of a body that failed after its head was sent. It makes the server break the response off: the
/// connection is closed without the last chunk (HTTP/1) or the stream is reset (HTTP/2), so that the
/// client can tell the part that it has from the whole.
#[derive(Clone, Debug)]
pub struct Aborted {
    pub(crate) incident: Incident,
}

impl Aborted {
    /// Returns the incident.
    #[must_use]
    pub fn incident(&self) -> &Incident {
        &self.incident
    }
}

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.incident.id();
        write!(f, "the response was broken off by incident {id}")
    }
}

impl Error for Aborted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.incident.error()
    }
}
