//! `serve --reload` and SIGHUP: changes that are noticed, messages, and requests meanwhile.

#![cfg(all(feature = "cli", feature = "reload", unix))]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod served;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::{sleep, timeout};

use served::{PATIENCE, Served};

/// A directory with a site that responds with a word, which is in a file that it includes.
struct Site(PathBuf);

const MAIN: &str =
    "[composite:main]\nuse = egg:tower#router\nurlpatterns =\n  GET /word config:word.ini\n";
const BUILT: &str = "the site is rebuilt";

fn word(word: &str) -> String {
    format!("[app:main]\nuse = egg:tower#text\ntext = {word}\n")
}

impl Site {
    fn new(name: &str) -> Self {
        let name = format!("tower-deploy-reload-{name}-{}", std::process::id());
        let site = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&site.0).unwrap();
        site.write("main.ini", MAIN);
        site.write("word.ini", &word("one"));
        site
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    async fn serve(&self, args: &[&str]) -> Served {
        let file = self.path("main.ini");
        Served::start(&[&[&*file], args].concat()).await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn says(served: &Served) -> String {
    let answer = served.ask("GET", "/word").await;
    String::from_utf8(answer.body().to_vec()).unwrap()
}

/// Checks that the site is not rebuilt again.
async fn is_quiet(served: &mut Served) {
    let more = timeout(Duration::from_millis(400), served.logs(BUILT)).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn deploy_49_each_way_of_saving_is_noticed_once() {
    let site = Site::new("once");
    let mut served = site.serve(&["--reload"]).await;
    assert_eq!(says(&served).await, "one");

    // Written in place. Another file includes it.
    site.write("word.ini", &word("two"));
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "two");
    is_quiet(&mut served).await;

    // Written beside it and renamed.
    site.write("word.ini~", &word("three"));
    fs::rename(site.path("word.ini~"), site.path("word.ini")).unwrap();
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "three");
    is_quiet(&mut served).await;

    // Saved twice in ten milliseconds.
    site.write("word.ini", &word("four"));
    sleep(Duration::from_millis(8)).await;
    site.write("word.ini", &word("five"));
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "five");
    is_quiet(&mut served).await;

    // Deleted and created again at once.
    fs::remove_file(site.path("word.ini")).unwrap();
    site.write("word.ini", &word("six"));
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "six");
    is_quiet(&mut served).await;

    // Deleted, and created again later. The error meanwhile is reported.
    fs::remove_file(site.path("word.ini")).unwrap();
    served.logs("there is no such file").await;
    assert_eq!(says(&served).await, "six");
    site.write("word.ini", &word("seven"));
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "seven");
    is_quiet(&mut served).await;

    // Saved as it was, which is no change.
    site.write("word.ini", &word("seven"));
    is_quiet(&mut served).await;

    // No longer included.
    site.write("main.ini", &word("main"));
    served.logs(BUILT).await;
    site.write("word.ini", &word("unused"));
    is_quiet(&mut served).await;
}

#[tokio::test]
async fn deploy_50_a_link_to_another_file_is_a_change() {
    let site = Site::new("link");
    for (directory, text) in [("a", "one"), ("b", "two")] {
        fs::create_dir(site.0.join(directory)).unwrap();
        site.write(&format!("{directory}/word.ini"), &word(text));
    }
    fs::remove_file(site.path("word.ini")).unwrap();
    // A container's configuration is mounted like this: a link to a link to a directory.
    std::os::unix::fs::symlink("a", site.path("data")).unwrap();
    std::os::unix::fs::symlink("data/word.ini", site.path("word.ini")).unwrap();
    let mut served = site.serve(&["--reload"]).await;
    assert_eq!(says(&served).await, "one");
    std::os::unix::fs::symlink("b", site.path("data~")).unwrap();
    fs::rename(site.path("data~"), site.path("data")).unwrap();
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "two");
}

/// Points a link at another target as deploys do: a new link is renamed over the old one.
fn switch(link: &Path, target: impl AsRef<Path>) {
    let beside = link.with_extension("tmp");
    std::os::unix::fs::symlink(target, &beside).unwrap();
    fs::rename(&beside, link).unwrap();
}

/// Returns a tree of directories for a test, in which `app/main.ini` is a site.
fn tree(name: &str) -> Site {
    let site = Site::new(name);
    fs::remove_file(site.path("main.ini")).unwrap();
    fs::remove_file(site.path("word.ini")).unwrap();
    site
}

