//! The location of a panic and the calls that led there.

use std::{
    fmt, panic,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
    thread::{self, Thread},
};

/// The position of a panic in a source file, as the compiler recorded it.
///
/// ```
/// use tower_exception::Incident;
///
/// fn file_and_line(incident: &Incident) -> Option<(&str, u32)> {
///     let location = incident.location()?;
///     Some((location.file(), location.line()))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanicLocation {
    file: String,
    line: u32,
    column: u32,
}

impl PanicLocation {
    pub(crate) fn new(location: &panic::Location<'_>) -> Self {
        Self {
            file: location.file().to_owned(),
            line: location.line(),
            column: location.column(),
        }
    }

    /// Returns the file's path as the compiler got it: relative to the workspace for its own
    /// crates.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the line, from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Returns the column, from 1.
    #[must_use]
    pub fn column(&self) -> u32 {
        self.column
    }
}

impl fmt::Display for PanicLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A call that led to a panic.
///
/// ```
/// use tower_exception::{CallFrame, Incident};
///
/// /// Returns the innermost function of the application's own code.
/// fn function(incident: &Incident) -> Option<&str> {
///     let frame = incident.frames().iter().find(|frame| frame.is_application())?;
///     Some(frame.function())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFrame {
    function: String,
    file: Option<PathBuf>,
    line: Option<u32>,
    ours: bool,
}

impl CallFrame {
    /// Returns the function's name, without the hash of its instance. A long name is without the
    /// arguments of its types.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Returns the source file, if the program was built with debug information.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns the line of the call, from 1.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        self.line
    }

    /// Returns whether the function is the application's own: not the standard library's, and not
    /// from cargo's registry or a git dependency.
    #[must_use]
    pub fn is_application(&self) -> bool {
        self.ours
    }
}

/// The data that the panic hook has recorded about a panic.
pub(crate) struct Trace {
    pub(crate) location: Option<PanicLocation>,
    pub(crate) thread: Thread,
    raw: Mutex<Option<backtrace::Backtrace>>,
    frames: OnceLock<Vec<CallFrame>>,
}

impl Trace {
    pub(crate) fn capture(location: Option<PanicLocation>) -> Self {
        Self {
            location,
            thread: thread::current(),
            raw: Mutex::new(Some(backtrace::Backtrace::new_unresolved())),
            frames: OnceLock::new(),
        }
    }

    /// Returns the calls, the innermost first, from the code that panicked to the guard that caught
    /// it. The first call looks up names and lines, which can take a second.
    pub(crate) fn frames(&self) -> &[CallFrame] {
        self.frames.get_or_init(|| {
            let raw = self
                .raw
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            raw.map_or_else(Vec::new, resolve)
        })
    }
}

fn resolve(mut raw: backtrace::Backtrace) -> Vec<CallFrame> {
    raw.resolve();
    let symbols = raw
        .frames()
        .iter()
        .flat_map(backtrace::BacktraceFrame::symbols);
    let frames = symbols
        .map(|symbol| {
            let function = symbol.name().map(|name| format!("{name:#}"));
            let file = symbol.filename().map(Path::to_owned);
            CallFrame {
                ours: file.as_deref().is_some_and(is_application),
                function: function.map_or_else(|| "(no name)".to_owned(), |name| short(&name)),
                file,
                line: symbol.lineno(),
            }
        })
        .collect();
    between(frames)
}

/// Returns the calls between the panic and the guard. The hook and the machinery that called it
/// come before them. The calls that led to the layer come after them.
fn between(mut frames: Vec<CallFrame>) -> Vec<CallFrame> {
    let begins = |frame: &CallFrame| BEGINNINGS.contains(&frame.function.as_str());
    let begin = frames.iter().position(begins).unwrap_or(0);
    let machinery = frames[begin..]
        .iter()
        .take_while(|frame| begins(frame))
        .count();
    frames.drain(..begin + machinery);
    if let Some(end) = frames.iter().position(is_guard) {
        frames.truncate(end);
        while frames.last().is_some_and(is_catching) {
            frames.pop();
        }
    }
    frames
}

/// The last functions of the panic machinery. The way in which a panic began decides which it is.
const BEGINNINGS: [&str; 4] = [
    "rust_begin_unwind",
    "__rustc::rust_begin_unwind",
    "std::panicking::begin_panic",
    "core::panicking::panic_fmt",
];

/// Returns whether this is the crate's guard, or the function that it is inlined into.
fn is_guard(frame: &CallFrame) -> bool {
    let name = frame.function.trim_start_matches('<');
    let ours = ["guard", "future", "body", "service"];
    let module = name.strip_prefix("tower_exception::");
    let module = module.and_then(|name| name.split("::").next());
    let file = frame.file.as_deref().map(Path::to_string_lossy);
    let file = file.map(|file| file.replace('\\', "/"));
    module.is_some_and(|module| ours.contains(&module))
        || file
            .is_some_and(|file| file.contains("tower-exception") && file.ends_with("/src/guard.rs"))
}

/// Returns whether the function stands between the guard and the code under it.
fn is_catching(frame: &CallFrame) -> bool {
    const NAMES: [&str; 5] = ["catch_unwind", "do_call", "try", "__rust_try", "call_once"];
    let name = frame.function.as_str();
    let plain = name.rsplit("::").next().unwrap_or(name);
    let plain = plain.split('<').next().unwrap_or(plain);
    NAMES.contains(&plain)
        || name.contains("AssertUnwindSafe")
        || name.starts_with("tower_kit::guard::catch")
}

