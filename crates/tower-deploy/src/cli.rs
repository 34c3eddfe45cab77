//! The command line, for a program that registers factories of its own.

use std::{
    env,
    io::{IsTerminal, Write, stderr, stdout},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{Error, Loader, Plan, Registry};

/// Builds a site from an INI file.
#[derive(Parser)]
#[command(version, about)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build what a file says, and say what is wrong with it.
    Check {
        /// The file, and behind `#` the section, if it is not `main`.
        #[arg(value_name = "FILE[#NAME]")]
        file: String,
        /// What is global.
        #[arg(value_name = "KEY=VALUE", value_parser = pair)]
        global: Vec<(String, String)>,
    },
    /// Show what a file leads to, without building it.
    Explain {
        /// The file, and behind `#` the section, if it is not `main`.
        #[arg(value_name = "FILE[#NAME]")]
        file: String,
        /// What is global.
        #[arg(value_name = "KEY=VALUE", value_parser = pair)]
        global: Vec<(String, String)>,
        /// For a person, for a program, or for a picture.
        #[arg(long, value_enum, default_value_t = Format::Tree)]
        format: Format,
    },
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

/// Does what the program's arguments say, with these factories: a whole `main`.
///
/// 0 if all is well, 1 if something is wrong with the file, 2 if the arguments are.
#[must_use]
pub fn main(registry: Registry) -> ExitCode {
    run(registry, Args::parse())
}

fn run(registry: Registry, args: Args) -> ExitCode {
    let done = match args.command {
        Command::Check { file, global } => loader(registry, global).and_then(|loader| {
            loader.load_app(&uri(&file))?;
            say(&format!("{file}: ok\n"));
            Ok(())
        }),
        Command::Explain {
            file,
            global,
            format,
        } => loader(registry, global).and_then(|loader| {
            let plan = loader.plan_app(&uri(&file))?;
            say(&explained(&plan, format));
            Ok(())
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let report = error.report(stderr().is_terminal());
            let _ = stderr().write_all(report.as_bytes());
            ExitCode::FAILURE
        }
    }
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

fn loader(registry: Registry, global: Vec<(String, String)>) -> Result<Loader, Error> {
    let folder = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let loader = Loader::new(registry).relative_to(folder);
    Ok(global
        .into_iter()
        .fold(loader, |loader, (key, value)| loader.global(key, value)))
}

/// A file's name is not a URI, and what a URI would decode in it stays as it is. It may have a `#` if a name follows.
fn uri(file: &str) -> String {
    let (file, name) = match file.rsplit_once('#') {
        Some((file, name)) => (file, name),
        None => (file, "main"),
    };
    let file = file.replace('%', "%25").replace('#', "%23");
    format!("config:{file}#{name}")
}
