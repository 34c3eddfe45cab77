//! A server for HTTP/1 and HTTP/2 that ends well.

mod acceptor;
mod address;
mod bind;
mod connection;
mod content;
mod handed_over;
mod limits;
mod listener;
mod panic;
mod request_body;
mod request_head;
mod requests;
mod server;
mod shutdown;
mod stream;
#[cfg(unix)]
mod unix;

pub use address::{Address, ParseAddressError};
pub use server::{Bound, HttpServer, serve};
pub use shutdown::{Shutdown, ShutdownTrigger};
