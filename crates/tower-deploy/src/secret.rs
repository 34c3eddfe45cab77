//! Which values are shown to nobody.

/// What stands in the place of one.
pub(crate) const MASK: &str = "[redacted]";

/// Whether a key is a secret's by its name.
pub(crate) fn is_secret(key: &str) -> bool {
    const WORDS: [&str; 10] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "apikey",
        "accesskey",
        "credential",
        "privatekey",
        "signingkey",
    ];
    const LAST: [&str; 6] = ["key", "keys", "auth", "authorization", "pwd", "pass"];
    let plain = key.chars().filter(char::is_ascii_alphanumeric);
    let plain = plain.collect::<String>().to_ascii_lowercase();
    // `accessKey` has two words.
    let last = key.rfind(|c: char| !c.is_ascii_lowercase()).unwrap_or(0);
    let last = key[last..].trim_start_matches([' ', '.', '_', '-']);
    let all = key.rsplit([' ', '.', '_', '-']).next().unwrap_or(key);
    let is_last = |word: &&str| last.eq_ignore_ascii_case(word) || all.eq_ignore_ascii_case(word);
    WORDS.iter().any(|word| plain.contains(word)) || LAST.iter().any(is_last)
}

/// A value as it may be shown: not that of a secret, and no user and password of a URL.
pub(crate) fn shown(key: &str, value: &str) -> String {
    if is_secret(key) {
        return MASK.to_owned();
    }
    let mut out = String::new();
    let mut rest = value;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        out.push_str(before);
        let end = url.find(|c: char| c.is_whitespace() || "\"'<>".contains(c));
        let (url, after) = url.split_at(end.unwrap_or(url.len()));
        match url.rfind('@') {
            // An at sign in a path or a query is none of a user's, unless a password holds a slash.
            Some(user)
                if url[..user]
                    .find(['/', '?', '#'])
                    .is_none_or(|end| url[..end].contains(':')) =>
            {
                out.push_str(MASK);
                out.push_str(&url[user..]);
            }
            _ => out.push_str(url),
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each word is written out here, so that none can be lost in the code.
    #[test]
    fn a_key_is_a_secrets_by_the_words_in_it() {
        for key in [
            "password",
            "passwd",
            "passphrase",
            "secret",
            "token",
            "apikey",
            "accesskey",
            "credential",
            "credentials",
            "privatekey",
            "signingkey",
            "key",
            "keys",
            "auth",
            "authorization",
            "pwd",
            "pass",
        ] {
            let (first, rest) = key.split_at(1);
            let capital = format!("{}{rest}", first.to_uppercase());
            for key in [
                key.to_owned(),
                key.to_uppercase(),
                format!("db_{key}"),
                format!("db.{key}"),
                format!("X-Db-{capital}"),
                format!("db{capital}"),
                format!("DB_{}", key.to_uppercase()),
                format!("db {key}"),
            ] {
                assert!(is_secret(&key), "{key}");
            }
        }
        for key in [
            "passwords_file",
            "client_secret_path",
            "api-key-id",
            "API_KEY",
            "private.key.file",
            "signing_key_1",
            "tokens",
        ] {
            assert!(is_secret(key), "{key}");
        }
        for key in [
            "",
            "host",
            "monkey",
            "author",
            "compass",
            "keyboard",
            "keys_path",
            "pass_headers",
            "auth_url",
            "passenger",
            "x-forwarded-for",
            "forward",
        ] {
            assert!(!is_secret(key), "{key}");
        }
    }

    #[test]
    fn a_user_of_a_url_is_not_shown() {
        for (value, expected) in [
            ("http://joe:hunter2@h/", "http://[redacted]@h/"),
            ("a http://joe@h b", "a http://[redacted]@h b"),
            (
                "http://a:b@h 'ftp://c:d@i'",
                "http://[redacted]@h 'ftp://[redacted]@i'",
            ),
            ("http://a:p@ss@h/", "http://[redacted]@h/"),
            ("http://a:p/ss@h/", "http://[redacted]@h/"),
            ("http://a:p?ss@h/", "http://[redacted]@h/"),
            ("http://a:p#ss@h/", "http://[redacted]@h/"),
            ("http://h/@user", "http://h/@user"),
            ("http://h?to=a@b", "http://h?to=a@b"),
            ("joe@example.org", "joe@example.org"),
            ("http://h/", "http://h/"),
            ("", ""),
        ] {
            assert_eq!(shown("about", value), expected, "{value}");
            assert_eq!(shown("db_password", value), MASK);
        }
    }
}
