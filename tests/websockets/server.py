"""An echo server of Python's websockets. It prints its port."""

import http
import re
import sys

from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.sync.server import serve


def process_request(connection, request):
    if found := re.fullmatch(r"/refuse/(\d+)", request.path):
        return connection.respond(http.HTTPStatus(int(found[1])), "refused\n")


def command(connection, text):
    name, _, rest = text.partition(" ")
    if name == "!close":
        code, _, reason = rest.partition(" ")
        connection.close(int(code), reason)
    elif name == "!ping":
        if not connection.ping(rest.encode()).wait(10):
            raise TimeoutError
        connection.send(f"pong {rest}")
    elif name == "!many":
        for at in range(int(rest)):
            connection.send(str(at))
    elif name == "!fragments":
        connection.send(iter(["one", "two", "three"]))
    elif name == "!drop":
        connection.close_socket()


def handler(connection):
    try:
        if connection.request.path == "/greet":
            connection.send("welcome")
        for message in connection:
            if isinstance(message, str) and message.startswith("!"):
                command(connection, message)
            else:
                connection.send(message)
    except ConnectionClosed:
        pass


def select(connection, offered):
    """The first of the server's that the client offers, or none."""
    return next((name for name in ("a", "b") if name in offered), None)


with serve(
    handler,
    "127.0.0.1",
    0,
    process_request=process_request,
    select_subprotocol=select,
    compression=None,
    extensions=[ServerPerMessageDeflateFactory()],
    max_size=None,
    ping_interval=None,
) as server:
    print(server.socket.getsockname()[1], flush=True)
    sys.stdin.close()
    server.serve_forever()
