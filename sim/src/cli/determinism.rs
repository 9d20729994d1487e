//! `determinism`: the same seeds in two processes, in another order and on other threads.
//!
//! Within one process a run could depend on an address, on what ran before it, or on which thread it
//! got, and still repeat itself. So the program starts itself twice under conditions that differ and
//! compares what both say.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::Value;

use super::args::{DeterminismArgs, Seed};
use super::exit::Exit;
use super::judge::Outcome;
use super::output::Output;
use super::subject::Recipe;
use super::sweep;
use super::text::{hanging, seconds};
use super::{Error, interrupt, progress};

/// How often an interrupt is looked for.
const BEAT: Duration = Duration::from_millis(200);

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
    let mut ours = one.sweep(args, &recipe, &[])?;
    let mut theirs =
        if interrupt::seen() { Vec::new() } else { other.sweep(args, &recipe, &[])? };
    theirs.reverse();
    let interrupted = interrupt::seen() && (theirs.len() as u64) < args.seeds;
    if interrupted {
        // The second process begins with the last seed.
        ours.drain(..ours.len().saturating_sub(theirs.len()));
    }
    if ours.len() != theirs.len() {
        let found = format!("{} seeds", theirs.len());
        return Err(other.said(&[], found, "as many as the first process ran").into());
    }
    let compared = ours.len();
    let Some((ours, theirs)) = parted(&ours, &theirs) else {
        output.line(format_args!("{compared} seeds ran alike in two processes"))?;
        return ended(args, compared, Exit::Held, interrupted, output);
    };
    let seed: Seed = ours["seed"]
        .as_str()
        .and_then(|seed| seed.parse().ok())
        .ok_or_else(|| one.said(&[], ours.to_string(), "a seed in each line"))?;
    let difference = if ours == theirs {
        within_each(ours)
    } else if interrupted {
        by_field(ours, theirs)
    } else {
        let stories = one.story(args, &recipe, seed);
        match stories.and_then(|ours| Ok((ours, other.story(args, &recipe, seed)?))) {
            Ok((one, other)) => {
                first_event(&one, &other).unwrap_or_else(|| only_once(ours, theirs))
            }
            // What was found is told whatever keeps the stories from being so.
            Err(_) if interrupt::seen() => by_field(ours, theirs),
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
    output.line(format_args!("interrupted after {compared} of {} seeds", args.seeds))?;
    Ok(Exit::Interrupted)
}

impl Side {
    /// What came of each seed, in the order in which they ran.
    fn sweep(
        &self,
        args: &DeterminismArgs,
        recipe: &Recipe,
        more: &[&str],
    ) -> Result<Vec<Value>, ChildError> {
        let (first, seeds) = (args.first_seed.to_string(), args.seeds.to_string());
        // What fails alike on both sides is no finding of this command, so nothing is annotated.
        let quiet = ["run", "--json", "--no-capsules", "--annotations", "none"];
        let which = ["--first-seed", &first, "--seeds", &seeds];
        let flags = recipe.flags();
        let mut words: Vec<&str> = quiet.into_iter().chain(which).collect();
        words.extend(flags.split_whitespace());
        words.extend(self.conditions.iter().map(String::as_str).chain(more.iter().copied()));
        let template =
            format!("{{wide_bar}} {{human_pos}}/{{human_len}} seeds, {} process", self.name);
        let bar = progress::bar(Some(args.seeds), &template, false);
        let lines = self.run(&words, &bar);
        bar.finish_and_clear();
        let mut lines = lines?;
        lines.retain(|line| line.get("summary").is_none());
        Ok(lines)
    }

    /// All that is told of one seed among the others: what it depends on may be one of them.
    fn story(
        &self,
        args: &DeterminismArgs,
        recipe: &Recipe,
        seed: Seed,
    ) -> Result<Vec<Value>, ChildError> {
        let words = ["--story-of", &seed.to_string()];
        let mut lines = self.sweep(args, recipe, &words)?;
        let mut stories = lines.iter_mut().filter_map(|line| line.get_mut("story")?.as_array_mut());
        stories
            .next()
            .map(std::mem::take)
            .ok_or_else(|| self.said(&words, "no story".into(), "the story of the seed"))
    }

    /// What the program prints: an object per line.
    fn run(&self, words: &[&str], bar: &ProgressBar) -> Result<Vec<Value>, ChildError> {
        let start = |reason| ChildError::Start { program: named(&self.program), reason };
        let mut child = Command::new(&self.program)
            .args(words)
            .env("TZ", self.time_zone)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(start)?;
        let printed = printed_by(&mut child, bar);
        let status =
            child.wait().map_err(|reason| self.said(words, reason.to_string(), "its end"))?;
        if interrupt::seen() {
            // The last line may have been cut.
            let whole = printed.into_iter().filter_map(Result::ok);
            return Ok(whole.filter_map(|line| serde_json::from_str(&line).ok()).collect());
        }
        let judged =
            [Exit::Held, Exit::PropertyFailed, Exit::NotDeterministic, Exit::ProvedNothing];
        if !judged.iter().any(|exit| status.code() == Some(exit.code().into())) {
            let expected = "an exit code from 0 to 4, not 2";
            return Err(self.said(words, status.to_string(), expected));
        }
        let line = |line: std::io::Result<String>| {
            let parsed = line.map_err(|error| error.to_string()).and_then(|line| {
                serde_json::from_str(&line).map_err(|error: serde_json::Error| error.to_string())
            });
            parsed.map_err(|found| self.said(words, found, "a JSON object per line"))
        };
        printed.into_iter().map(line).collect()
    }

    fn said(&self, words: &[&str], found: String, expected: &'static str) -> ChildError {
        let arguments = if words.is_empty() { self.name.to_owned() } else { words.join(" ") };
        ChildError::Said { program: named(&self.program), arguments, found, expected }
    }
}

/// The lines that the process prints until it ends, which an interrupt makes it do.
fn printed_by(child: &mut Child, bar: &ProgressBar) -> Vec<std::io::Result<String>> {
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        // Nobody hangs up before the end.
        scope.spawn(move || lines.map(|line| sender.send(line)).for_each(drop));
        let mut printed = Vec::new();
        loop {
            match receiver.recv_timeout(BEAT) {
                Ok(line) => {
                    bar.inc(1);
                    printed.push(line);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return printed,
            }
            if interrupt::seen() {
                // It may have ended by itself: a terminal interrupts both.
                let _ = child.kill();
            }
        }
    })
}

type Rows = Vec<(&'static str, String)>;

/// The first lines that differ between the processes, or that tell of a seed which ran differently
/// twice within each.
fn parted<'a>(ours: &'a [Value], theirs: &'a [Value]) -> Option<(&'a Value, &'a Value)> {
    let drifted = |line: &Value| line["verdict"] == Outcome::NotDeterministic.name();
    ours.iter().zip(theirs).find(|&(ours, theirs)| ours != theirs || drifted(ours))
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
        let held = json!({"seed": "0x0", "verdict": "held"});
        let drifted = json!({
            "seed": "0x1",
            "verdict": "not_deterministic",
            "first_difference": "event 3: …",
        });
        let both = [held.clone(), drifted.clone()];
        assert_eq!(parted(&both, &both), Some((&drifted, &drifted)));
        assert_eq!(within_each(&drifted), [("in each", "event 3: …".to_owned())]);
        let failed = json!({"seed": "0x1", "verdict": "failed"});
        let alike = [held.clone(), failed.clone()];
        assert_eq!(parted(&alike, &alike), None);
        assert_eq!(parted(&alike, &both), Some((&failed, &drifted)));
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
