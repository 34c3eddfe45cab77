//! What errors say, in full: file, line, section, what is wrong, and what would be right.

use std::io;

use tower_deploy::{ErrorKind, LARGEST_FILE, Loader, Registry};

use crate::fakes::{error, loader, registry, says};

#[test]
fn every_mistake_has_a_place_and_a_remedy() {
    let table = [
        (
            "a = 1\n[app:main]\n",
            "/site/main.ini:1:1: a setting before the first section (begin with a section, such as [app:main])",
        ),
        (
            "\u{feff}[app:main]\nuse = egg:fake\n",
            "/site/main.ini:1:1: a setting before the first section (save the file without a byte order mark)",
        ),
        (
            "[app:main]\nuse = egg:fake\nwhat is this\n",
            "/site/main.ini:3:1: [app:main] a line that is neither a section nor a setting (write `key = value`, or indent what belongs to the value above)",
        ),
        (
            "[app:main]\nuse = egg:fake\n= 1\n",
            "/site/main.ini:3:1: [app:main] a line that is neither a section nor a setting (write `key = value`, or indent what belongs to the value above)",
        ),
        (
            "[app:main]\nuse = egg:fake\n[app:main]\nuse = egg:fake\n",
            "/site/main.ini:3:2: [app:main] the section is there twice (put all of its settings under one heading)",
        ),
        (
            "[app:main]\nuse = egg:fake\na = 1\na = 2\n",
            "/site/main.ini:4:1: [app:main] a: the key is twice in this section (take one of them out)",
        ),
        (
            "[app:mian]\nuse = egg:fake\n",
            "/site/main.ini:1:2: [app:mian] there is no app `main` in /site/main.ini (did you mean `mian`?)",
        ),
        (
            "[filter:main]\nuse = egg:fake\n",
            "/site/main.ini:1:1: [filter:main] (line 1 of /site/main.ini) is a filter, not an app (a filter is around an app: write `pipeline = main APP`, or `filter-with = main` in the section of the app)",
        ),
        (
            "",
            "/site/main.ini:1:1: there is no app `main` in /site/main.ini (it would be [app:main] or [composite:main] or [pipeline:main] or [filter-app:main])",
        ),
        (
            "[app:main]\nuse = egg:fake\n[composite:main]\nuse = egg:fake#mount\n",
            "/site/main.ini:3:2: [composite:main] [composite:main] and [app:main] (line 1) both are an app `main` (rename one of them)",
        ),
        (
            "[app:main]\ncolor = red\n",
            "/site/main.ini:1:2: [app:main] it does not say what makes the app (add `use = …`: egg:NAME#ENTRY, call:MODULE:FUNCTION, config:FILE#NAME or another section)",
        ),
        (
            "[app:main]\npaste.app_factory = fakemod:app\npaste.composite_factory = fakemod:comp\n",
            "/site/main.ini:3:1: [app:main] paste.composite_factory: it says twice what makes it (take one of them out)",
        ),
        (
            "[pipeline:main]\n",
            "/site/main.ini:1:2: [pipeline:main] it does not say what is in it (add `pipeline = FILTER … APP`)",
        ),
        (
            "[pipeline:main]\npipeline =\n",
            "/site/main.ini:2:1: [pipeline:main] pipeline: there is nothing in it (name the filters from the outermost to the innermost, and then the app)",
        ),
        (
            "[pipeline:main]\npipeline = f a\ncolor = red\n[filter:f]\nuse = egg:fake\n[app:a]\nuse = egg:fake\n",
            "/site/main.ini:3:1: [pipeline:main] color: a pipeline has no settings (only `pipeline`, `filter-with`, `set` and `get`; did you mean it for one of its parts?)",
        ),
        (
            "[pipeline:main]\npipeline = g a\n[filter:f]\nuse = egg:fake\n[app:a]\nuse = egg:fake\n",
            "/site/main.ini:2:12: [pipeline:main] pipeline: there is no filter `g` in /site/main.ini (it would be [filter:g])",
        ),
        (
            "[pipeline:main]\npipeline = f b\n[filter:f]\nuse = egg:fake\n[app:a]\nuse = egg:fake\n",
            "/site/main.ini:2:12: [pipeline:main] pipeline: there is no app `b` in /site/main.ini (it would be [app:b] or [composite:b] or [pipeline:b] or [filter-app:b])",
        ),
        (
            "[filter-app:main]\nuse = egg:fake\n",
            "/site/main.ini:1:2: [filter-app:main] it does not say what it is around (add `next = NAME`, the name of an app)",
        ),
        (
            "[filter-app:main]\nuse = egg:fake\nnext = nobody\n",
            "/site/main.ini:3:8: [filter-app:main] next: there is no app `nobody` in /site/main.ini (it would be [app:nobody] or [composite:nobody] or [pipeline:nobody] or [filter-app:nobody])",
        ),
        (
            "[app:main]\nuse = egg:fake\nfilter-with = nobody\n",
            "/site/main.ini:3:15: [app:main] filter-with: there is no filter `nobody` in /site/main.ini (it would be [filter:nobody])",
        ),
        (
            "[app:main]\nuse = egg:fake\na = %(nmae)s\n",
            "/site/main.ini:3:5: [app:main] a: there is no key `nmae` for %(nmae)s (a key of this section or of [DEFAULT], or `here` or `__file__`)",
        ),
        (
            "[app:main]\nuse = egg:fake\na = 50% off\n",
            "/site/main.ini:3:5: [app:main] a: a `%` that begins nothing (write `%%` for a percent sign, or `%(name)s` for the value of a key)",
        ),
        (
            "[app:main]\nuse = egg:fake\na = %(name\n",
            "/site/main.ini:3:5: [app:main] a: a `%(` without a name and `)s` (write `%(name)s`, or `%%(` for a percent sign and a parenthesis)",
        ),
        (
            "[DEFAULT]\na = 50%\n[app:main]\nuse = egg:fake\n",
            "/site/main.ini:2:5: [DEFAULT] a: a `%` that begins nothing (write `%%` for a percent sign, or `%(name)s` for the value of a key)",
        ),
        (
            "[app:main]\nuse = egg:fake\na = %(b)s\nb = %(a)s\n",
            "/site/main.ini:3:5: [app:main] a: keys refer to one another more than 10 deep (does one of them refer to itself?)",
        ),
        (
            "[app:main]\nuse = egg:fake\nget a = debgu\n[DEFAULT]\ndebug = 1\n",
            "/site/main.ini:3:9: [app:main] get a: nothing global is called `debgu` (did you mean `debug`?)",
        ),
        (
            "[app:main]\nuse = egg:fake\nget a = nothing\n",
            "/site/main.ini:3:9: [app:main] get a: nothing global is called `nothing` (put it into [DEFAULT], or `set` it)",
        ),
        (
            "[app:main]\nuse = main\n",
            "/site/main.ini:2:7: [app:main] use: the section leads back to itself: [app:main] → [app:main] (take one of these references out)",
        ),
        (
            "[app:main]\nuse = b\n[app:b]\nuse = main\n",
            "/site/main.ini:4:7: [app:b] use: the section leads back to itself: [app:main] → [app:b] → [app:main] (take one of these references out)",
        ),
        (
            "[composite:main]\nuse = egg:fake#mount\n/ = main\n",
            "/site/main.ini:3:5: [composite:main] /: the section leads back to itself: [composite:main] → [composite:main] (take one of these references out)",
        ),
        (
            "[app:main]\nuse = egg:fakes\n",
            "/site/main.ini:2:7: [app:main] use: nothing is registered under egg:fakes (did you mean `fake`?)",
        ),
        (
            "[app:main]\nuse = egg:other\n",
            "/site/main.ini:2:7: [app:main] use: nothing is registered under egg:other (there is fake)",
        ),
        (
            "[app:main]\nuse = egg:fake#tpyed\n",
            "/site/main.ini:2:7: [app:main] use: there is no app or composite egg:fake#tpyed (did you mean `typed`?)",
        ),
        (
            "[app:main]\nuse = egg:fake#broken\n",
            "/site/main.ini:2:7: [app:main] use: egg:fake#broken is a filter, not an app or a composite (its section would be [filter:NAME])",
        ),
        (
            "[app:main]\nuse = call:fakemod\n",
            "/site/main.ini:2:7: [app:main] use: `fakemod` has no colon (write module:function)",
        ),
        (
            "[app:main]\nuse = call:fakemod:ap\n",
            "/site/main.ini:2:7: [app:main] use: `fakemod` has no `fakemod:ap` (did you mean `fakemod:app`?)",
        ),
        (
            "[app:main]\nuse = call:other:app\n",
            "/site/main.ini:2:7: [app:main] use: nothing is registered in the module `other` (there is fakemod:app, fakemod:filter, fakemod:mount, fakemod:server)",
        ),
        (
            "[app:main]\nuse = call:fakemod:filter\n",
            "/site/main.ini:2:7: [app:main] use: `fakemod:filter` is registered as filter, not as app (the section's type says what is asked for)",
        ),
        (
            "[filter-app:main]\nuse = call:fakemod:filter\nnext = a\n[app:a]\nuse = egg:fake\n",
            "/site/main.ini:2:7: [filter-app:main] use: `call:fakemod:filter` does not say what it is here (give it a section of its own, [filter:NAME], and use that)",
        ),
        (
            "[app:main]\nuse = eg:fake\n",
            "/site/main.ini:2:7: [app:main] use: `eg:` is not known (it is one of config:, egg: and call:)",
        ),
        (
            "[app:main]\nuse = config:other.ini\n",
            "/site/main.ini:2:7: [app:main] use: /site/other.ini: there is no such file (is it the right name?)",
        ),
        (
            "[app:main]\nuse = egg:fake\nrequire = fake nosuch\n",
            "/site/main.ini:3:11: [app:main] require: nothing is registered under egg:nosuch (there is fake)",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\nprot = 80\n",
            "/site/main.ini:3:1: [app:main] prot: the key is not known (did you mean `port`?)",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\nzzz = 80\n",
            "/site/main.ini:3:1: [app:main] zzz: the key is not known (there is port, debug, timeout, names, level, factor, title)",
        ),
        (
            "[app:main]\nuse = egg:fake#unit\ncolor = red\n",
            "/site/main.ini:3:1: [app:main] color: the key is not known (it takes no settings)",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\nport = 80000\n",
            "/site/main.ini:3:8: [app:main] port: `80000` is not a number from 0 to 65535",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\ndebug = maybe\n",
            "/site/main.ini:3:9: [app:main] debug: `maybe` is not one of true, yes, on, 1, false, no, off, 0",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\ntimeout = soon\n",
            "/site/main.ini:3:11: [app:main] timeout: `soon` is not a duration, such as 30s, 500ms or 1h 30m",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\nlevel = middle\n",
            "/site/main.ini:3:9: [app:main] level: `middle` is not one of low, high",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\nfactor = much\n",
            "/site/main.ini:3:10: [app:main] factor: `much` is not a number",
        ),
        (
            "[app:main]\nuse = egg:fake#needs\n",
            "/site/main.ini:1:2: [app:main] dir: it is needed, and is not there (add `dir = …`)",
        ),
        (
            "[app:main]\nuse = egg:fake#fails\n",
            "/site/main.ini:1:2: [app:main] the factory failed: the disk is full",
        ),
        (
            "[app:main]\nuse = egg:fake#panics\n",
            "/site/main.ini:1:2: [app:main] the factory panicked: not today",
        ),
        (
            "[app:main]\nuse = egg:fake\nfilter-with = f\n[filter:f]\nuse = egg:fake#broken\n",
            "/site/main.ini:4:2: [filter:f] the filter failed: it does not fit",
        ),
        (
            "[composite:main]\nuse = egg:fake#mount\n/a = nobody\n",
            "/site/main.ini:3:6: [composite:main] /a: there is no app `nobody` in /site/main.ini (it would be [app:nobody] or [composite:nobody] or [pipeline:nobody] or [filter-app:nobody])",
        ),
        (
            "[composite:main]\nuse = egg:fake#mount\n/a = b\n[app:b]\nuse = egg:fake#fails\n",
            "/site/main.ini:4:2: [app:b] the factory failed: the disk is full",
        ),
    ];
    for (file, expected) in table {
        assert_eq!(error(file).to_string(), expected, "{file}");
    }
}

