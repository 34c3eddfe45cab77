"""Heads as the real proxies write them, and what those proxies saw: the client, the scheme and the
host.

`recorded.jsonl` has heads of the real proxies. The functions here write the same lines: each
recorded head is checked against them first. Then random clients, which lie about themselves, ask
through one to three proxies in a row, and tower-origin has to find the client that the outermost
proxy saw. The addresses of the proxies are trusted, those of the clients are not.
"""

import ipaddress
import json
import pathlib
import re

RECORDED = pathlib.Path(__file__).with_name("recorded.jsonl")
TRUSTED = ipaddress.ip_network("10.0.0.0/8")
FOR, PROTO, FORWARDED, HOST = "x-forwarded-for", "x-forwarded-proto", "forwarded", "host"
CHUNK = 500

QUOTED = "a client's malformed Forwarded, to which lighttpd appends: the request is rejected as a whole"


class Hop:
    """What one proxy sees of its peer."""

    def __init__(self, peer, scheme, by=None):
        self.peer, self.scheme, self.by = peer, scheme, by


def joined(lines, more):
    return [", ".join([*lines, more])]


def filled(lines):
    return [line for line in lines if line]


def nginx(head, hop, recipe):
    if recipe:
        head.pop(FORWARDED, None)
    head[FOR] = [hop.peer] if recipe else joined(head.get(FOR, []), hop.peer)
    head[PROTO] = [hop.scheme]


def apache(head, hop, recipe):
    for name, lines in head.items():
        head[name] = [", ".join(lines)]
    if recipe:
        head.pop(FORWARDED, None)
        head[PROTO] = [hop.scheme]
    head[FOR] = [hop.peer] if recipe else joined(head.get(FOR, []), hop.peer)


def haproxy(head, hop, recipe):
    if recipe:
        head.pop(FORWARDED, None)
    head[FOR] = [hop.peer] if recipe else [*head.get(FOR, []), hop.peer]
    head[PROTO] = [hop.scheme]


def caddy(head, hop, recipe):
    if recipe:
        head.pop(FORWARDED, None)
    before = [] if recipe else filled([", ".join(head.get(FOR, []))])
    head[FOR] = joined(before, hop.peer)
    # A client that is trusted may name the scheme, and its last line counts.
    named = [] if recipe else filled(head.get(PROTO, []))
    head[PROTO] = named[-1:] or [hop.scheme]


def lighttpd(head, hop, recipe):
    head[HOST] = [head[HOST][0].lower()]
    before = [", ".join(filled(head.get(FOR, [])))]
    if recipe:
        head.pop(FORWARDED, None)
        before = []
    else:
        forwarded = filled(head.get(FORWARDED, []))
        if not forwarded:
            # It makes elements of the words of X-Forwarded-For.
            words = re.findall(r"[^\s,]+", before[0])
            forwarded = [f'for="{word_of(word)}"' for word in words]
        by = hop.by or "127.0.0.1:8088"
        element = f'for={node_of(hop.peer)};by="{by}";proto={hop.scheme};host="{head[HOST][0]}"'
        head[FORWARDED] = joined(forwarded, element)
    head[FOR] = joined(filled(before), hop.peer)
    head[PROTO] = [hop.scheme]


def word_of(word):
    word = word.replace("\\", "\\\\").replace('"', '\\"')
    return f"[{word}]" if ":" in word else word


def node_of(address):
    return f'"[{address}]"' if ":" in address else address


def varnish(head, hop, recipe):
    head[FOR] = joined(head.get(FOR, []), hop.peer)
    if recipe:
        head[HOST] = [head[HOST][0].lower()]
        head.pop(FORWARDED, None)
        head[PROTO] = ["http"]


def squid(head, hop, recipe):
    head[HOST] = [head[HOST][0].lower()]
    head[FOR] = joined(filled(head.get(FOR, [])), hop.peer)
    if recipe:
        head.pop(FORWARDED, None)
        head.pop(PROTO, None)


FRONTS = [nginx, apache, haproxy, caddy, lighttpd, varnish, squid]
# Those that append to X-Forwarded-For even with the recipe, and those that leave the scheme to the
# client without it.
ALWAYS_APPEND = [varnish, squid]
PASS_THE_SCHEME = [apache, caddy, varnish, squid]


def check_records():
    """The functions write what the real proxies have written."""
    fronts, count = {front.__name__: front for front in FRONTS}, 0
    for line in RECORDED.read_text().splitlines():
        record = json.loads(line)
        head = {HOST: [record["host"]]}
        for name, text in record["sent"]:
            head.setdefault(name.lower(), []).append(text)
        by = "[::1]:8088" if record["client"] == "::1" else "127.0.0.1:8088"
        fronts[record["front"]](head, Hop(record["client"], record["scheme"], by), record["variant"] == "recipe")
        for name in [HOST, FOR, PROTO, FORWARDED]:
            got = [text for header, text in record["got"] if header == name]
            assert head.get(name, []) == got, (record, name, head.get(name), got)
        count += 1
    return count


def address(rng):
    """A client's address, as a proxy writes it."""
    kind = rng.random()
    if kind < 0.1:
        return "::ffff:" + address_4(rng)
    if kind < 0.4:
        parts = [rng.choice([0, 0, 1, rng.randrange(1 << 16)]) for _ in range(6)]
        return str(ipaddress.IPv6Address("2001:db8:" + ":".join(f"{part:x}" for part in parts)))
    return address_4(rng)


