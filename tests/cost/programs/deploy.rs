// cargo add tower-deploy
// at most 10250000 bytes, 81 seconds

use axum::Router;
use tower_deploy::{Loader, Registry};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Loader::new(Registry::standard()).load_app("config:/srv/site.ini")?;
    let app: Router = Router::new().fallback_service(app);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
