"""tower-serve with TLS and the PROXY protocol: openssl and curl as its clients, HAProxy and nginx in
front of it, a hundred reloads of its certificates under load, and its speed beside nginx with the
same certificate; and the recipes of docs/in-front.md.

Run by `just fronts`, which builds the server first. The programs are from Debian's packages. With
arguments, only the checks of these names.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import recipes as in_front

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVER = ROOT / "target" / "served" / "fronts"
TOOLS = ["haproxy", "nginx", "openssl", "curl", "wrk", "h2load"]
# nginx's module for TCP, of the package libnginx-mod-stream.
STREAM = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
RELOADS, TURNS, SECONDS = 100, 10, 2
# The least share of nginx's figures.
TARGET = 0.8


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def run(*args, check=True, **more):
    done = subprocess.run([str(arg) for arg in args], capture_output=True, text=True, timeout=60, **more)
    assert not check or done.returncode == 0, (args, done)
    return done.stdout


class Folder:
    """Certificates, configurations and sockets, and the programs that were started for them."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.processes = []

    def certificate(self, name, *hosts):
        names = ",".join(f"DNS:{host}" for host in hosts)
        chain, key = self.path / f"{name}.pem", self.path / f"{name}.key"
        new = [self.path / f"{name}.pem.new", self.path / f"{name}.key.new"]
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", f"/CN={hosts[0]}", "-addext", f"subjectAltName={names}",
            "-out", new[0], "-keyout", new[1])
        new[1].rename(key)
        new[0].rename(chain)
        return chain, key

    def start(self, *args, **more):
        process = subprocess.Popen([str(arg) for arg in args], text=True, **more)
        self.processes.append(process)
        return process

    def server(self, *options, core=None):
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        address = options[0] if options and options[0].startswith("unix:") else "127.0.0.1:0"
        options = [option for option in options if option != address]
        process = self.start(*pinned, SERVER, address, *options, stdout=subprocess.PIPE)
        line = process.stdout.readline()
        process.url = re.match(r"listening on (.*)", line)[1]
        process.port = process.url.rsplit(":", 1)[-1]
        return process

    def haproxy(self, text):
        """HAProxy in front of servers, each at a port of its own."""
        path = self.path / "haproxy.cfg"
        path.write_text("defaults\n  mode http\n  timeout connect 5s\n  timeout client 9s\n  timeout server 9s\n" + text)
        return self.start("haproxy", "-db", "-q", "-f", path)

    def nginx(self, name, text, core=None):
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        path = self.path / f"{name}.conf"
        path.write_text(
            f"load_module {STREAM}; daemon off; worker_processes 1; pid {self.path}/{name}.pid; error_log stderr warn;\n"
            "events { worker_connections 1024; }\n" + text
        )
        return self.start(*pinned, "nginx", "-p", self.path, "-e", "stderr", "-c", path)

    def end(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def curl(url, *options, chain=None, host="a.example", check=True):
    """Returns the version, the status and the content."""
    port = re.search(r":(\d+)", url[8:])[1]
    trust = [] if chain is None else ["--cacert", chain, "--resolve", f"{host}:{port}:127.0.0.1"]
    out = run("curl", "-sS", "--max-time", "20", "-w", "\n%{http_version} %{http_code}", *trust, *options, url, check=check)
    body, _, line = out.rpartition("\n")
    version, _, status = line.partition(" ")
    return version, int(status), body


def clients(folder):
    """openssl and curl, two names, and HTTP without TLS."""
    first = folder.certificate("a", "a.example")
    second = folder.certificate("b", "b.example", "*.b.example")
    server = folder.server("tls", *first, "tls", *second)
    port = server.port
    for host, chain in [("a.example", first[0]), ("b.example", second[0]), ("www.b.example", second[0])]:
        for option, version in [("--http1.1", "1.1"), ("--http2", "2")]:
            for tls in ["1.2", "1.3"]:
                got = curl(f"https://{host}:{port}/", option, f"--tlsv{tls}", "--tls-max", tls, chain=chain, host=host)
                assert got == (version, 200, "x" * 1024), (host, option, tls, got[:2])
    # curl without ALPN, and one that offers HTTP/2 alone.
    assert curl(f"https://a.example:{port}/", "--no-alpn", chain=first[0])[:2] == ("1.1", 200)
    for name, subject in [(None, "a.example"), ("a.example", "a.example"), ("b.example", "b.example"), ("c.example", "a.example")]:
        sni = ["-noservername"] if name is None else ["-servername", name]
        for alpn, chosen in [("h2,http/1.1", "h2"), ("http/1.1,h2", "h2"), ("http/1.1", "http/1.1")]:
            out = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", *sni, "-alpn", alpn, input="")
            assert f"subject=CN = {subject}\n" in out and f"ALPN protocol: {chosen}\n" in out, out
    version, status, body = curl(f"http://127.0.0.1:{port}/")
    assert (version, status) == ("1.1", 400) and "https://" in body, (version, status, body)
    upload = curl(f"http://127.0.0.1:{port}/", "--data-binary", "@" + str(first[0]))
    assert upload[1] == 400, upload
    print("openssl and curl: 12 requests by name, version and TLS, 12 handshakes, and plain HTTP gets a 400")


def proxies(folder):
    """The PROXY protocol of HAProxy and nginx, with and without TLS behind it."""
    chain, key = folder.certificate("a", "a.example")
    plain = folder.server("proxy-protocol", "127.0.0.1")
    tls = folder.server("proxy-protocol", "127.0.0.1", "tls", chain, key)
    other = folder.server("proxy-protocol", "10.0.0.0/8")
    unix = folder.server(f"unix:{folder.path}/site.sock", "proxy-protocol", "10.0.0.0/8")
    ports = {}
    text = ""

    def front(name, line, mode="http"):
        nonlocal text
        port = ports[name] = free_port()
        text += f"listen {name}\n  bind 127.0.0.1:{port}\n  mode {mode}\n  {line}\n"

    front("v1", f"server s 127.0.0.1:{plain.port} send-proxy")
    front("v2", f"server s 127.0.0.1:{plain.port} send-proxy-v2")
    front("tlvs", f"server s 127.0.0.1:{plain.port} send-proxy-v2 proxy-v2-options crc32c,unique-id,authority,ssl")
    front("v1-unix", f"server s {folder.path}/site.sock send-proxy")
    front("v2-unix", f"server s {folder.path}/site.sock send-proxy-v2")
    # TLS passes through, and HAProxy's own client.
    front("v1-through", f"server s 127.0.0.1:{tls.port} send-proxy", "tcp")
    front("v2-through", f"server s 127.0.0.1:{tls.port} send-proxy-v2", "tcp")
    front("v2-tls", f"server s 127.0.0.1:{tls.port} send-proxy-v2 ssl verify none alpn h2,http/1.1")
    front("other", f"server s 127.0.0.1:{other.port} send-proxy-v2")
    front("without", f"server s 127.0.0.1:{plain.port}")
    # Health checks send a LOCAL header in version 2, and look like clients in version 1.
    front("check-v1", f"option httpchk GET /peer\n  server s 127.0.0.1:{plain.port} check inter 200 send-proxy")
    front("check-v2", f"option httpchk GET /peer\n  server s 127.0.0.1:{plain.port} check inter 200 send-proxy-v2")
    front("check-end", f"server s 127.0.0.1:{plain.port} check inter 200 send-proxy-v2")
    # A client on a Unix socket has no address.
    socket_path = folder.path / "front.sock"
    text += f"listen unknown\n  bind {socket_path}\n  server s 127.0.0.1:{plain.port} send-proxy\n"
    text += f"listen unspecified\n  bind {socket_path}.2\n  server s 127.0.0.1:{plain.port} send-proxy-v2\n"
    folder.haproxy(text)
    port = ports["nginx"] = free_port()
    through = ports["nginx-tls"] = free_port()
    folder.nginx("stream", f"""
        stream {{
            proxy_protocol on;
            server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{plain.port}; }}
            server {{ listen 127.0.0.1:{through}; proxy_pass 127.0.0.1:{tls.port}; }}
        }}""")
    for port in ports.values():
        wait_for(port)
    time.sleep(1)
    done = []

    def own_port(name, *options, scheme="http", **more):
        """The peer that the server sees is the port that curl has connected from."""
        url = f"{scheme}://{'a.example' if scheme == 'https' else '127.0.0.1'}:{ports[name]}/peer"
        out = run("curl", "-sS", "--max-time", "20", "-w", "\n%{local_ip}:%{local_port}", *options,
                  *(["--cacert", chain, "--resolve", f"a.example:{ports[name]}:127.0.0.1"] if scheme == "https" else []), url)
        seen, _, own = out.partition("\n")
        assert seen == own, (name, seen, own)
        done.append(name)

    for name in ["v1", "v2", "tlvs", "v1-unix", "v2-unix", "v2-tls", "check-v1", "check-v2", "check-end"]:
        own_port(name)
    for name in ["v1-through", "v2-through"]:
        for option in ["--http1.1", "--http2"]:
            own_port(name, option, scheme="https")
    own_port("nginx")
    own_port("nginx-tls", "--http2", scheme="https")
    for path in [socket_path, f"{socket_path}.2"]:
        seen = run("curl", "-sS", "--unix-socket", path, "http://127.0.0.1/peer")
        assert re.fullmatch(r"127\.0\.0\.1:\d+", seen), seen
        done.append("no address")
    # Who must not send a header, and who sends none, gets nothing: HAProxy answers by itself.
    for name in ["other", "without"]:
        assert curl(f"http://127.0.0.1:{ports[name]}/peer")[1] in (502, 503), name
        done.append(name)
    print(f"PROXY protocol: {len(done)} ways: {', '.join(done)}")


def reloads(folder):
    """A hundred new certificates under load, over HTTP/1 with a handshake for each request, and over HTTP/2."""
    chain, key = folder.certificate("a", "a.example")
    server = folder.server("tls", chain, key)
    url = f"https://127.0.0.1:{server.port}/"
    seconds = 30
    loads = [
        folder.start("wrk", "-t1", "-c8", f"-d{seconds}s", "-H", "Connection: close", url, stdout=subprocess.PIPE),
        folder.start("wrk", "-t1", "-c8", f"-d{seconds}s", url, stdout=subprocess.PIPE),
        folder.start("h2load", "-t1", "-c4", "-m4", "-D", seconds, url, stdout=subprocess.PIPE, stderr=subprocess.STDOUT),
    ]
    began, serials = time.monotonic(), set()
    for number in range(RELOADS):
        folder.certificate("a", "a.example")
        server.send_signal(signal.SIGHUP)
        assert server.stdout.readline() == "reloaded\n"
        out = run("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", input="")
        serials.add(run("openssl", "x509", "-noout", "-serial", input=out))
        time.sleep(max(0, began + number * (seconds - 3) / RELOADS - time.monotonic()))
    took = time.monotonic() - began
    outs = [load.communicate()[0] for load in loads]
    assert len(serials) == RELOADS, len(serials)
    for out in outs[:2]:
        assert "Socket errors" not in out and "Non-2xx" not in out, out
    assert re.search(r" 0 failed, 0 errored", outs[2]), outs[2]
    counts = [re.search(r"(\d+) requests in|requests: (\d+) total", out) for out in outs]
    counts = [int(count[1] or count[2]) for count in counts]
    print(f"{RELOADS} reloads in {took:.0f} s under {counts[0]} handshakes, {counts[1]} requests over HTTP/1 and {counts[2]} over HTTP/2: none failed")


def speed(folder):
    """By turns with nginx: the server on the first core, its client on the second. Medians of the ratios of each turn: by time, and by the processor time that a request takes, which other programs do not change."""
    chain, key = folder.certificate("a", "a.example")
    ours = folder.server("tls", chain, key, core=0)
    port = free_port()
    (folder.path / "files").mkdir()
    (folder.path / "files" / "large").write_bytes(b"x" * 1024 * 1024)
    folder.path.chmod(0o755)
    peer = folder.nginx("speed", f"""http {{
        access_log off; keepalive_requests 1000000000;
        server {{
            listen 127.0.0.1:{port} ssl http2;
            ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
            root {folder.path}/files;
            location /large {{ }}
            location / {{ default_type application/octet-stream; return 200 "{"x" * 1024}"; }}
        }}
    }}""", core=0)
    wait_for(port)
    urls = {"ours": ours.url + "/", "nginx": f"https://127.0.0.1:{port}/"}
    processes = {"ours": ours.pid, "nginx": int(pathlib.Path(f"/proc/{peer.pid}/task/{peer.pid}/children").read_text().split()[0])}

    def wrk(url, *options):
        out = run("taskset", "-c", "1", "wrk", "-t1", "-c16", f"-d{SECONDS}s", *options, url)
        assert "Socket errors" not in out and "Non-2xx" not in out, out
        return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])

    def h2load(url):
        out = run("taskset", "-c", "1", "h2load", "-t1", "-c4", "-m4", "-D", SECONDS, url)
        assert re.search(r" 0 failed, 0 errored", out), out
        return float(re.search(r"finished in .*?, ([\d.]+) req/s", out)[1])

    def s_time(url, version):
        out = run("taskset", "-c", "1", "openssl", "s_time", "-connect", url[8:-1], version, "-new", "-time", SECONDS, "-www", "/")
        return float(re.search(r"([\d.]+) connections in \d+ real seconds", out)[1]) / SECONDS

    def measure(side, ask):
        """Returns how many there were in a second, and in a second of processor time."""
        before = ticks(processes[side])
        rate = ask(urls[side])
        return rate, rate * SECONDS * os.sysconf("SC_CLK_TCK") / (ticks(processes[side]) - before)

    failed = []
    for name, ask in {
        "handshakes (wrk, Connection: close)": lambda url: wrk(url, "-H", "Connection: close"),
        "handshakes (openssl s_time -tls1_3, one at a time)": lambda url: s_time(url, "-tls1_3"),
        "handshakes (openssl s_time -tls1_2, one at a time)": lambda url: s_time(url, "-tls1_2"),
        "requests over HTTP/1 (wrk, 1 KiB)": wrk,
        "requests over HTTP/2 (h2load, 1 KiB)": h2load,
        "responses over HTTP/1 (wrk, 1 MiB)": lambda url: wrk(url + "large"),
        "responses over HTTP/2 (h2load, 1 MiB)": lambda url: h2load(url + "large"),
    }.items():
        turns = []
        for turn in range(TURNS + 1):
            order = list(urls) if turn % 2 else list(reversed(urls))
            turns.append({side: measure(side, ask) for side in order})
        for kind, index in [("second", 0), ("second of processor time", 1)]:
            rows = [(turn["ours"][index], turn["nginx"][index]) for turn in turns[1:]]
            own, peer, ratio = (statistics.median(column) for column in zip(*[(*row, row[0] / row[1]) for row in rows]))
            print(f"{name}: {own:.0f} a {kind}, nginx {peer:.0f}, ratio {ratio:.2f}", flush=True)
            if ratio < TARGET:
                failed.append(name)
    assert not failed, f"below {TARGET} of nginx: {failed}"


def ticks(process):
    """The processor time of a process so far."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def recipes(folder):
    """The recipes of docs/in-front.md."""
    in_front.recipes(folder, free_port, wait_for)


CHECKS = {"clients": clients, "proxies": proxies, "recipes": recipes, "reloads": reloads, "speed": speed}


def main():
    names = sys.argv[1:] or list(CHECKS)
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    # The recipes say themselves what they need.
    if names != ["recipes"] and (missing or not STREAM.exists()):
        packages = "haproxy nginx libnginx-mod-stream openssl curl wrk nghttp2-client"
        raise SystemExit(f"missing: {' '.join(missing) or STREAM} (apt-get install {packages})")
    for name in names:
        with tempfile.TemporaryDirectory() as path:
            folder = Folder(path)
            try:
                CHECKS[name](folder)
            finally:
                folder.end()


if __name__ == "__main__":
    sys.exit(main())
