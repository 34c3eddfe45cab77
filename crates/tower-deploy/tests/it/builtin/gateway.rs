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
