//! The factories that are there without a program's own.

mod cascade;
mod compression;
mod files;
mod filters;
mod hooks;
mod http_filters;
#[cfg(feature = "proxy")]
mod proxy;
mod router;
mod routes;
mod server;
mod template;
mod text;
mod trial;
mod urlmap;

#[cfg(feature = "cli")]
pub(crate) use http_filters::access_log;

use crate::{App, Error, Filter, Parts, Registry, Settings, named::none, registry::Maker};

impl Registry {
    /// With the built-in factories: `egg:tower#…`, and those that Paste's and PasteDeploy's own files name.
    #[must_use]
    #[track_caller]
    pub fn standard() -> Self {
        let registry = Self::new();
        #[cfg(feature = "proxy")]
        let registry = ["tower#proxy", "Paste#proxy"]
            .into_iter()
            .fold(registry, |registry, name| registry.app(name, proxy::app));
        let registry = registry
            .app("tower#text", text::text)
            .app("tower#redirect", text::redirect)
            .app("tower#checksum", trial::checksum)
            .app("tower#panic", trial::panic)
            .filter("tower#mount", filters::mount)
            .filter("tower#origin", filters::origin)
            .filter("PasteDeploy#prefix", filters::script_prefix)
            .filter("tower#prefix", filters::prefix)
            .filter("tower#replace", filters::replace)
            .filter("tower#lint", filters::lint)
            .filter("Paste#lint", filters::lint)
            .filter("tower#exception", filters::exception)
            .filter("Paste#error_catcher", filters::exception)
            .filter("tower#trace", http_filters::trace)
            .filter("Paste#translogger", http_filters::trace)
            .filter("tower#compression", compression::compression)
            .filter("Paste#gzip", compression::compression)
            .filter("tower#timeout", http_filters::timeout)
            .filter("tower#body-limit", http_filters::body_limit)
            .filter("tower#request-id", http_filters::request_id)
            .filter("tower#cors", http_filters::cors)
            .hook("tower#server-timing", hooks::server_timing);
        let filter = |make: With<Filter>| Maker::Filter(Box::new(make));
        let composite = |make: With<App>| Maker::Composite(Box::new(make));
        let registry = registry
            .add("tower#http", none, Maker::Server(Box::new(server::http)))
            .add("Paste#http", none, Maker::Server(Box::new(server::paste)))
            .add("tower#environ", none, filter(filters::environ))
            .add("tower#set-header", none, filter(http_filters::set_header))
            .add("tower#hooks", filters::hook_names, filter(filters::hooks))
            .add("tower#dispatch", router::names, filter(router::filter))
            .add("tower#cascade", cascade::names, filter(cascade::filter))
            .add("tower#router", router::names, composite(router::app));
        let shared = |registry: Self, egg| {
            let name = |entry| format!("{egg}#{entry}");
            registry
                .add(&name("static"), none, Maker::App(Box::new(files::files)))
                .add(
                    &name("cascade"),
                    cascade::names,
                    composite(cascade::composite),
                )
                .add(&name("urlmap"), urlmap::names, composite(urlmap::composite))
        };
        ["tower", "Paste"].into_iter().fold(registry, shared)
    }
}

/// A factory that gets what its settings name.
type With<T> = fn(&Settings, &Settings, &Parts<'_>) -> Result<T, Error>;
