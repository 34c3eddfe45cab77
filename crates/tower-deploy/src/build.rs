//! Making what a plan says.

use std::fmt;

use tower_hooks::BoxHook;
use tower_kit::guard;

use crate::{
    App, BoxError, Error, ErrorKind, Filter, Server,
    plan::{Child, Node, Part},
    registry::{Kind, Maker},
    show::title,
    slip,
    snapshot::Snapshot,
    trace,
    warnings::Warnings,
};

/// What a factory's settings name. Each part is built when it is asked for.
pub struct Parts<'a> {
    parts: &'a [Child],
    options: &'a Options<'a>,
}

/// How a plan is built.
pub(crate) struct Options<'a> {
    /// The files that say what is built.
    pub(crate) files: &'a Snapshot<'a>,
    /// Whether each part tells a request's [`Trace`](crate::trace::Trace) what it does.
    pub(crate) traced: bool,
    /// The warnings, if they are collected.
    pub(crate) warnings: Option<&'a Warnings>,
}

impl Parts<'_> {
    /// The keys that name an app, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.label.as_str())
    }

    /// Builds the app that a key names.
    ///
    /// # Errors
    ///
    /// What is wrong with that app, or that the key names none.
    pub fn app(&self, key: &str) -> Result<App, Error> {
        match self.parts.iter().find(|part| part.label == key) {
            Some(part) => part.node.app(self.options),
            None => Err(Error::new(
                ErrorKind::Factory,
                "it asks for an app under a key that names none",
            )
            .key(key)),
        }
    }

    /// Looks for warnings, if they are wanted.
    pub(crate) fn warn(&self, find: impl FnOnce() -> Vec<Error>) {
        if let Some(warnings) = self.options.warnings {
            warnings.add(find());
        }
    }

    /// The files that were read to find out what to build.
    pub(crate) fn files(&self) -> &Snapshot<'_> {
        self.options.files
    }

    /// All of them that are apps, in order, whatever their keys.
    pub(crate) fn apps(&self) -> impl Iterator<Item = Result<App, Error>> {
        let apps = self.parts.iter().filter(|part| !part.node.is(Kind::Hook));
        apps.map(|part| part.node.app(self.options))
    }

    /// All of them that are hooks, in order.
    pub(crate) fn hooks(&self) -> impl Iterator<Item = Result<BoxHook, Error>> {
        let hooks = self.parts.iter().filter(|part| part.node.is(Kind::Hook));
        hooks.map(|part| part.node.hook(self.options))
    }
}

/// Runs user code. A panic becomes an error.
pub(crate) fn guarded<T>(make: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    guard::catch(make).unwrap_or_else(|panic| {
        let text = guard::message(panic.value()).unwrap_or("(no text)");
        let message = format!("the factory panicked: {text}");
        Err(Error::new(ErrorKind::Factory, message))
    })
}

impl Node {
    /// Where it is wrong, unless that is known.
    fn place(&self, error: Error) -> Error {
        let value = error
            .key_name()
            .and_then(|key| Some((key.to_owned(), self.local.value(key)?)));
        let error = match value {
            Some((key, value)) if error.place().is_none() => {
                let error = slip::of_value(error, &key, value.text(), value);
                error.key(&key).at(value.place())
            }
            _ => error,
        };
        match &self.section {
            Some((name, place)) => error.section(name).at(Some(place)),
            None => error.at(self.named.as_ref()),
        }
    }

    fn make<T>(&self, make: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        guarded(make).map_err(|error| self.place(error))
    }

    fn wrong<T>(&self, wanted: &str) -> Result<T, Error> {
        let message = format!("it is no {wanted}");
        Err(self.place(Error::new(ErrorKind::WrongFactory, message)))
    }

    fn is(&self, kind: Kind) -> bool {
        matches!(&self.what, Part::Object { factory, .. } if factory.kind() == kind)
    }

    pub(crate) fn app(&self, options: &Options<'_>) -> Result<App, Error> {
        match &self.what {
            Part::Object { factory, parts, .. } => match &factory.make {
                Maker::App(make) | Maker::Composite(make) => {
                    let parts = Parts { parts, options };
                    let app = self.make(|| make(&self.global, &self.local, &parts))?;
                    Ok(match options.traced {
                        true => trace::app(title(self), app),
                        false => app,
                    })
                }
                _ => self.wrong("app"),
            },
            Part::Pipeline { filters, app } => {
                let app = app.app(options)?;
                let made: Result<Vec<_>, _> = filters
                    .iter()
                    .map(|node| Ok((node, node.filter(options)?)))
                    .collect();
                let mut filters = made?.into_iter().rev();
                filters.try_fold(app, |app, (node, filter)| node.wrap(filter, app))
            }
            Part::FilterApp { filter, next } => {
                let app = next.app(options)?;
                filter.wrap(filter.filter(options)?, app)
            }
            Part::FilterWith { filter, next } => {
                let outer = filter.filter(options)?;
                filter.wrap(outer, next.app(options)?)
            }
        }
    }

    /// What is wrong when a filter goes around its app is wrong here.
    fn placed(&self, filter: Filter, options: &Options<'_>) -> Filter {
        let (section, named) = (self.section.clone(), self.named.clone());
        let title = options.traced.then(|| title(self));
        Filter::from_fn(move |app| {
            let wrapped = guarded(|| filter.apply(app).map_err(failed));
            let wrapped = wrapped.map(|app| match title {
                Some(title) => trace::app(title, app),
                None => app,
            });
            wrapped.map_err(|error| match &section {
                Some((name, place)) => error.section(name).at(Some(place)),
                None => error.at(named.as_ref()),
            })
        })
    }

    fn wrap(&self, filter: Filter, app: App) -> Result<App, Error> {
        guarded(|| filter.apply(app).map_err(failed))
    }

    pub(crate) fn filter(&self, options: &Options<'_>) -> Result<Filter, Error> {
        match &self.what {
            Part::Object { factory, parts, .. } => match &factory.make {
                Maker::Filter(make) => {
                    let parts = Parts { parts, options };
                    let filter = self.make(|| make(&self.global, &self.local, &parts))?;
                    Ok(self.placed(filter, options))
                }
                _ => self.wrong("filter"),
            },
            Part::FilterWith { filter, next } => {
                let outer = filter.filter(options)?;
                let inner = next.filter(options)?;
                Ok(Filter::from_fn(|app| outer.apply(inner.apply(app)?)))
            }
            Part::Pipeline { .. } | Part::FilterApp { .. } => self.wrong("filter"),
        }
    }

    fn hook(&self, options: &Options<'_>) -> Result<BoxHook, Error> {
        match &self.what {
            Part::Object { factory, parts, .. } => match &factory.make {
                Maker::Hook(make) => {
                    let parts = Parts { parts, options };
                    let hook = self.make(|| make(&self.global, &self.local, &parts))?;
                    Ok(hook(options.traced.then(|| title(self))))
                }
                _ => self.wrong("hook"),
            },
            _ => self.wrong("hook"),
        }
    }

    pub(crate) fn server(&self, options: &Options<'_>) -> Result<Server, Error> {
        match &self.what {
            Part::Object { factory, parts, .. } => match &factory.make {
                Maker::Server(make) => {
                    let parts = Parts { parts, options };
                    self.make(|| make(&self.global, &self.local, &parts))
                }
                _ => self.wrong("server"),
            },
            _ => self.wrong("server"),
        }
    }
}

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys()).finish()
    }
}

fn failed(error: BoxError) -> Error {
    Error::of_factory("the filter failed", error)
}
