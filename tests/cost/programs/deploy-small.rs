// cargo add tower-deploy --no-default-features --features cli,reload
// at most 5480000 bytes, 45 seconds

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