#[test]
fn a_heading_without_a_name_is_an_error() {
    for (file, expected) in [
        (
            "[]\nuse = egg:fake\n",
            "1:1: a section without a name (write `[app:main]`)",
        ),
        (
            "[app:main]\nuse = egg:fake\n[ ]\na = 1\n",
            "3:1: [app:main] a section without a name (write `[app:main]`)",
        ),
    ] {
        let expected = format!("/site/main.ini:{expected}");
        assert_eq!(error(file).to_string(), expected, "{file}");
    }
    for heading in ["[app:main] # a", "[app:main] ; a", "[app:main]  "] {
        let file = format!("{heading}\nuse = egg:fake\n").into_bytes();
        let loader = Loader::new(registry()).files(move |_| Ok(file.clone()));
        loader.load_app("config:/main.ini").unwrap();
    }
}

#[test]
fn an_empty_name_is_called_empty() {
    let help = "(write the name of a section, or a URI, such as egg:NAME#ENTRY)";
    for (file, expected) in [
        (
            "[app:main]\nuse =\n",
            "2:1: [app:main] use: it is empty, and names no app",
        ),
        (
            "[app:main]\nuse = egg:fake\nfilter-with =\n",
            "3:1: [app:main] filter-with: it is empty, and names no filter",
        ),
        (
            "[filter-app:main]\nuse = egg:fake\nnext =\n",
            "3:1: [filter-app:main] next: it is empty, and names no app",
        ),
        (
            "[composite:main]\nuse = egg:fake#mount\n/a =\n",
            "3:1: [composite:main] /a: it is empty, and names no app",
        ),
    ] {
        let expected = format!("/site/main.ini:{expected} {help}");
        assert_eq!(error(file).to_string(), expected, "{file}");
    }
}

