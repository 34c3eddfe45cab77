use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;

use crate::{BuildError, BuildErrorKind};

/// An IP address or a network, such as `10.0.0.0/8` or `::1`.
///
/// ```
/// use tower_upstream::Network;
///
/// assert!("10.0.0.0/8".parse::<Network>().is_ok());
/// assert!("10.0.0.0/33".parse::<Network>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Returns whether an address, in its canonical form, is in the network.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Network {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address.to_canonical())),
            Err(_) => text.parse(),
        };
        network.map(Self).map_err(|_| {
            let message =
                format!("`{text}` is not an address or a network, such as 10.0.0.0/8 or ::1");
            BuildError::new(BuildErrorKind::Network, message)
        })
    }
}

impl TryFrom<&str> for Network {
    type Error = BuildError;

    fn try_from(text: &str) -> Result<Self, BuildError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstream_4_a_peer_is_an_address_or_in_a_network() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("2001:db8::/32", "2001:db8::9", "2001:db9::9"),
        ] {
            let network: Network = text.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{text}");
            assert!(!network.contains(outside.parse().unwrap()), "{text}");
        }
        for text in ["", "10.0.0.0/33", "example.org", "10.0.0.0/8 "] {
            let error = text.parse::<Network>().unwrap_err();
            assert_eq!(error.kind(), BuildErrorKind::Network, "{text}");
            let expected =
                format!("`{text}` is not an address or a network, such as 10.0.0.0/8 or ::1");
            assert_eq!(error.to_string(), expected);
        }
    }
}
