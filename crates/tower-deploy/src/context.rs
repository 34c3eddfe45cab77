//! What a name in a file leads to: sections, the files that they name, and what they inherit from each other. The order in which things are looked at, and
//! what of one section reaches which other, is PasteDeploy's.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use percent_encoding::percent_decode_str;

use crate::{
    Error, ErrorKind, Place, Registry, Settings, Value,
    conf::Origin,
    error::{misspelt, misspelt_in_any},
    file::{File, View},
    ini::{Document, Read, Section, text},
    registry::{Factory, Kind},
    role::Role,
    slip,
};

/// Two contexts may share theirs: what is set later in one is seen in the other.
type Shared = Rc<RefCell<Settings>>;

pub(crate) struct Context {
    pub(crate) what: What,
    pub(crate) global: Shared,
    pub(crate) local: Shared,
    /// The section that asks for it, if one does.
    pub(crate) section: Option<(String, Place)>,
    /// Where it is named, if it is no section.
    pub(crate) named: Option<Place>,
}

pub(crate) enum What {
    Object(Object),
    Pipeline {
        app: Box<Context>,
        filters: Vec<Context>,
    },
    FilterApp {
        filter: Box<Context>,
        next: Box<Context>,
    },
    FilterWith {
        filter: Box<Context>,
        next: Box<Context>,
    },
}

pub(crate) struct Object {
    /// As the file names it.
    pub(crate) name: String,
    pub(crate) factory: Reference,
}

pub(crate) enum Reference {
    Found(Arc<Factory>),
    /// The type of the section that uses it says what it is.
    Call(String),
}

/// How deep sections may lead to one another.
const DEEPEST: usize = 50;
/// How many parts a plan may have.
const MOST: usize = 10_000;
/// How many bytes all values together may take, about.
const LARGEST: usize = 64 << 20;

