//! The command line, for a program that registers factories of its own.

mod arguments;
mod failure;
mod log;
mod output;
#[cfg(feature = "reload")]
mod reload;
mod request;
mod runtime;
mod serve;

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
    /// Build what a file describes, and report errors and warnings.
    Check {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        global: Global,
    },
    /// Show what a file leads to, with all settings, without building it.
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
            let plan = global.loader(registry).plan_site(&file.uri())?;
            say(&explained(&plan, format))?;
        }
        Command::Serve(arguments) => serve::run(registry, arguments, log)?,
        Command::Request(arguments) => request::run(registry, arguments)?,
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
