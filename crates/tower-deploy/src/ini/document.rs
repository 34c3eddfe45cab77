//! The contents of an INI file.

use std::{fmt, ops::Range, sync::Arc};

use crate::{Place, place::Source};

/// The section whose settings are in all others.
pub(crate) const DEFAULT: &str = "DEFAULT";

/// An INI file, as Python's `configparser` reads it: sections of settings, values over several
/// lines, comments in lines of their own.
///
/// It prints as a file that parses to the same.
///
/// ```
/// use std::path::Path;
///
/// use tower_deploy::Document;
///
/// let text = "[DEFAULT]\nroot = /srv\n[app:main]\nuse = egg:tower#text\n".to_owned();
/// let document = Document::parse(Path::new("site.ini"), text)?;
/// assert_eq!(document.defaults().collect::<Vec<_>>(), [("root", "/srv")]);
/// let (name, settings) = document.sections().next().unwrap();
/// assert_eq!(name, "app:main");
/// assert_eq!(settings.collect::<Vec<_>>(), [("use", "egg:tower#text")]);
/// # Ok::<_, tower_deploy::Error>(())
/// ```
pub struct Document {
    pub(crate) source: Arc<Source>,
    pub(crate) defaults: Vec<Setting>,
    pub(crate) sections: Vec<Section>,
}

/// A section and its settings, in order.
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) settings: Vec<Setting>,
}

/// A setting, before interpolation.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) key_place: Place,
    pub(crate) value_place: Place,
    /// The lines of the value.
    pub(crate) lines: Arc<[Range<usize>]>,
}

impl Document {
    /// Returns the sections except DEFAULT, in order: their names, and their keys with values that
    /// are not interpolated.
    pub fn sections(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = (&str, &str)>)> {
        let sections = self.sections.iter();
        sections.map(|section| (section.name.as_str(), pairs(&section.settings)))
    }

    /// Returns the keys of DEFAULT and their values, which are not interpolated.
    pub fn defaults(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.defaults)
    }
}

fn pairs(settings: &[Setting]) -> impl Iterator<Item = (&str, &str)> {
    settings
        .iter()
        .map(|setting| (setting.key.as_str(), setting.value.as_str()))
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.defaults.is_empty() {
            section(f, DEFAULT, &self.defaults)?;
        }
        for own in &self.sections {
            section(f, &own.name, &own.settings)?;
        }
        Ok(())
    }
}

fn section(f: &mut fmt::Formatter<'_>, name: &str, settings: &[Setting]) -> fmt::Result {
    writeln!(f, "[{name}]")?;
    for (key, value) in pairs(settings) {
        let mut lines = value.split('\n');
        writeln!(f, "{key} = {}", lines.next().unwrap_or_default())?;
        for line in lines {
            writeln!(f, "    {line}")?;
        }
    }
    writeln!(f)
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("path", &self.source.path)
            .finish_non_exhaustive()
    }
}
