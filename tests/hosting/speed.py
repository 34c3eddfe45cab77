"""Requests per second behind nginx: FastCGI beside HTTP to the same app, by turns; and CGI, from the
start of a process to its first byte.

Run by `just hosting-speed`, which builds the programs first. nginx has one worker, and is on the
first core together with the app, so that a rate counts the work of both. The client is on the second
one. With `APART=1`, the app is there, too. Connections to the app are kept, on Unix sockets, or with
`TCP=1` on ports. There are two apps: a handler of axum that responds with 1 KiB, and a file of 1 KiB
that tower-deploy serves. nginx sends Debian's fastcgi_params, and then only what is read. Turns are
short and many, because a busy machine changes from one second to the next, and a ratio is one of
neighbouring turns. With arguments, only these apps. It needs nginx, h2load and strace.
"""

import http.client
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import run

SERVED = run.ROOT / "target" / "served"
run.APP = pathlib.Path(os.environ.get("HOSTING", SERVED / "hosting"))
DEPLOY = pathlib.Path(os.environ.get("DEPLOY", SERVED / "tower-deploy"))
TURNS = int(os.environ.get("TURNS", "40"))
REQUESTS = 5000
APART, TCP = (os.environ.get(name) == "1" for name in ("APART", "TCP"))
CONNECTIONS = int(os.environ.get("CONNECTIONS", "64"))
LEAST = 1.0
CGI_STARTS = 50
TRACED = 500
# `few` is FastCGI with the variables alone that tower-gateway reads.
KINDS = {"http": "http", "fastcgi": "fastcgi", "few": "fastcgi"}
PATHS = {"axum": "/kib", "file": "/kib.bin"}

NGINX = """
daemon off;
worker_processes 1;
error_log {path}/nginx.log crit;
pid {path}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {path}/t; fastcgi_temp_path {path}/t; scgi_temp_path {path}/t;
    proxy_temp_path {path}/t; uwsgi_temp_path {path}/t;
    {servers}
}}
"""

SERVER = """
    upstream {name} {{ server {address}; keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        server_name example.org;
        location / {{ {passing} }}
    }}
"""

PASSING = {
    "http": 'proxy_pass http://{name}; proxy_http_version 1.1; proxy_set_header Connection ""; '
    "proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; "
    "proxy_set_header X-Forwarded-Proto $scheme;",
    "fastcgi": "include /etc/nginx/fastcgi_params; fastcgi_pass {name}; fastcgi_keep_conn on;",
    "few": "fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri; "
    "fastcgi_param SERVER_PROTOCOL $server_protocol; fastcgi_param REQUEST_SCHEME $scheme; "
    "fastcgi_param REMOTE_ADDR $remote_addr; fastcgi_param REMOTE_PORT $remote_port; "
    "fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length; "
    "fastcgi_param HTTP_HOST $host; fastcgi_pass {name}; fastcgi_keep_conn on;",
}

SITE = """
[app:main]
use = egg:tower#static
document_root = {path}/www
[server:main]
use = egg:tower#{kind}
bind = {address}
"""


def pinned(core, *args):
    return ["taskset", "-c", str(core), *args]


def seconds(pid):
    """Returns the CPU time of a process and its children, in seconds."""
    found, left = 0, [pid]
    while left:
        pid = left.pop()
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            found += int((task / "schedstat").read_text().split()[0])
            left += map(int, (task / "children").read_text().split())
    return found / 1e9


def start(folder, app, kind):
    """Starts an app, and returns its process and its address."""
    address = f"127.0.0.1:{run.free_port()}" if TCP else f"unix:{folder.path}/{app}-{kind}.sock"
    core, protocol = (1 if APART else 0), KINDS[kind]
    if app == "axum":
        folder.start(*pinned(core, folder.app, protocol, address))
    else:
        site = folder.write(f"{kind}.ini", SITE.format(path=folder.path, kind=protocol, address=address))
        folder.start(*pinned(core, DEPLOY, "serve", site))
    run.wait_for(int(address.split(":")[1]) if TCP else address.removeprefix("unix:"))
    return folder.processes[-1], address


