use std::{
    error, fmt,
    net::{Ipv6Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

/// Where to listen: `127.0.0.1:8080`, `[::1]:80`, `localhost:8080`, `unix:/run/site.sock`.
///
/// ```
/// use tower_serve::Address;
///
/// let address: Address = "localhost:8080".parse()?;
/// assert_eq!(address, Address::Tcp("localhost:8080".to_owned()));
///
/// let error = "localhost".parse::<Address>().unwrap_err();
/// assert_eq!(error.to_string(), "`localhost` has no port (would be right: `localhost:8080`)");
/// # Ok::<_, tower_serve::ParseAddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// `HOST:PORT`: an address or a name, and a port; port 0 is one that the system chooses. Of a name's addresses, the
    /// first that can be listened on is taken.
    Tcp(String),
    /// The path of a socket in the file system. Its mode is what the umask leaves.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        match text.strip_prefix("unix:") {
            Some("") => Err(wrong("`unix:` has no path", "`unix:/run/site.sock`")),
            Some(path) => Ok(Self::Unix(path.into())),
            None => check_tcp(text).map(|()| Self::Tcp(text.to_owned())),
        }
    }
}

fn check_tcp(text: &str) -> Result<(), ParseAddressError> {
    if text.parse::<SocketAddr>().is_ok() {
        return Ok(());
    }
    if let Some((_, rest)) = text.split_once("://") {
        let right = format!("`{}`", rest.trim_end_matches('/'));
        return Err(wrong(&format!("`{text}` is a URL"), &right));
    }
    if text.parse::<u16>().is_ok() {
        let right = format!("`127.0.0.1:{text}`, or `0.0.0.0:{text}` for every interface");
        return Err(wrong(&format!("`{text}` has no host"), &right));
    }
    let no_port = || format!("`{text}` has no port");
    let Some((host, port)) = text.rsplit_once(':') else {
        let host = if text.is_empty() { "localhost" } else { text };
        return Err(wrong(&no_port(), &format!("`{host}:8080`")));
    };
    if host.parse::<Ipv6Addr>().is_ok() {
        let what = format!("`{text}` has an IPv6 address without brackets");
        return Err(wrong(&what, &format!("`[{host}]:{port}`")));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(wrong(&no_port(), &format!("`[{text}]:8080`")));
    }
    if text.starts_with('[') && text.ends_with(']') {
        return Err(wrong(&no_port(), &format!("`{text}:8080`")));
    }
    if port.parse::<u16>().is_err() {
        let what = format!("`{port}` in `{text}` is not a port");
        return Err(wrong(&what, "a number from 0 to 65535"));
    }
    if matches!(host, "" | "*") {
        let right = format!("`127.0.0.1:{port}`, or `0.0.0.0:{port}` for every interface");
        return Err(wrong(&format!("`{text}` has no host"), &right));
    }
    if !is_name(host) {
        let what = format!("`{host}` in `{text}` is neither an address nor a name");
        return Err(wrong(&what, "like `127.0.0.1`, `[::1]` or `localhost`"));
    }
    Ok(())
}

/// What can be looked up. A name whose last label is a number is an address gone wrong.
fn is_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut labels = host.split('.');
    let last = labels.clone().next_back().unwrap_or_default();
    labels.all(|label| !label.is_empty() && label.bytes().all(is_known))
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A text that is no [`Address`]. It says what was found and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseAddressError {
    what: String,
    right: String,
}

fn wrong(what: &str, right: &str) -> ParseAddressError {
    ParseAddressError {
        what: what.to_owned(),
        right: right.to_owned(),
    }
}

impl fmt::Display for ParseAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (would be right: {})", self.what, self.right)
    }
}

impl error::Error for ParseAddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_prints_as_it_was_read() {
        for text in [
            "127.0.0.1:8080",
            "0.0.0.0:0",
            "[::1]:80",
            "[::]:65535",
            "localhost:8080",
            "my-host_1.example.org.:1",
            "unix:/run/site.sock",
            "unix:relative.sock",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_says_what_would_be_right() {
        for (text, error) in [
            ("", "`` has no port (would be right: `localhost:8080`)"),
            (
                "localhost",
                "`localhost` has no port (would be right: `localhost:8080`)",
            ),
            (
                "8080",
                "`8080` has no host (would be right: `127.0.0.1:8080`, or `0.0.0.0:8080` for every interface)",
            ),
            (
                ":8080",
                "`:8080` has no host (would be right: `127.0.0.1:8080`, or `0.0.0.0:8080` for every interface)",
            ),
            (
                "*:80",
                "`*:80` has no host (would be right: `127.0.0.1:80`, or `0.0.0.0:80` for every interface)",
            ),
            ("::1", "`::1` has no port (would be right: `[::1]:8080`)"),
            (
                "[::1]",
                "`[::1]` has no port (would be right: `[::1]:8080`)",
            ),
            (
                "::1:80",
                "`::1:80` has an IPv6 address without brackets (would be right: `[::1]:80`)",
            ),
            (
                "http://localhost:8080/",
                "`http://localhost:8080/` is a URL (would be right: `localhost:8080`)",
            ),
            (
                "localhost:http",
                "`http` in `localhost:http` is not a port (would be right: a number from 0 to 65535)",
            ),
            (
                "localhost:65536",
                "`65536` in `localhost:65536` is not a port (would be right: a number from 0 to 65535)",
            ),
            (
                "300.0.0.1:80",
                "`300.0.0.1` in `300.0.0.1:80` is neither an address nor a name (would be right: like `127.0.0.1`, `[::1]` or `localhost`)",
            ),
            (
                "a b:80",
                "`a b` in `a b:80` is neither an address nor a name (would be right: like `127.0.0.1`, `[::1]` or `localhost`)",
            ),
            (
                "unix:",
                "`unix:` has no path (would be right: `unix:/run/site.sock`)",
            ),
        ] {
            assert_eq!(text.parse::<Address>().unwrap_err().to_string(), error);
        }
    }
}
