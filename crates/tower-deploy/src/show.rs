//! A plan, for people and for programs.

use std::fmt::{self, Write};

use serde_json::{Value as Json, json};

use crate::{
    Plan, Settings,
    plan::{Node, Part},
    registry::Kind,
};

/// The tree, from the outermost part to the innermost: what wraps an app is above it, and a composite's apps are below it by their keys. Values
/// of keys that are secrets by their name are not shown.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tree(f, &self.root, "", "", "")
    }
}

/// One line for each part that is built, in the order in which a request meets them.
fn tree(f: &mut impl Write, node: &Node, first: &str, rest: &str, label: &str) -> fmt::Result {
    match &node.what {
        Part::Object { parts, .. } => {
            writeln!(f, "{first}{label}{}", title(node))?;
            let stem = if parts.is_empty() { "    " } else { "│   " };
            for (key, value) in node.local.iter() {
                if !parts.iter().any(|part| part.key == key) {
                    writeln!(f, "{rest}{stem}{key} = {}", one_line(&value.shown(key)))?;
                }
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
        Part::Pipeline { filters, app } => {
            let mut first = first;
            let mut label = label;
            for filter in filters {
                tree(f, filter, first, rest, label)?;
                (first, label) = (rest, "");
            }
            tree(f, app, first, rest, label)
        }
        Part::FilterApp { filter, next } | Part::FilterWith { filter, next } => {
            tree(f, filter, first, rest, label)?;
            tree(f, next, rest, rest, "")
        }
    }
}

/// What it is, what makes it, and where it stands.
pub(crate) fn title(node: &Node) -> String {
    let Part::Object { name, factory, .. } = &node.what else {
        return String::new();
    };
    let kind = factory.kind();
    match &node.section {
        Some((section, place)) => {
            let file = place.file().file_name().unwrap_or_default();
            let file = file.to_string_lossy();
            format!("{kind} {name}  [{section}] {file}:{}", place.line())
        }
        None => format!("{kind} {name}"),
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', "⏎")
}

impl Plan {
    /// The plan as JSON. Every part is an object with `part`: `"app"`, `"composite"`, `"filter"`, `"hook"` and `"server"` have `factory` (its whole name),
    /// `global` and `local` (objects of strings, secrets masked), and what names others has `parts`, a list of `[label, part]`;
    /// `"pipeline"` has `filters` and `app`; `"filter-app"` and `"filter-with"` have `filter` and `next`. What stands in a file has `section`, `file` and `line`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json(&self.root)
    }

    /// The plan as a Mermaid flow chart: requests go along the arrows.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut chart = Chart {
            text: "flowchart TD\n".to_owned(),
            nodes: 0,
        };
        chart.node(&self.root, &[]);
        chart.text
    }
}

fn settings(settings: &Settings) -> Json {
    let members = settings
        .iter()
        .map(|(key, value)| (key.to_owned(), value.shown(key).into()));
    Json::Object(members.collect())
}

fn json(node: &Node) -> Json {
    let mut out = match &node.what {
        Part::Object {
            name,
            factory,
            parts,
        } => {
            let mut out = json!({
                "part": factory.kind().to_string(),
                "factory": name,
                "global": settings(&node.global),
                "local": settings(&node.local),
            });
            if factory.kind() == Kind::Composite || !parts.is_empty() {
                let parts = parts
                    .iter()
                    .map(|part| json!([part.label, json(&part.node)]));
                out["parts"] = parts.collect();
            }
            out
        }
        Part::Pipeline { filters, app } => json!({
            "part": "pipeline",
            "filters": filters.iter().map(json).collect::<Vec<_>>(),
            "app": json(app),
        }),
        Part::FilterApp { filter, next } => json!({
            "part": "filter-app",
            "filter": json(filter),
            "next": json(next),
        }),
        Part::FilterWith { filter, next } => json!({
            "part": "filter-with",
            "filter": json(filter),
            "next": json(next),
        }),
    };
    if let Some((section, place)) = &node.section {
        out["section"] = section.as_str().into();
        out["file"] = place.file().to_string_lossy().into();
        out["line"] = place.line().into();
    }
    out
}

struct Chart {
    text: String,
    nodes: usize,
}

/// The end of an arrow, and what is written on it.
type From = (usize, String);

impl Chart {
    /// Draws a part behind others, and gives what the next one is behind.
    fn node(&mut self, node: &Node, from: &[From]) -> Vec<From> {
        match &node.what {
            Part::Object { parts, .. } => {
                let number = self.nodes;
                self.nodes += 1;
                let label = title(node).replace('"', "#quot;");
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
            Part::Pipeline { filters, app } => {
                let mut from = from.to_vec();
                for filter in filters {
                    from = self.node(filter, &from);
                }
                self.node(app, &from)
            }
            Part::FilterApp { filter, next } | Part::FilterWith { filter, next } => {
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
