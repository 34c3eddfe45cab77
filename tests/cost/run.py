"""What a crate costs a program: a fresh axum application for each file of `programs`, and one without any of them. Run by `just cost`, with the names of
programs for some of them.

The first lines of a program are the command by which its crate is added, and what it may cost at most:

    // cargo add tower-NAME --features axum
    // at most 250000 bytes, 5 seconds

For each program it prints what is added to the application without it: packages, seconds of a clean release build, seconds of processor time of that build,
and bytes of the stripped binary. Builds take turns, ROUNDS times (1 if not set), and the median counts. The versions are those of this workspace's Cargo.lock.
Bytes above the bound are a failure. So are seconds with `--seconds`, which need a machine without other work.
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

    def build(self):
        shutil.rmtree(self.project / "target", ignore_errors=True)
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        self.cargo("build", "--quiet", "--release", "--offline")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.walls.append(time.monotonic() - start)
        self.cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        self.bytes = (self.project / "target" / "release" / "shop").stat().st_size
        shutil.rmtree(self.project / "target")

    def cargo(self, *args, cwd=None, capture=False):
        env = dict(os.environ, CARGO_TERM_COLOR="never", CARGO_INCREMENTAL="0", CARGO_PROFILE_RELEASE_STRIP="true")
        env.pop("CARGO_TARGET_DIR", None)
        done = subprocess.run([CARGO, *args], cwd=cwd or self.project, env=env, check=True, text=True, stdout=subprocess.PIPE if capture else None)
        return done.stdout

    def added(self, base):
        return (
            self.packages - base.packages,
            statistics.median(self.walls) - statistics.median(base.walls),
            statistics.median(self.cpus) - statistics.median(base.cpus),
            self.bytes - base.bytes,
        )


def main():
    names = sys.argv[1:]
    seconds_count = "--seconds" in names
    names = [name for name in names if name != "--seconds"]
    programs = [Program(path) for path in sorted((HERE / "programs").glob("*.rs"))]
    base = next(program for program in programs if program.name == BASE)
    programs = [program for program in programs if program is not base and (not names or any(program.name.startswith(name) for name in names))]
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        for program in [base, *programs]:
            program.make(pathlib.Path(folder))
        for _ in range(int(os.environ.get("ROUNDS", "1"))):
            for program in [base, *programs]:
                program.build()
    print(f"{'':32} packages  seconds  processor     bytes")
    wall, cpu = statistics.median(base.walls), statistics.median(base.cpus)
    print(f"{base.name:32} {base.packages:8} {wall:8.1f} {cpu:10.1f} {base.bytes:9}")
    for program in programs:
        packages, seconds, processor, size = program.added(base)
        print(f"{program.name:32} {packages:+8} {seconds:+8.1f} {processor:+10.1f} {size:+9}", flush=True)
        if program.most_bytes is None:
            failures.append(f"{program.name} has no line `// at most N bytes, N seconds`")
            continue
        if size > program.most_bytes:
            failures.append(f"{program.name} adds {size} bytes, and at most {program.most_bytes} are allowed")
        if seconds_count and seconds > program.most_seconds:
            failures.append(f"{program.name} adds {seconds:.1f} s, and at most {program.most_seconds} are allowed")
    sys.exit("\n".join(failures) if failures else 0)


if __name__ == "__main__":
    main()
