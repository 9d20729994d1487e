//! Steps and outputs in words.

use graphshell_sync::Access;
use graphshell_sync::ports::StoreError;
use graphshell_sync::recording::{Input, Output, Rebuild, Step};
use graphshell_sync::{Event, LogEntry, Outcome, Record};

use crate::text::counted;
use crate::world::frame;

/// What is done to the core.
pub(super) fn step(step: &Step<'_>) -> String {
    match step {
        Step::Opened(result) => match &**result {
            Ok(opened) => {
                let base = if opened.base.is_some() { ", on a base" } else { "" };
                let snapshot = if opened.snapshot.is_some() { ", with a snapshot" } else { "" };
                let records = opened.end.saturating_sub(opened.first);
                format!("the store opens with {}{base}{snapshot}", counted(records, "record"))
            }
            Err(error) => format!("the store does not open: {error}"),
        },
        Step::Witnessed(Ok(None)) => "the witness knows nothing".to_owned(),
        Step::Witnessed(Ok(Some(promise))) => {
            format!("the witness knows of {}", counted(promise.sequence, "own entry"))
        }
        Step::Witnessed(Err(error)) => format!("the witness cannot be read: {error}"),
        Step::Drawn(_) => "randomness is drawn".to_owned(),
        Step::Read { first, records } => match &**records {
            Ok(records) => {
                let are = if records.len() == 1 { "is" } else { "are" };
                format!("{} {are} read from {first} on", counted(records.len(), "record"))
            }
            Err(error) => format!("records from {first} on cannot be read: {error}"),
        },
        Step::BaseWritten(result) => ended("the base of a log that lost records", result),
        Step::Began => "the workspace is open".to_owned(),
        Step::NotOpened => "the workspace does not open".to_owned(),
        Step::Image(image) => format!("goes on from an image of {}", counted(image.len(), "byte")),
        Step::Edit { operations, .. } => format!("the user edits {}", list(operations)),
        Step::Resolve { conflict, resolution, .. } => {
            format!("the user settles the conflict {conflict} by {resolution:?}")
        }
        Step::Share { device, access } => match access {
            Access::Full => format!("the workspace is shared with {device}"),
            Access::ReadOnly => format!("the workspace is shared with {device}, to read"),
            Access::None => format!("the workspace is shared with {device} no more"),
        },
        Step::Import(operations) => {
            format!("a legacy log of {} is imported", counted(operations.len(), "operation"))
        }
        Step::Input(given) => input(given),
        Step::Looked => "a reader looks".to_owned(),
        Step::WantSnapshot => "a snapshot is asked for".to_owned(),
        Step::WantCompaction => "a compaction is asked for".to_owned(),
        Step::Gave(marks) => counted(marks.len(), "output"),
    }
}

fn input(input: &Input) -> String {
    match input {
        Input::Appended(result) => ended("the append", result),
        Input::Loaded { ticket, records: Ok(records) } => {
            format!("load {ticket} brings {}", counted(records.len(), "record"))
        }
        Input::Loaded { ticket, records: Err(error) } => format!("load {ticket} fails: {error}"),
        Input::Promised(result) => ended("the promise", result),
        Input::SnapshotSaved(result) => ended("the snapshot", result),
        Input::Rebased(result) => ended("the base", result),
        Input::Start { round, peer } => format!("round {round} with {peer} is asked for"),
        Input::Abandon { round } => format!("nobody waits for round {round} any more"),
        Input::Returned { call, response: Ok(response) } => {
            format!("call {call} brings {}", frame::response(response))
        }
        Input::Returned { call, response: Err(error) } => format!("call {call} fails: {error}"),
        Input::Asked { call, from, request } => {
            format!("{from} asks (call {call}): {}", frame::request(request))
        }
    }
}

/// What the core wants.
pub(super) fn output(output: &Output) -> String {
    match output {
        Output::Append(records) => {
            let entries: usize = records
                .iter()
                .map(|record| match record {
                    Record::Ready(batch) | Record::Parked(batch) => batch.len(),
                    _ => 0,
                })
                .sum();
            let (records, entries) = (counted(records.len(), "record"), counted(entries, "entry"));
            format!("appends {records}, {entries}")
        }
        Output::Load { ticket, positions } => {
            format!("loads {} (load {ticket})", counted(positions.len(), "record"))
        }
        Output::Promise(promise) => format!("promises {}", counted(promise.sequence, "own entry")),
        Output::SaveSnapshot(snapshot) => {
            format!("saves a snapshot of {}", counted(snapshot.bytes.len(), "byte"))
        }
        Output::Rebase { base, first } => {
            let bytes = counted(base.bytes.len(), "byte");
            format!("puts a base of {bytes} under the log, from {first} on")
        }
        Output::Compacted(Ok(records)) => format!("has cut {}", counted(*records, "record")),
        Output::Compacted(Err(error)) => format!("has cut nothing: {error}"),
        Output::Ask { call, to, request } => {
            format!("asks {to} (call {call}): {}", frame::request(request))
        }
        Output::Answer { call, response } => {
            format!("answers call {call}: {}", frame::response(response))
        }
        Output::Announce(frontier) => {
            format!("announces the frontier of {}", counted(frontier.rows().len(), "author"))
        }
        Output::Finished { round, result: Ok(report) } => format!(
            "ends round {round}: {} pushed, {} pulled",
            counted(report.pushed, "entry"),
            report.pulled
        ),
        Output::Finished { round, result: Err(error) } => format!("ends round {round}: {error}"),
        Output::Event(event) => tells(event),
        Output::Rebuild(Rebuild::StoreFailed(error)) => format!("begins anew: {error}"),
        Output::Rebuild(Rebuild::Rotated { after }) => {
            format!("begins anew: own entries after {after} stand under another name")
        }
    }
}

fn tells(event: &Event) -> String {
    match event {
        Event::Changed(delta) => format!(
            "shows a change of {} and {}; conflicts: {} open, {} settle",
            counted(delta.nodes.len(), "node"),
            counted(delta.pairs.len(), "pair"),
            delta.opened.len(),
            delta.settled.len()
        ),
        Event::Reset => "shows everything anew".to_owned(),
        Event::Settled { outcome: Outcome::Durable(dots), .. } => {
            format!("tells that an edit of {} is durable", counted(dots.len(), "entry"))
        }
        Event::Settled { outcome: Outcome::Refused(error), .. } => {
            format!("tells that an edit is taken back: {error}")
        }
        Event::Fork { author, common, proven } => {
            let sure = if *proven { "proven" } else { "suspected" };
            format!("reports a fork of {author} after {common}, {sure}")
        }
        Event::Rotated { new, .. } => format!("authors as {new} from now on"),
        Event::Lost { records } => format!("reports the loss of {}", counted(*records, "record")),
        Event::SetAside(file) => format!("could not use {}: {}", file.name, file.why),
        Event::Hindered { chore, why } => format!("could not do its {chore:?}: {why}"),
        Event::Lagged(missed) => {
            format!("lets a subscriber miss {}", counted(*missed, "event"))
        }
    }
}

fn ended(what: &str, result: &Result<(), StoreError>) -> String {
    match result {
        Ok(()) => format!("{what} is durable"),
        Err(error) => format!("{what} fails: {error}"),
    }
}

/// The first operations of an edit.
fn list(operations: &[LogEntry]) -> String {
    const SHOWN: usize = 3;
    let words: Vec<String> =
        operations.iter().take(SHOWN).map(|operation| format!("{operation:?}")).collect();
    let more = if operations.len() > SHOWN { ", …" } else { "" };
    format!("[{}{more}]", words.join(", "))
}
