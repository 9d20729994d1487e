//! The whole of a sweep, or of one shard of it: what is printed, and what is saved for others.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, absolute};
use std::time::Duration;

use graphshell_sim::capsule::engine_version;
use serde::{Deserialize, Serialize};

use super::annotate;
use super::args::{ReportArgs, Seed};
use super::exit::Exit;
use super::file;
use super::junit;
use super::kinds::Kinds;
use super::output::{Output, OutputError};
use super::tally::{Tally, Time};
use super::text;
use super::write::{folder, write};
use super::{Error, complain_of};

/// The format that is written and read.
const FORMAT: u64 = 3;
/// Fewer seeds are not expected to reach every rare event.
const ENOUGH_FOR_PROBES: u64 = 200;
/// Missing shards that are named.
const SHOWN: usize = 8;

/// A sweep that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    /// The format's version.
    report: u64,
    /// The build of engine and simulator.
    engine: String,
    /// The flags that the seeds were expanded with.
    pub(crate) flags: String,
    /// What the whole sweep was to run.
    pub(crate) sweep: Whole,
    /// Which shards of it are in here, from 1.
    pub(crate) shards: BTreeSet<u64>,
    /// The seeds that were run.
    pub(crate) seeds: Vec<Seeds>,
    /// Seconds of wall-clock time, summed over the shards, be it that they ran side by side.
    pub(crate) seconds: f64,
    pub(crate) interrupted: bool,
    pub(crate) tally: Tally,
    pub(crate) failures: Kinds,
    /// Whether it is the sum of several, and so has to be whole.
    #[serde(skip)]
    is_sum: bool,
}

/// What all shards of a sweep have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whole {
    /// The first seed.
    pub(crate) first: Seed,
    /// How many seeds; `None` if as many as there was time for.
    pub(crate) seeds: Option<u64>,
    /// How many shards.
    pub(crate) shards: u64,
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seeds {
            Some(count) => f.write_str(&text::counted(count, "seed"))?,
            None => write!(f, "seeds")?,
        }
        write!(f, " from {} on in {}", self.first, text::counted(self.shards, "shard"))
    }
}

/// Seeds at equal distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seeds {
    pub(crate) first: Seed,
    pub(crate) step: u64,
    pub(crate) count: u64,
}

impl Seeds {
    /// The seed at this place. Every place below `count` has one.
    pub(crate) fn nth(&self, n: u64) -> Seed {
        Seed(self.first.0 + n * self.step)
    }

    /// The last of them, if there is one below 2^64.
    fn last(&self) -> Option<Seed> {
        let places = self.count.checked_sub(1)?;
        let distance = self.step.checked_mul(places)?;
        self.first.0.checked_add(distance).map(Seed)
    }
}

/// What tells a report from another file.
#[derive(Deserialize)]
struct Head {
    report: u64,
}

/// A file is no report, or none that fits the others.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error("{file}: {reason}; expected a report of format {FORMAT}, as `run --report` writes it")]
    Json { file: String, reason: serde_json::Error },
    #[error("{file}: found report format {found}; expected {FORMAT}")]
    Format { file: String, found: u64 },
    #[error("{file}: found seeds from {} on, {} at a distance of {}; expected seeds of its shards, from {} on \
        at a distance of {} and below 2^64", .seeds.first, .seeds.count, .seeds.step, .sweep.first, .sweep.shards)]
    Seeds { file: String, seeds: Seeds, sweep: Whole },
    #[error("{file}: found shards {shards:?} of {of}; expected shards from 1 to {of}")]
    Shards { file: String, shards: BTreeSet<u64>, of: u64 },
    #[error("{file}: found {what} {found}; expected {expected}, as in {other}")]
    Differs { file: String, what: &'static str, found: String, expected: String, other: String },
    #[error("{file}: found shard {shard} of {of}, which {other} is too; expected each once")]
    Twice { file: String, shard: u64, of: u64, other: String },
    #[error("{file}: found seed {seed} more than once; expected each once")]
    Again { file: String, seed: Seed },
    #[error("{file}: found {found} {what}; expected {expected}, as its {like} say")]
    Counts { file: String, what: &'static str, found: u64, expected: u64, like: &'static str },
}

impl Report {
    /// The report of one shard, or of a whole sweep.
    pub(crate) fn new(flags: String, sweep: Whole, shard: u64, seeds: Vec<Seeds>) -> Self {
        Report {
            report: FORMAT,
            engine: engine_version().to_owned(),
            flags,
            sweep,
            shards: BTreeSet::from([shard]),
            seeds,
            seconds: 0.0,
            interrupted: false,
            tally: Tally::default(),
            failures: Kinds::default(),
            is_sum: false,
        }
    }

    /// Whether the text says of itself that it is a report, of whatever format.
    pub(crate) fn is_one(text: &str) -> bool {
        serde_json::from_str::<Head>(text).is_ok()
    }

