//! PasteDeploy: what is built from a file, in which order, with which settings, and the errors of
//! files that cannot be built.

use std::{
    cell::Cell,
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};
use tower_deploy::{App, BoxError, Error, ErrorKind, Filter, Loader, Registry, Server, Settings};

use crate::Verdict;

type Events = Arc<Mutex<Vec<String>>>;

fn log(events: &Events, event: String) {
    let mut events = events.lock().unwrap_or_else(PoisonError::into_inner);
    events.push(event);
}

/// An app that responds with its factory and its settings.
fn tells(tree: Value) -> App {
    let text = tree.to_string();
    App::new(service_fn(move |_: Request<tower_deploy::Body>| {
        let text = text.clone();
        async move { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text))) }
    }))
}

fn tree(app: &App) -> Value {
    let request = Request::new(Full::<Bytes>::default());
    let response = app.clone().oneshot(request).now_or_never();
    let response = response
        .expect("nothing here waits")
        .unwrap_or_else(|never| match never {});
    let body = response.into_body().collect().now_or_never();
    let body = body
        .expect("nothing here waits")
        .expect("it is whole")
        .to_bytes();
    serde_json::from_slice(&body).expect("it is JSON")
}

fn conf(settings: &Settings) -> Value {
    let members = settings
        .iter()
        .map(|(key, value)| (key.to_owned(), value.text().into()));
    Value::Object(members.collect())
}

fn node(kind: &str, factory: &str, global: &Settings, local: &Settings) -> Value {
    json!({
        "kind": kind,
        "factory": factory,
        "global_conf": conf(global),
        "local_conf": conf(local),
    })
}

fn tagged(factory: &str, local: &Settings) -> String {
    match local.get("tag") {
        Some(tag) => format!("{factory}({tag})"),
        None => factory.to_owned(),
    }
}

/// Takes these, and no others.
#[derive(Deserialize)]
struct Strict {
    a: Option<String>,
    b: Option<String>,
}

struct Fakes {
    registry: Registry,
    events: Events,
}

impl Fakes {
    fn app(self, name: &str, factory: &'static str) -> Self {
        let events = self.events.clone();
        let registry = self.registry.app(name, move |global, local: Settings| {
            log(&events, format!("make app {}", tagged(factory, &local)));
            Ok::<_, BoxError>(tells(node("app", factory, global, &local)))
        });
        Self { registry, ..self }
    }

    fn composite(self, name: &str, factory: &'static str) -> Self {
        let events = self.events.clone();
        let is_app = |key: &str| key != "tag";
        let registry = self
            .registry
            .composite(name, is_app, move |global, local, apps| {
                let tagged = tagged(factory, local);
                log(&events, format!("begin composite {tagged}"));
                let keys: Vec<String> = apps.keys().map(str::to_owned).collect();
                let built = keys.iter().map(|key| Ok((key, tree(&apps.app(key)?))));
                let built: Vec<_> = built.collect::<Result<_, Error>>()?;
                log(&events, format!("end composite {tagged}"));
                let mut node = node("composite", factory, global, local);
                node["apps"] = json!(built);
                Ok::<_, BoxError>(tells(node))
            });
        Self { registry, ..self }
    }

    /// `wrap` of a filter factory, `makewrap` of a filter app factory, which is called with the
    /// app.
    fn filter(self, name: &str, factory: &'static str, wraps: &'static str) -> Self {
        let events = self.events.clone();
        let registry = self.registry.filter(name, move |global, local: Settings| {
            let tagged = tagged(factory, &local);
            if wraps == "wrap" {
                log(&events, format!("make filter {tagged}"));
            }
            let (events, global) = (events.clone(), global.clone());
            Ok::<_, BoxError>(Filter::from_fn(move |app| {
                log(&events, format!("{wraps} filter {tagged}"));
                let mut node = node("filter", factory, &global, &local);
                node["app"] = tree(&app);
                Ok::<_, BoxError>(tells(node))
            }))
        });
        Self { registry, ..self }
    }

