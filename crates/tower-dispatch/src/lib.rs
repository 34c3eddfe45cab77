#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod alternatives;
mod args;
mod audit;
mod automaton;
mod builder;
mod class;
mod endpoint;
mod endpoint_body;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod ids;
mod layer;
mod not_dispatched;
mod parse;
mod path;
mod pattern;
mod preflight;
mod regexes;
mod routes;
mod safe_path;
mod service;
mod spans;
mod suffixes;
mod table;
mod template;
mod tree;
mod url_for;
mod view;

pub use args::UrlArgs;
pub use audit::{Audit, Unreachable};
pub use builder::{BuildDispatchError, BuildDispatchErrorKind, Builder};
pub use endpoint::{BoxError, Boxed, Endpoint, EndpointFuture, Fallible, IntoEndpoint, Typed};
pub use endpoint_body::EndpointBody;
#[cfg(feature = "axum")]
pub use extract::Args;
pub use future::ResponseFuture;
pub use layer::{DispatchLayer, LayerResponseFuture, WithDispatch};
pub use not_dispatched::NotDispatched;
pub use parse::ParseArgsError;
pub use path::DecodePathError;
pub use pattern::{Pattern, PatternError};
pub use safe_path::UnsafePath;
pub use service::Dispatch;
pub use table::{Match, Table, TableError};
pub use url_for::{UrlForError, UrlForErrorKind};
pub use view::View;

#[doc = include_str!("../RULES.md")]
pub mod rules {}