    /// Reads the report at `path`.
    pub(crate) fn read(path: &Path) -> Result<Report, Error> {
        let text = file::read_text(path, "a report of `cargo sim run --report`")?;
        let file = path.display().to_string();
        let json = |reason| ReportError::Json { file: file.clone(), reason };
        let head: Head = serde_json::from_str(&text).map_err(json)?;
        if head.report != FORMAT {
            return Err(ReportError::Format { file, found: head.report }.into());
        }
        let mut report: Report = serde_json::from_str(&text).map_err(json)?;
        report.failures.map_paths(|capsule| folder(path).join(capsule));
        let (shards, of) = (report.shards.clone(), report.sweep.shards);
        if shards.is_empty() || shards.iter().any(|shard| !(1..=of).contains(shard)) {
            return Err(ReportError::Shards { file, shards, of }.into());
        }
        report.check_seeds(&file)?;
        report.check_counts(&file)?;
        Ok(report)
    }

    /// Makes sure that the seeds are those of its shards, each once. So reports of other shards share none.
    fn check_seeds(&self, file: &str) -> Result<(), ReportError> {
        let Whole { first: Seed(base), seeds: asked, shards: of } = self.sweep;
        let mut parts = Vec::new();
        for &seeds in &self.seeds {
            let ends = seeds.first.0.checked_sub(base).zip(seeds.last());
            let part = ends.map(|(offset, last)| (offset % of + 1, seeds.first, last));
            let of_this = part.filter(|(shard, _, Seed(last))| {
                let asked_for = asked.is_none_or(|asked| last - base < asked);
                seeds.step == of && self.shards.contains(shard) && asked_for
            });
            let flaw = ReportError::Seeds { file: file.to_owned(), seeds, sweep: self.sweep };
            parts.push(of_this.ok_or(flaw)?);
        }
        parts.sort_unstable();
        let again = parts.windows(2).find(|two| two[0].0 == two[1].0 && two[1].1 <= two[0].2);
        match again {
            Some(two) => Err(ReportError::Again { file: file.to_owned(), seed: two[1].1 }),
            None => Ok(()),
        }
    }

    /// Makes sure that what is counted of the seeds is counted of all and only of them.
    fn check_counts(&self, file: &str) -> Result<(), ReportError> {
        let seeds = self.seeds.iter().map(|seeds| seeds.count).fold(0, u64::saturating_add);
        let (runs, failed) = (self.tally.runs(), self.tally.failures());
        for (what, found, expected, like) in [
            ("runs", runs, seeds, "seeds"),
            ("failing seeds", self.failures.seeds(), failed, "runs"),
        ] {
            if found != expected {
                let file = file.to_owned();
                return Err(ReportError::Counts { file, what, found, expected, like });
            }
        }
        Ok(())
    }

    /// Adds up reports, each with the name of its file.
    pub(crate) fn merge(reports: Vec<(String, Report)>) -> Result<Report, ReportError> {
        for (nth, (file, report)) in reports.iter().enumerate() {
            for (other, before) in &reports[..nth] {
                report.must_fit(file, before, other)?;
            }
        }
        let mut reports = reports.into_iter().map(|(_, report)| report);
        let mut sum = reports.next().expect("the command line demands a file");
        for report in reports {
            sum.shards.extend(report.shards);
            sum.seeds.extend(report.seeds);
            sum.seconds += report.seconds;
            sum.interrupted |= report.interrupted;
            sum.tally.join(&report.tally);
            sum.failures.join(report.failures);
        }
        sum.failures.sort();
        sum.is_sum = true;
        Ok(sum)
    }

    fn must_fit(&self, file: &str, before: &Report, other: &str) -> Result<(), ReportError> {
        let same = |what, found: String, expected: String| match found == expected {
            true => Ok(()),
            false => {
                let (file, other) = (file.to_owned(), other.to_owned());
                Err(ReportError::Differs { file, what, found, expected, other })
            }
        };
        let quoted = |text: &str| format!("{text:?}");
        same("engine", quoted(&self.engine), quoted(&before.engine))?;
        same("flags", quoted(&self.flags), quoted(&before.flags))?;
        same("a sweep of", self.sweep.to_string(), before.sweep.to_string())?;
        if let Some(&shard) = self.shards.intersection(&before.shards).next() {
            let (file, other) = (file.to_owned(), other.to_owned());
            return Err(ReportError::Twice { file, shard, of: self.sweep.shards, other });
        }
        Ok(())
    }

    /// How the sweep ends by what it found.
    pub(crate) fn exit(&self) -> Exit {
        if self.interrupted { Exit::Interrupted } else { self.tally.sweep_exit() }
    }

