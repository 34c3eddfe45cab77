"""Requests per second through tower-deploy and through nginx, by turns, to the same FastCGI programs:
a constant responder on libfcgi, and php-fpm. Apache's mod_proxy_fcgi is printed beside them.

Run by `just gateway-load`, which builds tower-deploy first. Each server has one worker on the first
core, and the client and the programs are on the second one. Connections to the programs are kept.
Turns are short and many, because a busy machine changes from one second to the next, and a ratio is
one of neighbouring turns. Apache, which is slower, has fewer. A further tower-deploy is measured
beside the others with OLD=PROGRAM. With arguments, only before these programs.
"""

import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

import run

TURNS = int(os.environ.get("TURNS", "30"))
REQUESTS = 5000
# Apache has a turn in one of so many.
SELDOM = 5
LEAST = 0.9
TARGETS = {"constant": "/constant", "php-fpm": "/one.php"}

# Each process serves one connection at a time, and each server keeps some.
RESPONDER = r"""
#include <fcgi_stdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(void) {
    for (int i = 1; i < 48; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            break;
        }
    char text[1025];
    memset(text, '0', 1024);
    text[1024] = 0;
    while (FCGI_Accept() >= 0) {
        fputs("Content-Type: text/plain\r\n\r\n", stdout);
        fputs(text, stdout);
    }
    return 0;
}
"""

NGINX = """
worker_processes 1;
daemon off;
pid {path}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    {temporary}
    upstream constant {{ server unix:{path}/constant.sock; keepalive 16; }}
    upstream php {{ server unix:{path}/fpm.sock; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        fastcgi_keep_conn on;
        location /constant {{ include /etc/nginx/fastcgi_params; fastcgi_pass constant; }}
        location ~ \\.php$ {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME {path}/www$fastcgi_script_name;
            fastcgi_pass php;
        }}
    }}
}}
"""

APACHE = """
ServerRoot {path}
PidFile {path}/apache.pid
Listen 127.0.0.1:{port}
ServerName localhost
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_fcgi_module /usr/lib/apache2/modules/mod_proxy_fcgi.so
ErrorLog {path}/apache.log
MaxKeepAliveRequests 0
<Proxy "unix:{path}/constant.sock|fcgi://constant/" enablereuse=on max=16>
</Proxy>
<Proxy "unix:{path}/fpm.sock|fcgi://php/" enablereuse=on max=8>
</Proxy>
ProxyPass /constant "unix:{path}/constant.sock|fcgi://constant/"
ProxyPassMatch "^/(.*\\.php)$" "unix:{path}/fpm.sock|fcgi://php{path}/www/$1"
"""


SITE = """[composite:main]
use = egg:tower#urlmap
/constant = constant
/ = php
[app:constant]
use = egg:tower#fastcgi
address = unix:{path}/constant.sock
keep_connections = 16
connections = 16
[app:php]
use = egg:tower#fastcgi
address = unix:{path}/fpm.sock
document_root = {path}/www
keep_connections = 8
connections = 8
[server:main]
use = egg:tower#http
port = {port}
"""


def pinned(core, *args):
    return ["taskset", "-c", str(core), *args]


def seconds(process):
    """Returns the CPU time of a process and its children, in seconds."""
    found, left = 0, [process.pid]
    while left:
        pid = left.pop()
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            found += int((task / "schedstat").read_text().split()[0])
            left += map(int, (task / "children").read_text().split())
    return found / 1e9


def turn(server, process, url):
    """Returns the rate of a turn, and the CPU time of the server for a request, in microseconds."""
    before = seconds(process)
    out = run.run(*pinned(1, "h2load", "--h1", "-t1", "-c8", f"-n{REQUESTS}", url)).decode()
    spent = seconds(process) - before
    # Apache fails some requests on connections that it keeps, so only others may not.
    succeeded = int(re.search(r"(\d+) succeeded", out)[1])
    assert succeeded == REQUESTS or (server == "apache" and succeeded > REQUESTS / 2), (server, out)
    return float(re.search(r"([\d.]+) req/s", out)[1]), spent * 1e6 / succeeded


def start(folder):
    """Starts the programs and the servers, and returns the servers by name, with their ports."""
    path = folder.path
    source = folder.write("constant.c", RESPONDER)
    run.run("cc", "-O2", "-o", path / "constant", source, "-lfcgi")
    folder.start(*pinned(1, "spawn-fcgi", "-n", "-s", path / "constant.sock", "-M", "0666", "--", path / "constant"))
    run.wait_for(path / "constant.sock")
    run.php_fpm(folder, children=32, before=pinned(1))
    folder.write("www/one.php", "<?php echo str_repeat('0', 1024);")

    port = run.free_port()
    names = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    temporary = " ".join(f"{name}_temp_path {path}/{name};" for name in names)
    file = folder.write("nginx.conf", NGINX.format(path=path, port=port, temporary=temporary))
    nginx = folder.start(*pinned(0, "nginx", "-p", path, "-c", file), log="nginx.log")
    run.wait_for(port)
    servers = {"nginx": (nginx, port)}

    port = run.free_port()
    file = folder.write("apache.conf", APACHE.format(path=path, port=port))
    apache = folder.start(*pinned(0, "apache2", "-X", "-f", file, "-DFOREGROUND"), log="apache.log")
    run.wait_for(port)
    servers["apache"] = (apache, port)

    programs = {"ours": run.DEPLOY}
    if old := os.environ.get("OLD"):
        programs["old"] = old
    for name, program in programs.items():
        port = run.free_port()
        file = folder.write(f"{name}.ini", SITE.format(path=path, port=port))
        ours = folder.start(*pinned(0, program, "serve", file), log=f"{name}.log", env={**os.environ, "RUST_LOG": "warn"})
        run.wait_for(port)
        servers[name] = (ours, port)
    return servers


def main():
    os.environ["PATH"] += ":/usr/sbin"
    failed = False
    with tempfile.TemporaryDirectory() as path:
        folder = run.Folder(path)
        try:
            servers = start(folder)
            for name in sys.argv[1:] or TARGETS:
                target = TARGETS[name]
                turns = {server: [] for server in servers}
                for number in range(TURNS):
                    found = {}
                    # nginx is the first in one turn and the last in the next one.
                    for server in list(servers)[:: 1 if number % 2 else -1]:
                        if server != "apache" or number % SELDOM == 0:
                            process, port = servers[server]
                            found[server] = turn(server, process, f"http://127.0.0.1:{port}{target}")
                    for server, (rate, cost) in found.items():
                        nginx_rate, nginx_cost = found["nginx"]
                        turns[server].append((rate, rate / nginx_rate, cost, nginx_cost / cost))
                for server, found in turns.items():
                    rate, ratio, cost, work = (statistics.median(column) for column in zip(*found))
                    low, _, high = statistics.quantiles((each[1] for each in found), n=4)
                    print(f"{name:9} {server:7} {rate:9.0f}/s  {ratio:.3f} of nginx (half from {low:.2f} to {high:.2f}), "
                          f"{cost:.1f} µs of CPU for a request ({rate * cost / 1e4:.0f} % of its core), per CPU second {work:.3f}", flush=True)
                    failed |= server == "ours" and ratio < LEAST
        finally:
            folder.end()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
