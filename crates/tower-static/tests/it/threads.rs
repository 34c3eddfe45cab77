//! Which thread reads a file. The page cache of Linux is what decides.

#![cfg(target_os = "linux")]

use std::{
    fs::{self, File},
    io::IoSliceMut,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use futures_util::FutureExt;
use http::{Method, Request};
use http_body_util::BodyExt;
use rustix::{
    fs::{Advice, fadvise},
    io::{ReadWriteFlags, preadv2},
};
use tower::ServiceExt;

use super::{Body, get, site};

/// Returns whether the file system says that it has the first byte in memory.
fn is_in_memory(path: &Path) -> bool {
    let file = File::open(path).unwrap();
    let mut byte = [0];
    let mut bytes = [IoSliceMut::new(&mut byte)];
    preadv2(file, &mut bytes, 0, ReadWriteFlags::NOWAIT).is_ok()
}

/// Asks the system to forget what a file has in it.
fn forget(path: &Path) {
    let file = File::open(path).unwrap();
    file.sync_all().unwrap();
    fadvise(file, 0, None, Advice::DontNeed).unwrap();
}

#[tokio::test]
async fn static_14_a_file_in_memory_is_read_at_once() {
    let site = site("at-once");
    let files = site.files();
    for (method, path, status) in [
        (Method::GET, "/nowhere", 404),
        (Method::POST, "/index.html", 405),
        (Method::GET, "/sub", 307),
        (Method::GET, "/index.html", 200),
        (Method::HEAD, "/index.html", 200),
    ] {
        if status == 200 && !is_in_memory(&site.0.join("www/index.html")) {
            eprintln!("the file system does not know what is in memory");
            continue;
        }
        let request = Request::builder().method(&method).uri(path);
        let request = request.body(Body::empty()).unwrap();
        let response = files.clone().oneshot(request).now_or_never();
        let Ok(response) = response.expect("it does not wait");
        assert_eq!(response.status(), status, "{method} {path}");
        let body = response.into_body().collect().now_or_never();
        assert!(body.expect("it does not wait").is_ok());
    }
}

#[tokio::test]
async fn static_14_a_file_on_the_disk_is_the_same() {
    let site = site("on-disk");
    let files = site.files();
    let path = site.0.join("www/large.txt");
    let content: String = (0..60_000).map(|number| format!("{number}\n")).collect();
    fs::write(&path, &content).unwrap();
    for is_forgotten_meanwhile in [false, true] {
        forget(&path);
        let request = Request::get("/large.txt").body(Body::empty()).unwrap();
        let Ok(response) = files.clone().oneshot(request).await;
        if is_forgotten_meanwhile {
            forget(&path);
        }
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, content);
    }
}

#[tokio::test]
async fn static_11_a_file_that_comes_and_goes_is_200_or_404() {
    let site = site("comes-and-goes");
    let files = site.files();
    let [here, away] = ["www/sub/deep.txt", "away.txt"].map(|path| site.0.join(path));
    let is_over = AtomicBool::new(false);
    let mut found = [0, 0];
    thread::scope(|scope| {
        let mover = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                fs::rename(&here, &away).unwrap();
                fs::rename(&away, &here).unwrap();
            }
        });
        for _ in 0..2000 {
            let response = get(&files, "/sub/deep.txt").now_or_never();
            // Only a file system that does not know what is in memory waits.
            let Some(response) = response else { continue };
            match response.status().as_u16() {
                200 => found[0] += 1,
                404 => found[1] += 1,
                status => panic!("{status}"),
            }
        }
        is_over.store(true, Ordering::Relaxed);
        mover.join().unwrap();
    });
    assert!(found[0] + found[1] == 0 || found[0] > 0, "{found:?}");
}
