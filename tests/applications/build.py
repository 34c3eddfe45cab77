"""Fetches the applications, and builds each as it is and with its patch."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap

from applications import APPLICATIONS

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORK = ROOT / "target" / "applications"
LOCK = HERE / "Cargo.lock"
MANIFEST = (HERE / "Cargo.toml").read_text().replace("../../crates", str(ROOT / "crates"))
# Tables of a manifest that only the application's own tests need.
TESTS = re.compile(r"^\[\[?(dev-dependencies|target\..*\.dev-dependencies|test|bench|example)\b")


def cargo(*arguments, folder, **options):
    return subprocess.run(["cargo", *arguments], cwd=folder, check=True, **options)


def fetched():
    """The directory into which cargo unpacks the crates of the registry.

    A project that depends on the six is fetched. `cargo metadata` has no packages without a
    library, so the directory is that of a package with one."""
    folder = WORK / "fetch"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "lib.rs").write_text("")
    (folder / "Cargo.toml").write_text(MANIFEST)
    copy_lock(folder)
    quiet = {"folder": folder, "stderr": subprocess.DEVNULL}
    cargo("fetch", **quiet)
    metadata = cargo("metadata", "--offline", "--format-version", "1", stdout=subprocess.PIPE, **quiet)
    packages = json.loads(metadata.stdout)["packages"]
    hyper = next(package for package in packages if package["name"] == "hyper")
    return pathlib.Path(hyper["manifest_path"]).parents[1]


def copy_lock(folder):
    """The versions of everything. Without the file, they are today's, and `build` writes it."""
    if LOCK.exists():
        shutil.copy(LOCK, folder)


def without_tests(manifest):
    """The manifest without what only tests need, which the lock file does not have."""
    kept, dropped = [], False
    for line in manifest.splitlines():
        if line.startswith("["):
            dropped = bool(TESTS.match(line))
        if not dropped:
            kept.append(line)
    return "\n".join(kept) + "\n"


def patched(text, how, anchor, ours):
    """The text with our lines at the anchor, which is one whole line."""
    lines = text.split("\n")
    if lines.count(anchor) != 1:
        sys.exit(f"expected one line {anchor!r} (found {lines.count(anchor)})")
    at, ours = lines.index(anchor), textwrap.dedent(ours).strip("\n").split("\n")
    first, last = {"before": (at, at), "after": (at + 1, at + 1), "replaces": (at, at + 1)}[how]
    return "\n".join(lines[:first] + ours + lines[last:])


def dependencies(crates):
    """The dependencies of the manifest here with these names, each a table of its own."""
    found = {}
    for line in MANIFEST.splitlines():
        name, _, value = line.partition(" = ")
        found[name] = value
    return {name: found[name] for name in crates}


def add_dependencies(manifest, crates):
    """The manifest with our crates. A crate that the application has already stays as it is."""
    for name, value in dependencies(crates).items():
        if f"[dependencies.{name}]" not in manifest:
            value = value if value.startswith("{") else f"{{ version = {value} }}"
            manifest += f"\n[dependencies.{name}]\n" + value.strip("{} ").replace(", features", "\nfeatures") + "\n"
    return manifest


def lay_out(applications):
    """Two workspaces, `before` and `after`. Both have a package that needs our crates, so that the
    dependencies have the same features in both and are compiled once."""
    sources = fetched()
    crates = sorted({name for application in applications for name in application.crates} | {"hyper-util"})
    for side in ("before", "after"):
        shutil.rmtree(WORK / side, ignore_errors=True)
        (WORK / side).mkdir(parents=True)
        members = [application.name for application in applications] + ["layers"]
        (WORK / side / "Cargo.toml").write_text(
            f'[workspace]\nresolver = "2"\nmembers = {json.dumps(members)}\n'
            '[profile.dev]\ndebug = "line-tables-only"\nincremental = false\n'
        )
        copy_lock(WORK / side)
        layers = WORK / side / "layers"
        (layers / "src").mkdir(parents=True)
        (layers / "src" / "lib.rs").write_text("")
        ours = "\n".join(f"{name} = {value}" for name, value in dependencies(crates).items())
        (layers / "Cargo.toml").write_text(
            f'[package]\nname = "layers"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\n{ours}\n'
        )
        for application in applications:
            folder = WORK / side / application.name
            shutil.copytree(sources / f"{application.name}-{application.version}", folder)
            manifest = without_tests((folder / "Cargo.toml").read_text())
            if side == "after":
                manifest = add_dependencies(manifest, application.crates)
                for file, how, anchor, ours in application.patches:
                    text = (folder / file).read_text()
                    (folder / file).write_text(patched(text, how, anchor, ours))
            (folder / "Cargo.toml").write_text(manifest)
            # The lock file of the workspace counts.
            (folder / "Cargo.lock").unlink(missing_ok=True)


def build(applications):
    """The program of each application, as it is and with its patch."""
    if not LOCK.exists():
        lay_out(APPLICATIONS)
        cargo("generate-lockfile", folder=WORK / "after")
        shutil.copy(WORK / "after" / "Cargo.lock", LOCK)
    lay_out(applications)
    target, programs = WORK / "target", {}
    for application in applications:
        for side in ("before", "after"):
            # One at a time, since together they would give each other features.
            packages = ["-p", "layers", "-p", application.name]
            cargo("build", "--quiet", *packages, "--target-dir", target, folder=WORK / side)
            program = WORK / f"{application.name}-{side}"
            shutil.copy(target / "debug" / application.name, program)
            programs[application.name, side] = program
    return programs
