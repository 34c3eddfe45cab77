//! Which values are shown to nobody.

/// What stands in the place of one.
pub(crate) const MASK: &str = "[redacted]";

/// Whether a key is a secret's by its name.
pub(crate) fn is_secret(key: &str) -> bool {
    const WORDS: [&str; 9] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "apikey",
        "credential",
        "privatekey",
        "signingkey",
    ];
    const WHOLE: [&str; 4] = ["key", "auth", "authorization", "pwd"];
    let plain: String = key
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let last = key.rsplit([' ', '.', '_', '-']).next().unwrap_or(key);
    WORDS.iter().any(|word| plain.contains(word))
        || WHOLE.iter().any(|word| last.eq_ignore_ascii_case(word))
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
