//! One planted bug on trial: its program runs seeds until one of them shows the bug.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use graphshell_sim::generate::Profile;
use serde::Serialize;
use serde_json::Value;

use super::super::args::Seed;
use super::super::interrupt;
use super::ScoreError;

/// A program that is silent for so long hangs.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often an interrupt is looked for.
const BEAT: Duration = Duration::from_millis(200);

/// What the seeds of a trial came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Trial {
    /// How many seeds were run.
    pub(super) seeds: u64,
    /// The first seed that showed the bug.
    pub(super) first: Option<Sighting>,
    /// How many seeds showed it, by what showed it.
    pub(super) oracles: BTreeMap<String, u64>,
    /// How many seeds proved nothing.
    pub(super) invalid: u64,
}

/// A seed that shows a bug.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Sighting {
    pub(super) seed: Seed,
    /// The property that did not hold, or what became of the program.
    pub(super) oracle: String,
    /// How many seeds it took.
    pub(super) seeds: u64,
}

/// How a trial is held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) seeds: u64,
    pub(super) threads: usize,
    /// How many seeds are run after the first that shows the bug.
    pub(super) beyond: u64,
}

impl Trial {
    /// Runs the program at this path. Calls `each` with the number of seeds after every one.
    pub(super) fn hold(
        program: &Path,
        profile: Profile,
        terms: Terms,
        each: impl Fn(u64),
    ) -> Result<Trial, ScoreError> {
        let start = |reason| ScoreError::Start { program: "the planted program", reason };
        let (seeds, threads) = (terms.seeds.to_string(), terms.threads.to_string());
        let mut command = Command::new(program);
        command.args(["run", "--json", "--no-capsules", "--seeds", &seeds, "--threads", &threads]);
        command.args(["--profile", profile.name()]);
        command.args((terms.beyond == 0).then_some("--fail-fast"));
        // It tells of panics of which the verdict tells too.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = Guard(command.spawn().map_err(start)?);
        let out = child.0.stdout.take().expect("it is piped");
        let mut trial = Trial::default();
        let ended = thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            scope.spawn(move || lines(out, |line| sender.send(line).is_ok()));
            let mut silence = Duration::ZERO;
            let ended = loop {
                match receiver.recv_timeout(BEAT) {
                    Ok(line) => {
                        silence = Duration::ZERO;
                        trial.line(&line);
                        each(trial.seeds);
                        let last = trial.first.as_ref().map(|first| first.seeds + terms.beyond);
                        if last.is_some_and(|last| terms.beyond > 0 && trial.seeds >= last) {
                            break Ended::Stopped;
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) => break Ended::Itself,
                    Err(RecvTimeoutError::Timeout) if interrupt::seen() => break Ended::Stopped,
                    Err(RecvTimeoutError::Timeout) if silence >= PATIENCE => break Ended::Hung,
                    Err(RecvTimeoutError::Timeout) => silence += BEAT,
                }
            };
            if !matches!(ended, Ended::Itself) {
                // The reader ends with the program.
                child.end();
            }
            ended
        });
        match ended {
            Ended::Stopped => {}
            Ended::Hung => trial.sight(Seed(trial.seeds), "hang"),
            Ended::Itself => {
                let status = child.0.wait().map_err(start)?;
                // What it says of itself ends with 0 to 4 or an interrupt; all else is a crash.
                let judged = status.code().is_some_and(|code| matches!(code, 0 | 1 | 3 | 4 | 130));
                if status.code() == Some(2) {
                    return Err(ScoreError::Refused(status));
                }
                if !judged && !interrupt::seen() {
                    trial.sight(Seed(trial.seeds), "crash");
                }
            }
        }
        Ok(trial)
    }

    fn line(&mut self, line: &str) {
        let Ok(told) = serde_json::from_str::<Value>(line) else { return };
        let Some(seed) = told["seed"].as_str().and_then(|seed| seed.parse().ok()) else { return };
        match told["verdict"].as_str() {
            Some("failed") => self.sight(seed, told["property"].as_str().unwrap_or("failed")),
            Some("not_deterministic") => self.sight(seed, "same plan, same run"),
            Some("invalid") => {
                self.invalid += 1;
                self.seeds += 1;
            }
            _ => self.seeds += 1,
        }
    }

    fn sight(&mut self, seed: Seed, oracle: &str) {
        self.seeds += 1;
        *self.oracles.entry(oracle.to_owned()).or_default() += 1;
        let seeds = self.seeds;
        self.first.get_or_insert_with(|| Sighting { seed, oracle: oracle.to_owned(), seeds });
    }
}

enum Ended {
    Itself,
    Stopped,
    Hung,
}

fn lines(out: impl Read, mut each: impl FnMut(String) -> bool) {
    for line in BufReader::new(out).lines() {
        let Ok(line) = line else { return };
        if !each(line) {
            return;
        }
    }
}

/// A program that does not outlive its trial.
struct Guard(Child);

impl Guard {
    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_counted_up_to_the_first_that_shows_the_bug() {
        let mut trial = Trial::default();
        trial.line(r#"{"seed":"0x0","verdict":"held"}"#);
        trial.line(r#"{"seed":"0x1","verdict":"invalid"}"#);
        assert_eq!((trial.seeds, trial.invalid, trial.first.as_ref()), (2, 1, None));
        trial.line(r#"{"seed":"0x2","verdict":"failed","property":"convergence"}"#);
        trial.line(r#"{"seed":"0x3","verdict":"not_deterministic"}"#);
        trial.line(r#"{"summary":{"seeds":4}}"#);
        let first = trial.first.clone().unwrap();
        assert_eq!((first.seed, &*first.oracle, first.seeds), (Seed(2), "convergence", 3));
        assert_eq!((trial.seeds, trial.oracles.len()), (4, 2));
    }
}
