//! The script that a path leads to.

use std::fs;

use tower::{Layer, Service, ServiceExt};
use tower_cascade::CascadeLayer;
use tower_environ::MountLayer;
use tower_gateway::{FastCgi, GatewayError, Scripts, no_script};

use super::{ask, body, get, program::Program, reason, text};

/// A program that responds with the script and its path.
async fn mirror() -> Program {
    Program::start(|mut connection| async move {
        let map = connection.request().await.map();
        let of = |name: &str| map.get(name).cloned().unwrap_or_default();
        let line = format!(
            "Status: {}\n\n{} {} {}",
            if of("QUERY_STRING") == "404" {
                404
            } else {
                200
            },
            of("SCRIPT_FILENAME").rsplit("/root").next().unwrap(),
            of("SCRIPT_NAME"),
            of("PATH_INFO"),
        );
        connection.stdout(line.as_bytes()).await;
        connection.end(0).await;
    })
    .await
}

struct Site {
    program: Program,
    directory: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        fs::create_dir_all(root.join("sub/deep.php.d")).unwrap();
        fs::create_dir_all(root.join("empty")).unwrap();
        fs::create_dir_all(root.join("dir.php")).unwrap();
        fs::create_dir_all(root.join(".git")).unwrap();
        for file in [
            "index.php",
            "a.php",
            "A.PHP",
            "sub/index.php",
            "sub/b c.php",
            "sub/deep.php.d/x.php",
            "style.css",
            ".git/x.php",
            "\u{e9}.php",
            "a.php.bak",
        ] {
            fs::write(root.join(file), "").unwrap();
        }
        fs::write(directory.path().join("out.php"), "").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::symlink;
            symlink("a.php", root.join("inner.php")).unwrap();
            symlink("../out.php", root.join("outer.php")).unwrap();
            symlink("/nowhere", root.join("broken.php")).unwrap();
            symlink("sub", root.join("inner")).unwrap();
            symlink("..", root.join("outer")).unwrap();
        }
        Self {
            program: mirror().await,
            directory,
        }
    }

    fn scripts(&self) -> Scripts {
        Scripts::php(self.directory.path().join("root"))
    }

    fn service(&self, scripts: Scripts) -> FastCgi {
        FastCgi::connect(&self.program.address)
            .unwrap()
            .scripts(scripts)
    }
}

#[tokio::test]
async fn gateway_7_a_path_is_split_at_the_extension() {
    let site = Site::new().await;
    let service = site.service(site.scripts());
    for (path, expected) in [
        ("/a.php", "/a.php /a.php "),
        ("/a.php/", "/a.php /a.php /"),
        ("/a.php/x/y.php", "/a.php /a.php /x/y.php"),
        ("/a.php//x", "/a.php /a.php //x"),
        ("/%61.php/x%2Fy%20z", "/a.php /a.php /x/y z"),
        ("/a%2Ephp?x=/b.php", "/a.php /a.php "),
        ("/sub/b%20c.php", "/sub/b c.php /sub/b c.php "),
        (
            "/sub/deep.php.d/x.php/1",
            "/sub/deep.php.d/x.php /sub/deep.php.d/x.php /1",
        ),
        ("/%C3%A9.php", "/\u{e9}.php /\u{e9}.php "),
    ] {
        let found = text(ask(&service, get(path)).await).await;
        assert_eq!(found, format!("200 | {expected}"), "{path}");
    }
    for path in [
        "/b.php",
        "/b.php/a.php",
        "/style.css",
        "/x",
        "/a.php.bak",
        "/a.phpx",
        "/A.php",
        "/sub/x",
        "/empty/",
        "/dir.php",
        "/dir.php/",
        "/.git/x.php",
        "//a.php",
        "/./a.php",
        "/sub/../a.php",
        "/sub%2F../a.php",
        "/sub/..%2Fa.php",
        "/sub%2Fb%20c.php",
        "/%2e%2e/out.php",
        "/sub%5Ca.php",
    ] {
        let response = ask(&service, get(path)).await;
        assert_eq!(reason(&response), Some(GatewayError::NoScript), "{path}");
        assert_eq!(
            text(response).await.split(" | ").nth(1),
            Some("there is no script at this path\n")
        );
    }
    // Letters beyond ASCII have no cases here, and the extension is compared byte by byte.
    let response = ask(&service, get("/a.PHP")).await;
    assert_eq!(reason(&response), Some(GatewayError::NoScript));
}

