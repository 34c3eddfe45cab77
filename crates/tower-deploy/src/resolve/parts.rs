//! The parts that the settings of factories name.

use super::{
    names::{Resolver, Wanted},
    scope::Outer,
};
use crate::{
    Error, Settings,
    kind::Role,
    named::Named,
    registry::of_another_type,
    slip,
    tree::{Child, Location, Node, What},
};

impl Resolver<'_> {
    /// Adds the parts that are named by the settings of a tree's factories. Errors in them come
    /// after all others, as in PasteDeploy.
    pub(super) fn complete(&mut self, node: &mut Node, role: Role) -> Result<(), Error> {
        // A section must not lead back to itself by its parts either.
        let here = node.location.section.as_ref().map(|heading| {
            let file = heading.place.file().to_owned();
            (file, heading.title.clone(), role)
        });
        let is_entered = here.is_some_and(|here| self.limits.enter_again(here));
        let completed = self.complete_inside(node, role);
        if is_entered {
            self.limits.leave();
        }
        completed
    }

    fn complete_inside(&mut self, node: &mut Node, role: Role) -> Result<(), Error> {
        match &mut node.what {
            What::Object {
                name,
                factory,
                parts,
            } => {
                // The type of a part with `call:` does not matter before, as in PasteDeploy.
                if !role.factories().contains(&factory.kind()) {
                    let function = name.strip_prefix("call:").unwrap_or(name);
                    let error = of_another_type(function, factory.kind(), role.factories());
                    return Err(node.location.of(error));
                }
                let named = factory.named(&node.global, &node.local, self.read);
                for named in named.map_err(|error| node.location.of(error))? {
                    parts.push(self.child(named, &node.global, &node.location)?);
                }
                Ok(())
            }
            What::Pipeline { filters, app } => {
                self.complete(app, Role::App)?;
                let mut filters = filters.iter_mut();
                filters.try_for_each(|filter| self.complete(filter, Role::Filter))
            }
            What::FilterApp { filter, next } => {
                self.complete(next, Role::App)?;
                self.complete(filter, Role::Filter)
            }
            What::FilterWith { filter, next } => {
                self.complete(filter, Role::Filter)?;
                self.complete(next, role)
            }
        }
    }

    fn child(
        &mut self,
        named: Named,
        global: &Settings,
        location: &Location,
    ) -> Result<Child, Error> {
        let wanted = Wanted::new(named.role);
        let node = self.name(wanted, &named.name, named.home, Outer::of(global));
        let mut node = node.map_err(|error| match error.place() {
            Some(_) => error,
            None => {
                let error = slip::of_name(error, &named.name, named.place.as_ref());
                location.of(error.key(&named.key).at(named.place.as_ref()))
            }
        })?;
        node.location.named = node.location.named.take().or(named.place);
        self.complete(&mut node, named.role)?;
        Ok(Child {
            key: named.key,
            label: named.label,
            node,
        })
    }
}
