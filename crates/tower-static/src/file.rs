//! One file: what is known of it, its content, its type, and whether it is hidden.

use std::{
    fs::File,
    io::{self, ErrorKind},
    mem,
    ops::Range,
    path::{Path, PathBuf},
    time::SystemTime,
};

use bytes::Bytes;
use http::HeaderValue;

use crate::{
    ResponseBody,
    coding::Coding,
    conditions::Validators,
    facts::{Facts, Kind},
    files::{Charset, Options},
    memory::{Known, Version},
    read::{self, Wait, read_all, read_at},
    version::{self, validators},
};

/// The number of bytes that are read to find a text's charset.
const LOOKED_AT: u64 = 64 << 10;

/// Where the content of a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// From what is kept, so that no file is opened.
    Memory,
    Disk(Wait),
}

/// Why something of a file is missing.
#[derive(Debug)]
pub(crate) enum Missing {
    /// It is not kept, and the file has to be opened.
    NotKept,
    Failed(io::Error),
}

impl From<io::Error> for Missing {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// A file, or something else that a path leads to.
pub(crate) struct Found {
    path: PathBuf,
    pub(crate) version: Version,
    /// The open file, or why it cannot be opened but exists: a directory without read permission,
    /// or a socket.
    file: Result<File, Missing>,
    wait: Wait,
    known: Known,
    /// Whether it knows something that is not kept.
    has_learned: bool,
}

impl Found {
    /// Looks up what a path leads to. `coding` is that of its content.
    pub(crate) fn at(
        path: PathBuf,
        coding: Option<Coding>,
        options: &Options,
        source: Source,
    ) -> io::Result<Self> {
        let (file, facts) = match source {
            Source::Memory => (Err(Missing::NotKept), Facts::at(&path)?),
            Source::Disk(_) => match read::open(&path) {
                Ok(file) => {
                    let facts = Facts::of(&file)?;
                    (Ok(file), facts)
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(error),
                Err(error) => (Err(Missing::Failed(error)), Facts::at(&path)?),
            },
        };
        let version = Version { facts, coding };
        let known = match facts.kind {
            Kind::File => options.memory.get(&path, &version),
            Kind::Directory | Kind::Other => None,
        };
        Ok(Self {
            path,
            version,
            file,
            wait: match source {
                Source::Memory => Wait::Never,
                Source::Disk(wait) => wait,
            },
            known: known.unwrap_or_default(),
            has_learned: false,
        })
    }

    /// Returns the first compressed variant that lies beside this file. A variant that is older
    /// than the file was made of other content.
    pub(crate) fn variant(
        &self,
        codings: &[Coding],
        options: &Options,
        source: Source,
    ) -> Option<Self> {
        codings.iter().find_map(|&coding| {
            let mut path = self.path.as_os_str().to_owned();
            path.push(coding.suffix());
            let found = Self::at(path.into(), Some(coding), options, source).ok()?;
            let facts = &found.version.facts;
            let is_current = match (facts.modified, self.version.facts.modified) {
                (Some(own), Some(plain)) => own >= plain,
                _ => true,
            };
            let is_file = facts.kind == Kind::File && !found.is_one_of(&options.hidden);
            let is_readable = !matches!(found.file, Err(Missing::Failed(_)));
            (is_file && is_current && is_readable).then_some(found)
        })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.version.facts.kind
    }

    pub(crate) fn length(&self) -> u64 {
        self.version.facts.size
    }

    /// Returns whether it is one of these files, by whatever name.
    pub(crate) fn is_one_of(&self, files: &[PathBuf]) -> bool {
        is_one_of(&self.path, &self.version.facts, files)
    }

    /// Fails if the file cannot be read. This version of it was read if anything is known.
    pub(crate) fn check(&mut self) -> Result<(), Missing> {
        match self.known.validators.is_some() || self.known.content_type.is_some() {
            true => Ok(()),
            false => self.file().map(drop),
        }
    }

    fn file(&mut self) -> Result<&File, Missing> {
        match &mut self.file {
            Ok(file) => Ok(file),
            Err(missing) => Err(mem::replace(missing, Missing::NotKept)),
        }
    }

    /// Returns the validators of this version. A file may be read for them.
    pub(crate) fn validators(&mut self, now: SystemTime) -> Result<Validators, Missing> {
        if let Some(known) = &self.known.validators {
            return Ok(known.clone());
        }
        let (version, wait) = (self.version, self.wait);
        let file = self.file()?;
        let made = validators(&version, now, |start, length| {
            if version.facts.size > version::CHUNK && wait == Wait::Never {
                return Err(ErrorKind::WouldBlock.into());
            }
            read_at(file, start, length, wait)
        })?;
        self.known.validators = Some(made.clone());
        self.has_learned = true;
        Ok(made)
    }

    /// Returns the first bytes of a part of the file: all of it, if the content is kept.
    pub(crate) fn first(
        &mut self,
        part: &Range<u64>,
        options: &Options,
        now: SystemTime,
    ) -> Result<Bytes, Missing> {
        let (length, wait) = (self.length(), self.wait);
        if self.known.content.is_none()
            && options.memory.takes(length)
            && self.version.facts.are_settled(now)
        {
            self.known.content = read_all(self.file()?, length, wait)?;
            self.has_learned = true;
        }
        Ok(match &self.known.content {
            // The length of what is in memory is a `usize`.
            Some(content) => content.slice(part.start as usize..part.end as usize),
            None => read_at(self.file()?, part.start, part.end - part.start, wait)?,
        })
    }

    /// Returns the type of the file, with the charset of a text. `first` is what was read from its
    /// start.
    pub(crate) fn content_type(
        &mut self,
        charset: &Charset,
        first: &[u8],
    ) -> Result<HeaderValue, Missing> {
        if let Some(known) = &self.known.content_type {
            return Ok(known.clone());
        }
        let kind = kind(&self.path);
        let charset = match charset {
            _ if !kind.starts_with("text/") => None,
            Charset::None => None,
            Charset::Fixed(charset) => Some(&**charset),
            Charset::Detected => self.is_utf8(first)?.then_some("utf-8"),
        };
        let made = match charset {
            Some(charset) => HeaderValue::try_from(format!("{kind}; charset={charset}"))
                .expect("a charset has no control characters"),
            None => HeaderValue::from_static(kind),
        };
        self.known.content_type = Some(made.clone());
        self.has_learned = true;
        Ok(made)
    }

    fn is_utf8(&mut self, first: &[u8]) -> Result<bool, Missing> {
        let length = self.length();
        let count = LOOKED_AT.min(length);
        let first = match &self.known.content {
            Some(content) => content,
            None => first,
        };
        if let Some(beginning) = first.get(..count as usize) {
            return Ok(is_utf8(beginning, length));
        }
        let wait = self.wait;
        Ok(is_utf8(&read_at(self.file()?, 0, count, wait)?, length))
    }

    /// Returns the body of a part whose first bytes are read. It takes the open file.
    pub(crate) fn body(&mut self, part: Range<u64>, first: Bytes) -> Result<ResponseBody, Missing> {
        if first.len() as u64 == part.end - part.start {
            return Ok(ResponseBody::own(first.into()));
        }
        let file = mem::replace(&mut self.file, Err(Missing::NotKept))?;
        Ok(ResponseBody::of_file(file, part, first))
    }

    /// Keeps what was learned of it.
    pub(crate) fn keep(&self, options: &Options, now: SystemTime) {
        if self.has_learned && self.version.facts.are_settled(now) {
            let known = self.known.clone();
            options.memory.keep(&self.path, self.version, known);
        }
    }
}

/// Returns the type that the extension of a path stands for.
fn kind(path: &Path) -> &'static str {
    match mime_guess::from_path(path).first_raw() {
        // The type of modules, `.mjs`, has changed (RFC 9239, section 6).
        Some("application/javascript") => "text/javascript",
        Some(kind) => kind,
        None => "application/octet-stream",
    }
}

/// Returns whether the beginning of a file of this length is in UTF-8. The last letter may be cut.
fn is_utf8(content: &[u8], length: u64) -> bool {
    let is_cut = (content.len() as u64) < length;
    std::str::from_utf8(content)
        .map_or_else(|error| is_cut && error.error_len().is_none(), |_| true)
}

/// Returns whether a file is one of these, by whatever name, and `true` if that is not known.
fn is_one_of(path: &Path, facts: &Facts, others: &[PathBuf]) -> bool {
    if others.is_empty() {
        return false;
    }
    if facts.id.is_some() {
        let mut others = others.iter().map(|other| Facts::at(other));
        return others.any(|other| other.is_ok_and(|other| other.id == facts.id));
    }
    let Ok(path) = path.canonicalize() else {
        return true;
    };
    let mut others = others.iter().map(|other| other.canonicalize());
    others.any(|other| other.is_ok_and(|other| other == path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_8_a_letter_may_be_cut_but_not_broken() {
        for (content, length, expected, why) in [
            (&b""[..], 0, true, "nothing"),
            (b"abc", 3, true, "ASCII"),
            (b"\xc3\xbc", 2, true, "a letter"),
            (b"abc\xc3", 4, false, "half a letter is the end"),
            (b"abc\xc3", 5, true, "the file continues"),
            (b"\xfc", 1, false, "Latin-1"),
            (b"\xfcbc", 9, false, "Latin-1"),
        ] {
            assert_eq!(is_utf8(content, length), expected, "{why}");
        }
    }
}
