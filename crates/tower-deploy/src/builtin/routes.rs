//! What a router's settings say: routes in an INI file, or link.wsgi's JSON file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use http::Method;
use indexmap::{IndexMap, IndexSet};
use serde::Deserialize;
use serde_json::value::RawValue;
use tower_dispatch::{Pattern, PatternError};

use crate::{
    Error, ErrorKind, Place, Settings, Value,
    conf::Origin,
    ini::{self, Read},
    named::Named,
    place::Source,
    role::Role,
};

pub(super) const URLPATTERNS: &str = "urlpatterns";
pub(super) const JSON: &str = "json";

/// A line of `urlpatterns`, or a method of a pattern in JSON.
pub(super) struct Route {
    /// All, if it has none.
    pub(super) methods: Vec<Method>,
    pub(super) pattern: Pattern,
    /// The number of its app.
    pub(super) app: usize,
}

/// What is written, before it is compiled.
struct Written {
    methods: Vec<(String, Option<Place>)>,
    pattern: (String, Option<Place>),
    named: Named,
}

pub(super) struct Routes {
    written: Vec<Written>,
    /// Those of JSON's `middlewares`.
    middlewares: Vec<Named>,
    /// link.wsgi's way: the first pattern that matches decides.
    pub(super) first_path_match_decides: bool,
}

impl Routes {
    pub(super) fn read(local: &Settings, read: &Read<'_>) -> Result<Self, Error> {
        match (local.value(URLPATTERNS), local.value(JSON)) {
            (Some(lines), None) => Self::of_lines(lines),
            (None, Some(file)) => {
                Self::of_json(file).and_then(|path| Json::read(&path, file, read))
            }
            (Some(_), Some(json)) => {
                let error = Error::new(ErrorKind::Settings, "its routes are there twice");
                let error = error.key(JSON).at(json.key_place.as_ref());
                Err(error.help("take out `urlpatterns` or `json`"))
            }
            (None, None) => {
                let error = Error::new(ErrorKind::Settings, "it has no routes");
                Err(error.help("add `urlpatterns = ` with a line METHOD PATTERN APP for each route, or `json = FILE`"))
            }
        }
    }

    /// `[METHOD[,METHOD…]] PATTERN APP`, a line each.
    fn of_lines(value: &Value) -> Result<Self, Error> {
        let place = |words: &str| value.place().map(|place| place.within(words));
        let mut written = Vec::new();
        for line in value.text().lines() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let is_pattern = |word: &str| word.starts_with(['/', '^']);
            let (methods, rest) = match line.split_once(char::is_whitespace) {
                Some((methods, rest)) if !is_pattern(methods) => (methods, rest.trim_start()),
                _ => ("*", line),
            };
            let parts = rest.rsplit_once(char::is_whitespace);
            let Some((pattern, app)) = parts.filter(|(pattern, _)| is_pattern(pattern)) else {
                let message = format!("`{line}` is no route");
                let error = Error::new(ErrorKind::Settings, message).key(URLPATTERNS);
                return Err(error.at(place(line).as_ref()).help(
                    "write METHOD PATTERN APP, where PATTERN is a template that begins with a slash or a regex that begins with ^",
                ));
            };
            let pattern = pattern.trim_end();
            let methods = methods.split(',').filter(|method| *method != "*");
            let within = |words: &str| place(line).map(|line| line.within(words));
            let label: Vec<_> = line[..line.len() - app.len()].split_whitespace().collect();
            let label = label.join(" ");
            let named = Named::word(Role::App, URLPATTERNS, &label, app, value);
            written.push(Written {
                methods: methods
                    .map(|method| (method.to_owned(), within(method)))
                    .collect(),
                pattern: (pattern.to_owned(), within(pattern)),
                named: Named {
                    place: place(line).map(|line| last(line, app)),
                    ..named
                },
            });
        }
        Ok(Self {
            written,
            middlewares: Vec::new(),
            first_path_match_decides: false,
        })
    }

    fn of_json(value: &Value) -> Result<PathBuf, Error> {
        let path = PathBuf::from(value.text());
        if path.is_absolute() {
            return Ok(path);
        }
        let file = value.place().map(Place::file);
        let Some(folder) = file.and_then(|file| file.parent()) else {
            let message = format!("`{}` is relative, and nothing says to what", path.display());
            let error = Error::new(ErrorKind::RelativeWithoutBase, message).key(JSON);
            return Err(error.help("write the whole path"));
        };
        Ok(folder.join(path))
    }

    /// The apps, each once, however many routes lead to it, and the middlewares.
    pub(super) fn named(self) -> Vec<Named> {
        let mut apps: IndexMap<String, Named> = IndexMap::new();
        for Written { named, .. } in self.written {
            match apps.get_mut(&named.name) {
                Some(known) => known.label = format!("{}, {}", known.label, named.label),
                None => drop(apps.insert(named.name.clone(), named)),
            }
        }
        apps.into_values().chain(self.middlewares).collect()
    }

    pub(super) fn compile(&self) -> Result<Vec<Route>, Error> {
        let mut routes = Vec::new();
        let mut names = IndexSet::new();
        for route in &self.written {
            let (app, _) = names.insert_full(&route.named.name);
            let mut methods = Vec::new();
            let key = &route.named.key;
            for (method, place) in &route.methods {
                let is_shouted = !method.contains(|c: char| c.is_lowercase());
                let read = Method::from_bytes(method.as_bytes());
                methods.push(read.ok().filter(|_| is_shouted).ok_or_else(|| {
                    let message = format!("`{method}` is no method");
                    let error = Error::new(ErrorKind::Settings, message);
                    let help =
                        "methods are upper case, as GET, and parted by commas; * is all of them";
                    error.key(key).at(place.as_ref()).help(help)
                })?);
            }
            let (pattern, place) = &route.pattern;
            let pattern = self.pattern(pattern).map_err(|error| {
                let error = Error::new(ErrorKind::Settings, error.to_string()).key(key);
                error
                    .at(place.as_ref())
                    .help("see tower-dispatch for what patterns can be")
            })?;
            routes.push(Route {
                methods,
                pattern,
                app,
            });
        }
        Ok(routes)
    }

    /// A regex matches the beginning of a path, as Python's `re.match`.
    fn pattern(&self, pattern: &str) -> Result<Pattern, PatternError> {
        if pattern.starts_with('^') || self.first_path_match_decides {
            return Pattern::regex_prefix(pattern);
        }
        Pattern::template(pattern)
    }
}

