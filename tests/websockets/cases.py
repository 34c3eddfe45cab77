"""The cases: what a client does on one connection. Every client runs all of them, step by step.

A payload is a text, {"n": LENGTH} for that many bytes, or {"hex": BYTES}. Steps:

    ["text", PAYLOAD], ["binary", PAYLOAD]   sends a message
    ["frame", BYTE, PAYLOAD]                 sends one frame, whose first byte has FIN, RSV and the opcode
    ["ping", PAYLOAD]                        sends a ping and waits for its pong
    ["many", COUNT, LENGTH]                  sends so many messages
    ["recv", COUNT]                          waits until so many messages have come in all
    ["close", CODE, REASON]                  begins to close, and waits for the end
    ["end"]                                  waits for the end
    ["half"]                                 ends the sending side of the connection
    ["wait", SECONDS]                        does nothing

The servers echo messages, except texts with `!`: `!close CODE REASON`, `!ping PAYLOAD` (and a text
when its pong has come), `!many COUNT`, `!fragments`, `!drop`.
"""

import json

MIB = 1 << 20
SIZES = [0, 1, 2, 125, 126, 127, 128, 1000, 65535, 65536, 65537, MIB, 16 * MIB]
TEXTS = ["κόσμε", "\U0001f980\U0001f1ea\U0001f1fa", "a\0b", "שלום\u200e, עולם", "\ufffd\uffff"]
TEXT, BINARY, PING, PONG, CLOSE, FIN = 1, 2, 9, 10, 8, 0x80
DONE = ["close", 1000, ""]


def case(name, *steps, **more):
    return {"name": name, "path": "/echo", "protocols": [], "deflate": None, "steps": list(steps), **more}


def message(*steps, count=1):
    return [*steps, ["recv", count], DONE]


def fragments(opcode, *parts, between=None):
    """One message in several frames, perhaps with another frame before each of the later ones."""
    last = len(parts) - 1
    for at, part in enumerate(parts):
        if at and between:
            yield between
        yield ["frame", (opcode if at == 0 else 0) | (FIN if at == last else 0), part]


def cases():
    for kind in ("text", "binary"):
        for size in SIZES:
            yield case(f"{kind} of {size} bytes", *message([kind, {"n": size}]))
    for text in TEXTS:
        yield case(f"text {text!a}", *message(["text", text]))
    for opcode, kind in ((TEXT, "text"), (BINARY, "binary")):
        for parts in (["a", "b"], ["", "a", ""], ["", "", ""], list("abcdefghij"), ["x" * 1000] * 66):
            sent = fragments(opcode, *parts)
            yield case(f"{kind} in {len(parts)} fragments {json.dumps(parts)[:20]}", *message(*sent))
        for name, between in (
            ("a ping", ["ping", "between"]),
            ("an empty ping", ["ping", ""]),
            ("a pong", ["frame", FIN | PONG, "unasked"]),
        ):
            sent = fragments(opcode, "one", "two", "three", between=between)
            yield case(f"{kind} in fragments with {name} between them", *message(*sent))
    split = [{"hex": "ce"}, {"hex": "ba61"}]
    yield case("text split within a character", *message(*fragments(TEXT, *split)))
    waits = fragments(TEXT, "a", "b", between=["wait", 1])
    yield case("fragments with a second between them", *message(*waits))
    yield case("fragments of the server", *message(["text", "!fragments"]))
    for payload in ("", "x", {"hex": "00ff80"}, {"n": 125}):
        yield case(f"ping {payload}", ["ping", payload], DONE)
        if isinstance(payload, str):
            yield case(f"ping of the server {payload}", *message(["text", f"!ping {payload}"]))
    yield case("ten pings", *[["ping", str(at)] for at in range(10)], DONE)
    yield case("a pong that was not asked for", *message(["frame", FIN | PONG, "x"], ["text", "x"]))
    yield from closes()
    yield from faults()
    yield case("10,000 small messages", ["many", 10000, 10], ["recv", 10000], DONE)
    yield case("10,000 small messages of the server", *message(["text", "!many 10000"], count=10000))
    yield case("1,000 messages of 1 KiB", ["many", 1000, 1024], ["recv", 1000], DONE)
    yield case("idle for two seconds", ["wait", 2], *message(["text", "late"]))
    yield case("a message right behind the handshake", ["recv", 1], DONE, path="/greet")
    yield case("half-closed at once", ["half"], ["end"])
    yield case("half-closed after a message", ["text", "x"], ["recv", 1], ["half"], ["end"])
    yield case("half-closed while a message is open", ["frame", TEXT, "x"], ["half"], ["end"])
    for protocols in (["a"], ["b"], ["b", "a"], ["c", "b"], ["c"]):
        yield case(f"subprotocols {protocols}", *message(["text", "x"]), protocols=protocols)
    for status in (400, 401, 403, 404, 500, 503):
        yield case(f"refused with {status}", path=f"/refuse/{status}")
    yield from deflated()


