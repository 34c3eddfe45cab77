use http::{HeaderValue, Request, Version};
use tower_environ::{CgiView, ScriptName};

/// Returns all variables as text, with bytes that are not UTF-8 as `\xNN`.
fn variables(view: &CgiView<'_>) -> Vec<String> {
    let line = |(name, value): (tower_environ::CgiName<'_>, std::borrow::Cow<'_, [u8]>)| {
        format!("{name}={}", value.escape_ascii())
    };
    view.iter().map(line).collect()
}

#[test]
fn environ_12_the_variables_have_a_fixed_order() {
    let request = Request::post("/a%20b/c?d=%20e")
        .version(Version::HTTP_10)
        .header("host", "example.org")
        .header("content-type", "text/plain")
        .header("content-length", "3")
        .header("x-long-name-2", "v")
        .body(())
        .unwrap();
    let view = CgiView::from(&request)
        .server("localhost", 8080)
        .client("2001:db8::1".parse().unwrap());
    let software = format!(
        "SERVER_SOFTWARE=tower-environ/{}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(
        variables(&view),
        [
            "GATEWAY_INTERFACE=CGI/1.1",
            &software,
            "SERVER_NAME=localhost",
            "SERVER_PORT=8080",
            "SERVER_PROTOCOL=HTTP/1.0",
            "REQUEST_METHOD=POST",
            "SCRIPT_NAME=",
            "PATH_INFO=/a b/c",
            "QUERY_STRING=d=%20e",
            "CONTENT_TYPE=text/plain",
            "CONTENT_LENGTH=3",
            "REMOTE_ADDR=2001:db8::1",
            "HTTP_HOST=example.org",
            "HTTP_X_LONG_NAME_2=v",
        ]
    );
    assert!(
        view.iter()
            .any(|(name, _)| name == *"PATH_INFO" && name == "PATH_INFO")
    );
    assert!(view.iter().any(|(name, _)| name != "PATH_INFO"));
    for line in variables(&view) {
        let (name, value) = line.split_once('=').unwrap();
        assert_eq!(view.get(name).as_deref(), Some(value.as_bytes()), "{name}");
    }
    for name in [
        "HTTP_CONTENT_TYPE",
        "http_host",
        "HTTP_",
        "HTTP_X",
        "REMOTE_HOST",
        "",
    ] {
        assert_eq!(view.get(name), None, "{name}");
    }
}

#[test]
fn environ_12_every_version_has_its_protocol() {
    for (version, protocol) in [
        (Version::HTTP_09, "HTTP/0.9"),
        (Version::HTTP_10, "HTTP/1.0"),
        (Version::HTTP_11, "HTTP/1.1"),
        (Version::HTTP_2, "HTTP/2.0"),
        (Version::HTTP_3, "HTTP/3.0"),
    ] {
        let request = Request::get("/").version(version).body(()).unwrap();
        let seen = CgiView::from(&request)
            .get("SERVER_PROTOCOL")
            .map(|it| it.into_owned());
        assert_eq!(seen.as_deref(), Some(protocol.as_bytes()));
    }
}

#[test]
fn environ_12_an_unknown_variable_is_absent() {
    let request = Request::new(());
    let view = CgiView::from(&request);
    let names: Vec<_> = view.iter().map(|(name, _)| name.to_string()).collect();
    let known = [
        "GATEWAY_INTERFACE",
        "SERVER_SOFTWARE",
        "SERVER_PROTOCOL",
        "REQUEST_METHOD",
        "SCRIPT_NAME",
        "PATH_INFO",
        "QUERY_STRING",
    ];
    assert_eq!(names, known);
    assert_eq!(view.get("QUERY_STRING").as_deref(), Some(&b""[..]));
}

