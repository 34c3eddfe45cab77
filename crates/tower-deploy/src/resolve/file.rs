//! A file's sections by name, and the values of names in their settings.

use std::{
    cell::OnceCell,
    collections::HashMap,
    path::{Path, PathBuf},
    rc::Rc,
};

use indexmap::IndexMap;
use tower_kit::secrets::is_secret;

use super::interpolate::{Named, interpolate};
use crate::{
    Error, ErrorKind, Settings, Value,
    ini::{DEFAULT, Document, Section, Setting},
    kind::{Kind, Prefix, Role, Title},
    suggest::did_you_mean,
};

/// A file, with what its sections inherit.
pub(super) struct File {
    pub(super) document: Rc<Document>,
    /// The directory that relative file names start from.
    pub(super) directory: PathBuf,
    /// The values that all sections have: the file's own defaults, then values from outside of it.
    defaults: IndexMap<String, Default>,
    /// The same, interpolated when a section first needs it.
    computed: OnceCell<Settings>,
    /// The sections of each name, whatever their types.
    named: HashMap<String, Vec<usize>>,
}

enum Default {
    Own(Setting),
    Given(Value),
}

impl File {
    /// `global` comes from the file that names this one, or from the program.
    pub(super) fn new(document: Rc<Document>, global: Settings) -> Self {
        let path = document.source.path.to_path_buf();
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        let own = document.defaults.iter();
        let own = own.map(|setting| (setting.key.clone(), Default::Own(setting.clone())));
        let mut defaults: IndexMap<String, Default> = own.collect();
        let given = [("here", &directory), ("__file__", &path)].map(|(key, path)| {
            let text = path.to_string_lossy().into_owned();
            (key.to_owned(), Value::given(text))
        });
        for (key, value) in given.into_iter().chain(global.map) {
            defaults.entry(key).or_insert(Default::Given(value));
        }
        let mut named: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, section) in document.sections.iter().enumerate() {
            let title = Title::parse(&section.name);
            if !matches!(title.prefix, Prefix::None) {
                named.entry(title.name.to_owned()).or_default().push(number);
            }
        }
        Self {
            document,
            directory,
            defaults,
            computed: OnceCell::new(),
            named,
        }
    }

    pub(super) fn section(&self, number: usize) -> &Section {
        &self.document.sections[number]
    }

    /// Returns the section of this name that has one of the role's types, and its type.
    pub(super) fn find(&self, role: Role, name: &str) -> Result<(usize, Kind), Error> {
        let named = self.named.get(name).map_or(&[][..], Vec::as_slice);
        let known: Vec<_> = named
            .iter()
            .filter_map(|number| self.typed(*number))
            .collect();
        let found = role.sections().iter().flat_map(|kind| {
            let of_kind = known.iter().filter(move |section| section.kind == *kind);
            let first = of_kind.clone().map(|section| section.spelling).min();
            of_kind.filter(move |section| Some(section.spelling) == first)
        });
        let found: Vec<_> = found.collect();
        match found[..] {
            [one] => Ok((one.number, one.kind)),
            [one, other, ..] => {
                let (one, other) = (self.section(one.number), self.section(other.number));
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
            [] => Err(match known.first() {
                _ if name.is_empty() => {
                    let message = format!("it is empty, and names no {role}");
                    let error = Error::new(ErrorKind::MissingSection, message);
                    error.help("write the name of a section, or a URI, such as egg:NAME#ENTRY")
                }
                Some(other) => self.of_another_role(name, role, other),
                None => self.missing(name, role),
            }),
        }
    }

    fn typed(&self, number: usize) -> Option<Typed> {
        match Title::parse(&self.section(number).name).prefix {
            Prefix::Known(kind, spelling) => Some(Typed {
                number,
                kind,
                spelling,
            }),
            Prefix::Unknown(_) | Prefix::None => None,
        }
    }

    /// Returns the error for a section of this name that has another role.
    fn of_another_role(&self, name: &str, role: Role, other: &Typed) -> Error {
        let (section, found) = (self.section(other.number), other.kind.role());
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
                "a filter wraps an app: write `pipeline = {name} APP`, or `filter-with = \
                 {name}` in the section of the app"
            )),
            (Role::Filter, Role::App) => {
                error.help("an app is the last word of a pipeline, after its filters")
            }
            _ => error.help(format!("it would be [{role}:{name}]")),
        }
    }

    /// Returns the error for a name that no section has.
    fn missing(&self, name: &str, role: Role) -> Error {
        let path = self.document.source.path.display();
        let message = format!("there is no {role} `{name}` in {path}");
        let error = Error::new(ErrorKind::MissingSection, message);
        if let Some((section, prefix)) = self.of_misspelt_type(role, name) {
            let (title, line) = (&section.name, section.place.line());
            let help = format!("did you mean [{prefix}:{name}] by [{title}] in line {line}?");
            return error.near(Some(&section.place)).help(help);
        }
        let fitting = || {
            self.document.sections.iter().filter_map(|section| {
                let Title { prefix, name } = Title::parse(&section.name);
                let fits = matches!(prefix, Prefix::Known(kind, _) if kind.role() == role);
                fits.then_some((name, section))
            })
        };
        let Some(meant) = did_you_mean(name, fitting().map(|(name, _)| name)) else {
            let kinds = role.sections().iter();
            let titles: Vec<_> = kinds.map(|kind| format!("[{kind}:{name}]")).collect();
            return error.help(format!("it would be {}", titles.join(" or ")));
        };
        let near = fitting().find(|(name, _)| *name == meant);
        let error = error.near(near.map(|(_, section)| &section.place));
        error.help(format!("did you mean `{meant}`?"))
    }

    /// Returns a section of this name with a type that is misspelt or missing, and the right type.
    fn of_misspelt_type(&self, role: Role, name: &str) -> Option<(&Section, &'static str)> {
        self.document.sections.iter().find_map(|section| {
            let title = Title::parse(&section.name);
            let prefix = match title.prefix {
                _ if title.name != name => return None,
                Prefix::None => role.prefix(),
                Prefix::Unknown(prefix) => did_you_mean(prefix, role.prefixes())?,
                Prefix::Known(..) => return None,
            };
            Some((section, prefix))
        })
    }

    /// Returns the values that every section has. `number` is that of the file.
    pub(super) fn defaults(&self, number: usize) -> Result<&Settings, Error> {
        if let Some(settings) = self.computed.get() {
            return Ok(settings);
        }
        let view = View {
            file: self,
            own: HashMap::new(),
        };
        let mut settings = Settings::default();
        for (key, default) in &self.defaults {
            // DIFFERENCE: PasteDeploy keeps the names in a value that is empty without them.
            let value = match default {
                Default::Given(value) => value.clone(),
                Default::Own(setting) => view
                    .value(number, setting)
                    .map_err(|error| error.section(DEFAULT))?,
            };
            settings.set(key.clone(), value);
        }
        Ok(self.computed.get_or_init(|| settings))
    }

    /// Returns the values of names in the settings of a section.
    pub(super) fn view(&self, section: usize) -> View<'_> {
        let settings = self.section(section).settings.iter();
        View {
            file: self,
            own: settings
                .map(|setting| (setting.key.as_str(), setting))
                .collect(),
        }
    }
}

/// A section of a known type.
struct Typed {
    number: usize,
    kind: Kind,
    spelling: usize,
}

/// The values of names in a section's settings.
pub(super) struct View<'a> {
    file: &'a File,
    own: HashMap<&'a str, &'a Setting>,
}

impl View<'_> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.own.contains_key(key)
    }

    /// Returns the value of a setting. `number` is that of the file.
    pub(super) fn value(&self, number: usize, setting: &Setting) -> Result<Value, Error> {
        let find = |key: &str, name: &str| self.named(key, name);
        let made = interpolate(&setting.key, &setting.value, &find);
        let (text, has_secret) =
            made.map_err(|error| error.key(&setting.key).at(Some(&setting.value_place)))?;
        Ok(Value {
            is_secret: has_secret || is_secret(&setting.key),
            ..Value::written(text, setting, number)
        })
    }

    /// Returns the value of `%(name)s` in the value of a key. A key that names itself means the
    /// default of that name.
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
