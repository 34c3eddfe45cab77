use std::{
    fmt::Write,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, Method, StatusCode, Version, header};
use humantime::{format_rfc3339_millis, format_rfc3339_seconds};

use super::settings::LogFormat;

/// What is in one line.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) client: Option<IpAddr>,
    pub(super) request: Client,
    pub(super) status: StatusCode,
    pub(super) bytes: u64,
    pub(super) duration: Duration,
    pub(super) end: End,
    pub(super) reason: Option<String>,
    pub(super) incident: Option<String>,
}

/// What the client has sent.
#[derive(Debug)]
pub(crate) struct Client {
    pub(super) time: SystemTime,
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) version: Version,
    pub(super) host: Option<String>,
    pub(super) referer: Option<String>,
    pub(super) user_agent: Option<String>,
}

/// What has ended a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    Client,
    Service,
    Server,
}

impl Client {
    pub(crate) fn of<B>(request: &http::Request<B>) -> Self {
        let text = |name| {
            let value = request.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let uri = tower_kit::secrets::uri(request.uri());
        let target = match (uri.path_and_query(), uri.authority()) {
            (Some(target), _) => target.to_string(),
            (None, Some(authority)) => authority.to_string(),
            (None, None) => String::new(),
        };
        Self {
            time: SystemTime::now(),
            method: request.method().clone(),
            target,
            version: request.version(),
            host: text(header::HOST).or_else(|| uri.authority().map(ToString::to_string)),
            referer: referer(request.headers()),
            user_agent: text(header::USER_AGENT),
        }
    }
}

/// Returns the URL of the page that has the link, without secrets in it.
fn referer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::REFERER)?;
    let text = String::from_utf8_lossy(value.as_bytes());
    Some(match text.parse() {
        Ok(uri) => tower_kit::secrets::uri(&uri).to_string(),
        Err(_) => tower_kit::secrets::urls(&text).into_owned(),
    })
}

impl Entry {
    pub(super) fn line(&self, format: LogFormat) -> String {
        let mut line = String::with_capacity(256);
        match format {
            LogFormat::Common => self.common(&mut line),
            LogFormat::Combined => {
                self.common(&mut line);
                for value in [&self.request.referer, &self.request.user_agent] {
                    line.push_str(" \"");
                    match value {
                        Some(text) => push_escaped(&mut line, text),
                        None => line.push('-'),
                    }
                    line.push('"');
                }
            }
            LogFormat::Json => self.json(&mut line),
        }
        line.push('\n');
        line
    }

    fn common(&self, line: &mut String) {
        match self.client {
            Some(client) => push(line, client),
            None => line.push('-'),
        }
        line.push_str(" - - [");
        push_time(line, self.request.time);
        line.push_str("] \"");
        push_escaped(line, self.request.method.as_str());
        line.push(' ');
        push_escaped(line, &self.request.target);
        let status = self.status.as_u16();
        push(
            line,
            format_args!(" {:?}\" {status} {}", self.request.version, self.bytes),
        );
    }

    fn json(&self, line: &mut String) {
        let request = &self.request;
        let time = format_rfc3339_millis(request.time).to_string();
        let client = self.client.map(|client| client.to_string());
        let version = format!("{:?}", request.version);
        let end = match self.end {
            End::Complete => "complete",
            End::Client => "client",
            End::Service => "service",
            End::Server => "server",
        };
        line.push('{');
        push_member(line, "time", Some(&time));
        push_member(line, "client", client.as_deref());
        push_member(line, "method", Some(request.method.as_str()));
        push_member(line, "target", Some(&request.target));
        push_member(line, "version", Some(&version));
        push_member(line, "host", request.host.as_deref());
        let status = self.status.as_u16();
        let seconds = self.duration.as_secs_f64();
        let (bytes, width) = (self.bytes, 6);
        push(
            line,
            format_args!(",\"status\":{status},\"bytes\":{bytes},\"seconds\":{seconds:.width$}"),
        );
        push_member(line, "end", Some(end));
        push_member(line, "referer", request.referer.as_deref());
        push_member(line, "user_agent", request.user_agent.as_deref());
        push_member(line, "reason", self.reason.as_deref());
        push_member(line, "incident", self.incident.as_deref());
        line.push('}');
    }
}