pub(crate) struct Resolver<'a> {
    registry: &'a Registry,
    read: &'a Read<'a>,
    files: Vec<File>,
    documents: HashMap<PathBuf, Rc<Document>>,
    /// What is being looked at, to notice circles.
    stack: Vec<(PathBuf, String, Role)>,
    /// The sections that were named, with their files.
    named: HashSet<(PathBuf, String)>,
    /// How many URIs have led to one another.
    hops: usize,
    parts: usize,
    bytes: usize,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(registry: &'a Registry, read: &'a Read<'a>) -> Self {
        Self {
            registry,
            read,
            files: Vec::new(),
            documents: HashMap::new(),
            stack: Vec::new(),
            named: HashSet::new(),
            hops: 0,
            parts: 0,
            bytes: 0,
        }
    }

    /// How files are read.
    pub(crate) fn reader(&self) -> &'a Read<'a> {
        self.read
    }

    /// The beginning of the first file, for what is wrong with a name that no file has.
    pub(crate) fn start(&self) -> Option<Place> {
        let file = self.files.first()?;
        Some(Place::new(&file.document.source, 0..0))
    }

    /// Returns the sections of the first file, with whether they were named.
    pub(crate) fn sections(&self) -> impl Iterator<Item = (&Section, bool)> {
        let document = self.files.first().map(|file| &file.document);
        let all = document.map(|document| {
            let sections = document.sections.iter();
            sections.map(|section| {
                let file = document.source.path.to_path_buf();
                let is_named = self.named.contains(&(file, section.name.clone()));
                (section, is_named)
            })
        });
        all.into_iter().flatten()
    }

    /// From here on this section must not be led back to.
    ///
    /// Says whether it was not entered already, and is to be left.
    pub(crate) fn enter(&mut self, file: &Path, section: &str, role: Role) -> bool {
        let here = (file.to_owned(), section.to_owned(), role);
        let is_new = self.stack.last() != Some(&here);
        if is_new {
            self.stack.push(here);
        }
        is_new
    }

    pub(crate) fn leave(&mut self) {
        self.stack.pop();
    }

    /// One more part.
    fn count(&mut self, global: &Settings) -> Result<(), Error> {
        self.parts += 1;
        // Each part has all that is global.
        self.bytes += 128 * global.len();
        if self.parts > MOST {
            let error = Error::new(
                ErrorKind::TooLarge,
                format!("it makes more than {MOST} parts"),
            );
            return Err(error.help("does something name the same part again and again?"));
        }
        if self.bytes > LARGEST {
            return Err(too_large());
        }
        Ok(())
    }

    /// A name as it stands in a file: a section's or a URI.
    pub(crate) fn name(
        &mut self,
        role: Role,
        name: &str,
        home: Origin,
        global: Option<&Shared>,
    ) -> Result<Context, Error> {
        match home {
            Origin::File(file) if !is_uri(name) => self.section(file, role, name, global),
            Origin::File(file) => {
                let folder = self.files[file].folder.clone();
                self.uri(role, name, None, Some(&folder), global)
            }
            Origin::Program => self.uri(role, name, None, None, global),
        }
    }

    /// A URI, from wherever.
    pub(crate) fn uri(
        &mut self,
        role: Role,
        uri: &str,
        name: Option<&str>,
        folder: Option<&Path>,
        global: Option<&Shared>,
    ) -> Result<Context, Error> {
        if self.hops > DEEPEST {
            let message = format!("names lead to one another more than {DEEPEST} deep");
            return Err(Error::new(ErrorKind::Circular, message).help("name what is meant itself"));
        }
        self.hops += 1;
        let found = self.hop(role, uri, name, folder, global);
        self.hops -= 1;
        found
    }

    fn hop(
        &mut self,
        role: Role,
        uri: &str,
        name: Option<&str>,
        folder: Option<&Path>,
        global: Option<&Shared>,
    ) -> Result<Context, Error> {
        let (uri, fragment) = match uri.split_once('#') {
            Some((uri, fragment)) => (uri, Some(fragment)),
            None => (uri, None),
        };
        let name = name.or(fragment).unwrap_or("main");
        let Some((scheme, path)) = uri.split_once(':') else {
            let message = format!("`{uri}` has no scheme");
            let error = Error::new(ErrorKind::UriWithoutScheme, message);
            return Err(
                error.help("write config:FILE#NAME, egg:NAME#ENTRY or call:MODULE:FUNCTION")
            );
        };
        match scheme.to_ascii_lowercase().as_str() {
            "config" => {
                let file = self.file(path, folder, global)?;
                // A name may be a URI itself.
                self.name(role, name, Origin::File(file), global)
            }
            "egg" => {
                if is_uri(name) {
                    return self.uri(role, name, None, None, global);
                }
                let factory = self.registry.entry_point(path, name, role.kinds())?;
                let name = format!("egg:{path}#{name}");
                self.object(name, Reference::Found(factory), global)
            }
            "call" => {
                if !path.contains(':') {
                    self.registry.function(path, role.kinds())?;
                }
                let name = format!("call:{path}");
                self.object(name, Reference::Call(path.to_owned()), global)
            }
            other => {
                let message = format!("`{other}:` is not known");
                let error = Error::new(ErrorKind::UnknownScheme, message);
                let is_type = [
                    "app",
                    "application",
                    "composite",
                    "filter",
                    "hook",
                    "pipeline",
                    "server",
                ];
                Err(if is_type.contains(&other) {
                    error.help(format!("a section is named without its type: `{path}`"))
                } else {
                    error.help("it is one of config:, egg: and call:")
                })
            }
        }
    }

    /// What is set later in the section that names it is seen here, too.
    fn object(
        &mut self,
        name: String,
        factory: Reference,
        global: Option<&Shared>,
    ) -> Result<Context, Error> {
        let global = global.cloned().unwrap_or_default();
        self.count(&global.borrow())?;
        Ok(Context {
            what: What::Object(Object { name, factory }),
            global,
            local: Shared::default(),
            section: None,
            named: None,
        })
    }

    fn file(
        &mut self,
        path: &str,
        folder: Option<&Path>,
        global: Option<&Shared>,
    ) -> Result<usize, Error> {
        let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
        let path = match (Path::new(path.trim()), folder) {
            (path, _) if path.is_absolute() => path.to_owned(),
            (path, Some(folder)) if !folder.as_os_str().is_empty() => folder.join(path),
            (path, _) => {
                let message = format!("`{}` is relative, and nothing says to what", path.display());
                let error = Error::new(ErrorKind::RelativeWithoutBase, message);
                return Err(error
                    .help("write the whole path, or give the loader a folder with `relative_to`"));
            }
        };
        let path = normal(&path);
        let document = match self.documents.get(&path) {
            Some(document) => document.clone(),
            None => {
                let document = Rc::new(Document::parse(&path, text(&path, self.read)?)?);
                self.documents.insert(path.clone(), document.clone());
                document
            }
        };
        let global = global
            .map(|global| global.borrow().clone())
            .unwrap_or_default();
        self.bytes += 128 * (global.len() + document.defaults.len() + document.sections.len());
        self.files.push(File::new(document, global));
        Ok(self.files.len() - 1)
    }

    fn section(
        &mut self,
        file: usize,
        role: Role,
        name: &str,
        global: Option<&Shared>,
    ) -> Result<Context, Error> {
        let section = self.files[file].find(role, name)?;
        let title = self.files[file].document.sections[section].name.clone();
        let place = self.files[file].document.sections[section].place.clone();
        let here = (
            self.files[file].document.source.path.to_path_buf(),
            title.clone(),
            role,
        );
        if self.stack.contains(&here) {
            let way = self.stack.iter().skip_while(|at| **at != here);
            let way: Vec<_> = way.chain([&here]).collect();
            let is_one_file = way.iter().all(|(file, ..)| *file == here.0);
            let way = way.iter().map(|(file, section, _)| match is_one_file {
                true => format!("[{section}]"),
                false => format!("[{section}] of {}", file.display()),
            });
            let way = way.collect::<Vec<_>>().join(" → ");
            let message = format!("the section leads back to itself: {way}");
            let error = Error::new(ErrorKind::Circular, message);
            return Err(error.help("take one of these references out"));
        }
        if self.stack.len() >= DEEPEST {
            let message = format!("sections lead to one another more than {DEEPEST} deep");
            return Err(Error::new(ErrorKind::Circular, message).help("name what is meant itself"));
        }
        self.named.insert((here.0.clone(), here.1.clone()));
        self.stack.push(here);
        let context = self.read(file, section, role, global);
        self.stack.pop();
        let mut context = context.map_err(|error| error.section(&title).at(Some(&place)))?;
        context.section = Some((title, place));
        Ok(context)
    }

    fn read(
        &mut self,
        file: usize,
        section: usize,
        role: Role,
        outer: Option<&Shared>,
    ) -> Result<Context, Error> {
        let own = &self.files[file];
        let title = own.document.sections[section].name.clone();
        let here = (title.clone(), own.document.sections[section].place.clone());
        let defaults = own.defaults(file)?.clone();
        let mut global = defaults.clone();
        if let Some(outer) = outer {
            global.update(&outer.borrow());
        }
        let settings = &own.document.sections[section].settings;
        let view = View {
            file: own,
            own: settings
                .iter()
                .map(|setting| (setting.key.as_str(), setting))
                .collect(),
        };
        let (mut local, mut additions) = (Settings::default(), Settings::default());
        let mut gets = Vec::new();
        let mut bytes = 0;
        let from_defaults = own.document.defaults.iter();
        let from_defaults = from_defaults.filter(|setting| !view.own.contains_key(&*setting.key));
        let settings = settings.iter().map(|setting| (setting, true));
        for (setting, is_own) in settings.chain(from_defaults.map(|setting| (setting, false))) {
            let (sets, gets_one) = (
                setting.key.strip_prefix("set "),
                setting.key.strip_prefix("get "),
            );
            if !is_own && sets.is_none() && gets_one.is_none() {
                continue;
            }
            let value = view.value(file, setting)?;
            bytes += value.text.len();
            if self.bytes + bytes > LARGEST {
                return Err(too_large().key(&setting.key).at(Some(&setting.value_place)));
            }
            if let Some(name) = sets {
                additions.set(name.trim().to_owned(), value.clone());
                global.set(name.trim().to_owned(), value);
            } else if let Some(name) = gets_one {
                gets.push((name.trim().to_owned(), value));
            } else {
                // DIFFERENCE: PasteDeploy drops a key that DEFAULT has too.
                local.set(setting.key.clone(), value);
            }
        }
        self.bytes += bytes;
        self.count(&global)?;
        for (name, wanted) in gets {
            let Some(value) = global.map.get(&wanted.text) else {
                let message = format!("nothing global is called `{}`", wanted.text);
                let known = global.map.keys().map(String::as_str);
                let help = match crate::error::did_you_mean(&wanted.text, known) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "put it into [DEFAULT], or `set` it".to_owned(),
                };
                let error = Error::new(ErrorKind::UnknownGlobal, message).help(help);
                return Err(error.key(&format!("get {name}")).at(wanted.place()));
            };
            // A name in it is looked up where it is taken.
            let value = Value {
                home: Origin::File(file),
                place: value.place.clone().or_else(|| wanted.place.clone()),
                ..value.clone()
            };
            local.set(name, value);
        }
        let filter_with = match role {
            Role::App | Role::Filter => local.take("filter-with"),
            Role::Hook | Role::Server => None,
        };
        if let Some(required) = local.take("require") {
            for name in required.text.split_whitespace() {
                let found = self.registry.distribution(name);
                found.map_err(|error| error.key("require").at(required.place()))?;
            }
        }
        let global: Shared = Rc::new(RefCell::new(global));
        let local: Shared = Rc::new(RefCell::new(local));
        let context = if title.starts_with("filter-app:") {
            let Some(next) = local.borrow_mut().take("next") else {
                let error = Error::new(ErrorKind::NoNext, "it does not say what it is around");
                let help = "add `next = NAME`, the name of an app";
                return Err(missing(error, &["next"], &local.borrow(), help));
            };
            let next = self.reference(Role::App, &next, &next.text, "next", &global)?;
            let filter = self.made(&here, Role::Filter, &global, &local, &additions)?;
            Context {
                what: What::FilterApp {
                    filter: Box::new(filter),
                    next: Box::new(next),
                },
                global: global.clone(),
                local: local.clone(),
                section: None,
                named: None,
            }
        } else if title.starts_with("pipeline:") {
            self.pipeline(&global, &local, &defaults)?
        } else {
            self.made(&here, role, &global, &local, &additions)?
        };
        let Some(filter_with) = filter_with else {
            return Ok(context);
        };
        let filter = self.reference(
            Role::Filter,
            &filter_with,
            &filter_with.text,
            "filter-with",
            &global,
        )?;
        Ok(Context {
            what: What::FilterWith {
                filter: Box::new(filter),
                next: Box::new(context),
            },
            global,
            local,
            section: None,
            named: None,
        })
    }

    /// A name in a value.
    fn reference(
        &mut self,
        role: Role,
        value: &Value,
        name: &str,
        key: &str,
        global: &Shared,
    ) -> Result<Context, Error> {
        let found = self.name(role, name, value.home, Some(global));
        // Where it is wrong is where it is named, unless something is wrong further in.
        let mut found = found.map_err(|error| match error.place() {
            Some(_) => error,
            None => {
                let error = slip::of_value(error, key, name, value);
                error.key(key).at(value.place())
            }
        })?;
        found.named = found.named.or_else(|| value.word_place(name));
        Ok(found)
    }

    fn pipeline(
        &mut self,
        global: &Shared,
        local: &Shared,
        defaults: &Settings,
    ) -> Result<Context, Error> {
        let Some(names) = local.borrow_mut().take("pipeline") else {
            let error = Error::new(ErrorKind::NoPipeline, "it does not say what is in it");
            let help = "add `pipeline = FILTER … APP`";
            return Err(missing(error, &["pipeline"], &local.borrow(), help));
        };
        let extra = local.borrow();
        let extra: Vec<_> = extra
            .iter()
            .filter(|(key, _)| !defaults.map.contains_key(*key))
            .collect();
        if let Some((key, value)) = extra.first() {
            let error = Error::new(ErrorKind::PipelineSettings, "a pipeline has no settings");
            let help = misspelt_in_any(key).unwrap_or_else(|| {
                "only `pipeline`, `filter-with`, `set` and `get`; did you mean it for one of its parts?".to_owned()
            });
            return Err(error.key(key).at(value.key_place.as_ref()).help(help));
        }
        let mut parts: Vec<&str> = names.text.split_whitespace().collect();
        let Some(app) = parts.pop() else {
            let error = Error::new(ErrorKind::EmptyPipeline, "there is nothing in it");
            return Err(error
                .key("pipeline")
                .at(names.place())
                .help("name the filters from the outermost to the innermost, and then the app"));
        };
        let app = self.reference(Role::App, &names, app, "pipeline", global)?;
        let filters = parts
            .into_iter()
            .map(|name| self.reference(Role::Filter, &names, name, "pipeline", global));
        Ok(Context {
            what: What::Pipeline {
                filters: filters.collect::<Result<_, _>>()?,
                app: Box::new(app),
            },
            global: global.clone(),
            local: Shared::default(),
            section: None,
            named: None,
        })
    }

    /// What makes a section: what it uses, or the factory that it names.
    fn made(
        &mut self,
        here: &(String, Place),
        role: Role,
        global: &Shared,
        local: &Shared,
        additions: &Settings,
    ) -> Result<Context, Error> {
        let mut context = self.used(&here.0, role, global, local, additions)?;
        context.section = Some(here.clone());
        Ok(context)
    }

    fn used(
        &mut self,
        title: &str,
        role: Role,
        global: &Shared,
        local: &Shared,
        additions: &Settings,
    ) -> Result<Context, Error> {
        let used = local.borrow_mut().take("use");
        let Some(used) = used else {
            return self.explicit(role, global, local);
        };
        let mut context = self.reference(role, &used, &used.text, "use", global)?;
        context.global.borrow_mut().update(additions);
        context.local.borrow_mut().update(&local.borrow());
        let own = global.borrow().map.get("__file__").cloned();
        if let Some(file) = own {
            context.global.borrow_mut().set("__file__".to_owned(), file);
        }
        if let What::Object(object) = &mut context.what
            && let Reference::Call(function) = &object.factory
        {
            let kinds: &[Kind] = match title.split(':').next() {
                Some("app" | "application") => &[Kind::App],
                Some("composite" | "composit") => &[Kind::Composite],
                Some("filter") => &[Kind::Filter],
                Some("hook") => &[Kind::Hook],
                Some("server") => &[Kind::Server],
                _ => &[],
            };
            if kinds.is_empty() {
                let message = format!("`call:{function}` does not say what it is here");
                let error = Error::new(ErrorKind::WrongFactory, message);
                return Err(error
                    .key("use")
                    .at(used.place())
                    .help("give it a section of its own, [filter:NAME], and use that"));
            }
            let found = self.registry.function(function, kinds);
            let found = found.map_err(|error| {
                let error = slip::of_value(error, "use", &used.text, &used);
                error.key("use").at(used.place())
            })?;
            object.factory = Reference::Found(found);
        }
        Ok(context)
    }

    fn explicit(&mut self, role: Role, global: &Shared, local: &Shared) -> Result<Context, Error> {
        let mut found = Vec::new();
        for group in role.protocols() {
            let named = group.iter().find_map(|(key, kind)| {
                let value = local.borrow().map.get(*key)?.clone();
                Some((*key, *kind, value))
            });
            found.extend(named);
        }
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (None, _) => {
                let message = format!("it does not say what makes the {}", role.name());
                let error = Error::new(ErrorKind::NoFactory, message);
                let protocols = role.protocols().iter().copied().flatten();
                let known: Vec<_> = ["use"]
                    .into_iter()
                    .chain(protocols.map(|(key, _)| *key))
                    .collect();
                let help = "add `use = …`: egg:NAME#ENTRY, call:MODULE:FUNCTION, config:FILE#NAME or another section";
                Err(missing(error, &known, &local.borrow(), help))
            }
            (Some(_), Some((key, _, value))) => {
                let message = "it says twice what makes it";
                let error = Error::new(ErrorKind::SeveralFactories, message).key(key);
                Err(error
                    .at(value.key_place.as_ref())
                    .help("take one of them out"))
            }
            (Some((key, kind, value)), None) => {
                local.borrow_mut().take(key);
                let factory = self.registry.function(&value.text, &[kind]);
                let factory = factory.map_err(|error| {
                    let error = slip::of_value(error, key, &value.text, &value);
                    error.key(key).at(value.place())
                })?;
                Ok(Context {
                    what: What::Object(Object {
                        name: format!("{key} = {}", value.text),
                        factory: Reference::Found(factory),
                    }),
                    global: global.clone(),
                    local: local.clone(),
                    section: None,
                    named: None,
                })
            }
        }
    }
}

/// Returns the error for a section without one of these keys, at the key that is a misspelt one.
fn missing(error: Error, known: &[&str], local: &Settings, help: &str) -> Error {
    let misspelt = local
        .iter()
        .find_map(|(key, value)| Some((key, value, misspelt(key, known)?)));
    match misspelt {
        Some((key, value, help)) => error.key(key).at(value.key_place.as_ref()).help(help),
        None => error.help(help),
    }
}

fn too_large() -> Error {
    let message = format!("all values together are more than {LARGEST} bytes");
    let error = Error::new(ErrorKind::TooLarge, message);
    error.help("take out of [DEFAULT] what few sections need, and large values out of many keys")
}

/// Whether it is no section's name.
fn is_uri(name: &str) -> bool {
    let letters = name.find(|c: char| !c.is_ascii_alphabetic());
    letters.is_some_and(|at| at > 0 && name[at..].starts_with(':'))
}

/// Without `.` and `..`, by name alone.
fn normal(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}
