//! Settings as structs.

use crate::fakes::{loader, said};

#[tokio::test]
async fn values_become_what_the_factory_wants() {
    let file = "[app:main]\nuse = egg:fake#typed\nport = 80\ndebug = Yes\ntimeout = 1m 30s\nnames = a b\n  c\nlevel = high\nfactor = 0.5\ntitle = x y\n";
    let app = loader(&[("main.ini", file)])
        .load_app("config:main.ini")
        .unwrap();
    assert_eq!(
        said(&app).await,
        "Typed { port: 80, debug: true, timeout: Some(90s), names: [\"a\", \"b\", \"c\"], level: High, factor: 0.5, title: \"x y\" }"
    );
}

#[tokio::test]
async fn defaults_are_no_settings_of_a_factory() {
    // But what is in both is the section's.
    let file = "[DEFAULT]\ncolor = red\nport = 1\n[app:main]\nuse = egg:fake#typed\nport = 2\n";
    let app = loader(&[("main.ini", file)])
        .load_app("config:main.ini")
        .unwrap();
    assert!(said(&app).await.starts_with("Typed { port: 2,"));
}

#[test]
fn settings_have_their_places() {
    let file = "[DEFAULT]\nroot = /srv\n[app:main]\nuse = base\nset x = 1\na =\n  %(root)s/a\n[app:base]\nuse = egg:fake\nb = 2\n";
    let config = loader(&[("main.ini", file)])
        .global("y", "2")
        .app_config("config:main.ini")
        .unwrap();
    let local: Vec<_> = config
        .local
        .iter()
        .map(|(key, value)| (key, value.text(), value.place().unwrap().to_string()))
        .collect();
    assert_eq!(
        local,
        [
            ("b", "2", "/site/main.ini:10:5".to_owned()),
            ("a", "\n/srv/a", "/site/main.ini:7:3".to_owned()),
        ]
    );
    let global = |key| {
        config
            .global
            .value(key)
            .map(|value| (value.text(), value.place().is_some()))
    };
    assert_eq!(global("root"), Some(("/srv", true)));
    assert_eq!(global("x"), Some(("1", true)));
    assert_eq!(global("y"), Some(("2", false)));
    assert_eq!(global("here"), Some(("/site", false)));
    assert_eq!(global("__file__"), Some(("/site/main.ini", false)));
    assert_eq!(
        (
            config.local.len(),
            config.local.is_empty(),
            config.local.get("b")
        ),
        (2, false, Some("2"))
    );
}

#[tokio::test]
async fn booleans_are_said_in_several_ways() {
    for (text, value) in [
        ("true", true),
        ("YES", true),
        ("on", true),
        ("1", true),
        ("false", false),
        ("No", false),
        ("off", false),
        ("0", false),
    ] {
        let file = format!("[app:main]\nuse = egg:fake#typed\ndebug = {text}\n");
        let app = loader(&[("main.ini", &file)])
            .load_app("config:main.ini")
            .unwrap();
        let seen = said(&app).await;
        assert!(seen.contains(&format!("debug: {value},")), "{text}: {seen}");
    }
}

#[test]
fn what_names_itself_means_the_default_and_what_is_ones_own_is_stronger() {
    let file = "\
[DEFAULT]
root = /srv
set x = default
set y = default
get z = root
[app:main]
use = egg:fake
root = %(root)s/own
at = %(root)s/at
set x = own
";
    let config = loader(&[("main.ini", file)])
        .app_config("config:main.ini")
        .unwrap();
    assert_eq!(config.local.get("root"), Some("/srv/own"));
    assert_eq!(config.local.get("at"), Some("/srv/own/at"));
    assert_eq!(config.local.get("z"), Some("/srv"));
    assert_eq!(
        (config.global.get("x"), config.global.get("y")),
        (Some("own"), Some("default"))
    );
}

#[test]
fn a_size_reads_itself_and_debug_shows_no_secret() {
    #[derive(Debug, serde::Deserialize)]
    struct Limits {
        body: bytesize::ByteSize,
    }
    let registry = tower_deploy::Registry::new().app("sized", |global, limits: Limits| {
        assert_eq!(limits.body.as_u64(), 10 << 20);
        assert!(
            format!("{global:?}").contains("\"api_token\": \"[redacted]\""),
            "{global:?}"
        );
        Ok::<_, std::convert::Infallible>(crate::fakes::says(String::new()))
    });
    let file = "[DEFAULT]\napi_token = hunter2\n[app:main]\nuse = egg:sized\nbody = 10 MiB\n";
    let mut loader = tower_deploy::Loader::new(registry).files(|_| Ok(file.as_bytes().to_vec()));
    loader.load_app("config:/main.ini").unwrap();
    let config = loader.app_config("config:/main.ini").unwrap();
    assert!(!format!("{config:?} {:?}", config.global.value("api_token")).contains("hunter2"));
    let mut loader = loader.files(|_| Ok(file.replace("10 MiB", "lots").into_bytes()));
    let error = loader.load_app("config:/main.ini").unwrap_err().to_string();
    assert!(
        error.starts_with("/main.ini:5:8: [app:main] body: "),
        "{error}"
    );
}
