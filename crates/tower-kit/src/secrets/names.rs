//! The names of secrets.

/// Parts of names that mark a secret, whatever else is in the name.
const ALWAYS: [&str; 15] = [
    "accesskey",
    "apikey",
    "credential",
    "csrf",
    "jwt",
    "motdepasse",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "pwd",
    "secret",
    "signingkey",
    "xsrf",
];

/// Parts of names that mark a secret, except in the names of settings about one.
const USUALLY: [&str; 7] = [
    "auth",
    "cookie",
    "private",
    "sessid",
    "session",
    "signature",
    "token",
];

/// Whole words that mark a secret. As parts they are in many other words: `design`, `inside`.
const WORDS: [&str; 12] = [
    "bearer", "cred", "creds", "cvc", "cvv", "hmac", "hotp", "otp", "psk", "sid", "sig", "totp",
];

/// Starts and ends of words: `keypair`, `sshkey`, `passconfirm`, `dbpass`.
const EDGES: [&str; 3] = ["key", "keys", "pass"];

/// English words that begin or end with such a word.
const ENGLISH: [&str; 41] = [
    "bypass",
    "compass",
    "donkey",
    "donkeys",
    "encompass",
    "hockey",
    "jockey",
    "keyboard",
    "keyboards",
    "keycode",
    "keydown",
    "keyframe",
    "keyframes",
    "keymap",
    "keynote",
    "keypad",
    "keypress",
    "keyspace",
    "keystroke",
    "keystrokes",
    "keyup",
    "keyword",
    "keywords",
    "monkey",
    "monkeys",
    "overpass",
    "passage",
    "passages",
    "passed",
    "passenger",
    "passengers",
    "passes",
    "passing",
    "passion",
    "passive",
    "passthrough",
    "passthru",
    "surpass",
    "trespass",
    "turkey",
    "whiskey",
];

/// Standard headers that have such a part and no secret, written as one word.
const HARMLESS: [&str; 5] = [
    "accesscontrolallowcredentials",
    "accesscontrolallowprivatenetwork",
    "accesscontrolrequestprivatenetwork",
    "idempotencykey",
    "secwebsocketkey",
];

/// The last words of settings about a secret, which are not secret: `cookie_path`, `auth_url`.
const SETTINGS: [&str; 15] = [
    "dir", "file", "headers", "host", "length", "limit", "path", "port", "size", "status",
    "statuses", "timeout", "type", "uri", "url",
];

/// Returns whether this is the name of a secret: of a header, a parameter, a field or a setting.
///
/// Case and separators do not matter. A name in camel case has the words that it has with
/// underscores.
///
/// ```
/// use tower_kit::secrets::is_secret;
///
/// assert!(is_secret("X-Api-Key") && is_secret("dbPassword") && is_secret("sessionid"));
/// assert!(!is_secret("monkey") && !is_secret("author") && !is_secret("session_timeout"));
/// ```
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let words = words(name);
    let joined = words.concat();
    if HARMLESS.contains(&joined.as_str()) {
        return false;
    }
    if ALWAYS.iter().any(|part| joined.contains(part)) {
        return true;
    }
    let last = words.last().map_or("", String::as_str);
    if words.len() > 1 && SETTINGS.contains(&last) {
        return false;
    }
    words.iter().any(|word| is_secret_word(word))
        || USUALLY.iter().any(|part| has_part(&joined, part))
}

fn is_secret_word(word: &str) -> bool {
    let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let has_edge = |edge: &&str| word.starts_with(*edge) || word.ends_with(*edge);
    WORDS.contains(&word) || EDGES.iter().any(has_edge) && !ENGLISH.contains(&word)
}

/// Returns whether the name has this part. An author and a URL's authority are not about
/// authentication.
fn has_part(name: &str, part: &str) -> bool {
    name.match_indices(part).any(|(at, _)| {
        let rest = &name[at..];
        !rest.starts_with("author") || rest.starts_with("authori") && !rest.starts_with("authorit")
    })
}

/// Returns the words of a name in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let begins = c.is_ascii_uppercase() && before.is_ascii_lowercase();
        if (begins || !c.is_ascii_alphanumeric())
            && words.last().is_some_and(|word| !word.is_empty())
        {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words are written out here, so that none can get lost in the code.
    #[test]
    fn kit_9_every_word_of_a_secret_counts() {
        for word in [
            "accesskey",
            "apikey",
            "auth",
            "authorization",
            "bearer",
            "bearertoken",
            "cookie",
            "cred",
            "credential",
            "credentials",
            "creds",
            "csrf",
            "cvc",
            "cvv",
            "dbpass",
            "hmac",
            "hotp",
            "jwt",
            "key",
            "keymaterial",
            "keypair",
            "keys",
            "motdepasse",
            "oauth",
            "otp",
            "pass",
            "passcode",
            "passconfirm",
            "passphrase",
            "passwd",
            "password",
            "passwort",
            "private",
            "privatekey",
            "psk",
            "pwd",
            "secret",
            "sessid",
            "session",
            "sid",
            "sig",
            "signature",
            "signingkey",
            "sshkey",
            "token",
            "tokens",
            "totp",
            "xsrf",
        ] {
            let (first, rest) = word.split_at(1);
            let capital = format!("{}{rest}", first.to_uppercase());
            for name in [
                word.to_owned(),
                word.to_uppercase(),
                format!("db_{word}"),
                format!("db.{word}"),
                format!("db {word}"),
                format!("X-Db-{capital}"),
                format!("db{capital}"),
                format!("DB_{}", word.to_uppercase()),
                format!("{word}-id"),
                format!("{word}_1"),
                format!("{word}2"),
            ] {
                assert!(is_secret(&name), "{name}");
            }
        }
        for name in [
            "Proxy-Authorization",
            "set-cookie",
            "sessionid",
            "connect.sid",
            "client_secret_path",
            "passwords_file",
            "api-key-id",
            "authority-token",
            "x-authorised-by",
            "authorToken",
            "storageaccountkey1",
            "aesKey256",
            "tls_keypem",
            "mot_de_passe",
            "newpass2",
            "PHPSESSID",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "",
            "-",
            "accept",
            "access-control-allow-credentials",
            "access-control-allow-private-network",
            "access-control-request-private-network",
            "host",
            "design",
            "inside",
            "stop",
            "hotpot",
            "idempotency-key",
            "sec-websocket-key",
            "user",
            "name",
            "id",
            "monkey",
            "author",
            "authority",
            "authoritative-server",
            "co_author",
            "compass",
            "bypass_cache",
            "keyboard",
            "keywords",
            "keep-alive",
            "passenger",
            "passive",
            "passthrough2",
            "x-forwarded-for",
            "forward",
        ] {
            assert!(!is_secret(name), "{name}");
        }
        for last in [
            "dir", "file", "headers", "host", "length", "limit", "path", "port", "size", "status",
            "statuses", "timeout", "type", "uri", "url",
        ] {
            for first in [
                "auth", "cookie", "key", "pass", "private", "session", "sig", "token",
            ] {
                assert!(!is_secret(&format!("{first}_{last}")), "{first}_{last}");
            }
            assert!(is_secret(&format!("password_{last}")), "{last}");
        }
    }
}
