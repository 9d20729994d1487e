//! `explain`: one run as a page, a trace for Perfetto, or lanes of text.

use std::path::Path;

use graphshell_sim::explain::{About, Explanation};
use graphshell_sim::recording::Verdict;
use graphshell_sim::text;
use graphshell_sim::world::Options;

use super::args::{ExplainArgs, Seed};
use super::exit::Exit;
use super::judge::{Judged, Outcome, judge};
use super::output::Output;
use super::record::block;
use super::recording;
use super::replay::Opened;
use super::subject::{Recipe, Subject, replay_file, title_of};
use super::write::{check, write};
use super::{Error, complain_of};

/// Most steps of a recording that are drawn: a page of more says less.
const MOST_STEPS: u64 = 2_000;

/// Where pages are put unless it is said where.
const FOLDER: &str = "target/explained";

/// Runs the subject twice, and explains the first run.
pub(crate) fn explain(args: &ExplainArgs, output: &mut Output) -> Result<Exit, Error> {
    let recipe = args.shape.recipe();
    let trouble = complain_of(check(args.output.iter().chain(&args.perfetto), []));
    if trouble != Exit::Held {
        return Ok(trouble);
    }
    let subject = match args.source.open(recipe)? {
        Opened::Subject(subject) => subject,
        Opened::Recording(path, bytes) => return explain_recording(args, path, bytes, output),
    };
    let judged = judge(|options| subject.run(options), true, &marked());
    let mut exit = match judged.outcome() {
        Outcome::NotDeterministic => Outcome::NotDeterministic.exit(),
        // It is explained, whatever it is.
        Outcome::Held | Outcome::Failed | Outcome::Invalid => Exit::Held,
    };
    if !args.text {
        let told = output.line(block(&subject, &judged, output.text_columns()));
        exit = exit.and(complain_of(told.err()));
    }
    let name = match &subject {
        Subject::Seed { seed, .. } => seed.to_string(),
        Subject::Scenario { .. } | Subject::Capsule { .. } => subject.title(),
    };
    Ok(exit.and(publish(args, &explanation(&subject, &judged), &name, output)))
}

/// Plays a recording twice, and explains the second time.
fn explain_recording(
    args: &ExplainArgs,
    path: &Path,
    bytes: Vec<u8>,
    output: &mut Output,
) -> Result<Exit, Error> {
    let (replayed, plan, run) = graphshell_sim::recording::draw(bytes, MOST_STEPS)
        .map_err(|flaw| recording::flawed(path, flaw))?;
    let mut exit = match replayed.verdict {
        Verdict::Differs { .. } => Exit::NotDeterministic,
        Verdict::Same | Verdict::Failed(_) => Exit::Held,
    };
    if !args.text {
        exit = exit.and(complain_of(recording::tell(path, &replayed, output).err()));
    }
    let name = title_of(path);
    let (title, replay) = (name.clone(), replay_file(path));
    let about = About { title, replay, shrink: None, recorded: true };
    Ok(exit.and(publish(args, &Explanation::new(&plan, &run, about), &name, output)))
}

/// Prints and writes what was asked for, each whatever becomes of the others; the page goes by `name` unless
/// it is said where.
fn publish(args: &ExplainArgs, explanation: &Explanation, name: &str, output: &mut Output) -> Exit {
    let mut exit = Exit::Held;
    if args.text {
        let told = output.line(explanation.to_text(output.columns(), args.all).trim_end());
        exit = exit.and(complain_of(told.err()));
    }
    let page = match &args.output {
        Some(path) => Some(path.clone()),
        None if args.text || args.perfetto.is_some() => None,
        None => Some(Path::new(FOLDER).join(name.to_owned() + ".html")),
    };
    if let Some(path) = page {
        let page = explanation.to_page();
        let saved = save(&path, "explanation", &page.html, output);
        exit = exit.and(complain_of(saved.err()));
        if !page.left_out.is_empty() {
            let what = format!("{}; --text --all has them", page.left_out.join("; "));
            let told = text::hanging("  left out    ", &what, output.text_columns());
            exit = exit.and(complain_of(output.line(told).err()));
        }
    }
    if let Some(path) = &args.perfetto {
        let saved = save(path, "perfetto", &explanation.to_perfetto(), output);
        exit = exit.and(complain_of(saved.err()));
    }
    exit
}

/// The page that explains a failing seed of a sweep.
pub(crate) fn page(seed: Seed, recipe: Recipe) -> String {
    let subject = Subject::Seed { seed, recipe };
    let judged = judge(|options| subject.run(options), false, &marked());
    explanation(&subject, &judged).to_html()
}

/// A run of which everything is kept.
fn marked() -> Options {
    Options { keep_events: true, keep_marks: true }
}

/// Explains a run that kept everything.
fn explanation(subject: &Subject, judged: &Judged) -> Explanation {
    let (title, replay, shrink) = (subject.title(), subject.replay(), Some(subject.shrink()));
    Explanation::new(&subject.plan(), &judged.run, About { title, replay, shrink, recorded: false })
}

/// Writes a file and says so, and whether another one stood there.
fn save(path: &Path, what: &str, text: &str, output: &mut Output) -> Result<(), Error> {
    let stood = path.exists();
    write(path, text)?;
    let instead = if stood { ", in place of the one there" } else { "" };
    Ok(output.line(format_args!("  {what:<12}{}{instead}", path.display()))?)
}
