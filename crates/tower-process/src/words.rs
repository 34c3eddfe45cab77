//! How a command is split into words. There is no shell.

/// The reason why a command cannot be split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unsplit {
    /// A quote has no second one.
    Unclosed(char),
    /// The word would mean something to a shell.
    OfShell(String),
}

/// Words that a shell does not pass to a program.
const OF_SHELL: [&str; 9] = ["|", "||", "&", "&&", ";", ">", ">>", "<", "2>&1"];

/// Splits a command into words.
///
/// White space separates words. Between two double quotes, or two single quotes, every character
/// stands for itself. A word may have several such parts. Nothing else is special: no backslash, no
/// dollar sign, no star.
pub(crate) fn split(command: &str) -> Result<Vec<String>, Unsplit> {
    let mut words = Vec::new();
    let mut rest = command.trim_start();
    while !rest.is_empty() {
        let mut word = String::new();
        let mut is_quoted = false;
        while let Some(next) = rest.chars().next().filter(|next| !next.is_whitespace()) {
            rest = &rest[next.len_utf8()..];
            if !matches!(next, '"' | '\'') {
                word.push(next);
                continue;
            }
            let (part, after) = rest.split_once(next).ok_or(Unsplit::Unclosed(next))?;
            word += part;
            rest = after;
            is_quoted = true;
        }
        if !is_quoted && OF_SHELL.contains(&word.as_str()) {
            return Err(Unsplit::OfShell(word));
        }
        words.push(word);
        rest = rest.trim_start();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_1_a_command_is_split_into_words() {
        for (command, expected) in [
            ("", &[][..]),
            (" a  b\n\tc ", &["a", "b", "c"]),
            ("a 'b c' \"d e\"", &["a", "b c", "d e"]),
            ("--x='b c'd", &["--x=b cd"]),
            (r#""it's" 'a "b"'"#, &["it's", "a \"b\""]),
            ("a '' \"\"", &["a", "", ""]),
            (
                r"a\ b $HOME * ~ #c {socket}",
                &["a\\", "b", "$HOME", "*", "~", "#c", "{socket}"],
            ),
            ("sh -c 'a && b' '&&'", &["sh", "-c", "a && b", "&&"]),
            ("grep ö", &["grep", "ö"]),
        ] {
            assert_eq!(split(command).unwrap(), expected, "{command}");
        }
    }

    #[test]
    fn process_1_what_needs_a_shell_is_an_error() {
        for (command, expected) in [
            ("a 'b", Unsplit::Unclosed('\'')),
            ("a \"b' c", Unsplit::Unclosed('"')),
            ("cd /srv && a", Unsplit::OfShell("&&".to_owned())),
            ("a | b", Unsplit::OfShell("|".to_owned())),
        ] {
            assert_eq!(split(command), Err(expected), "{command}");
        }
    }
}
