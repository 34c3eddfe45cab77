//! Clients that misbehave, or that call routes that misbehave. Each function is one turn of one
//! client. It fails if the server does not behave as it should.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};

use crate::{
    Failure,
    connection::{Body, Connection},
    random::Random,
    server::TIMEOUT,
};

type Turn = Result<(), Failure>;

/// The most bytes of an unread response that the system's buffers hold.
const BUFFERED: usize = 16 << 20;
/// The time by which a busy machine may exceed a timeout.
const GRACE: Duration = Duration::from_secs(4);
const BYTE_EVERY: Duration = Duration::from_secs(1);

const HEAD: &[u8] = b"GET /page HTTP/1.1\r\nHost: faults\r\nUser-Agent: slow\r\n\r\n";
const FLOOD: &[u8] = b"GET /flood HTTP/1.1\r\nHost: faults\r\n\r\n";
const HANG: &[u8] = b"GET /hang HTTP/1.1\r\nHost: faults\r\n\r\n";
const UPLOAD: &[u8] = b"PUT /upload HTTP/1.1\r\nHost: faults\r\nContent-Length: 1000000\r\n\r\n";

fn either(random: &mut Random) -> Version {
    match random.below(2) {
        0 => Version::HTTP_11,
        _ => Version::HTTP_2,
    }
}

/// Takes a little of a flood, and then nothing: the server has to give up.
pub(crate) async fn stops_reading(address: &str, _: &mut Random) -> Turn {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // A small window, so that the server is stopped and not the system's buffers filled.
    socket.set_recv_buffer_size(8 << 10)?;
    socket.set_nonblocking(true)?;
    let socket = TcpSocket::from_std_stream(socket.into());
    let mut stream = socket.connect(address.parse()?).await?;
    stream.write_all(FLOOD).await?;
    let mut buffer = vec![0; 64 << 10];
    stream.read_exact(&mut buffer).await?;
    sleep(TIMEOUT + GRACE / 2).await;
    // Bytes that were sent already still arrive, and then the end.
    let mut read = 0;
    loop {
        match timeout(GRACE, stream.read(&mut buffer)).await? {
            Ok(0) | Err(_) => return Ok(()),
            Ok(more) => read += more,
        }
        if read > BUFFERED {
            return Err("the server still writes to a client that has not read".into());
        }
    }
}

/// Resets its connection at any point of a request or its response.
pub(crate) async fn resets(address: &str, random: &mut Random) -> Turn {
    let mut stream = TcpStream::connect(address).await?;
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    let half = &HEAD[..HEAD.len() / 2];
    let says = [&[][..], half, HEAD, FLOOD, HANG, UPLOAD];
    stream.write_all(says[random.below(says.len())]).await?;
    if random.below(2) == 0 {
        // The client reads a little, so that the reset meets a response that is being written.
        let mut buffer = [0; 4096];
        let _ = timeout(Duration::from_millis(5), stream.read(&mut buffer)).await;
    }
    sleep(random.millis(20)).await;
    Ok(())
}

/// A head, or a body, of one byte in a second. The timeout of a head is for the whole; a body may
/// continue, because bytes of it arrive.
pub(crate) async fn byte_a_second(address: &str, random: &mut Random) -> Turn {
    let mut stream = TcpStream::connect(address).await?;
    if random.below(2) == 0 {
        stream.write_all(UPLOAD).await?;
        for _ in 0..60 {
            sleep(BYTE_EVERY).await;
            stream.write_all(b"x").await?;
        }
        return Ok(());
    }
    let deadline = Instant::now() + TIMEOUT + GRACE;
    for byte in HEAD {
        let _ = stream.write_all(&[*byte]).await;
        let mut buffer = [0; 256];
        match timeout(BYTE_EVERY, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return Ok(()),
            _ if Instant::now() > deadline => break,
            _ => {}
        }
    }
    Err("the server waits for a head for too long".into())
}

