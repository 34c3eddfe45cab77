#!/usr/bin/env python3
"""Sentence lengths, in words, of the prose of a tree: Markdown without code, tables, headings and
HTML, and the doc comments (/// and //!) of Rust sources.

    sentences.py TREE [--longest N] [--skip CRATE,CRATE]

Paragraphs and list items are units; a unit is cut into sentences at . ! ? followed by a space and
a capital, a digit, a code span or a name such as `axum`. A colon or a semicolon ends no sentence.
A word is a run without spaces that has a letter or a digit. A code span is one word. Link targets
and rule ids do not count. Plain `//` comments are not measured; CHANGELOG.md is.
"""
import os, re, sys

ABBR = re.compile(r"\b(e\.g|i\.e|etc|vs|cf|No|St|Dr|approx)\.$")


def markdown_units(lines, first=1):
    """Yields (line number, text) of each paragraph and list item."""
    fence = None; buf = []; at = first; out = []
    def flush():
        nonlocal buf
        if buf:
            out.append((at, " ".join(buf)))
        buf = []
    prev_blank = True; comment = False
    for n, line in enumerate(lines, first):
        s = line.strip()
        if fence:
            if s.startswith(fence) and not s.strip(fence[0]): fence = None
            continue
        m = re.match(r"(`{3,}|~{3,})", s)
        if m:
            flush(); fence = m.group(1); prev_blank = True; continue
        if comment:
            comment = "-->" not in s; continue
        if s.startswith("<!--"):
            flush(); comment = "-->" not in s; continue
        if not s:
            flush(); prev_blank = True; continue
        if s.startswith("|") or re.match(r"#{1,6}\s", s) or re.match(r"\[[^\]]+\]:\s", s) or re.match(r"(-{3,}|\*{3,}|={3,})$", s):
            flush(); prev_blank = False if s.startswith("|") else True; continue
        if s.startswith("<") and s.endswith(">") and " " not in s:
            flush(); continue
        if prev_blank and re.match(r" {4,}\S", line) and not re.match(r"\s*([-*+]|\d+[.)])\s", line) and not in_list(out, lines, n - first):
            continue  # an indented block of code
        m = re.match(r"(>\s*)?([-*+]|\d+[.)])\s+(.*)", s)
        if m:
            flush(); at = n; buf = [m.group(3)]
        else:
            if not buf: at = n
            buf.append(s.lstrip("> "))
        prev_blank = False
    flush()
    return out


def in_list(out, lines, i):
    """Whether an indented line after a blank one belongs to a list item above it."""
    for line in reversed(lines[:i]):
        if not line.strip(): continue
        if re.match(r"\s*([-*+]|\d+[.)])\s", line): return True
        if re.match(r"\s+\S", line): continue
        return False
    return False


def rust_units(text):
    lines = text.split("\n"); out = []; i = 0
    while i < len(lines):
        m = re.match(r"\s*(//!|///(?!/))( ?)(.*)", lines[i])
        if not m: i += 1; continue
        kind, start, block = m.group(1), i, []
        while i < len(lines):
            m = re.match(r"\s*(//!|///(?!/)) ?(.*)", lines[i])
            if not m or m.group(1) != kind: break
            block.append(m.group(2)); i += 1
        out += markdown_units(block, start + 1)
    return out


def plain(text):
    text = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^\*\*[A-Z-]+-\d+\*\*\s*", "", text)
    text = re.sub(r"`+[^`]*`+", "CODE", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\[([^\]]*)\]\[[^\]]*\]", r"\1", text)
    text = re.sub(r"https?://\S+", "URL", text)
    return re.sub(r"[*_]{1,2}(\S[^*_]*\S|\S)[*_]{1,2}", r"\1", text)


def sentences(text):
    out = []; last = 0; text = plain(text)
    for m in re.finditer(r"[.!?…][\"')\]]*(?=\s+[\"'(\[]*(?:[A-Z0-9*]|(?:tower|axum|hyper|tonic|tokio|http|nginx|wrk|gRPC|gunicorn|systemd|wsgiref|link\.wsgi|matchit|cargo|crates\.io)\b))", text):
        if ABBR.search(text[last:m.end()]): continue
        out.append(text[last:m.end()]); last = m.end()
    out.append(text[last:])
    return [s.strip() for s in out if words(s)]


def words(s):
    return len([w for w in s.split() if re.search(r"[A-Za-z0-9]", w)])


def group(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "crates" else parts[0] if len(parts) > 1 else "(root)"


def collect(tree):
    found = []
    for base, dirs, files in os.walk(tree):
        dirs[:] = sorted(d for d in dirs if d not in ("target", ".git", "node_modules", "corpus", "findings"))
        for name in sorted(files):
            path = os.path.join(base, name); rel = os.path.relpath(path, tree)
            if name.endswith(".md"): units = lambda t: markdown_units(t.split("\n"))
            elif name.endswith(".rs"): units = rust_units
            else: continue
            with open(path, encoding="utf-8") as file: text = file.read()
            for line, unit in units(text):
                for s in sentences(unit): found.append((words(s), rel, line, s))
    return found


def figures(values):
    values = sorted(values); n = len(values)
    over = sum(v > 25 for v in values)
    p90 = values[min(n - 1, -(-9 * n // 10) - 1)]
    return n, values[(n - 1) // 2], p90, values[-1], 100 * over / n


def main():
    args = sys.argv[1:]; tree = args.pop(0); longest = 0; skip = set()
    while args:
        flag = args.pop(0)
        if flag == "--longest": longest = int(args.pop(0))
        elif flag == "--skip": skip = set(args.pop(0).split(","))
        else: sys.exit(__doc__)
    found = [f for f in collect(tree) if group(f[1]) not in skip]
    groups = {}
    for f in found: groups.setdefault(group(f[1]), []).append(f[0])
    print(f"{'':24}{'sentences':>10}{'median':>8}{'90th':>6}{'max':>6}{'>25':>7}")
    for name in sorted(groups): print("%-24s%10d%8d%6d%6d%6.1f%%" % (name, *figures(groups[name])))
    print("%-24s%10d%8d%6d%6d%6.1f%%" % ("all", *figures([f[0] for f in found])))
    for n, path, line, s in sorted(found, key=lambda f: (-f[0], f[1], f[2]))[:longest]:
        print(f"\n{n:3} {path}:{line}\n    {s}")


main()
