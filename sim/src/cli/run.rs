//! `run`: many seeds on many threads.

use std::io::Write;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::time::{Duration, Instant};

use graphshell_sim::world::{Failure, Options};
use indicatif::{HumanCount, ProgressBar};

use super::args::{RunArgs, Seed, Shard};
use super::exit::Exit;
use super::explain::page;
use super::interrupt;
use super::judge::{Judged, Outcome, judge};
use super::kinds::{Kinds, LOST};
use super::output::Output;
use super::record::{Record, block, lost_block, lost_json};
use super::report::{Report, Seeds, SweepOutput, Whole};
use super::subject::{Recipe, Subject};
use super::sweep::{self, Lost, Pace, Patience};
use super::tally::Tally;
use super::text::plural;
use super::write::check;
use super::{Error, complain_of, progress};

/// Seeds that are run unless it is said how many or how long.
const DEFAULT_SEEDS: u64 = 200;
/// Seeds take seconds; two runs of a thousand peers take minutes on a busy machine. What is interrupted must
/// be reported before whoever asked to terminate kills: within ten seconds, as containers are stopped.
const PATIENCE: Patience = Patience {
    slow: Duration::from_secs(60),
    most: Duration::from_secs(600),
    leave: Duration::from_secs(5),
};
/// Where failures are saved unless it is said where.
const CAPSULES: &str = "target/capsules";
/// Seeds that run twice: the first of every so many.
const TWICE_ONE_IN: u64 = 20;
/// Invalid seeds shown in full, and kinds of failure shown when they first occur.
const SHOWN: u64 = 5;

/// Runs the seeds, reports each in order, then all together.
pub(crate) fn run(args: &RunArgs, output: &mut Output) -> Result<Exit, Error> {
    let recipe = args.shape.recipe();
    if let (Some(seed), true) = (args.seed, args.print_plan) {
        output.line(recipe.plan(seed).to_json_pretty().trim_end())?;
        return Ok(Exit::Held);
    }
    let seeds = seeds(args)?;
    let files = args.reports.files();
    let trouble = complain_of(check(files, args.capsules.iter().chain(&args.explanations)));
    if trouble != Exit::Held {
        return Ok(trouble);
    }
    interrupt::listen()?;
    #[expect(clippy::disallowed_methods, reason = "seeds per second are of the wall clock")]
    let start = Instant::now();
    let (span, descending, verify, story_of) =
        (args.span, args.descending, args.verify, args.story_of);
    let seed = move |n: u64| seeds.nth(if descending { seeds.count - 1 - n } else { n });
    let subject = move |n| Subject::Seed { seed: seed(n), recipe };
    let bar = progress(&seeds, args);
    let mut sweep = Sweep {
        args,
        command: command(args, &recipe),
        tally: Tally::default(),
        ran: Vec::new(),
        failures: Kinds::default(),
        can_save: !args.no_capsules,
        trouble: Exit::Held,
    };
    let ended = sweep::watched(
        seeds.count,
        args.threads.unwrap_or_else(sweep::all_cores),
        PATIENCE,
        move || match span {
            _ if interrupt::seen() => Pace::Leave,
            Some(span) if start.elapsed() >= *span => Pace::Finish,
            _ => Pace::On,
        },
        move |n| {
            let twice = verify || n.is_multiple_of(TWICE_ONE_IN);
            let subject = subject(n);
            let keep_events = is_told(story_of, &subject);
            judge(
                |options| subject.run(options),
                twice,
                &Options { keep_events, ..Options::default() },
            )
        },
        |n, ended| {
            let (subject, columns) = (subject(n), output.text_columns());
            if let Err(Lost::Left(ran)) = ended {
                bar.suspend(|| remark(&subject, ran, " and was left behind"));
                return ControlFlow::Continue(());
            }
            bar.inc(1);
            sweep.note(n);
            let failed = ended.as_ref().map_or(true, |judged| judged.outcome().is_failure());
            let told = bar.suspend(|| match &ended {
                Ok(judged) => sweep.seed(&subject, judged, columns),
                Err(lost) => sweep.lost(&subject, seed(n), lost, columns),
            });
            let ends = args.fail_fast && failed;
            let printed = told.map_or(Ok(()), |text| bar.suspend(|| output.line(text)));
            match printed {
                Err(error) => ControlFlow::Break(Err(error)),
                Ok(()) if ends || output.is_closed() => ControlFlow::Break(Ok(())),
                Ok(()) => ControlFlow::Continue(()),
            }
        },
        |n, ran| bar.suspend(|| remark(&subject(n), ran, "")),
    );
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();
    if let ControlFlow::Break(Err(error)) = ended {
        sweep.trouble = complain_of([error]);
    }
    sweep.save();
    let Sweep { tally, ran, mut failures, mut trouble, .. } = sweep;
    failures.sort();
    let done = tally.runs();
    let interrupted = interrupt::seen() && done < seeds.count && !output.is_closed();
    let cut = interrupt::seen() || output.is_closed() || args.fail_fast || args.span.is_some();
    if done < seeds.count && !cut {
        // Nobody can be told if that fails.
        let _ = writeln!(std::io::stderr(), "ended after {done} seeds: every thread hangs");
    }
    // Whoever interrupts wants an end.
    if let Some(folder) = args.explanations.as_deref().filter(|_| !interrupted) {
        let failed = failures.explain(folder, |seed| page(seed, recipe), interrupt::seen);
        trouble = trouble.and(complain_of(failed));
    }
    let part = |places: &Range<u64>| Seeds {
        first: seeds.nth(places.start),
        count: places.end - places.start,
        ..seeds
    };
    let ran = ran.iter().map(part).collect();
    let mut report = Report::new(recipe.flags(), whole(args), args.shard.nth, ran);
    (report.tally, report.failures, report.interrupted) = (tally, failures, interrupted);
    report.seconds = seconds;
    let how = SweepOutput { json: args.json, files: &args.reports };
    let exit = report.publish(&how, trouble, output);
    if !interrupted || args.json {
        return Ok(exit);
    }
    let (of, done) = match args.span {
        None => (seeds.count, format!("{} of {}", HumanCount(done), HumanCount(seeds.count))),
        Some(_) => (done, HumanCount(done).to_string()),
    };
    let told = output.line(format_args!("interrupted after {done} {}", plural(of, "seed")));
    Ok(exit.and(complain_of(told.err())))
}

