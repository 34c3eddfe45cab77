"""How many instructions the five layers take for a request over a socket, by callgrind (Debian's valgrind).

Run by `just load-count`, which builds the server first. One connection has 10,000 requests of a
browser, and then 20,000 with another process: the difference is what 10,000 requests cost. The
layers' own instructions are those of the server with them, less those of the bare server.
`NAME=PROGRAM` counts the server of another commit beside it.
"""

import http.client
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

import run

# Two runs of these lengths differ only by requests on a kept connection.
SHORT, LONG = 10_000, 20_000
# The most that the layers may take: a few percent above what was counted.
BOUNDS = {"stack": 4_000, "service": 8_700}


def ask(url, count):
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    headers = dict(header.split(": ", 1) for header in run.HEADERS)
    for _ in range(count):
        connection.request("GET", "/hello/John", headers=headers)
        response = connection.getresponse()
        assert response.status == 200 and len(response.read()) >= 4096
    connection.close()


def total(program, side, count):
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory) / "out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program, side]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            ask(re.match(r"listening on (.*)", server.stdout.readline())[1], count)
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0
        return int(re.search(r"^(?:totals|summary): (\d+)", out.read_text(), re.M)[1])


def layers(program):
    """Returns the bare server's instructions for a request, and for each other side what its layers take."""
    counts = {side: (total(program, side, LONG) - total(program, side, SHORT)) / (LONG - SHORT) for side in run.SIDES}
    bare = counts.pop("bare")
    return bare, {side: count - bare for side, count in counts.items()}


def main():
    fits = True
    bare, ours = layers(run.SERVER)
    print(f"the bare server: {bare:.0f} instructions for a request")
    for side, count in ours.items():
        print(f"{run.SIDES[side]}: {count:.0f} more, at most {BOUNDS[side]}")
        fits &= count <= BOUNDS[side]
    for name, program in (argument.split("=", 1) for argument in sys.argv[1:]):
        bare, others = layers(program)
        print(f"{name}, the bare server: {bare:.0f}")
        for side, count in others.items():
            print(f"{name}, {run.SIDES[side]}: {count:.0f} more; ours are {ours[side] / count:.3f}")
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
