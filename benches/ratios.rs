//! The figures: `cargo run --profile served -p benches --bin ratios -- [NAME…]`, where a name
//! is the beginning of a row's.
//!
//! The program starts itself nine times, because where things lie in memory differs from one
//! process to the next and matters. Each child warms up, lets all sides of a row take turns, and
//! prints the medians. The parent prints the median, the least and the most of the nine:
//!
//! ```text
//! ratio NAME MEDIAN MIN MAX     ours over the peer's, without the bare service: under 1 is faster
//! nanos NAME MEDIAN MIN MAX     what a layer adds to the bare service for a request; of the two
//!                               sides of a ratio, what one request or one look-up takes
//! millis NAME TIME              what it takes to build it, once
//! bytes NAME COUNT              what it holds then
//! allocs NAME COUNT             allocations of one request, not timed: what a layer adds to the
//!                               bare service's; of the two sides of a ratio, with the service's
//! ```
//!
//! `--against PROGRAM` compares with the same program of another build (`just against`). For each
//! row, the two builds take turns nine times:
//!
//! ```text
//! against NAME MEDIAN MIN MAX   this build's nanoseconds over the other's, of nine turns
//! ```
//!
//! `--count` counts instructions with callgrind instead of the time. The counts are the same each
//! time. With `--against PROGRAM` the other build's follow, and this build's over the other's:
//!
//! ```text
//! instructions NAME COUNT       instructions for a request: what `nanos` has, counted
//! ```
//!
//! `--bounds FILE` counts the rows of a file and fails where a count exceeds its bound
//! (`just bounds`). A line of the file is one of these; `#` begins a comment:
//!
//! ```text
//! ROW MOST                      instructions for a request
//! ROW over peer MOST            the same over the peer's
//! ```

use std::{
    env,
    error::Error,
    fs,
    process::{Command, ExitCode, Stdio},
};

use benches::Subject;

type Failure = Box<dyn Error>;

const CHILDREN: usize = 9;
/// How often all sides take turns.
const TURNS: usize = 300;
/// The same for a side that is timed alone, or is built, which is slow.
const TURNS_ALONE: usize = 30;