def turn(app, nginx, url):
    """Returns the rate of a turn, and the CPU time of the app and of nginx for a request, in microseconds."""
    before = seconds(app.pid), seconds(nginx.pid)
    command = pinned(1, "h2load", "--h1", "-t1", f"-c{CONNECTIONS}", f"-n{REQUESTS}", url)
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = seconds(app.pid), seconds(nginx.pid)
    assert f" {REQUESTS} succeeded" in out, out
    costs = ((now - then) * 1e6 / REQUESTS for now, then in zip(after, before))
    return float(re.search(r"([\d.]+) req/s", out)[1]), *costs


def system_calls(folder, process, port, target):
    """Returns the system calls of the app for one request, counted by strace."""
    out = folder.path / "calls"
    command = ["strace", "-f", "-qq", "-c", "-U", "calls,name", "-o", str(out), "-p", str(process.pid)]
    strace = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(1)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(TRACED):
        connection.request("GET", target)
        assert len(connection.getresponse().read()) == 1024
    connection.close()
    strace.send_signal(signal.SIGINT)
    strace.wait()
    lines = (line.split() for line in out.read_text().split("\n"))
    counts = {line[1]: int(line[0]) / TRACED for line in lines if len(line) == 2 and line[0].isdigit()}
    return {name: count for name, count in counts.items() if count > 0.05 and name != "total"}


def first_byte(folder):
    """Returns the time from the start of a CGI process to its first byte, in milliseconds."""
    variables = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "/kib",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "example.org",
    }
    times = []
    for _ in range(CGI_STARTS):
        since = time.perf_counter()
        program = subprocess.Popen([folder.app], env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        begun = os.read(program.stdout.fileno(), 65536)
        times.append(1000 * (time.perf_counter() - since))
        content = begun + program.stdout.read()
        assert content.startswith(b"Status: 200 OK\r\n") and content.endswith(b"x" * 1024), content
        assert program.wait() == 0
    return times


def main():
    os.environ["PATH"] += ":/usr/sbin"
    failed = False
    with tempfile.TemporaryDirectory() as path:
        folder = run.Folder(path)
        folder.write("www/kib.bin", "x" * 1024)
        try:
            apps, servers = {}, ""
            for app in PATHS:
                for kind in KINDS:
                    process, address = start(folder, app, kind)
                    name, port = f"{app}_{kind}", run.free_port()
                    apps[app, kind] = (process, port)
                    passing = PASSING[kind].format(name=name)
                    servers += SERVER.format(name=name, address=address, port=port, passing=passing)
            file = folder.write("nginx.conf", NGINX.format(path=path, servers=servers))
            folder.start(*pinned(0, "nginx", "-p", path, "-c", file))
            nginx = folder.processes[-1]
            for _, port in apps.values():
                run.wait_for(port)
            for app in sys.argv[1:] or PATHS:
                found = {kind: [] for kind in KINDS}
                for number in range(TURNS):
                    # HTTP is the first in one turn and the last in the next one.
                    for kind in list(KINDS)[:: 1 if number % 2 else -1]:
                        process, port = apps[app, kind]
                        found[kind].append(turn(process, nginx, f"http://127.0.0.1:{port}{PATHS[app]}"))
                for kind in KINDS:
                    ratios = [own[0] / http[0] for own, http in zip(found[kind], found["http"])]
                    rate, ours, nginx_s = (statistics.median(column) for column in zip(*found[kind]))
                    low, ratio, high = statistics.quantiles(ratios, n=4)
                    print(f"{app:5} {kind:8} {rate:8.0f}/s  {ratio:.3f} of HTTP (half from {low:.2f} to {high:.2f}), "
                          f"app {ours:.1f} µs, nginx {nginx_s:.1f} µs of CPU for a request", flush=True)
                    failed |= ratio < LEAST
            process, port = apps["axum", "fastcgi"]
            calls = system_calls(folder, process, port, PATHS["axum"])
            text = ", ".join(f"{name} {count:.2f}" for name, count in sorted(calls.items()))
            print(f"system calls of a request by FastCGI: {text}")
            # One read and one write, and mostly a wait before it.
            failed |= sum(count for name, count in calls.items() if name != "epoll_wait") > 2.1
            times = first_byte(folder)
            print(f"CGI, from the start to the first byte: {statistics.median(times):.1f} ms "
                  f"({min(times):.1f} to {max(times):.1f})")
        finally:
            for process in folder.processes:
                process.send_signal(signal.SIGTERM)
            folder.end()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
