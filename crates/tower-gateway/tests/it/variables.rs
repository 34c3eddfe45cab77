//! The variables that a program gets.

use http::Request;
use tower::Layer;
use tower_environ::MountLayer;
use tower_gateway::{FastCgi, RemoteUser, Scripts};
use tower_origin::{OriginLayer, PeerAddr, XForwarded};

use super::{Body, ask, body, get, post, program::Program, text};

/// A program that responds with its variables.
async fn mirror() -> Program {
    Program::start(|mut connection| async move {
        let received = connection.request().await;
        let lines = received.lines();
        connection
            .stdout(format!("\u{58}: 1\n\n{lines}").as_bytes())
            .await;
        connection.end(0).await;
    })
    .await
}

async fn variables(service: &FastCgi, request: Request<Body>) -> Vec<String> {
    let response = text(ask(service, request).await).await;
    let (_, lines) = response.split_once(" | ").unwrap();
    lines.lines().map(str::to_owned).collect()
}

/// The variables that are the same for each of these requests.
fn is_special(line: &&String) -> bool {
    let always = ["GATEWAY_INTERFACE=CGI/1.1", "REDIRECT_STATUS=200"];
    !always.contains(&line.as_str()) && !line.starts_with("SERVER_SOFTWARE=tower-gateway/")
}

