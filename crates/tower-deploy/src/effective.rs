//! The effective values of settings: those of the file, and the defaults for the others.

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

use crate::{Settings, de::from_settings};

/// The values that a factory uses, by key, as a file would have them.
pub(crate) type Effective = IndexMap<String, String>;

/// Returns the effective values of a factory without a struct of settings. They are not known.
pub(crate) fn unknown(_: &Settings) -> Effective {
    Effective::new()
}

/// Returns the effective values of a factory whose settings are a struct. There are none if the
/// settings have an error.
pub(crate) fn of<T: DeserializeOwned + Serialize>(settings: &Settings) -> Effective {
    from_settings::<T>(settings).map_or_else(|_| Effective::new(), |settings| values(&settings))
}

/// Returns the values of a struct in the order of its fields. Those that are absent or empty are
/// left out.
pub(crate) fn values(settings: &impl Serialize) -> Effective {
    // By its text, because serde_json's own maps have another order.
    let text = serde_json::to_string(settings).unwrap_or_default();
    let fields: IndexMap<String, Json> = serde_json::from_str(&text).unwrap_or_default();
    let fields = fields.into_iter();
    fields
        .filter_map(|(key, value)| Some((key, written(&value)?)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// Returns a value as a file would have it.
fn written(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::Bool(true) => Some("yes".to_owned()),
        Json::Bool(false) => Some("no".to_owned()),
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) => Some(text.clone()),
        Json::Array(members) => {
            let members = members.iter().filter_map(written);
            Some(members.collect::<Vec<_>>().join(" "))
        }
        Json::Object(_) => {
            let time = Duration::deserialize(value).ok()?;
            Some(humantime::format_duration(time).to_string())
        }
    }
}
