"""Random cases, asked of this project and of a peer: dispatch against Python's `re`, INI files of
tower-deploy against PasteDeploy and configparser, and heads of real proxies against what those
proxies saw.

Run by `just differential`, which builds the program first. PasteDeploy comes from PyPI, into
target/differential. With names, only these parts; `--cases` and `--seed` set the number of cases
and the seed, which is printed. Ctrl-C ends a part, with its results so far. `record` starts the
real proxies and writes their heads into recorded.jsonl.
"""

import argparse
import contextlib
import importlib
import json
import pathlib
import random
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "target" / "differential"
PACKAGES = ["PasteDeploy==3.1.0"]
PARTS = ["dispatch", "ini", "origin"]
# How many differences are shown.
SHOWN = 20


class Ours:
    """The program of main.rs, which gets a list of cases in a line and writes the list of results."""

    def __init__(self, part, program):
        self.process = subprocess.Popen([program, part], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, cases):
        self.send(cases)
        return self.receive(len(cases))

    def send(self, cases):
        self.process.stdin.write(json.dumps(cases).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self, count):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"the program ended with {self.process.wait()}")
        results = json.loads(line)
        assert len(results) == count
        return results


class Tally:
    """Counts cases, those in which a ruling covers a difference, and the faults."""

    def __init__(self):
        self.cases, self.faults, self.rulings = 0, [], {}

    def same(self, count=1):
        self.cases += count

    def ruled(self, ruling):
        self.cases += 1
        self.rulings[ruling] = self.rulings.get(ruling, 0) + 1

    def fault(self, **what):
        self.cases += 1
        self.faults.append(what)
        if len(self.faults) <= SHOWN:
            print(json.dumps(what, ensure_ascii=False), flush=True)


def in_venv():
    """Starts this script again with the Python that has PasteDeploy."""
    python = TOOLS / "bin" / "python"
    if pathlib.Path(sys.prefix) == TOOLS:
        return
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", TOOLS], check=True)
        subprocess.run([TOOLS / "bin" / "pip", "install", "--quiet", *PACKAGES], check=True)
    sys.exit(subprocess.run([python, *sys.argv]).returncode)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}, or record")
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--program", default=ROOT / "target" / "debug" / "differential")
    arguments = parser.parse_args()
    in_venv()
    failed = False
    for part in arguments.parts or PARTS:
        if part == "record":
            importlib.import_module("record").main()
            continue
        print(f"{part}: seed {arguments.seed}", flush=True)
        rng = random.Random(f"{part} {arguments.seed}")
        tally, start = Tally(), time.monotonic()
        with contextlib.suppress(KeyboardInterrupt):
            importlib.import_module(f"of_{part}").run(rng, arguments.cases, Ours(part, arguments.program), tally)
        seconds = time.monotonic() - start
        for ruling, count in sorted(tally.rulings.items()):
            print(f"  {count:>9,} {ruling}")
        print(f"{part}: {tally.cases:,} cases, {len(tally.faults):,} faults, {seconds:.0f} s", flush=True)
        failed |= bool(tally.faults)
    sys.exit(failed)


if __name__ == "__main__":
    main()
