//! The log: lines of layers and panics, on standard error.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    env,
    ffi::OsStr,
    io,
    panic::{self, PanicHookInfo},
    thread,
    time::Duration,
};

use tower_kit::Lines;
use tracing::Level;
use tracing_subscriber::{
    filter::Targets, fmt::layer, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::output::is_styled;

/// The most bytes of the log that wait for a reader. As many may be on their way to it.
const MOST: usize = 1 << 20;
/// How long a panic waits for its own lines, since the process may end with it.
const LAST_WORDS: Duration = Duration::from_millis(20);
/// The levels that are logged if `RUST_LOG` names none.
const LEVELS: &str = "info";
/// How long `serve` waits at its end for the rest of its lines. They may have no reader.
pub(super) const LAST_LINES: Duration = Duration::from_secs(1);

/// Begins the log on standard error. It has the lines of the layers and of panics, in the levels
/// that `RUST_LOG` names.
pub(super) fn begin() -> io::Result<Lines> {
    let lines = Lines::to(io::stderr(), MOST, lost)?;
    let own = lines.clone();
    let log = layer()
        .with_writer(move || own.clone())
        .with_ansi(is_styled());
    let levels = match levels(env::var_os("RUST_LOG").as_deref()) {
        Ok(levels) => levels,
        Err(warning) => {
            lines.push(warning.as_bytes());
            Targets::default().with_default(Level::INFO)
        }
    };
    // A program may have set its own subscriber before.
    let _ = tracing_subscriber::registry()
        .with(levels)
        .with(log)
        .try_init();
    let own = lines.clone();
    panic::set_hook(Box::new(move |panic| tell(panic, &own)));
    Ok(lines)
}

/// Returns the line about lines that the output did not take.
pub(super) fn lost(count: usize) -> String {
    format!("warning: lines lost because nothing took them in time: {count}")
}

/// Returns the levels that `RUST_LOG` names, or a warning.
fn levels(said: Option<&OsStr>) -> Result<Targets, String> {
    let said = said
        .filter(|said| !said.is_empty())
        .unwrap_or(LEVELS.as_ref());
    let said = said.to_string_lossy();
    said.parse().map_err(|error| {
        format!("warning: `{said}` in RUST_LOG is invalid: {error} (write a level as `debug`, or `TARGET=LEVEL,LEVEL`; it is {LEVELS} now)\n")
    })
}

/// Logs a panic as the standard library's own hook does. It must not panic, because that would end
/// the process.
fn tell(panic: &PanicHookInfo<'_>, lines: &Lines) {
    let thread = thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let trace = Backtrace::capture();
    let trace = match trace.status() {
        BacktraceStatus::Captured => trace.to_string(),
        _ => String::new(),
    };
    lines.push(format!("thread '{name}' {panic}\n{trace}").as_bytes());
    lines.flush(LAST_WORDS);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sentences of the rules with numbers in them.
    #[test]
    fn deploy_56_the_limits_of_the_log_are_documented() {
        let rules = include_str!("../../RULES.md");
        let rules = rules.split_whitespace().collect::<Vec<_>>().join(" ");
        for sentence in [
            "if 1 MiB of them waits for a reader",
            "At the end `serve` waits at most one second for the rest of the log.",
            "the default is `info`.",
        ] {
            assert!(rules.contains(sentence), "{sentence}");
        }
        assert_eq!((MOST, LEVELS), (1024 * 1024, "info"));
        assert_eq!(LAST_LINES, Duration::from_secs(1));
        assert_eq!(LAST_WORDS, Duration::from_millis(20));
    }

    #[test]
    fn deploy_57_the_levels_are_those_of_rust_log() {
        let shown = |said: Option<&str>| match levels(said.map(OsStr::new)) {
            Ok(levels) => levels.to_string(),
            Err(warning) => warning,
        };
        assert_eq!(shown(None), "info");
        assert_eq!(shown(Some("")), "info");
        assert_eq!(
            shown(Some("warn,tower_http=debug")),
            "tower_http=debug,warn"
        );
        assert_eq!(
            shown(Some("loud=very")),
            "warning: `loud=very` in RUST_LOG is invalid: error parsing level filter: expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5 (write a level as `debug`, or `TARGET=LEVEL,LEVEL`; it is info now)\n"
        );
    }
}
