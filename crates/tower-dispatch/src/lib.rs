#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod alternatives;
mod args;
#[cfg(feature = "regex")]
mod audit;
#[cfg(feature = "regex")]
mod automaton;
#[cfg(feature = "axum")]
mod axum_dispatch;
mod backtracker;
mod build_error;
mod builder;
mod class;
mod endpoint;
mod endpoint_body;
mod endpoint_future;
mod expr;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod ids;
mod layer;
mod matchers;
mod not_dispatched;
mod parse;
mod parse_args_error;
mod path;
mod pattern;
mod preflight;
#[cfg(feature = "regex")]
mod regex;
mod routes;
mod safe_path;
mod service;
mod spans;
mod suffixes;
#[cfg(feature = "regex")]
mod syntax;
mod table;
mod table_error;
mod template;
mod tree;
mod url_for;
mod view;

pub use args::UrlArgs;
#[cfg(feature = "regex")]
pub use audit::{Audit, Unreachable};
#[cfg(feature = "axum")]
pub use axum_dispatch::{AxumDispatch, AxumResponseFuture};
pub use build_error::{BuildDispatchError, BuildDispatchErrorKind};
pub use builder::Builder;
pub use endpoint::{BoxError, Boxed, Endpoint, Fallible, IntoEndpoint, Typed};
pub use endpoint_body::EndpointBody;
pub use endpoint_future::EndpointFuture;
#[cfg(feature = "axum")]
pub use extract::Args;
pub use future::ResponseFuture;
pub use layer::{DispatchLayer, LayerResponseFuture, WithDispatch};
pub use not_dispatched::NotDispatched;
pub use parse_args_error::ParseArgsError;
pub use path::DecodePathError;
pub use pattern::{Pattern, PatternError};
pub use safe_path::UnsafePath;
pub use service::Dispatch;
pub use table::{Match, Table};
pub use table_error::TableError;
pub use url_for::{UrlForError, UrlForErrorKind};
pub use view::View;

#[doc = include_str!("../RULES.md")]
pub mod rules {}