def closes():
    for code in (1000, 1001, 1003, 1008, 1011, 3000, 4000, 4999):
        yield case(f"close {code}", ["text", "x"], ["recv", 1], ["close", code, f"reason {code}"])
    yield case("close with a long reason", ["close", 1000, "r" * 123])
    yield case("close with a reason in Greek", ["close", 1000, "κόσμε"])
    yield case("close without a code", ["frame", FIN | CLOSE, ""], ["end"])
    for code, reason in ((1000, ""), (1001, "leaves"), (1011, "κόσμε"), (3000, "x"), (4001, "r" * 100)):
        yield case(f"close of the server {code}", ["text", f"!close {code} {reason}"], ["end"])
    # Whose close frame comes first is a matter of luck.
    both = [["text", "!close 4000 server"], ["close", 4000, "server"]]
    yield case("both close at once", *both)
    yield case("both close at once, after messages", ["many", 100, 10], ["recv", 100], *both)
    yield case("the server drops the connection", ["text", "!drop"], ["end"])
    yield case("the server drops the connection after messages", ["many", 10, 10], ["recv", 10], ["text", "!drop"], ["end"])


def faults():
    """Frames that a server does not take. It closes, each in its own way."""
    for name, hexes in (("", ["ff"]), (" (a surrogate)", ["eda080"]), (" (overlong)", ["c0af"]), (" in a fragment", ["61", "80"])):
        sent = fragments(TEXT, *[{"hex": part} for part in hexes])
        yield case(f"invalid UTF-8{name}", *sent, ["end"])
    yield case("a reserved bit", ["frame", FIN | 0x20 | TEXT, "x"], ["end"])
    yield case("a reserved opcode", ["frame", FIN | 3, "x"], ["end"])
    yield case("a reserved control opcode", ["frame", FIN | 11, ""], ["end"])
    yield case("a ping in fragments", ["frame", PING, "x"], ["end"])
    yield case("a ping that is too long", ["frame", FIN | PING, {"n": 126}], ["end"])
    yield case("a continuation of nothing", ["frame", FIN, "x"], ["end"])
    yield case("a message within another", ["frame", TEXT, "x"], ["frame", FIN | TEXT, "y"], ["end"])
    yield case("close with one byte", ["frame", FIN | CLOSE, "x"], ["end"])
    yield case("close with a reserved code", ["frame", FIN | CLOSE, {"hex": "03ed"}], ["end"])
    yield case("close with invalid UTF-8", ["frame", FIN | CLOSE, {"hex": "03e8ff"}], ["end"])


def deflated():
    """tungstenite does not compress: it runs these without the extension."""
    repeated = [["text", "again and again "], ["binary", {"n": 65536}]] * 5
    for name, deflate in (
        ("", {}),
        (", no context of the client", {"client_no_context_takeover": True}),
        (", no context of the server", {"server_no_context_takeover": True}),
        (", no context", {"client_no_context_takeover": True, "server_no_context_takeover": True}),
        (", small windows", {"client_max_window_bits": 10, "server_max_window_bits": 10}),
    ):
        yield case(f"deflate{name}", *message(*repeated, count=10), deflate=deflate)
        yield case(f"deflate{name}, 16 MiB", *message(["text", {"n": 16 * MIB}]), deflate=deflate)
        yield case(f"deflate{name}, 1,000 messages", ["many", 1000, 100], ["recv", 1000], DONE, deflate=deflate)
        empty = [["text", ""], ["text", "x"], ["binary", ""]]
        yield case(f"deflate{name}, empty messages", *message(*empty, count=3), deflate=deflate)
