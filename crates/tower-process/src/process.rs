use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt, net::SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{process::Command, runtime::Handle};

use crate::{
    BuildError, BuildErrorKind, Running,
    state::{Lease, Shared},
    supervisor::{Limits, Starter, Supervisor},
    watchdog::Watchdog,
    words::{Unsplit, split},
};

/// What is replaced by the path of the socket.
const SOCKET: &str = "{socket}";
/// Variables with which a supervisor speaks to the server. They do not mean the process.
const OF_THE_SERVER: [&str; 6] = [
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// A command that listens on a private Unix socket.
///
/// [`start`](Self::start) starts it. From then on it is watched: if it ends, it is started again,
/// after a pause that grows from a tenth of a second to 30 seconds. Its output is in the log.
///
/// ```
/// use axum::Router;
/// use tower_process::Process;
/// use tower_upstream::Upstream;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let process = Process::new("sleep 1000")?.env("SOCKET", "{socket}")?.start()?;
/// let python = process.service(Upstream::new(process.address())?);
/// let app: Router = Router::new().fallback_service(python);
///
/// // … and after the server has ended:
/// process.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Process {
    words: Vec<String>,
    variables: Vec<(String, String)>,
    directory: Option<PathBuf>,
    name: Option<String>,
    watchdog: Option<(PathBuf, Vec<OsString>)>,
    start_timeout: Duration,
    queue_timeout: Duration,
    stop_timeout: Duration,
}

impl Process {
    /// Returns a process of this command. `{socket}` in it stands for the path of the socket on
    /// which the command has to listen.
    ///
    /// White space separates the words of the command. Between two double quotes, or two single
    /// quotes, every character stands for itself. There is no shell, so nothing else is special.
    /// Write `sh -c 'exec …'` if you need one.
    ///
    /// ```
    /// use tower_process::Process;
    ///
    /// let process = Process::new("gunicorn --bind unix:{socket} --name 'the wiki' app:app")?;
    /// let error = Process::new("cd /srv && ./run {socket}").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "`&&` is for a shell, and there is none; write `sh -c '…'`, or set the directory",
    /// );
    /// # Ok::<_, tower_process::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The command has no word, a quote without a second one, or a word that needs a shell.
    pub fn new(command: &str) -> Result<Self, BuildError> {
        let wrong = |message| BuildError::new(BuildErrorKind::Command, message);
        let words = split(command).map_err(|unsplit| {
            wrong(match unsplit {
                Unsplit::Unclosed(quote) => format!("a {quote} has no second one"),
                Unsplit::OfShell(word) => format!(
                    "`{word}` is for a shell, and there is none; \
                     write `sh -c '…'`, or set the directory"
                ),
            })
        })?;
        if words.first().is_none_or(String::is_empty) {
            return Err(wrong("the command is empty".to_owned()));
        }
        Ok(Self {
            words,
            variables: Vec::new(),
            directory: None,
            name: None,
            watchdog: None,
            start_timeout: Duration::from_secs(30),
            queue_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(10),
        })
    }

