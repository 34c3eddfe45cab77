//! The kinds of files that PasteDeploy's documentation shows, with other contents.

use std::{io, path::Path};

use tower_deploy::{App, BoxError, Filter, Loader, Registry, Settings};

use crate::fakes::says;

fn app(_: &Settings, _: Settings) -> Result<App, BoxError> {
    Ok(says(String::new()))
}

fn filter(_: &Settings, _: Settings) -> Result<Filter, BoxError> {
    Ok(Filter::from_fn(Ok::<_, BoxError>))
}

/// Returns a registry with everything that the files name.
fn registry() -> Registry {
    let is_app = |key: &str| key.starts_with('/');
    Registry::new()
        .app("Paste#static", app)
        .app("BlogApp", app)
        .app("MyApp", app)
        .app("mywikiapp:application", app)
        .app("my.project:myapplication", app)
        .app("myapp.modulename:app_factory", app)
        .filter("Authentication#auth", filter)
        .filter("FilterEgg#filter2", filter)
        .filter("PrinterFilter", filter)
        .composite("Paste#urlmap", is_app, |_, _, apps| {
            let keys: Vec<String> = apps.keys().map(str::to_owned).collect();
            for key in keys {
                apps.app(&key)?;
            }
            Ok::<_, BoxError>(says(String::new()))
        })
}

/// Builds a file's `main`, and returns its parts without positions and settings.
fn parts(files: &'static [(&str, &str)]) -> Vec<String> {
    let loader = Loader::new(registry()).files(move |path: &Path| {
        let found = files.iter().find(|(name, _)| path == Path::new(name));
        let (_, text) = found.ok_or(io::ErrorKind::NotFound)?;
        Ok(text.as_bytes().to_vec())
    });
    loader.load_app("config:/home/me/main.ini").unwrap();
    let tree = loader
        .plan_app("config:/home/me/main.ini")
        .unwrap()
        .to_string();
    let parts = tree.lines().filter(|line| !line.contains(" = "));
    let parts = parts.map(|line| line.split("  [").next().unwrap_or_default());
    let branches = ['\u{2502}', '\u{251c}', '\u{2514}', '\u{2500}', ' '];
    parts
        .map(|part| part.trim_start_matches(branches).to_owned())
        .collect()
}

#[test]
fn deploy_2_a_site_of_several_apps() {
    const FILES: &[(&str, &str)] = &[
        (
            "/home/me/main.ini",
            "\
[composite:main]
use = egg:Paste#urlmap
/ = front
/blog = journal
/wiki = notes
/cms = config:cms.ini

[app:front]
use = egg:Paste#static
document_root = %(here)s/pages

[filter-app:journal]
use = egg:Authentication#auth
next = entries
roles = editor
htpasswd = /home/me/people.htpasswd

[app:entries]
use = egg:BlogApp
database = sqlite:/home/me/journal.db

[app:notes]
use = call:mywikiapp:application
database = sqlite:/home/me/notes.db
",
        ),
        ("/home/me/cms.ini", "[app:main]\nuse = egg:MyApp\n"),
    ];
    assert_eq!(
        parts(FILES),
        [
            "composite egg:Paste#urlmap",
            "/ \u{2192} app egg:Paste#static",
            "/blog \u{2192} filter egg:Authentication#auth",
            "app egg:BlogApp#main",
            "/wiki \u{2192} app call:mywikiapp:application",
            "/cms \u{2192} app egg:MyApp#main",
        ]
    );
}

#[test]
fn deploy_3_filters_in_a_row_and_one_around_an_app() {
    const FILES: &[(&str, &str)] = &[(
        "/home/me/main.ini",
        "\
[pipeline:main]
pipeline = first egg:FilterEgg#filter2 third app

[filter:first]
use = egg:PrinterFilter

[filter:third]
use = first
level = loud

[app:app]
use = egg:MyApp
filter-with = first
",
    )];
    assert_eq!(
        parts(FILES),
        [
            "filter egg:PrinterFilter#main",
            "filter egg:FilterEgg#filter2",
            "filter egg:PrinterFilter#main",
            "filter egg:PrinterFilter#main",
            "app egg:MyApp#main",
        ]
    );
}

#[test]
fn deploy_1_a_section_changes_settings_of_another() {
    const FILE: &str = "\
[DEFAULT]
admin_email = boss@example.com
folder = %(here)s/data

[app:main]
use = other
database = mysql://localhost/otherdb
set debug = false
get mail_to = admin_email

[app:other]
use = call:my.project:myapplication
database = sqlite:%(folder)s/db
colour = blue

[app:outright]
paste.app_factory = myapp.modulename:app_factory
";
    let loader = Loader::new(registry()).files(|_| Ok(FILE.as_bytes().to_vec()));
    let config = loader.app_config("config:/home/me/main.ini").unwrap();
    let local = config.local.iter().map(|(key, value)| (key, value.text()));
    assert_eq!(
        local.collect::<Vec<_>>(),
        [
            ("database", "mysql://localhost/otherdb"),
            ("colour", "blue"),
            ("mail_to", "boss@example.com"),
        ]
    );
    assert_eq!(config.global.get("debug"), Some("false"));
    assert_eq!(config.global.get("folder"), Some("/home/me/data"));
    loader
        .load_app("config:/home/me/main.ini#outright")
        .unwrap();
}
