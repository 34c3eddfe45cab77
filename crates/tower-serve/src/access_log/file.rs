use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::task::{JoinSet, spawn_blocking};
use tower_kit::Lines;

use super::{
    entry::Entry,
    settings::{AccessLog, LogFormat},
};

/// The most bytes that wait for the file.
const MOST: usize = 4 << 20;
/// How long the end of a server waits for the file.
const LAST_LINES: Duration = Duration::from_secs(1);

/// An access log whose file is open.
#[derive(Clone, Debug)]
pub(crate) struct OpenLog {
    format: LogFormat,
    lines: Lines,
    #[cfg(any(unix, test))]
    is_renamed: Arc<AtomicBool>,
}

impl OpenLog {
    pub(crate) fn open(log: &AccessLog) -> io::Result<Self> {
        let is_renamed = Arc::new(AtomicBool::new(false));
        let file = Rotated {
            file: open(&log.path)?,
            // The process may change its directory.
            path: std::path::absolute(&log.path)?,
            is_renamed: Arc::clone(&is_renamed),
        };
        let notice = match log.format {
            LogFormat::Json => |lost| format!("{{\"lost\":{lost}}}"),
            LogFormat::Common | LogFormat::Combined => |lost| format!("# lines lost: {lost}"),
        };
        Ok(Self {
            format: log.format,
            lines: Lines::to(file, MOST, notice)?,
            #[cfg(any(unix, test))]
            is_renamed,
        })
    }

    pub(crate) fn write(&self, entry: &Entry) {
        self.lines.push(entry.line(self.format).as_bytes());
    }

    /// Waits for the lines of the file, though not for long.
    pub(crate) async fn flush(&self) {
        let lines = self.lines.clone();
        // An error is a runtime that ends.
        let _ = spawn_blocking(move || lines.flush(LAST_LINES)).await;
    }

    /// Has the file opened again at each SIGUSR1, by a task in this set.
    #[cfg(unix)]
    pub(crate) fn reopen_at_signal(self, tasks: &mut JoinSet<()>) -> io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};

        let mut renamed = signal(SignalKind::user_defined1())?;
        tasks.spawn(async move {
            while renamed.recv().await.is_some() {
                self.is_renamed.store(true, Relaxed);
            }
        });
        Ok(())
    }

    #[cfg(not(unix))]
    pub(crate) fn reopen_at_signal(self, _: &mut JoinSet<()>) -> io::Result<()> {
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let opened = File::options().create(true).append(true).open(path);
    opened.map_err(|error| {
        let text = format!("cannot open the access log {}: {error}", path.display());
        io::Error::new(error.kind(), text)
    })
}

/// A file that may have been renamed, and is then created again.
struct Rotated {
    file: File,
    path: PathBuf,
    is_renamed: Arc<AtomicBool>,
}

impl Write for Rotated {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if self.is_renamed.swap(false, Relaxed) {
            match open(&self.path) {
                Ok(file) => self.file = file,
                Err(error) => tracing::error!("{error}; the renamed file stays in use"),
            }
        }
        self.file.write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn serve_26_a_renamed_file_is_opened_again() {
        let name = format!("tower-serve-access-log-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let (path, old) = (directory.join("log"), directory.join("old"));
        let log = OpenLog::open(&AccessLog::new(&path)).unwrap();
        let push = |line: &[u8]| {
            log.lines.push(line);
            log.lines.flush(Duration::MAX);
        };
        push(b"one\n");
        fs::rename(&path, &old).unwrap();
        push(b"two\n");
        log.is_renamed.store(true, Relaxed);
        push(b"three\n");
        push(b"four\n");
        assert_eq!(fs::read_to_string(&old).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\nfour\n");

        let error = OpenLog::open(&AccessLog::new(directory.join("none/log"))).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("cannot open the access log "), "{text}");
        fs::remove_dir_all(directory).unwrap();
    }
}
