//! `egg:tower#https`: the settings of `http`, and those of TLS.

use std::{path::Path, time::Duration};

use http::HeaderValue;
use tower_serve::{Address, Tls, TlsError};

use super::server::{Http, Made, effective_on, made, wrong};
use crate::{Error, Parts, Server, Settings, effective::Effective, https::Https};

const PORT: u16 = 8443;
/// The value of `certificate` that makes one.
#[cfg(feature = "self-signed")]
const SELF_SIGNED: &str = "self-signed";

pub(super) fn effective(local: &Settings) -> Effective {
    effective_on(PORT, local)
}

pub(super) fn https(_: &Settings, local: &Settings, _: &Parts<'_>) -> Result<Server, Error> {
    let Made {
        server,
        address,
        settings,
    } = made(local, PORT)?;
    let tls = tls(local, &settings)?;
    let wrong = |key, message: &str| wrong(local, key, message);
    let hsts = settings.hsts.map(hsts);
    let redirect = match settings.redirect_http {
        None if settings.redirect_port.is_some() => {
            let error = wrong(
                "redirect_port",
                "there is no redirect without `redirect_http`",
            );
            return Err(error.help("add `redirect_http = 80`"));
        }
        None => None,
        Some(port) => {
            let Address::Tcp(address) = &address else {
                let message = "a Unix socket has no host on which this port could be";
                return Err(wrong("redirect_http", message));
            };
            let (host, own) = address.rsplit_once(':').unwrap_or((address, ""));
            if own == port.to_string() && port != 0 {
                let message = "HTTP and HTTPS cannot have the same port";
                return Err(wrong("redirect_http", message));
            }
            let address = Address::Tcp(format!("{host}:{port}"));
            Some(server.clone().address(address))
        }
    };
    let https = Https::new(server, tls).hsts(hsts);
    Ok(Server::https(
        https.redirect(redirect, settings.redirect_port),
    ))
}

fn hsts(time: Duration) -> HeaderValue {
    let value = format!("max-age={}", time.as_secs());
    HeaderValue::try_from(value).expect("letters and digits")
}

/// Reads the certificates. One file is in each line of `certificate`, and its key in the same line
/// of `key`.
fn tls(local: &Settings, settings: &Http) -> Result<Tls, Error> {
    let wrong = |key, message: &str| wrong(local, key, message);
    let lines = |text: &Option<String>| {
        let lines = text.iter().flat_map(|text| text.lines());
        let lines = lines.map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (chains, keys) = (lines(&settings.certificate), lines(&settings.key));
    #[cfg(feature = "self-signed")]
    if chains == [SELF_SIGNED] && keys.is_empty() {
        let names = ["localhost", "127.0.0.1", "::1"];
        return Tls::self_signed(names).map_err(|error| caused(wrong("certificate", ""), error));
    }
    let needed = |key, what: &str| {
        let help = format!("add `{key} = /path/to/{what}.pem`");
        wrong(key, "it is needed, and is not there").help(help)
    };
    if chains.is_empty() {
        return Err(needed("certificate", "fullchain"));
    }
    if keys.is_empty() {
        return Err(needed("key", "privkey"));
    }
    if chains.len() != keys.len() {
        let count = |count, what| match count {
            1 => format!("1 {what}"),
            count => format!("{count} {what}s"),
        };
        let (chains, keys) = (count(chains.len(), "certificate"), count(keys.len(), "key"));
        let error = wrong("key", &format!("there are {chains} and {keys}"));
        return Err(error.help("write the key of each certificate in the same line of `key`"));
    }
    let located = |number: usize, chain: &str, error: TlsError| {
        let key = match error.path() == Some(Path::new(chain)) {
            true => "certificate",
            false => "key",
        };
        let value = local.value(key);
        // A value that begins in the line below its key has an empty first line.
        let begins = value.map_or(0, |value| {
            let empty = |line: &&str| line.trim().is_empty();
            value.text().lines().take_while(empty).count()
        });
        let place = value.and_then(|value| value.line_place(begins + number));
        let error = caused(Error::setting(key, &error), error);
        error.at(place.as_ref())
    };
    let mut tls = None;
    for (number, (chain, key)) in chains.iter().zip(&keys).enumerate() {
        let added = match tls.take() {
            None => Tls::new(chain, key),
            Some(tls) => Tls::certificate(tls, chain, key),
        };
        tls = Some(added.map_err(|error| located(number, chain, error))?);
    }
    tls.ok_or_else(|| needed("certificate", "fullchain"))
}

/// Adds the reason of an error of TLS, without the error itself, which is the message.
fn caused(error: Error, tls: TlsError) -> Error {
    match std::error::Error::source(&tls) {
        Some(source) => error.caused_by(source.to_string().into()),
        None => error,
    }
}
