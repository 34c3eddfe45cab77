//! The app `static`: its settings, and the files of the site that it does not serve.

use std::{fs, path::PathBuf};

use http::StatusCode;
use tower_deploy::{App, Loader, Registry};

use super::{get, header};

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

#[test]
fn a_folder_that_is_not_there_is_an_error_with_its_place() {
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
fn a_charset_that_is_no_name_is_an_error_with_its_place() {
    let file = format!("{STATIC}charset = a b\n");
    let folder = Folder::new("charset", &[("wrong.ini", &file), ("www/a.txt", "a")]);
    let loader = Loader::new(Registry::standard()).relative_to(&folder.0);
    let error = loader.load_app("config:wrong.ini").unwrap_err().to_string();
    assert!(error.ends_with("wrong.ini:4:11: [app:main] charset: \"a b\" is not the name of a charset (write one such as utf-8, or none)"), "{error}");
}

#[tokio::test]
async fn each_setting_is_passed_on() {
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
    ] {
        fs::write(folder.0.join("set.ini"), format!("{STATIC}{setting}\n")).unwrap();
        let response = get(&folder.load("set.ini"), path).await;
        assert_eq!(response.status(), status, "{setting}");
        assert_eq!(header(&response, name), value, "{setting}");
    }
}
