//! The apps `fastcgi`, `scgi` and `cgi`. tower-gateway tests the rest.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use super::*;

/// Writes executable scripts into a directory.
fn scripts(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = directory.path().canonicalize().unwrap();
    (directory, path)
}

async fn body(app: &App, path: &str) -> (u16, String) {
    let response = get(app, path).await;
    let text = String::from_utf8(response.body().to_vec()).unwrap();
    (response.status().as_u16(), text)
}

#[tokio::test]
async fn deploy_63_a_script_of_its_own_404_is_final() {
    let (_kept, root) = scripts(&[("a.cgi", "echo Status: 404; echo; echo from the script")]);
    fs::write(root.join("style.css"), "a {}").unwrap();
    let app = site(&format!(
        "[composite:main]\nuse = egg:tower#cascade\napp1 = cgi\napp2 = files\n\
         [app:cgi]\nuse = egg:tower#cgi\ndocument_root = {0}\n\
         [app:files]\nuse = egg:tower#static\ndocument_root = {0}",
        root.display()
    ));
    assert_eq!(
        body(&app, "/a.cgi").await,
        (404, "from the script\n".to_owned())
    );
    assert_eq!(body(&app, "/style.css").await, (200, "a {}".to_owned()));
    assert_eq!(body(&app, "/missing.cgi").await.0, 404);
}

#[tokio::test]
async fn deploy_63_settings_reach_the_program() {
    let script = "echo A: 1; echo; echo $1 $2 $MODE $SCRIPT_NAME $PATH_INFO";
    let (_kept, root) = scripts(&[("a.cgi", script), ("loop.cgi", "echo Location: /x; echo")]);
    let app = site(&format!(
        "[composite:main]\nuse = egg:tower#urlmap\n/a = a\n/loop = loop\n\
         [app:a]\nuse = egg:tower#cgi\nscript = {0}/a.cgi\narguments = one two\n\
         env = MODE=live OTHER=x=y\n\
         [app:loop]\nuse = egg:tower#cgi\nscript = {0}/loop.cgi\nlocal_redirects = 0",
        root.display()
    ));
    assert_eq!(
        body(&app, "/a/b").await,
        (200, "one two live /a /b\n".to_owned())
    );
    assert_eq!(body(&app, "/loop").await.0, 302);
}

#[tokio::test]
async fn deploy_63_a_program_of_paste_has_a_clean_environment() {
    let script = "echo A: 1; echo; echo ${HOME:-none} $QUERY_STRING";
    let (_kept, root) = scripts(&[("a.cgi", script)]);
    for (more, expected) in [
        ("", "none asked\n".to_owned()),
        ("query_string = fixed\n", "none fixed\n".to_owned()),
        (
            "include_os_environ = yes\n",
            format!(
                "{} asked\n",
                std::env::var("HOME").unwrap_or("none".to_owned())
            ),
        ),
    ] {
        let app = site(&format!(
            "[app:main]\nuse = egg:Paste#cgi\nscript = a.cgi\npath = /nowhere {}\n{more}",
            root.display()
        ));
        assert_eq!(body(&app, "/?asked").await, (200, expected), "{more}");
    }
}

