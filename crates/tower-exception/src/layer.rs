use std::{
    fmt,
    sync::{Arc, Mutex},
};

use http::Request;
use tower_layer::Layer;

use crate::{
    Exception, Incident, Phase,
    incident::{Cause, RequestHead},
    report::{self, Report},
};

/// Turns whatever goes wrong in a service into a reported [`Incident`].
#[derive(Clone)]
pub struct ExceptionLayer {
    report: Report,
}

impl ExceptionLayer {
    /// For production: the client gets 500 with the incident's id and nothing else; `report` gets the incident.
    ///
    /// `report` is called on the request's task and must not block: hand slow work to a channel. If it
    /// panics, the incident goes to standard error.
    pub fn production(report: impl Fn(&Incident) + Send + Sync + 'static) -> Self {
        Self {
            report: Arc::new(report),
        }
    }

    pub(crate) fn watch<B>(&self, request: &Request<B>) -> Watch {
        Watch {
            request: RequestHead::of(request),
            report: self.report.clone(),
        }
    }
}

/// What it takes to make an incident of what goes wrong with a request, and to tell of it.
pub(crate) struct Watch {
    request: RequestHead,
    report: Report,
}

impl Watch {
    pub(crate) fn incident(&self, phase: Phase, cause: Cause) -> Incident {
        let incident = Incident::new(phase, cause, self.request.clone());
        report::tell(&self.report, &incident);
        incident
    }
}

impl fmt::Debug for ExceptionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExceptionLayer").finish_non_exhaustive()
    }
}

impl<S: Clone> Layer<S> for ExceptionLayer {
    type Service = Exception<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Exception {
            original: Arc::new(Mutex::new(inner.clone())),
            inner: Some(inner),
            layer: self.clone(),
            failed: None,
        }
    }
}
