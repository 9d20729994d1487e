//! `scenario`: scripted plans from files.

use std::time::{Duration, Instant};

use console::Style;

use super::annotate::{Note, annotate};
use super::args::ScenarioArgs;
use super::exit::Exit;
use super::judge::{Judged, Outcome};
use super::output::Output;
use super::record::{Record, block};
use super::replay::{observe, tell};
use super::subject::Subject;
use super::tally::{Tally, Time};
use super::text::counted;
use super::write::{check, write};
use super::{Error, complain, complain_of, file, interrupt, junit};

/// Reads all files, then runs them in the order given.
pub(crate) fn scenario(args: &ScenarioArgs, output: &mut Output) -> Result<Exit, Error> {
    let mut subjects = Vec::new();
    for path in &args.files {
        match file::read_scenario(path) {
            Ok(subject) => subjects.push(subject),
            Err(error) => complain(&error.into()),
        }
    }
    let mut trouble = complain_of(check(&args.ci.junit, []));
    if subjects.len() < args.files.len() || trouble != Exit::Held {
        return Ok(Exit::BadInput);
    }
    interrupt::listen()?;
    #[expect(clippy::disallowed_methods, reason = "runs per second are of the wall clock")]
    let start = Instant::now();
    let mut tally = Tally::default();
    let mut told = Vec::new();
    for subject in &subjects {
        if interrupt::seen() {
            break;
        }
        #[expect(clippy::disallowed_methods, reason = "a CI server is told what each run took")]
        let begun = Instant::now();
        let judged = observe(subject, args.story);
        tally.add(&judged);
        trouble = trouble.and(complain_of(print(args, subject, &judged, output).err()));
        told.push(Told::new(subject, &judged, begun.elapsed()));
        if output.is_closed() && trouble == Exit::Held && args.ci.junit.is_none() {
            // Whoever closed the pipe has seen enough.
            break;
        }
    }
    let left = subjects.len() as u64 - tally.runs();
    let interrupted = interrupt::seen() && left > 0;
    let ended = if interrupted { Exit::Interrupted } else { Exit::Held };
    let mut exit = tally.strict_exit().and(ended).and(trouble);
    let notes: Vec<Note> = told.iter().filter_map(Told::note).collect();
    annotate(args.ci.annotations, &notes);
    let junit = args.ci.junit.as_deref().map(|path| write(path, junit::of_scenarios(&told)));
    exit = exit.and(complain_of(junit.and_then(Result::err)));
    let last = if args.story.json {
        output.line(tally.to_json("", &[], Time::of_one(start.elapsed()), None, exit))
    } else if interrupted {
        output.line(format_args!("interrupted: {left} of {} were not run", subjects.len()))
    } else {
        Ok(())
    };
    Ok(exit.and(complain_of(last.err())))
}

/// Prints what came of one scenario.
fn print(
    args: &ScenarioArgs,
    subject: &Subject,
    judged: &Judged,
    output: &mut Output,
) -> Result<(), Error> {
    if args.story.json {
        output.line(Record::new(subject, judged, args.story.verbose).to_json())?;
        return Ok(());
    }
    tell(judged, args.story, output)?;
    if judged.outcome() == Outcome::Held {
        let ok = Style::new().green().apply_to("ok");
        let (seconds, run) = (judged.run.virtual_ms as f64 / 1_000.0, &judged.run);
        let (title, operations) = (subject.title(), counted(run.operations, "operation"));
        output.line(format_args!("{ok}  {title}  (virtual {seconds:.1} s, {operations})"))?;
    } else {
        output.line(block(subject, judged, output.text_columns()))?;
    }
    Ok(())
}

/// What a CI server is told of a scenario.
pub(crate) struct Told {
    pub(crate) title: String,
    file: Option<String>,
    pub(crate) took: Duration,
    /// What is wrong in a few words, and all that is said of it; `None` if it held.
    pub(crate) wrong: Option<(String, String)>,
}

impl Told {
    fn new(subject: &Subject, judged: &Judged, took: Duration) -> Self {
        let text = || {
            let block = block(subject, judged, usize::MAX);
            console::strip_ansi_codes(&block).into_owned()
        };
        let words = match (judged.outcome(), judged.failure()) {
            (Outcome::Held, _) => None,
            (Outcome::Failed, Some(failure)) => Some(failure.property.to_owned()),
            (outcome, _) => Some(outcome.name().replace('_', " ")),
        };
        Told {
            title: subject.title(),
            file: subject.file().map(|file| file.display().to_string()),
            took,
            wrong: words.map(|words| (words, text())),
        }
    }

    fn note(&self) -> Option<Note> {
        let (words, text) = self.wrong.as_ref()?;
        let title = format!("{}: {words}", self.title);
        Some(Note { file: self.file.clone(), title, text: text.clone() })
    }
}