/// Returns a function's name. A long one is without the arguments of its types.
fn short(name: &str) -> String {
    const LONG: usize = 60;
    if name.len() <= LONG {
        return name.to_owned();
    }
    // `<A<B> as C<D>>::e<F>`: the outer brackets at the start are kept, since they identify the
    // function.
    let mut keep = u32::from(name.starts_with('<'));
    let (mut out, mut depth, mut before) = (String::new(), 0, ' ');
    for c in name.chars() {
        match c {
            '<' => {
                depth += 1;
                if depth == keep + 1 {
                    out.push_str("<…>");
                } else if depth <= keep {
                    out.push(c);
                }
            }
            // The `>` of `->` does not count.
            '>' if before != '-' && depth > 0 => {
                if depth <= keep {
                    out.push(c);
                }
                depth -= 1;
                keep = keep.min(depth);
            }
            c if depth <= keep => out.push(c),
            _ => {}
        }
        before = c;
    }
    out
}

fn is_application(file: &Path) -> bool {
    let is_rust = file.extension().is_some_and(|extension| extension == "rs");
    let file = file.to_string_lossy().replace('\\', "/");
    is_rust
        && !["/rustc/", "/.cargo/registry/", "/.cargo/git/", "/rustlib/"]
            .iter()
            .any(|library| file.contains(library))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exception_18_long_names_lose_their_type_arguments() {
        let long = "a".repeat(60);
        let table = [
            ("main::total".to_owned(), "main::total".to_owned()),
            (
                format!("poll<Service<fn(Request<Body>) -> {long}>, Body>"),
                "poll<…>".to_owned(),
            ),
            (
                format!("<tower::Future<{long}> as core::Future<B>>::poll::<{long}>::x"),
                "<tower::Future<…> as core::Future<…>>::poll::<…>::x".to_owned(),
            ),
        ];
        for (name, expected) in table {
            assert_eq!(short(&name), expected, "{name}");
        }
        let odd = format!("operator>>{long}");
        assert_eq!(short(&odd), odd);
    }

    #[test]
    fn exception_18_application_files_are_distinguished() {
        let table = [
            ("/home/me/app/src/main.rs", true),
            ("src/main.rs", true),
            ("C:\\app\\src\\main.rs", true),
            ("/home/me/app/src/main.c", false),
            ("/rustc/0123/library/core/src/option.rs", false),
            (
                "/home/me/.rustup/toolchains/x/lib/rustlib/src/rust/a.rs",
                false,
            ),
            ("/home/me/.cargo/registry/src/x/tower-0.5/src/lib.rs", false),
            ("C:\\Users\\me\\.cargo\\git\\checkouts\\x\\a.rs", false),
        ];
        for (file, expected) in table {
            assert_eq!(is_application(Path::new(file)), expected, "{file}");
        }
    }

    fn frame(function: &str) -> CallFrame {
        CallFrame {
            function: function.to_owned(),
            file: None,
            line: None,
            ours: false,
        }
    }

    #[test]
    fn exception_18_calls_between_panic_and_guard_are_shown() {
        // In whatever way the panic begins, and into whatever the guard is inlined.
        for beginning in [
            "rust_begin_unwind",
            "__rustc::rust_begin_unwind",
            "std::panicking::begin_panic",
            "core::panicking::panic_fmt",
        ] {
            for guard in [
                "tower_exception::guard::catch",
                "<tower_exception::future::ResponseFuture<F> as Future>::poll",
                "tower_exception::body::poll_inner",
                "<tower_exception::service::Exception<S> as Service<R>>::call",
            ] {
                let names = [
                    "tower_exception::hook::see",
                    beginning,
                    beginning,
                    "app::divide",
                    "tower_exception::status::of",
                    "app::serve",
                    "std::panicking::catch_unwind",
                    "__rust_try",
                    "tower_kit::guard::catch",
                    guard,
                    "app::main",
                ];
                let shown = between(names.map(frame).into());
                let shown: Vec<&str> = shown.iter().map(CallFrame::function).collect();
                let expected = ["app::divide", "tower_exception::status::of", "app::serve"];
                assert_eq!(shown, expected, "{beginning} {guard}");
            }
        }
        // Without either, all calls are shown.
        assert_eq!(between(["a", "try"].map(frame).into()).len(), 2);
        assert!(between(Vec::new()).is_empty());
    }

    #[test]
    fn exception_18_functions_that_catch_are_not_shown() {
        let table = [
            ("std::panicking::try", true),
            ("std::panicking::catch_unwind", true),
            ("std::panicking::catch_unwind::do_call", true),
            ("std::panicking::catch_unwind::do_call<closure, ()>", true),
            ("__rust_try", true),
            ("core::ops::function::FnOnce::call_once", true),
            (
                "<core::panic::AssertUnwindSafe<F> as core::ops::FnOnce<()>>::call_mut",
                true,
            ),
            ("tower_kit::guard::catch", true),
            ("tower_kit::guard::catch::{{closure}}", true),
            ("app::call", false),
            ("app::try_it", false),
        ];
        for (function, expected) in table {
            assert_eq!(is_catching(&frame(function)), expected, "{function}");
        }
    }
}