/// Sends some of a body and goes away, by closing the connection or by a reset of the stream.
pub(crate) async fn aborts_upload(address: &str, random: &mut Random) -> Turn {
    let frames = random.below(16);
    if random.below(2) == 0 {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(UPLOAD).await?;
        for _ in 0..frames {
            stream.write_all(&[b'x'; 16 << 10]).await?;
        }
        return Ok(());
    }
    let mut connection = Connection::open(address, Version::HTTP_2).await?;
    for _ in 0..8 {
        let frame = || Frame::data(Bytes::from_static(&[b'x'; 16 << 10]));
        let some = stream::iter(0..frames).map(move |_| Ok::<_, io::Error>(frame()));
        let body = StreamBody::new(some.chain(stream::pending())).boxed_unsync();
        let asked = connection.send("PUT", "/upload", body);
        if let Ok(answer) = timeout(random.millis(20), asked).await {
            let status = answer?.status();
            return Err(format!("half an upload was answered with {status}").into());
        }
    }
    Ok(())
}

/// Opens streams and resets them at once. The server may end such a connection.
pub(crate) async fn rapid_resets(address: &str, random: &mut Random) -> Turn {
    let mut connection = Connection::open(address, Version::HTTP_2).await?;
    let paths = ["/page", "/hang", "/flood"];
    for _ in 0..500 {
        let path = paths[random.below(paths.len())];
        if let Ok(Err(_)) = timeout(random.millis(3), connection.get(path)).await {
            return Ok(());
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Connects and sends nothing until the server closes the connection.
pub(crate) async fn connects(address: &str, _: &mut Random) -> Turn {
    let Ok(Ok(mut stream)) = timeout(GRACE, TcpStream::connect(address)).await else {
        // Not even the system's queue has room.
        return Ok(());
    };
    // It must be accepted first, after others were closed.
    let _ = timeout(TIMEOUT * 2 + GRACE, stream.read(&mut [0; 16])).await;
    Ok(())
}

/// Waits for a response that never comes, or comes slowly, and leaves.
pub(crate) async fn hangs(address: &str, random: &mut Random) -> Turn {
    let mut connection = Connection::open(address, either(random)).await?;
    let is_slow = random.below(2) == 0;
    let asked = async {
        let response = connection
            .get(if is_slow { "/slow" } else { "/hang" })
            .await?;
        response.into_body().collect().await?;
        Ok::<_, Failure>(())
    };
    match timeout(random.millis(1000), asked).await {
        Ok(Ok(())) if !is_slow => Err("what never answers has answered".into()),
        Ok(done) => done,
        Err(_) => Ok(()),
    }
}

/// A panic is a 500, and the connection stays open.
pub(crate) async fn panics(address: &str, random: &mut Random) -> Turn {
    let mut connection = Connection::open(address, either(random)).await?;
    for _ in 0..50 {
        let (status, _) = connection.whole("GET", "/panic", Body::default()).await?;
        if status != StatusCode::INTERNAL_SERVER_ERROR {
            return Err(format!("a panic was answered with {status}").into());
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// A body that fails must not look whole.
pub(crate) async fn drops(address: &str, random: &mut Random) -> Turn {
    let mut connection = Connection::open(address, either(random)).await?;
    let response = connection.get("/drop").await?;
    match timeout(GRACE, response.into_body().collect()).await? {
        Ok(_) => Err("a body that failed has come whole".into()),
        Err(_) => Ok(()),
    }
}

/// Reads some megabytes of an endless body, and leaves.
pub(crate) async fn floods(address: &str, random: &mut Random) -> Turn {
    let mut connection = Connection::open(address, either(random)).await?;
    let mut body = connection.get("/flood").await?.into_body();
    let mut left = random.below(8 << 20);
    while left > 0 {
        let frame = timeout(GRACE, body.frame()).await?;
        let frame = frame.ok_or("what has no end has ended")??;
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
    }
    Ok(())
}
