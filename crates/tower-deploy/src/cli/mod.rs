//! The command line, for a program that registers factories of its own.

mod log;
#[cfg(feature = "reload")]
mod reload;
mod request;
mod serve;

use std::{
    env,
    ffi::OsStr,
    fmt,
    io::{self, IsTerminal, Write, stderr, stdout},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio::runtime::Runtime;

use self::log::Lines;
use crate::{BoxError, Error, Loader, Plan, Registry};

/// Builds a site from an INI file.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build what a file describes, and report errors and warnings.
    Check {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        global: Global,
    },
    /// Show what a file leads to, without building it.
    Explain {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        global: Global,
        /// For a person, for a program, or for a picture.
        #[arg(long, value_enum, default_value_t = Format::Tree)]
        format: Format,
    },
    /// Serve the app of a file, until Ctrl-C or SIGTERM.
    Serve(serve::Arguments),
    /// Send one request through the stack, without a socket.
    Request(request::Arguments),
}

#[derive(Args)]
struct File {
    /// The file, and behind `#` the section, if it is not `main`.
    #[arg(value_name = "FILE[#NAME]")]
    file: String,
}

#[derive(Args)]
struct Global {
    /// What is global.
    #[arg(value_name = "KEY=VALUE", value_parser = pair)]
    global: Vec<(String, String)>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Tree,
    Json,
    Mermaid,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let pair = pair.filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Why a command did not do its work.
enum Failure {
    /// The file is wrong.
    File(Error),
    /// The system refused something.
    System(io::Error),
    /// There was no answer, or it broke off.
    Answer(BoxError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// How long `serve` waits at its end for the rest of its lines. They may have no reader.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Runs the command that the program's arguments name, with these factories: a whole `main`.
/// [`Registry::standard`] has the built-in ones.
///
/// 0 if all is well, 1 if something is wrong, 2 if the arguments are.
///
/// It sets a subscriber of `tracing`, unless there is one, and the panic hook. Both write to
/// standard error without waiting for its reader. A panic hook that was set before is replaced. One
/// that is set later, for example by a factory, may call the previous one.
#[must_use]
pub fn main(registry: Registry) -> ExitCode {
    let arguments = Arguments::parse();
    let is_server = matches!(arguments.command, Command::Serve(_));
    let log = match log::begin() {
        Ok(log) => log,
        Err(error) => {
            let _ = stderr().write_all(format!("error: {error}\n").as_bytes());
            return ExitCode::FAILURE;
        }
    };
    let done = run(registry, arguments, &log);
    if let Err(failure) = &done {
        log.push(failure.to_string().as_bytes());
    }
    log.end(match is_server {
        true => LAST_LINES,
        // This waits as long as it takes, like any program that writes into a pipe.
        false => Duration::MAX,
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => f.write_str(&error.report(is_styled())),
            Self::System(error) => writeln!(f, "error: {error}"),
            Self::Answer(error) => writeln!(f, "error: the response is incomplete: {error}"),
        }
    }
}

fn run(registry: Registry, arguments: Arguments, log: &Lines) -> Result<(), Failure> {
    match arguments.command {
        Command::Check { file, global } => {
            let loader = global.loader(registry).checked();
            let files = loader.snapshot();
            let site = loader.load_site(&file.uri(), &files)?;
            loader.build_server(site.server, &files)?;
            let warnings = loader.warnings();
            for warning in &warnings {
                log.push(warning.warning(is_styled()).as_bytes());
                // However many they are, none is lost.
                log.flush(Duration::MAX);
            }
            let found = match warnings.len() {
                0 => "ok".to_owned(),
                1 => "ok, with a warning".to_owned(),
                number => format!("ok, with {number} warnings"),
            };
            say(&format!("{}: {found}\n", file.file))?;
        }
        Command::Explain {
            file,
            global,
            format,
        } => {
            let plan = global.loader(registry).plan_app(&file.uri())?;
            say(&explained(&plan, format))?;
        }
        Command::Serve(arguments) => serve::run(registry, arguments, log)?,
        Command::Request(arguments) => request::run(registry, arguments)?,
    }
    Ok(())
}

/// Returns whether standard error gets colours: it does if it is a terminal, unless `NO_COLOR` has
/// a value.
fn is_styled() -> bool {
    stderr().is_terminal() && !is_plain(env::var_os("NO_COLOR").as_deref())
}

fn is_plain(no_color: Option<&OsStr>) -> bool {
    no_color.is_some_and(|value| !value.is_empty())
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// Writes to standard output, whose reader may end before the text does.
fn say(text: &str) -> io::Result<()> {
    write(text.as_bytes()).map(drop)
}

/// Writes to standard output. Returns whether there is still a reader.
fn write(text: &[u8]) -> io::Result<bool> {
    let mut out = stdout();
    let written = out.write_all(text).and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("standard output: {error}"),
        )),
    }
}

fn explained(plan: &Plan, format: Format) -> String {
    match format {
        Format::Tree => plan.to_string(),
        Format::Json => format!("{:#}\n", plan.to_json()),
        Format::Mermaid => plan.to_mermaid(),
    }
}

impl Global {
    fn loader(&self, registry: Registry) -> Loader {
        let folder = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let loader = Loader::new(registry).relative_to(folder);
        let global = self.global.iter().cloned();
        global.fold(loader, |loader, (key, value)| loader.global(key, value))
    }
}

impl File {
    /// A file's name is not a URI, and what a URI would decode in it stays as it is. It may have a `#` if a name follows.
    fn uri(&self) -> String {
        let (file, name) = match self.file.rsplit_once('#') {
            Some((file, name)) => (file, name),
            None => (&*self.file, "main"),
        };
        let file = file.replace('%', "%25").replace('#', "%23");
        format!("config:{file}#{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_counts_if_it_has_a_value() {
        let plain = [None, Some(""), Some("0"), Some("1")];
        let plain = plain.map(|value| is_plain(value.map(OsStr::new)));
        assert_eq!(plain, [false, false, true, true]);
    }
}
