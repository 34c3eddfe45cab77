//! A client of tungstenite: runs the cases of a file, and prints the result of each.

use std::{
    net::{Shutdown, TcpStream as StdStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{SinkExt, Stream, StreamExt, stream::SplitSink};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        protocol::{
            CloseFrame,
            frame::{
                Frame, FrameHeader,
                coding::{Control, Data, OpCode},
            },
        },
    },
};

use crate::{BoxError, echo::config};

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Seen {
    messages: Vec<Value>,
    pongs: Vec<String>,
    close: Option<Value>,
    has_ended: bool,
}

pub(crate) async fn run(url: &str, file: &str) -> Result<(), BoxError> {
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    for case in cases {
        let result = one(url, &case).await?;
        println!("{}", json!([case["name"], result]));
    }
    Ok(())
}

async fn one(url: &str, case: &Value) -> Result<Value, BoxError> {
    let mut request = format!("{url}{}", case["path"].as_str().unwrap()).into_client_request()?;
    let protocols: Vec<&str> = case["protocols"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(Value::as_str)
        .collect();
    if !protocols.is_empty() {
        let value = protocols.join(", ").parse()?;
        request
            .headers_mut()
            .insert("sec-websocket-protocol", value);
    }
    let address = request.uri().authority().unwrap().to_string();
    let stream = StdStream::connect(address)?;
    let other = stream.try_clone()?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let stream = TcpStream::from_std(stream)?;
    let (socket, response) = match client_async_with_config(request, stream, Some(config())).await {
        Ok(opened) => opened,
        Err(Error::Http(response)) => {
            let status = response.status().as_u16();
            let body = response.into_body().unwrap_or_default();
            return Ok(json!({"refused": status, "body": String::from_utf8_lossy(&body)}));
        }
        Err(error) => return Ok(json!({"refused": error.to_string()})),
    };
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    let (mut sink, stream) = socket.split();
    let (changed, changes) = watch::channel(());
    let seen = Arc::<Mutex<Seen>>::default();
    let receiving = tokio::spawn(receive(stream, seen.clone(), changed));
    let mut pongs = Vec::new();
    let mut is_late = false;
    for step in case["steps"].as_array().unwrap() {
        let name = step[0].as_str().unwrap();
        match name {
            "half" => drop(other.shutdown(Shutdown::Write)),
            "wait" => tokio::time::sleep(Duration::from_secs(step[1].as_u64().unwrap())).await,
            "recv" => {
                let count = step[1].as_u64().unwrap() as usize;
                is_late |= !until(&seen, &changes, |seen| seen.messages.len() >= count).await;
            }
            "ping" => {
                let data = payload(&step[1], false);
                let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
                let is_sent = sink.send(Message::Ping(data.into())).await.is_ok();
                let came = until(&seen, &changes, |seen| seen.pongs.contains(&hex)).await;
                let ended = seen.lock().unwrap().has_ended;
                pongs.push(json!([hex, is_sent && came && !ended]));
            }
            // The end of the connection is in the result.
            _ => drop(send(&mut sink, name, step).await),
        }
    }
    let has_ended = timeout(PATIENCE, receiving).await.is_ok();
    let seen = seen.lock().unwrap();
    let mut result = json!({
        "messages": seen.messages,
        "pongs": pongs,
        "protocol": header("sec-websocket-protocol"),
        "extension": header("sec-websocket-extensions"),
        "ended": has_ended,
        "close": seen.close.clone().unwrap_or_else(|| json!([1006, ""])),
    });
    if is_late {
        result["late"] = true.into();
    }
    Ok(result)
}

/// Waits for something to come, or for the end of the connection.
async fn until(
    seen: &Mutex<Seen>,
    changes: &watch::Receiver<()>,
    is_done: impl Fn(&Seen) -> bool,
) -> bool {
    let mut changes = changes.clone();
    let wait = changes.wait_for(|()| {
        let seen = seen.lock().unwrap();
        seen.has_ended || is_done(&seen)
    });
    timeout(PATIENCE, wait).await.is_ok()
}

async fn receive<S>(mut stream: S, seen: Arc<Mutex<Seen>>, changed: watch::Sender<()>)
where
    S: Stream<Item = Result<Message, Error>> + Unpin,
{
    while let Some(Ok(message)) = stream.next().await {
        let mut seen = seen.lock().unwrap();
        match message {
            Message::Text(text) => seen.messages.push(described("text", text.as_bytes())),
            Message::Binary(data) => seen.messages.push(described("binary", &data)),
            Message::Pong(data) => {
                let hex = data.iter().map(|byte| format!("{byte:02x}")).collect();
                seen.pongs.push(hex);
            }
            Message::Close(frame) => {
                let close =
                    frame.map(|frame| json!([u16::from(frame.code), frame.reason.as_str()]));
                seen.close = Some(close.unwrap_or_else(|| json!([1005, ""])));
            }
            Message::Ping(_) | Message::Frame(_) => {}
        }
        drop(seen);
        let _ = changed.send(());
    }
    seen.lock().unwrap().has_ended = true;
    let _ = changed.send(());
}

fn described(kind: &str, data: &[u8]) -> Value {
    let hash: String = Sha256::digest(data)
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!([kind, data.len(), hash])
}

fn payload(spec: &Value, is_text: bool) -> Vec<u8> {
    if let Some(text) = spec.as_str() {
        return text.as_bytes().to_vec();
    }
    if let Some(hex) = spec["hex"].as_str() {
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        return (0..hex.len()).step_by(2).map(byte).collect();
    }
    let cycle: Vec<u8> = if is_text {
        (97..123).collect()
    } else {
        (0..251).collect()
    };
    cycle
        .into_iter()
        .cycle()
        .take(spec["n"].as_u64().unwrap() as usize)
        .collect()
}

async fn send(
    sink: &mut SplitSink<WebSocketStream<TcpStream>, Message>,
    name: &str,
    step: &Value,
) -> Result<(), BoxError> {
    let message = match name {
        "text" => Message::text(String::from_utf8(payload(&step[1], true))?),
        "binary" => Message::binary(payload(&step[1], false)),
        "many" => {
            for at in 0..step[1].as_u64().unwrap() {
                let length = step[2].as_u64().unwrap() as usize;
                sink.feed(Message::text(format!("{at:x<length$}"))).await?;
            }
            sink.flush().await?;
            return Ok(());
        }
        "close" => Message::Close(Some(CloseFrame {
            code: (step[1].as_u64().unwrap() as u16).into(),
            reason: step[2].as_str().unwrap().into(),
        })),
        "frame" => {
            let first = step[1].as_u64().unwrap() as u8;
            let opcode = match first & 15 {
                0 => OpCode::Data(Data::Continue),
                1 => OpCode::Data(Data::Text),
                2 => OpCode::Data(Data::Binary),
                8 => OpCode::Control(Control::Close),
                9 => OpCode::Control(Control::Ping),
                10 => OpCode::Control(Control::Pong),
                code if code < 8 => OpCode::Data(Data::Reserved(code)),
                code => OpCode::Control(Control::Reserved(code)),
            };
            let header = FrameHeader {
                is_final: first & 0x80 != 0,
                rsv2: first & 0x20 != 0,
                opcode,
                ..FrameHeader::default()
            };
            Message::Frame(Frame::from_payload(header, payload(&step[2], false).into()))
        }
        _ => return Ok(()),
    };
    sink.send(message).await?;
    Ok(())
}
