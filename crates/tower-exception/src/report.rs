//! Functions that report incidents.

use std::{
    io::{self, Write},
    sync::Arc,
};

#[cfg(feature = "tracing")]
use http::StatusCode;

use crate::{Incident, guard};

/// Called with every incident, on the request's task.
pub(crate) type Report = Arc<dyn Fn(&Incident) + Send + Sync>;

/// Reports an incident to a terminal or a service manager's journal. It writes one line to standard
/// error, with the id, the request's method and path, and the error or panic. It leaves out
/// incidents with a 4xx, which are a client's fault.
///
/// ```
/// use tower_exception::{ExceptionLayer, to_stderr};
///
/// let layer = ExceptionLayer::production(to_stderr);
/// ```
pub fn to_stderr(incident: &Incident) {
    if !incident.status().is_client_error() {
        write(incident);
    }
}

fn write(incident: &Incident) {
    // One write, since other threads write there too. If standard error is closed, the line is
    // lost.
    let _ = io::stderr().write_all(format!("{incident}\n").as_bytes());
}

/// Reports an incident to the application's log. It emits an event with the fields of the line, and
/// the location of a panic. Its level is ERROR for a 500, WARN for another 5xx, and DEBUG for a
/// 4xx, which is a client's fault.
///
/// ```
/// use tower_exception::{ExceptionLayer, to_tracing};
///
/// let layer = ExceptionLayer::production(to_tracing);
/// ```
#[cfg(feature = "tracing")]
pub fn to_tracing(incident: &Incident) {
    let chain: Vec<_> = incident
        .chain()
        .map(|error| tower_kit::secrets::urls(&error.to_string()).into_owned())
        .collect();
    // The level of an event is a constant.
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(
                tracing::Level::$level,
                incident = incident.id(),
                status = incident.status().as_u16(),
                phase = %incident.phase(),
                method = %incident.method(),
                path = incident.uri().path(),
                panic = incident.panic_message().map(tower_kit::secrets::urls).as_deref(),
                error = (!chain.is_empty()).then(|| chain.join(": ")),
                location = incident.location().map(tracing::field::display),
                "a request failed"
            )
        };
    }
    match incident.status() {
        StatusCode::INTERNAL_SERVER_ERROR => event!(ERROR),
        status if status.is_server_error() => event!(WARN),
        _ => event!(DEBUG),
    }
}

/// Reports an incident. If the report panics the incident goes to standard error; if that panics
/// too, because an error's `Display` does, then only its id does.
pub(crate) fn send(report: &Report, incident: &Incident) {
    if guard::catch(|| report(incident)).is_err() && guard::catch(|| write(incident)).is_err() {
        let id = incident.id();
        let line = format!("incident {id}: reporting it panicked\n");
        let _ = io::stderr().write_all(line.as_bytes());
    }
}
