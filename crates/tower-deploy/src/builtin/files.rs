//! `egg:tower#static`: the files of a directory.

use std::{fs, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use tower_static::{Coding, Files};

use crate::{App, Error, ErrorKind, Parts, Settings, Size, de::from_settings};

#[derive(Deserialize, Serialize)]
pub(super) struct Static {
    document_root: PathBuf,
    /// In seconds.
    cache_max_age: Option<u64>,
    /// The charset of text files; `none` names none. By default, UTF-8 is named for files in
    /// UTF-8.
    charset: Option<String>,
    #[serde(default)]
    dotfiles: bool,
    /// Whether `/.well-known/` is served, with `dotfiles` or without (RFC 8615).
    #[serde(default)]
    well_known: bool,
    /// Whether a directory is its `index.html`.
    #[serde(default = "yes")]
    index: bool,
    /// Which compressed variants are sent instead of a file, in this order.
    #[serde(default)]
    precompressed: Vec<Packed>,
    /// How many bytes of contents are kept in memory.
    #[serde(default = "contents")]
    content_cache: Size,
}

/// A coding, by its name in `Accept-Encoding`.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Packed {
    Br,
    Zstd,
    Gzip,
}

impl From<Packed> for Coding {
    fn from(packed: Packed) -> Self {
        match packed {
            Packed::Br => Self::Brotli,
            Packed::Zstd => Self::Zstd,
            Packed::Gzip => Self::Gzip,
        }
    }
}

fn yes() -> bool {
    true
}

fn contents() -> Size {
    Size::new(16 << 20)
}

pub(super) fn files(_: &Settings, local: &Settings, parts: &Parts<'_>) -> Result<App, Error> {
    let settings: Static = from_settings(local)?;
    let root = settings.document_root;
    let wrong = |key: &str, message: String, help: &str| {
        let place = local.value(key).and_then(|value| value.place());
        let error = Error::new(ErrorKind::Settings, message).key(key);
        error.at(place).help(help)
    };
    match fs::metadata(&root) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            let message = format!("{} is no folder", root.display());
            return Err(wrong("document_root", message, "name a folder"));
        }
        Err(error) => {
            let help = match root.is_absolute() {
                true => "name a folder that is there",
                false => "write %(here)s/… for what lies beside this file",
            };
            let message = format!("{}: {error}", root.display());
            return Err(wrong("document_root", message, help));
        }
    }
    // The site's configuration files may hold passwords.
    let mut files = Files::new(root)
        .hidden(parts.files().paths())
        .precompressed(settings.precompressed.into_iter().map(Into::into))
        .content_cache(settings.content_cache.bytes());
    if let Some(seconds) = settings.cache_max_age {
        files = files.max_age(Duration::from_secs(seconds));
    }
    files = match settings.charset.as_deref() {
        None => files,
        Some("none") => files.without_charset(),
        Some(name) => files.charset(name).map_err(|error| {
            let help = "write one such as utf-8, or none";
            wrong("charset", error.to_string(), help)
        })?,
    };
    if settings.dotfiles {
        files = files.dotfiles();
    }
    if settings.well_known {
        files = files.well_known();
    }
    if !settings.index {
        files = files.without_index();
    }
    Ok(App::new(files))
}