def address_4(rng):
    while True:
        one = ipaddress.IPv4Address(rng.randrange(1 << 32))
        if one not in TRUSTED:
            return str(one)


def proxy(rng):
    return str(ipaddress.IPv4Address(int(TRUSTED.network_address) + rng.randrange(1, 1 << 24)))


def host(rng):
    name = rng.choice(["site.example", "Site.Example", "a-b.example.org", "192.0.2.7", "[2001:db8::7]", "x"])
    return name + rng.choice(["", "", ":80", ":443", ":8080", ":65535"])


def lies(rng):
    """What a client sends to lie, and whether a list in it is malformed."""
    sent, malformed = [], False
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
        kind = rng.random()
        if kind < 0.35:
            sent.append((FOR, rng.choice([", ", ",", " , "]).join(rng.choice([address, proxy])(rng) for _ in range(rng.randint(1, 3)))))
        elif kind < 0.6:
            malformed = True
            soup = "\"'\\,;=[]:() for unknown_hidden6.6.6.6\t"
            sent.append((FOR, "".join(rng.choice(soup) for _ in range(rng.randrange(12))).strip()))
        elif kind < 0.7:
            sent.append((PROTO, rng.choice(["http", "https", "https", "HTTPS"])))
        elif kind < 0.9:
            node = rng.choice([lambda: address_4(rng), lambda: proxy(rng), lambda: f'"[2001:db8::{rng.randrange(9)}]"', lambda: "unknown", lambda: "_hidden"])
            elements = [f"for={node()}" + rng.choice(["", ";proto=https", ";host=evil.example", ";by=10.0.0.9"]) for _ in range(rng.randint(1, 2))]
            sent.append((FORWARDED, ", ".join(elements)))
        else:
            malformed = True
            soup = "\"'\\,;=[]: for=unknown;proto=https"
            sent.append((FORWARDED, "".join(rng.choice(soup) for _ in range(rng.randrange(12))).strip()))
    return sent, malformed


def named(text, scheme):
    """Host and port of a Host header."""
    name, port = re.fullmatch(r"(.*?)(?::(\d+))?", text).groups()
    default = {"http": 80, "https": 443, None: None}[scheme]
    return name.lower(), int(port) if port else default


class Case:
    """A request through proxies, and what tower-origin has to find."""

    def __init__(self, rng):
        sent, self.malformed = lies(rng)
        head = {HOST: [host(rng)]}
        for name, text in sent:
            head.setdefault(name, []).append(text)
        self.lied = bool(sent)
        forwarded = rng.random() < 0.2
        peer, hops = address(rng), []
        # Whether the scheme is that of a proxy. Without a word of a proxy or a client it is http.
        scheme, is_known = "http", PROTO not in head
        self.through, elements = [], []
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            front = lighttpd if forwarded else rng.choice(FRONTS)
            recipe = not forwarded and rng.random() < 0.5
            hop = Hop(peer, rng.choice(["http", "https"]), f"{proxy(rng)}:{rng.randrange(1, 65536)}")
            if front is varnish:
                hop.scheme = "http"
            hops = [*(hops if not recipe or front in ALWAYS_APPEND else []), peer]
            had = filled(head.get(PROTO, []))
            front(head, hop, recipe)
            if recipe or front not in PASS_THE_SCHEME:
                scheme, is_known = ("http" if front is squid else hop.scheme), True
            elif front is caddy and not had:
                scheme, is_known = hop.scheme, True
            elements.append((hop.scheme, head[HOST][0]))
            self.through.append(f"{front.__name__} ({'recipe' if recipe else 'appends'})")
            peer = proxy(rng)
        untrusted = [at for at, one in enumerate(hops) if ipaddress.ip_address(one) not in TRUSTED]
        at = untrusted[-1] if untrusted else 0
        client = ipaddress.ip_address(hops[at])
        if forwarded:
            scheme, of_host = elements[at]
            is_known = True
        else:
            of_host = head[HOST][0]
        kind = "forwarded" if forwarded else "x-forwarded"
        if kind == "x-forwarded" and FORWARDED not in head and rng.random() < 0.3:
            kind = "either"
        self.forwarded = forwarded
        self.expected = [str(getattr(client, "ipv4_mapped", None) or client), scheme if is_known else None, *named(of_host, scheme if is_known else None)]
        peer = f"{peer}:{rng.randrange(1, 65536)}"
        self.asked = {
            "layer": {"trusted": [str(TRUSTED)], "kind": kind}, "peer": peer, "target": "/",
            "headers": [[name, line] for name, lines in head.items() for line in lines],
        }

    def matches(self, result):
        if result == "rejected" or "error" in result:
            return False
        return all(one is None or one == other for one, other in zip(self.expected, result))


def run(rng, cases, ours, tally):
    print(f"  {check_records()} heads of real proxies are written alike", flush=True)
    while tally.cases < cases:
        chunk = [Case(rng) for _ in range(CHUNK)]
        for case, result in zip(chunk, ours.ask([case.asked for case in chunk])):
            if case.matches(result):
                tally.same()
            elif result == "rejected" and case.forwarded and case.malformed:
                tally.ruled(QUOTED)
            else:
                tally.fault(through=case.through, asked=case.asked, expected=case.expected, ours=result)
