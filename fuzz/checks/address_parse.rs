//! A parsed address prints as an address that parses to the same. An error shows nothing of the
//! text. The fuzz target and the test that replays its corpus share this file.

use tower_upstream::{Address, Upstream};

/// A character that no message has by itself.
const SECRET: &str = "hunter2";

pub(crate) fn address_parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match text.parse::<Address>() {
        Ok(address) => {
            let printed = address.to_string();
            let again = printed.parse::<Address>();
            assert_eq!(again.as_ref(), Ok(&address), "{text:?} {printed:?}");
            assert!(Upstream::new(text).is_ok(), "{text:?}");
        }
        Err(error) => assert!(!error.to_string().contains(SECRET), "{text:?}: {error}"),
    }
}