#[test]
fn environ_13_no_client_sets_http_proxy() {
    for name in ["Proxy", "proxy", "PROXY"] {
        let request = Request::get("/")
            .header(name, "http://evil.example")
            .header(name, "http://evil.example")
            .header("proxy-connection", "keep-alive")
            .body(())
            .unwrap();
        let view = CgiView::from(&request);
        assert_eq!(view.get("HTTP_PROXY"), None);
        assert_eq!(
            view.get("HTTP_PROXY_CONNECTION").as_deref(),
            Some(&b"keep-alive"[..])
        );
    }
}

#[test]
fn environ_13_only_plain_names_become_variables() {
    let request = Request::get("/")
        .header("x-user", "john")
        .header("x_user", "root")
        .header("x.user", "root")
        .header("x~user", "root")
        .header("x-real.ip", "6.6.6.6")
        .header("content_length", "9")
        .header("content.type", "a/b")
        .header("x-2-y", "plain")
        .body(())
        .unwrap();
    let view = CgiView::from(&request);
    let headers = variables(&view).into_iter();
    let headers: Vec<String> = headers.filter(|line| line.starts_with("HTTP_")).collect();
    assert_eq!(headers, ["HTTP_X_USER=john", "HTTP_X_2_Y=plain"]);
    for name in [
        "HTTP_X.USER",
        "HTTP_X_REAL.IP",
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
    ] {
        assert_eq!(view.get(name), None, "{name}");
    }
}

#[test]
fn environ_14_lines_that_differ_are_no_single_value() {
    for (values, value) in [
        (&["a"][..], Some("a")),
        (&["a", "a"], Some("a")),
        (&["a", "b"], None),
        (&["a", "a", "b"], None),
        (&[], None),
    ] {
        let mut request = Request::new(());
        for name in ["content-length", "content-type", "host"] {
            for value in values {
                let value = HeaderValue::from_static(value);
                request.headers_mut().append(name, value);
            }
        }
        let view = CgiView::from(&request);
        for name in ["CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_HOST"] {
            let found = view.get(name);
            assert_eq!(
                found.as_deref(),
                value.map(str::as_bytes),
                "{name} {values:?}"
            );
            let times = view.iter().filter(|(found, _)| *found == name).count();
            assert_eq!(times, usize::from(value.is_some()), "{name} {values:?}");
        }
    }
}

#[test]
fn environ_14_repeated_headers_are_joined_and_bytes_kept() {
    let request = Request::get("/%FF%2F/%C3%B6%zz")
        .header("accept", "text/html")
        .header("accept", "text/plain")
        .header("cookie", "a=b")
        .header("cookie", "c=d")
        .header("x-bytes", HeaderValue::from_bytes(b"J\xf6rg\xff").unwrap())
        .body(())
        .unwrap();
    let view = CgiView::from(&request);
    let get = |name| view.get(name).unwrap().into_owned();
    assert_eq!(get("HTTP_ACCEPT"), b"text/html, text/plain");
    assert_eq!(get("HTTP_COOKIE"), b"a=b; c=d");
    assert_eq!(get("HTTP_X_BYTES"), b"J\xf6rg\xff");
    // It is decoded once. Broken escapes stay as they are.
    assert_eq!(get("PATH_INFO"), b"/\xff//\xc3\xb6%zz");
}

#[test]
fn environ_14_the_host_of_the_uri_counts_before_the_header() {
    for (uri, header, expected) in [
        (
            "http://a.example:81/x",
            Some("b.example"),
            Some("a.example:81"),
        ),
        ("http://user:pass@a.example/x", None, Some("a.example")),
        ("/x", Some("b.example"), Some("b.example")),
        ("/x", None, None),
    ] {
        let mut request = Request::get(uri).version(Version::HTTP_2).body(()).unwrap();
        if let Some(header) = header {
            request
                .headers_mut()
                .insert("host", HeaderValue::from_static(header));
        }
        let view = CgiView::from(&request);
        assert_eq!(
            view.get("HTTP_HOST").as_deref(),
            expected.map(str::as_bytes)
        );
        assert_eq!(view.get("PATH_INFO").as_deref(), Some(&b"/x"[..]));
        assert_eq!(
            view.get("SERVER_PROTOCOL").as_deref(),
            Some(&b"HTTP/2.0"[..])
        );
        assert_eq!(
            view.iter().filter(|(name, _)| name == "HTTP_HOST").count(),
            usize::from(expected.is_some())
        );
    }
}

