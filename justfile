# What CI does, and what takes longer than CI may.

# list the recipes
default:
    @just --list

# everything that CI does, or only the named steps: fmt lock clippy test doc alone peers fuzz
ci *STEPS:
    bash .ci/run {{ STEPS }}

# serve the example site
site *ARGS:
    cargo run -p examples --bin site -- {{ ARGS }}

# the overhead of each layer
bench *ARGS:
    cargo bench -p benches -- {{ ARGS }}

# the commit that `against` compares with: `just base=COMMIT against …`
base := "2ded026"

# the figures by turns with another commit's: `just against stack exception`; after --count, instructions instead of time (valgrind)
against *ARGS: baseline
    cargo run --profile served -p benches --bin ratios -- --against target/against/{{ base }}/ratios {{ ARGS }}

# builds the figures' program of that commit: its layers, but this tree's way to measure
baseline:
    rm -rf target/against/{{ base }} && mkdir -p target/against/{{ base }}/tree
    git archive {{ base }} | tar -x -C target/against/{{ base }}/tree
    cp benches/ratios.rs target/against/{{ base }}/tree/benches/
    cd target/against/{{ base }}/tree && CARGO_TARGET_DIR=../../build cargo build --profile served --locked -p benches --bin ratios
    cp target/against/build/served/ratios target/against/{{ base }}/

# the instructions of a request, row by row, against the bounds of benches/bounds.txt (valgrind)
bounds *NAMES:
    cargo run --profile served -p benches --bin ratios -- --bounds benches/bounds.txt {{ NAMES }}

# compiles each crate for Windows and macOS (Debian's rustc-web, cargo-web and rust-web-src)
platforms:
    bash tests/platforms/run.sh

# what each crate adds to a fresh axum application: packages and bytes, and after --seconds the seconds of a clean build (on a quiet machine); with names, only these: `just cost dispatch`
cost *ARGS:
    python3 tests/cost/run.py {{ ARGS }}

# a gigabyte through a server with a cascade and without: the hashes, and the most memory that the server took
upload:
    cargo run --release -p benches --bin upload

# a gigabyte without a newline, one of newlines, and one frame of them, with the prefix layer and without: the most memory
download:
    cargo run --release -p benches --bin download

# clients and apps that misbehave, one kind after the other, beside normal traffic: what fails, and what is not given back
faults *ARGS:
    cargo run --release -p tests --bin faults -- {{ ARGS }}

# all of that at once for half an hour, with reloads: whether memory grows
soak *ARGS:
    cargo run --release -p tests --bin faults -- soak {{ ARGS }}

# fuzz one target for so many seconds
fuzz TARGET SECONDS="60":
    cargo fuzz run --sanitizer none {{ TARGET }} -- -max_total_time={{ SECONDS }}

# mutants of one crate's rules, and whether its tests notice them: `just mutants tower-environ`
mutants NAME *ARGS:
    cargo mutants --package {{ NAME }} --all-features --no-shuffle --exclude '**/{layer,service}.rs' {{ ARGS }}

# bans, licences and sources of all dependencies
deny:
    cargo deny check bans licenses sources
    cargo deny --manifest-path fuzz/Cargo.toml --config deny.toml check bans licenses sources

# who sees the error page in a release build
lock:
    cargo test --release -p tower-exception --features debug --test it debug

# the error page in Chromium; with a folder, pictures of it there
browser *FOLDER:
    cargo build -p examples --bin error-page
    python3 tests/browser/run.py {{ FOLDER }}

# tower-deploy in front of gunicorn with a WSGI application: a page, uploads, a stream, a server that dies, one that never answers; then each site that starts its program itself; with names, only these
python *CHECKS:
    cargo build -p tower-deploy
    {{ if CHECKS == "" { "python3 tests/python/run.py" } else { "true" } }}
    python3 tests/python/process.py {{ CHECKS }}

# Flask, Django, Pyramid, FastAPI, Starlette, Express and PHP below a path: each row of docs/python.md and docs/node-and-php.md, and what `host` of the proxy does to them
frameworks *CHECKS:
    cargo build -p tower-deploy
    python3 tests/frameworks/run.py {{ CHECKS }}

# tower-deploy before php-fpm, git, cgit, fcgiwrap, uwsgi and Plack, from Debian's packages; with names, only these
gateway *CHECKS:
    cargo build --profile served -p tower-deploy
    python3 tests/gateway/run.py {{ CHECKS }}

# requests per second through tower-deploy, nginx and Apache, by turns, to the same FastCGI programs
gateway-load:
    cargo build --profile served -p tower-deploy
    python3 tests/gateway/speed.py