#[test]
fn a_misspelt_key_of_the_sections_own_is_marked() {
    for (file, expected) in [
        (
            "[app:main]\na = 1\nues = egg:fake\n",
            "3:1: [app:main] ues: it does not say what makes the app (did you mean `use`?)",
        ),
        (
            "[app:main]\nuse egg:fake#typed\n",
            "2:1: [app:main] use egg: it does not say what makes the app (did you mean `use = …`?)",
        ),
        (
            "[app:main]\npaste.app-factory = fakemod:app\n",
            "2:1: [app:main] paste.app-factory: it does not say what makes the app (did you mean `paste.app_factory`?)",
        ),
        (
            "[pipeline:main]\npipline = f a\n",
            "2:1: [pipeline:main] pipline: it does not say what is in it (did you mean `pipeline`?)",
        ),
        (
            "[filter-app:main]\nuse = egg:fake\nnxt = a\n",
            "3:1: [filter-app:main] nxt: it does not say what it is around (did you mean `next`?)",
        ),
        (
            "[filter-app:main]\nuse = egg:fake\ntext = a\n",
            "1:2: [filter-app:main] it does not say what it is around (add `next = NAME`, the name of an app)",
        ),
        (
            "[pipeline:main]\npipeline = a\nfilter_with = f\n",
            "3:1: [pipeline:main] filter_with: a pipeline has no settings (did you mean `filter-with`?)",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\nfilter_with = f\n",
            "3:1: [app:main] filter_with: the key is not known (did you mean `filter-with`?)",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\nSet port = 80\n",
            "3:1: [app:main] Set port: the key is not known (did you mean `set port`?)",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\ngte level = a\n",
            "3:1: [app:main] gte level: the key is not known (did you mean `get level`?)",
        ),
        (
            "[app:main]\nuse = egg:fake#unit\nrequires = fake\n",
            "3:1: [app:main] requires: the key is not known (did you mean `require`?)",
        ),
    ] {
        let expected = format!("/site/main.ini:{expected}");
        assert_eq!(error(file).to_string(), expected, "{file}");
    }
}

