//! INI files as Python's `configparser` reads them, with a place for everything.

use std::{
    collections::HashSet,
    fmt, fs,
    io::{self, Read as _},
    ops::Range,
    path::Path,
    sync::Arc,
};

use crate::{Error, ErrorKind, Place, place::Source};

/// The largest file that is read, in bytes.
pub const LARGEST_FILE: u64 = 1 << 20;

/// The section whose settings are in all others.
pub(crate) const DEFAULT: &str = "DEFAULT";

/// An INI file, as Python's `configparser` reads it: sections of settings, values over several lines, comments in lines of their own.
///
/// It prints as a file that parses to the same.
pub struct Document {
    pub(crate) source: Arc<Source>,
    pub(crate) defaults: Vec<Setting>,
    pub(crate) sections: Vec<Section>,
}

/// A section and its settings, in order.
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) settings: Vec<Setting>,
}

/// A setting, before interpolation.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) key_place: Place,
    pub(crate) value_place: Place,
    /// The lines of the value.
    pub(crate) lines: Arc<[Range<usize>]>,
}

/// Also what Unicode does not call white space, and Python does.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The part of a text without white space around it.
fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let part = &text[span.clone()];
    let start = span.start + (part.len() - part.trim_start_matches(is_space).len());
    let end = span.end - (part.len() - part.trim_end_matches(is_space).len());
    start.min(end)..end
}

/// The lines of a text, without their ends.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        if rest == text.len() {
            return None;
        }
        let start = rest;
        let end = text[start..].find(['\n', '\r']);
        let end = end.map_or(text.len(), |end| start + end);
        let breaks = match &text.as_bytes()[end..] {
            [b'\r', b'\n', ..] => 2,
            [] => 0,
            _ => 1,
        };
        rest = end + breaks;
        Some(start..end)
    })
}

impl Document {
    /// Parses a file's text; `path` is for what is wrong with it.
    ///
    /// # Errors
    ///
    /// Where it is no INI file, and why.
    pub fn parse(path: &Path, text: String) -> Result<Self, Error> {
        let source = Arc::new(Source {
            path: path.into(),
            text,
            is_ini: true,
        });
        Parser::new(&source).parse()
    }
}

impl Document {
    /// The sections but for DEFAULT, in order: their names, and their keys with values that are not interpolated.
    pub fn sections(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = (&str, &str)>)> {
        let sections = self.sections.iter();
        sections.map(|section| (section.name.as_str(), pairs(&section.settings)))
    }

    /// The keys of DEFAULT and their values, which are not interpolated.
    pub fn defaults(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.defaults)
    }
}

fn pairs(settings: &[Setting]) -> impl Iterator<Item = (&str, &str)> {
    settings
        .iter()
        .map(|setting| (setting.key.as_str(), setting.value.as_str()))
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.defaults.is_empty() {
            section(f, DEFAULT, &self.defaults)?;
        }
        for own in &self.sections {
            section(f, &own.name, &own.settings)?;
        }
        Ok(())
    }
}

fn section(f: &mut fmt::Formatter<'_>, name: &str, settings: &[Setting]) -> fmt::Result {
    writeln!(f, "[{name}]")?;
    for (key, value) in pairs(settings) {
        let mut lines = value.split('\n');
        writeln!(f, "{key} = {}", lines.next().unwrap_or_default())?;
        for line in lines {
            writeln!(f, "    {line}")?;
        }
    }
    writeln!(f)
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("path", &self.source.path)
            .finish_non_exhaustive()
    }
}

/// How a file is read.
pub(crate) type Read<'a> = dyn Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync + 'a;

/// From the disk, but not more than one byte too many.
pub(crate) fn from_disk(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if metadata.len() > LARGEST_FILE {
        let size = metadata.len().to_string();
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, size));
    }
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large(path: &impl fmt::Display, size: impl fmt::Display) -> Error {
    let message = format!("{path}: it has {size} bytes, and {LARGEST_FILE} is the most");
    let error = Error::new(ErrorKind::FileTooLarge, message);
    error.help("is it the right file? Parts of it can go into files of their own")
}

/// A file's text.
pub(crate) fn text(path: &Path, read: &Read<'_>) -> Result<String, Error> {
    let shown = path.display();
    let bytes = read(path).map_err(|error| {
        let help = "is it the right name?";
        match error.kind() {
            io::ErrorKind::NotFound => Error::new(
                ErrorKind::FileNotFound,
                format!("{shown}: there is no such file"),
            )
            .help(help),
            io::ErrorKind::IsADirectory => Error::new(
                ErrorKind::IsADirectory,
                format!("{shown}: it is a directory"),
            )
            .help(help),
            io::ErrorKind::FileTooLarge => too_large(&shown, error),
            _ => Error::new(ErrorKind::Unreadable, format!("{shown}: it cannot be read"))
                .caused_by(error.into()),
        }
    })?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(too_large(&shown, bytes.len()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..at];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let message = format!("{shown}:{line}: it is not UTF-8, from byte {at} on");
        Error::new(ErrorKind::NotUtf8, message).help("save it as UTF-8")
    })
}

