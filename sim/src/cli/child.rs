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
/// How often it is looked for the end of a process that has closed its output.
const PAUSE: Duration = Duration::from_millis(10);
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
                Err(RecvTimeoutError::Timeout) => silence += BEAT,
                // It has nothing more to say, and is about to end as a rule.
                Err(RecvTimeoutError::Disconnected) => match child.0.try_wait()? {
                    Some(status) => return Ok(Ended::Itself(status)),
                    None => {
                        #[expect(clippy::disallowed_methods, reason = "no run sees it")]
                        thread::sleep(PAUSE);
                        silence += PAUSE;
                    }
                },
            }
            if silence > patience {
                child.end();
                return Ok(Ended::Hung);
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str) -> (Vec<String>, Ended) {
        let mut lines = Vec::new();
        let ended = watch(Command::new("sh").args(["-c", script]), BEAT * 5, |line| {
            lines.push(line.to_owned());
            ControlFlow::Continue(())
        });
        (lines, ended.unwrap())
    }

    #[test]
    fn who_ends_is_heard_to_the_end_and_who_does_not_is_ended() {
        let (lines, ended) = sh("echo one; exec >&-; sleep 0.2; exit 3");
        assert_eq!(lines, ["one"]);
        assert!(matches!(ended, Ended::Itself(status) if status.code() == Some(3)), "{ended:?}");
        for silent in ["exec sleep 600", "exec >&-; exec sleep 600"] {
            assert!(matches!(sh(silent).1, Ended::Hung), "{silent}");
        }
    }
}
