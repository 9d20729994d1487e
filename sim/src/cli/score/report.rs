//! What became of all planted bugs: a row for each, the share, and an exit code.

use std::path::Path;

use graphshell_sim::planted::Bug;
use indicatif::HumanCount;
use serde::Serialize;

use super::super::exit::Exit;
use super::super::output::{Output, OutputError};
use super::super::table::table;
use super::super::text::{counted, hanging, plural};
use super::tree::Patch;
use super::trial::{Shrunk, Trial};

/// What became of a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fate {
    /// A seed shows it, and holds without it.
    Caught,
    /// No seed shows it.
    Missed,
    /// The seed that seems to show it fails without it too.
    FailsWithout,
    /// It could not be tried.
    Broken,
}

/// One bug and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) bug: Bug,
    pub(super) fate: Fate,
    pub(super) trial: Trial,
    /// Of the wall clock, building included and shrinking left out.
    pub(super) seconds: f64,
    pub(super) shrunk: Option<Shrunk>,
}

#[derive(Serialize)]
struct Record<'a> {
    bug: &'a str,
    area: &'static str,
    profile: &'static str,
    why: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fate: Option<Fate>,
    #[serde(flatten)]
    trial: Option<&'a Trial>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shrunk: Option<&'a Shrunk>,
}

fn record<'a>(name: &'a str, bug: &'a Bug, row: Option<&'a Row>) -> String {
    let record = Record {
        bug: name,
        area: bug.area.name(),
        profile: bug.profile.name(),
        why: &bug.why,
        fate: row.map(|row| row.fate),
        trial: row.map(|row| &row.trial),
        seconds: row.map(|row| row.seconds),
        shrunk: row.and_then(|row| row.shrunk.as_ref()),
    };
    serde_json::to_string(&record).expect("its keys are strings")
}

impl Row {
    pub(super) fn to_json(&self) -> String {
        record(&self.name, &self.bug, Some(self))
    }

    /// By which oracles it is seen, the commonest first.
    fn oracles(&self) -> String {
        let mut oracles: Vec<_> = self.trial.oracles.iter().collect();
        oracles.sort_by_key(|&(_, seeds)| std::cmp::Reverse(*seeds));
        let many = oracles.len() > 1;
        let told = oracles.into_iter().map(|(name, seeds)| match many {
            true => format!("{name} ({})", HumanCount(*seeds)),
            false => name.clone(),
        });
        told.collect::<Vec<_>>().join(", ")
    }

    fn cells(&self) -> [String; 6] {
        let seeds = match (&self.fate, &self.trial.first) {
            (Fate::Broken, _) => "-".to_owned(),
            (_, Some(first)) => HumanCount(first.seeds).to_string(),
            (_, None) => format!("> {}", HumanCount(self.trial.seeds)),
        };
        let fate = match self.fate {
            Fate::Caught => "caught",
            Fate::Missed => "missed",
            Fate::FailsWithout => "fails without it too",
            Fate::Broken => "broken",
        };
        let time = format!("{:.0} s", self.seconds);
        let area = self.bug.area.to_string();
        [self.name.replace('_', " "), area, fate.to_owned(), seeds, self.oracles(), time]
    }
}

/// Lists bugs without trying them.
pub(super) fn list(patches: &[Patch], json: bool, output: &mut Output) -> Result<(), OutputError> {
    for Patch { name, bug, .. } in patches {
        if json {
            output.line(record(name, bug, None))?;
        } else {
            let columns = output.text_columns();
            output.line(format_args!("{name}  ({}, {})", bug.area, bug.profile))?;
            output.line(hanging("    ", &bug.why, columns))?;
        }
    }
    Ok(())
}

/// All bugs that were tried.
#[derive(Debug)]
pub(super) struct Score {
    seeds: u64,
    demand: u64,
    /// How many were to be tried.
    bugs: usize,
    rows: Vec<Row>,
    pub(super) interrupted: bool,
}

#[derive(Serialize)]
struct LastLine<'a> {
    summary: Summary<'a>,
}

#[derive(Serialize)]
struct Summary<'a> {
    bugs: usize,
    caught: usize,
    /// Of a hundred bugs.
    caught_percent: f64,
    median_seeds: Option<u64>,
    most_seeds: Option<u64>,
    missed: Vec<&'a str>,
    fails_without: Vec<&'a str>,
    broken: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shrunk: Option<Shrinking>,
    interrupted: bool,
    exit_code: u8,
    seconds: f64,
}

