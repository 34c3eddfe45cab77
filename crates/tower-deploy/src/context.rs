//! What a name in a file leads to: sections, the files that they name, and what they inherit from each other. The order in which things are looked at, and
//! what of one section reaches which other, is PasteDeploy's.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use percent_encoding::percent_decode_str;

use crate::{
    Error, ErrorKind, Place, Registry, Settings, Value,
    conf::Origin,
    ini::{DEFAULT, Document, Read, Setting, text},
    interpolate::{Named, interpolate},
    registry::{Factory, Kind},
};

/// Two contexts may share theirs: what is set later in one is seen in the other.
type Shared = Rc<RefCell<Settings>>;

/// What a section is asked for as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    App,
    Filter,
    Server,
}

impl Role {
    /// What a section's name begins with; of one group, the first that is there counts.
    fn prefixes(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::App => &[
                &["app", "application"],
                &["composite", "composit"],
                &["pipeline"],
                &["filter-app"],
            ],
            Self::Filter => &[&["filter"]],
            Self::Server => &[&["server"]],
        }
    }

    pub(crate) fn kinds(self) -> &'static [Kind] {
        match self {
            Self::App => &[Kind::App, Kind::Composite],
            Self::Filter => &[Kind::Filter],
            Self::Server => &[Kind::Server],
        }
    }

    /// The keys that name a factory outright.
    fn protocols(self) -> &'static [&'static [(&'static str, Kind)]] {
        match self {
            Self::App => &[
                &[("paste.app_factory", Kind::App)],
                &[("paste.composite_factory", Kind::Composite)],
                &[("paste.composit_factory", Kind::Composite)],
            ],
            Self::Filter => &[&[
                ("paste.filter_factory", Kind::Filter),
                ("paste.filter_app_factory", Kind::Filter),
            ]],
            Self::Server => &[&[
                ("paste.server_factory", Kind::Server),
                ("paste.server_runner", Kind::Server),
            ]],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Filter => "filter",
            Self::Server => "server",
        }
    }
}

pub(crate) struct Context {
    pub(crate) what: What,
    pub(crate) global: Shared,
    pub(crate) local: Shared,
    /// The section that asks for it, if one does.
    pub(crate) section: Option<(String, Place)>,
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

/// A file, with what its sections inherit.
struct File {
    document: Document,
    /// Directory in which relative names are looked up.
    folder: PathBuf,
    /// What all sections have: its own defaults, then what it was given, which nobody wrote in it.
    defaults: Vec<(String, Default)>,
    /// The sections of each name, whatever their types.
    named: HashMap<String, Vec<usize>>,
}

enum Default {
    Own(Setting),
    Given(Value),
}

/// How deep sections may lead to one another.
const DEEPEST: usize = 50;
/// How many parts a plan may have.
const MOST: usize = 10_000;

pub(crate) struct Resolver<'a> {
    registry: &'a Registry,
    read: &'a Read,
    files: Vec<File>,
    /// What is being looked at, to notice circles.
    stack: Vec<(PathBuf, String, Role)>,
    parts: usize,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(registry: &'a Registry, read: &'a Read) -> Self {
        Self {
            registry,
            read,
            files: Vec::new(),
            stack: Vec::new(),
            parts: 0,
        }
    }

    /// The beginning of the first file, for what is wrong with a name that no file has.
    pub(crate) fn start(&self) -> Option<Place> {
        let file = self.files.first()?;
        Some(Place::new(&file.document.source, 0..0))
    }

    /// From here on this section must not be led back to.
    pub(crate) fn enter(&mut self, file: &Path, section: &str, role: Role) {
        self.stack.push((file.to_owned(), section.to_owned(), role));
    }

    pub(crate) fn leave(&mut self) {
        self.stack.pop();
    }

