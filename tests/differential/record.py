"""Starts the real proxies, and writes into recorded.jsonl what they send for requests that lie: the
lines of `Host`, `Forwarded` and X-Forwarded-*, and the client that the proxy saw.

Each proxy is asked with the recipe of docs/in-front.md, and with settings that append to what the
client has sent.
"""

import contextlib
import json
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = pathlib.Path(__file__).with_name("recorded.jsonl")
sys.path.insert(0, str(ROOT / "tests" / "fronts"))

import recipes
import run as fronts

VERSIONS = {
    "nginx": ["nginx", "-v"], "apache": ["apache2", "-v"], "haproxy": ["haproxy", "-v"], "caddy": ["caddy", "version"],
    "lighttpd": ["lighttpd", "-v"], "varnish": ["varnishd", "-V"], "squid": ["squid", "-v"],
}

# Settings that append, for a client over IPv4 and over IPv6. `8088` is the port, `8080` the server's.
APPENDING = {
    "nginx": """
server {
    listen 127.0.0.1:8088;
    listen [::1]:8088;
    location / {
        proxy_pass http://127.0.0.1:8080;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
""",
    "apache": """
Listen 127.0.0.1:8088
Listen [::1]:8088
ProxyPreserveHost On
ProxyPass / http://127.0.0.1:8080/
""",
    "haproxy": """
frontend web
    bind 127.0.0.1:8088
    bind ::1:8088
    option forwardfor
    http-request set-header X-Forwarded-Proto http
    default_backend site
backend site
    server one 127.0.0.1:8080
""",
    "caddy": """
http://:8088 {
	bind 127.0.0.1 ::1
	reverse_proxy 127.0.0.1:8080 {
		trusted_proxies 127.0.0.0/8 ::1
	}
}
""",
    "lighttpd": """
server.modules = ( "mod_proxy" )
server.bind = "127.0.0.1"
server.port = 8088
$SERVER["socket"] == "[::1]:8088" { }
proxy.forwarded = ( "for" => 1, "proto" => 1, "host" => 1, "by" => 1 )
proxy.server = ( "" => (( "host" => "127.0.0.1", "port" => 8080 )) )
""",
    "varnish": """
vcl 4.1;
backend site { .host = "127.0.0.1"; .port = "8080"; }
sub vcl_recv { return (pass); }
""",
    "squid": """
http_port 127.0.0.1:8088 accel defaultsite=site.example vhost
http_port [::1]:8088 accel defaultsite=site.example vhost
cache_peer 127.0.0.1 parent 8080 0 no-query no-digest no-netdb-exchange originserver name=site
http_access allow all
never_direct allow all
""",
}

LIES = [
    [],
    [("X-Forwarded-For", "6.6.6.6")],
    [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "2001:db8::6")],
    [("X-Forwarded-For", "unknown, 6.6.6.6:80,[2001:db8::6]:81")],
    [("X-Forwarded-For", "")],
    [("X-Forwarded-For", "not an address;\"")],
    [("Forwarded", "for=6.6.6.6;proto=https;host=evil.example")],
    [("Forwarded", "for=\"[2001:db8::6]:80\""), ("Forwarded", "for=unknown, for=_hidden;by=6.6.6.6")],
    [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Port", "1"), ("X-Forwarded-Server", "evil.example")],
    recipes.forged("http")[:10],
]
HOSTS = ["site.example", "site.example:8088", "SITE.example"]
CLIENTS = ["127.0.0.2", "127.9.8.7", "::1"]


def ask(port, client, host, headers, tls):
    """What the echo server got, or nothing where the proxy responds itself."""
    family, server = (socket.AF_INET6, "::1") if ":" in client else (socket.AF_INET, "127.0.0.1")
    with socket.socket(family) as plain:
        plain.settimeout(10)
        plain.bind((client, 0))
        plain.connect((server, port))
        connection = ssl._create_unverified_context().wrap_socket(plain, server_hostname="site.example") if tls else plain
        lines = ["GET / HTTP/1.1", f"Host: {host}", "Connection: close", *(f"{name}: {text}" for name, text in headers)]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        response = b""
        while part := connection.recv(65536):
            response += part
    head, _, body = response.partition(b"\r\n\r\n")
    with contextlib.suppress(ValueError):
        return json.loads(body[body.index(b"{"):body.rindex(b"}") + 1])["headers"]
    return None


def matters(name):
    return name.startswith("x-forwarded") or name in ("host", "forwarded", "x-real-ip")


def record(folder, front, variant, text, echo, clients, out):
    plain, tls = fronts.free_port(), fronts.free_port()
    text = recipes.replaced(folder, text, echo.port, plain, tls)
    process = recipes.started(folder, f"{front}-{variant}", text, plain)
    fronts.wait_for(plain)
    for _ in range(100):
        with contextlib.suppress(OSError):
            if ask(plain, "127.0.0.2", "site.example", [], False):
                break
        time.sleep(0.1)
    version = subprocess.run(VERSIONS[front], capture_output=True, text=True)
    version = re.search(r"\d+\.[\d.]+", version.stdout + version.stderr)[0]
    count = 0
    for scheme, port in [("http", plain), ("https", tls)]:
        if scheme == "https" and f"{tls}" not in text:
            continue
        for client in clients:
            for host in HOSTS:
                for headers in LIES if host == HOSTS[0] else LIES[:1]:
                    host = host.replace("8088", str(plain))
                    got = ask(port, client, host, headers, scheme == "https")
                    # The ports of a run, and the proxy's own address, are of no matter.
                    steady = lambda text: text.replace(str(plain), "8088").replace(str(tls), "8443")
                    line = {
                        "front": front, "version": version, "variant": variant, "client": client, "scheme": scheme, "host": steady(host), "sent": headers,
                        "got": None if got is None else [[name, steady(value)] for name, value in got if matters(name)],
                    }
                    out.write(json.dumps(line) + "\n")
                    count += 1
    process.terminate()
    process.wait(20)
    print(f"  {front} {version}, {variant}: {count} requests", flush=True)


def main():
    missing = [tool for tool in recipes.TOOLS.values() if not shutil.which(tool)]
    if missing:
        raise SystemExit(f"missing: {' '.join(missing)} (Debian's packages, and lighttpd-mod-openssl)")
    echo = recipes.Echo()
    with tempfile.TemporaryDirectory() as name, open(FILE, "w") as out:
        folder = fronts.Folder(name)
        folder.path.chmod(0o755)
        folder.certificate("site", "site.example")
        try:
            _, *texts = recipes.recipes_of(recipes.PAGE)
            for front, text in texts:
                record(folder, front, "recipe", text, echo, CLIENTS[:2], out)
                clients = CLIENTS[:2] if front == "varnish" else CLIENTS
                record(folder, front, "appends", APPENDING[front], echo, clients, out)
        finally:
            folder.end()
