//! An app that is rebuilt while it serves.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tower::{ServiceExt, service_fn};
use tower_deploy::{App, Body, ErrorKind, Loader, Registry, Reload, Settings};

/// A mark of an app that is not dropped.
struct Live(Arc<AtomicUsize>);

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A file in memory, and the number of its apps that are not dropped.
#[derive(Clone, Default)]
struct Disk {
    text: Arc<Mutex<String>>,
    live: Arc<AtomicUsize>,
    /// An app responds when it has one of these.
    answers: Arc<OpenAtFirst>,
}

struct OpenAtFirst(Semaphore);

impl Default for OpenAtFirst {
    fn default() -> Self {
        Self(Semaphore::new(100))
    }
}

impl Disk {
    fn write(&self, text: &str) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) =
            format!("[app:main]\nuse = egg:it\nsays = {text}\n");
    }

    fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    fn reload(&self) -> Reload {
        let (live, answers) = (self.live.clone(), self.answers.clone());
        let registry = Registry::new().app("it", move |_, settings: Settings| {
            live.fetch_add(1, Ordering::Relaxed);
            let live = Arc::new(Live(live.clone()));
            let answers = answers.clone();
            let says = settings.get("says").unwrap_or_default().to_owned();
            Ok::<_, Infallible>(App::new(service_fn(move |_: Request<Body>| {
                let (says, answers, live) = (says.clone(), answers.clone(), live.clone());
                async move {
                    let _live = live;
                    answers.0.acquire().await.unwrap().forget();
                    Ok::<_, Infallible>(Response::new(Body::from(says)))
                }
            })))
        });
        let text = self.text.clone();
        let loader = Loader::new(registry).files(move |_| {
            let text = text.lock().unwrap_or_else(PoisonError::into_inner);
            match &**text {
                "" => Err(io::ErrorKind::NotFound.into()),
                text => Ok(text.as_bytes().to_vec()),
            }
        });
        Reload::new(loader, "config:/site/main.ini").unwrap()
    }
}

async fn says(app: &App) -> String {
    let Ok(response) = app.clone().oneshot(Request::new(Body::default())).await;
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

#[tokio::test]
async fn deploy_48_a_request_keeps_the_app_that_was_current() {
    let disk = Disk::default();
    disk.write("one");
    let reload = disk.reload();
    let app = reload.app();
    assert_eq!(says(&app).await, "one");

    // A request that is under way.
    let none = disk.answers.0.available_permits();
    disk.answers
        .0
        .acquire_many(u32::try_from(none).unwrap())
        .await
        .unwrap()
        .forget();
    let under_way = tokio::spawn({
        let app = app.clone();
        async move { says(&app).await }
    });
    tokio::task::yield_now().await;
    assert!(!reload.is_stale());
    disk.write("two");
    assert!(reload.is_stale());
    reload.now().unwrap();
    assert!(!reload.is_stale());
    assert_eq!(disk.live(), 2);
    disk.answers.0.add_permits(1);
    assert_eq!(under_way.await.unwrap(), "one");
    // The old one is gone with its last request.
    assert_eq!(disk.live(), 1);
    disk.answers.0.add_permits(1);
    assert_eq!(says(&app).await, "two");
}

#[tokio::test]
async fn deploy_48_a_file_with_an_error_changes_nothing() {
    let disk = Disk::default();
    disk.write("one");
    let reload = disk.reload();
    disk.write("two\nuse = egg:it");
    assert_eq!(reload.now().unwrap_err().kind(), ErrorKind::DuplicateKey);
    // It was read, so the error is reported once.
    assert!(!reload.is_stale());
    disk.text.lock().unwrap().clear();
    assert!(reload.is_stale());
    assert_eq!(reload.now().unwrap_err().kind(), ErrorKind::FileNotFound);
    assert_eq!(reload.files(), [PathBuf::from("/site/main.ini")]);
    assert_eq!(says(&reload.app()).await, "one");
    assert_eq!(disk.live(), 1);
}

#[tokio::test]
async fn deploy_48_of_a_thousand_apps_one_is_left() {
    let disk = Disk::default();
    disk.write("one");
    let reload = disk.reload();
    let app = reload.app();
    for number in 0..1000 {
        disk.write(&number.to_string());
        reload.now().unwrap();
    }
    assert_eq!(disk.live(), 1);
    assert_eq!(says(&app).await, "999");
    drop((reload, app));
    assert_eq!(disk.live(), 0);
}

#[tokio::test]
async fn deploy_51_a_file_included_after_an_error_counts() {
    let files = Arc::new(Mutex::new(BTreeMap::from([
        (
            "main.ini",
            "[composite:main]\nuse = egg:tower#router\nurlpatterns =\n  GET /first config:first.ini\n  GET / config:word.ini\n",
        ),
        (
            "first.ini",
            "[app:main]\nuse = egg:tower#text\ntext = first\n",
        ),
        ("word.ini", "[app:main]\nuse = egg:tower#text\ntext = one\n"),
    ])));
    let write = |name, text| {
        files.lock().unwrap().insert(name, text);
    };
    let disk = files.clone();
    let loader = Loader::new(Registry::standard()).files(move |path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let files = disk.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(files[name].as_bytes().to_vec())
    });
    let reload = Reload::new(loader, "config:/site/main.ini").unwrap();

    // Both change, and the error in the first hides the second.
    write("first.ini", "[app:main\n");
    write("word.ini", "[app:main]\nuse = egg:tower#text\ntext = two\n");
    reload.now().unwrap_err();
    let names = ["first.ini", "main.ini", "word.ini"];
    assert_eq!(
        reload.files(),
        names.map(|name| PathBuf::from("/site").join(name))
    );
    assert!(!reload.is_stale());
    write(
        "word.ini",
        "[app:main]\nuse = egg:tower#text\ntext = three\n",
    );
    assert!(reload.is_stale());
    reload.now().unwrap_err();
    assert!(!reload.is_stale());
    assert_eq!(says(&reload.app()).await, "one");

    write(
        "first.ini",
        "[app:main]\nuse = egg:tower#text\ntext = first\n",
    );
    assert!(reload.is_stale());
    reload.now().unwrap();
    assert_eq!(says(&reload.app()).await, "three");

    // A file that was never part of a site that could be built counts, too.
    let with_new =
        "[composite:main]\nuse = egg:tower#router\nurlpatterns =\n  GET / config:new.ini\n";
    write("new.ini", "[app:main\n");
    write("main.ini", with_new);
    reload.now().unwrap_err();
    assert!(!reload.is_stale());
    write("new.ini", "[app:main]\nuse = egg:tower#text\ntext = new\n");
    assert!(reload.is_stale());
    reload.now().unwrap();
    assert_eq!(says(&reload.app()).await, "new");
}
