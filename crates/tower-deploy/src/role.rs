//! What a section can be asked for as, and which sections and factories that fits.

use crate::registry::Kind;

/// What a section is asked for as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    App,
    Filter,
    Hook,
    Server,
}

impl Role {
    /// What a section's name begins with; of one group, the first that is there counts.
    pub(crate) fn prefixes(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::App => &[
                &["app", "application"],
                &["composite", "composit"],
                &["pipeline"],
                &["filter-app"],
            ],
            Self::Filter => &[&["filter"]],
            Self::Hook => &[&["hook"]],
            Self::Server => &[&["server"]],
        }
    }

    /// Returns the prefixes of sections' names.
    #[cfg(feature = "cli")]
    pub(crate) fn all_prefixes() -> impl Iterator<Item = &'static str> {
        let roles = [Self::App, Self::Filter, Self::Hook, Self::Server].into_iter();
        roles.flat_map(|role| {
            role.prefixes()
                .iter()
                .flat_map(|group| group.iter().copied())
        })
    }

    /// Returns the role of a section whose name has this prefix.
    pub(crate) fn of(prefix: &str) -> Option<Self> {
        let mut roles = [Self::App, Self::Filter, Self::Hook, Self::Server].into_iter();
        roles.find(|role| role.prefixes().iter().any(|group| group.contains(&prefix)))
    }

    pub(crate) fn kinds(self) -> &'static [Kind] {
        match self {
            Self::App => &[Kind::App, Kind::Composite],
            Self::Filter => &[Kind::Filter],
            Self::Hook => &[Kind::Hook],
            Self::Server => &[Kind::Server],
        }
    }

    /// The keys that name a factory outright.
    pub(crate) fn protocols(self) -> &'static [&'static [(&'static str, Kind)]] {
        match self {
            Self::App => &[
                &[("paste.app_factory", Kind::App)],
                &[("paste.composite_factory", Kind::Composite)],
                &[("paste.composit_factory", Kind::Composite)],
            ],
            Self::Filter => &[&[
                ("paste.filter_factory", Kind::Filter),
                ("paste.filter_app_factory", Kind::Filter),
            ]],
            // PasteDeploy has no hooks.
            Self::Hook => &[],
            Self::Server => &[&[
                ("paste.server_factory", Kind::Server),
                ("paste.server_runner", Kind::Server),
            ]],
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Filter => "filter",
            Self::Hook => "hook",
            Self::Server => "server",
        }
    }

    pub(crate) fn article(self) -> &'static str {
        match self {
            Self::App => "an app",
            Self::Filter => "a filter",
            Self::Hook => "a hook",
            Self::Server => "a server",
        }
    }
}
