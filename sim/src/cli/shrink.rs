//! `shrink`: makes a failing plan small, on all cores, and writes it as a scenario.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use console::Style;
use graphshell_sim::fingerprint::Fingerprint;
use graphshell_sim::plan::Plan;
use graphshell_sim::shrink::{self, Judge, Size};
use graphshell_sim::world::{self, Options, Verdict};
use indicatif::ProgressBar;
use serde_json::json;

use super::args::ShrinkArgs;
use super::exit::Exit;
use super::judge::{Judged, Outcome, judge};
use super::output::Output;
use super::record::{Record, block};
use super::subject::{Subject, replay_file};
use super::write::{check, write};
use super::{Error, complain_of, file, interrupt, progress, sweep, text};

/// Where shrunk plans are put unless it is said where.
const FOLDER: &str = "target/shrunk";

/// Shrinks the subject's plan and reports what became of it.
pub(crate) fn shrink(args: &ShrinkArgs, output: &mut Output) -> Result<Exit, Error> {
    let subject = args.source.subject(args.shape.recipe(), file::A_PLAN)?;
    let trouble = complain_of(check(&args.out, []));
    if trouble != Exit::Held {
        return Ok(trouble);
    }
    interrupt::listen()?;
    let plan = subject.plan();
    let judged = judge(|options| subject.run(options), true, &Options::default());
    let (Some(failure), Outcome::Failed) = (judged.failure(), judged.outcome()) else {
        return not_shrunk(args, &subject, &judged, output);
    };
    #[expect(clippy::disallowed_methods, reason = "the budget is of the wall clock")]
    let start = Instant::now();
    let fingerprint = Fingerprint::of(failure);
    let mut runs = Runs {
        wanted: &fingerprint,
        threads: args.threads.unwrap_or_else(sweep::all_cores),
        start,
        span: *args.span,
        most: args.runs,
        done: 0,
        seen: BTreeSet::new(),
        bar: progress::bar(None, "{spinner} {msg}; {pos} runs in {elapsed}", args.json),
    };
    let mut small = shrink::shrink(&plan, failure, &mut runs);
    runs.bar.finish_and_clear();
    let (done, spent) = (runs.done, runs.is_spent());
    let last = judge(|options| world::run(&small, options), true, &Options::default());
    let Some(failure) = last.failure().filter(|_| last.outcome() == Outcome::Failed) else {
        return not_shrunk(args, &subject, &last, output);
    };
    let origin = match &subject {
        Subject::Seed { .. } => subject.title() + &args.shape.recipe().flags(),
        Subject::Capsule { .. } => format!("seed {:#x}", plan.seed),
        Subject::Scenario { .. } => subject.title(),
    };
    shrink::tell(&mut small, failure, &origin);
    let path = args.out.clone().unwrap_or_else(|| {
        PathBuf::from(FOLDER).join(format!("{}-{:#x}.json", fingerprint.id(), plan.seed))
    });
    write(&path, small.to_json_pretty())?;
    let (before, after) = (Size::of(&plan), Size::of(&small));
    let (before_ms, after_ms) = (judged.run.virtual_ms, last.run.virtual_ms);
    let seconds = start.elapsed().as_secs_f64();
    if args.json {
        let sizes = |size: &Size, run_ms| {
            json!({"peers": size.peers, "steps": size.steps, "edits": size.edits,
                   "faults": size.faults, "span_ms": size.span_ms, "virtual_ms": run_ms})
        };
        output.line(json!({
            "fingerprint": fingerprint.id(),
            "property": failure.property,
            "before": sizes(&before, before_ms),
            "after": sizes(&after, after_ms),
            "runs": done,
            "seconds": seconds,
            "complete": !spent,
            "file": path.to_string_lossy(),
            "replay": replay_file(&path),
        }))?;
    } else {
        let bad = Style::new().red().bold();
        let head = format!("{}  {} ", subject.title(), bad.apply_to("failed:"));
        output.line(text::hanging(&head, &fingerprint.to_string(), output.text_columns()))?;
        output.line("                before     after")?;
        for (name, before, after) in [
            ("peers", before.peers, after.peers),
            ("steps", before.steps, after.steps),
            ("edits", before.edits, after.edits),
            ("kinds of fault", before.faults, after.faults),
        ] {
            output.line(format_args!("  {name:<14}{before:>6}{after:>10}"))?;
        }
        let (before, after) = (text::seconds(before_ms), text::seconds(after_ms));
        output.line(format_args!("  virtual {before:>12}{after:>10}"))?;
        let end = if spent { "; not finished" } else { "" };
        let runs = text::counted(done, "run");
        output.line(format_args!("  {runs} in {seconds:.1} s{end}"))?;
        output.line(format_args!("  scenario    {}", path.display()))?;
        output.line(format_args!("  replay      {}", replay_file(&path)))?;
    }
    Ok(if interrupt::seen() { Exit::Interrupted } else { Exit::Held })
}

