//! `egg:tower#process`: a command that is started with the site, and speaks HTTP, FastCGI or SCGI.
//!
//! It has the settings of `proxy`, `fastcgi` or `scgi`, too, except the address.

use std::{env, error::Error as _, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tower_process::Process;

use super::{
    gateway::{self, FastCgiSettings, ScgiSettings, Variable},
    parsed::Parsed,
    proxy::{self, Proxy},
};
use crate::{
    App, BoxError, Error, Parts, Settings, Value,
    de::{from_settings, some_time},
    effective::{self, Effective},
    factory::failed,
    processes::Started,
    suggest::did_you_mean,
};

#[derive(Deserialize, Serialize)]
struct ProcessSettings {
    command: String,
    name: Option<String>,
    #[serde(default)]
    speaks: Speaks,
    directory: Option<PathBuf>,
    #[serde(default, skip_serializing)]
    environment: Vec<Parsed<Variable>>,
    #[serde(default = "thirty_seconds", deserialize_with = "some_time")]
    start_timeout: Duration,
    /// The apps `fastcgi` and `scgi` have it, too. It is the same wait there.
    #[serde(default = "ten_seconds", deserialize_with = "some_time")]
    queue_timeout: Duration,
    #[serde(default = "ten_seconds", deserialize_with = "some_time")]
    stop_timeout: Duration,
}

/// The keys of the struct.
const KEYS: [&str; 8] = [
    "command",
    "name",
    "speaks",
    "directory",
    "environment",
    "start_timeout",
    "queue_timeout",
    "stop_timeout",
];

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Speaks {
    #[default]
    Http,
    FastCgi,
    Scgi,
}

fn thirty_seconds() -> Duration {
    Duration::from_secs(30)
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

/// Returns the settings of the process, and those of the app that connects to it.
fn split(local: &Settings) -> (Settings, Settings) {
    let (mut own, mut other) = (Settings::default(), Settings::default());
    for (key, value) in local.iter() {
        let part = match KEYS.contains(&key) {
            true => &mut own,
            false => &mut other,
        };
        part.set(key.to_owned(), value.clone());
    }
    (own, other)
}

/// Completes the settings of the app that connects to a process.
fn connecting(
    mut other: Settings,
    local: &Settings,
    speaks: Speaks,
    address: &str,
) -> Result<Settings, Error> {
    if other.value("address").is_some() {
        let message = "the address is the process's own, `{socket}` in its command";
        return Err(Error::setting("address", message));
    }
    let address = Value::given(address.to_owned());
    other.set("address".to_owned(), address);
    if let Some(limit) = local.value("queue_timeout")
        && !matches!(speaks, Speaks::Http)
    {
        other.set("queue_timeout".to_owned(), limit.clone());
    }
    Ok(other)
}

/// An address for the effective values, which is never shown.
const ANY: &str = "unix:/socket";

pub(super) fn effective(local: &Settings) -> Effective {
    let (own, other) = split(local);
    let Ok(settings) = from_settings::<ProcessSettings>(&own) else {
        return Effective::new();
    };
    let Ok(other) = connecting(other, local, settings.speaks, ANY) else {
        return Effective::new();
    };
    let of_app = match settings.speaks {
        Speaks::Http => effective::of::<Proxy>(&other),
        Speaks::FastCgi => effective::of::<FastCgiSettings>(&other),
        Speaks::Scgi => effective::of::<ScgiSettings>(&other),
    };
    if of_app.is_empty() {
        return Effective::new();
    }
    let mut all = effective::values(&settings);
    let of_app = of_app.into_iter().filter(|(key, _)| key != "address");
    all.extend(of_app);
    all
}

pub(super) fn app(_: &Settings, local: &Settings, parts: &Parts<'_>) -> Result<App, Error> {
    let (own, other) = split(local);
    let settings: ProcessSettings = from_settings(&own)?;
    let speaks = settings.speaks;
    let name = match settings.name {
        Some(name) => name,
        None => section(local).unwrap_or_else(|| "process".to_owned()),
    };
    let wrong = |error: tower_process::BuildError| match error.source() {
        Some(source) => Error::setting("command", format!("{error}: {source}")),
        None => Error::setting("command", error),
    };
    let mut process = Process::new(&settings.command)
        .map_err(wrong)?
        .name(&name)
        .start_timeout(settings.start_timeout)
        .queue_timeout(settings.queue_timeout)
        .stop_timeout(settings.stop_timeout);
    for Parsed(Variable { name, value }) in settings.environment {
        let with = process.env(name, value);
        process = with.map_err(|error| Error::setting("environment", error))?;
    }
    if let Some(directory) = settings.directory {
        process = process.directory(directory);
    }
    if parts.options().has_watchdog {
        let program = this_program().map_err(failed)?;
        process = process.watchdog(program, ["watchdog"]);
    }
    let connect = |address: &str| {
        let other = connecting(other.clone(), local, speaks, address)?;
        match speaks {
            Speaks::Http => made(&other, proxy::app),
            Speaks::FastCgi => made(&other, gateway::fastcgi),
            Speaks::Scgi => made(&other, gateway::scgi),
        }
    };
    let Some(processes) = parts.options().processes else {
        process.check().map_err(wrong)?;
        return connect(ANY);
    };
    let key: Vec<_> = local
        .iter()
        .map(|(key, value)| (key.to_owned(), value.text().to_owned()))
        .collect();
    processes.once(&key, || {
        // A wrong setting starts nothing.
        connect(ANY)?;
        let running = process.start().map_err(wrong)?;
        let app = App::new(running.service(connect(&running.address())?));
        Ok(Started {
            settings: key.clone(),
            name,
            app,
            running,
        })
    })
}

/// Makes the app that connects to a process.
fn made<T: DeserializeOwned>(
    settings: &Settings,
    make: fn(&Settings, T) -> Result<App, BoxError>,
) -> Result<App, Error> {
    let read = from_settings(settings).map_err(|error| {
        // It knows the settings of one app alone.
        match unknown_key(&error, settings).and_then(|key| did_you_mean(key, KEYS)) {
            Some(meant) => error.help(format!("did you mean `{meant}`?")),
            None => error,
        }
    })?;
    make(&Settings::default(), read).map_err(failed)
}

/// Returns the key of an error that is about the key itself.
fn unknown_key<'a>(error: &Error, settings: &'a Settings) -> Option<&'a str> {
    let (place, key) = (error.place()?, error.key_name()?);
    let (key, value) = settings.iter().find(|(known, _)| *known == key)?;
    (value.key_place.as_ref()?.span == place.span).then_some(key)
}

/// Returns the name of the section that has the command.
fn section(local: &Settings) -> Option<String> {
    let section = local.value("command")?.place()?.section()?;
    let name = section.split_once(':').map_or(section, |(_, name)| name);
    Some(name.trim().to_owned())
}

/// Returns the path of this program, which is still there if its file has been replaced.
fn this_program() -> std::io::Result<PathBuf> {
    match cfg!(target_os = "linux") {
        true => Ok(PathBuf::from("/proc/self/exe")),
        false => env::current_exe(),
    }
}
