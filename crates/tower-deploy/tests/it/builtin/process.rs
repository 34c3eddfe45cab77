//! The app `process`. tower-process and tests/process.rs test the rest.

use super::*;

/// Returns the error of a section with these settings.
fn error(settings: &str) -> String {
    wrong(&format!(
        "[app:wiki]\nuse = egg:tower#process\n{settings}\n[pipeline:main]\npipeline = wiki\n"
    ))
}

#[tokio::test]
async fn deploy_70_wrong_settings_are_errors() {
    for (settings, expected) in [
        ("", "command: it is missing (add `command = …`)"),
        (
            "command = sleep 1",
            "command: the command has no `{socket}`",
        ),
        (
            "command = no-such {socket}",
            "command: there is no program `no-such` in PATH",
        ),
        (
            "command = cd / && x {socket}",
            "command: `&&` is for a shell",
        ),
        (
            "command = 'sleep {socket}",
            "command: a ' has no second one",
        ),
        (
            "command = sleep {socket}\ndirectory = /no/where",
            "command: /no/where is not a directory",
        ),
        (
            "command = sleep {socket}\nspeaks = gopher",
            "speaks: `gopher` is not one of http, fastcgi, scgi",
        ),
        (
            "command = sleep {socket}\nenvironment = A",
            "environment: `A` is not a variable, such as APP_ENV=live",
        ),
        (
            "command = sleep {socket}\naddress = http://a",
            "address: the address is the process's own, `{socket}` in its command",
        ),
        (
            "command = sleep {socket}\nstart_timout = 1s",
            "start_timout: the key is not known (did you mean `start_timeout`?)",
        ),
        (
            "command = sleep {socket}\nheader_timout = 1s",
            "header_timout: the key is not known (did you mean `header_timeout`?)",
        ),
        (
            "command = sleep {socket}\nspeaks = scgi\nmap_locations = yes",
            "map_locations: the key is not known",
        ),
        (
            "command = sleep {socket}\nspeaks = fastcgi\nscript = /a\ndocument_root = /b",
            "write either `script` or `document_root`",
        ),
        (
            "command = sleep {socket}\nqueue_timeout = 0s",
            "queue_timeout: it has to be longer than nothing",
        ),
    ] {
        let error = error(settings);
        assert!(error.contains(expected), "{settings}: {error}");
    }
}

#[test]
fn deploy_70_a_process_needs_a_runtime() {
    let error = error("command = sleep {socket}");
    let expected = "command: a process needs a tokio runtime, and there is none here";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn deploy_70_its_plan_has_the_settings_of_what_it_speaks() {
    for (speaks, known, unknown) in [
        ("http", "map_locations = no", "local_redirects"),
        ("fastcgi", "keep_connections = 0", "map_locations"),
        ("scgi", "local_redirects = 10", "keep_connections"),
    ] {
        let file = format!(
            "[app:main]\nuse = egg:tower#process\ncommand = sleep {{socket}}\nspeaks = {speaks}\n"
        );
        let loader = loader(Registry::standard(), &[("main.ini", &file)]);
        let plan = loader.plan_app("config:/site/main.ini").unwrap();
        let plan = plan.to_string();
        assert!(plan.contains(known), "{plan}");
        assert!(!plan.contains(unknown), "{plan}");
        assert!(plan.contains("queue_timeout = 10s"), "{plan}");
        assert!(!plan.contains("address"), "{plan}");
    }
}

/// Two names of one section are one process, and another section is another one.
#[tokio::test]
async fn deploy_71_a_section_has_one_process() {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("starts");
    let file = format!(
        "[composite:main]\nuse = egg:tower#urlmap\n/a = wiki\n/b = wiki\n/c = other\n\
         [app:wiki]\nuse = egg:tower#process\n\
         command = sh -c 'echo $0 >> {0}; sleep 1000' wiki {{socket}}\n\
         [app:other]\nuse = egg:tower#process\n\
         command = sh -c 'echo $0 >> {0}; sleep 1000' other {{socket}}\n",
        list.display()
    );
    let app = site(&file);
    let start = std::time::Instant::now();
    let lines = loop {
        let text = std::fs::read_to_string(&list).unwrap_or_default();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        if lines.len() > 1 || start.elapsed().as_secs() > 10 {
            break lines;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(lines, ["other", "wiki"]);
    drop(app);
}

/// The program and the directory are another site's, so the test puts its own in their places.
#[tokio::test]
async fn deploy_70_the_file_of_the_guide_is_a_site() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/process.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, file) = guide.split_once("```ini\n").unwrap();
    let (file, _) = file.split_once("```").unwrap();
    let command = "gunicorn --bind unix:{socket} app:app\ndirectory = /srv/wiki";
    assert!(file.contains(command));
    let file = file.replace(command, "sleep 1000 {socket}\nqueue_timeout = 50ms");
    let app = site(&file);
    let moved = get(&app, "/hello/Ann").await;
    assert_eq!(moved.body(), "Hello Ann, from here");
    assert_eq!(get(&app, "/old").await.status(), 503);
}

/// `just python` runs them, with gunicorn.
#[test]
fn deploy_70_the_examples_are_sites() {
    for (file, expected) in [
        (
            "python",
            "command = gunicorn --bind unix:{socket} --threads 8 app:application",
        ),
        (
            "hello",
            "command = gunicorn --bind unix:{socket} hello:application",
        ),
        (
            "cascade",
            "app egg:tower#process  [app:pylons] cascade.ini:",
        ),
    ] {
        let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/python");
        let loader = Loader::new(Registry::standard());
        let plan = loader.plan_app(&format!("config:{examples}/{file}.ini"));
        let plan = plan.unwrap().to_string();
        assert!(plan.contains(expected), "{plan}");
    }
}