struct Parser<'a> {
    source: &'a Arc<Source>,
    document: Document,
    /// Whose settings come now: the number of a section, or the defaults.
    current: Option<Target>,
    /// Where lines that are indented more go.
    open: Option<Open>,
    seen: HashSet<(String, Option<String>)>,
}

#[derive(Clone, Copy)]
enum Target {
    Defaults,
    Section(usize),
}

/// A setting that may go on in the next line.
struct Open {
    key: String,
    key_span: Range<usize>,
    lines: Vec<Range<usize>>,
    indent: usize,
}

impl<'a> Parser<'a> {
    fn new(source: &'a Arc<Source>) -> Self {
        Self {
            source,
            document: Document {
                source: source.clone(),
                defaults: Vec::new(),
                sections: Vec::new(),
            },
            current: None,
            open: None,
            seen: HashSet::new(),
        }
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place::new(self.source, span)
    }

    fn parse(mut self) -> Result<Document, Error> {
        let text = &self.source.text;
        for line in lines(text) {
            let content = trimmed(text, line.clone());
            if content.is_empty() {
                // It may be between two lines of one value.
                if let Some(open) = &mut self.open {
                    open.lines.push(content);
                }
                continue;
            }
            if text[content.clone()].starts_with(['#', ';']) {
                continue;
            }
            let indent = text[line.start..content.start].chars().count();
            match &mut self.open {
                Some(open) if indent > open.indent => open.lines.push(content),
                _ => {
                    self.close();
                    self.line(content, indent)?;
                }
            }
        }
        self.close();
        Ok(self.document)
    }

    /// A line that begins something.
    fn line(&mut self, content: Range<usize>, indent: usize) -> Result<(), Error> {
        let text = &self.source.text[content.clone()];
        let is_blank = |name: &str| name.trim_matches(is_space).is_empty();
        if header(text).map_or(text.starts_with("[]"), is_blank) {
            // DIFFERENCE: to `configparser` `[ ]` is a section. `[]` is of these kinds there, too.
            let kind = match self.current {
                None => ErrorKind::MissingSectionHeader,
                Some(_) => ErrorKind::Syntax,
            };
            let error = Error::new(kind, "a section without a name");
            let error = error.at(Some(&self.place(content)));
            return Err(error.help("write `[app:main]`"));
        }
        if let Some(name) = header(text) {
            let span = content.start + 1..content.start + 1 + name.len();
            return self.section(name, span);
        }
        if let Some(rest) = text.strip_prefix('[').filter(|rest| !rest.contains(']')) {
            // DIFFERENCE: to `configparser` it is a key, if it has a `:` or `=` in it.
            let name = rest.split([' ', '\t', ';', '#', '=']).next();
            let name = name.filter(|name| !name.is_empty()).unwrap_or("app:main");
            let error = Error::new(ErrorKind::Syntax, "a section without its `]`");
            let help = format!("write `[{name}]`");
            return Err(error.at(Some(&self.place(content))).help(help));
        }
        let Some(current) = self.current else {
            let message = "a setting before the first section";
            let error = Error::new(ErrorKind::MissingSectionHeader, message);
            let help = if text.starts_with('\u{feff}') {
                "save the file without a byte order mark"
            } else {
                "begin with a section, such as [app:main]"
            };
            return Err(error.at(Some(&self.place(content))).help(help));
        };
        let section = match current {
            Target::Defaults => DEFAULT,
            Target::Section(number) => &self.document.sections[number].name,
        };
        let delimiter = text.find(['=', ':']);
        let key = delimiter.map(|at| trimmed(text, 0..at)).unwrap_or_default();
        let Some(delimiter) = delimiter.filter(|_| !key.is_empty()) else {
            let error = Error::new(
                ErrorKind::Syntax,
                "a line that is neither a section nor a setting",
            );
            return Err(error
                .section(section)
                .at(Some(&self.place(content)))
                .help("write `key = value`, or indent what belongs to the value above"));
        };
        let name = &text[key.clone()];
        let key_span = content.start + key.start..content.start + key.end;
        if !self
            .seen
            .insert((section.to_owned(), Some(name.to_owned())))
        {
            return Err(
                Error::new(ErrorKind::DuplicateKey, "the key is twice in this section")
                    .section(section)
                    .key(name)
                    .at(Some(&self.place(key_span)))
                    .help("take one of them out"),
            );
        }
        let value = trimmed(
            &self.source.text,
            content.start + delimiter + 1..content.end,
        );
        self.open = Some(Open {
            key: name.to_owned(),
            key_span,
            lines: vec![value],
            indent,
        });
        Ok(())
    }

