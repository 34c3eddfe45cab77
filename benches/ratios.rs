//! The figures: `cargo run --release -p benches --bin ratios -- [NAME…]`, where a name is the beginning of a row's.
//!
//! It starts itself nine times, since where things lie in memory differs from one process to the next and
//! matters. Each child warms up, then lets both sides of a figure take turns, and gives the medians. Printed is,
//! over the nine, the median, the least and the most:
//!
//! ```text
//! ratio NAME MEDIAN MIN MAX     ours over the peer's, the bare service in both: under 1 is faster
//! nanos NAME MEDIAN MIN MAX     what a layer adds to the bare service, for a request; of the two sides of a ratio, what
//!                               one request or one look-up takes
//! millis NAME TIME              what it takes to build it, once
//! bytes NAME COUNT              what it holds then
//! allocs NAME COUNT             allocations of one request, not timed: what a layer adds to the bare service's; of
//!                               the two sides of a ratio, with the service's
//! ```

use std::{
    env,
    error::Error,
    process::{Command, ExitCode, Stdio},
};

use benches::Subject;

const CHILDREN: usize = 9;
/// How often both sides take turns.
const TURNS: usize = 300;

fn main() -> ExitCode {
    let mut args: Vec<String> = env::args().skip(1).collect();
    let child = args.first().is_some_and(|arg| arg == "--child");
    let done = if child {
        args.remove(0);
        measure(&args);
        Ok(())
    } else {
        parent(&args)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ratios: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the children and prints the rows.
fn parent(names: &[String]) -> Result<(), Box<dyn Error>> {
    let mut rows: Vec<(String, Vec<f64>)> = Vec::new();
    for _ in 0..CHILDREN {
        let child = Command::new(env::current_exe()?)
            .arg("--child")
            .args(names)
            .stderr(Stdio::inherit())
            .output()?;
        if !child.status.success() {
            return Err(format!("a child ended with {}", child.status).into());
        }
        for line in String::from_utf8(child.stdout)?.lines() {
            let (row, value) = line.rsplit_once(' ').ok_or("a child printed no figure")?;
            let value = value.parse()?;
            match rows.iter_mut().find(|(name, _)| name == row) {
                Some((_, values)) => values.push(value),
                None => rows.push((row.to_owned(), vec![value])),
            }
        }
    }
    for (row, mut values) in rows {
        values.sort_by(f64::total_cmp);
        let (min, median, max) = (
            values[0],
            values[values.len() / 2],
            values[values.len() - 1],
        );
        if row.starts_with("nanos") {
            println!("{row} {median:.0} {min:.0} {max:.0}");
        } else {
            println!("{row} {median:.3} {min:.3} {max:.3}");
        }
    }
    allocations(names);
    for build in benches::builds() {
        if wanted(names, build.name) {
            let (time, bytes) = build.cost();
            println!("millis {} {}", build.name, time.as_millis());
            println!("bytes {} {bytes}", build.name);
        }
    }
    Ok(())
}

fn wanted(names: &[String], row: &str) -> bool {
    names.is_empty() || names.iter().any(|name| row.starts_with(name.as_str()))
}

/// A child: one figure a line.
fn measure(names: &[String]) {
    let mut bare = benches::bare();
    for (name, mut layered) in benches::layered() {
        let row = format!("overhead/{name}");
        if wanted(names, &row) {
            let [with, without] = turns([&mut layered, &mut bare]);
            println!("nanos {row} {:.1}", with - without);
        }
    }
    for (name, mut with, mut without) in benches::stacks() {
        if wanted(names, name) {
            let [with, without] = turns([&mut with, &mut without]);
            println!("nanos {name} {:.1}", with - without);
        }
    }
    for (name, subject) in benches::alone() {
        if wanted(names, name) {
            let mut subject = subject();
            let mut times: Vec<_> = (0..40).map(|_| subject.time(subject.turn)).collect();
            times.sort();
            println!("nanos {name} {}", times[times.len() / 2].as_nanos());
        }
    }
    for pair in benches::pairs() {
        let name = pair.name;
        if wanted(names, name) {
            let (mut ours, mut peer) = pair.sides();
            let (ours, peer) = match pair.base() {
                Some(mut base) => {
                    let [ours, peer, base] = turns([&mut ours, &mut peer, &mut base]);
                    (ours - base, peer - base)
                }
                None => turns([&mut ours, &mut peer]).into(),
            };
            println!("ratio {name} {:.4}", ours / peer);
            println!("nanos {name} {ours:.1}");
            println!("nanos {name}/peer {peer:.1}");
        }
    }
}

/// Counted in this process, which times nothing.
fn allocations(names: &[String]) {
    let bare = benches::bare().allocations();
    let print = |row: &str, allocations: u64| {
        if wanted(names, row) {
            println!("allocs {row} {allocations}");
        }
    };
    for (name, mut layered) in benches::layered() {
        let added = layered.allocations().saturating_sub(bare);
        print(&format!("overhead/{name}"), added);
    }
    for (name, mut with, mut without) in benches::stacks() {
        print(
            name,
            with.allocations().saturating_sub(without.allocations()),
        );
    }
    for (name, mut subject) in benches::added_allocations() {
        print(name, subject.allocations().saturating_sub(bare));
    }
    for pair in benches::pairs() {
        if wanted(names, pair.name) {
            let (mut ours, mut peer) = pair.sides();
            println!("allocs {} {}", pair.name, ours.allocations());
            println!("allocs {}/peer {}", pair.name, peer.allocations());
        }
    }
}

/// The medians of sides that take turns, in nanoseconds for each time.
fn turns<const N: usize>(mut sides: [&mut Subject; N]) -> [f64; N] {
    let mut times = [const { Vec::new() }; N];
    for turn in 0..TURNS + TURNS / 3 {
        for (times, side) in times.iter_mut().zip(&mut sides) {
            let time = side.time(side.turn).as_secs_f64() * 1e9 / side.turn as f64;
            // The first third is to warm up.
            if turn >= TURNS / 3 {
                times.push(time);
            }
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}
