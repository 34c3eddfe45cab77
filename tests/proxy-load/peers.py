"""The proxies and the upstream of `just proxy-load` and `just kept`: programs with their settings."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = str(ROOT / "target" / "served" / "proxy-load")
# nginx and HAProxy are in sbin, which a user may not have in the path.
ENVIRON = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}

NGINX = """
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/client; proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    {rest}
}}
"""

NGINX_PROXY = """
    upstream up {{ {servers} keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{http1};
        listen 127.0.0.1:{http2} http2;
        location / {{
            proxy_pass http://up;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
        }}
    }}
"""

HAPROXY = """
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    http-reuse always
    option forwardfor
    retries 2
frontend front
    bind 127.0.0.1:{http1}
    bind 127.0.0.1:{http2} proto h2
    default_backend back
backend back
    retry-on conn-failure empty-response response-timeout
    http-request disable-l7-retry if METH_POST
{servers}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A program on one core, and its URLs for HTTP/1 and HTTP/2."""

    def __init__(self, command, core, urls=None):
        pipe = subprocess.PIPE if urls is None else subprocess.DEVNULL
        command = ["taskset", "-c", str(core), *command]
        self.process = subprocess.Popen(command, text=True, stdout=pipe, stderr=subprocess.DEVNULL, env=ENVIRON)
        if urls is None:
            urls = [re.match(r"listening on (\S+)", self.process.stdout.readline())[1]] * 2
        self.urls = urls
        address = re.match(r"http://(.*):(\d+)", urls[0])
        for _ in range(100):
            try:
                socket.create_connection((address[1], int(address[2]))).close()
                break
            except OSError:
                time.sleep(0.05)

    def processes(self):
        process = pathlib.Path(f"/proc/{self.process.pid}")
        workers = (process / "task" / process.name / "children").read_text().split()
        return [pathlib.Path(f"/proc/{name}") for name in [process.name, *workers]]

    def seconds(self):
        """Returns the CPU time that it has taken, with its workers."""
        tasks = [task for process in self.processes() for task in (process / "task").iterdir()]
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def peak(self):
        """Returns the most memory that it has had in MiB, with its workers."""
        status = [(process / "status").read_text() for process in self.processes()]
        return sum(int(re.search(r"VmHWM:\s+(\d+)", text)[1]) for text in status) / 1024

    def end(self, kill=False):
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        self.process.wait(40)


def nginx_upstream(directory, core, length):
    """Returns an nginx that responds with a body of this length."""
    directory = directory / "upstream"
    directory.mkdir()
    port = free_port()
    body = "x" * length
    rest = f'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{body}"; }} }}'
    (directory / "nginx.conf").write_text(NGINX.format(directory=directory, rest=rest))
    return Server(["nginx", "-p", str(directory), "-c", "nginx.conf"], core, [f"http://127.0.0.1:{port}"] * 2)


def nginx(directory, core, upstreams):
    directory = directory / "nginx"
    directory.mkdir()
    http1, http2 = free_port(), free_port()
    servers = " ".join(f"server {url.removeprefix('http://')};" for url in upstreams)
    rest = NGINX_PROXY.format(servers=servers, http1=http1, http2=http2)
    (directory / "nginx.conf").write_text(NGINX.format(directory=directory, rest=rest))
    urls = [f"http://127.0.0.1:{port}" for port in (http1, http2)]
    return Server(["nginx", "-p", str(directory), "-c", "nginx.conf"], core, urls)


def haproxy(directory, core, upstreams):
    http1, http2 = free_port(), free_port()
    lines = [f"    server s{n} {url.removeprefix('http://')}" for n, url in enumerate(upstreams)]
    file = directory / "haproxy.cfg"
    file.write_text(HAPROXY.format(servers="\n".join(lines), http1=http1, http2=http2))
    urls = [f"http://127.0.0.1:{port}" for port in (http1, http2)]
    return Server(["haproxy", "-db", "-f", str(file)], core, urls)


def ours(core, upstreams, program=PROGRAM):
    return Server([program, "proxy", *upstreams], core)


def forwarder(core, upstream):
    return Server([PROGRAM, "forwarder", upstream], core)