fn assert_lines(found: &[String], expected: &[&str]) {
    let found: Vec<&String> = found.iter().filter(is_special).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn gateway_1_a_request_is_variables() {
    let program = mirror().await;
    let service = FastCgi::connect(&program.address).unwrap();
    let found = variables(&service, get("/a%20b/c?d=%20e")).await;
    for always in [
        "GATEWAY_INTERFACE=CGI/1.1",
        "REDIRECT_STATUS=200",
        "SERVER_SOFTWARE=tower-gateway/0.1.0",
    ] {
        assert!(found.contains(&always.to_owned()), "{always}");
    }
    assert_lines(
        &found,
        &[
            "CONTENT_LENGTH=0",
            "PATH_INFO=/a b/c",
            "QUERY_STRING=d=%20e",
            "REQUEST_METHOD=GET",
            "REQUEST_SCHEME=http",
            "REQUEST_URI=/a%20b/c?d=%20e",
            "SCRIPT_NAME=",
            "SERVER_NAME=localhost",
            "SERVER_PORT=80",
            "SERVER_PROTOCOL=HTTP/1.1",
        ],
    );
    let mut request = post("/", "a=1");
    let headers = request.headers_mut();
    headers.insert("content-type", "text/plain".parse().unwrap());
    headers.insert("host", "[::1]:8080".parse().unwrap());
    *request.version_mut() = http::Version::HTTP_2;
    let found = variables(&service, request).await;
    assert_lines(
        &found,
        &[
            "CONTENT_LENGTH=3",
            "CONTENT_TYPE=text/plain",
            "HTTP_HOST=[::1]:8080",
            "PATH_INFO=/",
            "QUERY_STRING=",
            "REQUEST_METHOD=POST",
            "REQUEST_SCHEME=http",
            "REQUEST_URI=/",
            "SCRIPT_NAME=",
            "SERVER_NAME=[::1]",
            "SERVER_PORT=8080",
            "SERVER_PROTOCOL=HTTP/2.0",
        ],
    );
}

#[tokio::test]
async fn gateway_1_a_host_is_a_name_and_a_port() {
    let program = mirror().await;
    let service = FastCgi::connect(&program.address).unwrap();
    for (host, name, port) in [
        ("example.org", "example.org", "80"),
        ("example.org:81", "example.org", "81"),
        ("[2001:db8::7]", "[2001:db8::7]", "80"),
        ("[2001:db8::7]:81", "[2001:db8::7]", "81"),
    ] {
        let request = Request::get("/").header("host", host);
        let found = variables(&service, request.body(body("")).unwrap()).await;
        for line in [format!("SERVER_NAME={name}"), format!("SERVER_PORT={port}")] {
            assert!(found.contains(&line), "{host}: {found:?}");
        }
    }
}

#[tokio::test]
async fn gateway_2_headers_are_variables_if_they_mean_one_thing() {
    let program = mirror().await;
    let service = FastCgi::connect(&program.address).unwrap();
    let request = Request::get("/")
        .header("Accept", "a")
        .header("Accept", "b")
        .header("Cookie", "a=1")
        .header("Cookie", "b=2")
        .header("Authorization", "Basic x")
        .header("Connection", "x-hop, keep-alive")
        .header("X-Hop", "1")
        .header("Keep-Alive", "1")
        .header("Transfer-Encoding", "chunked")
        .header("TE", "trailers")
        .header("Trailer", "x")
        .header("Upgrade", "x")
        .header("Expect", "100-continue")
        .header("Proxy-Authorization", "x")
        .header("Proxy", "http://example.org")
        .header("Content-Length", "0")
        .header("X_Real_IP", "1")
        .header("X.User", "1")
        .header("Script_Name", "1")
        .header("X-Real-IP", "192.0.2.1")
        .header("X-Forwarded-For", "192.0.2.1")
        .header("X-Forwarded-Proto", "https")
        .header("Forwarded", "for=192.0.2.1")
        .body(body(""))
        .unwrap();
    let found = variables(&service, request).await;
    let headers: Vec<_> = found
        .iter()
        .filter(|line| line.starts_with("HTTP_"))
        .collect();
    let expected = [
        "HTTP_ACCEPT=a, b",
        "HTTP_AUTHORIZATION=Basic x",
        "HTTP_COOKIE=a=1; b=2",
    ];
    assert_eq!(headers, expected);
}

#[tokio::test]
async fn gateway_3_the_client_is_that_of_the_origin() {
    let program = mirror().await;
    let service = FastCgi::connect(&program.address).unwrap();
    let request = || {
        let mut request = get("/a");
        request
            .extensions_mut()
            .insert(PeerAddr("127.0.0.1:99".parse().unwrap()));
        let headers = request.headers_mut();
        headers.insert("host", "internal:8080".parse().unwrap());
        headers.insert("x-forwarded-for", "192.0.2.7".parse().unwrap());
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        headers.insert("x-forwarded-host", "example.org".parse().unwrap());
        headers.insert("x-forwarded-prefix", "/app".parse().unwrap());
        request
    };
    let of = |found: Vec<String>, names: &[&str]| -> Vec<String> {
        let is_named = |line: &String| names.contains(&line.split('=').next().unwrap());
        found.into_iter().filter(is_named).collect()
    };
    let names = [
        "HTTPS",
        "HTTP_HOST",
        "REMOTE_ADDR",
        "REMOTE_PORT",
        "REQUEST_SCHEME",
        "REQUEST_URI",
        "SCRIPT_NAME",
        "SERVER_NAME",
        "SERVER_PORT",
    ];
    assert_eq!(
        of(variables(&service, request()).await, &names),
        [
            "HTTP_HOST=internal:8080",
            "REMOTE_ADDR=127.0.0.1",
            "REMOTE_PORT=99",
            "REQUEST_SCHEME=http",
            "REQUEST_URI=/a",
            "SCRIPT_NAME=",
            "SERVER_NAME=internal",
            "SERVER_PORT=8080",
        ]
    );
    let layer = OriginLayer::new()
        .trusted(["127.0.0.1"])
        .unwrap()
        .x_forwarded([XForwarded::Host, XForwarded::Prefix]);
    let response = tower::ServiceExt::oneshot(layer.layer(service), request())
        .await
        .unwrap();
    let response = http::Response::map(response, http_body_util::BodyExt::collect);
    let bytes = response.into_body().await.unwrap().to_bytes();
    let found = std::str::from_utf8(&bytes)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        of(found, &names),
        [
            "HTTPS=on",
            "HTTP_HOST=example.org",
            "REMOTE_ADDR=192.0.2.7",
            "REQUEST_SCHEME=https",
            "REQUEST_URI=/app/a",
            "SCRIPT_NAME=/app",
            "SERVER_NAME=example.org",
            "SERVER_PORT=443",
        ]
    );
}

#[tokio::test]
async fn gateway_4_mounts_are_the_script_name() {
    let program = mirror().await;
    let service = FastCgi::connect(&program.address).unwrap();
    let wiki = MountLayer::new("/wiki").unwrap().layer(service.clone());
    for (uri, expected) in [
        (
            "/wiki",
            ["PATH_INFO=", "REQUEST_URI=/wiki", "SCRIPT_NAME=/wiki"],
        ),
        (
            "/wiki/",
            ["PATH_INFO=/", "REQUEST_URI=/wiki/", "SCRIPT_NAME=/wiki"],
        ),
        (
            "/wiki/a%2Fb//c?d",
            [
                "PATH_INFO=/a/b//c",
                "REQUEST_URI=/wiki/a%2Fb//c?d",
                "SCRIPT_NAME=/wiki",
            ],
        ),
    ] {
        let response = tower::ServiceExt::oneshot(wiki.clone(), get(uri))
            .await
            .unwrap();
        let bytes = http_body_util::BodyExt::collect(response.into_body())
            .await
            .unwrap()
            .to_bytes();
        let found = std::str::from_utf8(&bytes).unwrap();
        for line in expected {
            assert!(found.lines().any(|found| found == line), "{line}: {found}");
        }
    }
}