/// Says that there was nothing to shrink, or nothing that can be relied on.
fn not_shrunk(
    args: &ShrinkArgs,
    subject: &Subject,
    judged: &Judged,
    output: &mut Output,
) -> Result<Exit, Error> {
    if args.json {
        output.line(Record::new(subject, judged, false).to_json())?;
    } else {
        output.line(block(subject, judged, output.text_columns()))?;
        output.line("nothing is shrunk: expected a plan that fails, twice in the same way")?;
    }
    Ok(match judged.outcome() {
        Outcome::NotDeterministic => Exit::NotDeterministic,
        _ => Exit::ProvedNothing,
    })
}

/// Runs candidates on all cores. The result is that of one thread, unless time runs out.
struct Runs<'a> {
    wanted: &'a Fingerprint,
    threads: usize,
    start: Instant,
    span: Duration,
    most: u64,
    /// Runs that counted: those up to the first that failed.
    done: u64,
    /// Hashes of plans that did not fail as wanted.
    seen: BTreeSet<[u8; 32]>,
    bar: ProgressBar,
}

/// What came of a candidate.
enum Ran {
    /// It was no plan, or one that was run before.
    Skipped,
    /// It failed as wanted.
    Failed,
    /// It did not; its hash.
    Differed([u8; 32]),
}

impl Judge for Runs<'_> {
    fn first_failing(
        &mut self,
        count: usize,
        candidate: &(dyn Fn(usize) -> Option<Plan> + Sync),
    ) -> Option<usize> {
        let (seen, wanted, start, span) = (&self.seen, self.wanted, self.start, self.span);
        let over = || interrupt::seen() || start.elapsed() >= span;
        let (mut done, most, bar) = (self.done, self.most, &self.bar);
        let mut differed = Vec::new();
        let ended = sweep::in_order(
            count as u64,
            self.threads.min(count),
            over,
            |n| match candidate(n as usize) {
                None => Ran::Skipped,
                Some(plan) => {
                    let text = serde_json::to_vec(&plan).expect("a plan's keys are strings");
                    let hash = *blake3::hash(&text).as_bytes();
                    if seen.contains(&hash) {
                        return Ran::Skipped;
                    }
                    match world::run(&plan, &Options::default()).verdict {
                        Verdict::Failed(failure) if Fingerprint::of(&failure) == *wanted => {
                            Ran::Failed
                        }
                        _ => Ran::Differed(hash),
                    }
                }
            },
            // In order, so that what counts does not depend on how far other threads are ahead.
            |n, ran| {
                if !matches!(ran, Ran::Skipped) {
                    done += 1;
                    bar.inc(1);
                }
                match ran {
                    Ran::Failed => return ControlFlow::Break(Some(n as usize)),
                    Ran::Differed(hash) => differed.push(hash),
                    Ran::Skipped => {}
                }
                if done >= most { ControlFlow::Break(None) } else { ControlFlow::Continue(()) }
            },
        );
        self.done = done;
        self.seen.extend(differed);
        match ended {
            ControlFlow::Break(found) => found,
            ControlFlow::Continue(()) => None,
        }
    }

    fn is_spent(&self) -> bool {
        interrupt::seen() || self.done >= self.most || self.start.elapsed() >= self.span
    }

    fn improved(&mut self, plan: &Plan) {
        let size = Size::of(plan);
        let sizes = [(size.peers, "peer"), (size.steps, "step"), (size.edits, "edit")];
        self.bar.set_message(sizes.map(|(count, of)| text::counted(count, of)).join(", "));
    }
}
