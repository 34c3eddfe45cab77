//! `egg:tower#router` and `egg:tower#dispatch`: routes to apps, as an app, and as a filter that
//! falls through to the app that it wraps.

use tower_dispatch::{Dispatch, DispatchLayer};
use tower_hooks::HooksLayer;
use tower_layer::Layer;

use super::routes::{JSON, Routes, URLPATTERNS};
use crate::{
    App, Error, ErrorKind, Filter, Parts, Settings, ini::Read, named::Named,
    suggest::misspelt_in_any,
};

pub(super) fn names(_: &Settings, local: &Settings, read: &Read<'_>) -> Result<Vec<Named>, Error> {
    let known = [URLPATTERNS, JSON];
    if let Some((key, value)) = local.iter().find(|(key, _)| !known.contains(key)) {
        let error = Error::new(ErrorKind::Settings, "the key is not known").key(key);
        let error = error.at(value.key_place.as_ref());
        let help = misspelt_in_any(key);
        return Err(error.help(help.unwrap_or_else(|| "known: urlpatterns, json".to_owned())));
    }
    Ok(Routes::read(local, read)?.named())
}

pub(super) fn app(_: &Settings, local: &Settings, parts: &Parts<'_>) -> Result<App, Error> {
    dispatch(local, parts).map(App::new)
}

pub(super) fn filter(_: &Settings, local: &Settings, parts: &Parts<'_>) -> Result<Filter, Error> {
    dispatch(local, parts).map(|dispatch| Filter::new(DispatchLayer::new(dispatch)))
}

fn dispatch(local: &Settings, parts: &Parts<'_>) -> Result<Dispatch<App>, Error> {
    let routes = Routes::read(local, &|path| parts.files().read(path))?;
    let apps = parts.apps().collect::<Result<Vec<_>, _>>()?;
    let hooks = parts.hooks().collect::<Result<Vec<_>, _>>()?;
    // A hook sees the route that matched, as link.wsgi's middleware sees the handler.
    let hooked = HooksLayer::new().skip_after_on_abort();
    let hooked = hooks.iter().cloned().fold(hooked, HooksLayer::hook);
    let apps: Vec<App> = match hooks.is_empty() {
        true => apps,
        false => apps
            .into_iter()
            .map(|app| App::new(hooked.layer(app)))
            .collect(),
    };
    let mut builder = Dispatch::typed();
    // For each route of the table, the route of the file, and the method.
    let mut rows = Vec::new();
    for (number, route) in routes.compile()?.into_iter().enumerate() {
        let app = apps[route.app].clone();
        if route.methods.is_empty() {
            rows.push((number, None));
            builder = builder.route(route.pattern, app);
            continue;
        }
        for method in route.methods {
            rows.push((number, Some(method.clone())));
            builder = builder.method(method, route.pattern.clone(), app.clone());
        }
    }
    if routes.first_path_match_decides {
        builder = builder.first_path_match_decides();
    }
    let dispatch = builder.build().map_err(|error| {
        let error = Error::new(ErrorKind::Settings, "the routes cannot be compiled")
            .caused_by(error.into());
        let key = [URLPATTERNS, JSON]
            .into_iter()
            .find(|key| local.get(key).is_some());
        let key = key.unwrap_or(URLPATTERNS);
        error
            .key(key)
            .at(local.value(key).and_then(|value| value.place()))
    })?;
    parts.warn(|| routes.doubts(&rows, &dispatch.audit()));
    Ok(dispatch)
}
