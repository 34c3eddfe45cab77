use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// The most bytes that a pipe takes undivided, whatever else is written into it.
const AT_ONCE: usize = 4096;
/// How long to wait before an output that is full, and does not block, is tried again.
const AGAIN: Duration = Duration::from_millis(10);

/// How long a line waits for others. Under load, to wake a thread for each line takes a third of
/// the time of a small request.
const GATHER: Duration = Duration::from_millis(1);

/// A queue of lines that a thread of its own writes to an output, in order. To push a line never
/// waits for the output and never fails, so a request may log to it.
///
/// Lines that the output does not take are lost: those that fail to be written, and those that come
/// while too many bytes wait. A line with their number is written after them, once the output takes
/// lines again.
///
/// # Examples
///
/// ```
/// use std::{io, time::Duration};
///
/// use tower_kit::Lines;
///
/// let lines = Lines::to(io::stderr(), 1 << 20, |lost| format!("{lost} lines are lost"))?;
/// lines.push(b"one line\n");
/// lines.end(Duration::from_secs(1));
/// # Ok::<_, io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lines {
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    most: usize,
    state: Mutex<State>,
    /// There is something to write, or the queue has ended.
    pushed: Condvar,
    /// Everything is written.
    written: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// How many lines have found no room.
    lost: usize,
    is_writing: bool,
    /// Whether a flush waits for the lines that are here.
    is_urgent: bool,
    is_ending: bool,
    is_ended: bool,
    /// Whether a flush has given up, and nothing has been written since.
    is_stuck: bool,
}

impl State {
    fn is_busy(&mut self) -> bool {
        self.is_writing || self.has_lines()
    }

    fn has_lines(&self) -> bool {
        !self.waiting.is_empty() || self.lost > 0
    }

    /// Returns whether the lines wait for no others.
    fn is_due(&self) -> bool {
        self.is_urgent || self.is_ending || self.lost > 0 || self.waiting.len() >= AT_ONCE
    }
}

impl Lines {
    /// Begins to write to this output. Not more than `most` bytes wait, except for a text that is
    /// larger by itself. The function makes the line that states how many lines are lost.
    ///
    /// # Errors
    ///
    /// The system's error if there can be no more threads.
    pub fn to(
        out: impl Write + Send + 'static,
        most: usize,
        notice: fn(usize) -> String,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue {
            most,
            ..Queue::default()
        });
        let writer = Writer {
            out,
            notice,
            lost: 0,
            is_torn: false,
        };
        let own = queue.clone();
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.run(&own))?;
        Ok(Self { queue })
    }

    /// Queues a text of whole lines. It is lost where too many bytes wait already.
    pub fn push(&self, text: &[u8]) {
        let mut state = self.queue.lock();
        let (is_first, was_due) = (!state.has_lines(), state.is_due());
        let all = state.waiting.len().saturating_add(text.len());
        if state.waiting.is_empty() || all <= self.queue.most {
            state.waiting.extend_from_slice(text);
        } else {
            state.lost += count(text);
        }
        let wakes = is_first || !was_due && state.is_due();
        drop(state);
        if wakes {
            self.queue.pushed.notify_one();
        }
    }

    /// Waits until everything is written, but not longer than this, and not at all while the reader
    /// is known to be stuck.
    pub fn flush(&self, patience: Duration) {
        let mut state = self.queue.lock();
        if !state.is_stuck {
            state.is_urgent = state.has_lines();
            self.queue.pushed.notify_one();
            self.queue.wait(state, patience, State::is_busy);
        }
    }

    /// Ends: waits until everything is written, but not longer than this.
    pub fn end(self, patience: Duration) {
        let mut state = self.queue.lock();
        state.is_ending = true;
        self.queue.pushed.notify_one();
        self.queue.wait(state, patience, |state| !state.is_ended);
    }
}

