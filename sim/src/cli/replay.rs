//! `replay`: one seed or file, its verdict and its story.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use graphshell_sim::capsule::{Capsule, Finding, engine_version};
use graphshell_sim::ledger::Entry;
use graphshell_sim::world::{Options, Run};

use super::args::{ReplayArgs, Seed, StoryArgs};
use super::exit::Exit;
use super::file::{self, Content};
use super::judge::{Judged, Outcome, judge};
use super::output::Output;
use super::record::{Record, block};
use super::recording;
use super::subject::{Recipe, Subject};
use super::tally::Tally;
use super::text;
use super::write::check;
use super::{Error, complain_of};

/// A seed, or a file that holds a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Seed(Seed),
    File(PathBuf),
}

impl FromStr for Source {
    type Err = super::args::SeedError;

    /// What begins with a digit and is no path is meant to be a seed.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number =
            text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains(['.', '/', '\\']);
        if number { text.parse().map(Source::Seed) } else { Ok(Source::File(text.into())) }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Seed(seed) => write!(f, "{seed}"),
            Source::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What a source turned out to be.
pub(crate) enum Opened<'a> {
    Subject(Subject),
    /// The bytes of a recording, and where they were read from.
    Recording(&'a Path, Vec<u8>),
}

impl Source {
    /// What is to be run or played; `recipe` is for seeds.
    pub(crate) fn open(&self, recipe: Recipe) -> Result<Opened<'_>, Error> {
        let Source::File(path) = self else {
            return self.subject(recipe, file::A_PLAN_OR_RECORDING).map(Opened::Subject);
        };
        self.must_fit(recipe)?;
        Ok(match file::read(path, file::A_PLAN_OR_RECORDING)? {
            Content::Recording(bytes) => Opened::Recording(path, bytes),
            Content::Text(text) => {
                Opened::Subject(file::subject(path, &text, file::A_PLAN_OR_RECORDING)?)
            }
        })
    }

    /// What is to be run; `recipe` is for seeds, `expected` says in errors what a file should be.
    pub(crate) fn subject(&self, recipe: Recipe, expected: &'static str) -> Result<Subject, Error> {
        self.must_fit(recipe)?;
        match self {
            Source::Seed(seed) => Ok(Subject::Seed { seed: *seed, recipe }),
            Source::File(path) => {
                Ok(file::subject(path, &file::read_text(path, expected)?, expected)?)
            }
        }
    }

    /// A file says all that is run, so no recipe goes with it.
    fn must_fit(&self, recipe: Recipe) -> Result<(), Error> {
        match self {
            Source::File(_) if recipe != Recipe::default() => {
                Err(Error::FlagsForFile(recipe.flags()))
            }
            Source::File(_) | Source::Seed(_) => Ok(()),
        }
    }
}

/// Runs the subject twice and tells what happened.
pub(crate) fn replay(args: &ReplayArgs, output: &mut Output) -> Result<Exit, Error> {
    let recipe = args.shape.recipe();
    let trouble = complain_of(check([], &args.record));
    if trouble != Exit::Held {
        return Ok(trouble);
    }
    let subject = match args.source.open(recipe)? {
        Opened::Subject(_) if args.until.is_some() => return Err(Error::NoRecording),
        Opened::Subject(subject) => subject,
        Opened::Recording(..) if args.record.is_some() => return Err(Error::RecordingTwice),
        Opened::Recording(path, bytes) => {
            return recording::replay_recording(path, bytes, args.until, args.story, output);
        }
    };
    let judged = observe(&subject, args.story);
    let mut tally = Tally::default();
    tally.add(&judged);
    let saved = match &subject {
        Subject::Capsule { capsule, .. } => Some(compared(capsule, &judged)),
        Subject::Seed { .. } | Subject::Scenario { .. } => None,
    };
    if args.story.json {
        let as_saved = saved.as_ref().map(Result::is_ok);
        output.line(
            Record::new(&subject, &judged, args.story.verbose).compared(as_saved).to_json(),
        )?;
        return Ok(tally.strict_exit());
    }
    let told = complain_of(print(args, &subject, &judged, saved, output).err());
    let record = |folder| recording::save(&subject, folder, output);
    let recorded = args.record.as_deref().map_or(Exit::Held, record);
    Ok(tally.strict_exit().and(told).and(recorded))
}

