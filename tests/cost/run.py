"""What a crate costs a program: a fresh axum application for each file of `programs`, and one without any of them. Run by `just cost`, with the names of
programs for some of them.

The first lines of a program are the command by which its crate is added, and what it may cost at most:

    // cargo add tower-NAME --features axum
    // at most 250000 bytes, 5 seconds

For each program it prints what is added to the application without it: packages, and bytes of the stripped release binary. All are built in one directory,
target/cost, which stays: what several need is built once, and a run that was ended continues. Each line is printed when it is known. The versions are those of
this workspace's Cargo.lock. Bytes above the bound are a failure.

With `--seconds` each build is a clean one, and its seconds and those of processor time are printed and bounded too. They need a machine without other work. The
builds take turns, ROUNDS times (1 if not set), and the median counts.
"""

import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CARGO = os.environ.get("CARGO", "cargo")
BASE = "axum"


class Program:
    def __init__(self, path):
        self.name = path.stem
        self.text = path.read_text()
        self.commands = re.findall(r"^// cargo (add .*)$", self.text, re.M)
        bound = re.search(r"^// at most (\d+) bytes, (\d+) seconds$", self.text, re.M)
        self.most_bytes, self.most_seconds = map(int, bound.groups()) if bound else (None, None)
        self.walls, self.cpus = [], []

    def make(self, folder):
        """Makes the project, as its command says, with the versions of the workspace."""
        self.project = folder / self.name / "shop"
        self.project.parent.mkdir()
        self.cargo("new", "--quiet", str(self.project), cwd=folder)
        self.cargo("add", "--quiet", "axum@0.8")
        self.cargo("add", "--quiet", "tokio@1", "--features", "full")
        for command in self.commands:
            words = [f"--path={ROOT / 'crates' / word}" if word.startswith("tower-") else word for word in command.split()[1:]]
            self.cargo("add", "--quiet", *words)
        shutil.copy(ROOT / "Cargo.lock", self.project)
        (self.project / "src" / "main.rs").write_text(self.text)
        self.cargo("fetch", "--quiet")
        tree = self.cargo("tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}", capture=True)
        self.packages = len({line.removesuffix(" (*)") for line in tree.splitlines()})

    def build(self, target):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        self.cargo("build", "--quiet", "--release", "--offline", "--target-dir", str(target))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.walls.append(time.monotonic() - start)
        self.cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        self.bytes = (target / "release" / "shop").stat().st_size

    def build_clean(self):
        target = self.project / "target"
        self.build(target)
        shutil.rmtree(target)

    def cargo(self, *args, cwd=None, capture=False):
        env = dict(os.environ, CARGO_TERM_COLOR="never", CARGO_INCREMENTAL="0", CARGO_PROFILE_RELEASE_STRIP="true")
        env.pop("CARGO_TARGET_DIR", None)
        done = subprocess.run([CARGO, *args], cwd=cwd or self.project, env=env, check=True, text=True, stdout=subprocess.PIPE if capture else None)
        return done.stdout

    def seconds(self, base):
        """The seconds that are added, and those of processor time."""
        wall = statistics.median(self.walls) - statistics.median(base.walls)
        return wall, statistics.median(self.cpus) - statistics.median(base.cpus)

    def failures(self, base, with_seconds):
        if self.most_bytes is None:
            return [f"{self.name} has no line `// at most N bytes, N seconds`"]
        size, failures = self.bytes - base.bytes, []
        if size > self.most_bytes:
            failures.append(f"{self.name} adds {size} bytes, and at most {self.most_bytes} are allowed")
        if with_seconds and self.seconds(base)[0] > self.most_seconds:
            failures.append(f"{self.name} adds {self.seconds(base)[0]:.1f} s, and at most {self.most_seconds} are allowed")
        return failures


def main():
    names = sys.argv[1:]
    with_seconds = "--seconds" in names
    names = [name for name in names if name != "--seconds"]
    programs = [Program(path) for path in sorted((HERE / "programs").glob("*.rs"))]
    base = next(program for program in programs if program.name == BASE)
    programs = [program for program in programs if program is not base and (not names or any(program.name.startswith(name) for name in names))]
    failures = []

    def show(program, sign):
        wall, processor = (program.walls[0], program.cpus[0]) if program is base else program.seconds(base)
        packages, size = (program.packages, program.bytes) if program is base else (program.packages - base.packages, program.bytes - base.bytes)
        seconds = f" {wall:{sign}8.1f} {processor:{sign}10.1f}" if with_seconds else ""
        print(f"{program.name:24} {packages:{sign}8} {size:{sign}10}{seconds}", flush=True)

    print(f"{'':24} packages      bytes" + ("  seconds  processor" if with_seconds else ""), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for program in [base, *programs]:
            program.make(pathlib.Path(folder))
            if not with_seconds:
                program.build(ROOT / "target" / "cost")
                show(program, "" if program is base else "+")
                failures += program.failures(base, False) if program is not base else []
        for _ in range(int(os.environ.get("ROUNDS", "1")) if with_seconds else 0):
            for program in [base, *programs]:
                program.build_clean()
        for program in [base, *programs] if with_seconds else []:
            show(program, "" if program is base else "+")
            failures += program.failures(base, True) if program is not base else []
    sys.exit("\n".join(failures) if failures else 0)


if __name__ == "__main__":
    main()
