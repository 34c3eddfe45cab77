//! A parsed text prints, and the printed text parses to the same. The fuzz target and the test that
//! replays its corpus share this file.

use std::path::Path;

use tower_deploy::Document;

type Settings = Vec<(String, String)>;

pub(crate) fn ini_parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let path = Path::new("/fuzz.ini");
    match Document::parse(path, text.to_owned()) {
        Ok(document) => {
            let printed = document.to_string();
            let again = Document::parse(path, printed.clone());
            let again = again.unwrap_or_else(|error| panic!("{error}: {printed:?}"));
            assert_eq!(contents(&document), contents(&again), "{printed:?}");
            assert_eq!(printed, again.to_string());
        }
        Err(error) => {
            let place = error.place().expect("a mistake in a text has a place");
            let lines = 1 + text.matches(['\n', '\r']).count();
            assert!((1..=lines).contains(&place.line()) && place.column() > 0);
            assert!(!error.to_string().is_empty() && !error.report(false).is_empty());
        }
    }
}

fn contents(document: &Document) -> Vec<(String, Settings)> {
    fn owned<'a>(settings: impl Iterator<Item = (&'a str, &'a str)>) -> Settings {
        settings
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }
    let sections = document.sections();
    let mut contents: Vec<_> = sections
        .map(|(name, settings)| (name.to_owned(), owned(settings)))
        .collect();
    contents.push(("DEFAULT".to_owned(), owned(document.defaults())));
    contents
}
