//! `determinism`: the same seeds in two processes, in another order and on other threads.
//!
//! Within one process a run could depend on an address, on what ran before it, or on which thread it
//! got, and still repeat itself. So the program starts itself twice under conditions that differ and
//! compares what both say.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::args::{DeterminismArgs, Seed};
use super::child::{Ended, watch};
use super::exit::Exit;
use super::judge::Outcome;
use super::output::Output;
use super::subject::Recipe;
use super::sweep;
use super::text::{counted, hanging, seconds};
use super::{Error, interrupt, progress};

/// What a sweep says last begins with this.
const SUMMARY: &str = r#"{"summary":"#;

/// A process could not be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChildError {
    #[error("{program}: cannot be started: {reason}")]
    Start { program: String, reason: std::io::Error },
    #[error("{program} {arguments}: {found}; expected {expected}")]
    Said { program: String, arguments: String, found: String, expected: &'static str },
}

/// One of the two sides.
struct Side {
    program: PathBuf,
    name: &'static str,
    conditions: Vec<String>,
    time_zone: &'static str,
}

/// Runs the seeds on both sides and names the first event that differs, if one does.
pub(crate) fn determinism(args: &DeterminismArgs, output: &mut Output) -> Result<Exit, Error> {
    let this = std::env::current_exe().map_err(Error::Itself)?;
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let many = (2 * sweep::all_cores() + 1).to_string();
    let one = Side {
        program: this.clone(),
        name: "first",
        conditions: words(&["--threads", "1"]),
        time_zone: "UTC",
    };
    let other = Side {
        program: args.against.clone().unwrap_or(this),
        name: "second",
        conditions: words(&["--threads", &many, "--descending"]),
        time_zone: "Asia/Kathmandu",
    };
    let recipe = args.shape.recipe();
    interrupt::listen()?;
    // The second process begins with the last seed, so what it says is held against the last line that is
    // left, and the seed that differs last is the first.
    let mut ours = Vec::new();
    one.sweep(args, &recipe, &[], |line| {
        ours.push(line.to_owned());
        Ok(())
    })?;
    let (ran, mut compared, mut parted) = (ours.len(), 0, None);
    if !interrupt::seen() {
        other.sweep(args, &recipe, &[], |theirs| {
            compared += 1;
            let Some(ours) = ours.pop() else { return Ok(()) };
            if ours != theirs || drifted(&ours) {
                let (ours, theirs) = (one.object(&ours)?, other.object(theirs)?);
                if ours != theirs || drifts(&ours) {
                    parted = Some((ours, theirs));
                }
            }
            Ok(())
        })?;
    }
    let interrupted = interrupt::seen() && (compared as u64) < args.seeds;
    if compared != ran && !interrupted {
        let found = counted(compared, "seed");
        return Err(other.said(&[], found, "as many as the first process ran").into());
    }
    let Some((ours, theirs)) = parted else {
        output.line(format_args!("{} ran alike in two processes", counted(compared, "seed")))?;
        return ended(args, compared, Exit::Held, interrupted, output);
    };
    let seed: Seed = ours["seed"]
        .as_str()
        .and_then(|seed| seed.parse().ok())
        .ok_or_else(|| one.said(&[], ours.to_string(), "a seed in each line"))?;
    let difference = if ours == theirs {
        within_each(&ours)
    } else if interrupted {
        by_field(&ours, &theirs)
    } else {
        let stories = one.story(args, &recipe, seed);
        match stories.and_then(|ours| Ok((ours, other.story(args, &recipe, seed)?))) {
            Ok((one, other)) => {
                first_event(&one, &other).unwrap_or_else(|| only_once(&ours, &theirs))
            }
            // What was found is told whatever keeps the stories from being so.
            Err(_) if interrupt::seen() => by_field(&ours, &theirs),
            Err(error) => return Err(error.into()),
        }
    };
    output.line(format_args!("seed {seed}{}  not deterministic", recipe.flags()))?;
    for (name, text) in difference {
        output.line(hanging(&format!("  {name:<8}  "), &text, output.text_columns()))?;
    }
    output.line(format_args!("  replay    cargo sim replay {seed}{} --verbose", recipe.flags()))?;
    ended(args, compared, Exit::NotDeterministic, interrupt::seen(), output)
}

