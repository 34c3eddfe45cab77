//! The page: first the panic or the error, then the calls, then the request. It has no script and
//! loads nothing, and the template escapes all that it shows.

use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    source::{self, Line},
    text,
};
use crate::{CallFrame, Incident};

const STYLE: &str = include_str!("page.css");

/// Returns the nonce that allows the page's own style, and no other.
pub(super) fn nonce() -> String {
    let mut bytes = [0; 16];
    // Without random bits the page has no style, and is as safe.
    let _ = getrandom::fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// Returns text for the end of an application's own page.
pub(super) fn fragment(text: &str) -> String {
    html! { pre { "\n" (text) } }.into_string()
}

pub(super) fn of(incident: &Incident, sources: Option<&Path>, nonce: &str) -> String {
    let chain = text::chain(incident);
    let (what, causes) = match chain.split_first() {
        Some((what, causes)) => (what.as_str(), causes),
        None => ("", &[][..]),
    };
    let kind = if incident.panic_message().is_some() {
        "panic"
    } else {
        "error"
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (kind) ": " (first_line(what)) }
                style nonce=(nonce) { (PreEscaped(STYLE)) }
            }
            body { main {
                header {
                    p { span.kind { (kind) } " in " (incident.phase()) ", " code { (incident.method()) " " (incident.uri().path()) } }
                    h1 { (what) }
                    @if let Some(location) = incident.location() {
                        p { "at " code { (location) } @if let Some(thread) = incident.thread() { span.dim { " on thread " (thread) } } }
                    }
                    @if !causes.is_empty() {
                        p { "caused by" }
                        ol.chain { @for cause in causes { li { (cause) } } }
                    }
                }
                (calls(incident, sources))
                (request(incident))
                @for (name, shown) in incident.shown() {
                    details { summary { (name) } pre { (shown) } }
                }
                h2 { "To copy" }
                details { summary { "All of this as text" } textarea readonly aria-label="All of this as text" { "\n" (text::of(incident, sources)) } }
                footer {
                    "Incident " code { (incident.id()) } ". This page is shown on this machine only. Others get a " (incident.status().as_u16()) " with the incident's id."
                }
            } }
        }
    }
    .into_string()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Renders the calls. Several library calls in a row are folded.
fn calls(incident: &Incident, sources: Option<&Path>) -> Markup {
    let frames = incident.frames();
    let groups: Vec<&[CallFrame]> = frames
        .chunk_by(|one, next| !one.is_application() && !next.is_application())
        .collect();
    let first = frames.iter().position(CallFrame::is_application);
    let first = first.map(|at| std::ptr::from_ref(&frames[at]));
    html! {
        // Without debug information no file is known.
        @if first.is_none() { (location(incident, sources)) }
        @if !frames.is_empty() { h2 { "The way there, the innermost call first" } }
        @for group in groups {
            @if let [frame] = group && frame.is_application() {
                details open[first == Some(std::ptr::from_ref(frame))] {
                    summary { code { (frame.function()) } (place(frame, sources)) }
                    @match lines(frame, sources) {
                        Some((line, lines)) => (snippet(line, &lines)),
                        None => pre { "The source is not at hand." },
                    }
                }
            } @else {
                details.library {
                    summary { (group.len()) @if group.len() == 1 { " library call" } @else { " library calls" } }
                    ol { @for frame in group { li { code { (frame.function()) } (place(frame, sources)) } } }
                }
            }
        }
    }
}

fn location(incident: &Incident, sources: Option<&Path>) -> Markup {
    let here = incident.location().and_then(|location| {
        let line = location.line() as usize;
        Some((
            line,
            source::around(sources, Path::new(location.file()), line)?,
        ))
    });
    html! {
        @if let Some((line, lines)) = here {
            h2 { "Where it happened" }
            details open { summary { "source" } (snippet(line, &lines)) }
        } @else if incident.panic_message().is_some() && incident.location().is_none() {
            p.dim { "Where it happened is known after " code { "tower_exception::install_panic_hook()" } " at the start of main." }
        }
    }
}

fn lines(frame: &CallFrame, sources: Option<&Path>) -> Option<(usize, Vec<Line>)> {
    let line = frame.line()? as usize;
    Some((line, source::around(sources, frame.file()?, line)?))
}

fn snippet(here: usize, lines: &[Line]) -> Markup {
    html! {
        pre.source {
            @for (number, text) in lines {
                span.here[*number == here] { i { (number) } (text) "\n" }
            }
        }
    }
}

fn place(frame: &CallFrame, sources: Option<&Path>) -> Markup {
    html! {
        @if let (Some(file), Some(line)) = (frame.file(), frame.line()) {
            span.place { (source::shown(sources, file)) ":" (line) }
        }
    }
}

fn request(incident: &Incident) -> Markup {
    let headers = incident.headers().into_iter().flatten();
    html! {
        h2 { "The request" }
        details open {
            summary { code { (incident.method()) " " (incident.uri()) " " (format!("{:?}", incident.version())) } }
            table { @for (name, value) in headers {
                tr { th { (name) } td { (text::value(value)) } }
            } }
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::{BoxError, Phase, guard::Panic, incident::Cause, request_head::RequestHead};

    #[test]
    fn exception_15_without_the_hook_the_page_names_it() {
        let panic = Panic {
            message: "fell".to_owned(),
            trace: None,
        };
        let page = |cause| {
            let head = RequestHead::default().read();
            let status = http::StatusCode::INTERNAL_SERVER_ERROR;
            let incident = Incident::new(Phase::Call, false, cause, status, head, Vec::new());
            location(&incident, None).into_string()
        };
        assert!(page(Cause::from(panic)).contains("install_panic_hook()"));
        assert_eq!(page(Cause::from(BoxError::from("failed"))), "");
    }
}