    /// Adds a word to the command, as it is, except that `{socket}` is replaced. Default: none.
    #[must_use]
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        self.words.push(word.into());
        self
    }

    /// Adds an environment variable. `{socket}` in its value is replaced. Default: the variables of
    /// the server, except `LISTEN_*`, `NOTIFY_SOCKET` and `WATCHDOG_*`.
    ///
    /// # Errors
    ///
    /// The name is empty or has a `=`, or one of the two has a NUL.
    pub fn env(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, BuildError> {
        let (name, value) = (name.into(), value.into());
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            let message = format!("`{}` is not a variable", name.escape_debug());
            return Err(BuildError::new(BuildErrorKind::Variable, message));
        }
        self.variables.push((name, value));
        Ok(self)
    }

    /// Sets the directory in which the command runs. A program with a slash in its name is looked
    /// for from there. Default: the server's.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the name of the process in the log. Default: the name of the program.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the time in which the process has to accept connections. Otherwise it is killed, and
    /// started again after a pause. Default: 30 seconds.
    #[must_use]
    pub fn start_timeout(mut self, time: Duration) -> Self {
        self.start_timeout = time;
        self
    }

    /// Sets how long a request waits for a process that does not accept connections. Then the
    /// response is a 503. Default: 10 seconds.
    #[must_use]
    pub fn queue_timeout(mut self, time: Duration) -> Self {
        self.queue_timeout = time;
        self
    }

    /// Sets the time between SIGTERM and SIGKILL when the process is stopped. Default: 10 seconds.
    #[must_use]
    pub fn stop_timeout(mut self, time: Duration) -> Self {
        self.stop_timeout = time;
        self
    }

    /// Sets a program that ends the process when the server is killed. It runs beside the process.
    /// Default: none, so a process outlives a server that gets SIGKILL.
    ///
    /// The program calls [`watchdog`](crate::watchdog()) with the arguments that come after these.
    #[must_use]
    pub fn watchdog<A: Into<OsString>>(
        mut self,
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        self.watchdog = Some((program.into(), arguments));
        self
    }

    /// Returns an error if the process could not be started, as far as this is known without a
    /// start: its program is missing, or it is not told where to listen.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start), except the system's.
    pub fn check(&self) -> Result<(), BuildError> {
        let mut values = self.variables.iter().map(|(_, value)| value);
        let is_told = |text: &String| text.contains(SOCKET);
        if !self.words.iter().any(is_told) && !values.any(is_told) {
            let message = "the command has no `{socket}`, which stands for the path of the socket \
                           on which it has to listen";
            return Err(BuildError::new(BuildErrorKind::Socket, message));
        }
        self.find_program()
    }

    /// Starts the process. It accepts connections later, and requests wait for that.
    ///
    /// It is called within a tokio runtime, with input, output and time.
    ///
    /// # Errors
    ///
    /// There is no runtime, the program is missing, or the system does not start it.
    pub fn start(self) -> Result<Running, BuildError> {
        self.check()?;
        if Handle::try_current().is_err() {
            let message = "a process needs a tokio runtime, and there is none here";
            return Err(BuildError::new(BuildErrorKind::Start, message));
        }
        let directory = private_directory()?;
        let socket = directory.path().join("socket");
        let mut starter = self.starter(&socket)?;
        let first = starter
            .start()
            .map_err(|error| BuildError::of_system("the process could not be started", error))?;
        let shared = Shared::new();
        let running = Running {
            lease: Arc::new(Lease {
                shared: shared.clone(),
            }),
            socket: Arc::new(socket),
            queue_timeout: self.queue_timeout,
        };
        let limits = Limits {
            start: self.start_timeout,
            stop: self.stop_timeout,
        };
        let supervisor = Supervisor::new(starter, limits, shared, directory);
        tokio::spawn(supervisor.run(first));
        Ok(running)
    }

    fn starter(&self, socket: &Path) -> Result<Starter, BuildError> {
        let wrong = |message: String| BuildError::new(BuildErrorKind::Socket, message);
        let path = socket
            .to_str()
            .ok_or_else(|| wrong(format!("{} is not UTF-8; set TMPDIR", socket.display())))?;
        if SocketAddr::from_pathname(socket).is_err() {
            return Err(wrong(format!(
                "{path} is too long for a socket; set TMPDIR"
            )));
        }
        let words = self.words.iter().map(|word| word.replace(SOCKET, path));
        let mut command = Command::new(self.program().replace(SOCKET, path));
        command
            .args(words.skip(1))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in OF_THE_SERVER {
            command.env_remove(name);
        }
        for (name, value) in &self.variables {
            command.env(name, value.replace(SOCKET, path));
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        Ok(Starter {
            command,
            socket: socket.to_owned(),
            name: self.shown_name(),
            watchdog: self.watchdog.as_ref().map(|(program, arguments)| {
                Watchdog::new(program, arguments, self.stop_timeout, socket)
            }),
        })
    }

    fn program(&self) -> &str {
        self.words.first().expect("there is a first word")
    }

    fn shown_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let program = Path::new(self.program());
            let name = program.file_name().unwrap_or(program.as_os_str());
            name.to_string_lossy().into_owned()
        })
    }

    /// Looks for the program as the system does.
    fn find_program(&self) -> Result<(), BuildError> {
        let program = self.program();
        let wrong = |message: String| Err(BuildError::new(BuildErrorKind::Program, message));
        if let Some(directory) = &self.directory
            && !directory.is_dir()
        {
            return wrong(format!("{} is not a directory", directory.display()));
        }
        let from_here = |path: &Path| match &self.directory {
            Some(directory) => directory.join(path),
            None => path.to_owned(),
        };
        if program.contains('/') {
            let path = from_here(Path::new(program));
            return match fs::metadata(&path) {
                Ok(file) if is_executable(&file) => Ok(()),
                Ok(_) => wrong(format!("{} is not an executable file", path.display())),
                Err(error) => wrong(format!("{}: {error}", path.display())),
            };
        }
        let given = self.variables.iter().rev().find(|(name, _)| name == "PATH");
        let path = match given {
            Some((_, value)) => Some(OsString::from(value)),
            None => env::var_os("PATH"),
        };
        let path = path.as_deref().unwrap_or(OsStr::new("/bin:/usr/bin"));
        let mut found = env::split_paths(path).map(|path| from_here(&path).join(program));
        let is_found = |path: PathBuf| fs::metadata(path).is_ok_and(|file| is_executable(&file));
        match found.any(is_found) {
            true => Ok(()),
            false => wrong(format!("there is no program `{program}` in PATH")),
        }
    }
}

fn is_executable(file: &fs::Metadata) -> bool {
    file.is_file() && file.permissions().mode() & 0o111 != 0
}

/// Returns a directory that only this user can enter.
fn private_directory() -> Result<TempDir, BuildError> {
    tempfile::Builder::new()
        .prefix("tower-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .map_err(|error| {
            BuildError::of_system("there is no directory for the process's socket", error)
        })
}
