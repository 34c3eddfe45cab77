//! Factories, which make a part of its settings.

use serde::de::DeserializeOwned;
use tower_hooks::{BoxHook, Hook};
use tower_kit::guard;

use crate::{
    App, BoxError, Error, ErrorKind, Filter, Parts, Server, Settings,
    de::from_settings,
    effective::{self, Effective},
    ini::Read,
    kind::Kind,
    named::{self, Named},
    trace,
};

/// Makes a part of the global values, the settings of its section, and the parts that these name.
pub(crate) type Make<T> =
    Box<dyn Fn(&Settings, &Settings, &Parts<'_>) -> Result<T, Error> + Send + Sync>;

/// Finds the parts that settings name. It gets the global values, the settings of the section, and
/// the function that reads files.
type Names = dyn Fn(&Settings, &Settings, &Read<'_>) -> Result<Vec<Named>, Error> + Send + Sync;

pub(crate) struct Factory {
    pub(crate) make: Maker,
    names: Box<Names>,
    effective: fn(&Settings) -> Effective,
}

/// A hook that is made. It is traced if it is given a title.
pub(crate) type MadeHook = Box<dyn FnOnce(Option<String>) -> BoxHook>;

/// The function of a factory, by the type of the part.
pub(crate) enum Maker {
    App(Make<App>),
    Composite(Make<App>),
    Filter(Make<Filter>),
    Hook(Make<MadeHook>),
    Server(Make<Server>),
}

pub(crate) fn made_hook(hook: impl Hook) -> MadeHook {
    Box::new(|title| match title {
        Some(title) => trace::hook(title, hook),
        None => BoxHook::new(hook),
    })
}

impl Factory {
    /// Returns a factory whose settings name no parts.
    pub(crate) fn new(make: Maker) -> Self {
        Self {
            make,
            names: Box::new(named::none),
            effective: effective::unknown,
        }
    }

    /// Sets the function that finds the parts.
    pub(crate) fn names(
        mut self,
        names: impl Fn(&Settings, &Settings, &Read<'_>) -> Result<Vec<Named>, Error>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.names = Box::new(names);
        self
    }

    /// Sets the function that finds the effective values.
    pub(crate) fn effective(mut self, effective: fn(&Settings) -> Effective) -> Self {
        self.effective = effective;
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.make {
            Maker::App(_) => Kind::App,
            Maker::Composite(_) => Kind::Composite,
            Maker::Filter(_) => Kind::Filter,
            Maker::Hook(_) => Kind::Hook,
            Maker::Server(_) => Kind::Server,
        }
    }

    /// Returns the parts that these settings name.
    pub(crate) fn named(
        &self,
        global: &Settings,
        local: &Settings,
        read: &Read<'_>,
    ) -> Result<Vec<Named>, Error> {
        guarded(|| (self.names)(global, local, read))
    }

    /// Returns the effective values for the settings of a section, as far as they are known.
    pub(crate) fn effective_for(&self, local: &Settings) -> Effective {
        (self.effective)(local)
    }
}

/// Makes a factory of a function that gets its settings as a struct.
pub(crate) fn typed<T, R, E>(
    make: impl Fn(&Settings, T) -> Result<R, E> + Send + Sync + 'static,
) -> Make<R>
where
    T: DeserializeOwned,
    E: Into<BoxError>,
{
    Box::new(move |global, local, _| make(global, from_settings(local)?).map_err(failed))
}

/// Returns the error of user code.
pub(crate) fn failed(error: impl Into<BoxError>) -> Error {
    Error::of_factory("the factory failed", error.into())
}

/// Runs user code. A panic becomes an error.
pub(crate) fn guarded<T>(make: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    guard::catch(make).unwrap_or_else(|panic| {
        let text = guard::message(panic.value()).unwrap_or("(no text)");
        let message = format!("the factory panicked: {text}");
        Err(Error::new(ErrorKind::Factory, message))
    })
}
