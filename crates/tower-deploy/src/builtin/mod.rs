//! The built-in factories.

mod access_log;
mod cascade;
mod compression;
mod error_documents;
mod files;
mod filters;
#[cfg(feature = "gateway")]
mod gateway;
#[cfg(feature = "gateway")]
mod gateway_server;
mod hooks;
mod http_filters;
#[cfg(feature = "tls")]
mod https;
mod origins;
#[cfg(any(feature = "gateway", feature = "proxy"))]
mod parsed;
#[cfg(all(feature = "process", unix))]
mod process;
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
pub(crate) use access_log::access_log;

use crate::{
    App, Error, Filter, Parts, Registry, Server, Settings, effective,
    factory::{Factory, Maker},
};

impl Registry {
    /// Returns a registry with the built-in factories, which [`builtins`](crate::builtins) lists:
    /// `egg:tower#…`, and those that files of Paste and PasteDeploy name.
    #[must_use]
    #[track_caller]
    pub fn standard() -> Self {
        let registry = Self::new();
        #[cfg(feature = "proxy")]
        let registry = ["tower#proxy", "Paste#proxy"]
            .into_iter()
            .fold(registry, |registry, name| {
                registry.shown(name, Maker::App, proxy::app)
            });
        #[cfg(feature = "gateway")]
        let registry = registry
            .shown("tower#fastcgi", Maker::App, gateway::fastcgi)
            .shown("tower#scgi", Maker::App, gateway::scgi);
        #[cfg(all(feature = "gateway", unix))]
        let registry = registry.shown("tower#cgi", Maker::App, gateway::cgi).shown(
            "Paste#cgi",
            Maker::App,
            gateway::paste_cgi,
        );
        let registry = registry
            .shown("tower#text", Maker::App, text::text)
            .shown("tower#redirect", Maker::App, text::redirect)
            .app("tower#checksum", trial::checksum)
            .app("tower#panic", trial::panic)
            .shown("tower#mount", Maker::Filter, filters::mount)
            .shown("tower#origin", Maker::Filter, filters::origin)
            .shown("PasteDeploy#prefix", Maker::Filter, filters::script_prefix)
            .shown("tower#prefix", Maker::Filter, filters::prefix)
            .shown("tower#replace", Maker::Filter, filters::replace)
            .filter("tower#lint", filters::lint)
            .filter("Paste#lint", filters::lint)
            .shown("tower#exception", Maker::Filter, filters::exception)
            .shown("Paste#error_catcher", Maker::Filter, filters::exception)
            .filter("tower#trace", access_log::trace)
            .filter("Paste#translogger", access_log::trace)
            .filter("tower#compression", compression::compression)
            .filter("Paste#gzip", compression::compression)
            .shown("tower#timeout", Maker::Filter, http_filters::timeout)
            .shown("tower#body-limit", Maker::Filter, http_filters::body_limit)
            .shown("tower#request-id", Maker::Filter, http_filters::request_id)
            .shown("tower#cors", Maker::Filter, http_filters::cors)
            .hook("tower#server-timing", hooks::server_timing);
        let app = |make: With<App>| Factory::new(Maker::App(Box::new(make)));
        let composite = |make: With<App>| Factory::new(Maker::Composite(Box::new(make)));
        let filter = |make: With<Filter>| Factory::new(Maker::Filter(Box::new(make)));
        let server = |make: With<Server>| Factory::new(Maker::Server(Box::new(make)));
        let cascaded = |factory: Factory| {
            let factory = factory.names(cascade::names);
            factory.effective(cascade::effective)
        };
        #[cfg(feature = "gateway")]
        let registry = registry
            .add(
                "tower#fastcgi",
                server(gateway_server::fastcgi).effective(gateway_server::effective_fastcgi),
            )
            .add(
                "tower#scgi",
                server(gateway_server::scgi).effective(gateway_server::effective_scgi),
            )
            .add(
                "tower#cgi",
                server(gateway_server::cgi).effective(gateway_server::effective_cgi),
            );
        #[cfg(all(feature = "process", unix))]
        let registry = registry.add(
            "tower#process",
            app(process::app).effective(process::effective),
        );
        #[cfg(feature = "tls")]
        let registry = registry.add(
            "tower#https",
            server(https::https).effective(https::effective),
        );
        let registry = registry
            .add(
                "tower#http",
                server(server::http).effective(server::effective),
            )
            .add(
                "Paste#http",
                server(server::paste).effective(server::effective),
            )
            .add("tower#environ", filter(filters::environ))
            .add("tower#set-header", filter(http_filters::set_header))
            .add("tower#error-documents", filter(error_documents::filter))
            .add("Paste#errordocument", filter(error_documents::filter))
            .add(
                "tower#hooks",
                filter(filters::hooks)
                    .names(filters::hook_names)
                    .effective(effective::of::<filters::Hooks>),
            )
            .add(
                "tower#dispatch",
                filter(router::filter).names(router::names),
            )
            .add("tower#cascade", cascaded(filter(cascade::filter)))
            .add("tower#router", composite(router::app).names(router::names));
        let shared = |registry: Self, egg| {
            let name = |entry| format!("{egg}#{entry}");
            registry
                .add(
                    &name("static"),
                    app(files::files).effective(effective::of::<files::Static>),
                )
                .add(&name("cascade"), cascaded(composite(cascade::composite)))
                .add(
                    &name("urlmap"),
                    composite(urlmap::composite).names(urlmap::names),
                )
        };
        ["tower", "Paste"].into_iter().fold(registry, shared)
    }
}

/// A factory that gets the parts that its settings name.
type With<T> = fn(&Settings, &Settings, &Parts<'_>) -> Result<T, Error>;