/// Prints story, ledger and verdict, and whether the run is what was `saved`.
fn print(
    args: &ReplayArgs,
    subject: &Subject,
    judged: &Judged,
    saved: Option<Result<(), String>>,
    output: &mut Output,
) -> Result<(), Error> {
    tell(judged, args.story, output)?;
    for line in ledger(&judged.run, output.text_columns()) {
        output.line(line)?;
    }
    if judged.outcome() == Outcome::Held {
        let run = &judged.run;
        let flags = args.shape.recipe().flags();
        output.line(format_args!("{}{flags}  held", subject.title()))?;
        output.line(format_args!("  virtual     {}", text::seconds(run.virtual_ms)))?;
        output.line(format_args!("  operations  {}", run.operations))?;
        output.line(format_args!("  messages    {}", run.messages))?;
        output.line(format_args!("  trace hash  {}", run.trace_hash))?;
        let columns = output.text_columns();
        output.line(text::hanging("  plan        ", &subject.plan().why, columns))?;
    } else {
        output.line(block(subject, judged, output.text_columns()))?;
    }
    if let Some(saved) = saved {
        let said = saved.map_or_else(
            |difference| format!("no: {difference}"),
            |()| "yes: the same events, the same verdict".to_owned(),
        );
        output.line(text::hanging("  as saved    ", &said, output.text_columns()))?;
    }
    Ok(())
}

/// What each fault did, a line for each, and an empty line; nothing if the plan has no faults.
fn ledger(run: &Run, columns: usize) -> Vec<String> {
    let told = |entry: &Entry| text::hanging("fault  ", &entry.to_string(), columns);
    let mut lines: Vec<String> = run.ledger.entries().iter().map(told).collect();
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// Says in which way a run is not what the capsule saved.
fn compared(capsule: &Capsule, judged: &Judged) -> Result<(), String> {
    let (now, saved) = (judged.fingerprint(), &capsule.fingerprint);
    // A run that is not deterministic has failed in that, whatever else it did.
    let found = judged.failure().filter(|_| judged.divergence.is_none()).map(Finding::from);
    let difference = if now.as_ref() != Some(saved) {
        let now = now.map_or("nothing".to_owned(), |now| format!("{:?}", now.to_string()));
        format!("{now} failed, saved was that {:?} did", saved.to_string())
    } else if found != capsule.failure {
        "the same property failed, but not at the same place".to_owned()
    } else if judged.run.trace_hash != capsule.trace_hash {
        format!("the verdict is the same, the events are not (saved hash {})", capsule.trace_hash)
    } else {
        return Ok(());
    };
    let versions =
        format!("saved with engine {}, replayed with {}", capsule.engine, engine_version());
    Err(format!("{difference}; {versions}"))
}

/// Runs `subject` twice, with its story if that is to be told.
pub(crate) fn observe(subject: &Subject, story: StoryArgs) -> Judged {
    let options = Options { keep_events: story.verbose, ..Options::default() };
    judge(|options| subject.run(options), true, &options)
}

/// Prints the story, if it was asked for, and an empty line.
pub(crate) fn tell(judged: &Judged, story: StoryArgs, output: &mut Output) -> Result<(), Error> {
    if story.verbose {
        for line in text::story(&judged.run.story, output.text_columns()) {
            output.line(line)?;
        }
        output.line("")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use graphshell_sim::generate::{self, Shape};

    use super::super::judge::{
        Divergence,
        tests::{failed, held},
    };
    use super::*;

    fn judged(run: Run) -> Judged {
        Judged { run, divergence: None }
    }

    /// What was saved of a run.
    fn capsule(judged: &Judged) -> Capsule {
        let plan = generate::plan(7, &Shape::default());
        let failure = judged.failure().filter(|_| judged.divergence.is_none());
        Capsule::new(plan, String::new(), judged.run.trace_hash.clone(), failure)
    }

    #[test]
    fn a_run_that_was_not_deterministic_and_is_now_is_not_as_saved() {
        let drifted = || Judged {
            divergence: Some(Divergence {
                second_hash: "bb".into(),
                first_difference: "event 3".into(),
            }),
            run: held(),
        };
        let saved = capsule(&drifted());
        assert_eq!(compared(&saved, &drifted()), Ok(()));
        let said = compared(&saved, &judged(held())).unwrap_err();
        assert!(
            said.starts_with("nothing failed, saved was that \"same plan, same run\""),
            "{said}"
        );
        assert_eq!(compared(&capsule(&judged(failed())), &judged(failed())), Ok(()));
        let said = compared(&capsule(&judged(failed())), &drifted()).unwrap_err();
        assert!(
            said.starts_with("\"same plan, same run\" failed, saved was that \"conv"),
            "{said}"
        );
    }

    #[test]
    fn a_number_is_a_seed_and_a_path_is_a_file() {
        assert_eq!("0x2a".parse(), Ok(Source::Seed(Seed(42))));
        assert_eq!("7.json".parse(), Ok(Source::File("7.json".into())));
        assert_eq!("target/x".parse(), Ok(Source::File("target/x".into())));
        assert!("0xzz".parse::<Source>().is_err());
    }
}
