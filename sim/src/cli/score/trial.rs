//! One planted bug on trial: its program runs seeds until one of them shows the bug.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use graphshell_sim::generate::Profile;
use serde::Serialize;
use serde_json::Value;

use super::super::args::Seed;
use super::super::child::{Ended, watch};
use super::super::interrupt;
use super::ScoreError;

/// A program that is silent for so long hangs.
const PATIENCE: Duration = Duration::from_secs(180);
/// Most seeds that are run again to find the one that crashed.
const MOST_AGAIN: u64 = 1_000;

/// What shows a bug that ends the program.
const CRASH: &str = "crash";
/// What shows a bug that keeps the program from going on. Seeds are reported in order, so it is the
/// seed that is due that hangs.
const HANG: &str = "hang";

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
        let mut trial = Trial::default();
        let mut death = trial.run(program, profile, terms, &each)?;
        let mut seed = Seed(trial.seeds);
        let left = terms.seeds.saturating_sub(trial.seeds).min(MOST_AGAIN);
        if death == Some(CRASH) && trial.first.is_none() && terms.threads > 1 && left > 0 {
            // Any seed in flight may be the one. A lone thread has none but the first that it does
            // not report; if all hold there, the crash stays with the seed that was due.
            let alone = Terms { seeds: left, threads: 1, ..terms };
            let again = trial.run(program, profile, alone, &each)?;
            if again.is_some() || trial.first.is_some() {
                (death, seed) = (again, Seed(trial.seeds));
            }
        }
        if let Some(oracle) = death {
            trial.sight(seed, oracle);
        }
        Ok(trial)
    }

    /// Runs so many seeds, from the first that is not reported yet. Says what became of the program if it
    /// did not end as it should.
    fn run(
        &mut self,
        program: &Path,
        profile: Profile,
        terms: Terms,
        each: &impl Fn(u64),
    ) -> Result<Option<&'static str>, ScoreError> {
        let start = |reason| ScoreError::Start { program: "the planted program", reason };
        let first = self.seeds.to_string();
        let (seeds, threads) = (terms.seeds.to_string(), terms.threads.to_string());
        let mut command = Command::new(program);
        command.args(["run", "--json", "--no-capsules", "--profile", profile.name()]);
        command.args(["--first-seed", &first, "--seeds", &seeds, "--threads", &threads]);
        command.args((terms.beyond == 0).then_some("--fail-fast"));
        // It tells of panics of which the verdict tells too.
        command.stderr(Stdio::null());
        let ended = watch(&mut command, PATIENCE, |line| {
            self.line(line);
            each(self.seeds);
            let last = self.first.as_ref().map(|first| first.seeds + terms.beyond);
            match last.is_some_and(|last| terms.beyond > 0 && self.seeds >= last) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
        .map_err(start)?;
        match ended {
            Ended::Stopped => Ok(None),
            Ended::Hung => Ok(Some(HANG)),
            Ended::Itself(status) => {
                // What it says of itself ends with 0 to 4 or an interrupt; all else is a crash.
                let judged = status.code().is_some_and(|code| matches!(code, 0 | 1 | 3 | 4 | 130));
                if status.code() == Some(2) {
                    return Err(ScoreError::Refused(status));
                }
                Ok((!judged && !interrupt::seen()).then_some(CRASH))
            }
        }
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

/// What shrinking left of the first seed that shows a bug.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Shrunk {
    /// Steps of the seed's plan.
    pub(super) from_steps: u64,
    /// Steps that are left.
    pub(super) steps: u64,
    /// Peers that are left.
    pub(super) peers: u64,
    /// Of the wall clock.
    pub(super) seconds: f64,
    /// The scenario.
    pub(super) file: String,
}

impl Shrunk {
    /// Lets the program shrink what was seen and write the scenario to `out`. `None` if it cannot: what
    /// crashes or hangs ends whatever runs it.
    pub(super) fn by(
        program: &Path,
        first: &Sighting,
        profile: Profile,
        threads: usize,
        out: &Path,
    ) -> Option<Shrunk> {
        if [CRASH, HANG].contains(&first.oracle.as_str()) {
            return None;
        }
        let (threads, seed) = (threads.to_string(), first.seed.to_string());
        let mut command = Command::new(program);
        command.args(["shrink", "--json", "--for", "60s", "--profile", profile.name()]);
        command.args(["--threads", &threads, "--out"]).arg(out).arg(seed);
        let mut shrunk = None;
        // What it prints is one line.
        let watched = watch(command.stderr(Stdio::null()), PATIENCE, |line| {
            shrunk = Shrunk::read(line);
            ControlFlow::Break(())
        });
        watched.ok().and(shrunk)
    }

    fn read(told: &str) -> Option<Shrunk> {
        let told: Value = serde_json::from_str(told).ok()?;
        Some(Shrunk {
            from_steps: told["before"]["steps"].as_u64()?,
            steps: told["after"]["steps"].as_u64()?,
            peers: told["after"]["peers"].as_u64()?,
            seconds: told["seconds"].as_f64()?,
            file: told["file"].as_str()?.to_owned(),
        })
    }

    /// Of a hundred steps, how many are gone.
    pub(super) fn gone_percent(&self) -> f64 {
        100.0 * (1.0 - self.steps as f64 / self.from_steps.max(1) as f64)
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

    #[test]
    fn what_shrinking_tells_is_read() {
        let told = r#"{"before":{"peers":5,"steps":200},"after":{"peers":2,"steps":5},
            "seconds":1.5,"file":"a.json"}"#;
        let shrunk = Shrunk::read(told).unwrap();
        assert_eq!((shrunk.peers, shrunk.steps, shrunk.gone_percent()), (2, 5, 97.5));
        assert_eq!(Shrunk::read("nothing is shrunk: it holds"), None);
    }

    /// A program that crashes in seed 2, and with many threads before seed 1 is reported.
    #[cfg(unix)]
    const CRASHES: &str = r#"#!/bin/sh
case "$*" in
    *'--first-seed 0 '*'--threads 8'*) seeds=0 ;;
    *'--first-seed 1 '*'--threads 1'*) seeds=1 ;;
    *) exit 2 ;;
esac
for seed in $seeds; do echo "{\"seed\":\"$seed\",\"verdict\":\"held\"}"; done
kill -ABRT $$
"#;

    #[cfg(unix)]
    #[test]
    fn a_crash_is_booked_on_the_seed_that_crashes_on_one_thread() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        // Written by a process of its own: a file that this one has open cannot be started.
        let write = r#"printf '%s' "$1" >"$0" && chmod +x "$0""#;
        let mut shell = Command::new("sh");
        shell.args(["-c", write]).arg(&program).arg(CRASHES);
        assert!(shell.status().unwrap().success());
        let terms = Terms { seeds: 10, threads: 8, beyond: 0 };
        let trial = Trial::hold(&program, Profile::default(), terms, |_| {}).unwrap();
        let first = trial.first.unwrap();
        assert_eq!((first.seed, &*first.oracle, first.seeds), (Seed(2), CRASH, 3));
    }
}
