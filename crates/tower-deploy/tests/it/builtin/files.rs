//! The app `static`: its settings, and the files of the site that it does not serve.

use std::{fs, path::PathBuf};

use http::{Request, StatusCode};
use tower_deploy::{App, Loader, Registry};

use super::{ask, get, header};

/// A directory of files that is removed after the test.
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

#[tokio::test]
async fn deploy_22_configuration_files_are_not_served() {
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
    // Other files are served.
    assert_eq!(get(&app, "/other.json").await.body(), "{}");
    assert_eq!(get(&app, "/conf/other.ini").await.body(), "text");
    // Another name does not help, and neither does the page of a directory.
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

/// The page was sent at the path without the slash, so its relative links led beside it.
#[tokio::test]
async fn the_path_of_a_map_gets_its_slash() {
    let main = format!(
        "[composite:main]\nuse = egg:tower#urlmap\n/s = files\n{}",
        STATIC.replace("app:main", "app:files")
    );
    let files = [("main.ini", &*main), ("www/index.html", "<p>hello")];
    let folder = Folder::new("map", &files);
    let app = folder.load("main.ini");
    for (path, status, location) in [
        ("/s", 307, Some("/s/")),
        ("/s?a=b", 307, Some("/s/?a=b")),
        ("/s/", 200, None),
    ] {
        let response = get(&app, path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(header(&response, "location"), location, "{path}");
    }
}

#[tokio::test]
async fn deploy_22_the_file_of_the_server_is_not_served() {
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

#[test]
fn deploy_23_a_missing_directory_is_an_error_at_its_setting() {
    let folder = Folder::new("missing", &[("main.ini", STATIC)]);
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

#[test]
fn deploy_23_an_invalid_charset_is_an_error_at_its_setting() {
    let file = format!("{STATIC}charset = a b\n");
    let folder = Folder::new("charset", &[("wrong.ini", &file), ("www/a.txt", "a")]);
    let loader = Loader::new(Registry::standard()).relative_to(&folder.0);
    let error = loader.load_app("config:wrong.ini").unwrap_err().to_string();
    assert!(error.ends_with("wrong.ini:4:11: [app:main] charset: \"a b\" is not the name of a charset (write one such as utf-8, or none)"), "{error}");
}

#[tokio::test]
async fn deploy_23_each_setting_of_static_is_passed_on() {
    let folder = Folder::new(
        "settings",
        &[
            ("main.ini", STATIC),
            ("www/index.html", "<p>hello"),
            ("www/.env", "dotfile"),
            ("www/.well-known/token", "proof"),
        ],
    );
    for (setting, path, status, name, value) in [
        (
            "cache_max_age = 60",
            "/",
            200,
            "cache-control",
            Some("max-age=60"),
        ),
        (
            "charset = none",
            "/",
            200,
            "content-type",
            Some("text/html"),
        ),
        (
            "charset = latin1",
            "/",
            200,
            "content-type",
            Some("text/html; charset=latin1"),
        ),
        ("index = no", "/", 404, "allow", None),
        ("well_known = yes", "/.well-known/token", 200, "allow", None),
        ("well_known = yes", "/.env", 404, "allow", None),
        ("dotfiles = yes", "/.env", 200, "allow", None),
        (
            "precompressed = br",
            "/",
            200,
            "vary",
            Some("accept-encoding"),
        ),
    ] {
        fs::write(folder.0.join("set.ini"), format!("{STATIC}{setting}\n")).unwrap();
        let response = get(&folder.load("set.ini"), path).await;
        assert_eq!(response.status(), status, "{setting}");
        assert_eq!(header(&response, name), value, "{setting}");
    }
}

#[tokio::test]
async fn the_order_of_precompressed_decides() {
    let folder = Folder::new(
        "precompressed",
        &[
            ("www/a.js", "plain"),
            ("www/a.js.br", "brotli"),
            ("www/a.js.zst", "zstandard"),
            ("www/a.js.gz", "gzip"),
        ],
    );
    for (list, body, coding) in [
        ("br zstd gzip", "brotli", Some("br")),
        ("zstd br", "zstandard", Some("zstd")),
        ("gzip", "gzip", Some("gzip")),
        ("", "plain", None),
    ] {
        let file = format!("{STATIC}precompressed = {list}\n");
        fs::write(folder.0.join("set.ini"), file).unwrap();
        let request = Request::get("/a.js").header("accept-encoding", "gzip, br, zstd");
        let response = ask(&folder.load("set.ini"), request).await;
        assert_eq!(response.body(), body, "{list}");
        assert_eq!(header(&response, "content-encoding"), coding, "{list}");
    }
    fs::write(
        folder.0.join("wrong.ini"),
        format!("{STATIC}precompressed = gz\n"),
    )
    .unwrap();
    let loader = Loader::new(Registry::standard()).relative_to(&folder.0);
    let error = loader.load_app("config:wrong.ini").unwrap_err().to_string();
    assert!(
        error.contains("wrong.ini:4:17: [app:main] precompressed: "),
        "{error}"
    );
}

/// A request for a kept file reads nothing, which the system counts.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn deploy_23_the_content_cache_can_be_switched_off() {
    let reads = || {
        let counters = fs::read_to_string("/proc/thread-self/io").ok()?;
        let mut lines = counters.lines();
        lines.find_map(|line| line.strip_prefix("syscr: ")?.parse::<u64>().ok())
    };
    if reads().is_none() {
        eprintln!("the system does not count what a thread reads");
        return;
    }
    let folder = Folder::new("content-cache", &[("www/a.txt", "text")]);
    // A file that has just changed is not kept.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    for (setting, expected) in [("", 0), ("content_cache = 0", 1), ("content_cache = 4", 0)] {
        fs::write(folder.0.join("set.ini"), format!("{STATIC}{setting}\n")).unwrap();
        let app = folder.load("set.ini");
        get(&app, "/a.txt").await;
        let before = reads().unwrap();
        assert_eq!(get(&app, "/a.txt").await.body(), "text");
        let (after, again) = (reads().unwrap(), reads().unwrap());
        // To look at the counter reads, too.
        assert_eq!(after - before - (again - after), expected, "{setting}");
    }
}