#[test]
fn a_heading_with_a_misspelt_type_or_none_is_marked() {
    for (file, expected) in [
        (
            "[app:b]\nuse = egg:fake\n[ap:main]\nuse = egg:fake\n",
            "3:2: [ap:main] there is no app `main` in /site/main.ini (did you mean [app:main] by [ap:main] in line 3?)",
        ),
        (
            "[App:main]\nuse = egg:fake\n",
            "1:2: [App:main] there is no app `main` in /site/main.ini (did you mean [app:main] by [App:main] in line 1?)",
        ),
        (
            "[pipline:main]\npipeline = a\n",
            "1:2: [pipline:main] there is no app `main` in /site/main.ini (did you mean [pipeline:main] by [pipline:main] in line 1?)",
        ),
        (
            "[main]\nuse = egg:fake\n",
            "1:2: [main] there is no app `main` in /site/main.ini (did you mean [app:main] by [main] in line 1?)",
        ),
        // Where it is named, that is what is marked.
        (
            "[app:main]\nuse = egg:fake\nfilter-with = f\n[f]\nuse = egg:fake\n",
            "3:15: [app:main] filter-with: there is no filter `f` in /site/main.ini (did you mean [filter:f] by [f] in line 4?)",
        ),
    ] {
        let expected = format!("/site/main.ini:{expected}");
        assert_eq!(error(file).to_string(), expected, "{file}");
    }
}

