//! Warnings: likely mistakes in a file that has no error.

use std::sync::{Mutex, PoisonError};

use indexmap::IndexMap;

use crate::{Error, Place, ini::Section};
#[cfg(feature = "cli")]
use crate::{
    ErrorKind,
    ini::DEFAULT,
    kind::{Kind, Prefix, Role, Title},
    suggest::did_you_mean,
};

/// The warnings of a file that was planned and built.
#[derive(Default)]
pub(crate) struct Warnings {
    found: Mutex<Vec<Error>>,
    /// The sections of the file that nothing has named so far.
    unnamed: Mutex<Option<IndexMap<String, Place>>>,
}

impl Warnings {
    pub(crate) fn add(&self, found: Vec<Error>) {
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(found);
    }

    /// Notes the sections that one plan has named, which come with `true`. Sections are unnamed if
    /// no plan of the file names them.
    pub(crate) fn planned<'a>(&self, sections: impl Iterator<Item = (&'a Section, bool)> + Clone) {
        let mut unnamed = self.unnamed.lock().unwrap_or_else(PoisonError::into_inner);
        let unnamed = unnamed.get_or_insert_with(|| {
            let all = sections.clone();
            let all = all.map(|(section, _)| (section.name.clone(), section.place.clone()));
            all.collect()
        });
        for (Section { name, .. }, _) in sections.filter(|(_, is_named)| *is_named) {
            unnamed.shift_remove(name);
        }
    }

    /// Returns all of them, each once, even if a section was built several times.
    #[cfg(feature = "cli")]
    pub(crate) fn take(&self) -> Vec<Error> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unnamed = self.unnamed.lock().unwrap_or_else(PoisonError::into_inner);
        let unnamed = unnamed.take().unwrap_or_default().into_iter();
        let unnamed = unnamed.filter_map(|(name, place)| of_unnamed(&name, &place));
        let all = found.drain(..).chain(unnamed);
        let all: IndexMap<_, _> = all.map(|error| (error.to_string(), error)).collect();
        all.into_values().collect()
    }
}

/// Returns a warning for a section that nothing names. A file may also hold sections of other
/// programs.
#[cfg(feature = "cli")]
fn of_unnamed(title: &str, place: &Place) -> Option<Error> {
    let Title { prefix, name } = Title::parse(title);
    let help = match prefix {
        Prefix::None => format!("did you mean [{}]?", did_you_mean(title, [DEFAULT])?),
        Prefix::Unknown(prefix) => {
            let meant = did_you_mean(prefix, Kind::all_prefixes())?;
            format!("did you mean [{meant}:{name}]?")
        }
        // It is loaded by itself.
        Prefix::Known(..) if name == "main" => return None,
        Prefix::Known(kind, _) => match kind.role() {
            Role::App => format!("name it, or take it out; it is loaded by itself as FILE#{name}"),
            Role::Server => "only [server:main] serves; take it out".to_owned(),
            Role::Filter | Role::Hook => "name it, or take it out".to_owned(),
        },
    };
    let error = Error::new(ErrorKind::Settings, "nothing names this section");
    Some(error.at(Some(place)).help(help))
}