    /// Says which shards a sum lacks, or how many seeds; a shard by itself lacks nothing.
    fn missing(&self) -> Option<String> {
        let of = self.sweep.shards;
        let how_many = of - self.shards.len() as u64;
        if !self.is_sum {
            return None;
        }
        if how_many == 0 {
            let (ran, asked) = (self.tally.runs(), self.sweep.seeds?);
            return (ran < asked)
                .then(|| format!("only {ran} of {} were run", text::counted(asked, "seed")));
        }
        let missing = (1..=of).filter(|shard| !self.shards.contains(shard));
        let mut named: Vec<String> = missing.take(SHOWN).map(|shard| shard.to_string()).collect();
        if how_many > SHOWN as u64 {
            named.push(format!("{} more", how_many - SHOWN as u64));
        }
        Some(match how_many {
            1 => format!("shard {} of {of} is missing", named.join("")),
            _ => format!("shards {} of {of} are missing", named.join(", ")),
        })
    }

    /// Why nothing or too little was proved, one reason after the other; none if it was not so.
    pub(crate) fn shortcomings(&self, demand_probes: bool) -> Vec<String> {
        let mut why = Vec::new();
        if self.interrupted && self.is_sum {
            why.push("too little was proved: a shard was interrupted".to_owned());
        }
        why.extend(self.missing().map(|missing| format!("too little was proved: {missing}")));
        if self.interrupted {
            return why;
        }
        if self.tally.proved_nothing() {
            why.push("nothing was proved: too many of the seeds were invalid".to_owned());
        }
        let missed = self.tally.missed();
        if demand_probes && !missed.is_empty() {
            let missed = missed.join(", ");
            why.push(format!("too little was proved; --demand-probes wants: {missed}"));
        }
        why
    }

    fn time(&self) -> Time {
        let spent = Duration::try_from_secs_f64(self.seconds).unwrap_or_default();
        Time { spent, shards: self.shards.len() as u64 }
    }

    /// Prints the report and writes the files that were asked for, each whatever becomes of the others.
    /// `trouble` is how the program would end for what went wrong until now.
    pub(crate) fn publish(
        &self,
        how: &SweepOutput<'_>,
        trouble: Exit,
        output: &mut Output,
    ) -> Exit {
        let why = self.shortcomings(how.files.demand_probes);
        let found = if why.is_empty() { Exit::Held } else { Exit::ProvedNothing };
        let mut exit = self.exit().and(found).and(trouble);
        if !how.json {
            exit = exit.and(complain_of(self.print(&why, output).err()));
        }
        annotate::annotate(how.files.ci.annotations, &annotate::of_sweep(self, &why));
        let junit = how.files.ci.junit.as_deref();
        let junit = junit.map(|path| write(path, junit::xml(self, &why)));
        let report = how.files.report.as_deref();
        let report = report.map(|path| write(path, self.to_json(folder(path))));
        let failed = [junit, report].into_iter().flatten().filter_map(Result::err);
        exit = exit.and(complain_of(failed));
        if how.json {
            // Last, because it says how the program ends.
            let (time, missing) = (self.time(), self.missing());
            let last = self.tally.to_json(&self.flags, self.failures.all(), time, missing, exit);
            exit = exit.and(complain_of(output.line(last).err()));
        }
        exit
    }

    fn print(&self, why: &[String], output: &mut Output) -> Result<(), OutputError> {
        if let Some(told) = self.failures.told(output.text_columns()) {
            output.line(told)?;
        }
        output.line(self.tally.table(&self.flags, self.time(), output.columns()))?;
        if let Some(faults) = self.tally.faults().table(output.columns()) {
            output.line(faults)?;
        }
        // Seeds with other flags may be unable to reach them.
        let never = self.tally.never_reached();
        let columns = output.text_columns();
        if !never.is_empty() && self.flags.is_empty() {
            let (head, said) = if self.tally.runs() < ENOUGH_FOR_PROBES {
                let said = format!(
                    "{}; whether that says anything shows in {ENOUGH_FOR_PROBES} seeds or more",
                    text::counted(never.len(), "rare event")
                );
                ("not reached: ", said)
            } else {
                ("never reached: ", never.join(", "))
            };
            output.line(text::hanging(head, &said, columns))?;
        }
        why.iter().try_for_each(|why| output.line(text::hanging("", why, columns)))
    }

    /// The text of a report in `folder`. Saved failures are named as seen from there, so that all
    /// can be moved together.
    fn to_json(&self, folder: &Path) -> String {
        let mut report = self.clone();
        report.failures.map_paths(|capsule| {
            let (Ok(from), Ok(to)) = (absolute(folder), absolute(capsule)) else {
                return capsule.to_owned();
            };
            pathdiff::diff_paths(&to, from).unwrap_or(to)
        });
        serde_json::to_string_pretty(&report).expect("its keys are strings") + "\n"
    }
}

/// How a report is told.
pub(crate) struct SweepOutput<'a> {
    pub(crate) json: bool,
    pub(crate) files: &'a ReportArgs,
}

#[cfg(test)]
pub(crate) mod tests;
