"""What one request costs a proxy: instructions, allocations and system calls.

Run by `just proxy-count`, which builds the programs first. The instructions and the allocations are
counted by callgrind (Debian's valgrind), the system calls by strace. The counts hardly change from
one run to the next, whatever else the machine does. They are those of one request over HTTP/1, with
everything that the process does for it, of which the server in front of the proxy is about a third.
Further proxies are counted by `NAME=PROGRAM`: a proxy-load of another commit.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

import peers

CONNECTIONS = 64
# The most that tower-upstream may take, of the smallest forwarder's instructions.
BOUND = 1.10
# Two runs of these lengths differ only by requests on kept connections.
SHORT, LONG = 1000, 3000
CALLGRIND = ["valgrind", "--tool=callgrind", "--callgrind-out-file={out}"]
# With -D, the program and not strace is the process that is ended.
STRACE = ["strace", "-D", "-f", "-qq", "-c", "-U", "calls,name", "-o", "{out}"]


def run(tool, out, program, arguments, count):
    """Returns what a tool writes about a program that has had so many requests."""
    command = [word.format(out=out) for word in tool]
    server = peers.Server([*command, program, *arguments], 0)
    client = [peers.PROGRAM, "client", server.urls[0] + "/", "GET", str(count), str(CONNECTIONS)]
    found = subprocess.run(client, capture_output=True, text=True, check=True).stdout
    assert found.startswith(f"200: {count} in "), found
    server.end()
    for _ in range(100):
        text = out.read_text()
        if re.search("^totals:|total$", text, re.M):
            return text
        time.sleep(0.1)
    raise AssertionError(f"{command[0]} has written nothing")


def instructions(text):
    return int(re.search(r"^(?:totals|summary): (\d+)", text, re.M)[1])


def allocations(text):
    """Returns the number of calls of functions that allocate."""
    names = dict(re.findall(r"^c?fn=(\(\d+\)) (.+)$", text, re.M))
    calls = re.findall(r"^cfn=(\(\d+\)).*\ncalls=(\d+)", text, re.M)
    allocates = re.compile(r"mi_(heap_)?(malloc|zalloc|realloc|malloc_aligned|zalloc_aligned|realloc_aligned)(@.*)?$")
    return sum(int(number) for name, number in calls if allocates.match(names[name]))


def system_calls(text):
    lines = (line.split() for line in text.split("\n"))
    return {line[1]: int(line[0]) for line in lines if len(line) == 2 and line[0].isdigit() and line[1] != "total"}


def main():
    others = dict(argument.split("=", 1) for argument in sys.argv[1:])
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        # The worker of nginx has a user of its own.
        directory.chmod(0o755)
        upstream = peers.nginx_upstream(directory, 1, 1024)
        try:
            url = upstream.urls[0]
            servers = {"forwarder": (peers.PROGRAM, ["forwarder", url]), "ours": (peers.PROGRAM, ["proxy", url])}
            servers.update((name, (program, ["proxy", url])) for name, program in others.items())
            counts = {}
            for name, (program, arguments) in servers.items():
                def each(tool, read):
                    short, long = (read(run(tool, directory / "out", program, arguments, count)) for count in (SHORT, LONG))
                    return short, long

                short, long = (run(CALLGRIND, directory / f"callgrind.{name}.{count}", program, arguments, count) for count in (SHORT, LONG))
                counts[name] = (instructions(long) - instructions(short)) / (LONG - SHORT)
                allocated = (allocations(long) - allocations(short)) / (LONG - SHORT)
                short, long = each(STRACE, system_calls)
                calls = {call: (number - short.get(call, 0)) / (LONG - SHORT) for call, number in long.items()}
                calls = ", ".join(f"{number:.2f} {call}" for call, number in sorted(calls.items()) if number > 0.005)
                ratio = counts[name] / counts["forwarder"]
                print(f"{name:10} {counts[name]:7.0f} instructions ({ratio:.3f} of the forwarder), {allocated:5.1f} allocations, {calls}", flush=True)
            fits = counts["ours"] <= BOUND * counts["forwarder"]
            print(f"at most {BOUND:.2f} of the forwarder: {'yes' if fits else 'no'}")
            return 0 if fits else 1
        finally:
            upstream.end()


if __name__ == "__main__":
    sys.exit(main())
