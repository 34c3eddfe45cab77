//! What is to be built, with everything resolved.

use std::sync::Arc;

use crate::{
    Error, Place, Registry, Settings, build,
    context::{Context, Reference, Resolver, What},
    registry::Factory,
    role::Role,
    slip,
};

/// What a name in a file leads to: every part with its factory and its settings, in the form in which it is built.
pub struct Plan {
    pub(crate) root: Node,
}

pub(crate) struct Node {
    pub(crate) what: Part,
    pub(crate) global: Settings,
    pub(crate) local: Settings,
    pub(crate) section: Option<(String, Place)>,
    /// Where it is named, if it is no section.
    pub(crate) named: Option<Place>,
}

/// A part that a setting names.
pub(crate) struct Child {
    /// The setting.
    pub(crate) key: String,
    /// What it is to who names it.
    pub(crate) label: String,
    pub(crate) node: Node,
}

pub(crate) enum Part {
    Object {
        name: String,
        factory: Arc<Factory>,
        /// What its settings name.
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

impl Plan {
    pub(crate) fn new(
        context: Context,
        role: Role,
        registry: &Registry,
        resolver: &mut Resolver<'_>,
    ) -> Result<Self, Error> {
        let root = node(context, role, registry, resolver)?;
        Ok(Self { root })
    }
}

fn node(
    context: Context,
    role: Role,
    registry: &Registry,
    resolver: &mut Resolver<'_>,
) -> Result<Node, Error> {
    // While its parts are looked at, it must not be named again.
    let within = context.section.as_ref();
    let within = within.map(|(name, place)| (place.file().to_owned(), name.clone()));
    let entered = within.is_some_and(|(file, name)| resolver.enter(&file, &name, role));
    let node = parts(context, role, registry, resolver);
    if entered {
        resolver.leave();
    }
    node
}

fn parts(
    context: Context,
    role: Role,
    registry: &Registry,
    resolver: &mut Resolver<'_>,
) -> Result<Node, Error> {
    let shared = context.global.clone();
    let (global, local) = (shared.borrow().clone(), context.local.borrow().clone());
    let (section, named) = (context.section, context.named);
    let place = |error: Error| match &section {
        Some((name, place)) => error.section(name).at(Some(place)),
        None => error.at(named.as_ref()),
    };
    let what = match context.what {
        What::Object(object) => {
            let factory = match object.factory {
                Reference::Found(factory) => factory,
                Reference::Call(function) => {
                    registry.function(&function, role.kinds()).map_err(place)?
                }
            };
            // It may be somebody else's.
            let all = || (factory.names)(&global, &local, resolver.reader());
            let all = build::guarded(all).map_err(place)?;
            let mut parts = Vec::new();
            for named in all {
                let context = resolver.name(named.role, &named.name, named.home, Some(&shared));
                let mut context = context.map_err(|error| match error.place() {
                    Some(_) => error,
                    None => {
                        let error = slip::of_name(error, &named.name, named.place.as_ref());
                        place(error.key(&named.key).at(named.place.as_ref()))
                    }
                })?;
                context.named = context.named.or(named.place);
                parts.push(Child {
                    key: named.key,
                    label: named.label,
                    node: node(context, named.role, registry, resolver)?,
                });
            }
            Part::Object {
                name: object.name,
                factory,
                parts,
            }
        }
        What::Pipeline { app, filters } => Part::Pipeline {
            app: Box::new(node(*app, Role::App, registry, resolver)?),
            filters: filters
                .into_iter()
                .map(|filter| node(filter, Role::Filter, registry, resolver))
                .collect::<Result<_, _>>()?,
        },
        What::FilterApp { filter, next } => Part::FilterApp {
            next: Box::new(node(*next, Role::App, registry, resolver)?),
            filter: Box::new(node(*filter, Role::Filter, registry, resolver)?),
        },
        What::FilterWith { filter, next } => Part::FilterWith {
            filter: Box::new(node(*filter, Role::Filter, registry, resolver)?),
            next: Box::new(node(*next, role, registry, resolver)?),
        },
    };
    Ok(Node {
        what,
        global,
        local,
        section,
        named,
    })
}
