//! The four programs of docs/guides/getting-started.md.

use std::sync::Arc;

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::Command,
    sync::{Mutex, mpsc},
    time::timeout,
};
use tonic::{Code, transport::Endpoint};

use crate::{
    program::{PATIENCE, Program},
    rejections::call,
};

#[tokio::test]
async fn start_axum_and_start_hyper_have_a_500_with_an_id() {
    for (path, fault) in [
        (
            env!("CARGO_BIN_EXE_start-axum"),
            "this handler always panics",
        ),
        (env!("CARGO_BIN_EXE_start-hyper"), "this path always fails"),
    ] {
        let mut program = Program::start_by(path, &["127.0.0.1:0"]).await;
        assert_eq!(program.get("/").await.body(), "Hello\n");
        let response = program.get("/broken").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let id = response.headers()["x-incident-id"].to_str().unwrap();
        assert!(program.logs(id).await.contains(fault));
    }
}

#[tokio::test]
async fn start_tonic_has_a_status_with_an_id() {
    let path = env!("CARGO_BIN_EXE_start-tonic");
    let mut program = Program::start_by(path, &["127.0.0.1:0"]).await;
    let endpoint = Endpoint::from_shared(program.url.clone()).unwrap();
    let status = call(endpoint, "/hello.Greeter/Broken").await;
    assert_eq!(status.code(), Code::Internal);
    let id = status.message().rsplit(' ').next().unwrap();
    assert!(program.logs(id).await.contains("this method always panics"));
}

/// An event of API Gateway.
fn event(path: &str) -> String {
    let http = json!({
        "method": "GET",
        "path": path,
        "protocol": "HTTP/1.1",
        "sourceIp": "192.0.2.1",
        "userAgent": "test",
    });
    let event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": "example.org" },
        "requestContext": {
            "accountId": "1",
            "apiId": "api",
            "domainName": "example.org",
            "domainPrefix": "api",
            "http": http,
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390_u64,
        },
        "isBase64Encoded": false,
    });
    event.to_string()
}

/// Plays the service that hands events to a function of AWS Lambda.
#[tokio::test]
async fn start_lambda_has_a_500_with_an_id() {
    let (events, next) = mpsc::channel(1);
    let (responded, mut responses) = mpsc::channel(1);
    let next = Arc::new(Mutex::new(next));
    let next = async move || {
        let event: String = next.lock().await.recv().await.unwrap_or_default();
        let headers = [
            ("lambda-runtime-aws-request-id", "1"),
            ("lambda-runtime-deadline-ms", "4000000000000"),
            ("lambda-runtime-invoked-function-arn", "arn"),
            (CONTENT_TYPE.as_str(), "application/json"),
        ];
        (headers, event).into_response()
    };
    let response = async move |body: String| {
        responded.send(body).await.unwrap();
        StatusCode::ACCEPTED
    };
    let api: Router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/1/response", post(response));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, api).await });

    let _function = Command::new(env!("CARGO_BIN_EXE_start-lambda"))
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "start")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    for (path, status) in [("/", 200), ("/broken", 500)] {
        events.send(event(path)).await.unwrap();
        let response = timeout(PATIENCE, responses.recv()).await.unwrap().unwrap();
        let response: Value = serde_json::from_str(&response).unwrap();
        assert_eq!(response["statusCode"], status, "{response}");
        let has_id = response["headers"]["x-incident-id"].is_string();
        assert_eq!(has_id, status == 500, "{response}");
    }
}
