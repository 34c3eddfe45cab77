//! The child: serves the site, and reports its level on its output.

use std::{
    fs, io,
    io::Write,
    panic,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use serde::Deserialize;
use tokio::{runtime::Handle, task::spawn_blocking, time};
use tower_deploy::{App, Loader, Registry, Reload};
use tower_serve::{AccessLog, Address, LogFormat, Server, Shutdown};

use crate::{
    Failure,
    level::Level,
    requests::PerRequest,
    site::{Counts, PANIC, site},
};

/// Short, so that what a fault leaves behind ends while the parent waits for it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);
const DRAIN: Duration = Duration::from_secs(5);
const RELOAD_EVERY: Duration = Duration::from_secs(5);

/// The content of the file in memory.
#[derive(Deserialize)]
struct Settings {
    /// Another one each time, so that the file has changed.
    #[serde(rename = "build")]
    _build: u64,
}

/// Serves until its input ends. It responds to each line of input with a line of levels. Its last
/// line is the number of requests, and the log has a line for each.
#[tokio::main(worker_threads = 2)]
pub(crate) async fn serve(reloads: bool, log: &str) -> Result<(), Failure> {
    quiet_panics();
    let counts = Arc::new(Counts::default());
    let app = match reloads {
        true => reloading(&counts)?,
        false => site(&counts)?,
    };
    let server = Server::new(Address::Tcp("127.0.0.1:0".to_owned()))
        .header_timeout(TIMEOUT)
        .keep_alive_timeout(TIMEOUT)
        .lingering_time(TIMEOUT)
        .body_timeout(TIMEOUT)
        .write_timeout(TIMEOUT)
        .connections(10_000)
        .drain_timeout(DRAIN)
        .access_log(AccessLog::new(log).format(LogFormat::Json))
        .bind()
        .await?;
    let address = server.addresses().next().ok_or("it listens nowhere")?;
    println!("{}", address.trim_start_matches("http://"));
    let (trigger, shutdown) = Shutdown::manual();
    let runtime = Handle::current();
    let (app, served) = (PerRequest::new(app, &counts), Arc::clone(&counts));
    // A thread of its own is no task, and responds even if the runtime is busy.
    thread::spawn(move || {
        for _ in io::stdin().lines().map_while(Result::ok) {
            match level(&runtime, &counts) {
                Ok(level) => println!("{level}"),
                // At the limit of open files nothing in /proc can be opened, and the parent needs
                // to know that.
                Err(error) => println!("{error}"),
            }
            let _ = io::stdout().flush();
        }
        trigger.signal();
    });
    let ended = server.serve(app, shutdown).await;
    println!("{}", served.requests.load(Ordering::Relaxed));
    Ok(ended?)
}

/// Hides the panics of the route `/panic`, and no others. It is installed before the exception
/// layer, which puts its own hook around this one.
fn quiet_panics() {
    let shows = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let message = info.payload().downcast_ref::<String>();
        if message.is_none_or(|message| message != PANIC) {
            shows(info);
        }
    }));
}

fn level(runtime: &Handle, counts: &Counts) -> Result<Level, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let memory = memory.ok_or("Linux says no VmRSS")?;
    let files = fs::read_dir("/proc/self/fd")?.count();
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    // Ends are read first, because a request that ends in between has begun before.
    let finished = count(&counts.finished);
    Ok(Level {
        memory: memory.trim().trim_end_matches(" kB").parse()?,
        // Without the directory itself.
        files: files.saturating_sub(1).try_into()?,
        tasks: runtime.metrics().num_alive_tasks().try_into()?,
        incidents: count(&counts.incidents),
        begun: count(&counts.begun),
        finished,
        reloads: count(&counts.reloads),
    })
}

/// The site as an app of a file in memory, which changes every few seconds.
fn reloading(counts: &Arc<Counts>) -> Result<App, Failure> {
    let (of_site, of_file, counts) = (counts.clone(), counts.clone(), counts.clone());
    let registry = Registry::new().app("faults", move |_, _: Settings| -> Result<App, Failure> {
        site(&of_site)
    });
    let loader = Loader::new(registry).files(move |_| {
        let build = of_file.reloads.load(Ordering::Relaxed);
        Ok(format!("[app:main]\nuse = egg:faults\nbuild = {build}\n").into_bytes())
    });
    let reload = Arc::new(Reload::new(loader, "config:/srv/faults.ini")?);
    let app = reload.app();
    tokio::spawn(async move {
        loop {
            time::sleep(RELOAD_EVERY).await;
            let reload = Arc::clone(&reload);
            match spawn_blocking(move || reload.now()).await {
                Ok(Ok(())) => _ = counts.reloads.fetch_add(1, Ordering::Relaxed),
                Ok(Err(error)) => eprintln!("faults: {}", error.report(false)),
                Err(error) => eprintln!("faults: {error}"),
            }
        }
    });
    Ok(app)
}
