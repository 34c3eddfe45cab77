//! The parts that a section's settings name, which its factory gets.

use crate::{Error, Place, Settings, Value, conf::Origin, ini::Read, kind::Role};

/// The name of a part.
pub(crate) struct Named {
    pub(crate) role: Role,
    /// The setting that names it.
    pub(crate) key: String,
    /// The key of the part for the factory.
    pub(crate) label: String,
    /// A section's name, or a URI.
    pub(crate) name: String,
    pub(crate) home: Origin,
    pub(crate) place: Option<Place>,
}

impl Named {
    /// Returns the name that is the whole value of a setting.
    pub(crate) fn whole(role: Role, key: &str, value: &Value) -> Self {
        Self {
            role,
            key: key.to_owned(),
            label: key.to_owned(),
            name: value.text().to_owned(),
            home: value.home,
            place: value.place().cloned(),
        }
    }

    /// Returns the name that is a word of a setting's value.
    pub(crate) fn word(role: Role, key: &str, label: &str, name: &str, value: &Value) -> Self {
        Self {
            label: label.to_owned(),
            name: name.to_owned(),
            place: value.word_place(name),
            ..Self::whole(role, key, value)
        }
    }
}

/// Finds no names, for a factory whose settings have none.
pub(crate) fn none(_: &Settings, _: &Settings, _: &Read<'_>) -> Result<Vec<Named>, Error> {
    Ok(Vec::new())
}

/// Finds an app in each setting for which `is_app` is true.
pub(crate) fn whole_values(
    is_app: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> impl Fn(&Settings, &Settings, &Read<'_>) -> Result<Vec<Named>, Error> + Send + Sync + 'static {
    move |_, local, _| {
        let named = local.iter().filter(|(key, _)| is_app(key));
        Ok(named
            .map(|(key, value)| Named::whole(Role::App, key, value))
            .collect())
    }
}
