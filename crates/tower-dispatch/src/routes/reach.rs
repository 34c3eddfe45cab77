//! The routes that requests can reach, by the verdicts on their patterns.

use std::sync::Arc;

use super::{Methods, Routes};
use crate::{
    Audit, Pattern, Unreachable,
    audit::{self, Verdict},
    table::Search,
};

impl<E> Routes<E> {
    /// Returns the routes that no request reaches. A route is reached if requests with one of its
    /// methods reach it.
    pub(crate) fn audit(&self) -> Audit {
        let mut verdicts: Vec<Option<Verdict>> = vec![None; self.infos.len()];
        let by_method = self.by_method.iter().map(|(_, search)| search);
        let mut searches: Vec<&Arc<Search>> = by_method.chain([&self.any_method]).collect();
        if self.named.rules.first_path_match_decides {
            searches = vec![&self.all];
        }
        for search in searches {
            let routes: Vec<usize> = (search.patterns().iter().map(|pattern| pattern.index()))
                .filter(|index| self.leader(*index) == *index)
                .collect();
            let pattern = |index: &usize| &self.infos[*index].pattern;
            let some: Vec<&Pattern> = routes.iter().map(pattern).collect();
            for (verdict, &index) in audit::audit(&some, self.named.rules)
                .into_iter()
                .zip(&routes)
            {
                let verdict = match verdict {
                    Verdict::Unreachable(by) => {
                        Verdict::Unreachable(by.into_iter().map(|index| routes[index]).collect())
                    }
                    other => other,
                };
                verdicts[index] = Some(match verdicts[index].take() {
                    Some(other) => other.or(verdict),
                    None => verdict,
                });
            }
        }

        let mut audit = Audit {
            routes: (self.endpoints.iter().zip(&self.infos))
                .map(|((methods, _), info)| format!("{methods} {}", info.pattern.as_str()))
                .collect(),
            ..Audit::default()
        };
        for route in 0..self.infos.len() {
            let leader = self.leader(route);
            let siblings = self.same.get(route).map_or(&[][..], Vec::as_slice);
            let before: Vec<usize> = siblings
                .iter()
                .copied()
                .filter(|other| *other < route)
                .collect();
            match &verdicts[leader] {
                Some(Verdict::Unreachable(covered_by)) => audit.unreachable.push(Unreachable {
                    route,
                    covered_by: covered_by.iter().copied().collect(),
                }),
                Some(Verdict::Reachable) if self.takes_nothing_after(route, &before) => {
                    audit.unreachable.push(Unreachable {
                        route,
                        covered_by: before,
                    });
                }
                Some(Verdict::Reachable) => {}
                Some(Verdict::Undecided) | None => audit.undecided.push(route),
            }
        }
        audit
    }

    /// Returns the first route with the same pattern.
    fn leader(&self, route: usize) -> usize {
        self.same
            .get(route)
            .and_then(|same| same.first().copied())
            .unwrap_or(route)
    }

    /// Returns whether routes with the same pattern leave no method to this one.
    fn takes_nothing_after(&self, route: usize, before: &[usize]) -> bool {
        let methods = |route: usize| &self.endpoints[route].0;
        match methods(route) {
            Methods::All => before.iter().any(|other| *methods(*other) == Methods::All),
            Methods::Some(own) => {
                let taken = |method| before.iter().any(|other| methods(*other).take(method));
                !before.is_empty() && own.iter().all(taken)
            }
        }
    }
}
