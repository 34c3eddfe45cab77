//! Errors in headings, names and keys.

use tower_deploy::Loader;

use crate::fakes::{error, registry};

#[test]
fn deploy_7_a_heading_without_a_name_is_an_error() {
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
fn deploy_14_an_empty_name_is_called_empty() {
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
fn deploy_14_a_misspelt_key_of_a_section_is_marked() {
    for (file, expected) in [
        (
            "[app:main]\na = 1\nues = egg:fake\n",
            "3:1: [app:main] ues: it names no factory of the app (did you mean `use`?)",
        ),
        (
            "[app:main]\nuse egg:fake#typed\n",
            "2:1: [app:main] use egg: it names no factory of the app (did you mean `use = …`?)",
        ),
        (
            "[app:main]\npaste.app-factory = fakemod:app\n",
            "2:1: [app:main] paste.app-factory: it names no factory of the app (did you mean `paste.app_factory`?)",
        ),
        (
            "[pipeline:main]\npipline = f a\n",
            "2:1: [pipeline:main] pipline: its filters and its app are missing (did you mean `pipeline`?)",
        ),
        (
            "[filter-app:main]\nuse = egg:fake\nnxt = a\n",
            "3:1: [filter-app:main] nxt: the app that it wraps is missing (did you mean `next`?)",
        ),
        (
            "[filter-app:main]\nuse = egg:fake\ntext = a\n",
            "1:2: [filter-app:main] the app that it wraps is missing (add `next = NAME`, the name of an app)",
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
fn deploy_14_a_heading_with_a_misspelt_type_is_marked() {
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
        // If it is named, its name is marked.
        (
            "[app:main]\nuse = egg:fake\nfilter-with = f\n[f]\nuse = egg:fake\n",
            "3:15: [app:main] filter-with: there is no filter `f` in /site/main.ini (did you mean [filter:f] by [f] in line 4?)",
        ),
    ] {
        let expected = format!("/site/main.ini:{expected}");
        assert_eq!(error(file).to_string(), expected, "{file}");
    }
}
