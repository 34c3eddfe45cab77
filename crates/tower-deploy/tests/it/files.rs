//! Large files, deep ones, and those without an end.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use tower_deploy::{ErrorKind, Loader};

use crate::fakes::{error, loader, registry, said};

#[test]
fn ten_thousand_lines_take_less_than_a_second() {
    let mut file = String::from("[composite:main]\nuse = egg:fake#mount\n");
    for number in 0..1900 {
        writeln!(file, "/{number} = app{number}").unwrap();
    }
    for number in 0..1900 {
        write!(
            file,
            "[app:app{number}]\nuse = egg:fake\na = %(here)s/%(b)s\nb = 1\n\n"
        )
        .unwrap();
    }
    assert!(file.lines().count() > 10_000);
    let loader = loader(&[("main.ini", &file)]);
    let took = || {
        let start = Instant::now();
        loader.plan_app("config:main.ini").unwrap();
        start.elapsed()
    };
    // It is built without optimisation here, and the machine may be busy.
    let mut times = (0..20).map(|_| took());
    assert!(times.any(|time| time < Duration::from_secs(1)));
}

#[test]
fn deploy_8_growth_without_end_is_an_error() {
    // A billion laughs.
    let mut laughs = String::from("[app:main]\nuse = egg:fake\nl9 = ha\n");
    for number in 0..9 {
        writeln!(
            laughs,
            "l{number} = {}",
            format!("%(l{})s", number + 1).repeat(10)
        )
        .unwrap();
    }
    let error_of = |file: &str| {
        let error = error(file);
        (error.kind(), error.to_string())
    };
    let (kind, text) = error_of(&laughs);
    assert_eq!(kind, ErrorKind::InterpolationDepth);
    assert!(
        text.starts_with("/site/main.ini:4:6: [app:main] l0: more than 10000 names are in it"),
        "{text}"
    );
    // An empty value, a billion times.
    assert_eq!(
        error_of(&laughs.replace("= ha", "=")).0,
        ErrorKind::InterpolationDepth
    );
    let long = format!(
        "[app:main]\nuse = egg:fake\na = {}\nb = {}\n",
        "x".repeat(1000),
        "%(a)s".repeat(70)
    );
    let (kind, text) = error_of(&long);
    assert_eq!(kind, ErrorKind::InterpolationDepth);
    assert!(text.contains("it grows beyond 65536 bytes"), "{text}");

    // Twice as many parts with each section.
    let mut doubling = String::from("[app:c20]\nuse = egg:fake\n");
    for number in 0..20 {
        let next = number + 1;
        writeln!(
            doubling,
            "[composite:c{number}]\nuse = egg:fake#mount\n/a = c{next}\n/b = c{next}"
        )
        .unwrap();
    }
    let doubling = doubling.replace("[composite:c0]", "[composite:main]");
    assert_eq!(error_of(&doubling).0, ErrorKind::TooLarge);

    let mut deep = String::from("[app:main]\nuse = s0\n[app:s1000]\nuse = egg:fake\n");
    for number in 0..1000 {
        writeln!(deep, "[app:s{number}]\nuse = s{}", number + 1).unwrap();
    }
    let (kind, text) = error_of(&deep);
    assert_eq!(kind, ErrorKind::Circular);
    assert!(text.contains("more than 50 deep"), "{text}");
}

#[tokio::test]
async fn deploy_1_names_are_relative_to_their_file() {
    let files = [
        ("main.ini", "[app:main]\nuse = config:sub/a.ini#x\n"),
        (
            "sub/a.ini",
            "[app:x]\nuse = config:../b.ini\ntext = %(here)s\n",
        ),
        (
            "b.ini",
            "[DEFAULT]\nk = 50%%\n[app:main]\nuse = config:sub/c.ini\n",
        ),
        // A value of another file keeps its percent signs.
        (
            "sub/c.ini",
            "[app:main]\nuse = egg:fake\nfrom = %(k)s\nat = %(here)s\n",
        ),
    ];
    let loader = loader(&files);
    let app = loader.load_app("config:main.ini").unwrap();
    assert_eq!(said(&app).await, "/site/sub");
    let config = loader.app_config("config:main.ini").unwrap();
    assert_eq!(config.local.get("from"), Some("50%"));
    assert_eq!(config.local.get("at"), Some("/site/sub"));
    assert_eq!(config.global.get("here"), Some("/site"));
}

#[test]
fn deploy_6_a_default_of_empty_names_is_empty() {
    let text = "[DEFAULT]\nnone =\nk = %(none)s\n[app:main]\nuse = egg:fake\nl = %(k)s\n";
    let config = loader(&[("main.ini", text)]).app_config("config:main.ini");
    let config = config.unwrap();
    assert_eq!(config.global.get("k"), Some(""));
    assert_eq!(config.local.get("l"), Some(""));
}

