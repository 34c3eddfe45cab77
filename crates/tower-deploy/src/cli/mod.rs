//! The command line, also for a program that registers factories of its own.
//!
//! ```sh
//! tower-deploy serve site.ini --bind 127.0.0.1:8000 --reload
//! tower-deploy check site.ini
//! tower-deploy explain site.ini --format json
//! tower-deploy request site.ini GET /hello/John --trace
//! ```
//!
//! - `serve` serves the app until Ctrl-C or SIGTERM. `--bind ADDRESS` replaces the address of the
//!   file, and `--reload` rebuilds the app when the file changes. It prints the tree and its
//!   address.
//! - `check` builds the app and the server, and reports errors and warnings.
//! - `explain` shows the parts that the file leads to, with all settings. The format is `tree`,
//!   `json` or `mermaid`.
//! - `request` sends one request through the stack without a socket. `--trace` shows the changes
//!   that each part makes.
//!
//! Each takes `FILE#NAME` for a section other than `main`, and at the end `KEY=VALUE` for global
//! settings. The rules of the log, of warnings and of exit codes are in [`rules`](crate::rules),
//! from DEPLOY-54 on.
//!
//! A whole program with a factory of its own:
//!
//! ```
//! use std::{convert::Infallible, process::ExitCode};
//!
//! use http::{Request, Response};
//! use tower::service_fn;
//! use tower_deploy::{App, Body, Registry, cli};
//!
//! /// The body of `main`.
//! fn command() -> ExitCode {
//!     cli::main(Registry::standard().app("nothing", |_global, (): ()| {
//!         let nothing = service_fn(async |_: Request<Body>| {
//!             Ok::<_, Infallible>(Response::new(Body::default()))
//!         });
//!         Ok::<_, Infallible>(App::new(nothing))
//!     }))
//! }
//! ```

mod arguments;
mod failure;
mod log;
mod output;
#[cfg(feature = "reload")]
mod reload;
mod request;
mod runtime;
mod serve;

#[cfg(all(feature = "process", unix))]
use std::ffi::OsString;
use std::{
    io::{Write, stderr},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand, ValueEnum};
use tower_kit::Lines;

use self::{
    arguments::{File, Global},
    failure::Failure,
    log::LAST_LINES,
    output::{is_styled, say},
};
use crate::{Plan, Registry};

/// Builds a site from an INI file.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the app and the server of a file, and report errors and warnings.
    Check {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        global: Global,
    },
    /// Show the parts that a file leads to, with all settings, without building them.
    Explain {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        global: Global,
        /// The format: for a person, for a program, or for a picture.
        #[arg(long, value_enum, default_value_t = Format::Tree)]
        format: Format,
    },
    /// Serve the app of a file, until Ctrl-C or SIGTERM.
    Serve(serve::Arguments),
    /// Send one request through the stack, without a socket.
    Request(request::Arguments),
    /// End a process of a site when the server is gone.
    #[cfg(all(feature = "process", unix))]
    #[command(hide = true)]
    Watchdog {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Tree,
    Json,
    Mermaid,
}

/// Runs the command that the program's arguments name, with these factories: a whole `main`.
/// [`Registry::standard`] has the built-in ones.
///
/// The exit code is 0 without an error, 1 after an error, and 2 for invalid arguments.
///
/// It sets a subscriber of `tracing`, unless there is one, and the panic hook. Both write to
/// standard error without waiting for its reader. A panic hook that was set before is replaced. One
/// that is set later, for example by a factory, may call the previous one.
#[must_use]
pub fn main(registry: Registry) -> ExitCode {
    let arguments = Arguments::parse();
    #[cfg(all(feature = "process", unix))]
    if let Command::Watchdog { arguments } = arguments.command {
        return tower_process::watchdog(arguments);
    }
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
                // No warning is lost, even if there are many.
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
            let plan = global.loader(registry).plan_site(&file.uri())?;
            say(&explained(&plan, format))?;
        }
        Command::Serve(arguments) => serve::run(registry, arguments, log)?,
        Command::Request(arguments) => request::run(registry, arguments)?,
        #[cfg(all(feature = "process", unix))]
        Command::Watchdog { .. } => unreachable!("it has no log"),
    }
    Ok(())
}

fn explained(plan: &Plan, format: Format) -> String {
    match format {
        Format::Tree => plan.to_string(),
        Format::Json => format!("{:#}\n", plan.to_json()),
        Format::Mermaid => plan.to_mermaid(),
    }
}
