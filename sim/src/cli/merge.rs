//! `merge`: the reports of a sweep's shards as one.

use super::args::MergeArgs;
use super::exit::Exit;
use super::output::Output;
use super::report::{Report, SweepOutput};
use super::write::check;
use super::{Error, complain, complain_of};

/// Reads all reports, adds them up and prints the sum.
pub(crate) fn merge(args: &MergeArgs, output: &mut Output) -> Result<Exit, Error> {
    let mut reports = Vec::new();
    for path in &args.files {
        match Report::read(path) {
            Ok(report) => reports.push((path.display().to_string(), report)),
            Err(error) => complain(&error),
        }
    }
    let trouble = complain_of(check(args.reports.files(), []));
    if reports.len() < args.files.len() || trouble != Exit::Held {
        return Ok(Exit::BadInput);
    }
    let sum = Report::merge(reports)?;
    Ok(sum.publish(&SweepOutput { json: args.json, files: &args.reports }, Exit::Held, output))
}
