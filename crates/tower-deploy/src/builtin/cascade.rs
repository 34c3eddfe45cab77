//! `egg:tower#cascade`: a cascade as a composite, and as a filter whose last app is the one that it
//! wraps.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tower_cascade::CascadeLayer;

use crate::{
    App, Error, ErrorKind, Filter, Parts, Settings, Size,
    de::from_settings,
    effective::{Effective, values},
    ini::Read,
    kind::Role,
    named::Named,
    suggest::misspelt_in_any,
};

#[derive(Deserialize, Serialize)]
#[serde(default)]
struct Cascade {
    catch: Vec<StatusNumber>,
    allow_auth_statuses: bool,
    replay_limit: Size,
    x_cascade_header: bool,
}

/// A number that may not be a status, which then is an error with its position.
#[derive(Deserialize, Serialize)]
struct StatusNumber(u16);

impl Default for Cascade {
    fn default() -> Self {
        Self {
            catch: vec![StatusNumber(404)],
            allow_auth_statuses: false,
            replay_limit: Size::new(64 * 1024),
            x_cascade_header: false,
        }
    }
}

const OPTIONS: [&str; 4] = [
    "catch",
    "allow_auth_statuses",
    "replay_limit",
    "x_cascade_header",
];

/// Returns the names of the apps in order: `app2` comes before `app10`.
// DIFFERENCE: Paste sorts these keys as strings.
pub(super) fn names(_: &Settings, local: &Settings, _: &Read<'_>) -> Result<Vec<Named>, Error> {
    let mut named = Vec::new();
    for (key, value) in local.iter() {
        if key.starts_with("app") {
            named.push(Named::whole(Role::App, key, value));
        } else if !OPTIONS.contains(&key) {
            let error = Error::new(ErrorKind::Settings, "the key is not known").key(key);
            let help = misspelt_in_any(key).unwrap_or_else(|| {
                let options = OPTIONS.join(", ");
                format!("apps are app1, app2, …; the other settings are {options}")
            });
            return Err(error.at(value.key_place.as_ref()).help(help));
        }
    }
    named.sort_by(|one, other| natural(&one.key).cmp(&natural(&other.key)));
    Ok(named)
}

/// Returns a key in pieces that compare as people count: digits as numbers.
fn natural(key: &str) -> Vec<(&str, usize, &str)> {
    let mut pieces = Vec::new();
    let mut rest = key;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (text, after) = rest.split_at(digits);
        let end = after
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(after.len());
        let (number, after) = after.split_at(end);
        let number = number.trim_start_matches('0');
        pieces.push((text, number.len(), number));
        rest = after;
    }
    pieces
}

/// Returns the effective values of the options. The other settings name apps.
pub(super) fn effective(local: &Settings) -> Effective {
    options(local).map_or_else(|_| Effective::new(), |options| values(&options))
}

fn options(local: &Settings) -> Result<Cascade, Error> {
    let mut own = Settings::default();
    for (key, value) in local.iter().filter(|(key, _)| OPTIONS.contains(key)) {
        own.set(key.to_owned(), value.clone());
    }
    from_settings(&own)
}

pub(super) fn composite(_: &Settings, local: &Settings, parts: &Parts<'_>) -> Result<App, Error> {
    let apps = parts.apps().collect::<Result<Vec<_>, _>>()?;
    cascade(local, apps)
}

pub(super) fn filter(_: &Settings, local: &Settings, parts: &Parts<'_>) -> Result<Filter, Error> {
    let mut apps = parts.apps().collect::<Result<Vec<_>, _>>()?;
    let local = local.clone();
    Ok(Filter::from_fn(move |app| {
        apps.push(app);
        cascade(&local, apps)
    }))
}

fn cascade(local: &Settings, apps: Vec<App>) -> Result<App, Error> {
    let options = options(local)?;
    let wrong = |message: String, help: &str| {
        let place = local.value("catch").and_then(|value| value.place());
        let error = Error::new(ErrorKind::Settings, message).key("catch");
        error.at(place).help(help)
    };
    let mut statuses = Vec::new();
    for StatusNumber(number) in options.catch {
        let status = StatusCode::from_u16(number).ok();
        // Paste has an exception for each of these.
        let status = status.filter(|status| (300..600).contains(&status.as_u16()));
        statuses.push(status.ok_or_else(|| {
            wrong(
                format!("{number} is not a status on which a cascade falls through"),
                "write statuses from 300 to 599, separated by spaces",
            )
        })?);
    }
    let auth = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
    let mut named = statuses.iter().filter(|status| auth.contains(status));
    if let Some(status) = named.next().filter(|_| !options.allow_auth_statuses) {
        return Err(wrong(
            format!("an app that responds with {status} has rejected the request"),
            "to catch 401 or 403, set allow_auth_statuses = true, and make each app check credentials \
             itself",
        ));
    }
    let mut layer = CascadeLayer::list(apps)
        .statuses(statuses)
        .map_err(|error| wrong(error.to_string(), "write another status"))?
        .replay_limit(usize::try_from(options.replay_limit.bytes()).unwrap_or(usize::MAX));
    if options.allow_auth_statuses {
        layer = layer.allow_auth_statuses();
    }
    if options.x_cascade_header {
        layer = layer.x_cascade_header();
    }
    Ok(App::new(layer.service()))
}

#[cfg(test)]
mod tests {
    use super::{Cascade, natural};

    #[test]
    fn deploy_21_the_replay_limit_is_documented() {
        assert!(include_str!("../builtins.md").contains("(`replay_limit` = 64 KiB)"));
        assert_eq!(Cascade::default().replay_limit.bytes(), 65_536);
    }

    #[test]
    fn deploy_28_keys_are_in_the_order_in_which_people_count() {
        let mut keys = [
            "app10", "app2", "app", "app1b", "app01", "app1", "apple", "app2.10", "app2.9",
        ];
        keys.sort_by(|one, other| natural(one).cmp(&natural(other)));
        assert_eq!(
            keys,
            [
                "app", "app01", "app1", "app1b", "app2", "app2.9", "app2.10", "app10", "apple"
            ]
        );
    }
}