fn push(line: &mut String, value: impl std::fmt::Display) {
    // Writing to a `String` does not fail.
    let _ = write!(line, "{value}");
}

/// Appends a time of the common log format, in UTC.
fn push_time(line: &mut String, time: SystemTime) {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    // As `2026-11-30T09:00:00Z`.
    let time = format_rfc3339_seconds(time).to_string();
    let month = time[5..7].parse::<usize>().unwrap_or(1);
    let month = MONTHS.get(month.wrapping_sub(1)).unwrap_or(&MONTHS[0]);
    let (year, day, clock) = (&time[..4], &time[8..10], &time[11..19]);
    push(line, format_args!("{day}/{month}/{year}:{clock} +0000"));
}

/// Appends a text for quotes, as Apache and nginx escape it. A line stays a line, and a terminal
/// that shows it takes no commands from it.
fn push_escaped(line: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            ' '..='~' => line.push(character),
            _ => {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    push(line, format_args!("\\x{byte:02X}"));
                }
            }
        }
    }
}

fn push_member(line: &mut String, name: &str, value: Option<&str>) {
    if !line.ends_with('{') {
        line.push(',');
    }
    push(line, format_args!("\"{name}\":"));
    let Some(text) = value else {
        line.push_str("null");
        return;
    };
    line.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            // All of them are in the first plane, so four digits are enough.
            _ if character.is_control() => {
                push(line, format_args!("\\u{:04x}", u32::from(character)));
            }
            _ => line.push(character),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let request = http::Request::get("/a?token=1&b=%22")
            .header("host", "example.org")
            .header("referer", "https://example.org/?session=2")
            .header("user-agent", b"a \"b\" \\ \xC3\xA9 \xFF\t".as_slice())
            .body(());
        let mut client = Client::of(&request.unwrap());
        client.time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_796_029_262_007);
        Entry {
            client: Some([192, 0, 2, 1].into()),
            request: client,
            status: StatusCode::OK,
            bytes: 12,
            duration: Duration::from_micros(1_500),
            end: End::Complete,
            reason: None,
            incident: Some("\u{1b}[2J\u{9b}\u{7f}\n".to_owned()),
        }
    }

    #[test]
    fn serve_25_a_line_has_the_common_or_combined_format() {
        let common = "192.0.2.1 - - [30/Nov/2026:09:01:02 +0000] \
            \"GET /a?token=redacted&b=%22 HTTP/1.1\" 200 12";
        assert_eq!(entry().line(LogFormat::Common), format!("{common}\n"));
        let agent = "a \\\"b\\\" \\\\ \\xC3\\xA9 \\xEF\\xBF\\xBD\\x09";
        assert_eq!(
            entry().line(LogFormat::Combined),
            format!("{common} \"https://example.org/?session=redacted\" \"{agent}\"\n")
        );
        let mut entry = entry();
        (entry.client, entry.request.referer) = (None, None);
        let line = entry.line(LogFormat::Combined);
        assert!(line.starts_with("- - - ["), "{line}");
        assert!(line.contains(" 200 12 \"-\" \"a"), "{line}");
    }

    #[test]
    fn serve_25_a_line_in_json_has_all_fields() {
        let expected = r#"{"time":"2026-11-30T09:01:02.007Z","client":"192.0.2.1","method":"GET","target":"/a?token=redacted&b=%22","version":"HTTP/1.1","host":"example.org","status":200,"bytes":12,"seconds":0.001500,"end":"complete","referer":"https://example.org/?session=redacted","user_agent":"a \"b\" \\ é �\u0009","reason":null,"incident":"\u001b[2J\u009b\u007f\u000a"}"#;
        assert_eq!(entry().line(LogFormat::Json), format!("{expected}\n"));
    }
}