fn main() -> ExitCode {
    match run(env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ratios: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: Vec<String>) -> Result<(), Failure> {
    let mut count = false;
    let mut other = None;
    let mut bounds = None;
    while args.first().is_some_and(|arg| arg.starts_with("--")) {
        match args.remove(0).as_str() {
            "--count" => count = true,
            "--against" if !args.is_empty() => other = Some(args.remove(0)),
            "--bounds" if !args.is_empty() => bounds = Some(args.remove(0)),
            // The options that the parent gives to its children.
            "--child" => {
                measure(&args);
                return Ok(());
            }
            "--work" => return work(&args),
            option => return Err(format!("{option} is unknown, or has no value").into()),
        }
    }
    if let Some(bounds) = bounds {
        return check(&bounds, &args);
    }
    match (count, other) {
        (false, None) => figures(&args),
        (false, Some(other)) => compare(&other, &args),
        (true, other) => instructions(other.as_deref(), &args),
    }
}

/// One row: a subject, its peer, and the base that is subtracted from both.
struct Row {
    name: String,
    turns: usize,
    ours: Subject,
    peer: Option<Subject>,
    base: Option<Subject>,
}

/// Makes the rows whose name begins with one of the names: all, if there is none.
fn rows(names: &[String]) -> impl Iterator<Item = Row> {
    let layered = benches::layered().into_iter().map(|(name, ours)| Row {
        name: format!("overhead/{name}"),
        turns: TURNS,
        ours,
        peer: None,
        base: Some(benches::bare()),
    });
    let stacks = benches::stacks().into_iter().map(|(name, ours, base)| Row {
        name: name.to_owned(),
        turns: TURNS,
        ours,
        peer: None,
        base: Some(base),
    });
    let alone = benches::alone().into_iter();
    let alone = alone.filter(|(name, _)| wanted(names, name));
    let alone = alone.map(|(name, ours)| Row {
        name: name.to_owned(),
        turns: TURNS_ALONE,
        ours: ours(),
        peer: None,
        base: None,
    });
    let pairs = benches::pairs().into_iter();
    let pairs = pairs.filter(|pair| wanted(names, pair.name));
    let pairs = pairs.map(|pair| {
        let (ours, peer) = pair.sides();
        Row {
            name: pair.name.to_owned(),
            turns: if ours.turn == 1 { TURNS_ALONE } else { TURNS },
            ours,
            peer: Some(peer),
            base: pair.base(),
        }
    });
    let rows = layered.chain(stacks).chain(alone).chain(pairs);
    rows.filter(|row| wanted(names, &row.name))
}

fn wanted(names: &[String], row: &str) -> bool {
    names.is_empty() || names.iter().any(|name| row.starts_with(name.as_str()))
}

/// Runs the children and prints the rows.
fn figures(names: &[String]) -> Result<(), Failure> {
    let this = env::current_exe()?;
    let mut rows: Vec<(String, Vec<f64>)> = Vec::new();
    for _ in 0..CHILDREN {
        for (row, value) in child(Command::new(&this).arg("--child").args(names))? {
            match rows.iter_mut().find(|(name, _)| *name == row) {
                Some((_, values)) => values.push(value),
                None => rows.push((row, vec![value])),
            }
        }
    }
    for (row, values) in rows {
        let [median, min, max] = spread(values);
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

/// Lets this build and the other one take turns, row by row. A row that one of them lacks is named.
fn compare(other: &str, names: &[String]) -> Result<(), Failure> {
    let this = env::current_exe()?;
    for row in rows(names).map(|row| row.name) {
        let key = format!("nanos {row}");
        let nanos = |program: &mut Command| -> Result<Option<f64>, Failure> {
            let values = child(program.args(["--child", &row]))?;
            let mut values = values.into_iter();
            Ok(values.find_map(|(name, value)| (name == key).then_some(value)))
        };
        let mut ratios = Vec::new();
        for turn in 0..CHILDREN {
            // The two take turns in being first.
            let (ours, theirs) = if turn % 2 == 0 {
                let ours = nanos(&mut Command::new(&this))?;
                (ours, nanos(&mut Command::new(other))?)
            } else {
                let theirs = nanos(&mut Command::new(other))?;
                (nanos(&mut Command::new(&this))?, theirs)
            };
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                ratios.push(ours / theirs);
            }
        }
        if ratios.is_empty() {
            println!("against {row} -, which the other build does not have");
        } else {
            let [median, min, max] = spread(ratios);
            println!("against {row} {median:.3} {min:.3} {max:.3}");
        }
    }
    Ok(())
}

/// Counts the rows of a file of bounds. Fails if one exceeds its bound.
fn check(file: &str, names: &[String]) -> Result<(), Failure> {
    let this = this_program()?;
    let text = fs::read_to_string(file)?;
    let mut failures = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let (row, over_peer, most) = match line.split_whitespace().collect::<Vec<_>>()[..] {
            [] => continue,
            [row, most] => (row, false, most),
            [row, "over", "peer", most] => (row, true, most),
            _ => return Err(format!("{file}: {line:?} is not a bound").into()),
        };
        if !wanted(names, row) {
            continue;
        }
        let most: f64 = most.parse()?;
        let found = match (&counted(&this, row)?[..], over_peer) {
            ([(_, ours), ..], false) => *ours,
            ([(_, ours), (_, peer)], true) => ours / peer,
            _ => return Err(format!("{file}: there is no row {row}, or it has no peer").into()),
        };
        println!("{line}: {found:.3}");
        if found > most {
            failures.push(format!("{row}: {found:.3} exceeds {most}"));
        }
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failures.join("\n").into()),
    }
}

fn this_program() -> Result<String, Failure> {
    let this = env::current_exe()?.into_os_string().into_string();
    this.map_err(|_| "the path of this program is not text".into())
}

/// Counts each row's instructions, in this build and in the other one.
fn instructions(other: Option<&str>, names: &[String]) -> Result<(), Failure> {
    let this = this_program()?;
    for row in rows(names).map(|row| row.name) {
        let ours = counted(&this, &row)?;
        let theirs = other.map_or(Ok(Vec::new()), |other| counted(other, &row))?;
        for (side, ours) in ours {
            let theirs = theirs.iter().find(|(name, _)| *name == side);
            match theirs {
                Some((_, theirs)) => {
                    let ratio = ours / theirs;
                    println!("instructions {side} {ours:.1} {theirs:.1} {ratio:.3}");
                }
                None if other.is_some() => println!("instructions {side} {ours:.1} -"),
                None => println!("instructions {side} {ours:.1}"),
            }
        }
    }
    Ok(())
}

