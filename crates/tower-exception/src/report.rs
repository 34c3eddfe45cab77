//! Where incidents are told.

use std::{
    io::{self, Write},
    sync::Arc,
};

use crate::{Incident, guard};

/// Called with every incident, on the request's task.
pub(crate) type Report = Arc<dyn Fn(&Incident) + Send + Sync>;

/// A report for a terminal or a service manager's journal: one line to standard error, with the id, the
/// request's method and path, and what went wrong.
pub fn to_stderr(incident: &Incident) {
    // As one write, since other threads write there too. Where nobody reads it, nobody is told.
    let _ = io::stderr().write_all(format!("{incident}\n").as_bytes());
}

/// A report for the application's log: an event at level ERROR with the fields of the line, and the place of a panic.
#[cfg(feature = "tracing")]
pub fn to_tracing(incident: &Incident) {
    let chain: Vec<_> = incident
        .chain()
        .map(|error| crate::redact::urls(&error.to_string()).into_owned())
        .collect();
    tracing::error!(
        incident = incident.id(),
        phase = %incident.phase(),
        method = %incident.method(),
        path = incident.uri().path(),
        panic = incident.panic_message().map(crate::redact::urls).as_deref(),
        error = (!chain.is_empty()).then(|| chain.join(": ")),
        location = incident.location().map(tracing::field::display),
        "a request failed"
    );
}

/// Reports an incident. If the report panics the incident goes to standard error; if that panics too,
/// because an error's `Display` does, then only its id does.
pub(crate) fn tell(report: &Report, incident: &Incident) {
    if guard::catch(|| report(incident)).is_err() && guard::catch(|| to_stderr(incident)).is_err() {
        let id = incident.id();
        let line = format!("incident {id}: reporting it panicked\n");
        let _ = io::stderr().write_all(line.as_bytes());
    }
}
