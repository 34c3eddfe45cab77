//! Local redirects (RFC 3875, section 6.2.2).

use http::Request;
use tower::{Layer, ServiceExt};
use tower_environ::MountLayer;
use tower_gateway::{FastCgi, GatewayError};

use super::{ask, body, get, post, program::Program, reason, text};

/// A program that redirects to its query, and otherwise responds with what it gets.
async fn redirecting() -> Program {
    Program::start(|mut connection| async move {
        let received = connection.request().await;
        let map = received.map();
        let output = match &map["QUERY_STRING"] {
            query if query.starts_with("to=") => {
                format!("Location: {}\n\n", query[3..].replace("%23", "#"))
            }
            query => format!(
                "A: 1\n\n{} {} {} {query} {} {:?} {:?} {:?}",
                map["REQUEST_METHOD"],
                map["SCRIPT_NAME"],
                map["PATH_INFO"],
                map["CONTENT_LENGTH"],
                map.get("CONTENT_TYPE"),
                map.get("HTTP_ACCEPT"),
                received.body,
            ),
        };
        connection.stdout(output.as_bytes()).await;
        connection.end(0).await;
    })
    .await
}

#[tokio::test]
async fn gateway_19_a_local_redirect_is_followed_with_get() {
    let program = redirecting().await;
    let service = FastCgi::connect(&program.address).unwrap();
    let mut request = post("/old?to=/new/x%20y?z", "a=1");
    request
        .headers_mut()
        .insert("content-type", "a/b".parse().unwrap());
    request
        .headers_mut()
        .insert("accept", "c/d".parse().unwrap());
    let expected = "200 a=1 | GET  /new/x y z 0 None Some(\"c/d\") []";
    assert_eq!(text(ask(&service, request).await).await, expected);
    // HEAD stays without content, and an absolute redirect is the client's.
    let head = Request::head("/?to=/new").body(body("")).unwrap();
    assert_eq!(text(ask(&service, head).await).await, "200 a=1 | ");
    let found = text(ask(&service, get("/?to=http://example.org/")).await).await;
    assert_eq!(found, "302 location=http://example.org/ | ");
}

#[tokio::test]
async fn gateway_19_a_redirect_out_of_the_mount_is_the_clients() {
    let program = redirecting().await;
    let service = FastCgi::connect(&program.address).unwrap();
    let mounted = MountLayer::new("/app").unwrap().layer(service);
    for (uri, expected) in [
        ("/app/x?to=/app/new", "GET /app /new  0 None None []"),
        ("/app/x?to=/app", "GET /app   0 None None []"),
        ("/app/x?to=/application", "302 /application"),
        ("/app/x?to=/", "302 /"),
    ] {
        let response = mounted.clone().oneshot(get(uri)).await.unwrap();
        let found = match response.headers().get("location") {
            Some(location) => format!(
                "{} {}",
                response.status().as_u16(),
                location.to_str().unwrap()
            ),
            None => {
                let body = http_body_util::BodyExt::collect(response.into_body())
                    .await
                    .unwrap();
                String::from_utf8(body.to_bytes().to_vec()).unwrap()
            }
        };
        assert_eq!(found, expected, "{uri}");
    }
}

#[tokio::test]
async fn gateway_19_redirects_have_a_limit() {
    let program = Program::responding("Location: /again\n\n").await;
    let service = FastCgi::connect(&program.address).unwrap();
    let response = ask(&service, get("/")).await;
    assert_eq!(reason(&response), Some(GatewayError::RedirectLoop));
    assert_eq!(program.connections(), 11);
    let response = ask(&service.clone().local_redirects(1), get("/")).await;
    assert_eq!(
        (response.status().as_u16(), program.connections()),
        (502, 13)
    );
    let found = text(ask(&service.pass_local_redirects(), get("/")).await).await;
    assert_eq!(found, "302 location=/again | ");
}

/// A path that only begins like the prefix is another application's.
#[tokio::test]
async fn gateway_19_a_redirect_stays_below_the_prefix() {
    let program = redirecting().await;
    let service = FastCgi::connect(&program.address).unwrap();
    let layer = tower_origin::OriginLayer::new()
        .trusted(["127.0.0.1"])
        .unwrap()
        .x_forwarded([tower_origin::XForwarded::Prefix]);
    let service = layer.layer(service);
    for (to, expected) in [
        ("/app/new", Ok("GET /app /new")),
        ("/app", Ok("GET /app /")),
        ("/application", Err("/application")),
        ("/new", Err("/new")),
        // The fragment is for the client.
        ("/app/new#part", Err("/app/new#part")),
    ] {
        let mut request = get(&format!("/x?to={}", to.replace('#', "%23")));
        *request.version_mut() = http::Version::HTTP_2;
        let headers = request.headers_mut();
        headers.insert("x-forwarded-for", "192.0.2.7".parse().unwrap());
        headers.insert("x-forwarded-prefix", "/app".parse().unwrap());
        let peer = tower_origin::PeerAddr("127.0.0.1:99".parse().unwrap());
        request.extensions_mut().insert(peer);
        let response = service.clone().oneshot(request).await.unwrap();
        let location = response.headers().get("location").cloned();
        let bytes = http_body_util::BodyExt::collect(response.into_body())
            .await
            .unwrap()
            .to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        match expected {
            Ok(start) => assert!(text.starts_with(start), "{to}: {text}"),
            Err(expected) => assert_eq!(location.unwrap(), expected),
        }
    }
}

/// The limit is on what is followed.
#[tokio::test]
async fn gateway_19_a_redirect_of_the_client_is_no_loop() {
    let program = redirecting().await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .local_redirects(0);
    let mounted = MountLayer::new("/app").unwrap().layer(service);
    let response = mounted.clone().oneshot(get("/app/x?to=/y")).await.unwrap();
    assert_eq!(response.status(), 302);
    let response = mounted.oneshot(get("/app/x?to=/app/y")).await.unwrap();
    assert_eq!(response.status(), 502);
}