#[tokio::test]
async fn gateway_7_control_characters_are_refused() {
    let site = Site::new().await;
    let service = site.service(site.scripts());
    for path in [
        "/a.php/%00",
        "/a.php%00.css",
        "/%0A",
        "/a.php/x%0D%0Ay",
        "/a.php/%7F",
    ] {
        let response = ask(&service, get(path)).await;
        assert_eq!(
            reason(&response),
            Some(GatewayError::ControlCharacter),
            "{path}"
        );
        assert_eq!(response.status(), 400);
    }
    let one = site.service(Scripts::file("/srv/cgit.cgi"));
    for path in ["/a%00b", "/%0D%0Ax"] {
        let response = ask(&one, get(path)).await;
        assert_eq!(
            reason(&response),
            Some(GatewayError::ControlCharacter),
            "{path}"
        );
    }
    // Programs in C take a NUL for the end of the path.
    let all = FastCgi::connect(&site.program.address).unwrap();
    assert_eq!(ask(&all, get("/a%00b")).await.status(), 400);
    assert_eq!(site.program.connections(), 0);
    assert_eq!(ask(&all, get("/a%0Ab")).await.status(), 200);
}

/// `OPTIONS *` is about the whole server, which is no directory.
#[tokio::test]
async fn gateway_7_a_star_is_no_path() {
    let site = Site::new().await;
    for scripts in [site.scripts(), site.scripts().fallback("/index.php")] {
        let request = http::Request::options("*").body(body("")).unwrap();
        let response = ask(&site.service(scripts), request).await;
        assert_eq!(reason(&response), Some(GatewayError::NoScript));
    }
}

/// What is below the script may go up, but not as the name of a file below the root.
#[tokio::test]
async fn gateway_7_a_rest_that_goes_up_is_not_translated() {
    let program = Program::start(|mut connection| async move {
        let map = connection.request().await.map();
        let line = format!(
            "A: 1\n\n{} {:?}",
            map["PATH_INFO"],
            map.get("PATH_TRANSLATED")
        );
        connection.stdout(line.as_bytes()).await;
        connection.end(0).await;
    })
    .await;
    let site = Site::new().await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .scripts(site.scripts());
    for path in ["/a.php/../x", "/a.php/%2e%2e/x", "/a.php/x%2F..%2F.."] {
        let found = text(ask(&service, get(path)).await).await;
        assert!(found.ends_with(" None"), "{path}: {found}");
    }
    let found = text(ask(&service, get("/a.php/..x")).await).await;
    assert!(found.ends_with("/..x\")"), "{found}");
}

#[tokio::test]
async fn gateway_9_a_rejection_of_a_head_states_its_length() {
    let site = Site::new().await;
    let service = site.service(site.scripts());
    let request = http::Request::head("/x").body(body("")).unwrap();
    let found = text(ask(&service, request).await).await;
    let get = text(ask(&service, get("/x")).await).await;
    let length = get.split(" | ").nth(1).unwrap().len();
    assert!(
        found.contains(&format!(" content-length={length} ")),
        "{found}"
    );
    assert!(found.ends_with(" | "));
}

