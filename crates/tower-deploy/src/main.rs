//! `tower-deploy`: what can be done with a file without a program of one's own.

use std::process::ExitCode;

use tower_deploy::{Registry, cli};

fn main() -> ExitCode {
    cli::main(Registry::standard())
}
