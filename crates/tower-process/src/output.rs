//! The output of a process, line by line.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest line that is logged, in bytes. The rest of a longer one is dropped.
const MAX_LINE: usize = 4 * 1024;
/// The room for one read, in bytes.
const READ: usize = 8 * 1024;

/// Logs what is read, until the end.
pub(crate) async fn log(mut output: impl AsyncRead + Unpin, process: &str) {
    let mut lines = Lines::default();
    let mut bytes = BytesMut::new();
    let log = |line: &str| tracing::info!(process, "{line}");
    loop {
        bytes.reserve(READ);
        match output.read_buf(&mut bytes).await {
            Ok(1..) => lines.take(&bytes.split(), log),
            Ok(0) | Err(_) => break,
        }
    }
    lines.end(log);
}

/// Cuts bytes into lines.
#[derive(Default)]
struct Lines {
    /// The line that has no end yet.
    line: Vec<u8>,
}

impl Lines {
    fn take(&mut self, bytes: &[u8], mut log: impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if is_whole {
                self.end(&mut log);
            }
        }
    }

    /// Ends the line. An empty one is not logged.
    fn end(&mut self, mut log: impl FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.line);
        let text = text.trim_end();
        if !text.is_empty() {
            log(text);
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        for piece in pieces {
            lines.take(piece, |line| found.push(line.to_owned()));
        }
        lines.end(|line| found.push(line.to_owned()));
        found
    }

    #[test]
    fn process_9_output_is_cut_into_lines() {
        assert_eq!(
            lines(&[b"Boo", b"ting\r\n\n  at a\nlast"]),
            ["Booting", "  at a", "last"]
        );
        assert_eq!(lines(&[b"\xff\n"]), ["\u{fffd}"]);
        assert!(lines(&[]).is_empty());
    }

    #[test]
    fn process_9_a_line_is_limited() {
        let long = vec![b'x'; 3_000];
        let found = lines(&[&long, &long, b"\nnext\n"]);
        assert_eq!(found[0].len(), MAX_LINE);
        assert_eq!(found[1], "next");
    }
}
