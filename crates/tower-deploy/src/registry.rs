use std::{collections::HashMap, fmt, panic::Location, sync::Arc};

use serde::de::DeserializeOwned;

use tower_hooks::{BoxHook, Hook};

use crate::{
    App, BoxError, Error, ErrorKind, Filter, Parts, Server, Settings,
    de::from_settings,
    error::did_you_mean,
    ini::Read,
    named::{Named, none, whole_values},
    trace,
};

/// Makes something of what is global, of a section's settings, and of what these name.
pub(crate) type Make<T> =
    Box<dyn Fn(&Settings, &Settings, &Parts<'_>) -> Result<T, Error> + Send + Sync>;

/// What is global, a section's settings, and how files are read: which parts these name.
pub(crate) type Names =
    dyn Fn(&Settings, &Settings, &Read<'_>) -> Result<Vec<Named>, Error> + Send + Sync;

pub(crate) struct Factory {
    pub(crate) names: Box<Names>,
    pub(crate) make: Maker,
}

/// What a factory makes of its settings.
pub(crate) enum Maker {
    App(Make<App>),
    Composite(Make<App>),
    Filter(Make<Filter>),
    Hook(Make<MadeHook>),
    Server(Make<Server>),
}

/// A hook that is made. It is traced if it is given a title.
pub(crate) type MadeHook = Box<dyn FnOnce(Option<String>) -> BoxHook>;

/// What a factory makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    App,
    Composite,
    Filter,
    Hook,
    Server,
}

impl Factory {
    pub(crate) fn kind(&self) -> Kind {
        match self.make {
            Maker::App(_) => Kind::App,
            Maker::Composite(_) => Kind::Composite,
            Maker::Filter(_) => Kind::Filter,
            Maker::Hook(_) => Kind::Hook,
            Maker::Server(_) => Kind::Server,
        }
    }
}

impl Kind {
    fn article(self) -> &'static str {
        match self {
            Self::App => "an app",
            Self::Composite => "a composite",
            Self::Filter => "a filter",
            Self::Hook => "a hook",
            Self::Server => "a server",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::App => "app",
            Self::Composite => "composite",
            Self::Filter => "filter",
            Self::Hook => "hook",
            Self::Server => "server",
        })
    }
}

/// Names for factories: what `use = egg:NAME#ENTRY`, `use = call:module:function` and `paste.app_factory = module:function` find.
///
/// A name is `NAME#ENTRY`, where `NAME` alone is `NAME#main`, or `module:function`. Case, `-`, `_` and `.` in `NAME` do not matter. The same name may
/// stand for factories of different types; the section says which is meant.
///
/// Nothing replaces a factory: a name that is registered twice for one type, one that is built in among them, is an error of whatever is loaded.
#[derive(Default)]
pub struct Registry {
    factories: HashMap<(String, Kind), Registered>,
    /// What is registered twice.
    twice: Option<String>,
}

struct Registered {
    factory: Arc<Factory>,
    at: &'static Location<'static>,
}

fn failed(error: impl Into<BoxError>) -> Error {
    Error::of_factory("the factory failed", error.into())
}

