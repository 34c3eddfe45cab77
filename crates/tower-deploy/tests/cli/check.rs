//! `check`: errors and warnings of a file.

use std::fs;

use crate::{Folder, run};

#[test]
fn deploy_14_an_error_is_shown_at_its_position() {
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
  = help: known: paste, pastedeploy, tower
"
        )
    );
}

#[test]
fn deploy_60_check_builds_the_server_too() {
    let app = "[app:main]\nuse = egg:tower#panic\n";
    for (server, error) in [
        (
            "use = egg:tower#http\nprot = 1",
            "[server:main] prot: the key is not known",
        ),
        (
            "use = egg:tower#http\nheader_timeout = 0",
            "`header_timeout` has to be longer than nothing",
        ),
        (
            "use = egg:tower#http\nport = 1\nbind = unix:/x",
            "the address is set twice",
        ),
        ("use = egg:tower#htpt", "there is no server egg:tower#htpt"),
        ("use = other", "there is no server `other`"),
    ] {
        let folder = Folder::new(
            "server",
            "x.ini",
            &format!("{app}[server: main]\n{server}\n"),
        );
        let (code, _, err) = run(&folder, &["check", "x.ini"]);
        assert_eq!(code, Some(1));
        assert!(
            err.contains(&error.replace("[server:main]", "[server: main]")),
            "{err}"
        );
    }
}

#[test]
fn deploy_60_likely_mistakes_are_warnings() {
    let folder = Folder::new(
        "warnings",
        "x.ini",
        "\
[composite:main]
use = egg:tower#router
urlpatterns =
  GET /a/{x} a
  GTE /b a
  GET,POST /a/b a
  GET /a/b a
  PROPFIND /c a
[app:a]
use = egg:tower#text
text = a
[app:celery]
use = egg:tower#text
text = b
[filter:lint]
use = egg:tower#lint
[server:main]
use = egg:tower#http
[server:other]
use = egg:tower#http
[filtr:x]
use = egg:tower#lint
[loggers]
keys = root
[formatter_generic]
format = x
[program:x]
command = x
[default]
a = 1
",
    );
    let (code, out, err) = run(&folder, &["check", "x.ini"]);
    assert_eq!(code, Some(0));
    assert_eq!(out, "x.ini: ok, with 8 warnings\n");
    let here = folder.0.display();
    assert_eq!(
        err,
        format!(
            "\
warning: [composite:main] urlpatterns: `GTE` is a method that no client knows
 --> {here}/x.ini:5:3
  |
5 |   GTE /b a
  |   ^^^
  |
  = help: did you mean `GET`?
warning: [composite:main] urlpatterns: no GET request reaches `GET,POST /a/b`
 --> {here}/x.ini:6:12
  |
6 |   GET,POST /a/b a
  |            ^^^^
  |
  = help: `GET /a/{{x}}` (line 4) takes them all before: write this one above it
warning: [composite:main] urlpatterns: no request reaches `GET /a/b`
 --> {here}/x.ini:7:7
  |
7 |   GET /a/b a
  |       ^^^^
  |
  = help: `GET /a/{{x}}` (line 4) takes them all before: write this one above it
warning: [app:celery] nothing names this section
  --> {here}/x.ini:12:2
   |
12 | [app:celery]
   |  ^^^^^^^^^^
   |
   = help: name it, or take it out; it is loaded by itself as FILE#celery
warning: [filter:lint] nothing names this section
  --> {here}/x.ini:15:2
   |
15 | [filter:lint]
   |  ^^^^^^^^^^^
   |
   = help: name it, or take it out
warning: [server:other] nothing names this section
  --> {here}/x.ini:19:2
   |
19 | [server:other]
   |  ^^^^^^^^^^^^
   |
   = help: only [server:main] serves; take it out
warning: [filtr:x] nothing names this section
  --> {here}/x.ini:21:2
   |
21 | [filtr:x]
   |  ^^^^^^^
   |
   = help: did you mean [filter:x]?
warning: [default] nothing names this section
  --> {here}/x.ini:29:2
   |
29 | [default]
   |  ^^^^^^^
   |
   = help: did you mean [DEFAULT]?
"
        )
    );
    // These are no errors, and nothing else reports them.
    let (code, _, err) = run(&folder, &["explain", "x.ini"]);
    assert_eq!((code, &*err), (Some(0), ""));
}

#[test]
fn deploy_60_a_section_that_is_built_twice_has_one_warning() {
    let folder = Folder::new(
        "twice",
        "x.ini",
        "\
[composite:main]
use = egg:tower#urlmap
/one = routes
/two = routes
[composite:routes]
use = egg:tower#router
urlpatterns = GTE / a
[app:a]
use = egg:tower#text
text = a
",
    );
    let (code, out, err) = run(&folder, &["check", "x.ini"]);
    assert_eq!(
        (code, &*out),
        (Some(0), "x.ini: ok, with a warning\n"),
        "{err}"
    );
}

#[test]
fn deploy_60_a_named_section_has_no_warning() {
    let folder = Folder::new(
        "named",
        "x.ini",
        "\
[pipeline:main]
pipeline = f all
filter-with = g
[filter:f]
use = h
[filter:h]
use = egg:tower#lint
[filter:g]
use = egg:tower#hooks
hooks = timing
[hook:timing]
use = egg:tower#server-timing
[composite:all]
use = egg:tower#cascade
app1 = config:other.ini
app2 = config:x.ini#a
[app:a]
use = egg:tower#text
text = a
[filter:main]
use = egg:tower#lint
",
    );
    let other = "[app:main]\nuse = egg:tower#text\ntext = a\n[app:more]\nuse = main\n";
    fs::write(folder.0.join("other.ini"), other).unwrap();
    let (code, out, err) = run(&folder, &["check", "x.ini"]);
    assert_eq!((code, &*out, &*err), (Some(0), "x.ini: ok\n", ""));
}