/// The first seed that the arguments ask for, and how many at most.
fn asked(args: &RunArgs) -> (Seed, Option<u64>) {
    match (args.seed, args.seeds, args.span) {
        (Some(seed), _, _) => (seed, Some(1)),
        (None, None, Some(_)) => (args.first_seed, None),
        (None, seeds, _) => (args.first_seed, Some(seeds.unwrap_or(DEFAULT_SEEDS))),
    }
}

/// The sweep that the arguments ask for, of which this may be a shard.
fn whole(args: &RunArgs) -> Whole {
    let (first, seeds) = asked(args);
    Whole { first, seeds: seeds.filter(|_| args.span.is_none()), shards: args.shard.of }
}

/// The seeds that this process is to run.
fn seeds(args: &RunArgs) -> Result<Seeds, Error> {
    let Shard { nth, of } = args.shard;
    let (Seed(base), asked) = asked(args);
    if let Some(count) = asked {
        if base.checked_add(count - 1).is_none() {
            return Err(Error::SeedsPastTheLast { first: base, count });
        }
        if count < of {
            return Err(Error::MoreShardsThanSeeds { seeds: count, shards: of });
        }
    }
    let last_place = asked.map_or(u64::MAX - base, |count| count - 1);
    if last_place < nth - 1 {
        return Err(Error::MoreShardsThanSeeds { seeds: last_place + 1, shards: of });
    }
    let count = ((last_place - (nth - 1)) / of).saturating_add(1);
    Ok(Seeds { first: Seed(base + (nth - 1)), step: of, count })
}

/// A sweep under way.
struct Sweep<'a> {
    args: &'a RunArgs,
    command: String,
    tally: Tally,
    /// Places of the seeds that were run: one range, unless some in between were left behind.
    ran: Vec<Range<u64>>,
    failures: Kinds,
    /// Whether failures are saved; not any more once it went wrong.
    can_save: bool,
    /// How the program would end for what went wrong beside the seeds.
    trouble: Exit,
}

impl Sweep<'_> {
    /// Takes note that the seed at this place was run.
    fn note(&mut self, n: u64) {
        match self.ran.last_mut() {
            Some(last) if last.end == n => last.end += 1,
            _ => self.ran.push(n..n + 1),
        }
    }

    /// Counts a seed and returns what is to be printed at once.
    fn seed(&mut self, subject: &Subject, judged: &Judged, columns: usize) -> Option<String> {
        self.tally.add(judged);
        let outcome = judged.outcome();
        let is_new = self.failures.add(subject, judged, &self.command);
        if is_new {
            // The sweep may be killed before it ends.
            self.save();
        }
        if self.args.json {
            return Some(
                Record::new(subject, judged, is_told(self.args.story_of, subject)).to_json(),
            );
        }
        let shown = match outcome {
            Outcome::Held => false,
            Outcome::Invalid => self.tally.of(outcome) <= SHOWN,
            Outcome::Failed | Outcome::NotDeterministic => is_new && self.shows_failures(),
        };
        shown.then(|| block(subject, judged, columns) + "\n")
    }

    /// Counts a seed that came to no end and returns what is to be printed at once.
    fn lost(
        &mut self,
        subject: &Subject,
        seed: Seed,
        lost: &Lost,
        columns: usize,
    ) -> Option<String> {
        self.tally.lose();
        let failure = of_lost(lost);
        let is_new = self.failures.lose(subject, seed, &failure);
        if self.args.json {
            return Some(lost_json(subject, seed, &failure));
        }
        (is_new && self.shows_failures()).then(|| lost_block(subject, &failure, columns) + "\n")
    }

    fn shows_failures(&self) -> bool {
        self.failures.all().len() as u64 <= SHOWN
    }

    /// Saves the failures that are not saved yet. That this goes wrong must not hide them.
    fn save(&mut self) {
        let folder = self.args.capsules.as_deref().unwrap_or(Path::new(CAPSULES));
        if self.can_save
            && let Err(error) = self.failures.save(folder)
        {
            self.trouble = complain_of([error]);
            self.can_save = false;
        }
    }
}

