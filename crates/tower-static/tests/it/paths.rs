//! Which paths lead to a file.

use std::fs;

use http::{Method, Request, StatusCode};

use super::{Directory, ask, get, header, site};

#[tokio::test]
async fn static_1_files_and_directories_are_served() {
    let site = site("served");
    let app = site.files();
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
    // A file is no directory, and an encoded slash is no slash.
    for path in [
        "/index.html/",
        "/sub/deep.txt/",
        "/sub%2F",
        "/sub%2fdeep.txt",
    ] {
        let response = get(&app, path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let index = get(&app, "/sub/index.html").await;
    assert_eq!(
        (index.status(), &**index.body()),
        (StatusCode::OK, &b"<p>sub"[..])
    );
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
async fn static_1_no_spelling_leads_out_of_the_directory() {
    let site = site("traversal");
    let app = site.files();
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
async fn static_2_dotfiles_are_opt_in() {
    let site = site("dotfiles");
    let app = site.files();
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
    let open = site.files().dotfiles();
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
async fn static_1_only_files_are_read() {
    let site = site("odd");
    let app = site.files();
    for path in [
        format!("/{}", "a".repeat(300)),
        format!("/{}", "a/".repeat(5000)),
        "/index.html/x".to_owned(),
        "/index.html/".to_owned(),
    ] {
        assert_eq!(get(&app, &path).await.status(), StatusCode::NOT_FOUND);
    }
    #[cfg(unix)]
    {
        // No program writes into it, so an open would wait.
        let pipe = site.0.join("www/pipe");
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
async fn static_2_well_known_can_be_open_without_dotfiles() {
    let site = Directory::new(
        "well-known",
        &[
            ("www/.well-known/acme-challenge/token", "proof"),
            ("www/.well-known/.secret", "top secret"),
            ("www/sub/.well-known/x", "top secret"),
            ("www/.env", "top secret"),
        ],
    );
    let (closed, open) = (site.files(), site.files().well_known());
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

#[tokio::test]
async fn static_2_a_hidden_file_is_not_served_by_any_name() {
    let site = site("hidden");
    let paths = ["www/sub/deep.txt", "www/nowhere", "secret.txt"];
    let files = site.files().hidden(paths.map(|path| site.0.join(path)));
    for path in ["/sub/deep.txt", "/%73ub/deep.txt", "//sub//deep.txt"] {
        let response = get(&files, path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(get(&files, "/index.html").await.body(), "<p>hello");
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;

        symlink(site.0.join("www/sub"), site.0.join("www/link")).unwrap();
        symlink(site.0.join("secret.txt"), site.0.join("www/readme.txt")).unwrap();
        fs::hard_link(site.0.join("secret.txt"), site.0.join("www/hard.txt")).unwrap();
        fs::create_dir(site.0.join("www/dir")).unwrap();
        symlink(site.0.join("secret.txt"), site.0.join("www/dir/index.html")).unwrap();
        for path in ["/link/deep.txt", "/readme.txt", "/hard.txt", "/dir/"] {
            let response = get(&files, path).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}

/// They were looked up in the directory that the process runs in.
#[tokio::test]
async fn static_2_a_relative_hidden_file_is_below_the_directory() {
    let site = site("relative");
    let files = site.files().hidden(["sub/deep.txt", "../secret.txt"]);
    assert_eq!(get(&files, "/sub/deep.txt").await.status(), 404);
    assert_eq!(get(&files, "/index.html").await.body(), "<p>hello");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(site.0.join("secret.txt"), site.0.join("www/link.txt")).unwrap();
        assert_eq!(get(&files, "/link.txt").await.status(), 404);
    }
}
