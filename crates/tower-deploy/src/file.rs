//! A file's sections by name, and what their values mean.

use std::{
    cell::OnceCell,
    collections::HashMap,
    path::{Path, PathBuf},
    rc::Rc,
};

use indexmap::IndexMap;
use tower_kit::secrets::is_secret;

use crate::{
    Error, ErrorKind, Settings, Value,
    error::did_you_mean,
    ini::{DEFAULT, Document, Section, Setting},
    interpolate::{Named, interpolate},
    role::Role,
};

/// A file, with what its sections inherit.
pub(crate) struct File {
    pub(crate) document: Rc<Document>,
    /// Directory in which relative names are looked up.
    pub(crate) folder: PathBuf,
    /// What all sections have: its own defaults, then what it was given, which nobody wrote in it.
    defaults: IndexMap<String, Default>,
    /// The same, interpolated, once somebody needs it.
    computed: OnceCell<Settings>,
    /// The sections of each name, whatever their types.
    named: HashMap<String, Vec<usize>>,
}

enum Default {
    Own(Setting),
    Given(Value),
}

impl File {
    /// `global` is what a file that names this one hands on, or the program.
    pub(crate) fn new(document: Rc<Document>, global: Settings) -> Self {
        let path = document.source.path.to_path_buf();
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let own = document.defaults.iter();
        let own = own.map(|setting| (setting.key.clone(), Default::Own(setting.clone())));
        let mut defaults: IndexMap<String, Default> = own.collect();
        let given = [("here", &folder), ("__file__", &path)].map(|(key, path)| {
            let text = path.to_string_lossy().into_owned();
            (key.to_owned(), Value::given(text))
        });
        for (key, value) in given.into_iter().chain(global.map) {
            defaults.entry(key).or_insert(Default::Given(value));
        }
        let mut named: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, section) in document.sections.iter().enumerate() {
            if let Some((_, name)) = section.name.split_once(':') {
                named.entry(name.trim().to_owned()).or_default().push(at);
            }
        }
        Self {
            document,
            folder,
            defaults,
            computed: OnceCell::new(),
            named,
        }
    }

    /// The section of this name, for one of the types that fit.
    pub(crate) fn find(&self, role: Role, name: &str) -> Result<usize, Error> {
        let sections = &self.document.sections;
        let named = self.named.get(name).map_or(&[][..], Vec::as_slice);
        let mut found = Vec::new();
        for group in role.prefixes() {
            let of = |prefix: &&str| -> Vec<usize> {
                let is = |at: &usize| sections[*at].name.split(':').next() == Some(*prefix);
                named.iter().copied().filter(is).collect()
            };
            let first = group.iter().map(of).find(|found| !found.is_empty());
            found.extend(first.unwrap_or_default());
        }
        match found[..] {
            [one] => Ok(one),
            [one, other, ..] => {
                let (one, other) = (&sections[one], &sections[other]);
                let message = format!(
                    "[{}] and [{}] (line {}) both are {} `{name}`",
                    other.name,
                    one.name,
                    one.place.line(),
                    role.article(),
                );
                let error = Error::new(ErrorKind::AmbiguousSection, message).section(&other.name);
                Err(error.at(Some(&other.place)).help("rename one of them"))
            }
            [] => {
                if name.is_empty() {
                    let message = format!("it is empty, and names no {}", role.name());
                    let error = Error::new(ErrorKind::MissingSection, message);
                    return Err(
                        error.help("write the name of a section, or a URI, such as egg:NAME#ENTRY")
                    );
                }
                if let Some((section, found)) = self.of_another(named) {
                    return Err(of_another_role(name, role, section, found));
                }
                let prefixes: Vec<&str> = role.prefixes().iter().map(|group| group[0]).collect();
                let path = self.document.source.path.display();
                let message = format!("there is no {} `{name}` in {path}", role.name());
                let error = Error::new(ErrorKind::MissingSection, message);
                if let Some((section, prefix)) = self.of_misspelt_type(role, name) {
                    let (title, line) = (&section.name, section.place.line());
                    let help =
                        format!("did you mean [{prefix}:{name}] by [{title}] in line {line}?");
                    return Err(error.near(Some(&section.place)).help(help));
                }
                let fitting = || {
                    sections.iter().filter_map(|section| {
                        let (prefix, name) = section.name.split_once(':')?;
                        let fits = role.prefixes().iter().any(|group| group.contains(&prefix));
                        fits.then_some((name.trim(), section))
                    })
                };
                let Some(meant) = did_you_mean(name, fitting().map(|(name, _)| name)) else {
                    let titles = prefixes.join(&format!(":{name}] or ["));
                    return Err(error.help(format!("it would be [{titles}:{name}]")));
                };
                let near = fitting().find(|(name, _)| *name == meant);
                let error = error.near(near.map(|(_, section)| &section.place));
                Err(error.help(format!("did you mean `{meant}`?")))
            }
        }
    }

    /// Returns a section of this name with a type that is misspelt or missing, and the right type.
    fn of_misspelt_type(&self, role: Role, name: &str) -> Option<(&Section, &'static str)> {
        let groups = role.prefixes().iter();
        let prefixes = groups.flat_map(|group| group.iter().copied());
        self.document.sections.iter().find_map(|section| {
            let prefix = match section.name.split_once(':') {
                None if section.name.trim() == name => role.prefixes()[0][0],
                Some((prefix, own)) if own.trim() == name && Role::of(prefix).is_none() => {
                    did_you_mean(prefix, prefixes.clone())?
                }
                _ => return None,
            };
            Some((section, prefix))
        })
    }

    /// Returns a section that has another role, and that role.
    fn of_another(&self, named: &[usize]) -> Option<(&Section, Role)> {
        named.iter().find_map(|at| {
            let section = &self.document.sections[*at];
            let prefix = section.name.split(':').next()?;
            Some((section, Role::of(prefix)?))
        })
    }

    /// What every section has.
    pub(crate) fn defaults(&self, file: usize) -> Result<&Settings, Error> {
        if let Some(settings) = self.computed.get() {
            return Ok(settings);
        }
        let view = View {
            file: self,
            own: HashMap::new(),
        };
        let mut settings = Settings::default();
        for (key, default) in &self.defaults {
            let value = match default {
                Default::Given(value) => value.clone(),
                Default::Own(setting) => view
                    .value(file, setting)
                    .map_err(|error| error.section(DEFAULT))?,
            };
            settings.set(key.clone(), value);
        }
        Ok(self.computed.get_or_init(|| settings))
    }
}