#[tokio::test]
async fn gateway_5_settings_replace_variables() {
    let program = mirror().await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .env("APP_ENV", "test")
        .unwrap()
        .env("APP_ENV", "live")
        .unwrap()
        .env("SERVER_NAME", "example.org")
        .unwrap()
        .env("HTTP_ACCEPT", "none")
        .unwrap();
    let request = Request::get("/")
        .header("accept", "a")
        .body(body(""))
        .unwrap();
    let found = variables(&service, request).await;
    for line in [
        "APP_ENV=live",
        "SERVER_NAME=example.org",
        "HTTP_ACCEPT=none",
    ] {
        let name = line.split('=').next().unwrap();
        let lines: Vec<_> = found
            .iter()
            .filter(|found| found.starts_with(&format!("{name}=")))
            .collect();
        assert_eq!(lines, [line]);
    }
    for (name, value, error) in [
        ("", "1", "`` is not the name of a variable, such as APP_ENV"),
        (
            "A=B",
            "1",
            "`A=B` is not the name of a variable, such as APP_ENV",
        ),
        ("A", "1\0B=2", "the value of `A` has a NUL"),
        (
            "CONTENT_LENGTH",
            "9",
            "`CONTENT_LENGTH` is set for each request, and cannot be replaced",
        ),
    ] {
        let found = service.clone().env(name, value).unwrap_err();
        assert_eq!(found.to_string(), error);
    }
}

#[tokio::test]
async fn gateway_6_a_user_has_to_be_authenticated() {
    let program = mirror().await;
    let service = FastCgi::connect(&program.address).unwrap();
    let mut request = Request::get("/")
        .header("remote-user", "eve")
        .body(body(""))
        .unwrap();
    let of_user = |found: Vec<String>| -> Vec<String> {
        let is = |line: &String| line.contains("USER") || line.starts_with("AUTH");
        found.into_iter().filter(is).collect()
    };
    let mut copy = get("/");
    *copy.headers_mut() = request.headers().clone();
    assert_eq!(
        of_user(variables(&service, copy).await),
        ["HTTP_REMOTE_USER=eve"]
    );
    request
        .extensions_mut()
        .insert(RemoteUser::new("ada", "Basic"));
    let expected = ["AUTH_TYPE=Basic", "HTTP_REMOTE_USER=eve", "REMOTE_USER=ada"];
    assert_eq!(of_user(variables(&service, request).await), expected);
}

#[tokio::test]
async fn gateway_7_a_script_has_a_file_and_a_root() {
    let program = mirror().await;
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("a.php"), "").unwrap();
    let root = root.path().to_str().unwrap();
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .scripts(Scripts::php(root));
    let found = variables(&service, get("/a.php/b/c%2Fd")).await;
    for line in [
        format!("DOCUMENT_ROOT={root}"),
        format!("SCRIPT_FILENAME={root}/a.php"),
        format!("PATH_TRANSLATED={root}/b/c/d"),
        "SCRIPT_NAME=/a.php".to_owned(),
        "PATH_INFO=/b/c/d".to_owned(),
        "REQUEST_URI=/a.php/b/c%2Fd".to_owned(),
    ] {
        assert!(found.contains(&line), "{line}: {found:?}");
    }
    let one = FastCgi::connect(&program.address)
        .unwrap()
        .scripts(Scripts::file("/srv/cgit.cgi"));
    let found = variables(&one, get("/linux.git/log%20")).await;
    for line in [
        "SCRIPT_FILENAME=/srv/cgit.cgi",
        "SCRIPT_NAME=",
        "PATH_INFO=/linux.git/log ",
    ] {
        assert!(found.contains(&line.to_owned()), "{line}: {found:?}");
    }
    assert!(!found.iter().any(|line| line.starts_with("DOCUMENT_ROOT")));
}
