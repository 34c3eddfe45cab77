//! Replays the corpus of every fuzz target, so that what a fuzzer once found stays found.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]
#![allow(
    clippy::duplicate_mod,
    reason = "each check is a program of its own in fuzz, with the files that it needs"
)]

#[path = "../fuzz/checks/accept_best.rs"]
mod accept_best;
#[path = "../fuzz/checks/address_parse.rs"]
mod address_parse;
#[path = "../fuzz/checks/cgi_head_read.rs"]
mod cgi_head_read;
#[path = "../fuzz/checks/deploy_resolve.rs"]
mod deploy_resolve;
#[path = "../fuzz/checks/entity_tag_list.rs"]
mod entity_tag_list;
#[path = "../fuzz/checks/fastcgi_read.rs"]
mod fastcgi_read;
#[path = "../fuzz/checks/files_respond.rs"]
mod files_respond;
#[path = "../fuzz/checks/incident_page.rs"]
mod incident_page;
#[path = "../fuzz/checks/ini_interpolate.rs"]
mod ini_interpolate;
#[path = "../fuzz/checks/ini_parse.rs"]
mod ini_parse;
#[path = "../fuzz/checks/listen_address_parse.rs"]
mod listen_address_parse;
#[path = "../fuzz/checks/mount_nest.rs"]
mod mount_nest;
#[path = "../fuzz/checks/origin_resolve.rs"]
mod origin_resolve;
#[path = "../fuzz/checks/path_decode.rs"]
mod path_decode;
#[path = "../fuzz/checks/prefix_rewrite.rs"]
mod prefix_rewrite;
#[path = "../fuzz/checks/proxy_header_parse.rs"]
mod proxy_header_parse;
#[path = "../fuzz/checks/replace_rewrite.rs"]
mod replace_rewrite;
#[path = "../fuzz/checks/request_read.rs"]
mod request_read;
#[path = "../fuzz/checks/rewrite_cuts.rs"]
mod rewrite_cuts;
#[path = "../fuzz/checks/table_find.rs"]
mod table_find;
#[path = "../fuzz/checks/template_parse.rs"]
mod template_parse;

use std::{collections::BTreeSet, fs, path::Path};

const CHECKS: [(&str, fn(&[u8])); 21] = [
    ("accept_best", accept_best::accept_best),
    ("address_parse", address_parse::address_parse),
    ("cgi_head_read", cgi_head_read::cgi_head_read),
    ("deploy_resolve", deploy_resolve::deploy_resolve),
    ("entity_tag_list", entity_tag_list::entity_tag_list),
    ("fastcgi_read", fastcgi_read::fastcgi_read),
    ("files_respond", files_respond::files_respond),
    ("incident_page", incident_page::incident_page),
    ("ini_interpolate", ini_interpolate::ini_interpolate),
    ("ini_parse", ini_parse::ini_parse),
    ("mount_nest", mount_nest::mount_nest),
    (
        "listen_address_parse",
        listen_address_parse::listen_address_parse,
    ),
    ("origin_resolve", origin_resolve::origin_resolve),
    ("path_decode", path_decode::path_decode),
    ("prefix_rewrite", prefix_rewrite::prefix_rewrite),
    ("proxy_header_parse", proxy_header_parse::proxy_header_parse),
    ("replace_rewrite", replace_rewrite::replace_rewrite),
    ("request_read", request_read::request_read),
    ("rewrite_cuts", rewrite_cuts::rewrite_cuts),
    ("table_find", table_find::table_find),
    ("template_parse", template_parse::template_parse),
];

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_input_of_every_corpus_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, check) in CHECKS {
        let inputs = fs::read_dir(corpus.join(name)).unwrap();
        let mut count = 0;
        for input in inputs {
            check(&fs::read(input.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "fuzz/corpus/{name} is empty");
    }
}

#[test]
fn every_target_has_a_check_here_and_a_corpus() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let targets = names(&fuzz.join("fuzz_targets"));
    let checked = CHECKS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets, checked, "add the target to CHECKS");
    assert_eq!(targets, names(&fuzz.join("corpus")));
}
