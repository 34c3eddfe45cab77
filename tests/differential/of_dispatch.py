"""Lists of regexes that Python's `re` and tower-dispatch read alike, and paths for them.

The regexes have what both know: literals, classes, groups, alternatives, greedy and lazy
repetitions, the anchors `^` and `\\Z` (`\\z` in Rust), and `\\b`. They have no repetition of what may
be empty, which the two define differently, none within another one, for which Python takes too long,
and no case folding.
"""

import re

# Characters of paths, with one of two bytes, one of four, and a line feed.
CHARACTERS = "aab/12-_.é🦀\n"
CLASSES = ["[ab]", "[^/]", "[a-z0-9]", "[^ab1]", r"[\d-]", r"\d", r"\w", r"\s", r"\D", r"\W", ".", "[é/]", "[.]"]
SAMPLES = {one: [c for c in CHARACTERS if re.fullmatch(one, c)] for one in CLASSES}
MODES = {"full": re.Pattern.fullmatch, "prefix": re.Pattern.match, "search": re.Pattern.search}
PATHS = 20
LONGEST = 14
CHUNK = 100


class Grammar:
    """Makes a regex as (text, whether it may be empty, a function that makes a matching text)."""

    def __init__(self, rng):
        self.rng, self.names = rng, 0

    def regex(self):
        text, _, sample = self.alternatives(3)
        if self.rng.random() < 0.2:
            text = f"^(?:{text})" if "|" in text else f"^{text}"
        if self.rng.random() < 0.2:
            text = rf"(?:{text})\Z" if "|" in text else rf"{text}\Z"
        return text, sample

    def alternatives(self, depth):
        parts = [self.sequence(depth) for _ in range(self.rng.choice([1, 1, 1, 2, 3]))]
        if len(parts) > 1 and self.rng.random() < 0.1:
            parts.append(("", True, lambda: ""))
        text = "|".join(part[0] for part in parts)
        return text, any(part[1] for part in parts), lambda: self.rng.choice(parts)[2]()

    def sequence(self, depth):
        parts = [self.repeated(depth) for _ in range(self.rng.choice([1, 1, 2, 3]))]
        text = "".join(part[0] for part in parts)
        return text, all(part[1] for part in parts), lambda: "".join(part[2]() for part in parts)

    def repeated(self, depth):
        text, empty, sample = self.atom(depth)
        if self.rng.random() < 0.55 or text.endswith(r"\b"):
            return text, empty, sample
        signs = [(0, 1, "?"), (0, 3, "*"), (1, 3, "+"), (2, 2, "{2}"), (1, 3, "{1,3}"), (0, 2, "{0,2}"), (1, 3, "{1,}")]
        least, most, sign = self.rng.choice(signs)
        if re.search(r"[*+}]", text):
            least, most, sign = self.rng.choice([(0, 1, "?"), (2, 2, "{2}")])
        if empty:
            # Both try the longer way first, and Python knows this one alone in the same way.
            least, most, sign = 0, 1, "?"
        lazy = self.rng.choice(["", "", "?"])
        return text + sign + lazy, empty or least == 0, lambda: "".join(sample() for _ in range(self.rng.randint(least, most)))

    def atom(self, depth):
        kind = self.rng.random()
        if depth == 0 or kind < 0.4:
            character = self.rng.choice(CHARACTERS)
            return re.sub(r"[.]", r"\\.", character), False, lambda: character
        if kind < 0.68:
            one = self.rng.choice(CLASSES)
            return one, False, lambda: self.rng.choice(SAMPLES[one])
        if kind < 0.71:
            return r"\b", True, lambda: ""
        text, empty, sample = self.alternatives(depth - 1)
        group = self.rng.choice(["(", "(", "(?:", "(?P<"])
        if group == "(?P<":
            self.names += 1
            group = f"(?P<n{self.names}>"
        return f"{group}{text})", empty, sample


def path(rng, samples):
    """A path: one that a regex should take, one changed in a place, or any."""
    kind = rng.random()
    anything = "".join(rng.choice(CHARACTERS) for _ in range(rng.randrange(8)))
    if kind < 0.25:
        return anything
    text = rng.choice(samples)()[:LONGEST]
    if kind < 0.5:
        return text
    if kind < 0.75:
        at = rng.randint(0, len(text))
        return (text[:at] + rng.choice(["", *CHARACTERS]) + text[at + rng.randint(0, 1):])[:LONGEST]
    return (anything[:3] + text + anything[3:])[:LONGEST]


def found(patterns, text):
    for index, (mode, pattern) in enumerate(patterns):
        if match := MODES[mode](pattern, text):
            groups = [match.span(group) for group in range(pattern.groups + 1)]
            names = [None] * (pattern.groups + 1)
            for name, group in pattern.groupindex.items():
                names[group] = name
            return [index, [None if span == (-1, -1) else list(span) for span in groups], names[1:]]
    return None


def run(rng, cases, ours, tally):
    while tally.cases < cases:
        chunk = []
        for _ in range(CHUNK):
            regexes = [Grammar(rng).regex() for _ in range(rng.randint(1, 5))]
            modes = [rng.choice(list(MODES)) for _ in regexes]
            paths = [path(rng, [sample for _, sample in regexes]) for _ in range(PATHS)]
            chunk.append(([(mode, text) for mode, (text, _) in zip(modes, regexes)], paths))
        asked = [{"patterns": [[mode, text.replace(r"\Z", r"\z")] for mode, text in table], "paths": paths} for table, paths in chunk]
        for (table, paths), results in zip(chunk, ours.ask(asked)):
            if "error" in results:
                tally.fault(table=table, error=results["error"])
                continue
            compiled = [(mode, re.compile(text)) for mode, text in table]
            for text, result in zip(paths, results):
                expected = found(compiled, text)
                if expected == result:
                    tally.same()
                else:
                    tally.fault(table=table, path=text, python=expected, ours=result)