#[test]
fn environ_12_script_name_is_decoded() {
    let mut request = Request::get("/a%20b/c%20d").body(()).unwrap();
    assert!(ScriptName::grow(&mut request, 6));
    let (parts, ()) = request.into_parts();
    let view = CgiView::from(&parts);
    assert_eq!(view.get("SCRIPT_NAME").as_deref(), Some(&b"/a b"[..]));
    assert_eq!(view.get("PATH_INFO").as_deref(), Some(&b"/c d"[..]));
}

#[test]
fn environ_12_debug_shows_no_secrets() {
    let mut secret = HeaderValue::from_static("s3cret");
    secret.set_sensitive(true);
    let request =
        Request::get("/a;sid=s3cret?b=c&%74oken=s3cret&next=https%3A%2F%2Fd%2F%3Fkey%3Ds3cret")
            .header("authorization", "Basic s3cret")
            .header("proxy-authorization", "Basic s3cret")
            .header("cookie", "session=s3cret")
            // One value that is marked hides the others of its name.
            .header("x-user", "s3cret")
            .header("x-user", secret.clone())
            .header("x-api-key", "s3cret")
            .header("content-type", secret)
            .header("referer", "https://me:s3cret@example.org/?password=s3cret")
            .header("accept", "text/html")
            .body(())
            .unwrap();
    let view = CgiView::from(&request);
    let shown = format!("{view:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    for part in [
        "PATH_INFO: \"/a;sid=[redacted]\"",
        "QUERY_STRING: \"b=c&%74oken=redacted&next=redacted\"",
        "CONTENT_TYPE: \"[redacted]\"",
        "HTTP_AUTHORIZATION: \"[redacted]\", HTTP_PROXY_AUTHORIZATION: \"[redacted]\"",
        "HTTP_REFERER: \"https://[redacted]@example.org/?password=[redacted]\"",
        "HTTP_ACCEPT: \"text/html\"",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    // `get` returns them, because programs need them.
    for (name, value) in [
        ("HTTP_AUTHORIZATION", "Basic s3cret"),
        ("HTTP_COOKIE", "session=s3cret"),
        ("HTTP_X_API_KEY", "s3cret"),
        ("CONTENT_TYPE", "s3cret"),
    ] {
        assert_eq!(view.get(name).as_deref(), Some(value.as_bytes()), "{name}");
    }
}

#[test]
fn only_joined_headers_and_decoded_paths_allocate() {
    let request = |cookie: Option<&'static str>, path: &str| {
        let mut request = Request::get(path).body(()).unwrap();
        let head = include_str!("browser-head.txt");
        for line in head.lines().skip(1).filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap();
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        if let Some(cookie) = cookie {
            request
                .headers_mut()
                .append("cookie", HeaderValue::from_static(cookie));
        }
        request
    };
    let count = |request: &Request<()>| {
        let measured = allocation_counter::measure(|| {
            let client = std::net::IpAddr::from([127, 0, 0, 1]);
            let view = CgiView::from(request)
                .server("localhost", 8080)
                .client(client);
            let bytes: usize = view.iter().map(|(_, value)| value.len()).sum();
            assert!(bytes > 300);
            assert!(
                view.get("HTTP_SEC_FETCH_MODE")
                    .is_some_and(|value| *value == *b"navigate")
            );
        });
        measured.count_total
    };
    assert_eq!(count(&request(None, "/hello/John?lang=en")), 0);
    assert_eq!(count(&request(Some("c=d"), "/hello/John?lang=en")), 2);
    assert!(count(&request(None, "/hello/J%C3%B6rg")) > 0);
}