#[test]
fn what_is_wrong_with_a_uri_is_said_without_a_file() {
    for (uri, expected) in [
        (
            "main",
            "`main` has no scheme (write config:FILE#NAME, egg:NAME#ENTRY or call:MODULE:FUNCTION)",
        ),
        (
            "http://x",
            "`http:` is not known (it is one of config:, egg: and call:)",
        ),
        (
            "config:nowhere.ini",
            "/site/nowhere.ini: there is no such file (is it the right name?)",
        ),
        (
            "egg:fake#nobody",
            "there is no app or composite egg:fake#nobody (there is fails, main, mount, needs, odd, panics, typed, unit)",
        ),
    ] {
        assert_eq!(loader(&[]).load_app(uri).unwrap_err().to_string(), expected);
    }
    for folder in [None, Some("")] {
        let mut nowhere = Loader::new(registry());
        if let Some(folder) = folder {
            nowhere = nowhere.relative_to(folder);
        }
        let error = nowhere.load_app("config:main.ini").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RelativeWithoutBase);
    }
    let relative = Loader::new(registry())
        .load_app("config:main.ini")
        .unwrap_err();
    assert_eq!(
        relative.to_string(),
        "`main.ini` is relative, and nothing says to what (write the whole path, or give the loader a folder with `relative_to`)"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_said_so() {
    let read = |bytes: Result<Vec<u8>, io::ErrorKind>| {
        let loader = Loader::new(registry()).relative_to("/site");
        let loader = loader.files(move |_| bytes.clone().map_err(io::Error::from));
        loader.load_app("config:main.ini").unwrap_err().to_string()
    };
    let large = vec![b'#'; usize::try_from(LARGEST_FILE).unwrap() + 1];
    assert_eq!(
        read(Ok(large)),
        "/site/main.ini: it has 1048577 bytes, and 1048576 is the most (is it the right file? Parts of it can go into files of their own)"
    );
    assert_eq!(
        read(Ok(b"[app:main]\nuse = egg:fake\na = \xff".to_vec())),
        "/site/main.ini:3: it is not UTF-8, from byte 30 on (save it as UTF-8)"
    );
    assert_eq!(
        read(Err(io::ErrorKind::IsADirectory)),
        "/site/main.ini: it is a directory (is it the right name?)"
    );
    assert_eq!(
        read(Err(io::ErrorKind::PermissionDenied)),
        "/site/main.ini: it cannot be read: permission denied"
    );
}

#[test]
fn a_name_is_registered_once_for_each_type() {
    let app = |_: &_, (): ()| Ok::<_, io::Error>(says(String::new()));
    let registry = Registry::new().app("My.App#x", app).app("my_app#x", app);
    let loader = Loader::new(registry);
    let error = loader.load_app("egg:my-app#x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AmbiguousEntryPoint);
    let text = error.to_string();
    assert!(
        text.starts_with("the app `my_app#x` is registered twice, at "),
        "{text}"
    );
    assert_eq!(text.matches("tests/it/errors.rs:").count(), 2, "{text}");
    // As often as it is asked.
    assert_eq!(
        loader.load_app("egg:my-app#x").unwrap_err().to_string(),
        text
    );
}

#[test]
fn an_error_is_in_the_section_where_its_place_is() {
    let text =
        error("[app:main]\nuse = base\n[app:base]\nuse = egg:fake#typed\nport = bad\n").to_string();
    assert!(
        text.starts_with("/site/main.ini:5:8: [app:base] port: "),
        "{text}"
    );
    let files = [
        ("main.ini", "[app:main]\nuse = config:b.ini\n"),
        ("b.ini", "a = 1\n"),
    ];
    let text = loader(&files)
        .load_app("config:main.ini")
        .unwrap_err()
        .to_string();
    assert!(
        text.starts_with("/site/b.ini:1:1: a setting before"),
        "{text}"
    );
    let text = error("[app:main]\nuse = egg:fake\nfilter-with = f\n[filter:f]\nuse = egg:fake\nfilter-with = g\n[filter:g]\nuse = egg:fake#broken\n").to_string();
    assert_eq!(
        text,
        "/site/main.ini:7:2: [filter:g] the filter failed: it does not fit"
    );
}

#[test]
fn a_panic_of_anybodys_is_an_error() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("dropped"));
        }
    }
    let registry = Registry::new()
        .app(
            "bomb",
            |_, (): ()| -> Result<tower_deploy::App, io::Error> {
                std::panic::resume_unwind(Box::new(Bomb))
            },
        )
        .composite(
            "asks",
            |_| std::panic::resume_unwind(Box::new("asked")),
            |_, _, _| Ok::<_, io::Error>(says(String::new())),
        );
    let loader =
        Loader::new(registry).files(|_| Ok(b"[composite:main]\nuse = egg:asks\na = b\n".to_vec()));
    assert_eq!(
        loader.load_app("egg:bomb").unwrap_err().kind(),
        ErrorKind::Factory
    );
    let error = loader.plan_app("config:/main.ini").unwrap_err().to_string();
    assert_eq!(
        error,
        "/main.ini:1:2: [composite:main] the factory panicked: asked"
    );
}

