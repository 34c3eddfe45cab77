//! `tower-deploy serve`: the app of a file, on a socket.

use clap::Args;

use super::{Failure, File, Global, runtime, say};
use crate::{Address, App, Registry, Server, builtin::access_log, serve::Shutdown};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: File,
    /// Where to listen, whatever the file says: `127.0.0.1:8080`, `[::1]:8080`, `unix:/run/site.sock`.
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<Address>,
    #[command(flatten)]
    global: Global,
}

pub(super) fn run(registry: Registry, arguments: Arguments) -> Result<(), Failure> {
    let loader = arguments.global.loader(registry);
    let uri = arguments.file.uri();
    let plan = loader.plan_app(&uri)?;
    say(&plan.to_string());
    let app = access_log(loader.load_app(&uri)?);
    let server = loader.find_server(&plan, &uri)?;
    Ok(runtime()?.block_on(served(server, arguments.bind, app))?)
}

async fn served(server: Server, bind: Option<Address>, app: App) -> std::io::Result<()> {
    let server = match (server.into_http(), bind) {
        (Ok(server), Some(address)) => server.address(address),
        (Ok(server), None) => server,
        (Err(server), None) => return server.serve(app).await,
        (Err(_), Some(_)) => {
            let message =
                "--bind is for the built-in server, and the file's [server:main] is another one";
            return Err(std::io::Error::other(message));
        }
    };
    let shutdown = Shutdown::signals()?;
    let bound = server.bind().await?;
    for address in bound.addresses() {
        say(&format!("listening on {address}\n"));
    }
    say("Ctrl-C ends it\n");
    bound.serve(app, shutdown).await
}
