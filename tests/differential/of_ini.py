"""Random INI files: what configparser finds in them, and what PasteDeploy makes of their sections.

Each file is a case, and so is each section that is asked for. The differences that
docs/from-wsgi.md lists are counted by their ruling.
"""

import configparser
import io
import os
import pathlib
import re
import sys
import tempfile
import types

from paste.deploy import loadwsgi

HEADINGS = [
    "app:main", "app:main", "app:a", "app:b", "application:a", "composite:c", "composit:d", "filter:f", "filter:g",
    "pipeline:p", "filter-app:q", "server:main", "app: spaced", "app", "other", "DEFAULT", "DEFAULT",
]
USES = [
    "call:fakes:app", "call:fakes:app", "call:fakes:composite", "call:fakes:filter", "a", "b", "c", "f", "main", "none",
    "config:site.ini#a", "config:none.ini", "egg:none", "call:fakes:none", "call:fakes", "",
]
KEYS = ["k", "l", "m", "two words", "K", "k-k", "clé", "debug"]
SPECIAL = [("set k", None), ("set m", None), ("get l", ["k", "m", "none", "here"]), ("filter-with", ["f", "g", "none"]), ("next", ["a", "main", "none"])]
PARTS = [
    "x", "1", "true", " ", "  ", "é", "🦀", "/srv", "a b", "%%", "%(k)s", "%(l)s", "%(m)s", "%(here)s", "%(two words)s", "%(none)s",
    "%", "%(", "%(k", "%x", "=", ":", " = ", ";", " ; c", "#", " # c", "[x]", "'", '"', "\\", "$", "\n  more", "\n\n  more", "\n\tmore = 1",
    "\n  # c\n  more", "\n # c", "\u00a0", "\x0b", "\x0c", "\x1f", "\u2028",
]
LINES = [
    "", "  ", "\t", "# a comment", "; a comment", "  # indented", "no delimiter", "= no key", ": no key", "[]", "[ ]", "[\u00a0]", "[app:x", "[app:x = 1",
    "[a]b]", "[ app:a ]", "[app:b] # trailing", " [app:c]", "[[x]]", "]", "k", "k =", "k:", "  k = 1", " indented", "[DEFAULT]", "\ufeff", "#", "rem x",
]
CHUNK = 100

SELF = "a key that names itself means the default of that name"
KEPT = "a local key that is also in [DEFAULT] is kept"
BRACKET = "a line that begins with `[` and has no `]` is an error"
BLANK = "a heading without a name is an error"
AGAIN = "a value that a file passes to an included one is not interpolated again"
EMPTY = "a value of [DEFAULT] that is empty once its names are filled in is empty"
INDENTED = "an indented heading after a factory is an error, and no extra of an entry point"
TYPE = "PasteDeploy finds at the end that a `call:` in a [filter-app:] has no type, here it is an error of the file"


def value(rng):
    return "".join(rng.choice(PARTS) for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3, 5])))


def tame(rng):
    """A value that breaks nothing."""
    return "".join(rng.choice(PARTS[:13]) for _ in range(rng.choice([0, 1, 1, 2])))


def setting(rng, values):
    delimiter = rng.choice(["=", " = ", " = ", ":", " : ", "= "])
    if rng.random() < 0.12:
        key, choices = rng.choice(SPECIAL)
        return key + delimiter + (rng.choice(choices) if choices else values(rng))
    return rng.choice(KEYS) + delimiter + values(rng)


def document(rng):
    """A file of sections, most of which lead somewhere."""
    values = tame if rng.random() < 0.6 else value
    lines, seen = [], set()
    for _ in range(rng.randint(1, 5)):
        heading = rng.choice(HEADINGS)
        if heading in seen and heading != "DEFAULT" and rng.random() < 0.97:
            continue
        seen.add(heading)
        lines.append(f"[{heading}]")
        settings = [setting(rng, values) for _ in range(rng.choice([0, 0, 1, 1, 2, 3]))]
        if heading == "DEFAULT":
            settings = [line for line in settings if line.partition("=")[0].partition(":")[0].strip() in KEYS]
        elif heading.startswith("pipeline"):
            names = rng.choice(["a", "f a", "f g a", "g main", "a f", "", "none", "f"])
            settings = [f"pipeline = {names}", *(settings if rng.random() < 0.2 else [])]
        elif heading.startswith("filter:"):
            settings.insert(0, rng.choice(["use = call:fakes:filter", "use = f", "paste.filter_factory = fakes:filter"]))
        elif heading.startswith("filter-app"):
            settings = [rng.choice(["use = call:fakes:filter", "use = f"]), "next = a", *settings]
        elif rng.random() < 0.9:
            use = rng.choice(["use = " + rng.choice(USES), "use = call:fakes:app", "paste.app_factory = fakes:app"])
            settings.insert(rng.randint(0, len(settings)), use)
        if rng.random() < 0.95:
            # Without duplicates, which are errors.
            settings = list({line.partition("=")[0].partition(":")[0].strip(): line for line in settings}.values())
        lines += settings
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        lines.insert(rng.randint(0, len(lines)), rng.choice(LINES))
    end = rng.choice(["\n"] * 8 + ["\r\n", "\r"])
    return end.join("\n".join(lines).split("\n")) + rng.choice(["", end])