    /// A name as it stands in a file: a section's or a URI.
    pub(crate) fn name(
        &mut self,
        role: Role,
        name: &str,
        home: Origin,
        global: Option<&Settings>,
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
        global: Option<&Settings>,
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
                Ok(self.object(name, Reference::Found(factory), global))
            }
            "call" => {
                if !path.contains(':') {
                    self.registry.function(path, role.kinds())?;
                }
                let name = format!("call:{path}");
                Ok(self.object(name, Reference::Call(path.to_owned()), global))
            }
            other => {
                let message = format!("`{other}:` is not known");
                let error = Error::new(ErrorKind::UnknownScheme, message);
                Err(error.help("it is one of config:, egg: and call:"))
            }
        }
    }

    fn object(&self, name: String, factory: Reference, global: Option<&Settings>) -> Context {
        Context {
            what: What::Object(Object { name, factory }),
            global: Rc::new(RefCell::new(global.cloned().unwrap_or_default())),
            local: Shared::default(),
            section: None,
        }
    }

    fn file(
        &mut self,
        path: &str,
        folder: Option<&Path>,
        global: Option<&Settings>,
    ) -> Result<usize, Error> {
        let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
        let path = match (Path::new(path.trim()), folder) {
            (path, _) if path.is_absolute() => path.to_owned(),
            (path, Some(folder)) if !folder.as_os_str().is_empty() => folder.join(path),
            (path, _) => {
                let message = format!("`{}` is relative, and nothing says to what", path.display());
                let error = Error::new(ErrorKind::RelativeWithoutBase, message);
                return Err(error.help("write the whole path"));
            }
        };
        let path = normal(&path);
        let document = Document::parse(&path, text(&path, self.read)?)?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let mut defaults: Vec<(String, Default)> = Vec::new();
        for setting in &document.defaults {
            defaults.push((setting.key.clone(), Default::Own(setting.clone())));
        }
        let given = [("here", &folder), ("__file__", &path)].map(|(key, path)| {
            let text = path.to_string_lossy().into_owned();
            (key.to_owned(), Value::given(text))
        });
        let global = global.into_iter().flat_map(|global| &global.map);
        let global = global.map(|(key, value)| (key.clone(), value.clone()));
        for (key, value) in given.into_iter().chain(global) {
            if !defaults.iter().any(|(other, _)| *other == key) {
                defaults.push((key, Default::Given(value)));
            }
        }
        let mut named: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, section) in document.sections.iter().enumerate() {
            if let Some((_, name)) = section.name.split_once(':') {
                named.entry(name.trim().to_owned()).or_default().push(at);
            }
        }
        self.files.push(File {
            document,
            folder,
            defaults,
            named,
        });
        Ok(self.files.len() - 1)
    }

    fn section(
        &mut self,
        file: usize,
        role: Role,
        name: &str,
        global: Option<&Settings>,
    ) -> Result<Context, Error> {
        let section = self.files[file].find(role, name)?;
        let title = self.files[file].document.sections[section].name.clone();
        let place = self.files[file].document.sections[section].place.clone();
        let here = (
            self.files[file].document.path.to_path_buf(),
            title.clone(),
            role,
        );
        self.parts += 1;
        if self.stack.contains(&here) || self.stack.len() >= DEEPEST || self.parts > MOST {
            let way: Vec<_> = self.stack.iter().skip_while(|at| **at != here).collect();
            let error = if way.is_empty() {
                let message = format!(
                    "sections lead to one another more than {DEEPEST} deep, or make more than {MOST} parts"
                );
                Error::new(ErrorKind::Circular, message)
            } else {
                let way: Vec<_> = way
                    .iter()
                    .map(|(_, section, _)| format!("[{section}]"))
                    .collect();
                let message = format!(
                    "the section leads back to itself: {} → [{title}]",
                    way.join(" → ")
                );
                Error::new(ErrorKind::Circular, message)
            };
            return Err(error.help("take one of these references out"));
        }
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
        outer: Option<&Settings>,
    ) -> Result<Context, Error> {
        let own = &self.files[file];
        let title = own.document.sections[section].name.clone();
        let here = (title.clone(), own.document.sections[section].place.clone());
        let mut global = own.defaults(file)?;
        let defaults = global.clone();
        if let Some(outer) = outer {
            global.update(outer);
        }
        let (mut local, mut additions) = (Settings::default(), Settings::default());
        let mut gets = Vec::new();
        for setting in own.settings(section) {
            let value = own.value(file, section, setting)?;
            if let Some(name) = setting.key.strip_prefix("set ") {
                additions.set(name.trim().to_owned(), value.clone());
                global.set(name.trim().to_owned(), value);
            } else if let Some(name) = setting.key.strip_prefix("get ") {
                gets.push((name.trim().to_owned(), value));
            } else if !own.is_default(setting) {
                // DIFFERENCE: PasteDeploy drops a key that DEFAULT has too.
                local.set(setting.key.clone(), value);
            }
        }
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
            local.set(name, value.clone());
        }
        let filter_with = match role {
            Role::App | Role::Filter => local.take("filter-with"),
            Role::Server => None,
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
                return Err(error.help("add `next = NAME`, the name of an app"));
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
        let global = global.borrow().clone();
        let found = self.name(role, name, value.home, Some(&global));
        // Where it is wrong is where it is named, unless something is wrong further in.
        found.map_err(|error| match error.place() {
            Some(_) => error,
            None => error.key(key).at(value.place()),
        })
    }

    fn pipeline(
        &mut self,
        global: &Shared,
        local: &Shared,
        defaults: &Settings,
    ) -> Result<Context, Error> {
        let Some(names) = local.borrow_mut().take("pipeline") else {
            let error = Error::new(ErrorKind::NoPipeline, "it does not say what is in it");
            return Err(error.help("add `pipeline = FILTER … APP`"));
        };
        let extra = local.borrow();
        let extra: Vec<_> = extra
            .iter()
            .filter(|(key, _)| !defaults.map.contains_key(*key))
            .collect();
        if let Some((key, value)) = extra.first() {
            let error = Error::new(ErrorKind::PipelineSettings, "a pipeline has no settings");
            return Err(error
                .key(key)
                .at(value.key_place.as_ref())
                .help("only `pipeline`, `filter-with`, `set` and `get`; did you mean it for one of its parts?"));
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
        if let Some(file) = global.borrow().map.get("__file__") {
            let file = file.clone();
            context.global.borrow_mut().set("__file__".to_owned(), file);
        }
        if let What::Object(object) = &mut context.what
            && let Reference::Call(function) = &object.factory
        {
            let kinds: &[Kind] = match title.split(':').next() {
                Some("app" | "application") => &[Kind::App],
                Some("composite" | "composit") => &[Kind::Composite],
                Some("filter") => &[Kind::Filter],
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
            let found = found.map_err(|error| error.key("use").at(used.place()))?;
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
                Err(error.help("add `use = …`: egg:NAME#ENTRY, call:MODULE:FUNCTION, config:FILE#NAME or another section"))
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
                let factory = factory.map_err(|error| error.key(key).at(value.place()))?;
                Ok(Context {
                    what: What::Object(Object {
                        name: format!("{key} = {}", value.text),
                        factory: Reference::Found(factory),
                    }),
                    global: global.clone(),
                    local: local.clone(),
                    section: None,
                })
            }
        }
    }
}

