//! `tower-deploy serve`: the app of a file, on a socket.

#[cfg(feature = "gateway")]
use std::io::sink;
use std::io::{self, stdout};
#[cfg(feature = "reload")]
use std::sync::Arc;

use clap::Args;
use tokio::signal::ctrl_c;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tower_kit::Lines;
use tower_serve::Address;

#[cfg(feature = "reload")]
use super::reload::Kept;
use super::{
    arguments::{File, Global},
    failure::Failure,
    log::{LAST_LINES, lost},
    runtime::runtime,
};
use crate::{App, Registry, Server, builtin::access_log};
#[cfg(feature = "reload")]
use crate::{Reload, reload::Contents};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: File,
    /// The address to listen on instead of the file's: `127.0.0.1:8080`, `[::1]:8080`,
    /// `unix:/run/site.sock`.
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<Address>,
    /// Rebuild the app when the file changes, or one that it includes. SIGHUP does so in any case.
    #[cfg(feature = "reload")]
    #[arg(long)]
    reload: bool,
    #[command(flatten)]
    global: Global,
}

pub(super) fn run(registry: Registry, arguments: Arguments, log: &Lines) -> Result<(), Failure> {
    // Otherwise the lines would be a part of the response.
    #[cfg(feature = "gateway")]
    if tower_gateway::detect() == tower_gateway::Start::Cgi {
        let nowhere = Lines::to(sink(), usize::MAX, lost)?;
        return serve(registry, arguments, log, &nowhere);
    }
    // The site is served even if no reader takes these lines.
    let said = Lines::to(stdout(), usize::MAX, lost)?;
    let done = serve(registry, arguments, log, &said);
    said.end(LAST_LINES);
    done
}

fn serve(
    registry: Registry,
    arguments: Arguments,
    log: &Lines,
    said: &Lines,
) -> Result<(), Failure> {
    let loader = arguments.global.loader(registry);
    let uri = arguments.file.uri();
    let files = loader.snapshot();
    let runtime = runtime()?;
    let site = {
        // Processes of the site are started in it.
        let _within = runtime.enter();
        loader.load_site(&uri, &files)?
    };
    said.push(site.plan.to_string().as_bytes());
    #[cfg(feature = "reload")]
    let (read, server_plan) = (
        Contents::of_all(&files),
        site.server
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map(ToString::to_string),
    );
    let server = loader.build_server(site.server, &files)?;
    #[cfg(feature = "gateway")]
    let server = server.for_start(tower_gateway::detect());
    drop(files);

    let (app, processes) = (site.app, site.processes);
    #[cfg(not(feature = "reload"))]
    let _ = log;
    #[cfg(feature = "reload")]
    let (app, reload) = {
        let reload = Arc::new(Reload::of(loader, uri, app, read, processes));
        let kept = Kept::new(reload.clone(), server_plan, log.clone());
        #[cfg(feature = "tls")]
        let kept = kept.tls(server.tls());
        let app = kept.app();
        let _within = runtime.enter();
        kept.spawn(arguments.reload)?;
        (app, reload)
    };
    let done = runtime.block_on(async {
        let done = served(server, arguments.bind, access_log(app), said).await;
        #[cfg(feature = "reload")]
        let stopped = reload.stop_processes();
        #[cfg(not(feature = "reload"))]
        let stopped = processes.stop();
        tokio::select! {
            () = stopped => {}
            () = another_signal() => {}
        }
        done
    });
    // It does not wait for threads that still read a file or look up a name.
    runtime.shutdown_background();
    Ok(done?)
}

/// Waits for a signal to end at once.
async fn another_signal() {
    #[cfg(unix)]
    if let Ok(mut terminate) = signal(SignalKind::terminate()) {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = ctrl_c() => {}
        }
        return;
    }
    let _ = ctrl_c().await;
}

async fn served(server: Server, bind: Option<Address>, app: App, said: &Lines) -> io::Result<()> {
    let server = match bind {
        Some(address) => server.address(address).ok_or_else(|| {
            let message =
                "--bind is for the built-in server, and the file's [server:main] is another one";
            io::Error::other(message)
        })?,
        None => server,
    };
    let tell = |addresses: &mut dyn Iterator<Item = String>| {
        for address in addresses {
            said.push(format!("listening on {address}\n").as_bytes());
        }
        said.push(b"Ctrl-C ends it\n");
    };
    server.serve_and_tell(app, tell).await
}
