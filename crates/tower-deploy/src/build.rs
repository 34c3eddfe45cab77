//! Making what a plan says.

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    App, BoxError, Error, ErrorKind, Filter, Server,
    plan::{Node, Part},
    registry::Factory,
};

/// The apps that a composite's settings name. Each is built when it is asked for.
pub struct Apps<'a> {
    apps: &'a [(String, Node)],
}

impl Apps<'_> {
    /// The keys that name an app, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.apps.iter().map(|(key, _)| key.as_str())
    }

    /// Builds the app that a key names.
    ///
    /// # Errors
    ///
    /// What is wrong with that app, or that the key names none.
    pub fn build(&mut self, key: &str) -> Result<App, Error> {
        match self.apps.iter().find(|(other, _)| other == key) {
            Some((_, node)) => node.app(),
            None => Err(Error::new(
                ErrorKind::Factory,
                "it asks for an app under a key that names none",
            )
            .key(key)),
        }
    }
}

/// Runs somebody else's code, whose panic is its error.
pub(crate) fn guarded<T>(make: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let message = format!("the factory panicked: {}", text.unwrap_or("(no text)"));
        // What was thrown may panic when it is dropped.
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            mem::forget(another);
        }
        Err(Error::new(ErrorKind::Factory, message))
    })
}

impl Node {
    /// Where it is wrong, unless that is known.
    fn place(&self, error: Error) -> Error {
        match &self.section {
            Some((name, place)) => error.section(name).at(Some(place)),
            None => error,
        }
    }

    fn make<T>(&self, make: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        guarded(make).map_err(|error| self.place(error))
    }

    fn wrong<T>(&self, wanted: &str) -> Result<T, Error> {
        let message = format!("it is no {wanted}");
        Err(self.place(Error::new(ErrorKind::WrongFactory, message)))
    }

    pub(crate) fn app(&self) -> Result<App, Error> {
        match &self.what {
            Part::Object { factory, apps, .. } => match &**factory {
                Factory::App(make) => self.make(|| make(&self.global, &self.local)),
                Factory::Composite { make, .. } => {
                    self.make(|| make(&self.global, &self.local, &mut Apps { apps }))
                }
                Factory::Filter(_) | Factory::Server(_) => self.wrong("app"),
            },
            Part::Pipeline { filters, app } => {
                let app = app.app()?;
                let made: Result<Vec<_>, _> = filters
                    .iter()
                    .map(|node| Ok((node, node.filter()?)))
                    .collect();
                let mut filters = made?.into_iter().rev();
                filters.try_fold(app, |app, (node, filter)| node.wrap(filter, app))
            }
            Part::FilterApp { filter, next } => {
                let app = next.app()?;
                filter.wrap(filter.filter()?, app)
            }
            Part::FilterWith { filter, next } => {
                let outer = filter.filter()?;
                filter.wrap(outer, next.app()?)
            }
        }
    }

    /// What is wrong when a filter goes around its app is wrong here.
    fn placed(&self, filter: Filter) -> Filter {
        let section = self.section.clone();
        Filter::from_fn(move |app| {
            let wrapped = guarded(|| filter.apply(app).map_err(failed));
            wrapped.map_err(|error| match &section {
                Some((name, place)) => error.section(name).at(Some(place)),
                None => error,
            })
        })
    }

    fn wrap(&self, filter: Filter, app: App) -> Result<App, Error> {
        guarded(|| filter.apply(app).map_err(failed))
    }

    pub(crate) fn filter(&self) -> Result<Filter, Error> {
        match &self.what {
            Part::Object { factory, .. } => match &**factory {
                Factory::Filter(make) => {
                    let filter = self.make(|| make(&self.global, &self.local))?;
                    Ok(self.placed(filter))
                }
                _ => self.wrong("filter"),
            },
            Part::FilterWith { filter, next } => {
                let outer = filter.filter()?;
                let inner = next.filter()?;
                Ok(Filter::from_fn(|app| outer.apply(inner.apply(app)?)))
            }
            Part::Pipeline { .. } | Part::FilterApp { .. } => self.wrong("filter"),
        }
    }

    pub(crate) fn server(&self) -> Result<Server, Error> {
        match &self.what {
            Part::Object { factory, .. } => match &**factory {
                Factory::Server(make) => self.make(|| make(&self.global, &self.local)),
                _ => self.wrong("server"),
            },
            _ => self.wrong("server"),
        }
    }
}

impl fmt::Debug for Apps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys()).finish()
    }
}

fn failed(error: BoxError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => Error::new(ErrorKind::Factory, "the filter failed").caused_by(error),
    }
}
