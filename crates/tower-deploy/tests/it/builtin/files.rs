use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_deploy::{App, Body, Loader, Registry};

use super::{ask, get, header};

/// A folder of files that is gone when the test is over.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let name = format!("tower-deploy-static-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        for (path, text) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    /// Sets a file's time, in seconds since 1970.
    pub(super) fn set_time(&self, path: &str, seconds: i64) {
        let since = Duration::from_secs(seconds.unsigned_abs());
        let time = match seconds < 0 {
            true => SystemTime::UNIX_EPOCH - since,
            false => SystemTime::UNIX_EPOCH + since,
        };
        let file = fs::File::options().write(true).open(self.0.join(path));
        file.unwrap().set_modified(time).unwrap();
    }

    pub(super) fn load(&self, file: &str) -> App {
        let loader = Loader::new(Registry::standard()).relative_to(&self.0);
        loader.load_app(&format!("config:{file}")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) const STATIC: &str =
    "[app:main]\nuse = egg:tower#static\ndocument_root = %(here)s/www\n";

/// A site whose files lie beside what nobody should see.
fn folder(name: &str) -> Folder {
    Folder::new(
        name,
        &[
            ("main.ini", STATIC),
            ("secret.txt", "top secret"),
            ("www/index.html", "<p>hello"),
            ("www/a b.txt", "a b"),
            ("www/sub/index.html", "<p>sub"),
            ("www/sub/deep.txt", "deep"),
            ("www/.env", "top secret"),
            ("www/.git/config", "top secret"),
            ("www/sub/.htpasswd", "top secret"),
        ],
    )
}

#[tokio::test]
async fn files_and_folders_are_served() {
    let folder = folder("served");
    let app = folder.load("main.ini");
    for (path, text) in [
        ("/", "<p>hello"),
        ("/index.html", "<p>hello"),
        ("/a%20b.txt", "a b"),
        ("/sub/", "<p>sub"),
        ("/sub/deep.txt", "deep"),
        ("/%73ub/deep.txt", "deep"),
    ] {
        let response = get(&app, path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.body(), text, "{path}");
    }
    let head = ask(&app, Request::head("/a%20b.txt")).await;
    assert_eq!(header(&head, "content-length"), Some("3"));
    assert_eq!(head.body(), "");
    let range = ask(
        &app,
        Request::get("/sub/deep.txt").header("range", "bytes=1-2"),
    )
    .await;
    assert_eq!(range.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(range.body(), "ee");
}

#[tokio::test]
async fn no_spelling_leads_out_of_the_folder() {
    let folder = folder("traversal");
    let app = folder.load("main.ini");
    for path in [
        "/../secret.txt",
        "/sub/../../secret.txt",
        "/..",
        "/../",
        "/%2e%2e/secret.txt",
        "/%2E%2E/secret.txt",
        "/.%2e/secret.txt",
        "/%2e./secret.txt",
        "/..%2fsecret.txt",
        "/..%2Fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/sub/..%2f..%2fsecret.txt",
        "/..\\secret.txt",
        "/..%5csecret.txt",
        "/%2e%2e%5csecret.txt",
        "/%252e%252e/secret.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/%e0%80%ae%e0%80%ae/secret.txt",
        "//../secret.txt",
        "/./../secret.txt",
        "/%2fetc%2fpasswd",
        "//etc/passwd",
        "/sub%2fdeep.txt",
        "/../secret.txt%00.html",
        "/secret.txt%00",
        "/..;/secret.txt",
        "/....//secret.txt",
        "/C:/secret.txt",
        "/file:///etc/passwd",
        "/~/secret.txt",
    ] {
        let Ok(request) = Request::get(path).body(()) else {
            continue;
        };
        let (parts, ()) = request.into_parts();
        for (method, body) in [
            (Method::GET, "404 Not Found\n"),
            (Method::HEAD, ""),
            (Method::PUT, "404 Not Found\n"),
        ] {
            let request = Request::builder().method(method).uri(parts.uri.clone());
            let response = ask(&app, request).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            assert_eq!(response.body(), body, "{path}");
        }
    }
}

#[tokio::test]
async fn dotfiles_are_not_there_unless_the_file_says_so() {
    let folder = folder("dotfiles");
    let app = folder.load("main.ini");
    let hidden = [
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/sub/.htpasswd",
        "/.",
        "/./index.html",
    ];
    for path in hidden {
        assert_eq!(
            get(&app, path).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    fs::write(
        folder.0.join("open.ini"),
        format!("{STATIC}dotfiles = true\n"),
    )
    .unwrap();
    let open = folder.load("open.ini");
    assert_eq!(get(&open, "/.env").await.body(), "top secret");
    for path in ["/../secret.txt", "/%2e%2e/secret.txt", "/./index.html"] {
        assert_eq!(
            get(&open, path).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_files_that_say_what_is_served_are_not() {
    let here = STATIC.replace("%(here)s/www", "%(here)s");
    let json = r#"{"ROUTER": {"urlpatterns": {"^/x": {"GET": "tower#panic"}}}}"#;
    let folder = Folder::new(
        "ini",
        &[
            (
                "main.ini",
                "[composite:main]\nuse = egg:tower#urlmap\n/ = config:conf/files.ini\n/r = router\n[composite:router]\nuse = egg:tower#router\njson = routes.json\n",
            ),
            ("conf/files.ini", &here.replace("%(here)s", "%(here)s/..")),
            ("conf/other.ini", "text"),
            ("routes.json", json),
            ("other.json", "{}"),
        ],
    );
    let app = folder.load("main.ini");
    for path in [
        "/main.ini",
        "/conf/files.ini",
        "/routes.json",
        "/%6dain.ini",
        "//main.ini",
        "/conf//files.ini",
    ] {
        let response = get(&app, path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    // Only those.
    assert_eq!(get(&app, "/other.json").await.body(), "{}");
    assert_eq!(get(&app, "/conf/other.ini").await.body(), "text");
    // Nor by another name, nor as a folder's page.
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.0.join("conf"), folder.0.join("link")).unwrap();
        std::os::unix::fs::symlink(folder.0.join("main.ini"), folder.0.join("readme.txt")).unwrap();
        fs::hard_link(folder.0.join("routes.json"), folder.0.join("hard.json")).unwrap();
        fs::create_dir(folder.0.join("sub")).unwrap();
        std::os::unix::fs::symlink(folder.0.join("main.ini"), folder.0.join("sub/index.html"))
            .unwrap();
        for path in ["/link/files.ini", "/readme.txt", "/hard.json", "/sub/"] {
            let response = get(&app, path).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}

#[tokio::test]
async fn the_file_that_only_the_server_is_in_is_not_served() {
    let file = format!(
        "{}\n[server:main]\nuse = config:server.ini\n",
        STATIC.replace("/www", "")
    );
    let folder = Folder::new(
        "server",
        &[
            ("main.ini", &file),
            ("server.ini", "[server:main]\nuse = egg:tower#http\n"),
        ],
    );
    let app = folder.load("main.ini");
    assert_eq!(
        get(&app, "/server.ini").await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_no_file_can_be_is_not_there_and_what_is_no_file_is_not_opened() {
    let folder = folder("odd");
    let app = folder.load("main.ini");
    for path in [
        format!("/{}", "a".repeat(300)),
        format!("/{}", "a/".repeat(5000)),
        "/index.html/x".to_owned(),
    ] {
        assert_eq!(get(&app, &path).await.status(), StatusCode::NOT_FOUND);
    }
    #[cfg(unix)]
    {
        // Nobody writes into it, so whoever opens it waits.
        let pipe = folder.0.join("www/pipe");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(pipe)
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(get(&app, "/pipe").await.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn other_methods_are_404_where_there_is_no_file_and_405_where_there_is() {
    let folder = folder("methods");
    let app = folder.load("main.ini");
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let nowhere = ask(&app, Request::builder().method(method).uri("/nowhere")).await;
        assert_eq!(nowhere.status(), StatusCode::NOT_FOUND, "{method}");
        assert_eq!(header(&nowhere, "allow"), None);
        let there = ask(&app, Request::builder().method(method).uri("/sub/deep.txt")).await;
        assert_eq!(there.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(header(&there, "allow"), Some("GET, HEAD"));
        let folder = ask(&app, Request::builder().method(method).uri("/sub")).await;
        assert_eq!(folder.status(), StatusCode::NOT_FOUND, "{method}");
    }
}

#[tokio::test]
async fn a_folder_is_redirected_to_where_it_is_seen_and_never_to_another_host() {
    let folder = folder("redirect");
    let app = folder.load("main.ini");
    let location = |path: &'static str, app: App| async move {
        let response = get(&app, path).await;
        assert!(response.status().is_redirection(), "{path}");
        header(&response, "location").map(str::to_owned)
    };
    assert_eq!(
        location("/sub", app.clone()).await.as_deref(),
        Some("/sub/")
    );
    assert_eq!(
        location("/sub?a=b", app.clone()).await.as_deref(),
        Some("/sub/?a=b")
    );
    assert_eq!(location("//sub", app).await.as_deref(), Some("/sub/"));
    let mounted = format!(
        "{STATIC}filter-with = mount\n[filter:mount]\nuse = egg:tower#mount\npath = /files\n"
    );
    fs::write(folder.0.join("mounted.ini"), mounted).unwrap();
    let mounted = folder.load("mounted.ini");
    assert_eq!(
        location("/files/sub", mounted).await.as_deref(),
        Some("/files/sub/")
    );
}

#[tokio::test]
async fn how_long_files_may_be_kept_is_said() {
    let folder = folder("cache");
    fs::write(
        folder.0.join("cached.ini"),
        format!("{STATIC}cache_max_age = 60\n"),
    )
    .unwrap();
    let app = folder.load("cached.ini");
    let response = get(&app, "/index.html").await;
    assert_eq!(header(&response, "cache-control"), Some("max-age=60"));
    let nowhere = get(&app, "/nowhere").await;
    assert_eq!(header(&nowhere, "cache-control"), Some("no-store"));
    let since = header(&response, "last-modified").unwrap();
    let again = ask(
        &app,
        Request::get("/index.html").header("if-modified-since", since),
    )
    .await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(header(&again, "cache-control"), Some("max-age=60"));
}

#[tokio::test]
async fn a_folder_is_its_index_unless_the_file_says_no() {
    let folder = folder("index");
    fs::write(folder.0.join("bare.ini"), format!("{STATIC}index = no\n")).unwrap();
    let app = folder.load("bare.ini");
    for path in ["/", "/sub/", "/sub"] {
        let response = get(&app, path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(get(&app, "/sub/deep.txt").await.body(), "deep");
}

#[test]
fn a_folder_that_is_not_there_is_an_error_with_its_place() {
    let folder = folder("missing");
    fs::write(folder.0.join("wrong.ini"), STATIC.replace("www", "wwww")).unwrap();
    let loader = Loader::new(Registry::standard()).relative_to(&folder.0);
    let error = loader.load_app("config:wrong.ini").unwrap_err().to_string();
    let here = folder.0.display();
    assert_eq!(
        error,
        format!(
            "{here}/wrong.ini:3:17: [app:main] document_root: {here}/wwww: No such file or directory (os error 2) (name a folder that is there)"
        )
    );
}

/// The times that builds and archives set for all files: none, Nix's, npm's, one of a commit.
const SET_TIMES: [i64; 5] = [-86400, 0, 1, 499_162_500, 1_600_000_000];

#[tokio::test]
async fn a_time_that_is_set_confirms_no_other_content() {
    let folder = folder("set-times");
    let app = folder.load("main.ini");
    // Large files are not hashed, so that both kinds are tried.
    for length in [4, 2 << 20] {
        for seconds in SET_TIMES {
            let write = |byte: &str| {
                let file = folder.0.join("www/sub/deep.txt");
                fs::remove_file(&file).unwrap();
                fs::write(&file, byte.repeat(length)).unwrap();
                folder.set_time("www/sub/deep.txt", seconds);
            };
            write("a");
            let first = get(&app, "/sub/deep.txt").await;
            assert_eq!(first.status(), StatusCode::OK, "{seconds}");
            let etag = header(&first, "etag").unwrap();
            let with_tag = || Request::get("/sub/deep.txt").header("if-none-match", etag);
            let same = ask(&app, with_tag()).await;
            assert_eq!(same.status(), StatusCode::NOT_MODIFIED, "{seconds}");
            write("b");
            let other = ask(&app, with_tag()).await;
            assert_eq!(other.status(), StatusCode::OK, "{seconds}");
            assert_ne!(header(&other, "etag"), Some(etag), "{seconds}");
            assert_eq!(other.body().first(), Some(&b'b'), "{seconds}");
            // Such a date confirms nothing either; one from before the web is not even named.
            let date = header(&first, "last-modified");
            assert_eq!(date.is_some(), seconds == 1_600_000_000, "{seconds}");
            let since = "Thu, 01 Jan 1970 00:00:01 GMT";
            let since = Request::get("/sub/deep.txt").header("if-modified-since", since);
            assert_eq!(ask(&app, since).await.status(), StatusCode::OK, "{seconds}");
        }
    }
}

#[tokio::test]
async fn a_time_in_the_future_is_now() {
    let folder = folder("future");
    let app = folder.load("main.ini");
    // The year 12000 has no HTTP date.
    for seconds in [4_000_000_000, 316_000_000_000] {
        folder.set_time("www/sub/deep.txt", seconds);
        let response = get(&app, "/sub/deep.txt").await;
        assert_eq!(response.body(), "deep", "{seconds}");
        let since = header(&response, "last-modified").unwrap();
        assert!(!since.contains("2096"), "{since}");
    }
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_keeps_to_its_length() {
    let folder = folder("changes");
    let app = folder.load("main.ini");
    let file = folder.0.join("www/sub/deep.txt");
    let body = async |range: Option<&str>, then: &str| {
        fs::write(&file, "x".repeat(300_000)).unwrap();
        let mut request = Request::get("/sub/deep.txt");
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let request = request.body(Body::default()).unwrap();
        let Ok(response) = app.clone().oneshot(request).await;
        fs::write(&file, then).unwrap();
        let length = response.headers()["content-length"].to_str().unwrap();
        let length: usize = length.parse().unwrap();
        (length, response.into_body().collect().await)
    };
    let longer = "x".repeat(400_000);
    for range in [None, Some("bytes=100-"), Some("bytes=10-19")] {
        let (length, grown) = body(range, &longer).await;
        assert_eq!(grown.unwrap().to_bytes().len(), length, "{range:?}");
    }
    for range in [None, Some("bytes=100-")] {
        let (_, shrunk) = body(range, "xxx").await;
        let error = shrunk.unwrap_err().to_string();
        assert_eq!(error, "the file is shorter than it was", "{range:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_may_not_be_read_is_403() {
    let folder = folder("unreadable");
    // No user may read it, root included.
    let closed = "/proc/sys/vm/drop_caches";
    std::os::unix::fs::symlink(closed, folder.0.join("www/closed.txt")).unwrap();
    let app = folder.load("main.ini");
    for method in [Method::GET, Method::HEAD] {
        let request = Request::builder().method(method).uri("/closed.txt");
        assert_eq!(ask(&app, request).await.status(), StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn text_files_in_utf_8_name_it() {
    let folder = folder("charset");
    let long = format!("{}\u{fc}", "x".repeat((64 << 10) - 1));
    let write =
        |name: &str, bytes: &[u8]| fs::write(folder.0.join("www").join(name), bytes).unwrap();
    write("ascii.txt", b"abc");
    write("utf8.md", "\u{fc}".as_bytes());
    write("cut.html", long.as_bytes());
    write("latin1.txt", b"\xfc");
    write("half.txt", b"abc\xc3");
    write("empty.css", b"");
    write("data.json", b"{}");
    write("noext", b"abc");
    let write_ini = |name: &str, charset: &str| {
        fs::write(
            folder.0.join(name),
            format!("{STATIC}charset = {charset}\n"),
        )
        .unwrap();
        folder.load(name)
    };
    let found = folder.load("main.ini");
    let (none, fixed) = (
        write_ini("none.ini", "none"),
        write_ini("latin.ini", "windows-1252"),
    );
    for (path, by_look, with_none, with_fixed) in [
        (
            "/ascii.txt",
            "text/plain; charset=utf-8",
            "text/plain",
            "text/plain; charset=windows-1252",
        ),
        (
            "/utf8.md",
            "text/markdown; charset=utf-8",
            "text/markdown",
            "text/markdown; charset=windows-1252",
        ),
        (
            "/cut.html",
            "text/html; charset=utf-8",
            "text/html",
            "text/html; charset=windows-1252",
        ),
        (
            "/latin1.txt",
            "text/plain",
            "text/plain",
            "text/plain; charset=windows-1252",
        ),
        (
            "/half.txt",
            "text/plain",
            "text/plain",
            "text/plain; charset=windows-1252",
        ),
        (
            "/empty.css",
            "text/css; charset=utf-8",
            "text/css",
            "text/css; charset=windows-1252",
        ),
        (
            "/data.json",
            "application/json",
            "application/json",
            "application/json",
        ),
        (
            "/noext",
            "application/octet-stream",
            "application/octet-stream",
            "application/octet-stream",
        ),
    ] {
        for (app, expected) in [(&found, by_look), (&none, with_none), (&fixed, with_fixed)] {
            for method in [Method::GET, Method::HEAD] {
                let request = Request::builder().method(method).uri(path);
                let response = ask(app, request).await;
                assert_eq!(header(&response, "content-type"), Some(expected), "{path}");
            }
        }
    }
    // The bytes that were looked at are sent, too.
    assert_eq!(get(&found, "/cut.html").await.body(), &long);
    let loader = Loader::new(Registry::standard()).relative_to(&folder.0);
    fs::write(
        folder.0.join("wrong.ini"),
        format!("{STATIC}charset = a b\n"),
    )
    .unwrap();
    let error = loader.load_app("config:wrong.ini").unwrap_err().to_string();
    assert!(error.ends_with("wrong.ini:4:11: [app:main] charset: \"a b\" is not the name of a charset (write one such as utf-8, or none)"), "{error}");
}

#[tokio::test]
async fn well_known_can_be_open_without_dotfiles() {
    let folder = Folder::new(
        "well-known",
        &[
            ("main.ini", STATIC),
            ("open.ini", &format!("{STATIC}well_known = yes\n")),
            ("www/.well-known/acme-challenge/token", "proof"),
            ("www/.well-known/.secret", "top secret"),
            ("www/sub/.well-known/x", "top secret"),
            ("www/.env", "top secret"),
        ],
    );
    let (closed, open) = (folder.load("main.ini"), folder.load("open.ini"));
    let token = "/.well-known/acme-challenge/token";
    assert_eq!(get(&closed, token).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(get(&open, token).await.body(), "proof");
    for path in [
        "/.well-known/.secret",
        "/sub/.well-known/x",
        "/.env",
        "/.well-known/../.env",
    ] {
        assert_eq!(
            get(&open, path).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

/// Up to 1 MiB, the tag of a file whose time was set is a hash of all of its content.
#[tokio::test]
async fn the_tag_of_a_file_is_made_of_up_to_1_mib() {
    let folder = folder("hashed");
    let app = folder.load("main.ini");
    for (length, tag) in [
        (100_000, Some("\"6d1cf22d7cc09b085dfc25ee1a1f3ae0\"")),
        (1 << 20, Some("\"9bc1b2a288b26af7257a36277ae3816a\"")),
        ((1 << 20) + 1, None),
    ] {
        fs::write(folder.0.join("www/sub/deep.txt"), "a".repeat(length)).unwrap();
        folder.set_time("www/sub/deep.txt", 1);
        let response = get(&app, "/sub/deep.txt").await;
        let found = header(&response, "etag");
        match tag {
            Some(tag) => assert_eq!(found, Some(tag), "{length}"),
            None => assert!(
                found.is_none_or(|found| found.starts_with("\"c")),
                "{found:?}"
            ),
        }
    }
}
