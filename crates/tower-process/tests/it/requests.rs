//! What requests get while a process is starting, running and dying.

use http::{Request, StatusCode, header::RETRY_AFTER};
use tokio::task::JoinSet;
use tower_kit::Rejection;
use tower_process::ProcessError;

use super::{
    program::{delayed, program, shell},
    *,
};

#[tokio::test]
async fn process_6_a_request_waits_until_the_process_is_ready() {
    let (running, service) = started(delayed(300));
    let mut all = JoinSet::new();
    for _ in 0..20 {
        let service = service.clone();
        all.spawn(async move { text(&service, "/id").await });
    }
    let all = all.join_all().await;
    assert!(all.iter().all(|(status, _)| *status == 200), "{all:?}");
    running.stop().await;
}

/// The inner service is watched: to call an instance that was not made ready is a panic.
#[tokio::test]
async fn process_12_after_a_wait_the_ready_instance_is_called() {
    let running = delayed(300).start().unwrap();
    let upstream = Upstream::new(running.address()).unwrap();
    let service = running.service(LintLayer::new().layer(upstream));
    let request = Request::get("/id").body(Empty::<Bytes>::new()).unwrap();
    let Ok(response) = service.oneshot(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);
    running.stop().await;
}

#[tokio::test]
async fn process_6_a_request_that_has_waited_too_long_is_rejected() {
    let process = delayed(2_000).queue_timeout(ms(200));
    let (running, service) = started(process);
    let start = Instant::now();
    let response = ask(&service, "/id").await;
    assert!((ms(200)..ms(1_500)).contains(&start.elapsed()));
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[RETRY_AFTER], "1");
    let reason = Rejection::of(&response).unwrap().reason::<ProcessError>();
    assert_eq!(reason, Some(&ProcessError::NotReady));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    assert!(
        text.contains("the program behind this server is not ready"),
        "{text}"
    );
    running.stop().await;
}

#[tokio::test]
async fn process_6_a_rejection_is_in_the_clients_format() {
    let (running, service) = started(delayed(2_000).queue_timeout(ms(1)));
    let request = Request::get("/").header("accept", "application/json");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let Ok(response) = service.clone().oneshot(request).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let request = Request::head("/").body(Empty::<Bytes>::new()).unwrap();
    let Ok(response) = service.clone().oneshot(request).await;
    assert!(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
    running.stop().await;
}

#[tokio::test]
async fn process_6_after_a_stop_a_request_is_rejected_at_once() {
    let (running, service) = started(program());
    running.stop().await;
    let start = Instant::now();
    let response = ask(&service, "/id").await;
    assert!(start.elapsed() < ms(1_000));
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let reason = Rejection::of(&response).unwrap().reason::<ProcessError>();
    assert_eq!(reason, Some(&ProcessError::Stopped));
}

#[tokio::test]
async fn process_8_requests_of_a_dying_process_fail_and_later_ones_wait() {
    let (running, service) = started(program());
    let first = id(&service).await;
    let in_flight = tokio::spawn({
        let service = service.clone();
        async move { text(&service, "/slow").await }
    });
    sleep(ms(100)).await;
    kill(first).await;
    let (status, _) = in_flight.await.unwrap();
    assert_eq!(status, 502);
    let second = id(&service).await;
    assert_ne!(first, second);
    ended(first).await;
    running.stop().await;
}

#[tokio::test]
async fn process_8_a_response_of_a_dying_process_breaks_off() {
    let (running, service) = started(program());
    let first = id(&service).await;
    let response = ask(&service, "/part").await;
    assert_eq!(response.status(), 200);
    kill(first).await;
    assert!(response.into_body().collect().await.is_err());
    running.stop().await;
}

#[tokio::test]
async fn process_8_a_process_that_exits_is_started_again() {
    let (running, service) = started(program());
    let first = id(&service).await;
    for code in [0, 7] {
        assert_eq!(text(&service, &format!("/exit{code}")).await.0, 502);
        // The system has reported it by then.
        sleep(ms(100)).await;
        assert_ne!(id(&service).await, first);
    }
    running.stop().await;
}

/// A process that is asked to end takes no connections, but may need time for what it has.
#[tokio::test]
async fn process_6_a_request_is_rejected_while_the_process_is_being_stopped() {
    let process = shell("trap '' TERM; sleep 1000 &").stop_timeout(ms(1_000));
    for process in [
        process.clone(),
        process.env("TOWER_PROCESS_TEST_DELAY", "9000").unwrap(),
    ] {
        let (running, service) = started(process);
        sleep(ms(300)).await;
        let stopping = tokio::spawn({
            let running = running.clone();
            async move { running.stop().await }
        });
        sleep(ms(200)).await;
        assert!(!stopping.is_finished());
        let start = Instant::now();
        let response = ask(&service, "/id").await;
        let reason = Rejection::of(&response).map(Rejection::reason::<ProcessError>);
        assert_eq!(reason, Some(Some(&ProcessError::Stopped)));
        assert!(start.elapsed() < ms(400));
        assert_eq!(running.ready().await, Err(ProcessError::Stopped));
        stopping.await.unwrap();
    }
}

/// The times are not ones that a clock can reach.
#[tokio::test]
async fn process_6_the_longest_times_are_no_panic() {
    let process = delayed(100)
        .start_timeout(Duration::MAX)
        .queue_timeout(Duration::MAX)
        .stop_timeout(Duration::MAX);
    let (running, service) = started(process);
    assert_eq!(text(&service, "/id").await.0, 200);
    let id = id(&service).await;
    running.stop().await;
    assert!(!has_group(id));
}
