//! The part of `just differential` that is ours. Each line of standard input is a JSON list of
//! cases, and each line of standard output the list of their results.

mod dispatch;
mod ini;
mod origin;

use std::{
    env,
    error::Error,
    io::{self, BufRead, Write},
};

use serde_json::Value;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let part = env::args().nth(1).unwrap_or_default();
    let mut origins = origin::Layers::default();
    let mut run: Box<dyn FnMut(&Value) -> Value> = match &*part {
        "dispatch" => Box::new(dispatch::run),
        "ini" => Box::new(ini::run),
        "origin" => Box::new(move |case| origins.run(case)),
        _ => return Err(format!("expected dispatch, ini or origin (found {part:?})").into()),
    };
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let cases: Vec<Value> = serde_json::from_str(&line?)?;
        let results: Vec<Value> = cases.iter().map(&mut run).collect();
        serde_json::to_writer(&mut output, &results)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}
