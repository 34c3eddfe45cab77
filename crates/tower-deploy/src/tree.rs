//! The tree of parts that a file leads to, each with its factory and its settings.

use std::{borrow::Cow, sync::Arc};

use crate::{Error, Place, Settings, Value, factory::Factory, kind::Kind};

/// A part, in the form in which it is built.
pub(crate) struct Node {
    pub(crate) what: What,
    pub(crate) global: Settings,
    pub(crate) local: Settings,
    pub(crate) location: Location,
}

pub(crate) enum What {
    Object {
        /// The name in the file.
        name: String,
        factory: Arc<Factory>,
        /// The parts that its settings name.
        parts: Vec<Child>,
    },
    Pipeline {
        filters: Vec<Node>,
        app: Box<Node>,
    },
    FilterApp {
        filter: Box<Node>,
        next: Box<Node>,
    },
    FilterWith {
        filter: Box<Node>,
        next: Box<Node>,
    },
}

/// A part that a setting names.
pub(crate) struct Child {
    /// The setting.
    pub(crate) key: String,
    /// The key of the part for the factory that names it.
    pub(crate) label: String,
    pub(crate) node: Node,
}

/// The position of a part in a file.
#[derive(Clone, Default)]
pub(crate) struct Location {
    /// The section that asks for it.
    pub(crate) section: Option<Heading>,
    /// The position of its name, which matters if there is no section.
    pub(crate) named: Option<Place>,
}

/// The heading of a section.
#[derive(Clone)]
pub(crate) struct Heading {
    pub(crate) title: String,
    pub(crate) place: Place,
}

impl Node {
    pub(crate) fn kind(&self) -> Kind {
        match &self.what {
            What::Object { factory, .. } => factory.kind(),
            What::Pipeline { .. } => Kind::Pipeline,
            What::FilterApp { .. } => Kind::FilterApp,
            What::FilterWith { .. } => Kind::FilterWith,
        }
    }

    /// Returns the settings of a part as they are shown: those of the section, with their effective
    /// values, and then the defaults.
    pub(crate) fn settings(&self) -> Vec<Shown<'_>> {
        let What::Object { factory, parts, .. } = &self.what else {
            return Vec::new();
        };
        let names_part = |key: &str| parts.iter().any(|part| part.key == key);
        let mut effective = factory.effective_for(&self.local);
        let written = self.local.iter().map(|(key, value)| {
            let text = effective.shift_remove(key);
            let text = text.unwrap_or_else(|| value.text.clone());
            let value = Value {
                text,
                ..value.clone()
            };
            Shown {
                key: key.into(),
                text: value.shown(key),
                is_default: false,
            }
        });
        let mut all: Vec<_> = written.collect();
        all.extend(effective.into_iter().map(|(key, text)| Shown {
            // A default is no secret.
            text,
            key: key.into(),
            is_default: true,
        }));
        all.retain(|shown| !names_part(&shown.key));
        all
    }

    /// Returns the factory of a part and its position. Pipelines and the like are made of other
    /// parts and have no title.
    pub(crate) fn title(&self) -> String {
        let What::Object { name, factory, .. } = &self.what else {
            return String::new();
        };
        let kind = factory.kind();
        match &self.location.section {
            Some(Heading { title, place }) => {
                let file = place.file().file_name().unwrap_or_default();
                let file = file.to_string_lossy();
                format!("{kind} {name}  [{title}] {file}:{}", place.line())
            }
            None => format!("{kind} {name}"),
        }
    }
}

/// A setting with its effective value, in which secrets are masked.
pub(crate) struct Shown<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) text: String,
    pub(crate) is_default: bool,
}

impl Location {
    /// Adds the location to an error that has none.
    pub(crate) fn of(&self, error: Error) -> Error {
        match &self.section {
            Some(Heading { title, place }) => error.section(title).at(Some(place)),
            None => error.at(self.named.as_ref()),
        }
    }
}
