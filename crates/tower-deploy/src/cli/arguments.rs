//! Arguments that several commands have.

use std::{env, path::PathBuf};

use clap::Args;

use crate::{Loader, Registry};

#[derive(Args)]
pub(super) struct File {
    /// The file, and after `#` the section, if it is not `main`.
    #[arg(value_name = "FILE[#NAME]")]
    pub(super) file: String,
}

#[derive(Args)]
pub(super) struct Global {
    /// Global settings.
    #[arg(value_name = "KEY=VALUE", value_parser = pair)]
    global: Vec<(String, String)>,
}

impl Global {
    /// Returns a loader of files below the current directory.
    pub(super) fn loader(&self, registry: Registry) -> Loader {
        let folder = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let loader = Loader::new(registry).relative_to(folder).with_watchdog();
        let global = self.global.iter().cloned();
        global.fold(loader, |loader, (key, value)| loader.global(key, value))
    }
}

impl File {
    /// Returns the URI of a file and a section. The argument is not encoded, and the name of the
    /// file may have a `#` if the name of a section follows.
    pub(super) fn uri(&self) -> String {
        let (file, name) = match self.file.rsplit_once('#') {
            Some((file, name)) => (file, name),
            None => (&*self.file, "main"),
        };
        let file = file.replace('%', "%25").replace('#', "%23");
        format!("config:{file}#{name}")
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let pair = pair.filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
