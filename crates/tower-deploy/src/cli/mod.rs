//! The command line, for a program that registers factories of its own.

#[cfg(feature = "reload")]
mod reload;
mod request;
mod serve;

use std::{
    env,
    io::{self, IsTerminal, Write, stderr, stdout},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio::runtime::Runtime;

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
    /// Build what a file says, and say what is wrong with it.
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

/// Does what the program's arguments say, with these factories: a whole `main`. [`Registry::standard`] has the built-in ones.
///
/// 0 if all is well, 1 if something is wrong, 2 if the arguments are.
#[must_use]
pub fn main(registry: Registry) -> ExitCode {
    log();
    let done = run(registry, Arguments::parse());
    let message = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::File(error)) => error.report(stderr().is_terminal()),
        Err(Failure::System(error)) => format!("error: {error}\n"),
        Err(Failure::Answer(error)) => format!("error: there is no whole answer: {error}\n"),
    };
    let _ = stderr().write_all(message.as_bytes());
    ExitCode::FAILURE
}

fn run(registry: Registry, arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Check { file, global } => {
            let loader = global.loader(registry);
            let files = loader.snapshot();
            let site = loader.load_site(&file.uri(), &files)?;
            loader.build_server(site.server, &files)?;
            say(&format!("{}: ok\n", file.file));
        }
        Command::Explain {
            file,
            global,
            format,
        } => {
            let plan = global.loader(registry).plan_app(&file.uri())?;
            say(&explained(&plan, format));
        }
        Command::Serve(arguments) => serve::run(registry, arguments)?,
        Command::Request(arguments) => request::run(registry, arguments)?,
    }
    Ok(())
}

/// What the layers tell goes to the standard error.
fn log() {
    let log = tracing_subscriber::fmt()
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_max_level(tracing::Level::INFO);
    // A program may have set its own before.
    let _ = log.try_init();
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// Nobody has to listen to the end.
fn say(text: &str) {
    let _ = stdout().write_all(text.as_bytes());
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
