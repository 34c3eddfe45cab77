//! What a section says.
//!
//! Each value reads itself, so that what is wrong with it is reported at its own place in the file.

use std::{net::IpAddr, time::Duration};

use http::{HeaderName, Method};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{headers::check_passed, names::plain, upstream::Address};
use crate::de::some_time;

/// The settings of the app `proxy`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct ProxySettings {
    /// Where the upstream is.
    #[serde(skip_serializing)]
    pub(crate) address: Address,
    /// The methods that are passed on; all, if there are none.
    #[serde(default, skip_serializing)]
    pub(crate) allowed_request_methods: Vec<AllowedMethod>,
    /// Headers that the upstream does not get.
    #[serde(default, skip_serializing)]
    pub(crate) suppress_http_headers: Vec<Suppressed>,
    /// Headers that the upstream gets though it might take their names for others.
    #[serde(default, skip_serializing)]
    pub(crate) pass_headers: Vec<Passed>,
    /// Whose name the upstream finds in `Host`.
    #[serde(default)]
    pub(crate) host: HostPolicy,
    /// The time for a connection, looking the name up included.
    #[serde(default = "five_seconds", deserialize_with = "some_time")]
    pub(crate) connect_timeout: Duration,
    /// The time for the head of the response, from the last that the upstream was sent.
    #[serde(default = "a_minute", deserialize_with = "some_time")]
    pub(crate) header_timeout: Duration,
    /// The time for each further frame of the response.
    #[serde(default = "a_minute", deserialize_with = "some_time")]
    pub(crate) idle_timeout: Duration,
    /// The peers whose forwarding headers are believed.
    #[serde(default, skip_serializing)]
    pub(crate) trusted: Vec<Network>,
}

/// Whose name is in the `Host` that the upstream gets. The client's own is in X-Forwarded-Host either way.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HostPolicy {
    /// The upstream's, as its address has it: what Paste and nginx send. The client cannot choose among the sites of a server that has several.
    #[default]
    Upstream,
    /// The client's, for an upstream that makes links of it.
    Client,
}

/// Paste takes methods in lower case, too. In HTTP they are in upper case, and `get` is another method than `GET`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct AllowedMethod(pub(crate) Method);

impl TryFrom<String> for AllowedMethod {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match Method::from_bytes(text.to_ascii_uppercase().as_bytes()) {
            Ok(Method::CONNECT) => Err("CONNECT cannot be passed on".to_owned()),
            Ok(method) => Ok(Self(method)),
            Err(_) => Err(format!("`{text}` is not a method, such as GET")),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Suppressed(pub(crate) HeaderName);

impl TryFrom<String> for Suppressed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // One name covers all spellings.
        let name = header_name(&text, "User-Agent")?;
        header_name(&plain(name.as_str()), "User-Agent").map(Self)
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Passed(pub(crate) HeaderName);

impl TryFrom<String> for Passed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = header_name(&text, "X_Token")?;
        check_passed(&name).map(|()| Self(name))
    }
}

fn header_name(text: &str, such_as: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| format!("`{text}` is not a header's name, such as {such_as}"))
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Network(IpNet);

impl Network {
    /// Of an address in its canonical form.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let address = text.parse::<IpAddr>();
        let network = match address {
            Ok(address) => Ok(IpNet::from(address.to_canonical())),
            Err(_) => text.parse(),
        };
        network.map(Self).map_err(|_| {
            format!("`{text}` is not an address or a network, such as 10.0.0.0/8 or ::1")
        })
    }
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}
