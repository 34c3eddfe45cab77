//! A table of mistakes, one of each kind.

use crate::fakes::error;

#[test]
fn deploy_14_every_mistake_has_a_position_and_a_remedy() {
    let table = [
        (
            "a = 1\n[app:main]\n",
            "/site/main.ini:1:1: a setting before the first section (begin with a section, such as [app:main])",
        ),
        (
            "\u{feff}[app:main]\nuse = egg:fake\n",
            "/site/main.ini:1:1: a setting before the first section (save the file without a byte order mark)",
        ),
        (
            "[app:main]\nuse = egg:fake\nwhat is this\n",
            "/site/main.ini:3:1: [app:main] a line that is neither a section nor a setting (write `key = value`, or indent what belongs to the value above)",
        ),
        (
            "[app:main]\nuse = egg:fake\n= 1\n",
            "/site/main.ini:3:1: [app:main] a line that is neither a section nor a setting (write `key = value`, or indent what belongs to the value above)",
        ),
        (
            "[app:main]\nuse = egg:fake\n[app:main]\nuse = egg:fake\n",
            "/site/main.ini:3:2: [app:main] the section is a duplicate (put all of its settings under one heading)",
        ),
        (
            "[app:main]\nuse = egg:fake\na = 1\na = 2\n",
            "/site/main.ini:4:1: [app:main] a: the key is a duplicate (take one of them out)",
        ),
        (
            "[app:mian]\nuse = egg:fake\n",
            "/site/main.ini:1:2: [app:mian] there is no app `main` in /site/main.ini (did you mean `mian`?)",
        ),
        (
            "[filter:main]\nuse = egg:fake\n",
            "/site/main.ini:1:1: [filter:main] (line 1 of /site/main.ini) is a filter, not an app (a filter wraps an app: write `pipeline = main APP`, or `filter-with = main` in the section of the app)",
        ),
        (
            "",
            "/site/main.ini:1:1: there is no app `main` in /site/main.ini (it would be [app:main] or [composite:main] or [pipeline:main] or [filter-app:main])",
        ),
        (
            "[app:main]\nuse = egg:fake\n[composite:main]\nuse = egg:fake#mount\n",
            "/site/main.ini:3:2: [composite:main] [composite:main] and [app:main] (line 1) both are an app `main` (rename one of them)",
        ),
        (
            "[app:main]\ncolor = red\n",
            "/site/main.ini:1:2: [app:main] it names no factory of the app (add `use = …`: egg:NAME#ENTRY, call:MODULE:FUNCTION, config:FILE#NAME or another section)",
        ),
        (
            "[app:main]\npaste.app_factory = fakemod:app\npaste.composite_factory = fakemod:comp\n",
            "/site/main.ini:3:1: [app:main] paste.composite_factory: it names two factories (take one of them out)",
        ),
        (
            "[pipeline:main]\n",
            "/site/main.ini:1:2: [pipeline:main] its filters and its app are missing (add `pipeline = FILTER … APP`)",
        ),
        (
            "[pipeline:main]\npipeline =\n",
            "/site/main.ini:2:1: [pipeline:main] pipeline: it is empty (name the filters from the outermost to the innermost, and then the app)",
        ),
        (
            "[pipeline:main]\npipeline = f a\ncolor = red\n[filter:f]\nuse = egg:fake\n[app:a]\nuse = egg:fake\n",
            "/site/main.ini:3:1: [pipeline:main] color: a pipeline has no settings (only `pipeline`, `filter-with`, `set` and `get`; did you mean it for one of its parts?)",
        ),
        (
            "[pipeline:main]\npipeline = g a\n[filter:f]\nuse = egg:fake\n[app:a]\nuse = egg:fake\n",
            "/site/main.ini:2:12: [pipeline:main] pipeline: there is no filter `g` in /site/main.ini (it would be [filter:g])",
        ),
        (
            "[pipeline:main]\npipeline = f b\n[filter:f]\nuse = egg:fake\n[app:a]\nuse = egg:fake\n",
            "/site/main.ini:2:12: [pipeline:main] pipeline: there is no app `b` in /site/main.ini (it would be [app:b] or [composite:b] or [pipeline:b] or [filter-app:b])",
        ),
        (
            "[filter-app:main]\nuse = egg:fake\n",
            "/site/main.ini:1:2: [filter-app:main] the app that it wraps is missing (add `next = NAME`, the name of an app)",
        ),
        (
            "[filter-app:main]\nuse = egg:fake\nnext = missing\n",
            "/site/main.ini:3:8: [filter-app:main] next: there is no app `missing` in /site/main.ini (it would be [app:missing] or [composite:missing] or [pipeline:missing] or [filter-app:missing])",
        ),
        (
            "[app:main]\nuse = egg:fake\nfilter-with = missing\n",
            "/site/main.ini:3:15: [app:main] filter-with: there is no filter `missing` in /site/main.ini (it would be [filter:missing])",
        ),
        (
            "[app:main]\nuse = egg:fake\na = %(nmae)s\n",
            "/site/main.ini:3:5: [app:main] a: there is no key `nmae` for %(nmae)s (a key of this section or of [DEFAULT], or `here` or `__file__`)",
        ),
        (
            "[app:main]\nuse = egg:fake\na = 50% off\n",
            "/site/main.ini:3:5: [app:main] a: a `%` without `%` or `(name)s` after it (write `%%` for a percent sign, or `%(name)s` for the value of a key)",
        ),
        (
            "[app:main]\nuse = egg:fake\na = %(name\n",
            "/site/main.ini:3:5: [app:main] a: a `%(` without a name and `)s` (write `%(name)s`, or `%%(` for a percent sign and a parenthesis)",
        ),
        (
            "[DEFAULT]\na = 50%\n[app:main]\nuse = egg:fake\n",
            "/site/main.ini:2:5: [DEFAULT] a: a `%` without `%` or `(name)s` after it (write `%%` for a percent sign, or `%(name)s` for the value of a key)",
        ),
        (
            "[app:main]\nuse = egg:fake\na = %(b)s\nb = %(a)s\n",
            "/site/main.ini:3:5: [app:main] a: keys refer to one another more than 10 deep (does one of them refer to itself?)",
        ),
        (
            "[app:main]\nuse = egg:fake\nget a = debgu\n[DEFAULT]\ndebug = 1\n",
            "/site/main.ini:3:9: [app:main] get a: there is no global value `debgu` (did you mean `debug`?)",
        ),
        (
            "[app:main]\nuse = egg:fake\nget a = nothing\n",
            "/site/main.ini:3:9: [app:main] get a: there is no global value `nothing` (put it into [DEFAULT], or `set` it)",
        ),
        (
            "[app:main]\nuse = main\n",
            "/site/main.ini:2:7: [app:main] use: the section leads back to itself: [app:main] → [app:main] (take one of these references out)",
        ),
        (
            "[app:main]\nuse = b\n[app:b]\nuse = main\n",
            "/site/main.ini:4:7: [app:b] use: the section leads back to itself: [app:main] → [app:b] → [app:main] (take one of these references out)",
        ),
        (
            "[composite:main]\nuse = egg:fake#mount\n/ = main\n",
            "/site/main.ini:3:5: [composite:main] /: the section leads back to itself: [composite:main] → [composite:main] (take one of these references out)",
        ),
        (
            "[app:main]\nuse = egg:fakes\n",
            "/site/main.ini:2:7: [app:main] use: nothing is registered under egg:fakes (did you mean `fake`?)",
        ),
        (
            "[app:main]\nuse = egg:other\n",
            "/site/main.ini:2:7: [app:main] use: nothing is registered under egg:other (known: fake)",
        ),
        (
            "[app:main]\nuse = egg:fake#tpyed\n",
            "/site/main.ini:2:7: [app:main] use: there is no app or composite egg:fake#tpyed (did you mean `typed`?)",
        ),
        (
            "[app:main]\nuse = egg:fake#broken\n",
            "/site/main.ini:2:7: [app:main] use: egg:fake#broken is a filter, not an app or a composite (its section would be [filter:NAME])",
        ),
        (
            "[app:main]\nuse = call:fakemod\n",
            "/site/main.ini:2:7: [app:main] use: `fakemod` has no colon (write module:function)",
        ),
        (
            "[app:main]\nuse = call:fakemod:ap\n",
            "/site/main.ini:2:7: [app:main] use: `fakemod` has no `fakemod:ap` (did you mean `fakemod:app`?)",
        ),
        (
            "[app:main]\nuse = call:other:app\n",
            "/site/main.ini:2:7: [app:main] use: nothing is registered in the module `other` (known: fakemod:app, fakemod:filter, fakemod:mount, fakemod:server)",
        ),
        (
            "[app:main]\nuse = call:fakemod:filter\n",
            "/site/main.ini:2:7: [app:main] use: `fakemod:filter` is registered as filter, not as app (the type of the section decides)",
        ),
        (
            "[filter-app:main]\nuse = call:fakemod:filter\nnext = a\n[app:a]\nuse = egg:fake\n",
            "/site/main.ini:2:7: [filter-app:main] use: `call:fakemod:filter` has no known type here (give it a section of its own, [filter:NAME], and use that)",
        ),
        (
            "[pipeline:main]\npipeline = call:fakemod:nope\n",
            "/site/main.ini:2:12: [pipeline:main] pipeline: `fakemod` has no `fakemod:nope` (did you mean `fakemod:app`?)",
        ),
        (
            "[pipeline:main]\npipeline = call:fakemod:filter\n",
            "/site/main.ini:2:12: [pipeline:main] `fakemod:filter` is registered as filter, not as app or composite (the type of the section decides)",
        ),
        (
            "[app:main]\nuse = eg:fake\n",
            "/site/main.ini:2:7: [app:main] use: `eg:` is not known (it is one of config:, egg: and call:)",
        ),
        (
            "[app:main]\nuse = config:other.ini\n",
            "/site/main.ini:2:7: [app:main] use: /site/other.ini: there is no such file (is it the right name?)",
        ),
        (
            "[app:main]\nuse = egg:fake\nrequire = fake nosuch\n",
            "/site/main.ini:3:11: [app:main] require: nothing is registered under egg:nosuch (known: fake)",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\nprot = 80\n",
            "/site/main.ini:3:1: [app:main] prot: the key is not known (did you mean `port`?)",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\nzzz = 80\n",
            "/site/main.ini:3:1: [app:main] zzz: the key is not known (known: port, debug, timeout, names, level, factor, title)",
        ),
        (
            "[app:main]\nuse = egg:fake#unit\ncolor = red\n",
            "/site/main.ini:3:1: [app:main] color: the key is not known (it takes no settings)",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\nport = 80000\n",
            "/site/main.ini:3:8: [app:main] port: `80000` is not a number from 0 to 65535",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\ndebug = maybe\n",
            "/site/main.ini:3:9: [app:main] debug: `maybe` is not one of true, yes, on, 1, false, no, off, 0",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\ntimeout = soon\n",
            "/site/main.ini:3:11: [app:main] timeout: `soon` is not a duration, such as 30s, 500ms or 1h 30m",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\nlevel = middle\n",
            "/site/main.ini:3:9: [app:main] level: `middle` is not one of low, high",
        ),
        (
            "[app:main]\nuse = egg:fake#typed\nfactor = much\n",
            "/site/main.ini:3:10: [app:main] factor: `much` is not a number",
        ),
        (
            "[app:main]\nuse = egg:fake#needs\n",
            "/site/main.ini:1:2: [app:main] dir: it is missing (add `dir = …`)",
        ),
        (
            "[app:main]\nuse = egg:fake#fails\n",
            "/site/main.ini:1:2: [app:main] the factory failed: the disk is full",
        ),
        (
            "[app:main]\nuse = egg:fake#panics\n",
            "/site/main.ini:1:2: [app:main] the factory panicked: not today",
        ),
        (
            "[app:main]\nuse = egg:fake\nfilter-with = f\n[filter:f]\nuse = egg:fake#broken\n",
            "/site/main.ini:4:2: [filter:f] the filter failed: it does not fit",
        ),
        (
            "[composite:main]\nuse = egg:fake#mount\n/a = missing\n",
            "/site/main.ini:3:6: [composite:main] /a: there is no app `missing` in /site/main.ini (it would be [app:missing] or [composite:missing] or [pipeline:missing] or [filter-app:missing])",
        ),
        (
            "[composite:main]\nuse = egg:fake#mount\n/a = b\n[app:b]\nuse = egg:fake#fails\n",
            "/site/main.ini:4:2: [app:b] the factory failed: the disk is full",
        ),
    ];
    for (file, expected) in table {
        assert_eq!(error(file).to_string(), expected, "{file}");
    }
}
