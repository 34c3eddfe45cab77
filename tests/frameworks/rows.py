"""Each row of a page's tables, with the files that the page shows before it."""

import re

from site_of import APPS, CLIENT, Application, Site

SITE = "https://site.example"
RIGHT = {
    "client": CLIENT,
    "scheme": "https",
    "host": "site.example",
    "link": f"{SITE}/wiki/items/2",
    "path": "/wiki/items/2",
    "dir": f"{SITE}/wiki/dir/",
    "go": f"{SITE}/wiki/items/1",
    "form": f"{SITE}/wiki/items/1",
}


def rows_of(page):
    """Yields the site's file, the application, its files, the address and the command of each row.

    A section is named after its applications. The first line of a block of code names the file that it is appended to. It
    counts for the tables after it in its section.
    """
    site = None
    for section in re.split(r"^## ", page.read_text(), flags=re.M):
        title, _, text = section.partition("\n")
        names = [name for name in title.lower().split(" and ") if (APPS / name).exists()]
        files = {}
        for part in re.finditer(r"^```(\w+)\n(.*?)^```$|^\| [^|\n]* \| `(http://[^`]*)` \| `([^`]*)` \|$", text, flags=re.M | re.S):
            language, code, address, command = part.groups()
            if language == "ini":
                site = site or code
            elif code:
                file, _, rest = code.partition("\n")
                file = re.match(r"(?:#|//|<\?php //) (\S+)$", file)[1]
                start = "<?php\n" if language == "php" else ""
                files[file] = files.get(file, start) + rest
            elif command:
                for name in names:
                    yield site, name, dict(files), address, command


def check(page):
    count, wrong = 0, []
    for site, name, files, address, command in rows_of(page):
        application = Application(name, files, command)
        ours = Site(site.replace("http://127.0.0.1:8081", address.replace("8081", str(application.port))))
        try:
            seen = ours.seen("/wiki")
        finally:
            ours.end()
            application.end()
        count += 1
        differs = {key: value for key, value in seen.items() if RIGHT.get(key) != value}
        if seen.keys() != RIGHT.keys() or differs:
            wrong.append((name, command))
            print("WRONG", name, "|", command, "|", differs, application.output, flush=True)
        else:
            print("ok", name, "|", command, flush=True)
    assert count and not wrong, f"{len(wrong)} of {count} rows are wrong"
    print(f"{page.name}: {count} rows, all right")