/// Returns the instructions for one request of a row, without those of the base: ours, and the
/// peer's if it has one. Returns `None` if the program lacks the row.
fn counted(program: &str, row: &str) -> Result<Vec<(String, f64)>, Failure> {
    let directory = env::temp_dir().join(format!("ratios-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let out = directory.join("callgrind");
    // Only what `Subject::time` times, in its closure, is counted: making requests is not.
    let time = "benches::Subject::time";
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(format!("--toggle-collect={time}::*"))
        .arg(format!("--dump-after={time}"))
        .args([program, "--work", row])
        // Otherwise the allocator merges free blocks from time to time, and when it does so depends
        // on all that came before: 200 instructions for a request, in one build and not in another.
        .env(
            "GLIBC_TUNABLES",
            "glibc.malloc.tcache_count=2000:glibc.malloc.mxfast=0",
        )
        .output()
        .map_err(|error| format!("valgrind, of Debian's package of that name: {error}"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(format!("valgrind ended with {}: {error}", output.status).into());
    }
    let mut counts: Vec<(String, f64)> = Vec::new();
    for (index, line) in String::from_utf8(output.stdout)?.lines().enumerate() {
        let [side, few, more] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("{program} --work printed {line:?}").into());
        };
        let total = |part: usize| -> Result<f64, Failure> {
            let part = fs::read_to_string(format!("{}.{part}", out.display()))?;
            let total = part.lines().find_map(|line| line.strip_prefix("totals: "));
            Ok(total.ok_or("callgrind wrote no totals")?.trim().parse()?)
        };
        let times = more.parse::<f64>()? - few.parse::<f64>()?;
        // Each side has three parts, of which the first is to warm up.
        let count = (total(3 * index + 3)? - total(3 * index + 2)?) / times;
        if side == "base" {
            for (_, side) in &mut counts {
                *side -= count;
            }
        } else {
            counts.push((format!("{row}{side}"), count));
        }
    }
    fs::remove_dir_all(&directory)?;
    Ok(counts)
}

/// Does the work that callgrind counts. Each side of a row is done many times to warm up, a few
/// times, and then more times. The difference of the last two is the cost of the times between
/// them. The warm-up is long, because some cost comes once, after a hundred requests: a cache that
/// grows, say.
fn work(names: &[String]) -> Result<(), Failure> {
    let [name] = names else {
        return Err("--work takes one row".into());
    };
    let Some(row) = rows(names).find(|row| row.name == *name) else {
        return Ok(());
    };
    // The empty name is ours: it stands after the row's.
    let sides = [
        ("", Some(row.ours)),
        ("/peer", row.peer),
        ("base", row.base),
    ];
    for (side, mut subject) in sides.into_iter().filter_map(|(side, it)| Some((side, it?))) {
        let (few, more) = (subject.turn, 3 * subject.turn);
        for times in [10 * more, few, more] {
            subject.time(times);
        }
        println!("{side} {few} {more}");
    }
    Ok(())
}

/// Runs a child and returns the names and values that it prints.
fn child(command: &mut Command) -> Result<Vec<(String, f64)>, Failure> {
    let child = command.stderr(Stdio::inherit()).output()?;
    if !child.status.success() {
        return Err(format!("a child ended with {}", child.status).into());
    }
    let lines = String::from_utf8(child.stdout)?;
    lines
        .lines()
        .map(|line| {
            let (row, value) = line.rsplit_once(' ').ok_or("a child printed no figure")?;
            Ok((row.to_owned(), value.parse()?))
        })
        .collect()
}

/// Returns the median, the least and the most.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [
        values[values.len() / 2],
        values[0],
        values[values.len() - 1],
    ]
}

/// Runs as a child and prints one figure a line.
fn measure(names: &[String]) {
    for mut row in rows(names) {
        let name = &row.name;
        let sides = [Some(&mut row.ours), row.peer.as_mut(), row.base.as_mut()];
        let [ours, peer, base] = turns(row.turns, sides);
        let base = base.unwrap_or_default();
        let ours = ours.unwrap_or_default() - base;
        if let Some(peer) = peer {
            let peer = peer - base;
            println!("ratio {name} {:.4}", ours / peer);
            println!("nanos {name} {ours:.1}");
            println!("nanos {name}/peer {peer:.1}");
        } else {
            println!("nanos {name} {ours:.1}");
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

/// Returns the medians of the sides that there are, which take turns, in nanoseconds for each time.
fn turns<const N: usize>(turns: usize, mut sides: [Option<&mut Subject>; N]) -> [Option<f64>; N] {
    let mut times = [const { Vec::new() }; N];
    for turn in 0..turns + turns / 3 {
        for (times, side) in times.iter_mut().zip(&mut sides) {
            let Some(side) = side else { continue };
            let time = side.time(side.turn).as_secs_f64() * 1e9 / side.turn as f64;
            // The first third is to warm up.
            if turn >= turns / 3 {
                times.push(time);
            }
        }
    }
    times.map(|times| (!times.is_empty()).then(|| spread(times)[0]))
}
