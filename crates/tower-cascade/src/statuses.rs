//! Which answers are no answers.

use std::{error::Error, fmt, sync::Arc};

use http::{Method, StatusCode};

/// Whether an answer with this status moves on to the next app.
#[derive(Clone, Default)]
pub(crate) enum Statuses {
    #[default]
    Only404,
    Some(Arc<[StatusCode]>),
    By {
        predicate: Arc<dyn Fn(StatusCode) -> bool + Send + Sync>,
        auth: bool,
    },
}

impl Statuses {
    /// A set of statuses; `auth` says that 401 and 403 may be in it.
    pub(crate) fn new(
        statuses: impl IntoIterator<Item = StatusCode>,
        auth: bool,
    ) -> Result<Self, StatusError> {
        let statuses: Arc<[StatusCode]> = statuses.into_iter().collect();
        match statuses.iter().find_map(|&status| offence(status, auth)) {
            None => Ok(Self::Some(statuses)),
            Some(error) => Err(error),
        }
    }

    /// By a predicate, which is only asked about those that may be in a set.
    pub(crate) fn by(
        predicate: impl Fn(StatusCode) -> bool + Send + Sync + 'static,
        auth: bool,
    ) -> Self {
        Self::By {
            predicate: Arc::new(predicate),
            auth,
        }
    }

    fn contains(&self, status: StatusCode) -> bool {
        match self {
            Self::Only404 => status == StatusCode::NOT_FOUND,
            Self::Some(statuses) => statuses.contains(&status),
            Self::By { predicate, auth } => offence(status, *auth).is_none() && predicate(status),
        }
    }

    pub(crate) fn move_on(&self, method: &Method, status: StatusCode) -> bool {
        // After a 5xx nobody knows what was done already; what is not idempotent must not be done again
        // (RFC 9110, section 9.2.2, and nginx's proxy_next_upstream).
        self.contains(status) && (!status.is_server_error() || method.is_idempotent())
    }
}

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only404 => f.write_str("[404]"),
            Self::Some(statuses) => statuses.fmt(f),
            Self::By { .. } => f.write_str("a predicate"),
        }
    }
}

fn offence(status: StatusCode, auth: bool) -> Option<StatusError> {
    let reason = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if !auth => {
            "an app that refuses a request must not be passed by; if that is what is wanted, call allow_auth_statuses() before"
        }
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => "it is an answer",
        _ if status.is_informational() => "it is not the answer yet",
        _ => return None,
    };
    Some(StatusError { status, reason })
}

/// Why a status cannot move a request on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusError {
    status: StatusCode,
    reason: &'static str,
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cannot go on to the next app: {}",
            self.status, self.reason
        )
    }
}

impl Error for StatusError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(statuses: &[u16], auth: bool) -> Result<Statuses, String> {
        let statuses = statuses
            .iter()
            .map(|&status| StatusCode::from_u16(status).unwrap());
        Statuses::new(statuses, auth).map_err(|error| error.to_string())
    }

    #[test]
    fn a_status_that_is_an_answer_is_refused() {
        let auth = "cannot go on to the next app: an app that refuses a request must not be passed by; if that is what is wanted, call allow_auth_statuses() before";
        let table = [
            (401, format!("401 Unauthorized {auth}")),
            (403, format!("403 Forbidden {auth}")),
            (
                204,
                "204 No Content cannot go on to the next app: it is an answer".into(),
            ),
            (
                304,
                "304 Not Modified cannot go on to the next app: it is an answer".into(),
            ),
            (
                100,
                "100 Continue cannot go on to the next app: it is not the answer yet".into(),
            ),
            (
                101,
                "101 Switching Protocols cannot go on to the next app: it is not the answer yet"
                    .into(),
            ),
        ];
        for (status, text) in table {
            assert_eq!(set(&[404, status], false).unwrap_err(), text);
            assert_eq!(set(&[status], true).is_ok(), status == 401 || status == 403);
        }
        assert!(set(&[], false).is_ok());
    }

    #[test]
    fn what_is_not_idempotent_does_not_go_on_after_a_5xx() {
        let statuses = set(&[404, 503], false).unwrap();
        let table = [
            (Method::GET, 404, true),
            (Method::POST, 404, true),
            (Method::GET, 503, true),
            (Method::PUT, 503, true),
            (Method::DELETE, 503, true),
            (Method::POST, 503, false),
            (Method::PATCH, 503, false),
            (Method::CONNECT, 503, false),
            (Method::GET, 500, false),
            (Method::GET, 200, false),
        ];
        for (method, status, expected) in table {
            let found = statuses.move_on(&method, StatusCode::from_u16(status).unwrap());
            assert_eq!(found, expected, "{method} {status}");
        }
    }
}
