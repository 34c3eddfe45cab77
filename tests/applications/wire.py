"""Requests and responses of HTTP/1.1 as they are on the wire, and calls of gRPC by curl."""

import dataclasses
import io
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import zipfile


@dataclasses.dataclass
class Ask:
    """A request. `sort` is its class in the table; `fresh` names fields that no two servers share."""

    sort: str
    method: str
    target: str
    fields: list = dataclasses.field(default_factory=list)
    content: bytes = b""
    fresh: tuple = ()
    version: str = "1.1"
    chunked: bool = False


@dataclasses.dataclass
class Response:
    status: int
    fields: list
    content: bytes
    trailers: list = dataclasses.field(default_factory=list)

    def field(self, name):
        return next((value for found, value in self.fields if found == name), None)

    def without(self, *names):
        fields = [(name, value) for name, value in self.fields if name not in names]
        return dataclasses.replace(self, fields=fields)

    def plus(self, *fields):
        return dataclasses.replace(self, fields=self.fields + list(fields))

    def comparable(self, fresh):
        """The response without what no two servers share. The order of lines counts within a name."""
        names = sorted({name for name, _ in self.fields} - {"date", *fresh})
        fields = {name: [value for found, value in self.fields if found == name] for name in names}
        return self.status, fields, self.content, self.trailers


def lines(file):
    found = []
    while (line := file.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").rstrip("\r\n").partition(":")
        found.append((name.lower(), value.strip(" \t")))
    return found


def read(file, method):
    """One response, after those with 1xx. The fields of a 101 are the whole of it."""
    while True:
        first = file.readline()
        if not first:
            raise ConnectionError(f"the connection ended without a response to {method}")
        status, fields = int(first.split(b" ")[1]), lines(file)
        if status >= 200 or status == 101:
            break
    response = Response(status, fields, b"")
    if method == "HEAD" or status in (101, 204, 304):
        return response
    if response.field("transfer-encoding") == "chunked":
        while size := int(file.readline().split(b";")[0], 16):
            response.content += file.read(size)
            file.readline()
        response.trailers = lines(file)
    elif (length := response.field("content-length")) is not None:
        response.content = file.read(int(length))
        assert len(response.content) == int(length), "the content is shorter than its length"
    else:
        response.content = file.read()
    return response


def message(ask, port, last):
    fields = [("Host", f"127.0.0.1:{port}"), *ask.fields]
    if last and not any(name == "Connection" for name, _ in ask.fields):
        fields.append(("Connection", "close"))
    content = ask.content
    if ask.chunked:
        fields.append(("Transfer-Encoding", "chunked"))
        pieces = [content[at : at + 4000] for at in range(0, len(content), 4000)]
        content = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    elif content or ask.method in ("POST", "PUT", "PATCH"):
        fields.append(("Content-Length", str(len(content))))
    head = f"{ask.method} {ask.target} HTTP/{ask.version}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
    return head.encode() + b"\r\n" + content


def ask_all(port, asks):
    """Several requests on one connection, sent at once, and their responses. Nothing may come after
    the last one."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        sent = b"".join(message(ask, port, ask is asks[-1]) for ask in asks)
        file = client.makefile("rb")
        client.sendall(sent)
        responses = [read(file, ask.method) for ask in asks]
        if rest := file.read():
            raise ConnectionError(f"{len(rest)} bytes after the response to {asks[-1].method}")
    return [masked(response, port) for response in responses]


UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def masked(response, port):
    """The response without the port and without random ids, and an archive as the files in it, since
    its compression depends on how its input was cut."""
    if response.field("content-type") == "application/zip":
        with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
            files = sorted((name, archive.read(name)) for name in archive.namelist())
        return dataclasses.replace(response, content=repr(files).encode())
    fields = [(name, UUID.sub(b"UUID", value.encode()).decode()) for name, value in response.fields]
    response = dataclasses.replace(response, fields=fields, content=UUID.sub(b"UUID", response.content))
    address, name = f"127.0.0.1:{port}".encode(), b"127.0.0.1:PORT"
    fields = [(key, value.replace(address.decode(), name.decode())) for key, value in response.fields]
    length = response.field("content-length")
    if response.content and address in response.content and length:
        content = response.content.replace(address, name)
        fields = [(key, str(len(content)) if key == "content-length" else value) for key, value in fields]
        return dataclasses.replace(response, fields=fields, content=content)
    return dataclasses.replace(response, fields=fields, content=response.content.replace(address, name))


def websocket(port, target, act):
    """Opens a WebSocket, acts, and returns the response and the first frame that comes."""
    fields = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(message(Ask("", "GET", target, fields), port, False))
        file = client.makefile("rb")
        response = read(file, "GET")
        if response.status == 101:
            act()
            first, length = file.read(2)
            response.content = bytes([first]) + file.read(length & 127)
    return response


def call(port, path, content, fields=(), method="POST"):
    """A call of gRPC by curl, with its trailers. The fields that only HTTP/2 of curl has are its own."""
    with tempfile.TemporaryDirectory() as folder:
        head, body = f"{folder}/head", f"{folder}/body"
        command = ["curl", "--silent", "--show-error", "--http2-prior-knowledge", "--max-time", "30"]
        command += ["--request", method, "--dump-header", head, "--output", body]
        for name, value in fields:
            command += ["--header", f"{name}: {value}"]
        if method == "POST":
            command += ["--data-binary", "@-"]
        for _ in range(10):
            done = subprocess.run([*command, f"http://127.0.0.1:{port}{path}"], input=content, capture_output=True)
            # A response that comes before the content is read is followed by a reset without an error,
            # which curl takes for one if it comes soon.
            if done.returncode != 92:
                break
        if done.returncode:
            raise ConnectionError(done.stderr.decode().strip())
        first, *rest = pathlib.Path(head).read_text("latin-1").split("\n")
        received = pathlib.Path(body).read_bytes() if os.path.exists(body) else b""
    fields = [line.rstrip("\r").partition(": ") for line in rest if line.rstrip("\r")]
    fields = [(name.lower(), value) for name, _, value in fields]
    return masked(Response(int(re.search(r" (\d+)", first)[1]), fields, received), port)