/// Says how far it came if it was interrupted.
fn ended(
    args: &DeterminismArgs,
    compared: usize,
    exit: Exit,
    interrupted: bool,
    output: &mut Output,
) -> Result<Exit, Error> {
    if !interrupted {
        return Ok(exit);
    }
    let all = counted(args.seeds, "seed");
    output.line(format_args!("interrupted after {compared} of {all}"))?;
    Ok(Exit::Interrupted)
}

impl Side {
    /// Hands over what is said of each seed, in the order in which they ran.
    fn sweep(
        &self,
        args: &DeterminismArgs,
        recipe: &Recipe,
        more: &[&str],
        mut each: impl FnMut(&str) -> Result<(), ChildError>,
    ) -> Result<(), ChildError> {
        let (first, seeds) = (args.first_seed.to_string(), args.seeds.to_string());
        // What fails alike on both sides is no finding of this command, so nothing is annotated.
        let quiet = ["run", "--json", "--no-capsules", "--annotations", "none"];
        let which = ["--first-seed", &first, "--seeds", &seeds];
        let recipe = recipe.arguments();
        let mut words: Vec<&str> = quiet.into_iter().chain(which).collect();
        words.extend(recipe.iter().map(String::as_str));
        words.extend(self.conditions.iter().map(String::as_str).chain(more.iter().copied()));
        let template =
            format!("{{wide_bar}} {{human_pos}}/{{human_len}} seeds, {} process", self.name);
        let bar = progress::bar(Some(args.seeds), &template, false);
        let ran = self.run(&words, |line| {
            bar.inc(1);
            if line.starts_with(SUMMARY) { Ok(()) } else { each(line) }
        });
        bar.finish_and_clear();
        ran
    }

