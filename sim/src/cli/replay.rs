//! `replay`: one seed, its verdict and its story.

use graphshell_sim::world::Options;

use super::Error;
use super::args::{ReplayArgs, ReportArgs};
use super::exit::Exit;
use super::judge::{Judged, Outcome, judge};
use super::output::Output;
use super::record::{Record, block};
use super::subject::{Subject, shape_flags};
use super::tally::Tally;
use super::text;

/// Runs the seed twice and tells what happened.
pub(crate) fn replay(args: &ReplayArgs, output: &mut Output) -> Result<Exit, Error> {
    let shape = args.shape.shape();
    let flags = shape_flags(&shape);
    let subject = Subject::Seed { seed: args.seed, shape };
    let judged = observe(&subject, args.report);
    let mut tally = Tally::default();
    tally.add(&judged);
    if args.report.json {
        output.line(Record::new(&subject, &judged, args.report.verbose).to_json())?;
        return Ok(tally.strict_exit());
    }
    tell(&judged, args.report, output)?;
    if judged.outcome() == Outcome::Held {
        let run = &judged.run;
        output.line(format_args!("{}{flags}  held", subject.title()))?;
        output.line(format_args!("  virtual     {}", text::seconds(run.virtual_ms)))?;
        output.line(format_args!("  operations  {}", run.operations))?;
        output.line(format_args!("  messages    {}", run.messages))?;
        output.line(format_args!("  trace hash  {}", run.trace_hash))?;
    } else {
        output.line(block(&subject, &judged, output.text_columns()))?;
    }
    Ok(tally.strict_exit())
}

/// Runs `subject` twice, with its story if that is to be told.
pub(crate) fn observe(subject: &Subject, report: ReportArgs) -> Judged {
    let options = Options { keep_events: report.verbose };
    judge(|options| subject.run(options), true, &options)
}

/// Prints the story, if it was asked for, and an empty line.
pub(crate) fn tell(judged: &Judged, report: ReportArgs, output: &mut Output) -> Result<(), Error> {
    if report.verbose {
        for line in text::story(&judged.run.story, output.text_columns()) {
            output.line(line)?;
        }
        output.line("")?;
    }
    Ok(())
}
