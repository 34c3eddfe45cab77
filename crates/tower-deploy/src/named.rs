//! What a section's settings name: the parts that its factory gets.

use crate::{Error, Place, Settings, Value, conf::Origin, ini::Read, kind::Role};

/// One part, by its name.
pub(crate) struct Named {
    pub(crate) role: Role,
    /// The setting that names it.
    pub(crate) key: String,
    /// What it is to the factory that names it.
    pub(crate) label: String,
    /// A section's name, or a URI.
    pub(crate) name: String,
    pub(crate) home: Origin,
    pub(crate) place: Option<Place>,
}

impl Named {
    /// A setting's whole value is the name.
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

    /// A word of a setting's value is the name.
    pub(crate) fn word(role: Role, key: &str, label: &str, name: &str, value: &Value) -> Self {
        Self {
            label: label.to_owned(),
            name: name.to_owned(),
            place: value.word_place(name),
            ..Self::whole(role, key, value)
        }
    }
}

/// For a factory whose settings name nothing.
pub(crate) fn none(_: &Settings, _: &Settings, _: &Read<'_>) -> Result<Vec<Named>, Error> {
    Ok(Vec::new())
}

/// Each setting for which `is_app` is true names an app.
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