/// A variable that is not UTF-8 is no reason to stop.
#[test]
fn deploy_63_a_server_starts_in_any_environment() {
    use std::os::unix::ffi::OsStrExt;
    let (_kept, root) = scripts(&[("a.cgi", "echo A: 1; echo")]);
    let file = root.join("site.ini");
    let text =
        "[app:main]\nuse = egg:Paste#cgi\nscript = %(here)s/a.cgi\ninclude_os_environ = yes\n";
    fs::write(&file, text).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tower-deploy"))
        .arg("check")
        .arg(&file)
        .env("NOT_UTF_8", std::ffi::OsStr::from_bytes(b"\xff"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

#[test]
fn deploy_63_wrong_settings_are_errors() {
    for (settings, expected) in [
        ("use = egg:tower#fastcgi", "address"),
        (
            "use = egg:tower#fastcgi\naddress = php",
            "`php` has no port",
        ),
        (
            "use = egg:tower#fastcgi\naddress = a:1\nscript = /x\ndocument_root = /y",
            "write either `script` or `document_root`",
        ),
        (
            "use = egg:tower#scgi\naddress = unix:x",
            "does not begin with a slash",
        ),
        (
            "use = egg:tower#scgi\naddress = a:1\nenv = A",
            "`A` is not a variable, such as APP_ENV=live",
        ),
        (
            "use = egg:tower#cgi",
            "write either `script` or `document_root`",
        ),
        (
            "use = egg:tower#cgi\nscript = /nowhere/x",
            "/nowhere/x: No such file",
        ),
        ("use = egg:tower#cgi\nscript = /", "/ is not a file"),
        (
            "use = egg:tower#cgi\nscript = /bin/sh\nprocess = 1",
            "processes",
        ),
    ] {
        let error = wrong(&format!("[app:main]\n{settings}"));
        assert!(error.contains(expected), "{settings}: {error}");
    }
}

/// The programs are Debian's. Without them, the example has to be an error that names the program.
#[tokio::test]
async fn deploy_63_the_example_serves_git() {
    let repositories = tempfile::tempdir().unwrap();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/git/site.ini");
    let loaded = Loader::new(Registry::standard())
        .global("repositories", repositories.path().to_str().unwrap())
        .load_app(&format!("config:{example}"));
    let programs = [
        "/usr/lib/git-core/git-http-backend",
        "/usr/lib/cgit/cgit.cgi",
    ];
    if let Some(missing) = programs.iter().find(|path| !PathBuf::from(path).exists()) {
        let error = loaded.unwrap_err().to_string();
        assert!(error.contains(missing), "{error}");
        return;
    }
    let app = loaded.unwrap();
    let repository = repositories.path().join("p.git");
    let made = std::process::Command::new("git")
        .args(["init", "-q", "--bare"])
        .arg(&repository)
        .status();
    assert!(made.unwrap().success());
    let refs = get(&app, "/git/p.git/info/refs?service=git-upload-pack").await;
    assert_eq!(refs.status(), 200);
    let kind = "application/x-git-upload-pack-advertisement";
    assert_eq!(refs.headers()["content-type"], kind);
    let pushed = get(&app, "/git/p.git/info/refs?service=git-receive-pack").await;
    assert_eq!(pushed.status(), 403);
    let (status, page) = body(&app, "/").await;
    assert_eq!(status, 200);
    assert!(page.contains("href='/p.git/'"), "{page}");
    assert!(page.contains("/cgit-files/cgit.css"), "{page}");
    assert_eq!(body(&app, "/p.git/").await.0, 200);
    assert_eq!(body(&app, "/cgit-files/cgit.css").await.0, 200);
}

/// The directories and the program are those of a Debian, so the test puts its own in their places.
#[tokio::test]
async fn deploy_63_the_file_of_the_guide_is_a_site() {
    let (_kept, root) = scripts(&[("git", "echo A: 1; echo; echo $GIT_PROJECT_ROOT $PATH_INFO")]);
    fs::write(root.join("style.css"), "a {}").unwrap();
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/php.md");
    let guide = fs::read_to_string(guide).unwrap();
    let (_, file) = guide.split_once("```ini\n").unwrap();
    let (file, _) = file.split_once("```").unwrap();
    let root = root.to_str().unwrap();
    let file = file
        .replace("/usr/share/dokuwiki", root)
        .replace("/usr/lib/git-core/git-http-backend", &format!("{root}/git"));
    let app = site(&file);
    assert_eq!(body(&app, "/style.css").await, (200, "a {}".to_owned()));
    let found = body(&app, "/git/p.git/HEAD").await;
    assert_eq!(found, (200, "/srv/git /p.git/HEAD\n".to_owned()));
}
