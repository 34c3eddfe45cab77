//! The command `tower-deploy`, with the built-in factories.

use std::process::ExitCode;

use tower_deploy::{Registry, cli};

fn main() -> ExitCode {
    cli::main(Registry::standard())
}
