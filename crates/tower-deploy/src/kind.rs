//! The types of sections and parts, and the roles in which a section is asked for.

use std::fmt;

/// The type of a section, of a factory or of a part that is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    App,
    /// An app of apps, which its settings name.
    Composite,
    /// Filters and the app that they wrap.
    Pipeline,
    /// A filter and the app that it wraps.
    FilterApp,
    Filter,
    Hook,
    Server,
    /// A part with a filter around it. It is a key of a section, and no section itself.
    FilterWith,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::App,
        Self::Composite,
        Self::Pipeline,
        Self::FilterApp,
        Self::Filter,
        Self::Hook,
        Self::Server,
        Self::FilterWith,
    ];

    /// Returns the words that begin the names of such sections. Of sections with the same name,
    /// those with the first word hide those with the second.
    pub(crate) fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::App => &["app", "application"],
            Self::Composite => &["composite", "composit"],
            Self::Pipeline => &["pipeline"],
            Self::FilterApp => &["filter-app"],
            Self::Filter => &["filter"],
            Self::Hook => &["hook"],
            Self::Server => &["server"],
            Self::FilterWith => &[],
        }
    }

    /// Returns the type that a prefix stands for, and the number of the prefix among its own.
    pub(crate) fn of_prefix(prefix: &str) -> Option<(Self, usize)> {
        Self::ALL.into_iter().find_map(|kind| {
            let spelling = kind.prefixes().iter().position(|own| *own == prefix)?;
            Some((kind, spelling))
        })
    }

    /// Returns all prefixes.
    #[cfg(feature = "cli")]
    pub(crate) fn all_prefixes() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().flat_map(Self::prefixes).copied()
    }

    /// Returns the role in which a section of this type is asked for.
    pub(crate) fn role(self) -> Role {
        match self {
            Self::App | Self::Composite | Self::Pipeline | Self::FilterApp | Self::FilterWith => {
                Role::App
            }
            Self::Filter => Role::Filter,
            Self::Hook => Role::Hook,
            Self::Server => Role::Server,
        }
    }

    /// Returns the types of factories that `use = call:…` may name in a section of this type.
    /// There is none for a section whose factory has another type.
    pub(crate) fn called(self) -> &'static [Self] {
        match self {
            Self::App => &[Self::App],
            Self::Composite => &[Self::Composite],
            Self::Filter => &[Self::Filter],
            Self::Hook => &[Self::Hook],
            Self::Server => &[Self::Server],
            Self::Pipeline | Self::FilterApp | Self::FilterWith => &[],
        }
    }

    pub(crate) fn article(self) -> &'static str {
        match self {
            Self::App => "an app",
            Self::Composite => "a composite",
            Self::Pipeline => "a pipeline",
            Self::FilterApp => "a filter-app",
            Self::Filter => "a filter",
            Self::Hook => "a hook",
            Self::Server => "a server",
            Self::FilterWith => "a filter-with",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::App => "app",
            Self::Composite => "composite",
            Self::Pipeline => "pipeline",
            Self::FilterApp => "filter-app",
            Self::Filter => "filter",
            Self::Hook => "hook",
            Self::Server => "server",
            Self::FilterWith => "filter-with",
        })
    }
}

/// The role in which a section is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    App,
    Filter,
    Hook,
    Server,
}

impl Role {
    /// Returns the types of sections that have this role.
    pub(crate) fn sections(self) -> &'static [Kind] {
        match self {
            Self::App => &[Kind::App, Kind::Composite, Kind::Pipeline, Kind::FilterApp],
            Self::Filter => &[Kind::Filter],
            Self::Hook => &[Kind::Hook],
            Self::Server => &[Kind::Server],
        }
    }

    /// Returns the types of factories that have this role.
    pub(crate) fn factories(self) -> &'static [Kind] {
        match self {
            Self::App => &[Kind::App, Kind::Composite],
            Self::Filter => &[Kind::Filter],
            Self::Hook => &[Kind::Hook],
            Self::Server => &[Kind::Server],
        }
    }

    /// Returns the types of factories that `call:` finds for this role, those that have it first.
    pub(crate) fn called(self) -> &'static [Kind] {
        use Kind::{App, Composite, Filter, Hook, Server};
        match self {
            Self::App => &[App, Composite, Filter, Hook, Server],
            Self::Filter => &[Filter, App, Composite, Hook, Server],
            Self::Hook => &[Hook, App, Composite, Filter, Server],
            Self::Server => &[Server, App, Composite, Filter, Hook],
        }
    }

    /// Returns the prefixes of its sections.
    pub(crate) fn prefixes(self) -> impl Iterator<Item = &'static str> + Clone {
        let kinds = self.sections().iter();
        kinds.flat_map(|kind| kind.prefixes()).copied()
    }

    /// Returns the prefix that is written for most of its sections.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Filter => "filter",
            Self::Hook => "hook",
            Self::Server => "server",
        }
    }

    /// Returns the keys that name a factory of a section. Those of one group mean the same.
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

    pub(crate) fn article(self) -> &'static str {
        match self {
            Self::App => "an app",
            Self::Filter => "a filter",
            Self::Hook => "a hook",
            Self::Server => "a server",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix())
    }
}

/// The name of a section in its parts: `PREFIX:NAME`.
pub(crate) struct Title<'a> {
    pub(crate) prefix: Prefix<'a>,
    /// The name without the prefix and without white space around it.
    pub(crate) name: &'a str,
}

pub(crate) enum Prefix<'a> {
    None,
    Unknown(&'a str),
    /// A type, and the number of the prefix among those of the type.
    Known(Kind, usize),
}

impl<'a> Title<'a> {
    pub(crate) fn parse(title: &'a str) -> Self {
        match title.split_once(':') {
            None => Self {
                prefix: Prefix::None,
                name: title.trim(),
            },
            Some((prefix, name)) => Self {
                prefix: Kind::of_prefix(prefix)
                    .map_or(Prefix::Unknown(prefix), |(kind, number)| {
                        Prefix::Known(kind, number)
                    }),
                name: name.trim(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deploy_2_a_title_is_a_prefix_and_a_name() {
        let parsed = |title| {
            let Title { prefix, name } = Title::parse(title);
            match prefix {
                Prefix::None => format!("- {name}"),
                Prefix::Unknown(prefix) => format!("{prefix}? {name}"),
                Prefix::Known(kind, spelling) => format!("{kind} {spelling} {name}"),
            }
        };
        for (title, expected) in [
            ("app:main", "app 0 main"),
            ("application: main ", "app 1 main"),
            ("composite:a:b", "composite 0 a:b"),
            ("composit:a", "composite 1 a"),
            ("pipeline:", "pipeline 0 "),
            ("filter-app:a", "filter-app 0 a"),
            ("filter:a", "filter 0 a"),
            ("hook:a", "hook 0 a"),
            ("server:main", "server 0 main"),
            ("filter-with:a", "filter-with? a"),
            ("App:a", "App? a"),
            (" app:a", " app? a"),
            (":a", "? a"),
            (" main ", "- main"),
        ] {
            assert_eq!(parsed(title), expected, "{title}");
        }
    }

    #[test]
    fn deploy_2_the_sections_of_a_role_have_that_role() {
        for role in [Role::App, Role::Filter, Role::Hook, Role::Server] {
            for kind in role.sections() {
                assert_eq!(kind.role(), role);
            }
            assert_eq!(role.prefixes().next(), Some(role.prefix()));
        }
    }
}
