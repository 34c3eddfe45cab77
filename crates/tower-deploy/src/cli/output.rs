//! Standard output and standard error.

use std::{
    env,
    ffi::OsStr,
    io::{self, IsTerminal, Write, stderr, stdout},
};

/// Returns whether standard error gets colours: it does if it is a terminal, unless `NO_COLOR` has
/// a value.
pub(super) fn is_styled() -> bool {
    stderr().is_terminal() && !is_plain(env::var_os("NO_COLOR").as_deref())
}

fn is_plain(no_color: Option<&OsStr>) -> bool {
    no_color.is_some_and(|value| !value.is_empty())
}

/// Writes to standard output, whose reader may end before the text does.
pub(super) fn say(text: &str) -> io::Result<()> {
    write(text.as_bytes()).map(drop)
}

/// Writes to standard output. Returns whether there is still a reader.
pub(super) fn write(text: &[u8]) -> io::Result<bool> {
    let mut out = stdout();
    let written = out.write_all(text).and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("standard output: {error}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deploy_58_no_color_counts_if_it_has_a_value() {
        let plain = [None, Some(""), Some("0"), Some("1")];
        let plain = plain.map(|value| is_plain(value.map(OsStr::new)));
        assert_eq!(plain, [false, false, true, true]);
    }
}
