"""A client of Python's websockets: runs the cases of a file, and prints the result of each."""

import hashlib
import json
import os
import socket
import sys
import threading
import time

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

PATIENCE = 60


def payload(spec, text=False):
    if isinstance(spec, str):
        return spec.encode()
    if "hex" in spec:
        return bytes.fromhex(spec["hex"])
    cycle = bytes(range(97, 123)) if text else bytes(range(251))
    return (cycle * (spec["n"] // len(cycle) + 1))[: spec["n"]]


def frame(first, data):
    """A masked frame."""
    length = len(data)
    if length < 126:
        head = bytes([first, 0x80 | length])
    elif length < 65536:
        head = bytes([first, 0x80 | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([first, 0x80 | 127]) + length.to_bytes(8, "big")
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


def run(url, case):
    extensions = None
    if case["deflate"] is not None:
        extensions = [ClientPerMessageDeflateFactory(**case["deflate"])]
    options = {"compression": None, "max_size": None, "ping_interval": None}
    options |= {"open_timeout": PATIENCE, "close_timeout": PATIENCE}
    options |= {"subprotocols": case["protocols"] or None, "extensions": extensions}
    try:
        with connect(url + case["path"], **options) as connection:
            return play(connection, case["steps"])
    except InvalidStatus as error:
        return {"refused": error.response.status_code, "body": error.response.body.decode()}
    except InvalidHandshake as error:
        return {"refused": str(error)}


def play(connection, steps):
    result = {"messages": [], "pongs": []}
    result["protocol"] = connection.subprotocol
    result["extension"] = connection.response.headers.get("Sec-WebSocket-Extensions")
    arrived = threading.Condition()

    def receive():
        try:
            while True:
                message = connection.recv()
                data = message.encode() if isinstance(message, str) else message
                kind = "text" if isinstance(message, str) else "binary"
                with arrived:
                    result["messages"].append([kind, len(data), hashlib.sha256(data).hexdigest()[:12]])
                    arrived.notify()
        except ConnectionClosed:
            with arrived:
                arrived.notify()

    receiver = threading.Thread(target=receive)
    receiver.start()
    try:
        for name, *rest in steps:
            if name == "text":
                connection.send(payload(rest[0], True).decode())
            elif name == "binary":
                connection.send(payload(rest[0]))
            elif name == "frame":
                connection.socket.sendall(frame(rest[0], payload(rest[1])))
            elif name == "ping":
                data = payload(rest[0])
                result["pongs"].append([data.hex(), connection.ping(data).wait(PATIENCE)])
            elif name == "many":
                for at in range(rest[0]):
                    connection.send(f"{at}".ljust(rest[1], "x"))
            elif name == "recv":
                with arrived:
                    enough = lambda: len(result["messages"]) >= rest[0] or not receiver.is_alive()
                    if not arrived.wait_for(enough, PATIENCE):
                        result["late"] = True
            elif name == "close":
                connection.close(*rest)
            elif name == "half":
                connection.socket.shutdown(socket.SHUT_WR)
            elif name == "wait":
                time.sleep(rest[0])
    except (ConnectionClosed, OSError):
        pass
    receiver.join(PATIENCE)
    result["ended"] = not receiver.is_alive()
    result["close"] = [connection.close_code, connection.close_reason]
    return result


def main():
    url, file = sys.argv[1:]
    for case in json.load(open(file)):
        print(json.dumps([case["name"], run(url, case)]), flush=True)


main()