def parsed(text):
    """What configparser finds, in the form of ini.rs."""
    parser = configparser.RawConfigParser()
    parser.optionxform = str
    try:
        # A file is read with any ends of lines.
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error as error:
        return {"error": type(error).__name__}
    own = lambda name: [list(item) for item in parser._sections[name].items()]
    return {"defaults": [list(item) for item in parser.defaults().items()], "sections": [[name, own(name)] for name in parser.sections()]}


def deployed(file, name):
    try:
        config = loadwsgi.appconfig(f"config:{file}", name=name)
    except RecursionError:
        return {"error": "RecursionError"}
    except Exception as error:
        return {"error": type(error).__name__}
    return {"global": dict(config.global_conf), "local": dict(config.local_conf)}


def headings(text):
    """The lines that may be headings."""
    return [line.strip() for line in text.replace("\r", "\n").split("\n") if line.strip().startswith("[")]


def ruling_of_document(text, theirs, ours):
    """The ruling that covers a file which only configparser reads."""
    if "error" in theirs or "error" not in ours:
        return None
    if "without its `]`" in ours["error"] and any("]" not in line for line in headings(text)):
        return BRACKET
    if "without a name" in ours["error"] and any(not line[1:line.rfind("]")].strip() for line in headings(text)):
        return BLANK
    return None


def ruling(theirs, ours, document, text):
    # The keys that PasteDeploy drops from a section: those of [DEFAULT], and those that are given.
    defaults = {key for key, _ in document["defaults"]} | {"here", "__file__"} | theirs.get("global", {}).keys()
    if "error" in ours:
        if "error" in theirs:
            return None
        if "has no known type here" in ours["error"] and "filter-app" in ours["error"]:
            return TYPE
        if "the value continues in the indented line" in ours["error"]:
            return INDENTED
        # A value with an error, which PasteDeploy does not read.
        key = re.match(r"[^\[]*:\d+:\d+: \[[^\]]*\] (.*?): ", ours["error"])
        return KEPT if key and key[1] in defaults else None
    if "config:" in text and any("%" in value for value in ours["global"].values()):
        return AGAIN
    if "error" in theirs:
        names_itself = any(f"%({key})s" in text for _, settings in document["sections"] for key, text in settings)
        if theirs["error"] == "LookupError" and {"use", "next", "pipeline", "paste.app_factory"} & defaults:
            return KEPT
        return SELF if theirs["error"] in ("InterpolationDepthError", "RecursionError") and names_itself else None
    raw = dict(document["defaults"])
    empty = {key for key, text in ours["global"].items() if text == "" and theirs["global"].get(key) == raw.get(key)}
    without = lambda config: {key: text for key, text in config["local"].items() if key not in defaults}
    if {**theirs["global"], **dict.fromkeys(empty, "")} != ours["global"]:
        return None
    if ours["local"] == theirs["local"]:
        return EMPTY
    is_kept = without(ours) == without(theirs) and ours["local"].keys() >= theirs["local"].keys()
    return KEPT if is_kept else None


def run(rng, cases, ours, tally):
    fakes = types.ModuleType("fakes")
    fakes.app = fakes.composite = fakes.filter = lambda *_, **__: None
    sys.modules["fakes"] = fakes
    print(f"  Python {sys.version.split()[0]}", flush=True)
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        while tally.cases < cases:
            texts = [document(rng) for _ in range(CHUNK)]
            asked, files = [], []
            for number, text in enumerate(texts):
                (place := pathlib.Path(folder) / str(number)).mkdir(exist_ok=True)
                file = place / "site.ini"
                file.write_bytes(text.encode())
                names = [name for name in ["main", "a", "b", "c", "p", "q"] if f":{name}]" in text][:4] or ["main"]
                files.append((file, names))
                asked.append({"file": str(file), "text": text, "names": names})
            # Both sides read the files at the same time.
            ours.send(asked)
            theirs = [(parsed(text), [deployed(file, name) for name in names]) for text, (file, names) in zip(texts, files)]
            for text, (_, names), (found, configs), result in zip(texts, files, theirs, ours.receive(CHUNK)):
                compare(text, names, found, configs, result, tally)


def compare(text, names, theirs, configs, result, tally):
    found = result["document"]
    if theirs == found or ("error" in theirs and "error" in found):
        tally.same()
    elif covered := ruling_of_document(text, theirs, found):
        return tally.ruled(covered)
    else:
        return tally.fault(text=text, configparser=theirs, ours=found)
    for name, expected, config in zip(names, configs, result["configs"]):
        if expected == config or ("error" in expected and "error" in config):
            tally.same()
        elif covered := ruling(expected, config, theirs, text):
            tally.ruled(covered)
        else:
            tally.fault(text=text, name=name, pastedeploy=expected, ours=config)
