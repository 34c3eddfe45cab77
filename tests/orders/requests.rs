//! The requests to every stack, and the expected responses: properties of the relative positions of
//! layers, never of one order.

use std::{error::Error, panic::AssertUnwindSafe};

use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use tower::{BoxError, ServiceExt};
use tower_exception::Incident;
use tower_hooks::OutcomeKind;

use crate::stack::{DISK, Kind, Notes, PANIC, PREFIX, Stack, uploaded};

/// The service that responds. A layer must be outside of it to matter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Who {
    /// The cascade's first service.
    Files,
    /// An endpoint of the dispatcher.
    Endpoint,
    /// The innermost service.
    Rest,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    /// It reports the layers around it as text.
    Seen,
    /// This status, these bytes and this `Allow`.
    Plain(u16, &'static str, Option<&'static str>),
    /// The bytes that were sent, as they are.
    Upload,
    Panic,
    Error,
    /// The body fails after two frames of text.
    BreaksOff,
}

pub(crate) const UPLOAD: &[u8] = b"0123\n4567\n89";
pub(crate) const AUTHORITY: &str = "example.org";
const ALLOW: &str = "GET, HEAD, PUT";

pub(crate) const REQUESTS: [(Method, &str, Who, What); 14] = [
    (
        Method::GET,
        "/page",
        Who::Rest,
        What::Plain(200, "<p>\n<p>\n", None),
    ),
    (Method::HEAD, "/page", Who::Rest, What::Plain(200, "", None)),
    (Method::GET, "/text", Who::Rest, What::Seen),
    (Method::GET, "/file", Who::Files, What::Seen),
    (Method::GET, "/hello/you", Who::Endpoint, What::Seen),
    (
        Method::HEAD,
        "/hello/you",
        Who::Endpoint,
        What::Plain(200, "", None),
    ),
    (
        Method::GET,
        "/nowhere",
        Who::Rest,
        What::Plain(404, "", None),
    ),
    (
        Method::DELETE,
        "/hello/you",
        Who::Endpoint,
        What::Plain(405, "the path does not allow this method\n", Some(ALLOW)),
    ),
    (
        Method::OPTIONS,
        "/hello/you",
        Who::Endpoint,
        What::Plain(405, "the path does not allow this method\n", Some(ALLOW)),
    ),
    (
        Method::GET,
        "/hello/%ff",
        Who::Rest,
        What::Plain(404, "", None),
    ),
    (Method::PUT, "/upload", Who::Endpoint, What::Upload),
    (Method::GET, "/panic", Who::Endpoint, What::Panic),
    (Method::GET, "/error", Who::Endpoint, What::Error),
    (Method::GET, "/broken", Who::Endpoint, What::BreaksOff),
];

/// The response of a stack.
#[derive(Debug)]
pub(crate) enum Came {
    Response(Answered),
    Error(BoxError),
    Panic,
}

#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The error with which the body broke off.
    pub(crate) error: Option<BoxError>,
}

pub(crate) async fn ask(stack: &Stack, method: &Method, path: &str) -> Came {
    let body = match *method {
        Method::PUT => uploaded(UPLOAD),
        _ => Body::default(),
    };
    let request = Request::builder().method(method).uri(path);
    let request = request.header("host", AUTHORITY).body(body).unwrap();
    let answer = AssertUnwindSafe(stack.clone().oneshot(request)).catch_unwind();
    let (parts, mut body) = match answer.await {
        Err(_) => return Came::Panic,
        Ok(Err(error)) => return Came::Error(error),
        Ok(Ok(response)) => response.into_parts(),
    };
    let (mut bytes, mut error) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
            Err(failed) => {
                error = Some(failed.into_inner());
                break;
            }
        }
    }
    Came::Response(Answered {
        status: parts.status,
        headers: parts.headers,
        body: bytes.into(),
        error,
    })
}

/// The relative positions of layers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a>(pub(crate) &'a [Kind]);