impl File {
    /// The section of this name, for one of the types that fit.
    fn find(&self, role: Role, name: &str) -> Result<usize, Error> {
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
                let prefixes: Vec<&str> = role.prefixes().iter().map(|group| group[0]).collect();
                let path = self.document.path.display();
                let message = format!("there is no {} `{name}` in {path}", role.name());
                let names = sections.iter().filter_map(|section| {
                    let (prefix, name) = section.name.split_once(':')?;
                    let fits = role.prefixes().iter().any(|group| group.contains(&prefix));
                    fits.then_some(name.trim())
                });
                let help = match crate::error::did_you_mean(name, names) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!(
                        "it would be [{}:{name}]",
                        prefixes.join(&format!(":{name}] or ["))
                    ),
                };
                Err(Error::new(ErrorKind::MissingSection, message).help(help))
            }
        }
    }

    /// A section's settings, and of the defaults those that set and get.
    fn settings(&self, section: usize) -> impl Iterator<Item = &Setting> {
        let own = &self.document.sections[section].settings;
        let is_own = |key: &str| own.iter().any(|setting| setting.key == key);
        let defaults = self.document.defaults.iter();
        own.iter()
            .chain(defaults.filter(move |setting| !is_own(&setting.key)))
    }

    fn is_default(&self, setting: &Setting) -> bool {
        self.document
            .defaults
            .iter()
            .any(|default| std::ptr::eq(default, setting))
    }

    /// What every section has.
    fn defaults(&self, file: usize) -> Result<Settings, Error> {
        let mut settings = Settings::default();
        for (key, default) in &self.defaults {
            let value = match default {
                Default::Given(value) => value.clone(),
                Default::Own(setting) => {
                    let text = interpolate(&setting.key, &setting.value, &|_, name| {
                        self.named(None, "", name)
                    });
                    let text = text.map_err(|error| {
                        error
                            .section(DEFAULT)
                            .key(&setting.key)
                            .at(Some(&setting.value_place))
                    })?;
                    Value::written(text, setting, file)
                }
            };
            settings.set(key.clone(), value);
        }
        Ok(settings)
    }

    fn value(&self, file: usize, section: usize, setting: &Setting) -> Result<Value, Error> {
        let text = interpolate(&setting.key, &setting.value, &|key, name| {
            self.named(Some(section), key, name)
        });
        let text = text.map_err(|error| error.key(&setting.key).at(Some(&setting.value_place)))?;
        Ok(Value::written(text, setting, file))
    }

    /// What `%(name)s` means in the value of a key. One that names itself means the default of that name.
    fn named(&self, section: Option<usize>, key: &str, name: &str) -> Option<Named<'_>> {
        let sections = &self.document.sections;
        let settings = section.into_iter().flat_map(|at| &sections[at].settings);
        let own = settings.into_iter().find(|setting| setting.key == name);
        let default = self.defaults.iter().find(|(key, _)| key == name);
        if let Some(setting) = own.filter(|_| name != key || default.is_none()) {
            return Some(Named {
                text: &setting.value,
                is_raw: true,
            });
        }
        let (_, default) = default?;
        Some(match default {
            Default::Own(setting) => Named {
                text: &setting.value,
                is_raw: true,
            },
            Default::Given(value) => Named {
                text: &value.text,
                is_raw: false,
            },
        })
    }
}

impl Role {
    fn article(self) -> &'static str {
        match self {
            Self::App => "an app",
            Self::Filter => "a filter",
            Self::Server => "a server",
        }
    }
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
