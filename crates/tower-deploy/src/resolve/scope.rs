//! The settings that a section inherits: `[DEFAULT]`, global values, `set` and `get`.
//!
//! PasteDeploy's parts share dictionaries of global values, and sections change them while they are
//! read. A section copies the values of the section that names it. A factory shares them, so it
//! also sees values that are set later, by sections that `use` this one. Here no value changes
//! later: a section knows the sections that [`Use`] it before it is read.

use crate::{Error, ErrorKind, Settings, Value, conf::Origin, suggest::did_you_mean};

use super::{file::File, limits::Limits};

/// The values of one section.
pub(super) struct Scope {
    /// Global values, of which a section that is named here gets a copy.
    pub(super) global: Settings,
    /// The section's own settings.
    pub(super) local: Settings,
    /// The global values that `set` has added.
    additions: Settings,
}

/// A section that uses another one, and the section that uses it in turn. Their settings are
/// stronger than those of the used section.
#[derive(Clone, Copy)]
pub(super) struct Use<'a> {
    pub(super) scope: &'a Scope,
    pub(super) outer: Option<&'a Self>,
}

impl Use<'_> {
    fn change_global(&self, global: &mut Settings) {
        global.update(&self.scope.additions);
        // The file is that of the section that is asked for, not of one that it uses.
        if let Some(file) = self.scope.global.value("__file__") {
            global.set("__file__".to_owned(), file.clone());
        }
        if let Some(outer) = self.outer {
            outer.change_global(global);
        }
    }

    fn change_local(&self, local: &mut Settings) {
        local.update(&self.scope.local);
        if let Some(outer) = self.outer {
            outer.change_local(local);
        }
    }
}

/// The values that a section, a file or a factory gets from the section that names it.
#[derive(Clone, Copy)]
pub(super) struct Outer<'a> {
    /// The global values. A section and a file copy them.
    pub(super) global: &'a Settings,
    /// The section that changes these values after that. A factory shares them.
    pub(super) changed_by: Option<&'a Use<'a>>,
    /// The section that uses the named part.
    pub(super) used_by: Option<&'a Use<'a>>,
}

impl<'a> Outer<'a> {
    /// The outer values of a part that no section uses.
    pub(super) fn of(global: &'a Settings) -> Self {
        Self {
            global,
            changed_by: None,
            used_by: None,
        }
    }

    /// Returns the global values of a factory.
    pub(super) fn shared(&self) -> Settings {
        changed(self.global, self.changed_by)
    }

    /// Returns the settings of a factory that is named without a section.
    pub(super) fn local(&self) -> Settings {
        overridden(&Settings::default(), self.used_by)
    }
}

fn changed(global: &Settings, by: Option<&Use<'_>>) -> Settings {
    let mut global = global.clone();
    if let Some(by) = by {
        by.change_global(&mut global);
    }
    global
}

fn overridden(local: &Settings, by: Option<&Use<'_>>) -> Settings {
    let mut local = local.clone();
    if let Some(by) = by {
        by.change_local(&mut local);
    }
    local
}

impl Scope {
    /// Reads a section. `number` is that of the file.
    pub(super) fn read(
        file: &File,
        number: usize,
        section: usize,
        outer: &Settings,
        limits: &mut Limits,
    ) -> Result<Self, Error> {
        let mut global = file.defaults(number)?.clone();
        global.update(outer);
        let view = file.view(section);
        let (mut local, mut additions) = (Settings::default(), Settings::default());
        let mut gets = Vec::new();
        let own = file.section(section).settings.iter();
        let from_defaults = file.document.defaults.iter();
        let from_defaults = from_defaults.filter(|setting| !view.has(&setting.key));
        let own = own.map(|setting| (setting, true));
        for (setting, is_own) in own.chain(from_defaults.map(|setting| (setting, false))) {
            let set = setting.key.strip_prefix("set ");
            let get = setting.key.strip_prefix("get ");
            if !is_own && set.is_none() && get.is_none() {
                continue;
            }
            let value = view.value(number, setting)?;
            let counted = limits.add_value(&value.text);
            counted.map_err(|error| error.key(&setting.key).at(Some(&setting.value_place)))?;
            if let Some(name) = set {
                additions.set(name.trim().to_owned(), value.clone());
                global.set(name.trim().to_owned(), value);
            } else if let Some(name) = get {
                gets.push((name.trim(), value));
            } else {
                // DIFFERENCE: PasteDeploy drops a key that DEFAULT has too.
                local.set(setting.key.clone(), value);
            }
        }
        limits.add_part(&global)?;
        for (name, wanted) in gets {
            local.set(name.to_owned(), gotten(name, &wanted, &global, number)?);
        }
        Ok(Self {
            global,
            local,
            additions,
        })
    }

    /// Returns the global values as a part of this section has them, with those of its users.
    pub(super) fn global(&self, users: Option<&Use<'_>>) -> Settings {
        changed(&self.global, users)
    }

    /// Returns the section's own settings, with those of its users.
    pub(super) fn local(&self, users: Option<&Use<'_>>) -> Settings {
        overridden(&self.local, users)
    }

    /// Returns the values for a part that this section names.
    pub(super) fn outer<'a>(&'a self, users: Option<&'a Use<'a>>) -> Outer<'a> {
        Outer {
            global: &self.global,
            changed_by: users,
            used_by: None,
        }
    }
}

/// Returns the global value that `get NAME = …` takes.
fn gotten(name: &str, wanted: &Value, global: &Settings, number: usize) -> Result<Value, Error> {
    let Some(value) = global.value(&wanted.text) else {
        let message = format!("there is no global value `{}`", wanted.text);
        let known = global.map.keys().map(String::as_str);
        let help = match did_you_mean(&wanted.text, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "put it into [DEFAULT], or `set` it".to_owned(),
        };
        let error = Error::new(ErrorKind::UnknownGlobal, message).help(help);
        return Err(error.key(&format!("get {name}")).at(wanted.place()));
    };
    Ok(Value {
        // A name in it is looked up in the file that takes it.
        home: Origin::File(number),
        place: value.place.clone().or_else(|| wanted.place.clone()),
        ..value.clone()
    })
}
