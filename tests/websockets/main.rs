//! The programs that `just websockets` runs besides those of Python and node.
//!
//! `server` echoes with tungstenite, and `client URL FILE` runs the cases of a file with it.
//! `proxy UPSTREAM [CERTIFICATE KEY]` is tower-serve with tower-upstream. `bridge ADDRESS` takes
//! WebSockets of HTTP/1 and asks the server there for them with extended CONNECT of HTTP/2, as a
//! browser does. Each server prints its port.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod bridge;
mod client;
mod echo;
mod proxy;

use std::{env, error::Error};

type BoxError = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["server"] => echo::serve().await,
        ["client", url, file] => client::run(url, file).await,
        ["proxy", upstream] => proxy::serve(upstream, None).await,
        ["proxy", upstream, certificate, key] => {
            proxy::serve(upstream, Some((certificate, key))).await
        }
        ["bridge", address] => bridge::serve(address).await,
        _ => Err("expected server, client, proxy or bridge".into()),
    }
}