/// Returns the error for a section of this name that is something else.
fn of_another_role(name: &str, role: Role, section: &Section, found: Role) -> Error {
    let message = format!(
        "[{}] (line {} of {}) is {}, not {}",
        section.name,
        section.place.line(),
        section.place.file().display(),
        found.article(),
        role.article(),
    );
    let error = Error::new(ErrorKind::MissingSection, message);
    match (role, found) {
        (Role::App, Role::Filter) => error.help(format!(
            "a filter is around an app: write `pipeline = {name} APP`, or `filter-with = {name}` in the section of the app"
        )),
        (Role::Filter, Role::App) => {
            error.help("an app is the last word of a pipeline, after its filters")
        }
        _ => {
            let prefix = role.prefixes()[0][0];
            error.help(format!("it would be [{prefix}:{name}]"))
        }
    }
}

/// What a section's values may name.
pub(crate) struct View<'a> {
    pub(crate) file: &'a File,
    pub(crate) own: HashMap<&'a str, &'a Setting>,
}

impl View<'_> {
    pub(crate) fn value(&self, file: usize, setting: &Setting) -> Result<Value, Error> {
        let find = |key: &str, name: &str| self.named(key, name);
        let made = interpolate(&setting.key, &setting.value, &find);
        let (text, has_secret) =
            made.map_err(|error| error.key(&setting.key).at(Some(&setting.value_place)))?;
        Ok(Value {
            is_secret: has_secret || is_secret(&setting.key),
            ..Value::written(text, setting, file)
        })
    }

    /// What `%(name)s` means in the value of a key. One that names itself means the default of that name.
    fn named(&self, key: &str, name: &str) -> Option<Named<'_>> {
        let default = self.file.defaults.get(name);
        let own = self.own.get(name);
        if let Some(setting) = own.filter(|_| name != key || default.is_none()) {
            return Some(Named {
                text: &setting.value,
                is_raw: true,
                is_secret: false,
            });
        }
        Some(match default? {
            Default::Own(setting) => Named {
                text: &setting.value,
                is_raw: true,
                is_secret: false,
            },
            Default::Given(value) => Named {
                text: &value.text,
                is_raw: false,
                is_secret: value.is_secret,
            },
        })
    }
}
