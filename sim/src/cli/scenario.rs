//! `scenario`: scripted plans from files.

use std::time::Instant;

use console::Style;

use super::args::ScenarioArgs;
use super::exit::Exit;
use super::judge::Outcome;
use super::output::Output;
use super::record::{Record, block};
use super::replay::{observe, tell};
use super::tally::{Tally, Time};
use super::{Error, complain, file};

/// Reads all files, then runs them in the order given.
pub(crate) fn scenario(args: &ScenarioArgs, output: &mut Output) -> Result<Exit, Error> {
    let mut subjects = Vec::new();
    for path in &args.files {
        match file::read_scenario(path) {
            Ok(subject) => subjects.push(subject),
            Err(error) => complain(&error.into()),
        }
    }
    if subjects.len() < args.files.len() {
        return Ok(Exit::BadInput);
    }
    #[expect(clippy::disallowed_methods, reason = "runs per second are of the wall clock")]
    let start = Instant::now();
    let mut tally = Tally::default();
    for subject in &subjects {
        let judged = observe(subject, args.story);
        tally.add(&judged);
        if args.story.json {
            output.line(Record::new(subject, &judged, args.story.verbose).to_json())?;
        } else {
            tell(&judged, args.story, output)?;
            if judged.outcome() == Outcome::Held {
                let ok = Style::new().green().apply_to("ok");
                let (seconds, run) = (judged.run.virtual_ms as f64 / 1_000.0, &judged.run);
                output.line(format_args!(
                    "{ok}  {}  (virtual {seconds:.1} s, {} operations)",
                    subject.title(),
                    run.operations
                ))?;
            } else {
                output.line(block(subject, &judged, output.text_columns()))?;
            }
        }
        if output.is_closed() {
            break;
        }
    }
    let exit = tally.strict_exit();
    if args.story.json {
        output.line(tally.to_json("", &[], Time::of_one(start.elapsed()), None, exit))?;
    }
    Ok(exit)
}
