//! tower-environ alone in axum: a value by its name, and a router that is mounted below a path.
//!
//! `cargo run -p examples --bin axum-environ`, then `curl http://127.0.0.1:8080/wiki/Start`.

use std::{env, error::Error};

use axum::{Router, extract::Request, routing::get};
use tokio::net::TcpListener;
use tower::Layer;
use tower_environ::{EnvironExt, EnvironLayer, Key, MountExt, MountLayer};

const TITLE: Key<&'static str> = Key::new("wiki.title");

async fn page(request: Request) -> String {
    let title = request.environ(&TITLE).copied().unwrap_or("untitled");
    let (mount, path) = (request.script_name(), request.path_info());
    format!("{title}: {path}, below {mount}\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let wiki = Router::new()
        .route("/Start", get(page))
        .layer(EnvironLayer::new(TITLE, "The wiki"));
    let mounted = MountLayer::new("/wiki")?.layer(wiki);
    // Inside of axum's routing a route is already chosen, so a mount belongs around it.
    let app: Router = Router::new().fallback_service(mounted);

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
