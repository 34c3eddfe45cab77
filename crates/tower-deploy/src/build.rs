//! Builds the parts of a plan.

use tower_hooks::BoxHook;

use crate::{
    App, BoxError, Error, ErrorKind, Filter, Parts, Server,
    factory::{Maker, guarded},
    kind::Kind,
    parts::{Options, Unbuilt},
    slip, trace,
    tree::{Child, Node, What},
};

impl Node {
    /// Builds an app.
    pub(crate) fn app(&self, options: &Options<'_>) -> Result<App, Error> {
        match &self.what {
            What::Object { factory, parts, .. } => match &factory.make {
                Maker::App(make) | Maker::Composite(make) => {
                    let parts = Parts::new(parts, options);
                    let app = self.make(|| make(&self.global, &self.local, &parts))?;
                    Ok(match options.traced {
                        true => trace::app(self.title(), app),
                        false => app,
                    })
                }
                _ => self.wrong("app"),
            },
            What::Pipeline { filters, app } => {
                let app = app.app(options)?;
                let made: Result<Vec<_>, _> = filters
                    .iter()
                    .map(|filter| filter.filter(options))
                    .collect();
                made?.into_iter().rev().try_fold(app, wrapped)
            }
            What::FilterApp { filter, next } => {
                let app = next.app(options)?;
                wrapped(app, filter.filter(options)?)
            }
            What::FilterWith { filter, next } => {
                let outer = filter.filter(options)?;
                wrapped(next.app(options)?, outer)
            }
        }
    }

    /// Builds a filter.
    pub(crate) fn filter(&self, options: &Options<'_>) -> Result<Filter, Error> {
        match &self.what {
            What::Object { factory, parts, .. } => match &factory.make {
                Maker::Filter(make) => {
                    let parts = Parts::new(parts, options);
                    let filter = self.make(|| make(&self.global, &self.local, &parts))?;
                    Ok(self.located(filter, options))
                }
                _ => self.wrong("filter"),
            },
            What::FilterWith { filter, next } => {
                let outer = filter.filter(options)?;
                let inner = next.filter(options)?;
                Ok(Filter::from_fn(|app| outer.apply(inner.apply(app)?)))
            }
            What::Pipeline { .. } | What::FilterApp { .. } => self.wrong("filter"),
        }
    }

    /// Builds a server.
    pub(crate) fn server(&self, options: &Options<'_>) -> Result<Server, Error> {
        match &self.what {
            What::Object { factory, parts, .. } => match &factory.make {
                Maker::Server(make) => {
                    let parts = Parts::new(parts, options);
                    self.make(|| make(&self.global, &self.local, &parts))
                }
                _ => self.wrong("server"),
            },
            _ => self.wrong("server"),
        }
    }

    fn hook(&self, options: &Options<'_>) -> Result<BoxHook, Error> {
        match &self.what {
            What::Object { factory, parts, .. } => match &factory.make {
                Maker::Hook(make) => {
                    let parts = Parts::new(parts, options);
                    let hook = self.make(|| make(&self.global, &self.local, &parts))?;
                    Ok(hook(options.traced.then(|| self.title())))
                }
                _ => self.wrong("hook"),
            },
            _ => self.wrong("hook"),
        }
    }

    fn make<T>(&self, make: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        guarded(make).map_err(|error| self.locate(error))
    }

    fn wrong<T>(&self, wanted: &str) -> Result<T, Error> {
        let message = format!("it is no {wanted}");
        Err(self.locate(Error::new(ErrorKind::WrongFactory, message)))
    }

    /// Adds the position to an error that has none: that of the setting, or of the part.
    fn locate(&self, error: Error) -> Error {
        let value = error
            .key_name()
            .and_then(|key| Some((key.to_owned(), self.local.value(key)?)));
        let error = match value {
            Some((key, value)) if error.place().is_none() => {
                let word = error.wrong_word().map(str::to_owned);
                let read = word.as_deref().unwrap_or(value.text());
                let error = slip::of_value(error, &key, read, value).key(&key);
                match word {
                    Some(word) => error.at(value.word_place(&word).as_ref()),
                    None => error.at(value.place()),
                }
            }
            _ => error,
        };
        self.location.of(error)
    }

    /// Returns a filter that locates its errors when it wraps an app.
    fn located(&self, filter: Filter, options: &Options<'_>) -> Filter {
        let location = self.location.clone();
        let title = options.traced.then(|| self.title());
        Filter::from_fn(move |app| {
            let wrapped = wrapped(app, filter);
            let wrapped = wrapped.map(|app| match title {
                Some(title) => trace::app(title, app),
                None => app,
            });
            wrapped.map_err(|error| location.of(error))
        })
    }
}

impl Unbuilt for Child {
    fn label(&self) -> &str {
        &self.label
    }

    fn is_hook(&self) -> bool {
        self.node.kind() == Kind::Hook
    }

    fn app(&self, options: &Options<'_>) -> Result<App, Error> {
        self.node.app(options)
    }

    fn hook(&self, options: &Options<'_>) -> Result<BoxHook, Error> {
        self.node.hook(options)
    }
}

fn wrapped(app: App, filter: Filter) -> Result<App, Error> {
    guarded(|| filter.apply(app).map_err(failed))
}

fn failed(error: BoxError) -> Error {
    Error::of_factory("the filter failed", error)
}
