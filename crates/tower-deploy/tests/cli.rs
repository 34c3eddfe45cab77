//! The command, as a person calls it.

#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, file: &str, text: &str) -> Self {
        let name = format!("tower-deploy-cli-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file), text).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(folder: &Folder, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tower-deploy"));
    let output = command.args(args).current_dir(&folder.0).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn what_is_wrong_is_shown_where_it_is() {
    let folder = Folder::new("wrong", "a%20#b.ini", "[app:main]\nuse = egg:mine\n");
    let (code, out, err) = run(&folder, &["check", "a%20#b.ini#main"]);
    assert_eq!((code, &*out), (Some(1), ""));
    let here = folder.0.display();
    assert_eq!(
        err,
        format!(
            "\
error: [app:main] use: nothing is registered under egg:mine
 --> {here}/a%20#b.ini:2:7
  |
2 | use = egg:mine
  |       ^^^^^^^^
  |
  = help: the program has to register its factories
"
        )
    );
}

#[test]
fn arguments_that_make_no_sense_are_2_and_help_is_0() {
    let folder = Folder::new("args", "x.ini", "");
    for args in [
        &["check"][..],
        &["chekc", "x.ini"],
        &["explain", "x.ini", "--format", "xml"],
        &[],
    ] {
        let (code, out, err) = run(&folder, args);
        assert_eq!((code, &*out), (Some(2), ""), "{args:?}");
        assert!(err.contains("--help") || err.contains("Usage:"), "{err}");
    }
    let (code, out, _) = run(&folder, &["--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("check") && out.contains("explain"), "{out}");
    let (code, out, _) = run(&folder, &["--version"]);
    assert_eq!(
        (code, &*out),
        (
            Some(0),
            concat!("tower-deploy ", env!("CARGO_PKG_VERSION"), "\n")
        )
    );
}

#[test]
fn nobody_has_to_listen() {
    let folder = Folder::new("listen", "x.ini", "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tower-deploy"));
    command.args(["explain", "x.ini"]).current_dir(&folder.0);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