/// Medians over the bugs whose first seed was shrunk.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Shrinking {
    bugs: usize,
    gone_percent: f64,
    peers: f64,
    seconds: f64,
}

impl Score {
    /// A score of so many bugs, each with so many seeds, of which `demand` percent must be caught.
    pub(super) fn new(seeds: u64, demand: u64, bugs: usize) -> Self {
        Score { seeds, demand, bugs, rows: Vec::new(), interrupted: false }
    }

    pub(super) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    fn named(&self, fate: Fate) -> Vec<&str> {
        self.rows.iter().filter(|row| row.fate == fate).map(|row| row.name.as_str()).collect()
    }

    /// How many seeds the caught bugs took, ascending.
    fn taken(&self) -> Vec<u64> {
        let caught = self.rows.iter().filter(|row| row.fate == Fate::Caught);
        let mut taken: Vec<u64> =
            caught.filter_map(|row| row.trial.first.as_ref()).map(|first| first.seeds).collect();
        taken.sort_unstable();
        taken
    }

    fn shrinking(&self) -> Option<Shrinking> {
        let shrunk: Vec<&Shrunk> = self.rows.iter().filter_map(|row| row.shrunk.as_ref()).collect();
        let median = |of: fn(&Shrunk) -> f64| {
            let mut all: Vec<f64> = shrunk.iter().map(|shrunk| of(shrunk)).collect();
            all.sort_unstable_by(f64::total_cmp);
            all.get(all.len() / 2).copied()
        };
        Some(Shrinking {
            bugs: shrunk.len(),
            gone_percent: median(Shrunk::gone_percent)?,
            peers: median(|shrunk| shrunk.peers as f64)?,
            seconds: median(|shrunk| shrunk.seconds)?,
        })
    }

    fn percent(&self) -> f64 {
        100.0 * self.taken().len() as f64 / self.rows.len().max(1) as f64
    }

    pub(super) fn exit(&self) -> Exit {
        // In whole numbers, so that a demand of all means all.
        let enough = self.taken().len() as u64 * 100 >= self.rows.len() as u64 * self.demand;
        if self.interrupted {
            Exit::Interrupted
        } else if !self.named(Fate::Broken).is_empty() {
            Exit::BadInput
        } else if enough && self.named(Fate::FailsWithout).is_empty() {
            Exit::Held
        } else {
            Exit::PropertyFailed
        }
    }

    pub(super) fn publish(&self, json: bool, output: &mut Output) -> Result<(), OutputError> {
        let taken = self.taken();
        let (median, most) = (taken.get(taken.len() / 2).copied(), taken.last().copied());
        if json {
            let summary = Summary {
                bugs: self.rows.len(),
                caught: taken.len(),
                caught_percent: self.percent(),
                median_seeds: median,
                most_seeds: most,
                missed: self.named(Fate::Missed),
                fails_without: self.named(Fate::FailsWithout),
                broken: self.named(Fate::Broken),
                shrunk: self.shrinking(),
                interrupted: self.interrupted,
                exit_code: self.exit().code(),
                seconds: self.rows.iter().map(|row| row.seconds).sum(),
            };
            return output
                .line(serde_json::to_string(&LastLine { summary }).expect("its keys are strings"));
        }
        if !self.rows.is_empty() {
            output.line(self.table(output.columns()))?;
        }
        let caught = format!(
            "{} of {} caught ({:.1} %)",
            taken.len(),
            counted(self.rows.len(), "planted bug"),
            self.percent()
        );
        output.line(match median.zip(most) {
            None => caught,
            Some((median, most)) => format!(
                "{caught}, half of them within {}, all within {} {}",
                HumanCount(median),
                HumanCount(most),
                plural(most, "seed")
            ),
        })?;
        if let Some(Shrinking { bugs, gone_percent, peers, seconds }) = self.shrinking() {
            output.line(format_args!(
                "{bugs} shrunk; medians: {gone_percent:.1} % fewer steps, {} left, {seconds:.1} s",
                counted(peers, "peer")
            ))?;
        }
        let folder = |row: &Row| Some(Path::new(&row.shrunk.as_ref()?.file).parent()?.to_owned());
        if let Some(folder) = self.rows.iter().find_map(folder) {
            output.line(format_args!("their scenarios are in {}", folder.display()))?;
        }
        let seeds = HumanCount(self.seeds);
        for (fate, what) in [
            (Fate::Missed, format!("missed in {seeds} {}: ", plural(self.seeds, "seed"))),
            (Fate::FailsWithout, "seeds that fail without the bug too: ".to_owned()),
            (Fate::Broken, "do not build: ".to_owned()),
        ] {
            let names = self.named(fate);
            if !names.is_empty() {
                output.line(hanging(&what, &names.join(", "), output.text_columns()))?;
            }
        }
        if self.interrupted {
            let done = self.rows.len();
            output
                .line(format_args!("interrupted after {done} of {}", counted(self.bugs, "bug")))?;
        }
        Ok(())
    }