/// A seed that comes to no end fails in that. Not even its plan may be asked for again: expanding it may be
/// what panics or hangs.
fn of_lost(lost: &Lost) -> Failure {
    let detail = match lost {
        Lost::Panicked(said) => format!("it panicked: {said}"),
        // The same on any machine.
        Lost::Hung => format!("given up after {} s", PATIENCE.most.as_secs()),
        Lost::Left(_) => unreachable!("who is left behind has not failed"),
    };
    Failure { property: LOST, peers: Vec::new(), operations: Vec::new(), virtual_ms: 0, detail }
}

/// Whether the subject is the seed whose story is wanted.
fn is_told(story_of: Option<Seed>, subject: &Subject) -> bool {
    matches!(subject, Subject::Seed { seed, .. } if Some(*seed) == story_of)
}

/// Says on standard error that a seed takes long, as hanging ones do. Nobody can be told if that fails.
fn remark(subject: &Subject, ran: Duration, what: &str) {
    let (title, seconds, replay) = (subject.title(), ran.as_secs(), subject.replay());
    let _ = writeln!(std::io::stderr(), "{title} has run for {seconds} s{what}: {replay}");
}

/// The command of this sweep, as far as its seeds depend on it.
fn command(args: &RunArgs, recipe: &Recipe) -> String {
    let mut command =
        format!("cargo sim run --first-seed {}", args.seed.unwrap_or(args.first_seed));
    match (args.seed, args.seeds) {
        (Some(_), _) => command += " --seeds 1",
        (None, Some(seeds)) => command += &format!(" --seeds {seeds}"),
        (None, None) => {}
    }
    if let Some(span) = args.span {
        command += &format!(" --for {span}");
    }
    if args.shard != Shard::default() {
        command += &format!(" --shard {}", args.shard);
    }
    command + &recipe.flags()
}

fn progress(seeds: &Seeds, args: &RunArgs) -> ProgressBar {
    match args.span {
        None => {
            let template = "{wide_bar} {human_pos}/{human_len} seeds, {eta} left";
            progress::bar(Some(seeds.count), template, args.json)
        }
        Some(span) => {
            let template = format!("{{spinner}} {{human_pos}} seeds in {{elapsed}} of {span}");
            progress::bar(None, &template, args.json)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Args, Command};
    use super::*;

    fn of(flags: &[&str]) -> Result<Seeds, String> {
        let words = ["cargo sim", "run"].iter().chain(flags);
        let Command::Run(args) = Args::try_parse_from(words).unwrap().command else { panic!() };
        seeds(&args).map_err(|error| error.to_string())
    }

    #[test]
    fn shards_have_each_seed_once() {
        let whole: Vec<u64> = (5..15).collect();
        let mut all: Vec<u64> = Vec::new();
        for shard in ["1/3", "2/3", "3/3"] {
            let seeds = of(&["--first-seed", "5", "--seeds", "10", "--shard", shard]).unwrap();
            all.extend((0..seeds.count).map(|n| seeds.nth(n).0));
        }
        all.sort_unstable();
        assert_eq!(all, whole);
    }

    #[test]
    fn seeds_for_a_span_go_on_to_the_last_one() {
        let seeds =
            of(&["--first-seed", "0xfffffffffffffff0", "--for", "1s", "--shard", "2/3"]).unwrap();
        assert_eq!((seeds.first, seeds.count), (Seed(u64::MAX - 14), 5));
        assert_eq!(seeds.nth(4), Seed(u64::MAX - 2));
        assert_eq!(of(&["--for", "1s", "--seeds", "7"]).unwrap().count, 7);
        assert_eq!(of(&["--for", "1s"]).unwrap().count, u64::MAX);
    }

    #[test]
    fn an_empty_shard_is_refused() {
        let said = of(&["--seeds", "2", "--shard", "3/3"]).unwrap_err();
        assert!(said.contains("2 seeds") && said.contains("3 shards"), "{said}");
    }
}