impl Site {
    /// A directory with a whole site, in which everything but the word is as in the others.
    fn release(&self, directory: &str, says: &str) {
        fs::create_dir_all(self.0.join(directory)).unwrap();
        self.write(&format!("{directory}/main.ini"), MAIN);
        self.write(&format!("{directory}/word.ini"), &word(says));
    }

    async fn serve_at(&self, file: &str) -> Served {
        Served::start(&[&*self.path(file), "--reload"]).await
    }
}

#[tokio::test]
async fn deploy_50_a_switched_link_is_noticed_each_time() {
    let site = tree("deploy");
    for (release, says) in [("1", "one"), ("2", "two"), ("3", "three")] {
        site.release(&format!("app/releases/{release}"), says);
    }
    let current = site.0.join("app/current");
    switch(&current, "releases/1");
    let mut served = site.serve_at("app/current/main.ini").await;
    assert_eq!(says(&served).await, "one");

    switch(&current, "releases/2");
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "two");
    is_quiet(&mut served).await;

    // By an absolute path this time.
    switch(&current, site.0.join("app/releases/3"));
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "three");

    // The release that is current is watched, and an old one is not.
    site.write("app/releases/1/word.ini", &word("old"));
    is_quiet(&mut served).await;
    site.write("app/releases/3/word.ini", &word("edited"));
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "edited");

    // If the link is not renamed, it is missing for a moment.
    fs::remove_file(&current).unwrap();
    served.logs("there is no such file").await;
    assert_eq!(says(&served).await, "edited");
    std::os::unix::fs::symlink("releases/2", &current).unwrap();
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "two");
}

#[tokio::test]
async fn deploy_50_each_link_on_the_way_to_a_file_is_watched() {
    let site = tree("links");
    for (directory, says) in [("a", "one"), ("b", "two"), ("c", "three"), ("d", "four")] {
        site.release(&format!("data/{directory}/conf"), says);
    }
    // site -> hop/../first/second, first -> ., second -> (absolute) third, third -> data/a
    let link = |name: &str| site.0.join(name);
    fs::create_dir(link("hop")).unwrap();
    switch(&link("third"), "data/a");
    switch(&link("second"), link("third"));
    switch(&link("first"), ".");
    switch(&link("site"), "hop/../first/second");
    let mut served = site.serve_at("site/conf/main.ini").await;
    assert_eq!(says(&served).await, "one");
    for (name, target, word) in [
        ("third", "data/b", "two"),
        ("second", "data/c", "three"),
        ("site", "data/d", "four"),
    ] {
        switch(&link(name), target);
        served.logs(BUILT).await;
        assert_eq!(says(&served).await, word, "{name}");
    }
    // Links that no longer lead to the file do not matter.
    switch(&link("third"), "data/c");
    is_quiet(&mut served).await;
    // A loop is an error like any other, and ends like any other.
    switch(&link("site"), "site");
    served.logs("the site stays as it was").await;
    switch(&link("site"), "data/a");
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "one");
}

#[tokio::test]
async fn deploy_50_links_to_an_included_file_are_watched() {
    let site = tree("included");
    for (release, says) in [("1", "one"), ("2", "two")] {
        site.release(&format!("words/{release}"), says);
    }
    site.write(
        "main.ini",
        &MAIN.replace("config:word.ini", "config:current/word.ini"),
    );
    switch(&site.0.join("current"), "words/1");
    let mut served = site.serve_at("main.ini").await;
    assert_eq!(says(&served).await, "one");
    switch(&site.0.join("current"), "words/2");
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "two");
}

#[tokio::test]
async fn deploy_50_a_renamed_directory_is_noticed() {
    let site = tree("renamed");
    site.release("app/conf", "one");
    site.release("app.new/conf", "two");
    let mut served = site.serve_at("app/conf/main.ini").await;
    assert_eq!(says(&served).await, "one");
    is_quiet(&mut served).await;
    fs::rename(site.path("app"), site.path("app.old")).unwrap();
    fs::rename(site.path("app.new"), site.path("app")).unwrap();
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "two");
}