    fn table(&self, columns: usize) -> String {
        let header = ["bug", "area", "", "seeds", "oracle", "time"];
        table(columns, header, [3, 5]).add_rows(self.rows.iter().map(Row::cells)).to_string()
    }
}

#[cfg(test)]
mod tests {
    use graphshell_sim::generate::Profile;
    use graphshell_sim::planted::Area;

    use super::super::super::args::Seed;
    use super::super::trial::Sighting;
    use super::*;

    fn row(name: &str, fate: Fate, seeds: Option<u64>) -> Row {
        let oracle = "convergence".to_owned();
        let first = seeds.map(|seeds| Sighting { seed: Seed(seeds - 1), oracle, seeds });
        let oracles = first.iter().map(|first| (first.oracle.clone(), 1)).collect();
        let trial = Trial { seeds: seeds.unwrap_or(1_000), first, oracles, invalid: 0 };
        let bug = Bug {
            why: "It breaks.".to_owned(),
            area: Area::Merge,
            profile: Profile::default(),
            files: Vec::new(),
        };
        Row { name: name.to_owned(), bug, fate, trial, seconds: 1.5, shrunk: None }
    }

    fn score(demand: u64, rows: impl IntoIterator<Item = Row>) -> Score {
        let mut score = Score::new(1_000, demand, 4);
        rows.into_iter().for_each(|row| score.add(row));
        score
    }

    #[test]
    fn the_exit_code_tells_too_little_from_too_broken() {
        let caught = || row("a", Fate::Caught, Some(3));
        let missed = || row("b", Fate::Missed, None);
        assert_eq!(score(95, [caught()]).exit(), Exit::Held);
        assert_eq!(score(50, [caught(), missed()]).exit(), Exit::Held);
        assert_eq!(score(51, [caught(), missed()]).exit(), Exit::PropertyFailed);
        let without = row("c", Fate::FailsWithout, Some(1));
        assert_eq!(score(0, [caught(), without]).exit(), Exit::PropertyFailed);
        let broken = row("d", Fate::Broken, None);
        assert_eq!(score(0, [caught(), broken]).exit(), Exit::BadInput);
        let interrupted = Score { interrupted: true, ..score(95, [missed()]) };
        assert_eq!(interrupted.exit(), Exit::Interrupted);
    }

    #[test]
    fn the_table_fits_and_names_all() {
        let score = score(
            95,
            [
                row("a_long_name_of_a_bug_that_wraps", Fate::Caught, Some(40)),
                row("sync_forgot", Fate::Missed, None),
            ],
        );
        for columns in [60, 80, 120] {
            let table = score.table(columns);
            let widest = table.lines().map(console::measure_text_width).max();
            assert!(widest.is_some_and(|widest| widest <= columns), "{table}");
            assert!(table.contains("missed") && table.contains("> 1,000"), "{table}");
        }
        assert_eq!(score.taken(), [40]);
        assert!((score.percent() - 50.0).abs() < 1e-9);
    }

    #[test]
    fn medians_are_of_what_was_shrunk() {
        let file = "target/planted/shrunk/a.json".to_owned();
        let shrunk = |steps, peers, seconds| {
            Some(Shrunk { from_steps: 200, steps, peers, seconds, file: file.clone() })
        };
        let row = |shrunk| Row { shrunk, ..row("a", Fate::Caught, Some(1)) };
        let all = [shrunk(10, 2, 9.0), None, shrunk(2, 1, 1.0), shrunk(100, 3, 4.0)];
        let medians = score(95, all.map(row)).shrinking();
        let expected = Shrinking { bugs: 3, gone_percent: 95.0, peers: 2.0, seconds: 4.0 };
        assert_eq!(medians, Some(expected));
        assert_eq!(score(95, [row(None)]).shrinking(), None);
    }
}
