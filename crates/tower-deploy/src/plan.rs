//! A plan, as text, JSON and a chart.

use std::fmt::{self, Write};

use serde_json::{Value as Json, json};

use crate::{
    Settings,
    kind::Kind,
    tree::{Heading, Node, What},
};

/// The parts that a name in a file leads to, each with its factory and its settings, in the form in
/// which they are built.
///
/// `Display` is a tree, and [`to_json`](Self::to_json) and [`to_mermaid`](Self::to_mermaid) are for
/// programs and pictures. [`Loader::plan_app`](crate::Loader::plan_app) makes a plan.
///
/// ```
/// use tower_deploy::{Loader, Registry};
///
/// let file = "[app:main]\nuse = egg:tower#text\ntext = Hello\n";
/// let loader = Loader::new(Registry::standard()).files(move |_| Ok(file.into()));
/// let plan = loader.plan_app("config:/site.ini")?;
/// let tree = plan.to_string();
/// assert!(tree.starts_with("app egg:tower#text  [app:main]"), "{tree}");
/// assert!(tree.contains("    status = 200  (default)\n"), "{tree}");
/// assert_eq!(plan.to_json()["local"]["text"], "Hello");
/// # Ok::<_, tower_deploy::Error>(())
/// ```
pub struct Plan {
    pub(crate) root: Node,
    /// The server of the same file, if it is shown as well.
    pub(crate) server: Option<Node>,
}

/// Writes a tree from the outermost part to the innermost one. A filter is above the app that it
/// wraps, and the apps of a composite are below it, by their keys.
///
/// Built-in factories have all their settings, with their effective values. Those that the file
/// leaves out are marked as `(default)`. Secrets are not shown.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(server) = &self.server {
            tree(f, server, "", "", "")?;
        }
        tree(f, &self.root, "", "", "")
    }
}

/// Writes a line for each part that is built, in the order in which a request reaches them.
fn tree(f: &mut impl Write, node: &Node, first: &str, rest: &str, label: &str) -> fmt::Result {
    match &node.what {
        What::Object { parts, .. } => {
            writeln!(f, "{first}{label}{}", node.title())?;
            let stem = if parts.is_empty() { "    " } else { "│   " };
            for setting in node.settings() {
                let (key, text) = (&setting.key, one_line(&setting.text));
                let mark = if setting.is_default {
                    "  (default)"
                } else {
                    ""
                };
                writeln!(f, "{rest}{stem}{key} = {text}{mark}")?;
            }
            let last = parts.len().saturating_sub(1);
            for (number, part) in parts.iter().enumerate() {
                let (branch, stem) = if number == last {
                    ("└── ", "    ")
                } else {
                    ("├── ", "│   ")
                };
                let (branch, stem) = (format!("{rest}{branch}"), format!("{rest}{stem}"));
                let label = format!("{} → ", part.label);
                tree(f, &part.node, &branch, &stem, &label)?;
            }
            Ok(())
        }
        What::Pipeline { filters, app } => {
            let mut first = first;
            let mut label = label;
            for filter in filters {
                tree(f, filter, first, rest, label)?;
                (first, label) = (rest, "");
            }
            tree(f, app, first, rest, label)
        }
        What::FilterApp { filter, next } | What::FilterWith { filter, next } => {
            tree(f, filter, first, rest, label)?;
            tree(f, next, rest, rest, "")
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', "⏎")
}

impl Plan {
    /// Returns the plan as JSON. Every part is an object with `part`, its type.
    ///
    /// - `"app"`, `"composite"`, `"filter"`, `"hook"` and `"server"` have `factory` (its whole
    ///   name), `global` and `local` (objects of strings, secrets masked), and `effective`, which
    ///   is `local` with the values that are used, and with defaults as far as they are known. If
    ///   their settings name parts, they have `parts`, a list of `[label, part]`.
    /// - `"pipeline"` has `filters` and `app`.
    /// - `"filter-app"` and `"filter-with"` have `filter` and `next`.
    ///
    /// A part that stands in a file has `section`, `file` and `line`. The command adds `server` to
    /// the app.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut out = json(&self.root);
        if let Some(server) = &self.server {
            out["server"] = json(server);
        }
        out
    }

    /// Returns the plan as a Mermaid flow chart, in which requests go along the arrows.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut chart = Chart {
            text: "flowchart TD\n".to_owned(),
            nodes: 0,
        };
        let server = self.server.as_ref();
        let start = server.map(|server| chart.node(server, &[]));
        chart.node(&self.root, &start.unwrap_or_default());
        chart.text
    }
}

fn settings(settings: &Settings) -> Json {
    let members = settings
        .iter()
        .map(|(key, value)| (key.to_owned(), value.shown(key).into()));
    Json::Object(members.collect())
}

fn effective(node: &Node) -> Json {
    let settings = node.settings().into_iter();
    Json::Object(
        settings
            .map(|shown| (shown.key.into(), shown.text.into()))
            .collect(),
    )
}

fn json(node: &Node) -> Json {
    let mut out = match &node.what {
        What::Object {
            name,
            factory,
            parts,
        } => {
            let mut out = json!({
                "factory": name,
                "global": settings(&node.global),
                "local": settings(&node.local),
                "effective": effective(node),
            });
            if factory.kind() == Kind::Composite || !parts.is_empty() {
                let parts = parts
                    .iter()
                    .map(|part| json!([part.label, json(&part.node)]));
                out["parts"] = parts.collect();
            }
            out
        }
        What::Pipeline { filters, app } => json!({
            "filters": filters.iter().map(json).collect::<Vec<_>>(),
            "app": json(app),
        }),
        What::FilterApp { filter, next } | What::FilterWith { filter, next } => json!({
            "filter": json(filter),
            "next": json(next),
        }),
    };
    out["part"] = node.kind().to_string().into();
    if let Some(Heading { title, place }) = &node.location.section {
        out["section"] = title.as_str().into();
        out["file"] = place.file().to_string_lossy().into();
        out["line"] = place.line().into();
    }
    out
}

struct Chart {
    text: String,
    nodes: usize,
}

/// The beginning of an arrow, and its label.
type Start = (usize, String);

impl Chart {
    /// Draws a part after others. Returns where the arrows to the next part begin.
    fn node(&mut self, node: &Node, from: &[Start]) -> Vec<Start> {
        match &node.what {
            What::Object { parts, .. } => {
                let number = self.nodes;
                self.nodes += 1;
                let label = node.title().replace('"', "#quot;");
                let _ = writeln!(self.text, "    n{number}[\"{label}\"]");
                for (from, key) in from {
                    let label = match key.as_str() {
                        "" => String::new(),
                        key => format!("|\"{}\"|", key.replace('"', "#quot;")),
                    };
                    let _ = writeln!(self.text, "    n{from} -->{label} n{number}");
                }
                for part in parts {
                    self.node(&part.node, &[(number, part.label.clone())]);
                }
                vec![(number, String::new())]
            }
            What::Pipeline { filters, app } => {
                let mut from = from.to_vec();
                for filter in filters {
                    from = self.node(filter, &from);
                }
                self.node(app, &from)
            }
            What::FilterApp { filter, next } | What::FilterWith { filter, next } => {
                let from = self.node(filter, from);
                self.node(next, &from)
            }
        }
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