#[tokio::test]
async fn deploy_6_a_directory_may_have_percent_signs() {
    let folder = std::env::temp_dir().join(format!("tower-deploy-100%-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("site.ini");
    std::fs::write(&file, "[app:main]\nuse = egg:fake\ntext = %(here)s\n").unwrap();
    let link = folder.join("link.ini");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let load = |path: &std::path::Path| {
        let uri = format!("config:{}", path.display().to_string().replace('%', "%25"));
        Loader::new(registry()).load_app(&uri)
    };
    let (direct, linked, directory) = (load(&file), load(&link), load(&folder));
    std::fs::remove_dir_all(&folder).unwrap();
    let here = folder.display().to_string();
    assert_eq!(said(&direct.unwrap()).await, here);
    assert_eq!(said(&linked.unwrap()).await, here);
    assert_eq!(directory.unwrap_err().kind(), ErrorKind::IsADirectory);
}

#[test]
fn deploy_7_lines_end_as_on_any_system() {
    for end in ["\n", "\r\n", "\r"] {
        let file = [
            "[app:main]",
            "use = egg:fake",
            "",
            "# a comment",
            "\u{e4} = %(x)s",
            "",
        ]
        .join(end);
        let place = error(&file).place().unwrap().clone();
        assert_eq!((place.line(), place.column()), (5, 5), "{end:?}");
        assert_eq!(place.file().to_str(), Some("/site/main.ini"));
    }
}

#[test]
fn deploy_8_a_plan_has_at_most_ten_thousand_parts() {
    let file = |children: usize| {
        let mut file =
            String::from("[app:a]\nuse = egg:fake\n[composite:main]\nuse = egg:fake#mount\n");
        for number in 0..children {
            writeln!(file, "/{number} = a").unwrap();
        }
        file
    };
    assert!(
        loader(&[("main.ini", &file(4_999))])
            .plan_app("config:main.ini")
            .is_ok()
    );
    assert_eq!(error(&file(5_000)).kind(), ErrorKind::TooLarge);
}

#[test]
fn deploy_8_names_that_name_names_end() {
    for (uri, kind) in [
        (format!("{}x", "egg:#".repeat(13_000)), ErrorKind::Circular),
        (
            format!("{}x", "config:main.ini#".repeat(4_000)),
            ErrorKind::Circular,
        ),
    ] {
        let file = format!("[app:main]\nuse = {uri}\n");
        assert_eq!(error(&file).kind(), kind);
    }
}

/// The test has the numbers of the rule, with the last value that passes and the first that does
/// not.
#[test]
fn deploy_8_the_limits_of_a_file_are_documented() {
    let rules = include_str!("../../RULES.md");
    let rules = rules.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(rules.contains(
        "**DEPLOY-8** A file has at most 1 MiB. A value with names in it has at most 64 KiB and \
         10,000 names, which refer to one another at most 10 deep. Sections are nested at most 50 \
         deep and do not lead back to themselves. There are at most 10,000 sections and factories, \
         and 64 MiB of values."
    ));
    let is_taken = |settings: &str| {
        let file = format!("[app:main]\nuse = egg:fake\n{settings}");
        let loaded = loader(&[("main.ini", &file)]).load_app("config:main.ini");
        loaded.map(drop).map_err(|error| error.kind())
    };
    let size = |bytes: usize| {
        let rest = bytes - "[app:main]\nuse = egg:fake\n".len();
        is_taken(&"#".repeat(rest))
    };
    assert_eq!(size(1024 * 1024), Ok(()));
    assert_eq!(size(1024 * 1024 + 1), Err(ErrorKind::FileTooLarge));
    let grown = |bytes: usize| {
        let half = "x".repeat(bytes / 2);
        is_taken(&format!("a = {half}\nb = %(a)s%(a)s\n"))
    };
    assert_eq!(grown(64 * 1024), Ok(()));
    assert_eq!(grown(64 * 1024 + 2), Err(ErrorKind::InterpolationDepth));
    let names = |count: usize| is_taken(&format!("a =\nb = {}\n", "%(a)s".repeat(count)));
    assert_eq!(names(10_000), Ok(()));
    assert_eq!(names(10_001), Err(ErrorKind::InterpolationDepth));
    let deep = |names: usize| {
        let mut settings = format!("a{names} = x\n");
        for name in 0..names {
            writeln!(settings, "a{name} = %(a{})s", name + 1).unwrap();
        }
        is_taken(&settings)
    };
    assert_eq!(deep(10), Ok(()));
    assert_eq!(deep(11), Err(ErrorKind::InterpolationDepth));
}

#[test]
fn deploy_8_names_may_name_names_fifty_times() {
    // The file's own is one of them.
    let file = |hops: usize| format!("[app:main]\nuse = {}egg:fake\n", "egg:#".repeat(hops));
    assert!(
        loader(&[("main.ini", &file(49))])
            .load_app("config:main.ini")
            .is_ok()
    );
    assert_eq!(error(&file(50)).kind(), ErrorKind::Circular);
}

#[test]
fn deploy_8_too_much_is_an_error_soon() {
    let start = Instant::now();
    // The same parts again and again.
    let mut parts = format!(
        "[pipeline:p]\npipeline = {}\n[composite:main]\nuse = egg:fake#mount\n",
        "egg:fake ".repeat(6_000)
    );
    for number in 0..40 {
        writeln!(parts, "/{number} = p").unwrap();
    }
    // A large value in many.
    let mut values = format!("[app:main]\nuse = egg:fake\nbig = {}\n", "x".repeat(60_000));
    for number in 0..5_000 {
        writeln!(values, "k{number} = %(big)s").unwrap();
    }
    // Many global values in many parts.
    let mut globals = String::from("[DEFAULT]\n");
    for number in 0..20_000 {
        writeln!(globals, "g{number} = %(here)s").unwrap();
    }
    write!(
        globals,
        "[pipeline:main]\npipeline = {}egg:fake\n",
        "egg:fake ".repeat(200)
    )
    .unwrap();
    let values_text = "all values together are more than 67108864 bytes";
    for (file, text) in [
        (parts, "it makes more than 10000 parts"),
        (values, values_text),
        (globals, values_text),
    ] {
        let error = error(&file);
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains(text), "{error}");
    }
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}
