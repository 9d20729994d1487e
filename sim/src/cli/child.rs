//! Another process of the program, or of a build of it: its lines are handed over as they come.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::interrupt;

/// How often an interrupt is looked for.
const BEAT: Duration = Duration::from_millis(200);
/// Lines that the process may be ahead.
const AHEAD: usize = 256;

/// Why nobody listens to the process any more. Unless it ended by itself it was ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Itself(ExitStatus),
    /// There was an interrupt, or enough was heard.
    Stopped,
    /// It was silent for too long.
    Hung,
}

/// Runs a program and hands over its lines until it ends, `each` has enough, an interrupt comes, or the
/// program is silent for longer than `patience`.
pub(crate) fn watch(
    command: &mut Command,
    patience: Duration,
    mut each: impl FnMut(&str) -> ControlFlow<()>,
) -> io::Result<Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = Guard(command.spawn()?);
    let out = child.0.stdout.take().expect("it is piped");
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(AHEAD);
        scope.spawn(move || lines(out, |line| sender.send(line).is_ok()));
        let mut silence = Duration::ZERO;
        loop {
            if interrupt::seen() {
                break;
            }
            match receiver.recv_timeout(BEAT) {
                Ok(line) => {
                    silence = Duration::ZERO;
                    if each(&line).is_break() {
                        break;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return child.0.wait().map(Ended::Itself),
                Err(RecvTimeoutError::Timeout) if silence >= patience => {
                    child.end();
                    return Ok(Ended::Hung);
                }
                Err(RecvTimeoutError::Timeout) => silence += BEAT,
            }
        }
        // The reader ends with the program.
        child.end();
        Ok(Ended::Stopped)
    })
}

/// What is no text is told as well as it can be.
fn lines(out: impl Read, mut each: impl FnMut(String) -> bool) {
    for line in BufReader::new(out).split(b'\n') {
        let Ok(line) = line else { return };
        if !each(String::from_utf8_lossy(&line).into_owned()) {
            return;
        }
    }
}

/// A program that does not outlive whoever listens to it.
struct Guard(Child);

impl Guard {
    fn end(&mut self) {
        // It may have ended by itself: a terminal interrupts both.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.end();
    }
}
