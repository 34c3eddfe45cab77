//! The defaults in a plan are the documented ones.

use tower_deploy::Registry;

use super::{defaults::DEFAULTS, loader};

/// The required settings of each factory with defaults that a plan shows.
const FACTORIES: [(&str, &str, &str); 12] = [
    ("app", "static", "document_root = /srv"),
    ("app", "text", "text = x"),
    ("app", "redirect", "location = /x"),
    ("composite", "cascade", "app1 = egg:tower#panic"),
    ("filter", "origin", ""),
    ("filter", "prefix", "prefix = x"),
    ("filter", "replace", "replace = a\nwith = b"),
    ("filter", "exception", ""),
    ("filter", "hooks", "hooks = egg:tower#server-timing"),
    ("filter", "timeout", "timeout = 1s"),
    ("filter", "request-id", ""),
    ("filter", "cors", "origins = *"),
];

#[test]
fn deploy_21_the_defaults_of_a_plan_are_documented() {
    for (kind, name, required) in FACTORIES {
        let section = match kind {
            "filter" => "[app:main]\nuse = egg:tower#panic\nfilter-with = it\n[filter:it]\n",
            "composite" => "[composite:main]\n",
            _ => "[app:main]\n",
        };
        let file = format!("{section}use = egg:tower#{name}\n{required}\n");
        let plan = loader(Registry::standard(), &[("main.ini", &file)]);
        let plan = plan.plan_app("config:/site/main.ini").unwrap().to_string();
        let shown = plan.lines().filter_map(|line| {
            let line = line.trim_start_matches(['│', ' ']);
            line.strip_suffix("  (default)")?.split_once(" = ")
        });
        let mut shown: Vec<_> = shown.collect();
        let documented = DEFAULTS.iter().filter(|(of, ..)| *of == name);
        let documented = documented.filter_map(|(_, key, default)| {
            let default = default.strip_prefix("= ")?;
            Some((*key, default.trim_matches('`')))
        });
        let mut documented: Vec<_> = documented.collect();
        shown.sort_unstable();
        documented.sort_unstable();
        assert_eq!(shown, documented, "{name}");
    }
}
