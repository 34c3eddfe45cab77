//! An echo server of tungstenite.

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request},
        protocol::{
            CloseFrame, WebSocketConfig,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

use crate::BoxError;

pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(None)
        .max_frame_size(None)
}

pub(crate) async fn serve() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            // A client that breaks off is one of the cases.
            let _ = connection(stream).await;
        });
    }
}

async fn connection(stream: TcpStream) -> Result<(), BoxError> {
    let mut path = String::new();
    #[allow(clippy::result_large_err, reason = "the signature is tungstenite's")]
    let accept = |request: &Request, response: Response<()>| {
        path = request.uri().path().to_owned();
        answer(request, response)
    };
    let mut socket = accept_hdr_async_with_config(stream, accept, Some(config())).await?;
    if path == "/greet" {
        socket.send(Message::text("welcome")).await?;
    }
    // The payload of a ping whose pong has not come.
    let mut awaited: Option<Vec<u8>> = None;
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(text) if text.starts_with('!') => {
                let (name, rest) = text.split_once(' ').unwrap_or((text.as_str(), ""));
                match name {
                    "!drop" => return Ok(()),
                    "!ping" => {
                        let payload = rest.as_bytes().to_vec();
                        awaited = Some(payload.clone());
                        socket.send(Message::Ping(payload.into())).await?;
                    }
                    _ => command(&mut socket, name, rest).await?,
                }
            }
            Message::Pong(payload) if awaited.as_deref() == Some(&*payload) => {
                awaited = None;
                let text = String::from_utf8_lossy(&payload);
                socket.send(Message::text(format!("pong {text}"))).await?;
            }
            message if message.is_text() || message.is_binary() => socket.send(message).await?,
            _ => {}
        }
    }
    Ok(())
}

#[expect(clippy::result_large_err, reason = "it is tungstenite's")]
fn answer(request: &Request, mut response: Response<()>) -> Result<Response<()>, ErrorResponse> {
    if let Some(status) = request.uri().path().strip_prefix("/refuse/") {
        let mut refusal = Response::new(Some("refused\n".to_owned()));
        // tungstenite sets none, and its client does not decode chunks.
        refusal.headers_mut().insert("content-length", 8.into());
        *refusal.status_mut() = status.parse().unwrap_or(StatusCode::BAD_REQUEST);
        return Err(refusal);
    }
    let offered = request.headers().get_all("sec-websocket-protocol");
    let offered: Vec<&str> = offered
        .iter()
        .flat_map(|line| line.to_str().unwrap_or_default().split(','))
        .map(str::trim)
        .collect();
    if let Some(name) = ["a", "b"].into_iter().find(|name| offered.contains(name)) {
        let name = HeaderValue::from_static(name);
        response
            .headers_mut()
            .insert("sec-websocket-protocol", name);
    }
    Ok(response)
}

async fn command(
    socket: &mut WebSocketStream<TcpStream>,
    name: &str,
    rest: &str,
) -> Result<(), BoxError> {
    match name {
        "!close" => {
            let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
            let frame = CloseFrame {
                code: code.parse::<u16>()?.into(),
                reason: reason.into(),
            };
            socket.send(Message::Close(Some(frame))).await?;
        }
        "!many" => {
            for at in 0..rest.parse()? {
                let at: usize = at;
                socket.feed(Message::text(at.to_string())).await?;
            }
            socket.flush().await?;
        }
        "!fragments" => {
            for (text, opcode, is_last) in [
                ("one", Data::Text, false),
                ("two", Data::Continue, false),
                ("three", Data::Continue, true),
            ] {
                let frame = Frame::message(text, OpCode::Data(opcode), is_last);
                socket.send(Message::Frame(frame)).await?;
            }
        }
        _ => {}
    }
    Ok(())
}
