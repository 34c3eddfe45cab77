//! The routes of a router: lines in an INI file, or link.wsgi's JSON file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use http::Method;
use indexmap::{IndexMap, IndexSet};
use serde::Deserialize;
use serde_json::value::RawValue;
use tower_dispatch::{Audit, Pattern, PatternError};

use crate::{
    Error, ErrorKind, Place, Settings, Value,
    conf::Origin,
    ini::{self, Read},
    kind::Role,
    named::Named,
    place::Source,
};

pub(super) const URLPATTERNS: &str = "urlpatterns";
pub(super) const JSON: &str = "json";

/// A line of `urlpatterns`, or a method of a pattern in JSON.
pub(super) struct Route {
    /// The methods; none means all.
    pub(super) methods: Vec<Method>,
    pub(super) pattern: Pattern,
    /// The index of its app.
    pub(super) app: usize,
}

/// A route as it is written, before it is compiled.
struct Written {
    methods: Vec<(String, Option<Place>)>,
    pattern: (String, Option<Place>),
    named: Named,
}

pub(super) struct Routes {
    written: Vec<Written>,
    /// The hooks in JSON's `middlewares`.
    middlewares: Vec<Named>,
    /// Whether the first pattern that matches decides, as in link.wsgi.
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
                let error = Error::new(ErrorKind::Settings, "its routes are set twice");
                let error = error.key(JSON).at(json.key_place.as_ref());
                Err(error.help("take out `urlpatterns` or `json`"))
            }
            (None, None) => {
                let error = Error::new(ErrorKind::Settings, "it has no routes");
                Err(error.help("add `urlpatterns = ` with a line METHOD PATTERN APP for each route, or `json = FILE`"))
            }
        }
    }

    /// Reads `[METHOD[,METHOD…]] PATTERN APP`, a line for each route.
    fn of_lines(value: &Value) -> Result<Self, Error> {
        let mut written = Vec::new();
        for (number, line) in value.text().lines().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let place = value.line_place(number);
            let is_pattern = |word: &str| word.starts_with(['/', '^']);
            let (methods, rest) = match line.split_once(char::is_whitespace) {
                Some((methods, rest)) if !is_pattern(methods) => (methods, rest.trim_start()),
                _ => ("*", line),
            };
            let parts = rest.rsplit_once(char::is_whitespace);
            let Some((pattern, app)) = parts.filter(|(pattern, _)| is_pattern(pattern)) else {
                let message = format!("`{line}` is not a route");
                let error = Error::new(ErrorKind::Settings, message).key(URLPATTERNS);
                return Err(error.at(place.as_ref()).help(
                    "write METHOD[,METHOD…] PATTERN APP, where PATTERN is a template that begins with a slash or a regex that begins with ^",
                ));
            };
            let pattern = pattern.trim_end();
            let within = |words: &str| place.as_ref().map(|line| line.within(words));
            let label: Vec<_> = line[..line.len() - app.len()].split_whitespace().collect();
            written.push(Written {
                methods: methods
                    .split(',')
                    .map(|method| (method.to_owned(), within(method)))
                    .collect(),
                pattern: (pattern.to_owned(), within(pattern)),
                named: Named {
                    label: label.join(" "),
                    name: app.to_owned(),
                    place: place.map(|line| last(line, app)),
                    ..Named::whole(Role::App, URLPATTERNS, value)
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
            let message = format!(
                "`{}` is relative, and its directory is not known",
                path.display()
            );
            let error = Error::new(ErrorKind::RelativeWithoutBase, message).key(JSON);
            return Err(error.help("write the absolute path"));
        };
        Ok(folder.join(path))
    }

    /// Returns the apps, each once even if several routes lead to it, and the middlewares.
    pub(super) fn named(self) -> Vec<Named> {
        let mut apps: IndexMap<String, Named> = IndexMap::new();
        for Written { named, .. } in self.written {
            match apps.get_mut(&named.name) {
                Some(known) => known.label.extend([", ", &named.label]),
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
            let (mut methods, mut is_all) = (Vec::new(), false);
            let key = &route.named.key;
            for (method, place) in &route.methods {
                if method == "*" {
                    is_all = true;
                    continue;
                }
                let is_shouted = !method.contains(|c: char| c.is_lowercase());
                let read = Method::from_bytes(method.as_bytes());
                methods.push(read.ok().filter(|_| is_shouted).ok_or_else(|| {
                    let message = format!("`{method}` is not a method");
                    let error = Error::new(ErrorKind::Settings, message);
                    let help =
                        "methods are upper case, as GET, and separated by commas without spaces; * is all methods";
                    error.key(key).at(place.as_ref()).help(help)
                })?);
            }
            if is_all {
                methods.clear();
            }
            let (pattern, place) = &route.pattern;
            let pattern = self.pattern(pattern).map_err(|error| {
                let error = Error::new(ErrorKind::Settings, error.to_string()).key(key);
                error
                    .at(place.as_ref())
                    .help("tower-dispatch documents the syntax of patterns")
            })?;
            routes.push(Route {
                methods,
                pattern,
                app,
            });
        }
        Ok(routes)
    }

    /// Returns warnings: methods that look misspelt, and routes that no request reaches. `rows` are
    /// the routes of the table: the route of the file for each, and the method.
    pub(super) fn doubts(&self, rows: &[(usize, Option<Method>)], audit: &Audit) -> Vec<Error> {
        let mut doubts = Vec::new();
        let mut doubt = |route: &Written, place: &Option<Place>, message: String, help: String| {
            let error = Error::new(ErrorKind::Settings, message).key(&route.named.key);
            doubts.push(error.at(place.as_ref()).help(help));
        };
        for route in &self.written {
            for (method, place) in &route.methods {
                if let Some(meant) = misspelt(method) {
                    let message = format!("`{method}` is a method that no client knows");
                    doubt(route, place, message, format!("did you mean `{meant}`?"));
                }
            }
        }
        for unreachable in audit.unreachable() {
            let (number, method) = &rows[unreachable.route()];
            let route = &self.written[*number];
            let label = &route.named.label;
            let message = match method.as_ref().filter(|_| route.methods.len() > 1) {
                Some(method) => format!("no {method} request reaches `{label}`"),
                None => format!("no request reaches `{label}`"),
            };
            let covering = unreachable.covered_by().iter().map(|row| rows[*row].0);
            let covering: IndexSet<usize> = covering.collect();
            let covering = covering.iter().map(|number| {
                let Written { named, pattern, .. } = &self.written[*number];
                match &pattern.1 {
                    Some(place) => format!("`{}` (line {})", named.label, place.line()),
                    None => format!("`{}`", named.label),
                }
            });
            let covering: Vec<_> = covering.collect();
            let help = match &covering[..] {
                [] => "no path matches its pattern".to_owned(),
                [one] => format!("{one} takes them all before: write this one above it"),
                several => {
                    let several = several.join(" and ");
                    format!("{several} take them all before: write this one above them")
                }
            };
            doubt(route, &route.pattern.1, message, help);
        }
        doubts
    }

    /// Compiles a pattern. A regex matches the start of a path, as Python's `re.match`.
    fn pattern(&self, pattern: &str) -> Result<Pattern, PatternError> {
        if pattern.starts_with('^') || self.first_path_match_decides {
            return Pattern::regex_prefix(pattern);
        }
        Pattern::template(pattern)
    }
}

/// A JSON file: `{"ROUTER": {"urlpatterns": {PATTERN: {METHOD: NAME}}, "middlewares": [NAME]}}`.
struct Json {
    source: Arc<Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole<'a> {
    #[serde(rename = "ROUTER", borrow)]
    router: Router<'a>,
}

/// Values as they are written, so that their positions are known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Router<'a> {
    #[serde(default, borrow)]
    urlpatterns: IndexMap<String, &'a RawValue>,
    #[serde(default, borrow)]
    middlewares: Vec<&'a RawValue>,
}

type Handlers<'a> = IndexMap<String, &'a RawValue>;

impl Json {
    fn read(path: &Path, value: &Value, read: &Read<'_>) -> Result<Routes, Error> {
        let text = ini::text(path, read).map_err(|error| {
            let error = error.key(JSON).at(value.place());
            error.help("`json` is the name of a file")
        })?;
        let json = Self {
            source: Arc::new(Source {
                path: path.into(),
                text,
                is_ini: false,
            }),
        };
        let whole: Whole<'_> = json.parse(&json.source.text, 0)?;
        let mut written = Vec::new();
        for (pattern, handlers) in whole.router.urlpatterns {
            let place = json.key_place(handlers);
            let handlers: Handlers<'_> = json.parse(handlers.get(), json.offset(handlers))?;
            for (method, handler) in handlers {
                let named = json.named(Role::App, format!("{method} {pattern}"), handler)?;
                written.push(Written {
                    methods: vec![(method, Some(json.key_place(handler)))],
                    pattern: (pattern.clone(), Some(place.clone())),
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

    /// Parses a part of the text that begins at the offset.
    fn parse<'a, T: Deserialize<'a>>(&self, part: &'a str, offset: usize) -> Result<T, Error> {
        serde_json::from_str(part).map_err(|error| {
            let lines = part.split_inclusive('\n').take(error.line().saturating_sub(1));
            let before = offset + lines.map(str::len).sum::<usize>();
            // Serde's column counts the bytes up to the last one that it has read.
            let at = before + error.column().saturating_sub(1);
            let message = error.to_string();
            let message = message.rsplit_once(" at line ").map_or(&*message, |(message, _)| message);
            Error::new(ErrorKind::Json, message).at(Some(&self.place(at))).help(
                "a router is {\"ROUTER\": {\"urlpatterns\": {PATTERN: {METHOD: NAME}}, \"middlewares\": [NAME]}}",
            )
        })
    }

    /// Returns the position of the character at a byte.
    fn place(&self, at: usize) -> Place {
        let text = &self.source.text;
        let is_start = |at: &usize| text.is_char_boundary(*at);
        let at = (0..=at.min(text.len())).rev().find(is_start).unwrap_or(0);
        let end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
        Place::new(&self.source, at..end)
    }

    /// Returns the offset of a value. Serde borrows values from the text.
    fn offset(&self, value: &RawValue) -> usize {
        value.get().as_ptr() as usize - self.source.text.as_ptr() as usize
    }

    /// Returns the position of a value's key: the string before the colon before it.
    fn key_place(&self, value: &RawValue) -> Place {
        let before = self.source.text[..self.offset(value)].trim_end();
        let before = before.strip_suffix(':').unwrap_or(before).trim_end();
        let inside = before.strip_suffix('"').unwrap_or(before);
        let is_escaped = |at: usize| {
            let slashes = inside[..at].bytes().rev().take_while(|byte| *byte == b'\\');
            slashes.count() % 2 == 1
        };
        let quotes = inside.rmatch_indices('"').map(|(at, _)| at);
        let start = quotes.into_iter().find(|at| !is_escaped(*at));
        Place::new(&self.source, start.unwrap_or(0)..before.len())
    }

    /// Reads a dotted name, which is looked up in the registry as it is.
    fn named(&self, role: Role, label: String, value: &RawValue) -> Result<Named, Error> {
        let at = self.offset(value);
        let place = Place::new(&self.source, at..at + value.get().len());
        let name: String = serde_json::from_str(value.get()).map_err(|_| {
            let error = Error::new(ErrorKind::Json, "it is not a name").at(Some(&place));
            error
                .help("write the name, as \"package.module.name\", that the program has registered")
        })?;
        // No name in this file leads to another file.
        let scheme = if name.contains(':') { "call" } else { "egg" };
        Ok(Named {
            role,
            key: JSON.to_owned(),
            label,
            name: format!("{scheme}:{name}"),
            home: Origin::Program,
            place: Some(place),
        })
    }
}

/// Returns the method that a word is one typing mistake away from.
fn misspelt(word: &str) -> Option<&'static str> {
    const METHODS: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT",
    ];
    let mut meant = METHODS.into_iter().filter(|_| !METHODS.contains(&word));
    meant.find(|method| strsim::osa_distance(word, method) == 1)
}

/// Returns the position of the last word of a line.
fn last(line: Place, word: &str) -> Place {
    let end = line.span.end;
    match line.source.text[line.span.clone()].ends_with(word) {
        true => Place::new(&line.source, end - word.len()..end),
        false => line,
    }
}

#[cfg(test)]
mod tests {
    use super::misspelt;

    /// The test names each method, so that none can be lost in the code.
    #[test]
    fn deploy_60_a_method_with_one_wrong_letter_is_noticed() {
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT",
        ] {
            assert_eq!(misspelt(&format!("{method}X")), Some(method));
            assert_eq!(misspelt(method), None);
        }
        for other in ["*", "BREW", "PROPFIND", "X"] {
            assert_eq!(misspelt(other), None, "{other}");
        }
    }
}
