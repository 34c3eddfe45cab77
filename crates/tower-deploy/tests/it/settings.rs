//! Settings as structs.

use crate::fakes::{loader, said};

#[tokio::test]
async fn deploy_9_values_have_the_types_of_the_factory() {
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
async fn deploy_10_defaults_are_not_settings_of_a_factory() {
    // A key in both is the section's.
    let file = "[DEFAULT]\ncolor = red\nport = 1\n[app:main]\nuse = egg:fake#typed\nport = 2\n";
    let app = loader(&[("main.ini", file)])
        .load_app("config:main.ini")
        .unwrap();
    assert!(said(&app).await.starts_with("Typed { port: 2,"));
}

#[test]
fn deploy_5_settings_have_their_positions() {
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
async fn deploy_9_booleans_have_several_spellings() {
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
fn deploy_6_a_key_that_names_itself_means_the_default() {
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

/// A value is a secret if any of its names is one. That may be the first or the last name, or the
/// name of a value, here or in another file, that it contains.
#[test]
fn deploy_15_a_value_that_contains_a_secret_is_a_secret() {
    let main = "\
[DEFAULT]
db_password = hunter2
host = db
dsn = %(db_password)s@%(host)s
[app:main]
use = egg:fake
first = %(db_password)s and %(host)s
last = %(host)s and %(db_password)s
middle = %(host)s, %(db_password)s, %(host)s
through = %(dsn)s and %(host)s
twice = %(through)s and %(host)s
plain = %(host)s and %(host)s
[app:blog]
use = config:blog.ini
";
    let blog = "[app:main]\nuse = egg:fake\nabout = %(dsn)s and %(host)s\nplain = %(host)s\n";
    let loader = loader(&[("main.ini", main), ("blog.ini", blog)]);
    for (uri, secrets, host) in [
        ("config:main.ini", 5, "db and db"),
        ("config:main.ini#blog", 1, "db"),
    ] {
        let config = loader.app_config(uri).unwrap();
        assert_eq!(config.local.get("plain"), Some(host));
        let plan = loader.plan_app(uri).unwrap();
        let shown = format!("{config:?}\n{plan}\n{}", plan.to_json());
        assert!(!shown.contains("hunter2"), "{shown}");
        let plan = plan.to_string();
        assert_eq!(plan.matches(" = [redacted]\n").count(), secrets, "{plan}");
        assert!(plan.contains(&format!("plain = {host}\n")), "{plan}");
    }
}

#[test]
fn deploy_11_a_size_reads_itself() {
    #[derive(Debug, serde::Deserialize)]
    struct Limits {
        body: tower_deploy::Size,
    }
    let registry = tower_deploy::Registry::new().app("sized", |global, limits: Limits| {
        assert_eq!(limits.body.bytes(), 10 << 20);
        assert!(
            format!("{global:?}").contains("\"api_token\": \"[redacted]\""),
            "{global:?}"
        );
        Ok::<_, std::convert::Infallible>(crate::fakes::says(String::new()))
    });
    let file = "[DEFAULT]\napi_token = hunter2\n[app:main]\nuse = egg:sized\nbody = 10 MiB\n";
    let loader = tower_deploy::Loader::new(registry).files(|_| Ok(file.as_bytes().to_vec()));
    loader.load_app("config:/main.ini").unwrap();
    let config = loader.app_config("config:/main.ini").unwrap();
    assert!(!format!("{config:?} {:?}", config.global.value("api_token")).contains("hunter2"));
    let loader = loader.files(|_| Ok(file.replace("10 MiB", "lots").into_bytes()));
    let error = loader.load_app("config:/main.ini").unwrap_err().to_string();
    assert!(
        error.starts_with("/main.ini:5:8: [app:main] body: "),
        "{error}"
    );
}

#[test]
fn deploy_15_a_value_made_of_a_secret_is_a_secret() {
    let file = "\
[DEFAULT]
smtp_pass = hunter2
[app:main]
use = egg:fake
get x = smtp_pass
dsn = user=a;pw=%(smtp_pass)s
accessKey = hunter2
harmless = monkey
";
    let plan = loader(&[("main.ini", file)])
        .plan_app("config:main.ini")
        .unwrap();
    let all = format!("{plan} {}", plan.to_json());
    assert!(!all.contains("hunter2") && all.contains("monkey"), "{all}");
}

#[test]
fn deploy_15_a_plan_hides_secrets_and_nothing_else() {
    let shown = [
        "pass_headers = X_Foo",
        "keys_path = /keys",
        "auth_url = http://h/",
        "author = Ann",
        "allow_auth_statuses = yes",
        "title = a token, a key",
    ];
    let hidden = [
        "session = hunter2",
        "sig = hunter2",
        "dsn = host=db password=hunter2",
        "next = /?a=b&to%%6ben=hunter2",
        "database = postgres://me:hunter2@db/x",
    ];
    let file = format!(
        "[app:main]\nuse = egg:fake\n{}\n{}\n",
        shown.join("\n"),
        hidden.join("\n")
    );
    let plan = loader(&[("main.ini", &file)]).plan_app("config:main.ini");
    let plan = plan.unwrap().to_string();
    for line in shown {
        assert!(plan.contains(&format!(" {line}\n")), "{line}: {plan}");
    }
    assert_eq!(plan.matches("[redacted]").count(), hidden.len(), "{plan}");
    assert!(!plan.contains("hunter2"), "{plan}");
}

#[test]
fn deploy_15_no_error_shows_a_secret() {
    for file in [
        "password = hunter2\n[app:main]\n",
        "[app:main]\npassword hunter2\n",
        "[app:main]\nuse = egg:fake\npassword =\nhunter2\n",
        "[app:main]\nuse = egg:fake#typed\nport = http://joe:hunter2@h/\n",
        "[app:main]\nuse = egg:fake#odd\ntoken = hunter2\n",
        "[app:main]\nuse = egg:fake#odd\nsecret = hunter2\n",
    ] {
        let error = crate::fakes::error(file);
        let all = format!("{error} {error:?} {}", error.report(false));
        assert!(!all.contains("hunter2"), "{all}");
        assert!(all.contains("/site/main.ini:"), "{all}");
    }
}

#[tokio::test]
async fn deploy_9_unusual_types_are_read_or_rejected_whole() {
    let run = async |line: &str| {
        let file = format!("[app:main]\nuse = egg:fake#odd\n{line}\n");
        match loader(&[("main.ini", &file)]).load_app("config:main.ini") {
            Ok(app) => said(&app).await,
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(run("pair = 1 2").await, "None None Some((1, 2))");
    assert_eq!(run("secret = 5").await, "None Some(5) None");
    let place = "/site/main.ini:3:8: [app:main] pair: ";
    assert_eq!(
        run("pair = 1 2 3").await,
        format!("{place}`1 2 3` is not a list of the expected length")
    );
    assert!(run("pair =").await.contains("pair: "));
    let empty = crate::fakes::error("[app:main]\nuse = egg:fake#typed\nport =\n");
    assert_eq!(
        empty.to_string(),
        "/site/main.ini:3:1: [app:main] port: it is empty, and not a number from 0 to 65535"
    );
}

#[test]
fn deploy_5_set_reaches_parts_without_a_section() {
    let file = "[app:main]\nuse = p\nset g = outer\n[pipeline:p]\nset g = inner\npipeline = egg:fake egg:fake\n";
    let plan = loader(&[("main.ini", file)])
        .plan_app("config:main.ini")
        .unwrap();
    let json = plan.to_json();
    assert_eq!(json["filters"][0]["global"]["g"], "outer");
    assert_eq!(json["app"]["global"]["g"], "outer");
}

/// In PasteDeploy these parts share one dictionary.
#[test]
fn deploy_5_a_user_changes_shared_values() {
    let values = |json: &serde_json::Value| {
        let value = |of: &str, key: &str| json[of][key].as_str().unwrap_or("-").to_owned();
        (value("global", "g"), value("local", "k"))
    };
    for (used, part, filter) in [
        // A factory shares the global values. The user changes the filter around it.
        ("use = egg:fake", ("outer", "inner"), ("outer", "-")),
        // The factory of a key of the section shares the section's own settings as well.
        (
            "paste.app_factory = fakemod:app",
            ("outer", "outer"),
            ("outer", "-"),
        ),
        // A section copies the global values before the user changes them.
        ("use = c", ("inner", "inner"), ("outer", "-")),
    ] {
        let file = format!(
            "[app:main]\nuse = b\nset g = outer\nk = outer\n\
             [app:b]\n{used}\nset g = inner\nk = inner\nfilter-with = egg:fake\n\
             [app:c]\nuse = egg:fake\n"
        );
        let plan = loader(&[("main.ini", &file)]).plan_app("config:main.ini");
        let json = plan.unwrap().to_json();
        let [part, filter] = [part, filter].map(|(g, k)| (g.to_owned(), k.to_owned()));
        assert_eq!(values(&json["next"]), part, "{used}");
        assert_eq!(values(&json["filter"]), filter, "{used}");
        // If no filter is around it, the part itself is changed.
        let file = file.replace("filter-with = egg:fake\n", "");
        let plan = loader(&[("main.ini", &file)]).plan_app("config:main.ini");
        let json = plan.unwrap().to_json();
        let outer = ("outer".to_owned(), "outer".to_owned());
        assert_eq!(values(&json), outer, "{used}");
    }
}

#[test]
fn deploy_5_a_name_from_get_is_looked_up_where_get_is() {
    let file = "[app:main]\nget use = which\n[app:blog]\nuse = egg:fake\na = 1\n";
    let loader = loader(&[("main.ini", file)]).global("which", "blog");
    let config = loader.app_config("config:main.ini").unwrap();
    assert_eq!(config.local.get("a"), Some("1"));
    let wrong = loader
        .global("which", "bolg")
        .load_app("config:main.ini")
        .unwrap_err();
    assert!(
        wrong
            .to_string()
            .starts_with("/site/main.ini:2:11: [app:main] use: "),
        "{wrong}"
    );
}
