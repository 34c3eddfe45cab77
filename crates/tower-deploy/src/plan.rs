//! What is to be built, with everything resolved.

use std::sync::Arc;

use crate::{
    Error, Place, Registry, Settings, build,
    context::{Context, Reference, Resolver, What},
    registry::Factory,
    role::Role,
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
}

pub(crate) enum Part {
    Object {
        name: String,
        factory: Arc<Factory>,
        /// Of a composite, by key.
        apps: Vec<(String, Node)>,
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
    let section = context.section;
    let place = |error: Error| match &section {
        Some((name, place)) => error.section(name).at(Some(place)),
        None => error,
    };
    let what = match context.what {
        What::Object(object) => {
            let factory = match object.factory {
                Reference::Found(factory) => factory,
                Reference::Call(function) => {
                    registry.function(&function, role.kinds()).map_err(place)?
                }
            };
            let apps = match &*factory {
                Factory::Composite { is_app, .. } => {
                    let mut named = Vec::new();
                    for (key, value) in &local.map {
                        // It is somebody else's.
                        if build::guarded(|| Ok(is_app(key))).map_err(place)? {
                            named.push((key, value));
                        }
                    }
                    let mut apps = Vec::new();
                    for (key, value) in named {
                        let context =
                            resolver.name(Role::App, &value.text, value.home, Some(&shared));
                        let context = context.map_err(|error| match error.place() {
                            Some(_) => error,
                            None => place(error.key(key).at(value.place())),
                        })?;
                        apps.push((key.clone(), node(context, Role::App, registry, resolver)?));
                    }
                    apps
                }
                _ => Vec::new(),
            };
            Part::Object {
                name: object.name,
                factory,
                apps,
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
    })
}
