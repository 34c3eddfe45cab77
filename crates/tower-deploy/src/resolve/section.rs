//! The part that a section makes: a pipeline, a filter around an app, the part that it uses, or one
//! of its own factory.

use super::{
    names::{Resolver, Wanted},
    scope::{Outer, Scope, Use},
};
use crate::{
    Error, ErrorKind, Settings, Value,
    kind::{Kind, Role},
    slip,
    suggest::{misspelt, misspelt_in_any},
    tree::{Heading, Location, Node, What},
};

/// A section that is read, by the numbers of its file and of itself.
struct Here {
    file: usize,
    kind: Kind,
    role: Role,
    heading: Heading,
}

impl Resolver<'_> {
    /// Reads the section of a name.
    pub(super) fn section(
        &mut self,
        file: usize,
        role: Role,
        name: &str,
        outer: Outer<'_>,
    ) -> Result<Node, Error> {
        let (number, kind) = self.files[file].find(role, name)?;
        let section = self.files[file].section(number);
        let heading = Heading {
            title: section.name.clone(),
            place: section.place.clone(),
        };
        let path = heading.place.file().to_owned();
        self.limits
            .enter((path.clone(), heading.title.clone(), role))?;
        self.named.insert((path, heading.title.clone()));
        let here = Here {
            file,
            kind,
            role,
            heading,
        };
        let node = self.read(&here, number, outer);
        self.limits.leave();
        let heading = here.heading;
        let mut node =
            node.map_err(|error| error.section(&heading.title).at(Some(&heading.place)))?;
        node.location.section = Some(heading);
        Ok(node)
    }

    fn read(&mut self, here: &Here, number: usize, outer: Outer<'_>) -> Result<Node, Error> {
        let file = &self.files[here.file];
        let limits = &mut self.limits;
        let mut scope = Scope::read(file, here.file, number, outer.global, limits)?;
        let filter_with = match here.role {
            Role::App | Role::Filter => scope.local.take("filter-with"),
            Role::Hook | Role::Server => None,
        };
        if let Some(required) = scope.local.take("require") {
            for name in required.text.split_whitespace() {
                let found = self.registry.distribution(name);
                found.map_err(|error| error.key("require").at(required.place()))?;
            }
        }
        let users = outer.used_by;
        // Users of a part with a filter around it change that, and not the part.
        let users_inside = users.filter(|_| filter_with.is_none());
        let node = match here.kind {
            Kind::Pipeline => self.pipeline(here, &mut scope, users, users_inside)?,
            Kind::FilterApp => self.filter_app(here, &mut scope, users)?,
            _ => self.made(here, here.role, &mut scope, users, users_inside)?,
        };
        let Some(filter_with) = filter_with else {
            return Ok(node);
        };
        let name = &filter_with.text;
        let outer = scope.outer(users);
        let filter = self.reference(Role::Filter, &filter_with, name, "filter-with", outer)?;
        Ok(Node {
            what: What::FilterWith {
                filter: Box::new(filter),
                next: Box::new(node),
            },
            global: scope.global(users),
            local: scope.local(users),
            location: Location::default(),
        })
    }

    fn filter_app(
        &mut self,
        here: &Here,
        scope: &mut Scope,
        users: Option<&Use<'_>>,
    ) -> Result<Node, Error> {
        let Some(next) = scope.local.take("next") else {
            let error = Error::new(ErrorKind::NoNext, "the app that it wraps is missing");
            let help = "add `next = NAME`, the name of an app";
            return Err(missing(error, &["next"], &scope.local, help));
        };
        let next = self.reference(Role::App, &next, &next.text, "next", scope.outer(users))?;
        let filter = self.made(here, Role::Filter, scope, users, None)?;
        Ok(Node {
            what: What::FilterApp {
                filter: Box::new(filter),
                next: Box::new(next),
            },
            global: scope.global(users),
            local: scope.local(users),
            location: Location::default(),
        })
    }

    fn pipeline(
        &mut self,
        here: &Here,
        scope: &mut Scope,
        users: Option<&Use<'_>>,
        users_inside: Option<&Use<'_>>,
    ) -> Result<Node, Error> {
        let Some(names) = scope.local.take("pipeline") else {
            let error = Error::new(ErrorKind::NoPipeline, "its filters and its app are missing");
            let help = "add `pipeline = FILTER … APP`";
            return Err(missing(error, &["pipeline"], &scope.local, help));
        };
        let defaults = self.files[here.file].defaults(here.file)?;
        let mut extra = scope.local.iter();
        if let Some((key, value)) = extra.find(|(key, _)| defaults.value(key).is_none()) {
            let error = Error::new(ErrorKind::PipelineSettings, "a pipeline has no settings");
            let help = misspelt_in_any(key).unwrap_or_else(|| {
                "only `pipeline`, `filter-with`, `set` and `get`; did you mean it for one of its \
                 parts?"
                    .to_owned()
            });
            return Err(error.key(key).at(value.key_place.as_ref()).help(help));
        }
        let mut parts: Vec<&str> = names.text.split_whitespace().collect();
        let Some(app) = parts.pop() else {
            let error = Error::new(ErrorKind::EmptyPipeline, "it is empty");
            return Err(error
                .key("pipeline")
                .at(names.place())
                .help("name the filters from the outermost to the innermost, and then the app"));
        };
        let outer = scope.outer(users);
        let app = self.reference(Role::App, &names, app, "pipeline", outer)?;
        let filters = parts
            .into_iter()
            .map(|name| self.reference(Role::Filter, &names, name, "pipeline", outer));
        Ok(Node {
            what: What::Pipeline {
                filters: filters.collect::<Result<_, _>>()?,
                app: Box::new(app),
            },
            global: scope.global(users),
            local: Outer {
                used_by: users_inside,
                ..outer
            }
            .local(),
            location: Location::default(),
        })
    }

    /// Makes the part that a section uses, or the one of its own factory. `users` are those of the
    /// section, and `users_inside` those of the part.
    fn made(
        &mut self,
        here: &Here,
        role: Role,
        scope: &mut Scope,
        users: Option<&Use<'_>>,
        users_inside: Option<&Use<'_>>,
    ) -> Result<Node, Error> {
        let mut node = match scope.local.take("use") {
            Some(used) => {
                let own = Use {
                    scope,
                    outer: users_inside,
                };
                let outer = Outer {
                    used_by: Some(&own),
                    ..scope.outer(users)
                };
                let wanted = Wanted {
                    role,
                    called: here.kind.called(),
                };
                self.reference_to(wanted, &used, &used.text, "use", outer)?
            }
            None => self.explicit(role, scope, users)?,
        };
        node.location.section = Some(here.heading.clone());
        Ok(node)
    }

    /// Makes a part with the factory that a section names in a key of its own.
    fn explicit(
        &mut self,
        role: Role,
        scope: &mut Scope,
        users: Option<&Use<'_>>,
    ) -> Result<Node, Error> {
        let found = role.protocols().iter().filter_map(|group| {
            group.iter().find_map(|(key, kind)| {
                let value = scope.local.value(key)?;
                Some((*key, *kind, value.clone()))
            })
        });
        let mut found = found.collect::<Vec<_>>().into_iter();
        let (key, kind, value) = match (found.next(), found.next()) {
            (Some(one), None) => one,
            (Some(_), Some((key, _, value))) => {
                let message = "it names two factories";
                let error = Error::new(ErrorKind::SeveralFactories, message).key(key);
                let error = error.at(value.key_place.as_ref());
                return Err(error.help("take one of them out"));
            }
            (None, _) => {
                let message = format!("it names no factory of the {role}");
                let error = Error::new(ErrorKind::NoFactory, message);
                let protocols = role.protocols().iter().copied().flatten();
                let known: Vec<_> = ["use"]
                    .into_iter()
                    .chain(protocols.map(|(key, _)| *key))
                    .collect();
                let help = "add `use = …`: egg:NAME#ENTRY, call:MODULE:FUNCTION, \
                            config:FILE#NAME or another section";
                return Err(missing(error, &known, &scope.local, help));
            }
        };
        scope.local.take(key);
        let factory = self.registry.function(&value.text, &[kind]);
        let factory = factory.map_err(|error| {
            let error = slip::of_value(error, key, &value.text, &value);
            error.key(key).at(value.place())
        })?;
        Ok(Node {
            what: What::Object {
                name: format!("{key} = {}", value.text),
                factory,
                parts: Vec::new(),
            },
            global: scope.global(users),
            local: scope.local(users),
            location: Location::default(),
        })
    }

    /// Resolves a name in a value.
    fn reference(
        &mut self,
        role: Role,
        value: &Value,
        name: &str,
        key: &str,
        outer: Outer<'_>,
    ) -> Result<Node, Error> {
        self.reference_to(Wanted::new(role), value, name, key, outer)
    }

    fn reference_to(
        &mut self,
        wanted: Wanted,
        value: &Value,
        name: &str,
        key: &str,
        outer: Outer<'_>,
    ) -> Result<Node, Error> {
        let found = self.name(wanted, name, value.home, outer);
        // An error without a position is at the name. Others are in the part of that name.
        let mut found = found.map_err(|error| match error.place() {
            Some(_) => error,
            None => {
                let error = slip::of_value(error, key, name, value);
                error.key(key).at(value.place())
            }
        })?;
        let named = &mut found.location.named;
        *named = named.take().or_else(|| value.word_place(name));
        Ok(found)
    }
}

/// Returns the error for a section without one of these keys, at a key that looks like one.
fn missing(error: Error, known: &[&str], local: &Settings, help: &str) -> Error {
    let misspelt = local
        .iter()
        .find_map(|(key, value)| Some((key, value, misspelt(key, known)?)));
    match misspelt {
        Some((key, value, help)) => error.key(key).at(value.key_place.as_ref()).help(help),
        None => error.help(help),
    }
}
