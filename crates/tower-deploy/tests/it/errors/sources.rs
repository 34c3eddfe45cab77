//! Errors in URIs, files and the registry.

use std::io;

use tower_deploy::{ErrorKind, LARGEST_FILE, Loader, Registry};

use crate::fakes::{loader, registry, says};

#[test]
fn deploy_14_an_error_in_a_uri_has_no_file() {
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
            "egg:fake#missing",
            "there is no app or composite egg:fake#missing (known: fails, main, mount, needs, odd, panics, typed, unit)",
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
        "`main.ini` is relative, and its directory is not known (write the absolute path, or set the loader's directory with `relative_to`)"
    );
}

#[test]
fn deploy_14_a_file_that_cannot_be_read_is_an_error() {
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
fn deploy_12_a_name_is_registered_once_for_each_type() {
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
    assert_eq!(
        text.matches("tests/it/errors/sources.rs:").count(),
        2,
        "{text}"
    );
    // The error is the same each time.
    assert_eq!(
        loader.load_app("egg:my-app#x").unwrap_err().to_string(),
        text
    );
}