    fn server(self, name: &str, factory: &'static str, runs: bool) -> Self {
        let events = self.events.clone();
        let registry = self.registry.server(name, move |global, local: Settings| {
            let tagged = tagged(factory, &local);
            if !runs {
                log(&events, format!("make server {tagged}"));
            }
            let node = node("server", factory, global, &local);
            let events = events.clone();
            Ok::<_, BoxError>(Server::new(move |app| {
                let mut node = node;
                if runs {
                    log(&events, format!("makewrap server {tagged}"));
                    node["app"] = tree(&app);
                }
                SERVED.set(Some(node));
                std::future::ready(Ok(()))
            }))
        });
        Self { registry, ..self }
    }
}

thread_local! {
    /// A server's factory and settings, recorded when it serves.
    static SERVED: Cell<Option<Value>> = const { Cell::new(None) };
}

fn registry(events: &Events) -> Registry {
    let fakes = Fakes {
        registry: Registry::new(),
        events: events.clone(),
    };
    let fakes = fakes
        .app("fake#main", "app_main")
        .app("fake#other", "app_other")
        .app("fake#amb", "app_amb")
        .app("Fake_Second#other", "second_other")
        .app("fakemod:app", "app")
        .app("fakemod:Holder.app", "Holder.app")
        .app("fakepack.sub:app", "fakepack.sub.app")
        .composite("fake#mount", "comp_mount")
        .composite("fake#amb", "comp_amb")
        .composite("fake#dual", "comp_dual_new")
        .composite("fake#oldmount", "comp_oldmount")
        .composite("fakemod:comp", "comp")
        .filter("fake#main", "filt_main", "wrap")
        .filter("fake#filt", "filt_plain", "wrap")
        .filter("fake#twofilt", "filt_two", "wrap")
        .filter("fake#filtapp", "filtapp_plain", "makewrap")
        .filter("fakemod:filt", "filt", "wrap")
        .filter("fakemod:filtapp", "filtapp", "makewrap")
        .server("fake#main", "server_main", false)
        .server("fake#runner", "server_runner", true)
        .server("fakemod:server", "server", false)
        .server("fakemod:runner", "runner", true);
    let strict = events.clone();
    fakes
        .registry
        .app("fake#strict", move |global, local: Strict| {
            log(&strict, "make app app_strict".to_owned());
            let mut node = node("app", "app_strict", global, &Settings::default());
            node["local_conf"] = json!({
                "a": local.a.as_deref().unwrap_or("a-default"),
                "b": local.b,
            });
            Ok::<_, BoxError>(tells(node))
        })
        .app("fake#fails", |_, _: Settings| Err("boom from factory"))
}

/// The neutral name of a kind of error.
fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::UriWithoutScheme => "uri_no_scheme",
        ErrorKind::UnknownScheme => "uri_unknown_scheme",
        ErrorKind::RelativeWithoutBase => "relative_without_base",
        ErrorKind::FileNotFound => "file_not_found",
        ErrorKind::IsADirectory => "is_a_directory",
        ErrorKind::NotUtf8 => "not_utf8",
        ErrorKind::MissingSectionHeader => "ini_missing_section_header",
        ErrorKind::Syntax => "ini_parse",
        ErrorKind::DuplicateSection => "duplicate_section",
        ErrorKind::DuplicateKey => "duplicate_option",
        ErrorKind::MissingSection => "missing_section",
        ErrorKind::AmbiguousSection => "ambiguous_section",
        ErrorKind::NoFactory => "no_loader",
        ErrorKind::SeveralFactories => "multiple_protocols",
        ErrorKind::NoPipeline => "pipeline_missing",
        ErrorKind::PipelineSettings => "pipeline_extra_settings",
        ErrorKind::EmptyPipeline => "empty_pipeline",
        ErrorKind::NoNext => "filter_app_missing_next",
        ErrorKind::InterpolationUnknown => "interpolation_missing_option",
        ErrorKind::InterpolationSyntax => "interpolation_syntax",
        ErrorKind::InterpolationDepth => "interpolation_depth",
        ErrorKind::UnknownGlobal => "get_unknown_global",
        ErrorKind::Circular => "circular",
        ErrorKind::UnknownDistribution => "distribution_not_found",
        ErrorKind::UnknownEntryPoint => "entry_point_not_found",
        ErrorKind::AmbiguousEntryPoint => "ambiguous_entry_point",
        ErrorKind::CallWithoutColon => "call_no_colon",
        ErrorKind::UnknownModule => "module_not_found",
        ErrorKind::UnknownFunction => "object_not_found",
        ErrorKind::WrongFactory => "protocol_mismatch",
        ErrorKind::Settings => "type_error",
        ErrorKind::Factory => "factory_raised",
        _ => "another",
    }
}