impl Order<'_> {
    fn place(self, kind: Kind) -> Option<usize> {
        self.0.iter().position(|layer| *layer == kind)
    }

    /// Returns whether a layer is there, and outside of another one.
    pub(crate) fn outside(self, kind: Kind, of: Kind) -> bool {
        self.place(kind) < self.place(of) && self.place(kind).is_some()
    }

    /// Returns whether a layer is there, and outside of the service that responds.
    pub(crate) fn around(self, kind: Kind, who: Who) -> bool {
        match who {
            Who::Files => self.outside(kind, Kind::Cascade),
            Who::Endpoint => self.outside(kind, Kind::Dispatch),
            Who::Rest => self.place(kind).is_some(),
        }
    }

    fn prefixed(self, text: &str, applies: bool) -> String {
        let prefix = if applies { PREFIX } else { "" };
        let lines = text.split_inclusive('\n');
        lines.map(|line| format!("{prefix}{line}")).collect()
    }

    /// The app's report: the layers that are outside of it, and no others.
    pub(crate) fn seen(self, who: Who, authority: &str, script_name: &str, path: &str) -> String {
        let name = match who {
            Who::Files => "files",
            Who::Endpoint => "endpoint",
            Who::Rest => "rest",
        };
        let hello = match self.around(Kind::Environ, who) {
            true => "Hello World",
            false => "-",
        };
        let url = match self.around(Kind::Origin, who) {
            true => format!("http://{authority}{script_name}{path}"),
            false => "-".to_owned(),
        };
        let text = format!("{name}\n{hello}\n{url}\n{script_name} {path}");
        self.prefixed(&text, self.around(Kind::Prefix, who))
    }

    /// All assertions about one response, and about the notes of the layers.
    pub(crate) fn check(
        self,
        authority: &str,
        path: &str,
        (who, what): (Who, What),
        came: &Came,
        notes: &Notes,
    ) {
        assert!(notes.violations.is_empty(), "{:?}", notes.violations);
        let caught = self.around(Kind::Exception, who);
        let prefixed = self.around(Kind::Prefix, who);
        match (what, came) {
            (What::Panic, Came::Panic) => assert!(!caught, "a panic went past the exception layer"),
            (What::Error, Came::Error(error)) => {
                assert!(!caught, "an error went past the exception layer");
                assert_eq!(error.to_string(), DISK);
            }
            (What::Panic | What::Error, Came::Response(came)) => {
                assert!(caught, "nothing was there to catch it");
                let incident = notes.incidents[0].id();
                let text = format!("500 Internal Server Error\nincident {incident}\n");
                let prefixed = self.outside(Kind::Prefix, Kind::Exception);
                assert_eq!(came.status, 500);
                assert_eq!(came.body, self.prefixed(&text, prefixed));
            }
            (What::BreaksOff, Came::Response(came)) => {
                assert_eq!(came.status, 200);
                assert_eq!(came.body, self.prefixed("one\ntwo", prefixed));
                let chain = chain(&**came.error.as_ref().unwrap());
                assert_eq!(chain.iter().any(|error| error.is::<Incident>()), caught);
                assert!(chain.iter().any(|error| error.to_string() == DISK));
            }
            (What::Seen, Came::Response(came)) => {
                assert_eq!(came.status, 200);
                assert_eq!(came.body, self.seen(who, authority, "", path));
            }
            (What::Upload, Came::Response(came)) => {
                assert_eq!((came.status.as_u16(), &came.body[..]), (200, UPLOAD));
                assert_eq!(came.headers["x-sum"], "45");
            }
            (What::Plain(status, text, allow), Came::Response(came)) => {
                let text = self.prefixed(text, prefixed && status == 405);
                assert_eq!(
                    (came.status.as_u16(), &came.body[..]),
                    (status, text.as_bytes())
                );
                let got = came.headers.get("allow");
                assert_eq!(got.map(|allow| allow.to_str().unwrap()), allow);
            }
            other => panic!("unexpected: {other:?}"),
        }
        self.check_notes(who, what, notes);
    }

    /// One incident for each failure inside of the exception layer, and one end for each request
    /// that entered the hooks.
    pub(crate) fn check_notes(self, who: Who, what: What, notes: &Notes) {
        let breaks = matches!(what, What::Panic | What::Error | What::BreaksOff);
        let caught = breaks && self.around(Kind::Exception, who);
        assert_eq!(notes.incidents.len(), usize::from(caught));
        for incident in &notes.incidents {
            let message = incident.panic_message().map(str::to_owned);
            let message = message.or_else(|| incident.error().map(ToString::to_string));
            let expected = if what == What::Panic { PANIC } else { DISK };
            assert_eq!(message.as_deref(), Some(expected));
        }
        let mended = caught && self.outside(Kind::Hooks, Kind::Exception);
        let end = match what {
            What::BreaksOff => OutcomeKind::Failed,
            What::Panic if !mended => OutcomeKind::Panicked,
            What::Error if !mended => OutcomeKind::Failed,
            _ => OutcomeKind::Completed,
        };
        let entered = self.around(Kind::Hooks, self.entered(who, what));
        let expected = if entered { vec![end] } else { vec![] };
        assert_eq!(notes.ends, expected);
    }

    /// The service that is called at last. A method that a dispatcher as a layer does not know
    /// falls through, and the dispatcher's own response comes afterwards.
    fn entered(self, who: Who, what: What) -> Who {
        match what {
            What::Plain(405, ..) => Who::Rest,
            _ => who,
        }
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let (mut chain, mut next) = (vec![error], error.source());
    while let Some(error) = next {
        chain.push(error);
        next = error.source();
    }
    chain
}
