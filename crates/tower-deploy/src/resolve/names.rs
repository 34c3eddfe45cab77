//! Names, which stand for a section of a file or for a URI. A URI leads to a file or a factory.

use std::{
    collections::{HashMap, HashSet},
    path::{Component, Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use percent_encoding::percent_decode_str;

use super::{file::File, limits::Limits, scope::Outer};
use crate::{
    Error, ErrorKind, Place, Registry, Settings,
    conf::Origin,
    factory::Factory,
    ini::{Document, Read, Section, text},
    kind::{Kind, Role},
    tree::{Location, Node, What},
};

/// Resolves names with the files and the factories of one plan.
pub(crate) struct Resolver<'a> {
    pub(super) registry: &'a Registry,
    pub(super) read: &'a Read<'a>,
    pub(super) files: Vec<File>,
    documents: HashMap<PathBuf, Rc<Document>>,
    /// The sections that were named, with their files.
    pub(super) named: HashSet<(PathBuf, String)>,
    pub(super) limits: Limits,
}

/// The role and the types in which a name is asked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) role: Role,
    /// The types of a factory that `call:` may name.
    pub(super) called: &'static [Kind],
}

impl Wanted {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            called: role.called(),
        }
    }
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(registry: &'a Registry, read: &'a Read<'a>) -> Self {
        Self {
            registry,
            read,
            files: Vec::new(),
            documents: HashMap::new(),
            named: HashSet::new(),
            limits: Limits::default(),
        }
    }

    /// Returns the tree of parts that a URI leads to. `name` replaces the one in the URI.
    pub(crate) fn resolve(
        &mut self,
        role: Role,
        uri: &str,
        name: Option<&str>,
        directory: Option<&Path>,
        global: &Settings,
    ) -> Result<Node, Error> {
        let outer = Outer::of(global);
        let node = self.uri(Wanted::new(role), uri, name, directory, outer);
        let mut node = node.map_err(|error| error.asked_from_outside(self.start().as_ref()))?;
        self.complete(&mut node, role)?;
        Ok(node)
    }

    /// Returns the beginning of the first file, for an error about a name that no file has.
    fn start(&self) -> Option<Place> {
        let file = self.files.first()?;
        Some(Place::new(&file.document.source, 0..0))
    }

    /// Returns the sections of the first file, with whether they were named.
    pub(crate) fn sections(&self) -> impl Iterator<Item = (&Section, bool)> + Clone {
        let document = self.files.first().map(|file| &file.document);
        let all = document.map(|document| {
            let sections = document.sections.iter();
            sections.map(|section| {
                let file = document.source.path.to_path_buf();
                let is_named = self.named.contains(&(file, section.name.clone()));
                (section, is_named)
            })
        });
        all.into_iter().flatten()
    }

    /// Resolves a name in a file.
    pub(super) fn name(
        &mut self,
        wanted: Wanted,
        name: &str,
        home: Origin,
        outer: Outer<'_>,
    ) -> Result<Node, Error> {
        match home {
            Origin::File(file) if !is_uri(name) => self.section(file, wanted.role, name, outer),
            Origin::File(file) => {
                let directory = self.files[file].directory.clone();
                self.uri(wanted, name, None, Some(&directory), outer)
            }
            Origin::Program => self.uri(wanted, name, None, None, outer),
        }
    }

    fn uri(
        &mut self,
        wanted: Wanted,
        uri: &str,
        name: Option<&str>,
        directory: Option<&Path>,
        outer: Outer<'_>,
    ) -> Result<Node, Error> {
        self.limits.hop()?;
        let found = self.hop(wanted, uri, name, directory, outer);
        self.limits.end_hop();
        found
    }

    fn hop(
        &mut self,
        wanted: Wanted,
        uri: &str,
        name: Option<&str>,
        directory: Option<&Path>,
        outer: Outer<'_>,
    ) -> Result<Node, Error> {
        let (uri, fragment) = match uri.split_once('#') {
            Some((uri, fragment)) => (uri, Some(fragment)),
            None => (uri, None),
        };
        let name = name.or(fragment).unwrap_or("main");
        let Some((scheme, path)) = uri.split_once(':') else {
            let message = format!("`{uri}` has no scheme");
            let error = Error::new(ErrorKind::UriWithoutScheme, message);
            return Err(
                error.help("write config:FILE#NAME, egg:NAME#ENTRY or call:MODULE:FUNCTION")
            );
        };
        match scheme.to_ascii_lowercase().as_str() {
            "config" => {
                let file = self.file(path, directory, outer.global)?;
                // A name may be a URI itself.
                self.name(wanted, name, Origin::File(file), outer)
            }
            "egg" if is_uri(name) => self.uri(wanted, name, None, None, outer),
            "egg" => {
                let factories = wanted.role.factories();
                let factory = self.registry.entry_point(path, name, factories)?;
                self.object(format!("egg:{path}#{name}"), factory, outer)
            }
            "call" if wanted.called.is_empty() && path.contains(':') => {
                let message = format!("`call:{path}` has no known type here");
                let error = Error::new(ErrorKind::WrongFactory, message);
                Err(error.help("give it a section of its own, [filter:NAME], and use that"))
            }
            "call" => {
                let factory = self.registry.function(path, wanted.called)?;
                self.object(format!("call:{path}"), factory, outer)
            }
            other => {
                let message = format!("`{other}:` is not known");
                let error = Error::new(ErrorKind::UnknownScheme, message);
                Err(match Kind::of_prefix(other) {
                    Some(_) => error.help(format!("a section is named without its type: `{path}`")),
                    None => error.help("it is one of config:, egg: and call:"),
                })
            }
        }
    }

    fn object(
        &mut self,
        name: String,
        factory: Arc<Factory>,
        outer: Outer<'_>,
    ) -> Result<Node, Error> {
        self.limits.add_part(outer.global)?;
        Ok(Node {
            what: What::Object {
                name,
                factory,
                parts: Vec::new(),
            },
            global: outer.shared(),
            local: outer.local(),
            location: Location::default(),
        })
    }

    /// Reads a file, unless it was read before, and returns its number.
    fn file(
        &mut self,
        path: &str,
        directory: Option<&Path>,
        global: &Settings,
    ) -> Result<usize, Error> {
        let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
        let path = match (Path::new(path.trim()), directory) {
            (path, _) if path.is_absolute() => path.to_owned(),
            (path, Some(directory)) if !directory.as_os_str().is_empty() => directory.join(path),
            (path, _) => {
                let message = format!(
                    "`{}` is relative, and its directory is not known",
                    path.display()
                );
                let error = Error::new(ErrorKind::RelativeWithoutBase, message);
                return Err(error.help(
                    "write the absolute path, or set the loader's directory with `relative_to`",
                ));
            }
        };
        let path = normal(&path);
        let document = match self.documents.get(&path) {
            Some(document) => document.clone(),
            None => {
                let document = Rc::new(Document::parse(&path, text(&path, self.read)?)?);
                self.documents.insert(path.clone(), document.clone());
                document
            }
        };
        let entries = global.len() + document.defaults.len() + document.sections.len();
        self.limits.add_entries(entries);
        self.files.push(File::new(document, global.clone()));
        Ok(self.files.len() - 1)
    }
}

/// Returns whether a name is a URI, and not the name of a section.
fn is_uri(name: &str) -> bool {
    let letters = name.find(|c: char| !c.is_ascii_alphabetic());
    letters.is_some_and(|at| at > 0 && name[at..].starts_with(':'))
}

/// Removes `.` and `..` from a path by their names alone.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}