/// A directory for the files of one vector. Its `Drop` deletes it.
struct Folder(PathBuf);

impl Folder {
    fn new(files: &Value) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tower-deploy-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let here = folder.to_string_lossy().into_owned();
        for (name, content) in files.as_object().into_iter().flatten() {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap_or(&folder)).expect("a folder");
            let bytes = match content {
                Value::String(text) => text.replace("@HERE@", &here).into_bytes(),
                hex => unhex(hex["hex"].as_str().unwrap_or_default()),
            };
            fs::write(path, bytes).expect("a file");
        }
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.filter_map(byte).collect()
}

/// The result of a vector, in the vector's form.
fn seen(vector: &Value, here: &Path, events: &Events) -> Result<Value, Error> {
    let at_home = |text: &str| text.replace("@HERE@", &here.to_string_lossy());
    let mut loader = Loader::new(registry(events));
    if let Some(base) = vector["relative_to"].as_str() {
        loader = loader.relative_to(at_home(base));
    }
    for (key, value) in vector["global_conf"].as_object().into_iter().flatten() {
        loader = loader.global(key, at_home(value.as_str().unwrap_or_default()));
    }
    if let Some(name) = vector["name"].as_str() {
        loader = loader.name(name);
    }
    let uri = at_home(vector["uri"].as_str().unwrap_or_default());
    let taken = || std::mem::take(&mut *events.lock().unwrap_or_else(PoisonError::into_inner));
    let probe = || {
        tells(node(
            "app",
            "<probe>",
            &Settings::default(),
            &Settings::default(),
        ))
    };
    Ok(match vector["op"].as_str() {
        Some("loadapp") => {
            let app = loader.load_app(&uri)?;
            json!({"returned": "node", "tree": tree(&app), "events": taken()})
        }
        Some("loadfilter") => {
            let filter = loader.load_filter(&uri)?;
            let loaded = taken();
            let applied = filter.apply(probe()).expect("it goes around the probe");
            json!({
                "returned": "callable",
                "applied_to_probe": tree(&applied),
                "apply_events": taken(),
                "events": loaded,
            })
        }
        Some("loadserver") => {
            let server = loader.load_server(&uri)?;
            let loaded = taken();
            let served = server.serve(probe()).now_or_never();
            served.expect("nothing here waits").expect("it serves");
            let node = SERVED.take().expect("it said what it is");
            if node["app"].is_null() {
                json!({"returned": "node", "tree": node, "events": loaded})
            } else {
                json!({
                    "returned": "callable",
                    "applied_to_probe": node,
                    "apply_events": taken(),
                    "events": loaded,
                })
            }
        }
        _ => {
            let config = loader.app_config(&uri)?;
            let mut merged = conf(&config.global);
            for (key, value) in config.local.iter() {
                merged[key] = value.text().into();
            }
            json!({
                "merged": merged,
                "global_conf": conf(&config.global),
                "local_conf": conf(&config.local),
            })
        }
    })
}