/// `{"ROUTER": {"urlpatterns": {PATTERN: {METHOD: NAME}}, "middlewares": [NAME]}}`
struct Json {
    source: Arc<Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole<'a> {
    #[serde(rename = "ROUTER", borrow)]
    router: Router<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Router<'a> {
    #[serde(default, borrow)]
    urlpatterns: IndexMap<String, IndexMap<String, &'a RawValue>>,
    #[serde(default, borrow)]
    middlewares: Vec<&'a RawValue>,
}

impl Json {
    fn read(path: &Path, value: &Value, read: &Read<'_>) -> Result<Routes, Error> {
        let text = ini::text(path, read).map_err(|error| {
            error
                .key(JSON)
                .at(value.place())
                .help("`json` is the name of a file")
        })?;
        let json = Self {
            source: Arc::new(Source {
                path: path.into(),
                text,
            }),
        };
        let text = &json.source.text;
        let whole: Whole<'_> = serde_json::from_str(text).map_err(|error| json.wrong(&error))?;
        let mut written = Vec::new();
        let mut from = 0;
        for (pattern, methods) in &whole.router.urlpatterns {
            let quoted = serde_json::to_string(pattern).unwrap_or_default();
            let at = text[from..].find(&quoted).map(|at| from + at);
            let place = at.map(|at| Place::new(&json.source, at..at + quoted.len()));
            from = at.unwrap_or(from);
            for (method, handler) in methods {
                let named = json.named(Role::App, format!("{method} {pattern}"), handler)?;
                written.push(Written {
                    methods: vec![(method.clone(), json.key_before(handler, method))],
                    pattern: (pattern.clone(), place.clone()),
                    named,
                });
            }
        }
        let middlewares = whole.router.middlewares.iter().enumerate();
        let middlewares = middlewares.map(|(number, middleware)| {
            json.named(Role::Hook, format!("middleware {}", number + 1), middleware)
        });
        Ok(Routes {
            middlewares: middlewares.collect::<Result<_, _>>()?,
            written,
            first_path_match_decides: true,
        })
    }

    fn wrong(&self, error: &serde_json::Error) -> Error {
        let text = &self.source.text;
        let before: usize = text
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1))
            .map(str::len)
            .sum();
        // Serde's column is the number of the last byte that it has read.
        let at = (before + error.column().saturating_sub(1)).min(text.len());
        let at = (0..=at)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        let end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
        let message = error.to_string();
        let message = message
            .rsplit_once(" at line ")
            .map_or(&*message, |(message, _)| message);
        let place = Place::new(&self.source, at..end);
        Error::new(ErrorKind::Json, message).at(Some(&place)).help(
            "a router is {\"ROUTER\": {\"urlpatterns\": {PATTERN: {METHOD: NAME}}, \"middlewares\": [NAME]}}",
        )
    }

    fn place(&self, value: &RawValue) -> Option<Place> {
        let text = &self.source.text;
        // What serde borrows is a part of the text.
        let at = value.get().as_ptr() as usize - text.as_ptr() as usize;
        let span = at..at + value.get().len();
        text.get(span.clone())
            .map(|_| Place::new(&self.source, span))
    }

    /// Where the key of a value stands, which is what is quoted last before it.
    fn key_before(&self, value: &RawValue, key: &str) -> Option<Place> {
        let value = self.place(value)?;
        let at = self.source.text[..value.span.start].rfind(key)?;
        Some(Place::new(&self.source, at..at + key.len()))
    }

    /// A dotted name, which is looked up in the registry as it stands.
    fn named(&self, role: Role, label: String, value: &RawValue) -> Result<Named, Error> {
        let place = self.place(value);
        let name: String = serde_json::from_str(value.get()).map_err(|_| {
            let message = format!("`{}` is no name", value.get());
            let error = Error::new(ErrorKind::Json, message).at(place.as_ref());
            error
                .help("write the name, as \"package.module.name\", that the program has registered")
        })?;
        Ok(Named {
            role,
            key: JSON.to_owned(),
            label,
            name: format!("egg:{name}"),
            home: Origin::Program,
            place,
        })
    }
}

/// The last word of a line.
fn last(line: Place, word: &str) -> Place {
    let end = line.span.end;
    match line.source.text[line.span.clone()].ends_with(word) {
        true => Place::new(&line.source, end - word.len()..end),
        false => line,
    }
}
