//! The positions of errors, and their reports.

use std::io;

use tower_deploy::{ErrorKind, Loader, Registry};

use crate::fakes::{error, loader, says};

#[test]
fn deploy_14_an_error_is_in_the_section_of_its_position() {
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
fn deploy_13_a_panic_of_user_code_is_an_error() {
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
fn deploy_14_a_report_shows_the_line_with_a_mark() {
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
