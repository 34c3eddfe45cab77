//! Factories by name.

use std::{collections::HashMap, fmt, panic::Location, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use tower_hooks::Hook;

use crate::{
    App, BoxError, Error, ErrorKind, Filter, Parts, Server, Settings, effective,
    factory::{Factory, Make, Maker, failed, made_hook, typed},
    kind::Kind,
    named::whole_values,
    suggest::did_you_mean,
};

/// Factories by name, as `use = egg:NAME#ENTRY`, `use = call:module:function` and
/// `paste.app_factory = module:function` find them.
///
/// A name is `NAME#ENTRY` or `module:function`. `NAME` alone is `NAME#main`. Case, `-`, `_` and `.`
/// in `NAME` do not matter. Factories of different types may have the same name: the type of the
/// section decides.
///
/// A factory is never replaced. If a name is registered twice for one type, everything that is
/// loaded is an error. This is also so for the name of a built-in factory.
///
/// A program with an app and a filter of its own:
///
/// ```
/// use std::{convert::Infallible, io};
///
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use serde::Deserialize;
/// use tower::{BoxError, ServiceExt, service_fn, util::MapResponseLayer};
/// use tower_deploy::{App, Body, Filter, Loader, Registry};
///
/// #[derive(Deserialize)]
/// struct Greeting {
///     text: String,
/// }
///
/// #[derive(Deserialize)]
/// struct Prefix {
///     prefix: String,
/// }
///
/// fn registry() -> Registry {
///     Registry::new()
///         .app("greetings", |_global, settings: Greeting| {
///             Ok::<_, Infallible>(App::new(service_fn(move |_: Request<Body>| {
///                 let text = settings.text.clone();
///                 async move { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text))) }
///             })))
///         })
///         .filter("greetings#prefix", |_global, settings: Prefix| {
///             let layer = MapResponseLayer::new(move |response: Response<Body>| {
///                 let prefix = settings.prefix.clone();
///                 response.map(|body| {
///                     body.map_frame(move |frame| {
///                         frame.map_data(|data| Bytes::from([prefix.as_bytes(), &data].concat()))
///                     })
///                 })
///             });
///             Ok::<_, Infallible>(Filter::new(layer))
///         })
/// }
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), BoxError> {
///     let file = "
/// [pipeline:main]
/// pipeline = yikes greeting
///
/// [filter:yikes]
/// use = egg:greetings#prefix
/// prefix = yikes:
///
/// [app:greeting]
/// use = egg:greetings
/// text = Hello from %(here)s
/// ";
///     // Without `.files`, the file is read from the disk.
///     let loader = Loader::new(registry()).files(move |_| io::Result::Ok(file.into()));
///     let app = loader.load_app("config:/srv/site.ini")?;
///
///     let response = app.oneshot(Request::new(Full::<Bytes>::default())).await?;
///     let body = response.into_body().collect().await?.to_bytes();
///     assert_eq!(body, "yikes:Hello from /srv");
///     Ok(())
/// }
/// ```
#[derive(Default)]
pub struct Registry {
    factories: HashMap<(String, Kind), Registered>,
    /// The error of a name that is registered twice.
    twice: Option<String>,
}

struct Registered {
    factory: Arc<Factory>,
    at: &'static Location<'static>,
}

impl Registry {
    /// Returns a registry without factories.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an app. `make` gets the global settings and the section's settings as a struct. A key
    /// that `T` does not know is an error, and so is a value that `T` does not take.
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
        self.add(name, Factory::new(Maker::App(typed(make))))
    }

    /// Adds a filter, which wraps an app.
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
        self.add(name, Factory::new(Maker::Filter(typed(make))))
    }

    /// Adds a composite, an app of apps. Each setting for which `is_app` is true names an app, and
    /// `make` gets that from [`Parts`]. The keys of other settings are free.
    ///
    /// ```
    /// use tower_deploy::{BoxError, Registry};
    ///
    /// let is_app = |key: &str| key == "morning" || key == "evening";
    /// let registry = Registry::new().composite("shifts", is_app, |_global, local, parts| {
    ///     let now = local.get("now").unwrap_or("morning");
    ///     Ok::<_, BoxError>(parts.app(now)?)
    /// });
    /// ```
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
        let factory = Factory::new(Maker::Composite(Box::new(make)));
        self.add(name, factory.names(whole_values(is_app)))
    }

    /// Adds a hook of tower-hooks, for the filter `hooks` and for the `middlewares` of a router's
    /// JSON file.
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
        self.add(name, Factory::new(Maker::Hook(make)))
    }

    /// Adds a server, which gets an app.
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use tower_deploy::{Registry, Server};
    ///
    /// let registry = Registry::new().server("local", |_global, (): ()| {
    ///     let serve = async |app| tower_serve::serve("127.0.0.1:8080", app).await;
    ///     Ok::<_, Infallible>(Server::new(serve))
    /// });
    /// ```
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
        self.add(name, Factory::new(Maker::Server(typed(make))))
    }

    /// Adds a factory whose settings are a struct that can be shown.
    #[track_caller]
    pub(crate) fn shown<T, R, E>(
        self,
        name: &str,
        maker: fn(Make<R>) -> Maker,
        make: impl Fn(&Settings, T) -> Result<R, E> + Send + Sync + 'static,
    ) -> Self
    where
        T: DeserializeOwned + Serialize,
        E: Into<BoxError>,
    {
        let factory = Factory::new(maker(typed(make)));
        self.add(name, factory.effective(effective::of::<T>))
    }

    #[track_caller]
    pub(crate) fn add(mut self, name: &str, factory: Factory) -> Self {
        let at = Location::caller();
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

    /// Checks that no name is registered twice.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.twice {
            Some(message) => Err(Error::new(ErrorKind::AmbiguousEntryPoint, message)
                .help("each name is for one factory of a type")),
            None => Ok(()),
        }
    }

    /// Returns the factory `NAME#ENTRY` of one of these types.
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
        let is_built_in = |server: &str| {
            let name = format!("tower#{server}");
            self.factories.contains_key(&(name, Kind::Server))
        };
        if !is_server || !is_built_in("http") {
            return None;
        }
        let message = format!("egg:{distribution}#{entry} is a server for Python");
        let error = Error::new(ErrorKind::UnknownDistribution, message);
        // As PasteScript and flup name them: `flup_fcgi_thread`, `scgi_fork`, `cgi`.
        let of_entry = |part: &str| entry.split('_').any(|word| word == part);
        Some(match () {
            () if of_entry("fcgi") && is_built_in("fastcgi") => error.help(
                "write `use = egg:tower#fastcgi`, with `host` and `port`, or with `bind = unix:PATH`",
            ),
            () if of_entry("scgi") && is_built_in("scgi") => error.help(
                "write `use = egg:tower#scgi`, with `host` and `port`, or with `bind = unix:PATH`",
            ),
            () if entry == "cgi" && is_built_in("cgi") => {
                error.help("write `use = egg:tower#cgi`, without an address")
            }
            () => error.help(
                "write `use = egg:tower#http`, with `host` and `port`, or with `bind = HOST:PORT`",
            ),
        })
    }

    /// Checks that there is a factory under `egg:NAME`.
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

    /// Returns the factory `module:function` of one of these types.
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
            return Err(of_another_type(name, *kind, kinds));
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

/// Returns the error for a function that is registered as another type than the wanted ones.
pub(crate) fn of_another_type(function: &str, kind: Kind, wanted: &[Kind]) -> Error {
    let wanted = one_of(wanted);
    let message = format!("`{function}` is registered as {kind}, not as {wanted}");
    let error = Error::new(ErrorKind::WrongFactory, message);
    error.help("the type of the section decides")
}

fn one_of(kinds: &[Kind]) -> String {
    let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    kinds.join(" or ")
}

/// Returns the help for an unknown name: a similar one, or the known ones.
fn listed<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    if let Some(meant) = did_you_mean(name, known.iter().copied()) {
        return Some(format!("did you mean `{meant}`?"));
    }
    (!known.is_empty()).then(|| format!("known: {}", known.join(", ")))
}

/// Returns the form of a name in which names are compared, as PEP 503 compares distributions.
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
