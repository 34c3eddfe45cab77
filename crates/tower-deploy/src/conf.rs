//! Settings with interpolated values.

use std::{fmt, ops::Range, sync::Arc};

use indexmap::IndexMap;
use tower_kit::secrets::{REDACTED, fields, is_secret};

use crate::{Place, ini::Setting};

/// The value of a setting, with its position.
///
/// [`Settings::value`] returns it. `Debug` shows only the position, because the text may be a
/// secret.
#[derive(Clone)]
pub struct Value {
    pub(crate) text: String,
    pub(crate) place: Option<Place>,
    pub(crate) key_place: Option<Place>,
    /// The lines of the value in its file, before names in it were filled in.
    pub(crate) lines: Arc<[Range<usize>]>,
    pub(crate) home: Origin,
    /// Whether it is a secret under any key.
    pub(crate) is_secret: bool,
}

/// The origin of a value, in which names in it are looked up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Origin {
    /// A file, by its number.
    File(usize),
    Program,
}

impl Value {
    pub(crate) fn given(text: String) -> Self {
        Self {
            text,
            place: None,
            key_place: None,
            lines: Arc::default(),
            home: Origin::Program,
            is_secret: false,
        }
    }

    pub(crate) fn written(text: String, setting: &Setting, file: usize) -> Self {
        Self {
            text,
            place: Some(setting.value_place.clone()),
            key_place: Some(setting.key_place.clone()),
            lines: setting.lines.clone(),
            home: Origin::File(file),
            is_secret: false,
        }
    }

    /// Returns the value.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the value as it may be shown under a key.
    pub(crate) fn shown(&self, key: &str) -> String {
        match self.is_secret || is_secret(key) {
            true => REDACTED.to_owned(),
            false => fields(&self.text).into_owned(),
        }
    }

    /// Returns the position of a line of the value. Names that were filled in may have more lines.
    pub(crate) fn line_place(&self, number: usize) -> Option<Place> {
        let place = self.place.as_ref()?;
        let line = self.lines.get(number);
        Some(line.map_or(place.clone(), |line| {
            Place::new(&place.source, line.clone())
        }))
    }

    /// Returns the position of a word of the value.
    pub(crate) fn word_place(&self, word: &str) -> Option<Place> {
        let place = self.place.as_ref()?;
        let mut lines = self
            .lines
            .iter()
            .map(|line| Place::new(&place.source, line.clone()));
        let found = lines.find_map(|line| line.find(word));
        Some(found.unwrap_or(place.clone()))
    }

    /// Returns the position in a file. A value of the program has none.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

/// The settings of a section, or global ones, in order and with their positions.
///
/// A factory that takes `Settings` instead of a struct gets all keys.
///
/// ```
/// use std::convert::Infallible;
///
/// use http::{Request, Response};
/// use tower::service_fn;
/// use tower_deploy::{App, Body, Registry, Settings};
///
/// let registry = Registry::new().app("list", |_global, local: Settings| {
///     let keys: Vec<&str> = local.iter().map(|(key, _)| key).collect();
///     let keys = keys.join("\n");
///     Ok::<_, Infallible>(App::new(service_fn(move |_: Request<Body>| {
///         let response = Response::new(Body::from(keys.clone()));
///         async { Ok::<_, Infallible>(response) }
///     })))
/// });
/// ```
#[derive(Clone, Default)]
pub struct Settings {
    pub(crate) map: IndexMap<String, Value>,
}

impl Settings {
    /// Returns the value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.map.get(key).map(Value::text)
    }

    /// Returns the value of a key with its position.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.map.get(key)
    }

    /// Returns all settings, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.map.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Returns the number of settings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Returns whether there are no settings.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub(crate) fn set(&mut self, key: String, value: Value) {
        self.map.insert(key, value);
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.shift_remove(key)
    }

    pub(crate) fn update(&mut self, other: &Self) {
        for (key, value) in &other.map {
            self.map.insert(key.clone(), value.clone());
        }
    }
}

/// Shows the position without the text, which may be a secret.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// Shows the settings. Secrets are masked.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.iter().map(|(key, value)| (key, value.shown(key)));
        f.debug_map().entries(entries).finish()
    }
}
