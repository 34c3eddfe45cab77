//! The app `process` of a site that is served: reloads, and how everything ends.

#![cfg(all(
    feature = "cli",
    feature = "process",
    feature = "reload",
    target_os = "linux"
))]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod served;

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::{process::Command, time::sleep};

use served::{PATIENCE, Served};

/// A directory with a site whose process is this command with another file.
struct Site(PathBuf);

impl Site {
    fn new(name: &str, settings: &str) -> Self {
        let name = format!("tower-deploy-process-{name}-{}", std::process::id());
        let site = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&site.0).unwrap();
        let command = env!("CARGO_BIN_EXE_tower-deploy");
        let main = format!(
            "[app:main]\nuse = egg:tower#process\n\
             command = '{command}' serve %(here)s/inner.ini --bind unix:{{socket}}\n{settings}\n"
        );
        site.write("main.ini", &main);
        site.says("one");
        site
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    /// Changes what the process serves, which it reads when it starts.
    fn says(&self, word: &str) {
        let inner = format!("[app:main]\nuse = egg:tower#text\ntext = {word}\n");
        self.write("inner.ini", &inner);
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    async fn serve(&self) -> Served {
        Served::start(&[&self.path("main.ini")]).await
    }

    /// Returns the processes with the command of the site.
    fn processes(&self) -> Vec<String> {
        let inner = self.path("inner.ini");
        let is_of_site = |id: &String| {
            let words = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
            words.contains(&inner)
        };
        let all = fs::read_dir("/proc").unwrap();
        let all = all.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        all.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
            .filter(is_of_site)
            .collect()
    }

    async fn has_processes(&self, number: usize) {
        let start = Instant::now();
        while self.processes().len() != number {
            assert!(start.elapsed() < PATIENCE, "{:?}", self.processes());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(response: &Response<Bytes>) -> String {
    let text = String::from_utf8_lossy(response.body());
    format!("{} {text}", response.status().as_u16())
}

#[tokio::test]
async fn deploy_71_the_site_and_its_process_are_one_command() {
    let site = Site::new(
        "one",
        "filter-with = env\n[filter:env]\nuse = egg:tower#mount\npath = /a",
    );
    let mut served = site.serve().await;
    assert!(served.tree.contains("egg:tower#process"), "{}", served.tree);
    assert_eq!(text(&served.ask("GET", "/a/x").await), "200 one");
    served.logs("process=\"main\"").await;
    assert_eq!(site.processes().len(), 1);
    served.signal("-TERM").await;
    assert_eq!(served.ended().await, Some(0));
    assert_eq!(site.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn deploy_71_at_the_end_a_process_has_time() {
    let site = Site::new("end", "");
    let command = env!("CARGO_BIN_EXE_tower-deploy");
    let main = format!(
        "[app:main]\nuse = egg:tower#process\n\
         command = sh -c '{command} serve %(here)s/inner.ini --bind unix:$0 & \
         trap \"sleep 0.3; echo ended > %(here)s/ended; exit\" TERM; wait' {{socket}}\n"
    );
    site.write("main.ini", &main);
    let mut served = site.serve().await;
    assert_eq!(text(&served.ask("GET", "/").await), "200 one");
    served.signal("-TERM").await;
    assert_eq!(served.ended().await, Some(0));
    let ended = fs::read_to_string(site.path("ended")).unwrap();
    assert_eq!(ended, "ended\n");
    assert_eq!(site.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn deploy_71_a_process_that_dies_is_started_again() {
    let site = Site::new("dies", "");
    let mut served = site.serve().await;
    assert_eq!(text(&served.ask("GET", "/").await), "200 one");
    site.says("two");
    let before = site.processes();
    let mut kill = Command::new("kill");
    let killed = kill.arg("-KILL").args(&before).status().await.unwrap();
    assert!(killed.success());
    served.logs("the process has ended (signal 9)").await;
    assert_eq!(text(&served.ask("GET", "/").await), "200 two");
    site.has_processes(1).await;
    assert!(site.processes().iter().all(|id| !before.contains(id)));
    served.signal("-TERM").await;
    assert_eq!(served.ended().await, Some(0));
}

#[tokio::test]
async fn deploy_71_no_process_outlives_a_server_that_is_killed() {
    let site = Site::new("killed", "stop_timeout = 1s");
    let mut served = site.serve().await;
    assert_eq!(text(&served.ask("GET", "/").await), "200 one");
    assert_eq!(site.processes().len(), 1);
    served.signal("-KILL").await;
    assert_eq!(served.ended().await, None);
    site.has_processes(0).await;
}

#[tokio::test]
async fn deploy_72_a_reload_starts_another_process_and_loses_no_request() {
    let site = Site::new("reload", "");
    let mut served = site.serve().await;
    assert_eq!(text(&served.ask("GET", "/").await), "200 one");
    let before = site.processes();
    let (is_over, asked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let url = served.url.clone();
    let clients = (0..4).map(|_| {
        let (is_over, asked, url) = (is_over.clone(), asked.clone(), url.clone());
        tokio::spawn(async move {
            let mut wrong = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let said = said(&url).await;
                asked.fetch_add(1, Ordering::Relaxed);
                if said != "200 one" && said != "200 two" {
                    wrong.push(said);
                }
            }
            wrong
        })
    });
    let clients: Vec<_> = clients.collect();
    let more = async |number: usize| {
        let enough = asked.load(Ordering::Relaxed) + number;
        let start = Instant::now();
        while asked.load(Ordering::Relaxed) < enough {
            assert!(start.elapsed() < PATIENCE);
            sleep(Duration::from_millis(10)).await;
        }
    };
    more(20).await;
    site.says("two");
    served.signal("-HUP").await;
    served.logs("the site is rebuilt").await;
    // The old process is stopped now, and the new one has every request.
    assert_eq!(text(&served.ask("GET", "/").await), "200 two");
    let start = Instant::now();
    while site.processes().iter().any(|id| before.contains(id)) {
        assert!(start.elapsed() < PATIENCE);
        sleep(Duration::from_millis(20)).await;
    }
    more(20).await;
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        assert_eq!(client.await.unwrap(), Vec::<String>::new());
    }
    served.signal("-TERM").await;
    assert_eq!(served.ended().await, Some(0));
    assert_eq!(site.processes(), Vec::<String>::new());
}

async fn said(url: &str) -> String {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = match client.get(url.parse().unwrap()).await {
        Ok(response) => response,
        Err(error) => return error.to_string(),
    };
    let status = response.status().as_u16();
    match response.into_body().collect().await {
        Ok(body) => format!("{status} {}", String::from_utf8_lossy(&body.to_bytes())),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn deploy_72_a_new_process_that_does_not_start_changes_nothing() {
    let site = Site::new("broken", "");
    let mut served = site.serve().await;
    assert_eq!(text(&served.ask("GET", "/").await), "200 one");
    let before = site.processes();
    site.write("inner.ini", "[app:main]\nuse = egg:tower#nothing\n");
    served.signal("-HUP").await;
    served
        .logs("the process `main` does not accept connections")
        .await;
    served.logs("the site stays as it was").await;
    assert_eq!(text(&served.ask("GET", "/").await), "200 one");
    site.has_processes(1).await;
    assert_eq!(site.processes(), before);
    served.signal("-TERM").await;
    assert_eq!(served.ended().await, Some(0));
}

#[tokio::test]
async fn deploy_70_requests_wait_for_a_process_and_are_then_rejected() {
    let site = Site::new("slow", "");
    let main = "[app:main]\nuse = egg:tower#process\ncommand = sleep 1000\n\
                environment = SOCKET={socket}\nqueue_timeout = 300ms\nstop_timeout = 1s\n";
    site.write("main.ini", main);
    let mut served = site.serve().await;
    let start = Instant::now();
    let response = served.ask("GET", "/").await;
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    served.signal("-TERM").await;
    assert_eq!(served.ended().await, Some(0));
}

/// `request` starts it for its one request, and `check` and `explain` do not.
#[tokio::test]
async fn deploy_73_only_serve_and_request_start_a_process() {
    let site = Site::new("commands", "environment = A=b\n");
    let file = site.path("main.ini");
    for (arguments, expected) in [
        (&["check", &file][..], "main.ini: ok\n"),
        (&["explain", &file], "  start_timeout = 30s  (default)\n"),
        (&["explain", &file], "  header_timeout = 1m  (default)\n"),
        (&["request", &file, "GET", "/"], "one"),
        (
            &["request", &file, "GET", "/", "--trace"],
            "egg:tower#process",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tower-deploy"))
            .args(arguments)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(expected), "{arguments:?}: {said}");
        let log = String::from_utf8_lossy(&output.stderr);
        let starts = arguments[0] == "request";
        assert_eq!(log.contains("the process is started"), starts, "{log}");
        assert_eq!(site.processes(), Vec::<String>::new());
    }
}