/// So that `tracing-subscriber` writes here.
impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.push(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(
        &self,
        state: MutexGuard<'_, State>,
        patience: Duration,
        is_busy: impl FnMut(&mut State) -> bool,
    ) {
        let waited = self.written.wait_timeout_while(state, patience, is_busy);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_stuck |= timeout.timed_out();
    }

    /// Takes the text that waits, and returns how many lines were lost after it. Returns `None` at
    /// the end.
    fn next(&self, batch: &mut Vec<u8>) -> Option<usize> {
        batch.clear();
        let mut state = self.lock();
        (state.is_writing, state.is_stuck) = (false, false);
        loop {
            if state.has_lines() {
                let gathered = self
                    .pushed
                    .wait_timeout_while(state, GATHER, |state| !state.is_due());
                (state, _) = gathered.unwrap_or_else(PoisonError::into_inner);
                (state.is_writing, state.is_urgent) = (true, false);
                mem::swap(&mut state.waiting, batch);
                return Some(mem::take(&mut state.lost));
            }
            if state.is_ending {
                return None;
            }
            self.written.notify_all();
            let waited = self.pushed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The writer of the queue, on a thread of its own.
struct Writer<W> {
    out: W,
    notice: fn(usize) -> String,
    /// How many lines were lost and are not reported yet.
    lost: usize,
    /// Whether only the beginning of a line was written last.
    is_torn: bool,
}

impl<W: Write> Writer<W> {
    fn run(mut self, queue: &Queue) {
        let mut batch = Vec::new();
        while let Some(lost) = queue.next(&mut batch) {
            let written = if self.tells() { self.write(&batch) } else { 0 };
            self.lost += count(&batch[written..]) + lost;
            self.tells();
        }
        self.tells();
        queue.lock().is_ended = true;
        queue.written.notify_all();
    }

    /// Writes how many lines are lost, and returns whether all of them are reported.
    fn tells(&mut self) -> bool {
        if self.lost == 0 {
            return true;
        }
        let line = if self.is_torn { "\n" } else { "" };
        let line = format!("{line}{}\n", (self.notice)(self.lost));
        if self.write_at_once(line.as_bytes()) == line.len() {
            self.lost = 0;
        }
        self.lost == 0
    }

    /// Writes as many lines at once as a pipe takes undivided, but at least one. Returns how many
    /// bytes were written.
    fn write(&mut self, text: &[u8]) -> usize {
        let mut done = 0;
        while done < text.len() {
            let rest = &text[done..];
            let is_end = |byte: &u8| *byte == b'\n';
            let end = rest[..rest.len().min(AT_ONCE)].iter().rposition(is_end);
            let end = end.or_else(|| rest.iter().position(is_end));
            let lines = &rest[..end.map_or(rest.len(), |end| end + 1)];
            let written = self.write_at_once(lines);
            done += written;
            if written < lines.len() {
                break;
            }
        }
        done
    }

    /// Returns how many bytes were written: all, unless the output fails.
    fn write_at_once(&mut self, text: &[u8]) -> usize {
        let mut done = 0;
        while done < text.len() {
            match self.out.write(&text[done..]) {
                Ok(written @ 1..) => done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(AGAIN),
                Ok(0) | Err(_) => break,
            }
        }
        if let Some(last) = text[..done].last() {
            self.is_torn = *last != b'\n';
        }
        // Whole lines wait for nothing.
        let _ = self.out.flush();
        done
    }
}

/// Returns how many lines a text has.
fn count(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    fn notice(lost: usize) -> String {
        format!("warning: lines lost because nothing took them in time: {lost}")
    }

    /// An output that takes as many bytes as the test allows, and otherwise fails or waits.
    struct Slow {
        allowed: Receiver<Result<usize, io::ErrorKind>>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Slow {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let allowed = self.allowed.recv().unwrap_or(Ok(usize::MAX))?;
            let allowed = allowed.min(text.len());
            self.taken.lock().unwrap().extend(&text[..allowed]);
            Ok(allowed)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Reader {
        lines: Lines,
        allow: Sender<Result<usize, io::ErrorKind>>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    fn lines(most: usize) -> Reader {
        let (allow, allowed) = channel();
        let taken = Arc::<Mutex<Vec<u8>>>::default();
        let own = taken.clone();
        let lines = Lines::to(
            Slow {
                allowed,
                taken: own,
            },
            most,
            notice,
        );
        Reader {
            lines: lines.unwrap(),
            allow,
            taken,
        }
    }

    impl Reader {
        /// Takes everything from now on, to the end.
        fn rest(self) -> String {
            drop(self.allow);
            self.lines.end(Duration::MAX);
            String::from_utf8(self.taken.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn deploy_56_no_line_is_lost_with_a_reader() {
        let reader = lines(10);
        for number in 0..1_000 {
            reader.lines.push(format!("{number}\n").as_bytes());
            let _ = reader.allow.send(Ok(3));
            let _ = reader.allow.send(Ok(3));
            let _ = reader.allow.send(Ok(3));
            reader.lines.flush(Duration::MAX);
        }
        let expected: String = (0..1_000).map(|number| format!("{number}\n")).collect();
        assert_eq!(reader.rest(), expected);
    }

    #[test]
    fn deploy_56_waiting_bytes_are_bounded_and_lost_lines_counted() {
        let reader = lines(100_000);
        let line = format!("{}\n", "x".repeat(999));
        for _ in 0..1_000 {
            reader.lines.push(line.as_bytes());
        }
        let waiting = reader.lines.queue.lock().waiting.capacity();
        assert!(waiting <= 200_000, "{waiting}");
        let taken = reader.rest();
        let (lost, taken): (Vec<_>, Vec<_>) = taken
            .lines()
            .partition(|line| line.starts_with("warning: lines lost"));
        assert!(taken.len() >= 100 && taken.len() <= 200, "{}", taken.len());
        let lost = lost.iter().map(|line| line.rsplit(' ').next().unwrap());
        let lost: usize = lost.map(|number| number.parse::<usize>().unwrap()).sum();
        assert_eq!(taken.len() + lost, 1_000);
    }

    #[test]
    fn a_large_text_is_written_by_itself() {
        let reader = lines(10);
        let text = format!("{}\n", "x".repeat(10_000)).repeat(3);
        reader.lines.push(text.as_bytes());
        assert_eq!(reader.rest(), text);
    }

    #[test]
    fn deploy_56_lines_that_fail_are_counted() {
        let reader = lines(1 << 20);
        let full = || Err(io::ErrorKind::StorageFull);
        for allowed in [Ok(2), full(), full(), Err(io::ErrorKind::Interrupted)] {
            reader.allow.send(allowed).unwrap();
        }
        for line in ["first\n", "second\n", "third\n"] {
            reader.lines.push(line.as_bytes());
            // The first is there by now, and each of the others by itself.
            reader.lines.flush(Duration::from_millis(200));
        }
        let taken = reader.rest();
        assert_eq!(
            taken,
            "fi\nwarning: lines lost because nothing took them in time: 1\nsecond\nthird\n"
        );
    }

    /// A number that is reported is not reported again, and a torn line does not tear the next one.
    #[test]
    fn deploy_56_lost_lines_are_counted_from_zero_each_time() {
        let reader = lines(1 << 20);
        let lost = "warning: lines lost because nothing took them in time: 1\n";
        let allow = |allowed| reader.allow.send(allowed).unwrap();
        let push = |line: &str| {
            reader.lines.push(line.as_bytes());
            reader.lines.flush(Duration::MAX);
        };
        for torn in ["fi", ""] {
            match torn {
                "" => {}
                _ => allow(Ok(2)),
            }
            allow(Err(io::ErrorKind::StorageFull));
            // The count, and the line after it.
            allow(Ok(usize::MAX));
            push("first\n");
            allow(Ok(usize::MAX));
            push("second\n");
        }
        assert!(!reader.lines.queue.lock().is_stuck);
        assert_eq!(reader.rest(), format!("fi\n{lost}second\n{lost}second\n"));
    }

    /// A reader that comes back is waited for again.
    #[test]
    fn deploy_56_a_reader_that_was_stuck_is_waited_for_again() {
        let reader = lines(1 << 20);
        reader.lines.push(b"first\n");
        reader.lines.flush(Duration::from_millis(20));
        assert!(reader.lines.queue.lock().is_stuck);
        reader.allow.send(Ok(usize::MAX)).unwrap();
        let start = std::time::Instant::now();
        while reader.lines.queue.lock().is_stuck {
            assert!(start.elapsed() < Duration::from_secs(5), "it is stuck");
            thread::yield_now();
        }
        let lines = reader.lines.clone();
        lines.push(b"second\n");
        let allow = reader.allow.clone();
        let helper = thread::spawn(move || allow.send(Ok(usize::MAX)));
        lines.flush(Duration::MAX);
        helper.join().unwrap().unwrap();
        assert_eq!(*reader.taken.lock().unwrap(), b"first\nsecond\n");
    }

    #[test]
    fn deploy_56_the_end_waits_no_longer_than_allowed() {
        let reader = lines(1 << 20);
        reader.lines.push(b"line\n");
        let start = std::time::Instant::now();
        reader.lines.clone().end(Duration::from_millis(50));
        assert!(start.elapsed() < Duration::from_secs(5));
        // It is known to be stuck.
        reader.lines.flush(Duration::MAX);
        assert_eq!(reader.rest(), "line\n");
    }
}
