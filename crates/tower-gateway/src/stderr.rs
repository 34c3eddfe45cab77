//! The error output of programs.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::{Method, Uri, request::Parts};

/// The longest line that is reported, in bytes.
const MAX_LINE: usize = 4 * 1024;
/// The most bytes that are reported for one request.
const MAX_REPORTED: usize = 64 * 1024;

/// A line that a program has written to its error output.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StderrLine<'a> {
    /// The method of the request that the program has served.
    pub method: &'a Method,
    /// The URI of that request, without what mounts have stripped. It may have secrets.
    pub uri: &'a Uri,
    /// The line without its end. Bytes that are not UTF-8 are replaced.
    pub text: &'a str,
}

/// The function that gets each line.
#[derive(Clone)]
pub(crate) struct Reporter(Arc<dyn Fn(StderrLine<'_>) + Send + Sync>);

impl Reporter {
    pub(crate) fn new(report: impl Fn(StderrLine<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(report))
    }
}

impl Default for Reporter {
    fn default() -> Self {
        Self::new(|line| {
            // The query may have secrets.
            let path = line.uri.path();
            tracing::warn!(method = %line.method, path, "{}", line.text);
        })
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reporter")
    }
}

/// The error output for one request. A part of a line that has no end is reported when it is
/// dropped.
pub(crate) struct Stderr {
    reporter: Reporter,
    method: Method,
    uri: Uri,
    line: Vec<u8>,
    reported: usize,
}

impl Stderr {
    pub(crate) fn new(reporter: &Reporter, parts: &Parts) -> Self {
        Self {
            reporter: reporter.clone(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            line: Vec::new(),
            reported: 0,
        }
    }

    /// Takes more of the output, and reports the lines that are whole.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            // The rest of a long line is dropped.
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if is_whole {
                self.report();
            }
        }
    }

    fn report(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if text.is_empty() || self.reported > MAX_REPORTED {
            return;
        }
        self.reported += text.len();
        let text = match self.reported > MAX_REPORTED {
            true => "more lines of this request are not reported",
            false => text,
        };
        let (method, uri) = (&self.method, &self.uri);
        let line = StderrLine { method, uri, text };
        // It may run while a request is dropped, also by a panic.
        if catch_unwind(AssertUnwindSafe(|| (self.reporter.0)(line))).is_err() {
            tracing::error!("the function for the error output has panicked");
        }
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        self.report();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::Request;

    use super::*;

    fn reported(pieces: &[&[u8]]) -> Vec<String> {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let reporter = Reporter::new({
            let lines = lines.clone();
            move |line| {
                lines
                    .lock()
                    .unwrap()
                    .push(format!("{} {} {}", line.method, line.uri, line.text))
            }
        });
        let (parts, ()) = Request::put("/a?b").body(()).unwrap().into_parts();
        let mut stderr = Stderr::new(&reporter, &parts);
        for piece in pieces {
            stderr.take(piece);
        }
        drop(stderr);
        let lines = lines.lock().unwrap();
        lines
            .iter()
            .map(|line| line.strip_prefix("PUT /a?b ").unwrap().to_owned())
            .collect()
    }

    #[test]
    fn gateway_17_stderr_is_reported_in_lines() {
        assert_eq!(
            reported(&[b"PHP Warn", b"ing\r\n\n  at a\nlast"]),
            ["PHP Warning", "  at a", "last"]
        );
        assert_eq!(reported(&[b"\xff\n"]), ["\u{fffd}"]);
        assert!(reported(&[]).is_empty());
    }

    #[test]
    fn gateway_17_stderr_is_limited() {
        let long = vec![b'x'; 10_000];
        assert_eq!(reported(&[&long, &long])[0].len(), MAX_LINE);
        let mut lines = b"0123456789abcdef".repeat(64);
        lines.push(b'\n');
        let found = reported(&[&lines.repeat(100)]);
        assert_eq!(found.len(), 65);
        assert_eq!(found[64], "more lines of this request are not reported");
    }
}
