use std::{fs, path::PathBuf};

use http::{Method, Request, StatusCode};
use tower_deploy::{App, Loader, Registry};

use super::{ask, get, header};

/// A folder of files that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let name = format!("tower-deploy-static-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        for (path, text) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    fn load(&self, file: &str) -> App {
        let loader = Loader::new(Registry::standard()).relative_to(&self.0);
        loader.load_app(&format!("config:{file}")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const STATIC: &str = "[app:main]\nuse = egg:tower#static\ndocument_root = %(here)s/www\n";

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
        for method in [Method::GET, Method::HEAD, Method::PUT] {
            let request = Request::builder().method(method).uri(parts.uri.clone());
            let response = ask(&app, request).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            assert_eq!(response.body(), "", "{path}");
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
    assert_eq!(header(&get(&app, "/nowhere").await, "cache-control"), None);
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