# DokuWiki behind php-fpm in Chromium: installed, logged in, a picture uploaded, a page edited; with a directory, a picture there
wiki *DIRECTORY:
    cargo build --profile served -p tower-deploy
    test -d target/wiki/bin || python3 -m venv target/wiki
    target/wiki/bin/pip install --quiet playwright==1.56.0
    target/wiki/bin/python tests/gateway/wiki.py {{ DIRECTORY }}

# layers and services of crates.io under tower-lint, each violation shown by hand, too: it writes the table of docs/published-layers.md
published-layers *NAMES:
    CARGO_TARGET_DIR={{ justfile_directory() }}/target/published-layers cargo run --locked --manifest-path tests/published-layers/Cargo.toml -- {{ NAMES }}

# applications of crates.io, each as it is and with one layer added by a patch: the same responses, except for what the layer is for (protobuf-compiler, and curl with HTTP/2); with names, only these
applications *NAMES:
    python3 tests/applications/run.py {{ NAMES }}

# a million random cases each: dispatch against Python's `re`, INI files against PasteDeploy and configparser, heads of real proxies against what those saw; `just differential ini --seed 1 --cases 1000`; `record` records the proxies again
differential *ARGS:
    cargo build -p tests --bin differential
    python3 tests/differential/run.py {{ ARGS }}

# one axum app over HTTP, and by FastCGI, SCGI and CGI behind nginx, Apache and lighttpd, from Debian's packages; with names, only these
hosting *FRONTS:
    cargo build -p tests --bin hosting
    python3 tests/hosting/run.py {{ FRONTS }}

# requests per second behind nginx, FastCGI beside HTTP to the same app by turns, and CGI from the start of a process to its first byte
hosting-speed:
    cargo build --profile served -p tests --bin hosting
    cargo build --profile served -p tower-deploy
    python3 tests/hosting/speed.py

# curl against a site, over HTTP/1.1 and HTTP/2: methods by statuses by apps, ranges by conditions
peers:
    cargo build -p tests --bin peers
    python3 tests/peers/run.py

# clients upload 10 MiB to a server that responds 413 without reading: how many of 1,000 responses each client sees
lingering *ARGS:
    cargo build -p tests --bin lingering
    python3 tests/lingering/run.py {{ ARGS }}

# what 5,000 idle connections cost, beside a bare hyper, and what stays when they are closed; `just idle NAME=COMMAND` adds a server
idle *ARGS:
    cargo build --profile served -p tests --bin idle
    python3 tests/idle/run.py {{ ARGS }}

# WebSockets: echo servers and clients of Python, node and tungstenite, each case direct and through the proxy, over HTTP/1 and HTTP/2; `just websockets browser` has Chromium alone
websockets *PARTS:
    cargo build -p tests --bin websockets
    python3 tests/websockets/run.py {{ PARTS }}

# http-cache-tests of npm, direct and through the proxy: which tests have another result, and why
http-cache-tests:
    cargo build -p tower-deploy
    python3 tests/http-cache-tests/run.py

# httplint of PyPI over the responses of the example sites and of `just peers`, as they are on the wire: its notes by kind
httplint:
    cargo build -p tower-deploy -p examples
    cargo build -p tests --bin peers
    test -d target/httplint/bin || python3 -m venv target/httplint
    target/httplint/bin/pip install --quiet httplint==2026.10.4
    target/httplint/bin/python tests/httplint/run.py

# nghttp (nghttp2-client) frame by frame, and h2load with 100 streams by sizes of windows
http2:
    cargo build -p tests --bin peers
    python3 tests/http2/run.py

# wsgiref.validate around an application behind the proxy (gunicorn) and behind the gateway (uwsgi, CGI): it stays silent
wsgi:
    cargo build -p tower-deploy
    python3 tests/wsgi/run.py

# requests that a server of HTTP/1 must reject or accept, each with its section of the RFC, sent to tower-serve alone
probes:
    cargo test -p tower-serve --test it probes

# a site under wrk's load whose file is rewritten a hundred times, thirty of them broken, and a thousand reloads more: failures and memory
reload:
    cargo build --release -p tower-deploy
    python3 tests/reload/run.py

# a site that is restarted forty times while its socket stays open, as under systemd: new connections all the time, and none fails
restarts:
    cargo build --release -p tower-deploy
    python3 tests/reload/restarts.py

# the filter error-documents beside error_page of nginx (nginx): sixty requests, each difference in the table of docs/error-documents.md
error-documents:
    cargo build -p tower-deploy
    python3 tests/error-documents/run.py

# TLS and the PROXY protocol: openssl, curl, HAProxy and nginx around a server, reloads of its certificates under load, and its speed beside nginx; `just fronts recipes`: the recipes of docs/in-front.md
fronts *CHECKS:
    cargo build --profile served -p tests --bin fronts
    cargo build -p tower-deploy
    python3 tests/fronts/run.py {{ CHECKS }}

