//! `replay` of a recording, and recordings of simulated peers.

use std::path::Path;

use graphshell_sim::recording::{PlayOptions, Replayed, Verdict, replay};
use graphshell_sim::world::{self, Options};
use graphshell_sync::Dot;
use graphshell_sync::recording::{RecordingError, engine_version};
use serde_json::{Value, json};

use super::args::StoryArgs;
use super::exit::Exit;
use super::file::FileError;
use super::output::Output;
use super::subject::Subject;
use super::text;
use super::write::write;
use super::{Error, complain_of};

/// How much of each simulated peer's life is recorded, in bytes.
const ROOM: usize = 64 << 20;

/// Plays the recording in `bytes`, which were read from `path`, and tells what happened.
pub(crate) fn replay_recording(
    path: &Path,
    bytes: Vec<u8>,
    until: Option<u64>,
    story: StoryArgs,
    output: &mut Output,
) -> Result<Exit, Error> {
    let options = PlayOptions { keep_story: story.verbose, until };
    let replayed = replay(bytes, &options).map_err(|flaw| flawed(path, flaw))?;
    if story.json {
        output.line(to_json(path, &replayed, story.verbose))?;
    } else {
        if story.verbose {
            for line in text::story(&replayed.story, output.text_columns()) {
                output.line(line)?;
            }
            output.line("")?;
        }
        tell(path, &replayed, output)?;
    }
    Ok(match &replayed.verdict {
        Verdict::Same => Exit::Held,
        Verdict::Failed(_) => Exit::PropertyFailed,
        Verdict::Differs { .. } => Exit::NotDeterministic,
    })
}

/// The recording at `path` cannot be played.
pub(crate) fn flawed(path: &Path, flaw: RecordingError) -> Error {
    Error::File(FileError::Recording { file: path.display().to_string(), flaw })
}

/// Prints what came of a recording.
pub(crate) fn tell(path: &Path, replayed: &Replayed, output: &mut Output) -> Result<(), Error> {
    let columns = output.text_columns();
    output.line(format_args!("{}  {}", path.display(), title(&replayed.verdict)))?;
    for (name, value) in rows(replayed) {
        output.line(text::hanging(&format!("  {name:<12}"), &value, columns))?;
    }
    Ok(())
}

fn title(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Same => "held: the engine did the same again".to_owned(),
        Verdict::Failed(failure) => format!("failed: {}", failure.property),
        Verdict::Differs { .. } => "differs: the engine did something else".to_owned(),
    }
}

fn rows(replayed: &Replayed) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    match &replayed.verdict {
        Verdict::Same => {}
        Verdict::Failed(failure) => {
            rows.push(("after step", failure.step.to_string()));
            if !failure.operations.is_empty() {
                rows.push(("operations", named(&failure.operations).join(", ")));
            }
            rows.push(("detail", failure.detail.clone()));
        }
        Verdict::Differs { step, detail } => {
            rows.push(("after step", step.to_string()));
            rows.push(("detail", detail.clone()));
        }
    }
    let texts = if replayed.head.replaced { "replaced by placeholders" } else { "as they were" };
    rows.push(("steps", replayed.steps.to_string()));
    rows.push(("outputs", replayed.outputs.to_string()));
    rows.push(("clock", text::seconds(replayed.span_ms)));
    rows.push(("texts", texts.to_owned()));
    let engine = format!("recorded {}, replayed {}", replayed.head.engine, engine_version());
    rows.push(("engine", engine));
    if replayed.verdict == Verdict::Same {
        let model = match replayed.modelled {
            true => "the graph is what the model makes of the history",
            false => "not asked: the recording does not hold the whole history, durably",
        };
        rows.push(("model", model.to_owned()));
    }
    if let Some(bytes) = replayed.cut {
        let bytes = text::counted(bytes, "byte");
        let cut = format!("the file was cut: {bytes} behind the last whole step");
        rows.push(("cut", cut));
    }
    rows
}

fn named(operations: &[Dot]) -> Vec<String> {
    operations.iter().map(Dot::to_string).collect()
}

fn to_json(path: &Path, replayed: &Replayed, verbose: bool) -> Value {
    let (outcome, finding) = match &replayed.verdict {
        Verdict::Same => ("held", Value::Null),
        Verdict::Failed(failure) => (
            "failed",
            json!({
                "property": failure.property,
                "step": failure.step,
                "operations": named(&failure.operations),
                "detail": failure.detail,
            }),
        ),
        Verdict::Differs { step, detail } => ("differs", json!({ "step": step, "detail": detail })),
    };
    let mut object = json!({
        "recording": path.display().to_string(),
        "outcome": outcome,
        "finding": finding,
        "steps": replayed.steps,
        "outputs": replayed.outputs,
        "clock_ms": replayed.span_ms,
        "engine": replayed.head.engine,
        "texts_replaced": replayed.head.replaced,
        "modelled": replayed.modelled,
        "cut": replayed.cut,
    });
    if verbose {
        let line = |line: &graphshell_sim::trace::Line| json!({ "ms": line.virtual_ms, "who": line.peer, "what": line.text });
        object["story"] = replayed.story.iter().map(line).collect();
    }
    object
}

/// Runs the subject once more, and saves what the engine of each peer was told, life by life, each whatever
/// becomes of the others.
pub(crate) fn save(subject: &Subject, folder: &Path, output: &mut Output) -> Exit {
    let plan = subject.plan();
    if plan.validate().is_err() {
        return Exit::Held;
    }
    let mut exit = Exit::Held;
    let (_, lives) = world::record(&plan, &Options::default(), ROOM);
    for life in lives {
        let place = plan.peer_index(&life.peer).expect("who lived is a peer of the plan");
        let path = folder.join(format!("{}-{}.gsrec", file_stem(&life.peer, place), life.life));
        let said = match life.bytes.map(|bytes| write(&path, &bytes)) {
            Ok(Ok(())) => output.line(format_args!("  recording   {}", path.display())),
            Ok(Err(error)) => {
                exit = exit.and(complain_of([error]));
                continue;
            }
            Err(why) => output.line(format_args!("  recording   {}: {why}", path.display())),
        };
        exit = exit.and(complain_of(said.err()));
    }
    exit
}

/// What the files of a peer begin with: its name, or its place if the name would lead elsewhere.
fn file_stem(peer: &str, place: usize) -> String {
    let leads = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':');
    match peer.starts_with('.') || peer.contains(leads) {
        true => format!("peer {}", place + 1),
        false => peer.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_recording_is_written_outside_of_its_folder() {
        assert_eq!(file_stem("ada", 0), "ada");
        for name in ["../ada", "/etc/ada", "C:ada", "a\\da", "..", ".ada", "a\nda"] {
            assert_eq!(file_stem(name, 2), "peer 3", "{name:?}");
        }
    }
}
