//! `scenario`: scripted plans from files.

use std::time::Instant;

use console::Style;

use super::args::ScenarioArgs;
use super::exit::Exit;
use super::judge::Outcome;
use super::output::Output;
use super::record::{Record, block};
use super::replay::{observe, tell};
use super::subject::Subject;
use super::tally::Tally;
use super::{Error, complain, file};

/// Reads all files, then runs them in the order given.
pub(crate) fn scenario(args: &ScenarioArgs, output: &mut Output) -> Result<Exit, Error> {
    let mut subjects = Vec::new();
    for path in &args.files {
        match file::read(path) {
            Ok(plan) => subjects.push(Subject::Scenario { file: path.clone(), plan: plan.into() }),
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
        let judged = observe(subject, args.report);
        tally.add(&judged);
        if args.report.json {
            output.line(Record::new(subject, &judged, args.report.verbose).to_json())?;
        } else {
            tell(&judged, args.report, output)?;
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
    if args.report.json {
        output.line(tally.to_json(start.elapsed(), exit))?;
    }
    Ok(exit)
}