# five layers against the bare service over sockets, by turns, HTTP/1 and HTTP/2; and the same five things in Python
load:
    cargo build --profile served -p tests --bin load
    python3 tests/load/run.py

# how many instructions the five layers take for a request over a socket (valgrind); `just load-count old=PROGRAM` counts the server of another commit beside it
load-count *ARGS:
    cargo build --profile served -p tests --bin load
    python3 tests/load/count.py {{ ARGS }}

# static files beside nginx and a bare hyper (nginx, wrk, nghttp2-client), by turns: 1 KiB, 100 KiB, 304; `just static-load old=PROGRAM` has another tower-deploy beside them
static-load *ARGS:
    cargo build --profile served -p tests --bin static-load
    cargo build --profile served -p tower-deploy
    python3 tests/static-load/run.py deploy=target/served/tower-deploy {{ ARGS }}

# tower-upstream beside nginx, HAProxy and the smallest forwarder of hyper (nginx, haproxy, nghttp2-client), in slices of 80 ms over HTTP/1 and by turns over HTTP/2: rates and percentiles; `just proxy-load old=PROGRAM` has another one beside them
proxy-load *ARGS:
    cargo build --profile served -p tests --bin proxy-load
    python3 tests/proxy-load/run.py {{ ARGS }}

# instructions, allocations and system calls of one request through tower-upstream, and through the smallest forwarder (nginx, valgrind, strace)
proxy-count *ARGS:
    cargo build --profile served -p tests --bin proxy-load
    python3 tests/proxy-load/count.py {{ ARGS }}

# a million GETs and 100,000 POSTs to an upstream that closes idle connections, through tower-upstream, nginx and HAProxy; and one of two upstreams killed under load
kept *ARGS:
    cargo build --profile served -p tests --bin proxy-load
    python3 tests/proxy-load/kept.py {{ ARGS }}

# the published crates with the oldest versions that their manifests name; what only tests need wants newer ones
minimal:
    cargo hack --version >/dev/null 2>&1 || cargo install --locked cargo-hack
    rm -rf target/minimal && mkdir -p target/minimal
    git archive HEAD | tar -x -C target/minimal
    sed -i 's|^members = .*|members = ["crates/*"]|' target/minimal/Cargo.toml
    cd target/minimal && cargo hack --remove-dev-deps --workspace
    cd target/minimal && RUSTC_BOOTSTRAP=1 cargo update -Z direct-minimal-versions
    cd target/minimal && CARGO_TARGET_DIR=../minimal-build cargo check --workspace --all-features

# each feature of each crate by itself
features:
    cargo hack --version >/dev/null 2>&1 || cargo install --locked cargo-hack
    cargo hack check --workspace --exclude benches --exclude examples --exclude tests --exclude ascii --each-feature --no-dev-deps

# what would be published, from a clean checkout of HEAD: the files of each crate, and that each builds from its package and those before it, in the order of publishing
package *ARGS:
    rm -rf target/package && git clone --quiet --no-hardlinks . target/package
    cd target/package && for crate in crates/*; do echo "$crate"; cargo package --list -p "$(basename $crate)"; done
    cd target/package && CARGO_TARGET_DIR=../package-build cargo package --workspace --exclude benches --exclude examples --exclude tests --exclude ascii {{ ARGS }}

# what a release would break of a published crate: `just semver tower-lint`, after its first release (cargo-semver-checks)
semver NAME *ARGS:
    cargo semver-checks --version >/dev/null 2>&1 || cargo install --locked cargo-semver-checks
    cargo semver-checks --package {{ NAME }} {{ ARGS }}

# the guides as a book with a search, in target/book/docs; the examples beside it, for its links
book:
    mdbook --version >/dev/null 2>&1 || cargo install --locked mdbook
    rm -rf target/book
    mdbook build docs
    git archive HEAD examples | tar -x -C target/book

# what a newcomer does (curl, php-fpm, pip): a fresh axum project, each crate in turn, the program and the axum snippet of its README, asked with curl; with names, only these
newcomer *CRATES:
    python3 tests/newcomer/run.py {{ CRATES }}

# release one crate, by cargo-release, which asks before: version, changelog, commit, publish, tag, push; with --dry-run it says what it would do, packs the crate as it is, and changes nothing
release NAME VERSION *ARGS:
    cargo release --version >/dev/null 2>&1 || cargo install --locked cargo-release@1.1.6
    cargo release --package {{ NAME }} {{ VERSION }} {{ if ARGS == "--dry-run" { "" } else { "--execute " + ARGS } }}

# how long the sentences of documents and rustdoc are, in words: median, 90th percentile, and the longest
sentences *ARGS:
    python3 tests/tidy/sentences.py . {{ ARGS }}
