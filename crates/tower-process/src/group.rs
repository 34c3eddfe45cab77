//! A command with its children, which are one process group.

use std::{io, process::ExitStatus, time::Duration};

use rustix::process::{
    Pid, Signal, WaitOptions, kill_process_group, test_kill_process_group, waitpgid,
};
use tokio::{
    process::{Child, ChildStderr, ChildStdout, Command},
    time::{Instant, sleep, timeout},
};

/// The time between two looks whether a group has ended.
const POLL: Duration = Duration::from_millis(20);
/// The longest wait for processes that have got SIGKILL, except the leader. They are zombies until
/// their new parent, the first process of the system, reaps them, if they are not ours.
const LAST_WAIT: Duration = Duration::from_millis(100);

/// A process group, which is killed when this is dropped.
pub(crate) struct Group {
    leader: Child,
    /// `None` when the group has ended.
    id: Option<Pid>,
}

/// The output of a group.
pub(crate) struct Pipes {
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
}

impl Group {
    /// Starts a command as the leader of a group of its own.
    pub(crate) fn start(command: &mut Command) -> io::Result<(Self, Pipes)> {
        // It is reaped by tokio if the runtime ends before it.
        command.process_group(0).kill_on_drop(true);
        let mut leader = command.spawn()?;
        let pipes = Pipes {
            stdout: leader.stdout.take(),
            stderr: leader.stderr.take(),
        };
        let id = leader.id().and_then(|id| id.try_into().ok());
        let group = Self {
            id: id.and_then(Pid::from_raw),
            leader,
        };
        Ok((group, pipes))
    }

    /// Returns the id of the leader, which is that of the group.
    pub(crate) fn id(&self) -> Option<i32> {
        self.id.map(Pid::as_raw_pid)
    }

    /// Waits until the leader has ended.
    pub(crate) async fn leader_ended(&mut self) -> io::Result<ExitStatus> {
        self.leader.wait().await
    }

    /// Sends SIGTERM to all processes, and SIGKILL to those that are there after the limit.
    pub(crate) async fn stop(mut self, limit: Duration) {
        self.kill(Signal::TERM);
        let ended = async {
            let _ = self.leader.wait().await;
            // The group keeps its id while one of its processes is there, so it is no other group.
            while self.has_members() {
                sleep(POLL).await;
            }
        };
        let _ = timeout(limit, ended).await;
        self.end().await;
    }

    /// Sends SIGKILL to all processes that are there, and waits for their end.
    pub(crate) async fn end(mut self) {
        self.kill(Signal::KILL);
        let _ = self.leader.wait().await;
        let end = Instant::now() + LAST_WAIT;
        while self.has_members() && Instant::now() < end {
            self.kill(Signal::KILL);
            sleep(POLL).await;
        }
        self.id = None;
    }

    /// Returns whether a process of the group is there. The leader has been reaped.
    fn has_members(&self) -> bool {
        let Some(id) = self.id else {
            return false;
        };
        // Without its parent, a process is a child of the first process of a container. That may be
        // this server, and then there is nothing else to reap it.
        while let Ok(Some(_)) = waitpgid(id, WaitOptions::NOHANG) {}
        test_kill_process_group(id).is_ok()
    }

    fn kill(&self, signal: Signal) {
        if let Some(id) = self.id {
            // The last one may have ended just now.
            let _ = kill_process_group(id, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill(Signal::KILL);
    }
}
