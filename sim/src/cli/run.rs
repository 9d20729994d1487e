//! `run`: many seeds on many threads.

use std::io::{IsTerminal, stderr};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use graphshell_sim::generate;
use graphshell_sim::world::Options;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::Error;
use super::args::{RunArgs, Seed};
use super::exit::Exit;
use super::judge::{Judged, Outcome, judge};
use super::output::Output;
use super::record::{Record, block};
use super::subject::Subject;
use super::sweep;
use super::tally::Tally;
use super::text::hanging;

/// Seeds that run twice: the first of every so many.
const TWICE_ONE_IN: u64 = 20;
/// Seeds shown in full of those that failed, and of those that were invalid.
const SHOWN: u64 = 5;
/// Further failing seeds that are named.
const NAMED: usize = 50;

/// Set by the first interrupt.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Runs the seeds, reports each in order, then all together.
pub(crate) fn run(args: &RunArgs, output: &mut Output) -> Result<Exit, Error> {
    let shape = args.shape.shape();
    let (Seed(first), count) = match args.seed {
        Some(seed) => (seed, 1),
        None => (args.first_seed, args.seeds),
    };
    if args.print_plan {
        output.line(generate::plan(first, &shape).to_json_pretty())?;
        return Ok(Exit::Held);
    }
    if first.checked_add(count - 1).is_none() {
        return Err(Error::SeedsPastTheLast { first, count });
    }
    catch_interrupt()?;
    let subject = |n| Subject::Seed { seed: Seed(first + n), shape };
    let threads = args.threads.unwrap_or_else(sweep::all_cores);
    let bar = progress(count, args.json);
    #[expect(clippy::disallowed_methods, reason = "seeds per second are of the wall clock")]
    let start = Instant::now();
    let mut report = Report { json: args.json, tally: Tally::default(), unshown: Vec::new() };
    let ended = sweep::in_order(
        count,
        threads,
        &INTERRUPTED,
        |n| {
            let twice = args.verify || n % TWICE_ONE_IN == 0;
            judge(|options| subject(n).run(options), twice, &Options { keep_events: false })
        },
        |n, judged| {
            bar.inc(1);
            let Some(text) = report.seed(&subject(n), &judged, output.text_columns()) else {
                return ControlFlow::Continue(());
            };
            match bar.suspend(|| output.line(text)) {
                Err(error) => ControlFlow::Break(Err(error)),
                Ok(()) if output.is_closed() => ControlFlow::Break(Ok(())),
                Ok(()) => ControlFlow::Continue(()),
            }
        },
    );
    bar.finish_and_clear();
    if let ControlFlow::Break(Err(error)) = ended {
        return Err(error.into());
    }
    let Report { tally, unshown, .. } = report;
    let interrupted = tally.runs() < count && !output.is_closed();
    let exit = if interrupted { Exit::Interrupted } else { tally.sweep_exit() };
    let elapsed = start.elapsed();
    if args.json {
        output.line(tally.to_json(elapsed, exit))?;
        return Ok(exit);
    }
    if let Some(text) = also_failed(&unshown, output.text_columns()) {
        output.line(text)?;
    }
    output.line(tally.table(elapsed, output.columns()))?;
    if interrupted {
        let (done, count) = (HumanCount(tally.runs()), HumanCount(count));
        output.line(format!("interrupted after {done} of {count} seeds"))?;
    } else if exit == Exit::ProvedNothing {
        output.line("nothing was proved: too many of the seeds were invalid")?;
    }
    Ok(exit)
}

/// What is said of each seed, and what is kept for the end.
struct Report {
    json: bool,
    tally: Tally,
    /// Seeds that failed or differed, beyond those shown in full.
    unshown: Vec<Seed>,
}

impl Report {
    /// Counts a seed and returns what is to be printed at once.
    fn seed(&mut self, subject: &Subject, judged: &Judged, columns: usize) -> Option<String> {
        self.tally.add(judged);
        let outcome = judged.outcome();
        if self.json {
            return Some(Record::new(subject, judged, false).to_json());
        }
        if outcome != Outcome::Held && self.tally.of(outcome) <= SHOWN {
            return Some(block(subject, judged, columns) + "\n");
        }
        if matches!(outcome, Outcome::Failed | Outcome::NotDeterministic) {
            self.unshown.push(Seed(judged.run.seed));
        }
        None
    }
}

/// Names the seeds that were not shown.
fn also_failed(seeds: &[Seed], columns: usize) -> Option<String> {
    let (named, rest) = seeds.split_at(seeds.len().min(NAMED));
    let mut names: Vec<String> = named.iter().map(Seed::to_string).collect();
    if !rest.is_empty() {
        names.push(format!("and {} more", rest.len()));
    }
    (!seeds.is_empty()).then(|| hanging("also failed: ", &names.join(" "), columns) + "\n")
}

/// A bar on standard error, unless a program reads the output or nobody sees it.
fn progress(count: u64, json: bool) -> ProgressBar {
    if json || !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} seeds, {eta} left")
            .expect("the template is valid");
    ProgressBar::new(count).with_style(style)
}

/// Makes the first interrupt end the sweep after the seeds that are running, the second at once.
fn catch_interrupt() -> Result<(), Error> {
    let interrupted = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted.code().into());
        }
    };
    Ok(ctrlc::set_handler(interrupted)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_seeds_that_are_not_shown_are_named_up_to_a_bound() {
        assert_eq!(also_failed(&[], 80), None);
        let few = also_failed(&[Seed(1), Seed(42)], 80);
        assert_eq!(few.as_deref(), Some("also failed: 0x1 0x2a\n"));
        let many: Vec<Seed> = (0..60).map(Seed).collect();
        let many = also_failed(&many, 80).unwrap();
        assert!(many.ends_with("0x31 and 10 more\n"), "{many}");
    }
}
