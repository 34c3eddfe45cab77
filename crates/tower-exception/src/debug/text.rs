//! An incident as text and as JSON.

use std::{fmt::Write, path::Path};

use serde_json::json;
use tower_kit::secrets;

use super::source;
use crate::{Incident, incident::text_of};

/// Returns a header's value as text, whatever its bytes are.
pub(super) fn value(value: &http::HeaderValue) -> String {
    let mut text = String::new();
    for c in String::from_utf8_lossy(value.as_bytes()).chars() {
        match c {
            c if c.is_control() => text.extend(c.escape_default()),
            c => text.push(c),
        }
    }
    text
}

/// Returns the panic's message, or the texts of the error and its sources.
pub(super) fn chain(incident: &Incident) -> Vec<String> {
    match incident.panic_message() {
        Some(message) => vec![secrets::urls(message).into_owned()],
        None => incident.chain().map(text_of).collect(),
    }
}

pub(super) fn of(incident: &Incident, sources: Option<&Path>) -> String {
    let mut text = String::new();
    let kind = if incident.panic_message().is_some() {
        "panic"
    } else {
        "error"
    };
    let chain = chain(incident);
    let (what, causes) = chain
        .split_first()
        .map_or(("", &[][..]), |(what, causes)| (what, causes));
    let mut line = |line: std::fmt::Arguments<'_>| {
        // Writing to a string does not fail.
        let _ = text.write_fmt(line).and_then(|()| text.write_str("\n"));
    };
    line(format_args!("{kind} in {}: {what}", incident.phase()));
    for cause in causes {
        line(format_args!("  caused by: {cause}"));
    }
    if let Some(location) = incident.location() {
        line(format_args!("  at {location}"));
    }
    line(format_args!(
        "{} {} {:?}",
        incident.method(),
        incident.uri(),
        incident.version()
    ));
    line(format_args!("incident {}", incident.id()));
    let frames = incident.frames();
    if !frames.is_empty() {
        line(format_args!(
            "\ncalls, the innermost first (* is the application's own code):"
        ));
    }
    for frame in frames {
        let mark = if frame.is_application() { '*' } else { ' ' };
        line(format_args!("{mark} {}", frame.function()));
        if let (Some(file), Some(number)) = (frame.file(), frame.line()) {
            let file = source::shown(sources, file);
            line(format_args!("      {file}:{number}"));
        }
    }
    if let Some(headers) = incident.headers() {
        line(format_args!("\nheaders:"));
        for (name, value) in headers {
            line(format_args!("  {name}: {}", self::value(value)));
        }
    }
    for (name, shown) in incident.shown() {
        line(format_args!("\n{name}:\n{shown}"));
    }
    text
}

/// Returns JSON as in RFC 9457, with members of its own.
pub(super) fn json(incident: &Incident, sources: Option<&Path>) -> String {
    let chain = chain(incident);
    let frames = incident.frames().iter().map(|frame| {
        json!({
            "function": frame.function(),
            "file": frame.file().map(|file| source::shown(sources, file)),
            "line": frame.line(),
            "application": frame.is_application(),
        })
    });
    let headers = incident
        .headers()
        .into_iter()
        .flatten()
        .map(|(name, value)| json!([name.as_str(), self::value(value)]));
    let shown = incident.shown().map(|(name, text)| json!([name, text]));
    let value = json!({
        "type": "about:blank",
        "title": incident.status().canonical_reason().unwrap_or("Error"),
        "status": incident.status().as_u16(),
        "detail": chain.first(),
        "incident": incident.id(),
        "kind": if incident.panic_message().is_some() { "panic" } else { "error" },
        "phase": incident.phase().to_string(),
        "causes": chain.get(1..),
        "location": incident.location().map(ToString::to_string),
        "request": {
            "method": incident.method().as_str(),
            "uri": incident.uri().to_string(),
            "version": format!("{:?}", incident.version()),
            "headers": headers.collect::<Vec<_>>(),
        },
        "shown": shown.collect::<Vec<_>>(),
        "frames": frames.collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn exception_15_a_header_value_is_readable_with_any_bytes() {
        for (bytes, expected) in [
            (&b"text/html; q=\"1\""[..], "text/html; q=\"1\""),
            (b"a\tb", "a\\tb"),
            (b"J\xc3\xb6rg", "J\u{f6}rg"),
            (b"\xc2\x85", "\\u{85}"),
            (b"\xff", "\u{fffd}"),
        ] {
            assert_eq!(value(&HeaderValue::from_bytes(bytes).unwrap()), expected);
        }
    }
}