/// A factory whose settings are a struct.
fn typed<T, R, E>(make: impl Fn(&Settings, T) -> Result<R, E> + Send + Sync + 'static) -> Make<R>
where
    T: DeserializeOwned,
    E: Into<BoxError>,
{
    Box::new(move |global, local, _| make(global, from_settings(local)?).map_err(failed))
}

fn made_hook(hook: impl Hook) -> MadeHook {
    Box::new(|title| match title {
        Some(title) => trace::hook(title, hook),
        None => BoxHook::new(hook),
    })
}

impl Registry {
    /// Without a name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An app: `make` gets what is global and the section's settings as a struct. What `T` does not know is an error, and so is a value that is not
    /// what `T` wants.
    #[must_use]
    #[track_caller]
    pub fn app<T, E>(
        self,
        name: &str,
        make: impl Fn(&Settings, T) -> Result<App, E> + Send + Sync + 'static,
    ) -> Self
    where
        T: DeserializeOwned,
        E: Into<BoxError>,
    {
        self.add(name, none, Maker::App(typed(make)))
    }

    /// A filter, which goes around an app.
    #[must_use]
    #[track_caller]
    pub fn filter<T, E>(
        self,
        name: &str,
        make: impl Fn(&Settings, T) -> Result<Filter, E> + Send + Sync + 'static,
    ) -> Self
    where
        T: DeserializeOwned,
        E: Into<BoxError>,
    {
        self.add(name, none, Maker::Filter(typed(make)))
    }

    /// A composite, an app of apps: settings for which `is_app` is true name an app each, which `make` gets from [`Parts`]; the keys of the others are free.
    #[must_use]
    #[track_caller]
    pub fn composite<E>(
        self,
        name: &str,
        is_app: impl Fn(&str) -> bool + Send + Sync + 'static,
        make: impl Fn(&Settings, &Settings, &Parts<'_>) -> Result<App, E> + Send + Sync + 'static,
    ) -> Self
    where
        E: Into<BoxError>,
    {
        let make = move |global: &Settings, local: &Settings, parts: &Parts<'_>| {
            make(global, local, parts).map_err(failed)
        };
        self.add(name, whole_values(is_app), Maker::Composite(Box::new(make)))
    }

    /// A hook, for `egg:tower#hooks` and for the `middlewares` of a router's JSON file.
    #[must_use]
    #[track_caller]
    pub fn hook<T, H, E>(
        self,
        name: &str,
        make: impl Fn(&Settings, T) -> Result<H, E> + Send + Sync + 'static,
    ) -> Self
    where
        T: DeserializeOwned,
        H: Hook,
        E: Into<BoxError>,
    {
        let make = typed(move |global, settings| make(global, settings).map(made_hook));
        self.add(name, none, Maker::Hook(make))
    }

    /// A server, which is given an app.
    #[must_use]
    #[track_caller]
    pub fn server<T, E>(
        self,
        name: &str,
        make: impl Fn(&Settings, T) -> Result<Server, E> + Send + Sync + 'static,
    ) -> Self
    where
        T: DeserializeOwned,
        E: Into<BoxError>,
    {
        self.add(name, none, Maker::Server(typed(make)))
    }

    #[track_caller]
    pub(crate) fn add(
        mut self,
        name: &str,
        names: impl Fn(&Settings, &Settings, &Read<'_>) -> Result<Vec<Named>, Error>
        + Send
        + Sync
        + 'static,
        make: Maker,
    ) -> Self {
        let at = Location::caller();
        let names = Box::new(names);
        let factory = Factory { names, make };
        let kind = factory.kind();
        let registered = Registered {
            factory: Arc::new(factory),
            at,
        };
        if let Some(first) = self.factories.insert((canonical(name), kind), registered) {
            let first = first.at;
            self.twice.get_or_insert_with(|| {
                format!("the {kind} `{name}` is registered twice, at {first} and at {at}")
            });
        }
        self
    }

    /// Whether nothing was wrong when names were registered.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.twice {
            Some(message) => Err(Error::new(ErrorKind::AmbiguousEntryPoint, message)
                .help("each name is for one factory of a type")),
            None => Ok(()),
        }
    }

    /// `NAME#ENTRY`, of one of these types.
    pub(crate) fn entry_point(
        &self,
        distribution: &str,
        entry: &str,
        kinds: &[Kind],
    ) -> Result<Arc<Factory>, Error> {
        self.distribution(distribution)
            .map_err(|error| self.of_python(distribution, entry, kinds).unwrap_or(error))?;
        let name = canonical(&format!("{distribution}#{entry}"));
        let found = |kind| self.factories.get(&(name.clone(), kind));
        let mut found = kinds.iter().filter_map(|kind| found(*kind));
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one.factory.clone()),
            (Some(_), Some(_)) => {
                let message = format!("egg:{distribution}#{entry} is both an app and a composite");
                let error = Error::new(ErrorKind::AmbiguousEntryPoint, message);
                Err(error.help("register them under different names"))
            }
            (None, _) => {
                let wanted = one_of(kinds);
                let mut others = self.factories.keys().filter(|(other, _)| *other == name);
                if let Some((_, kind)) = others.next() {
                    let (found, wanted) = (kind.article(), kinds.iter().map(|kind| kind.article()));
                    let wanted = wanted.collect::<Vec<_>>().join(" or ");
                    let message = format!("egg:{distribution}#{entry} is {found}, not {wanted}");
                    let error = Error::new(ErrorKind::UnknownEntryPoint, message);
                    return Err(error.help(format!("its section would be [{kind}:NAME]")));
                }
                let message = format!("there is no {wanted} egg:{distribution}#{entry}");
                let error = Error::new(ErrorKind::UnknownEntryPoint, message);
                let prefix = format!("{}#", canonical(distribution).trim_end_matches("#main"));
                let known = self.factories.keys().filter_map(|(name, kind)| {
                    let entry = name.strip_prefix(&prefix)?;
                    kinds.contains(kind).then_some(entry)
                });
                Err(match listed(entry, known) {
                    Some(help) => error.help(help),
                    None => error.help(format!("egg:{distribution} has no {wanted} at all")),
                })
            }
        }
    }

    /// Returns the error for a server of Python's, which a built-in one replaces.
    fn of_python(&self, distribution: &str, entry: &str, kinds: &[Kind]) -> Option<Error> {
        let name = canonical(distribution);
        let is_server =
            kinds == [Kind::Server] && SERVERS_OF_PYTHON.contains(&name.trim_end_matches("#main"));
        let built_in = ("tower#http".to_owned(), Kind::Server);
        if !is_server || !self.factories.contains_key(&built_in) {
            return None;
        }
        let message = format!("egg:{distribution}#{entry} is a server for Python");
        let error = Error::new(ErrorKind::UnknownDistribution, message);
        Some(error.help(
            "write `use = egg:tower#http`, with `host` and `port`, or with `bind = HOST:PORT`",
        ))
    }

    /// Whether there is anything under `egg:NAME`.
    pub(crate) fn distribution(&self, distribution: &str) -> Result<(), Error> {
        let wanted = canonical(&format!("{distribution}#"));
        let names = self.factories.keys().map(|(name, _)| name.as_str());
        let known: Vec<&str> = names
            .filter_map(|name| Some(name.split_once('#')?.0))
            .collect();
        if known.iter().any(|known| format!("{known}#") == wanted) {
            return Ok(());
        }
        let message = format!("nothing is registered under egg:{distribution}");
        let error = Error::new(ErrorKind::UnknownDistribution, message);
        Err(match listed(distribution, known) {
            Some(help) => error.help(help),
            None => error.help("the program has to register its factories"),
        })
    }

    /// `module:function`, of one of these types.
    pub(crate) fn function(&self, name: &str, kinds: &[Kind]) -> Result<Arc<Factory>, Error> {
        let Some((module, _)) = name.split_once(':') else {
            let message = format!("`{name}` has no colon");
            let error = Error::new(ErrorKind::CallWithoutColon, message);
            return Err(error.help("write module:function"));
        };
        for kind in kinds {
            if let Some(registered) = self.factories.get(&(name.to_owned(), *kind)) {
                return Ok(registered.factory.clone());
            }
        }
        let others = self.factories.keys().filter(|(other, _)| other == name);
        let others: Vec<Kind> = others.map(|(_, kind)| *kind).collect();
        if let Some(kind) = others.first() {
            let message = format!("`{name}` is registered as {kind}, not as {}", one_of(kinds));
            let error = Error::new(ErrorKind::WrongFactory, message);
            return Err(error.help("the section's type says what is asked for"));
        }
        let names = || self.factories.keys().map(|(name, _)| name.as_str());
        let prefix = format!("{module}:");
        let is_known = names().any(|name| name.starts_with(&prefix));
        let functions = names().filter(|name| name.contains(':'));
        let (kind, message) = if is_known {
            (
                ErrorKind::UnknownFunction,
                format!("`{module}` has no `{name}`"),
            )
        } else {
            (
                ErrorKind::UnknownModule,
                format!("nothing is registered in the module `{module}`"),
            )
        };
        let error = Error::new(kind, message);
        Err(match listed(name, functions) {
            Some(help) => error.help(help),
            None => error.help("the program has to register its factories"),
        })
    }
}