    /// All that is told of one seed among the others: what it depends on may be one of them.
    fn story(
        &self,
        args: &DeterminismArgs,
        recipe: &Recipe,
        seed: Seed,
    ) -> Result<Vec<Value>, ChildError> {
        let (words, mut story) = (["--story-of", &seed.to_string()], None);
        self.sweep(args, recipe, &words, |line| {
            if line.contains(r#""story":["#)
                && let Some(told) = self.object(line)?["story"].as_array_mut()
            {
                story = Some(std::mem::take(told));
            }
            Ok(())
        })?;
        story.ok_or_else(|| self.said(&words, "no story".into(), "the story of the seed"))
    }

    /// Hands over what the program prints, line by line, until it ends or an interrupt comes.
    fn run(
        &self,
        words: &[&str],
        mut each: impl FnMut(&str) -> Result<(), ChildError>,
    ) -> Result<(), ChildError> {
        let start = |reason| ChildError::Start { program: named(&self.program), reason };
        let mut command = Command::new(&self.program);
        command.args(words).env("TZ", self.time_zone);
        let mut heard = Ok(());
        let ended = watch(&mut command, Duration::MAX, |line| {
            heard = each(line);
            if heard.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let ended = ended.map_err(start)?;
        if interrupt::seen() {
            // What was heard last may have been cut.
            return Ok(());
        }
        heard?;
        let judged =
            [Exit::Held, Exit::PropertyFailed, Exit::NotDeterministic, Exit::ProvedNothing];
        match ended {
            Ended::Itself(status)
                if !judged.iter().any(|exit| status.code() == Some(exit.code().into())) =>
            {
                Err(self.said(words, status.to_string(), "an exit code from 0 to 4, not 2"))
            }
            Ended::Itself(_) | Ended::Stopped | Ended::Hung => Ok(()),
        }
    }

    /// What is said of a seed.
    fn object(&self, line: &str) -> Result<Value, ChildError> {
        serde_json::from_str(line)
            .map_err(|error| self.said(&[], error.to_string(), "a JSON object per line"))
    }

    fn said(&self, words: &[&str], found: String, expected: &'static str) -> ChildError {
        let arguments = if words.is_empty() { self.name.to_owned() } else { words.join(" ") };
        ChildError::Said { program: named(&self.program), arguments, found, expected }
    }
}

type Rows = Vec<(&'static str, String)>;

/// Whether a line may tell of a seed which ran differently twice within its process.
fn drifted(line: &str) -> bool {
    line.contains(Outcome::NotDeterministic.name())
}

/// Whether it does.
fn drifts(line: &Value) -> bool {
    line["verdict"] == Outcome::NotDeterministic.name()
}

/// What both processes say alike of a seed that ran differently twice within each.
fn within_each(line: &Value) -> Rows {
    let difference = line["first_difference"].as_str().unwrap_or_default().to_owned();
    vec![("in each", difference)]
}

/// The first event that two stories do not share.
fn first_event(ours: &[Value], theirs: &[Value]) -> Option<Rows> {
    let at = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
    if at == ours.len() && at == theirs.len() {
        return None;
    }
    let told = |story: &[Value], at: usize| match story.get(at) {
        None => "the story ends".to_owned(),
        Some(line) => {
            let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
            let time = seconds(line["virtual_ms"].as_u64().unwrap_or_default());
            format!("{time}  {}  {}", text("peer"), text("text"))
        }
    };
    Some(vec![
        ("event", format!("{} is the first that differs", at + 1)),
        ("before", at.checked_sub(1).map_or("the beginning".to_owned(), |last| told(ours, last))),
        ("first", told(ours, at)),
        ("second", told(theirs, at)),
    ])
}

/// What differed between two lines if it did not when they were run again.
fn only_once(ours: &Value, theirs: &Value) -> Rows {
    let mut rows = vec![("event", "none differed when both processes ran again".to_owned())];
    rows.extend(by_field(ours, theirs));
    rows
}

/// The first field in which two lines differ.
fn by_field(ours: &Value, theirs: &Value) -> Rows {
    let fields = ours.as_object().into_iter().flatten();
    let field = fields.map(|(field, _)| field).find(|&field| ours[field] != theirs[field]);
    let field = field.map_or("verdict", String::as_str);
    vec![
        ("first", format!("{field} {}", ours[field])),
        ("second", format!("{field} {}", theirs[field])),
    ]
}

fn named(program: &Path) -> String {
    program.display().to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn story(texts: &[&str]) -> Vec<Value> {
        let line = |text: &&str| json!({"virtual_ms": 1500, "peer": "ada", "text": text});
        texts.iter().map(line).collect()
    }

    #[test]
    fn the_first_event_that_differs_is_named_with_both_sides() {
        let rows = first_event(&story(&["a", "b", "c"]), &story(&["a", "x", "c"])).unwrap();
        let told: Vec<&str> = rows.iter().map(|(_, text)| text.as_str()).collect();
        let expected = [
            "2 is the first that differs",
            "1.500 s  ada  a",
            "1.500 s  ada  b",
            "1.500 s  ada  x",
        ];
        assert_eq!(told, expected);
        let rows = first_event(&story(&["a"]), &story(&[])).unwrap();
        assert_eq!((rows[1].1.as_str(), rows[3].1.as_str()), ("the beginning", "the story ends"));
        assert_eq!(first_event(&story(&["a"]), &story(&["a"])), None);
    }

    #[test]
    fn a_seed_that_differs_within_each_process_is_not_alike() {
        let drift = json!({
            "seed": "0x1",
            "verdict": "not_deterministic",
            "first_difference": "event 3: …",
        });
        assert!(drifted(&drift.to_string()) && drifts(&drift));
        assert_eq!(within_each(&drift), [("in each", "event 3: …".to_owned())]);
        let failed = json!({"seed": "0x1", "verdict": "failed", "detail": "not_deterministic"});
        assert!(!drifts(&failed));
    }

    #[test]
    fn a_difference_that_does_not_repeat_is_told_by_its_field() {
        let rows = only_once(
            &json!({"seed": "0x1", "messages": 3}),
            &json!({"seed": "0x1", "messages": 4}),
        );
        assert_eq!((rows[1].1.as_str(), rows[2].1.as_str()), ("messages 3", "messages 4"));
    }
}