#[test]
fn a_report_shows_the_line_with_a_mark_and_never_a_secret() {
    let error = error("[app:main]\nuse = egg:fake#typed\nport = 80000\n");
    assert_eq!(error.place().unwrap().to_string(), "/site/main.ini:3:8");
    assert_eq!(
        (error.section_name(), error.key_name()),
        (Some("app:main"), Some("port"))
    );
    assert_eq!(
        error.report(false),
        "error: [app:main] port: `80000` is not a number from 0 to 65535\n --> /site/main.ini:3:8\n  |\n3 | port = 80000\n  |        ^^^^^\n"
    );
    assert!(error.report(true).contains("\u{1b}["));

    #[derive(serde::Deserialize)]
    struct Secret {
        #[serde(rename = "api-token")]
        token: u32,
    }
    let registry = Registry::new().app("s", |_, secret: Secret| {
        Ok::<_, io::Error>(says(secret.token.to_string()))
    });
    let loader = Loader::new(registry)
        .relative_to("/site")
        .files(|_| Ok(b"[app:main]\nuse = egg:s\napi-token = hunter2\n".to_vec()));
    let error = loader.load_app("config:main.ini").unwrap_err();
    assert_eq!(
        error.to_string(),
        "/site/main.ini:3:13: [app:main] api-token: the value is not a number from 0 to 4294967295"
    );
    assert!(
        !error.report(false).contains("hunter2"),
        "{}",
        error.report(false)
    );
    assert!(error.report(false).contains("/site/main.ini:3"));
}
