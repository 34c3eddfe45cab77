"""The applications, and the layer that each of them gets.

A patch has only lines of our own. It names the file, a line of it that occurs once, and whether our
lines come before or after that line, or replace it.
"""

import dataclasses


@dataclasses.dataclass
class Application:
    name: str
    version: str
    kind: str
    layer: str
    # The crates that the patch needs, beside the application's own.
    crates: list
    patches: list
    # The command, with {directory}, {port} and {other}, a second port.
    command: list
    # What the layer is for.
    purpose: str


MDBOOK = Application(
    name="mdbook",
    version="0.5.4",
    kind="axum",
    layer="MountLayer",
    crates=["tower", "tower-environ"],
    patches=[
        (
            "src/cmd/serve.rs",
            "replaces",
            "            ServeDir::new(&build_dir).not_found_service(ServeFile::new(build_dir.join(file_404))),",
            """
            ServeDir::new(&build_dir)
                .redirect_path_prefix("/guide")
                .not_found_service(ServeFile::new(build_dir.join(file_404))),
            """,
        ),
        (
            "src/cmd/serve.rs",
            "before",
            "    axum::serve(listener, app).await.unwrap();",
            """
            let guide = tower_environ::MountLayer::new("/guide").expect("a path");
            let app = Router::new().fallback_service(tower::Layer::layer(&guide, app));
            """,
        ),
    ],
    command=["serve", "{directory}", "--hostname", "127.0.0.1", "--port", "{port}"],
    purpose="the book is below /guide, and everything else is a 404",
)

LIVE_SERVER = Application(
    name="live-server",
    version="0.11.1",
    kind="axum",
    layer="RewriteLayer",
    crates=["tower-body-rewrite"],
    patches=[
        (
            "src/http_layer/server.rs",
            "after",
            "        .with_state(Arc::new(state))",
            """
            .layer({
                use tower_body_rewrite::{Replace, RewriteLayer};
                let strings = [("<h1>", "<h1>draft: "), ("</h1>", "!</h1>")];
                let headings = Replace::new(strings).expect("strings");
                let layer = RewriteLayer::new(move |_| Some(headings.clone()));
                layer.types(["text/html"]).expect("a type")
            })
            """,
        ),
    ],
    command=["--host", "127.0.0.1", "--port", "{port}", "--index", "{directory}"],
    purpose="each heading of a page is a draft",
)

BASIC_HTTP_SERVER = Application(
    name="basic-http-server",
    version="0.11.0",
    kind="axum",
    layer="CascadeLayer",
    crates=["tower-cascade"],
    patches=[
        (
            "src/main.rs",
            "after",
            "    let app = build_router(&config);",
            """
            let more: Router = Router::new()
                .route("/more", axum::routing::get(async || "more"))
                .route("/read", axum::routing::any(async |_: String| StatusCode::NOT_FOUND));
            let cascade = tower_cascade::CascadeLayer::new(more);
            let app = Router::new().fallback_service(tower::Layer::layer(&cascade, app));
            """,
        ),
    ],
    command=["--addr", "127.0.0.1:{port}", "-x", "{directory}"],
    purpose="a router before it responds to GET /more, and falls through otherwise",
)

DUFS = Application(
    name="dufs",
    version="0.47.0",
    kind="hyper",
    layer="LintLayer",
    crates=["tower", "tower-lint"],
    patches=[
        (
            "src/main.rs",
            "after",
            "        service_fn(move |request: Request<Incoming>| handle.clone().call(request, addr));",
            """
            let hyper_service = hyper_util::service::TowerToHyperService::new(tower::Layer::layer(
                &tower_lint::LintLayer::new().report(|violation| eprintln!("{violation}")),
                tower::service_fn(move |request| {
                    hyper::service::Service::call(&hyper_service, request)
                }),
            ));
            """,
        ),
    ],
    command=["--allow-all", "--bind", "127.0.0.1", "--port", "{port}", "{directory}"],
    purpose="violations are reported, and nothing is changed",
)

STATIC_WEB_SERVER = Application(
    name="static-web-server",
    version="3.0.0-beta.2",
    kind="hyper",
    layer="ErrorDocumentLayer",
    crates=["tower", "tower-error-document"],
    patches=[
        (
            "src/server/http1.rs",
            "after",
            "                let svc = router.build(Some(addr));",
            """
            let svc = Arc::new(svc);
            let documents = tower_error_document::ErrorDocumentLayer::new()
                .client_errors(tower_error_document::Document::negotiated())
                .any_content();
            let svc = hyper_util::service::TowerToHyperService::new(tower::Layer::layer(
                &documents,
                tower::service_fn(move |request| hyper::service::Service::call(&*svc, request)),
            ));
            """,
        ),
    ],
    command=["--host", "127.0.0.1", "--port", "{port}", "--root", "{directory}", "--directory-listing"],
    purpose="errors of clients are in the format that the client prefers",
)

THROTTLECRAB = Application(
    name="throttlecrab-server",
    version="0.4.40",
    kind="tonic",
    layer="ExceptionLayer",
    crates=["tower", "tower-exception"],
    patches=[
        (
            "src/transport/grpc.rs",
            "after",
            "        Server::builder()",
            """
            .layer(tower_exception::ExceptionLayer::production(tower_exception::to_stderr))
            .layer(tower::util::MapRequestLayer::new(|request: tonic::codegen::http::Request<_>| {
                assert!(!request.headers().contains_key("x-panic"), "a panic of ours");
                request
            }))
            """,
        ),
    ],
    command=["--http", "--http-host", "127.0.0.1", "--http-port", "{port}"]
    + ["--grpc", "--grpc-host", "127.0.0.1", "--grpc-port", "{other}"],
    purpose="a panic is a response of gRPC, and reported",
)

APPLICATIONS = [MDBOOK, LIVE_SERVER, BASIC_HTTP_SERVER, DUFS, STATIC_WEB_SERVER, THROTTLECRAB]