/// The servers that `[server:main]` uses in the files of Python's frameworks, as [`canonical`]
/// names them.
const SERVERS_OF_PYTHON: [&str; 13] = [
    "bjoern",
    "cherrypy",
    "eventlet",
    "flup",
    "gevent",
    "gunicorn",
    "hypercorn",
    "meinheld",
    "pastescript",
    "twisted",
    "uvicorn",
    "uwsgi",
    "waitress",
];

fn one_of(kinds: &[Kind]) -> String {
    let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    kinds.join(" or ")
}

/// What there is.
fn listed<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    if let Some(meant) = did_you_mean(name, known.iter().copied()) {
        return Some(format!("did you mean `{meant}`?"));
    }
    (!known.is_empty()).then(|| format!("there is {}", known.join(", ")))
}

/// As PEP 503 compares distributions.
fn canonical(name: &str) -> String {
    let name = name.strip_prefix("egg:").unwrap_or(name);
    let name = name.strip_prefix("call:").unwrap_or(name);
    if name.contains(':') {
        return name.to_owned();
    }
    let (distribution, entry) = name.split_once('#').unwrap_or((name, "main"));
    let mut out = String::new();
    for c in distribution.chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.extend(c.to_lowercase()),
        }
    }
    format!("{out}#{entry}")
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.factories.keys().collect();
        names.sort_by_key(|(name, kind)| (name.clone(), kind.to_string()));
        f.debug_set().entries(names).finish()
    }
}