pub(crate) fn run(vector: &Value) -> Verdict {
    let folder = Folder::new(&vector["files"]);
    let events = Events::default();
    let here = folder.0.to_string_lossy().into_owned();
    let seen = seen(vector, &folder.0, &events);
    let expect = &vector["expect"];
    let has_tag = |tag: &str| {
        vector["tags"]
            .as_array()
            .is_some_and(|tags| tags.contains(&tag.into()))
    };
    let (same, text) = match &seen {
        Ok(ok) => {
            let text = ok.to_string().replace(&here, "@HERE@");
            let ok: Value = serde_json::from_str(&text).expect("it is JSON");
            let expected = &expect["ok"];
            let same = match expected["returned"].as_str() {
                Some("broken_composed") => ok["tree"] == expected["sane_reading"],
                _ => ok == *expected,
            };
            (same, text)
        }
        Err(error) => {
            let kind = kind(error.kind());
            (expect["error"]["kind"] == kind, format!("{kind}: {error}"))
        }
    };
    if same {
        return match expect["ok"]["returned"].as_str() {
            Some("broken_composed") => Verdict::Difference("what the peer cannot build is built"),
            _ => Verdict::Passed,
        };
    }
    if has_tag("bug-in-peer") && seen.is_ok() {
        return Verdict::Difference("a bug of the peer's");
    }
    if has_tag("python-quirk") && seen.is_err() {
        return Verdict::Difference("Python's own ways are refused");
    }
    if let Ok(ok) = &seen {
        // Except for these keys it is the same.
        let defaults = defaults(vector);
        let (mut ours, mut theirs) = (ok.clone(), expect["ok"].clone());
        if strip(&mut ours, &defaults) {
            // An app that is kept is made.
            ours["events"] = Value::Null;
            theirs["events"] = Value::Null;
        }
        strip(&mut theirs, &defaults);
        let (ours, theirs) = (ours.to_string(), theirs.to_string());
        if ours.replace(&here, "@HERE@") == theirs {
            return Verdict::Difference("a local key that is also in DEFAULT is kept");
        }
    }
    Verdict::Failed(expect.to_string(), text)
}

/// The keys of DEFAULT, and of what a file was given.
fn defaults(vector: &Value) -> Vec<String> {
    let given = vector["global_conf"].as_object().into_iter().flatten();
    let mut defaults: Vec<String> = given.map(|(key, _)| key.clone()).collect();
    for (_, text) in vector["files"].as_object().into_iter().flatten() {
        let mut is_default = false;
        for line in text.as_str().unwrap_or_default().lines() {
            if line.starts_with('[') {
                is_default = line.starts_with("[DEFAULT]");
            } else if let Some((key, _)) = line.split_once(['=', ':']) {
                match key.trim().strip_prefix("set ") {
                    Some(set) => defaults.push(set.trim().to_owned()),
                    None if is_default => defaults.push(key.trim().to_owned()),
                    None => {}
                }
            }
        }
    }
    defaults
}

/// Removes keys from all local settings, and the apps that they name. Returns whether there were
/// any.
fn strip(value: &mut Value, keys: &[String]) -> bool {
    let is_kept = |key: &Value| !keys.iter().any(|other| key == other);
    let mut apps = false;
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match (name.as_str(), member) {
                    ("local_conf", Value::Object(local)) => {
                        local.retain(|key, _| !keys.contains(key));
                    }
                    ("apps", Value::Array(list)) => {
                        let before = list.len();
                        list.retain(|app| is_kept(&app[0]));
                        apps |= list.len() < before;
                        list.iter_mut().for_each(|app| apps |= strip(app, keys));
                    }
                    (_, member) => apps |= strip(member, keys),
                }
            }
        }
        Value::Array(list) => list
            .iter_mut()
            .for_each(|member| apps |= strip(member, keys)),
        _ => {}
    }
    apps
}