#[cfg(unix)]
#[tokio::test]
async fn gateway_8_a_script_is_below_the_root() {
    let site = Site::new().await;
    let inside = site.service(site.scripts());
    let linked = site.service(site.scripts().follow_links());
    let remote = site.service(site.scripts().remote_root());
    for (path, expected) in [
        ("/inner.php", [200, 200, 200]),
        ("/outer.php", [404, 200, 200]),
        ("/broken.php", [404, 404, 200]),
        ("/inner/index.php", [200, 200, 200]),
        ("/outer/out.php", [404, 200, 200]),
        ("/outer/root/a.php", [200, 200, 200]),
        ("/missing.php/x", [404, 404, 200]),
        ("/style.css", [404, 404, 404]),
        ("/../out.php", [404, 404, 404]),
        ("/missing/", [404, 404, 200]),
    ] {
        for (service, expected) in [&inside, &linked, &remote].into_iter().zip(expected) {
            assert_eq!(ask(service, get(path)).await.status(), expected, "{path}");
        }
    }
}

#[tokio::test]
async fn gateway_9_a_directory_has_an_index() {
    let site = Site::new().await;
    let service = site.service(site.scripts());
    for (path, expected) in [
        ("/", "200 | /index.php /index.php "),
        ("/sub/", "200 | /sub/index.php /sub/index.php "),
        ("/sub/?x=1", "200 | /sub/index.php /sub/index.php "),
        ("/sub", "307 location=/sub/ | "),
        ("/sub?a=%20b", "307 location=/sub/?a=%20b | "),
    ] {
        assert_eq!(
            text(ask(&service, get(path)).await).await,
            expected,
            "{path}"
        );
    }
    let mounted = MountLayer::new("/wiki").unwrap().layer(service);
    for (path, expected) in [
        ("/wiki", "307 location=/wiki/ | "),
        ("/wiki?x", "307 location=/wiki/?x | "),
        ("/wiki/sub", "307 location=/wiki/sub/ | "),
        ("/wiki/", "200 | /index.php /wiki/index.php "),
        ("/wiki/a.php/x", "200 | /a.php /wiki/a.php /x"),
    ] {
        let response = mounted.clone().oneshot(get(path)).await.unwrap();
        let (head, body) = response.into_parts();
        let location = head
            .headers
            .get("location")
            .map(|value| format!(" location={}", value.to_str().unwrap()));
        let bytes = http_body_util::BodyExt::collect(body)
            .await
            .unwrap()
            .to_bytes();
        let found = format!(
            "{}{} | {}",
            head.status.as_u16(),
            location.unwrap_or_default(),
            std::str::from_utf8(&bytes).unwrap()
        );
        assert_eq!(found, expected, "{path}");
    }
}

#[tokio::test]
async fn gateway_9_a_fallback_takes_all_other_paths() {
    let site = Site::new().await;
    let service = site.service(site.scripts().fallback("/index.php"));
    for (path, expected) in [
        ("/news/today", "200 | /index.php /index.php "),
        ("/a.php/x", "200 | /a.php /a.php /x"),
        ("/missing.php", "200 | /index.php /index.php "),
    ] {
        assert_eq!(
            text(ask(&service, get(path)).await).await,
            expected,
            "{path}"
        );
    }
    let service = site.service(site.scripts().fallback("/missing.php"));
    let response = ask(&service, get("/x")).await;
    assert_eq!(reason(&response), Some(GatewayError::NoScript));
}

/// The source of a script that responds with 404 must not be sent by what comes next.
#[tokio::test]
async fn gateway_9_only_a_path_without_a_script_falls_through() {
    let site = Site::new().await;
    let files = tower::service_fn(
        async |_: http::Request<tower_cascade::ReplayBody<super::Body>>| {
            Ok::<_, std::convert::Infallible>(http::Response::new(body("a file")))
        },
    );
    let php = site.service(site.scripts());
    let mut cascade = CascadeLayer::new(php)
        .statuses([])
        .unwrap()
        .fall_through_if(no_script)
        .layer(files);
    for (path, expected) in [("/style.css", 200), ("/a.php?404", 404), ("/a.php", 200)] {
        let response = cascade
            .ready()
            .await
            .unwrap()
            .call(get(path))
            .await
            .unwrap();
        assert_eq!(response.status(), expected, "{path}");
    }
}
