//! How a process ends, with all its children.

use tokio::runtime;

use super::{
    program::{program, shell},
    *,
};

#[tokio::test]
async fn process_8_children_of_a_dead_process_are_killed() {
    let process = shell("trap '' TERM; sleep 1000 &").stop_timeout(ms(200));
    let (running, service) = started(process);
    let first = id(&service).await;
    kill(first).await;
    assert_ne!(id(&service).await, first);
    ended(first).await;
    running.stop().await;
}

#[tokio::test]
async fn process_10_the_last_drop_stops_it() {
    let (running, service) = started(shell("sleep 1000 &"));
    let id = id(&service).await;
    let directory = running.socket().parent().unwrap().to_owned();
    let clone = service.clone();
    let stopped = running.stopped();
    drop((running, service));
    sleep(ms(200)).await;
    assert!(has_group(id));
    drop(clone);
    stopped.await;
    ended(id).await;
    assert!(!directory.exists());
}

#[tokio::test]
async fn process_10_a_response_under_way_keeps_it() {
    let (running, service) = started(program());
    let id = id(&service).await;
    let stopped = running.stopped();
    let response = ask(&service, "/part").await;
    drop((running, service));
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "part done");
    stopped.await;
    ended(id).await;
}

#[tokio::test]
async fn process_10_a_request_under_way_keeps_it() {
    let (running, service) = started(program());
    running.ready().await.unwrap();
    let stopped = running.stopped();
    drop(running);
    let request = Request::get("/slow").body(Empty::<Bytes>::new()).unwrap();
    let Ok(response) = service.oneshot(request).await;
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "slow");
    stopped.await;
}

#[tokio::test]
async fn process_10_sigterm_comes_first() {
    let directory = tempfile::tempdir().unwrap();
    let end = directory.path().join("end");
    let before = format!(
        "(trap 'sleep 0.2; echo ended > {}; exit' TERM; while :; do sleep 0.05; done) &",
        end.display()
    );
    let (running, service) = started(shell(&before));
    let id = id(&service).await;
    running.stop().await;
    ended(id).await;
    assert_eq!(std::fs::read_to_string(end).unwrap(), "ended\n");
}

#[tokio::test]
async fn process_10_sigkill_comes_after_the_limit() {
    let process = shell("trap '' TERM; sleep 1000 &").stop_timeout(ms(300));
    let (running, service) = started(process);
    let id = id(&service).await;
    let start = Instant::now();
    running.stop().await;
    assert!((ms(300)..ms(3_000)).contains(&start.elapsed()));
    ended(id).await;
}

#[test]
fn process_10_no_process_outlives_the_runtime() {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (running, service, id) = runtime.block_on(async {
        let (running, service) = started(shell("trap '' TERM; sleep 1000 &"));
        let id = id(&service).await;
        (running, service, id)
    });
    let directory = running.socket().parent().unwrap().to_owned();
    drop(runtime);
    let start = Instant::now();
    while runs(id) {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(ms(10));
    }
    assert!(!directory.exists());
    drop((running, service));
}

/// Returns whether a process of this group runs. Without a runtime, nothing reaps its leader.
fn runs(group: i32) -> bool {
    let all = std::fs::read_dir("/proc").unwrap();
    let stats = all.map(|entry| entry.unwrap().path().join("stat"));
    let mut stats = stats.filter_map(|path| std::fs::read_to_string(path).ok());
    stats.any(|stat| {
        let words = stat.rsplit(") ").next().unwrap_or_default();
        let mut words = words.split(' ');
        let (state, id) = (words.next(), words.nth(1));
        state != Some("Z") && id == Some(&group.to_string())
    })
}