    fn section(&mut self, name: &str, span: Range<usize>) -> Result<(), Error> {
        if name == DEFAULT {
            self.current = Some(Target::Defaults);
            return Ok(());
        }
        let place = self.place(span);
        if !self.seen.insert((name.to_owned(), None)) {
            return Err(
                Error::new(ErrorKind::DuplicateSection, "the section is there twice")
                    .section(name)
                    .at(Some(&place))
                    .help("put all of its settings under one heading"),
            );
        }
        self.current = Some(Target::Section(self.document.sections.len()));
        self.document.sections.push(Section {
            name: name.to_owned(),
            place,
            settings: Vec::new(),
        });
        Ok(())
    }

    /// What was open has all its lines.
    fn close(&mut self) {
        let (Some(open), Some(current)) = (self.open.take(), self.current) else {
            return;
        };
        let text = &self.source.text;
        let lines: Vec<&str> = open.lines.iter().map(|line| &text[line.clone()]).collect();
        let value = lines.join("\n").trim_end_matches(is_space).to_owned();
        // For a mark, the first line that has something is enough.
        let shown = open.lines.iter().find(|line| !line.is_empty());
        let shown = shown.unwrap_or(&open.key_span).clone();
        let setting = Setting {
            key: open.key,
            value,
            key_place: self.place(open.key_span),
            value_place: self.place(shown),
            lines: open.lines.into(),
        };
        match current {
            Target::Defaults => self.document.defaults.push(setting),
            Target::Section(number) => self.document.sections[number].settings.push(setting),
        }
    }
}

/// The name in a line that begins a section: up to the last bracket.
pub(crate) fn header(line: &str) -> Option<&str> {
    let name = line.strip_prefix('[')?;
    let name = &name[..name.rfind(']')?];
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Document {
        Document::parse(Path::new("/x.ini"), text.to_owned()).unwrap()
    }

    #[test]
    fn a_document_prints_as_it_was_read() {
        let text = "[DEFAULT]\r\nd : 1\r\n# a comment\r\n[a]b]\r\nk=v # none\r\n  more\r\n\r\n  last\r\n\r\n[ c ]\rx y = \n";
        let document = parse(text);
        let printed = "[DEFAULT]\nd = 1\n\n[a]b]\nk = v # none\n    more\n    \n    last\n\n[ c ]\nx y = \n\n";
        assert_eq!(document.to_string(), printed);
        assert_eq!(parse(printed).to_string(), printed);
        assert_eq!(document.defaults().collect::<Vec<_>>(), [("d", "1")]);
        let sections = document.sections();
        let sections: Vec<_> = sections
            .map(|(name, keys)| (name, keys.collect()))
            .collect();
        let expected: [(&str, Vec<(&str, &str)>); 2] = [
            ("a]b", vec![("k", "v # none\nmore\n\nlast")]),
            (" c ", vec![("x y", "")]),
        ];
        assert_eq!(sections, expected);
        assert_eq!(parse("[a]\n").to_string(), "[a]\n\n");
    }

    #[test]
    fn lines_end_in_three_ways() {
        let text = "a\r\n\rb\n\nc";
        let seen: Vec<_> = lines(text).map(|line| &text[line]).collect();
        assert_eq!(seen, ["a", "", "b", "", "c"]);
        assert_eq!(lines("").count(), 0);
        assert_eq!(lines("a\n").count(), 1);
    }

    #[test]
    fn a_file_of_the_largest_size_is_read_and_no_larger_one() {
        let path = std::env::temp_dir().join(format!("tower-deploy-size-{}", std::process::id()));
        let largest = usize::try_from(LARGEST_FILE).unwrap();
        let read = |size: usize| {
            fs::write(&path, vec![b'#'; size]).unwrap();
            text(&path, &from_disk).map(|text| text.len())
        };
        let (most, more) = (read(largest), read(largest + 1));
        fs::remove_file(&path).unwrap();
        assert_eq!(most.unwrap(), largest);
        let more = more.unwrap_err();
        assert_eq!(more.kind(), ErrorKind::FileTooLarge);
        assert!(
            more.to_string()
                .contains("it has 1048577 bytes, and 1048576 is the most"),
            "{more}"
        );
    }
}
