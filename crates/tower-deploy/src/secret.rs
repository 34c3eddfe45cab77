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

    #[test]
    fn every_word_of_a_secret_counts() {
        for key in [
            "db_password2",
            "passwd_file",
            "passphrases",
            "client_secret_old",
            "tokens",
            "ApiKey_1",
            "access-key-id",
            "credentials",
            "private_key_file",
            "signing.key.2",
            "key",
            "api_key",
            "hostKeys",
            "http-auth",
            "proxy.authorization",
            "DB_PWD",
            "smtpPass",
            "smtp pass",
        ] {
            assert!(is_secret(key), "{key}");
            assert_eq!(shown(key, "value"), MASK);
        }
        for key in [
            "",
            "monkey",
            "keynote",
            "keys_file",
            "author",
            "auth_type",
            "compass",
            "passive",
        ] {
            assert!(!is_secret(key), "{key}");
            assert_eq!(shown(key, "value"), "value");
        }
    }
}
