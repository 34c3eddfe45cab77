//! Whatever an address to listen on is made of: it is read and prints as it was written, or its
//! error names it and ends in what was expected.

use tower_serve::Address;

pub(crate) fn listen_address_parse(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    match text.parse::<Address>() {
        Ok(address) => {
            assert_eq!(address.to_string(), text);
            assert_eq!(
                matches!(address, Address::Unix(_)),
                text.starts_with("unix:")
            );
            // A port is what a client needs.
            if let Address::Tcp(address) = address {
                let (_, port) = address.rsplit_once(':').expect("it has a port");
                assert!(port.parse::<u16>().is_ok());
            }
        }
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains(text), "{error}");
            assert!(
                error.contains(" (expected ") && error.ends_with(')'),
                "{error}"
            );
        }
    }
}
