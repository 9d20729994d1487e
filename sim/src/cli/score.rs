//! `score`: what share of bugs, planted on purpose, the simulator catches.
//!
//! Each bug is a patch of the engine. The program with the bug is built apart and runs as a process
//! of its own, so a bug that crashes or hangs it is a result like any other. The same seed is then
//! run here, without the bug: what fails there too would say nothing.

mod report;
mod tree;
mod trial;

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Instant;

use graphshell_sim::generate::Shape;
use graphshell_sim::planted::Flaw;
use graphshell_sim::world::Options;
use indicatif::ProgressBar;

use super::args::{ScoreArgs, Seed};
use super::exit::Exit;
use super::judge::judge;
use super::output::Output;
use super::subject::{Recipe, Subject};
use super::text::counted;
use super::{Error, complain, interrupt, progress, sweep};
use report::{Fate, Row, Score};
use tree::{Checkout, Patch, Tree};
use trial::{Shrunk, Terms, Trial};

/// No score can be made. None of these says anything about the simulator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScoreError {
    #[error("{0}; expected to be started within a git checkout of the simulator")]
    NoCheckout(Box<ScoreError>),
    #[error("{}: found no patches; expected planted bugs there, NAME.patch", .0.display())]
    NoPatches(PathBuf),
    #[error("{}: cannot be read: {reason}", path.display())]
    Read { path: PathBuf, reason: io::Error },
    #[error("{}: cannot be written: {reason}", path.display())]
    Write { path: PathBuf, reason: io::Error },
    #[error("{patch}.patch: {flaw}")]
    Header { patch: String, flaw: Flaw },
    #[error(
        "{patch}.patch does not apply any more: {why}\n  \
         Make the same change to the engine as it is now and put its `git diff` behind the header."
    )]
    DoesNotApply { patch: String, why: Box<ScoreError> },
    #[error("{patch}.patch does not build: {why}")]
    DoesNotBuild { patch: String, why: Box<ScoreError> },
    #[error("found no planted bug {name:?}; expected one of those that --list shows")]
    Unknown { name: String },
    #[error("{program} cannot be started: {reason}")]
    Start { program: &'static str, reason: io::Error },
    #[error("{program} {arguments} ended with {status}\n  {said}")]
    Command { program: &'static str, arguments: String, status: ExitStatus, said: String },
    #[error("the planted program refused its flags ({0})")]
    Refused(ExitStatus),
    #[error("cargo metadata named no target folder")]
    NoTarget,
    #[error("{}: another `cargo sim score` is at work there", .0.display())]
    Taken(PathBuf),
}

/// Scores the simulator, or only looks at the patches.
pub(crate) fn score(args: &ScoreArgs, output: &mut Output) -> Result<Exit, Error> {
    let checkout = Checkout::find()?;
    let patches = checkout.patches(args.patches.as_deref(), &args.only)?;
    if args.list {
        report::list(&patches, args.json, output)?;
        return Ok(Exit::Held);
    }
    checkout.check(&patches)?;
    if args.check {
        let verb = if patches.len() == 1 { "applies" } else { "apply" };
        output.line(format_args!("{} {verb}", counted(patches.len(), "planted bug")))?;
        return Ok(Exit::Held);
    }
    interrupt::listen()?;
    let tree = Tree::new(checkout)?;
    let template = "{wide_bar} {pos}/{len} bugs, {eta} left\n{msg}";
    let bar = progress::bar(Some(patches.len() as u64), template, args.json);
    let mut score = Score::new(args.seeds, args.demand, patches.len());
    for patch in patches {
        if interrupt::seen() || output.is_closed() {
            break;
        }
        let Some(row) = plant(&tree, patch, args, &bar) else { break };
        bar.inc(1);
        if args.json {
            bar.suspend(|| output.line(row.to_json()))?;
        }
        score.add(row);
    }
    bar.finish_and_clear();
    score.interrupted = interrupt::seen();
    score.publish(args.json, output)?;
    Ok(score.exit())
}

/// Builds one bug and tries it; `None` if an interrupt came before the end.
fn plant(tree: &Tree, patch: Patch, args: &ScoreArgs, bar: &ProgressBar) -> Option<Row> {
    #[expect(clippy::disallowed_methods, reason = "what a bug took is of the wall clock")]
    let start = Instant::now();
    bar.set_message(format!("{}: is built", patch.name));
    let terms = Terms {
        seeds: args.seeds,
        threads: args.threads.unwrap_or_else(sweep::all_cores),
        beyond: args.beyond,
    };
    let told = |seeds| bar.set_message(format!("{}: {}", patch.name, counted(seeds, "seed")));
    let tried = tree
        .build(&patch)
        .and_then(|program| Trial::hold(&program, patch.bug.profile, terms, told));
    if interrupt::seen() {
        // What was cut short is neither caught nor missed.
        return None;
    }
    let (fate, trial) = match tried {
        Err(error) => {
            bar.suspend(|| complain(&error.into()));
            (Fate::Broken, Trial::default())
        }
        Ok(trial) => match &trial.first {
            None => (Fate::Missed, trial),
            Some(first) if fails_without(&patch, first.seed) => (Fate::FailsWithout, trial),
            Some(_) => (Fate::Caught, trial),
        },
    };
    let seconds = start.elapsed().as_secs_f64();
    let mut shrunk = None;
    if let (true, Fate::Caught, Some(first)) = (args.shrink, fate, &trial.first) {
        bar.set_message(format!("{}: {} is shrunk", patch.name, first.seed));
        let out = tree.shrunk(&patch);
        shrunk = Shrunk::by(&tree.program(), first, patch.bug.profile, terms.threads, &out);
    }
    Some(Row { name: patch.name, bug: patch.bug, fate, trial, seconds, shrunk })
}

/// Whether the seed fails without the bug too.
fn fails_without(patch: &Patch, seed: Seed) -> bool {
    let shape = Shape { profile: patch.bug.profile, ..Shape::default() };
    let subject = Subject::Seed { seed, recipe: Recipe { shape, bait: None } };
    let judged = judge(|options| subject.run(options), false, &Options::default());
    judged.outcome().is_failure()
}
