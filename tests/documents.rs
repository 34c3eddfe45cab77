//! The programs of the guides, as doc tests. Those of a crate's README are tested by the crate.

#![cfg(doctest)]

#[doc = include_str!("../docs/guides/catch-panics.md")]
pub mod catch_panics {}

#[doc = include_str!("../docs/guides/change-bodies.md")]
pub mod change_bodies {}

#[doc = include_str!("../docs/guides/client-address.md")]
pub mod client_address {}

#[doc = include_str!("../docs/guides/config-file.md")]
pub mod config_file {}

#[doc = include_str!("../docs/guides/error-page.md")]
pub mod error_page {}

#[doc = include_str!("../docs/guides/error-responses.md")]
pub mod error_responses {}

#[doc = include_str!("../docs/guides/fall-back.md")]
pub mod fall_back {}

#[doc = include_str!("../docs/guides/files.md")]
pub mod files {}

#[doc = include_str!("../docs/guides/gateway.md")]
pub mod gateway {}

#[doc = include_str!("../docs/guides/mount.md")]
pub mod mount {}

#[doc = include_str!("../docs/guides/php.md")]
pub mod php {}

#[doc = include_str!("../docs/guides/process.md")]
pub mod process {}

#[doc = include_str!("../docs/guides/python.md")]
pub mod python {}

#[doc = include_str!("../docs/guides/respond-early.md")]
pub mod respond_early {}

#[doc = include_str!("../docs/guides/rest-and-grpc.md")]
pub mod rest_and_grpc {}

#[doc = include_str!("../docs/guides/routes.md")]
pub mod routes {}

#[doc = include_str!("../docs/guides/spa.md")]
pub mod spa {}

#[doc = include_str!("../docs/guides/values.md")]
pub mod values {}

#[doc = include_str!("../docs/guides/websockets.md")]
pub mod websockets {}