#[tokio::test]
async fn deploy_50_a_mounted_config_map_is_noticed() {
    // Kubernetes makes a new directory and switches one link, to which each file is a link.
    let site = tree("config-map");
    for (version, says) in [("..v1", "one"), ("..v2", "two"), ("..v3", "three")] {
        site.release(&format!("mount/{version}"), says);
    }
    let data = site.0.join("mount/..data");
    std::os::unix::fs::symlink("..v1", &data).unwrap();
    for file in ["main.ini", "word.ini"] {
        let link = site.0.join("mount").join(file);
        std::os::unix::fs::symlink(format!("..data/{file}"), link).unwrap();
    }
    let mut served = site.serve_at("mount/main.ini").await;
    assert_eq!(says(&served).await, "one");
    for (version, old, word) in [("..v2", "..v1", "two"), ("..v3", "..v2", "three")] {
        let beside = site.0.join("mount/..data_tmp");
        std::os::unix::fs::symlink(version, &beside).unwrap();
        fs::rename(&beside, &data).unwrap();
        fs::remove_dir_all(site.0.join("mount").join(old)).unwrap();
        served.logs(BUILT).await;
        assert_eq!(says(&served).await, word);
        is_quiet(&mut served).await;
    }
}

#[tokio::test]
async fn deploy_51_a_file_included_after_an_error_is_watched() {
    let site = tree("fault");
    site.write(
        "main.ini",
        "[composite:main]\nuse = egg:tower#router\nurlpatterns =\n  GET /first config:first.ini\n  GET /word config:word.ini\n",
    );
    site.write("first.ini", &word("first"));
    site.write("word.ini", &word("one"));
    let mut served = site.serve_at("main.ini").await;
    // The error hides the include after it.
    site.write("first.ini", "[app:main\n");
    served.logs("the site stays as it was").await;
    // That file is still watched, and read with the next reload.
    site.write("word.ini", &word("two"));
    served.logs("the site stays as it was").await;
    assert_eq!(says(&served).await, "one");
    site.write("first.ini", &word("first"));
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "two");
    is_quiet(&mut served).await;
}

#[tokio::test]
async fn deploy_51_a_broken_file_is_reported_and_the_site_stays() {
    let site = Site::new("broken");
    let mut served = site.serve(&["--reload"]).await;
    site.write("word.ini", &word("two").replace("text =", "txet ="));
    served
        .logs("error: [app:main] txet: the key is not known")
        .await;
    let place = served.logs(" --> ").await;
    assert!(place.ends_with("word.ini:3:1"), "{place}");
    served.logs("the site stays as it was").await;
    assert_eq!(says(&served).await, "one");
    is_quiet(&mut served).await;
    site.write("word.ini", &word("two"));
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "two");
}

#[tokio::test]
async fn deploy_52_sighup_rebuilds_the_site() {
    let site = Site::new("hangup");
    let mut served = site.serve(&[]).await;
    site.write("word.ini", &word("two"));
    is_quiet(&mut served).await;
    assert_eq!(says(&served).await, "one");
    served.signal("-HUP").await;
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "two");
    served.signal("-TERM").await;
    assert_eq!(served.ended().await, Some(0));
}

#[tokio::test]
async fn deploy_53_a_change_of_the_server_is_logged_once() {
    let site = Site::new("server");
    let mut served = site.serve(&["--reload"]).await;
    site.write(
        "main.ini",
        &format!("{MAIN}[server:main]\nuse = egg:tower#http\nport = 1\n"),
    );
    served.logs(BUILT).await;
    served
        .logs("[server:main] has changed: it takes effect after a restart")
        .await;
    assert_eq!(says(&served).await, "one");
    // It is logged once, and not with each change of another file.
    site.write("word.ini", &word("two"));
    served.logs(BUILT).await;
    let again = served.logs("[server:main] has changed");
    let again = timeout(Duration::from_millis(400), again).await;
    assert!(again.is_err(), "{again:?}");
}

#[tokio::test]
async fn deploy_48_a_download_is_finished_by_the_old_site() {
    let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = upstream.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = upstream.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n")
            .await;
        for _ in 0..10 {
            let _ = stream.write_all(b"tick\n").await;
            sleep(Duration::from_millis(100)).await;
        }
    });
    let site = Site::new("download");
    site.write(
        "main.ini",
        &format!("[app:main]\nuse = egg:tower#proxy\naddress = http://{address}\n"),
    );
    let mut served = site.serve(&["--reload"]).await;
    let url: http::Uri = format!("{}/word", served.url).parse().unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let response = client.get(url).await.unwrap();
    site.write("main.ini", &word("new"));
    served.logs(BUILT).await;
    assert_eq!(says(&served).await, "new");
    let body = timeout(PATIENCE, response.into_body().collect())
        .await
        .unwrap();
    assert_eq!(body.unwrap().to_bytes(), "tick\n".repeat(10));
}
