//! One judged run as a JSON object, or as a block of text.

use std::collections::BTreeMap;

use console::Style;
use graphshell_sim::fingerprint::Fingerprint;
use graphshell_sim::ledger::{Effects, Entry};
use graphshell_sim::world::{Failure, Verdict};
use serde::Serialize;
use serde_json::json;

use super::args::Seed;
use super::judge::{Judged, Outcome};
use super::subject::Subject;
use super::text::{hanging, seconds};

/// The JSON object of a run. Nothing in it depends on the machine, threads or wall clock.
#[derive(Serialize)]
pub(crate) struct Record<'a> {
    seed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scenario: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    verdict: &'static str,
    trace_hash: &'a str,
    virtual_ms: u64,
    operations: u64,
    messages: u64,
    /// The id of what the failure looks like.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(flatten)]
    failure: Option<FailureRecord<'a>>,
    /// By kind of fault, how much all of that kind did.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    faults: BTreeMap<&'static str, u64>,
    /// What each fault did.
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<Vec<LedgerLine<'a>>>,
    /// Why the run is invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(flatten)]
    divergence: Option<DivergenceRecord<'a>>,
    /// The command that runs it again; absent if it held.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<String>,
    /// Whether a capsule's run is what was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_saved: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    story: Option<Vec<StoryLine<'a>>>,
}

#[derive(Serialize)]
struct FailureRecord<'a> {
    property: &'a str,
    peers: &'a [String],
    operations_concerned: &'a [String],
    failed_at_ms: u64,
    detail: &'a str,
}

#[derive(Serialize)]
struct DivergenceRecord<'a> {
    second_trace_hash: &'a str,
    first_difference: &'a str,
}

#[derive(Serialize)]
struct LedgerLine<'a> {
    fault: &'static str,
    at: &'a str,
    effects: &'a Effects,
}

#[derive(Serialize)]
struct StoryLine<'a> {
    virtual_ms: u64,
    peer: &'a str,
    text: &'a str,
}

impl<'a> Record<'a> {
    pub(crate) fn new(subject: &Subject, judged: &'a Judged, verbose: bool) -> Self {
        let run = &judged.run;
        let mut faults = BTreeMap::new();
        for entry in run.ledger.entries() {
            *faults.entry(entry.fault.kind.name()).or_default() +=
                entry.effects.values().sum::<u64>();
        }
        let file = subject.file().map(|file| file.to_string_lossy().into_owned());
        Record {
            seed: Seed(run.seed).to_string(),
            scenario: file.as_ref().map(|_| subject.title()),
            file,
            verdict: judged.outcome().name(),
            trace_hash: &run.trace_hash,
            virtual_ms: run.virtual_ms,
            operations: run.operations,
            messages: run.messages,
            fingerprint: judged.fingerprint().map(|print| print.id()),
            failure: judged.failure().map(|failure| FailureRecord {
                property: failure.property,
                peers: &failure.peers,
                operations_concerned: &failure.operations,
                failed_at_ms: failure.virtual_ms,
                detail: &failure.detail,
            }),
            faults,
            ledger: verbose.then(|| {
                let line = |entry: &'a Entry| LedgerLine {
                    fault: entry.fault.kind.name(),
                    at: &entry.place,
                    effects: &entry.effects,
                };
                run.ledger.entries().iter().map(line).collect()
            }),
            reason: reason(judged),
            divergence: judged.divergence.as_ref().map(|divergence| DivergenceRecord {
                second_trace_hash: &divergence.second_hash,
                first_difference: &divergence.first_difference,
            }),
            replay: (judged.outcome() != Outcome::Held).then(|| subject.replay()),
            as_saved: None,
            story: verbose.then(|| {
                let line = |line: &'a graphshell_sim::trace::Line| StoryLine {
                    virtual_ms: line.virtual_ms,
                    peer: &line.peer,
                    text: &line.text,
                };
                run.story.iter().map(line).collect()
            }),
        }
    }

    /// Notes whether the run is what its capsule saved.
    pub(crate) fn compared(self, as_saved: Option<bool>) -> Self {
        Record { as_saved, ..self }
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a record has string keys and whole numbers only")
    }
}

fn reason(judged: &Judged) -> Option<&str> {
    match &judged.run.verdict {
        Verdict::Invalid(reason) => Some(reason),
        Verdict::Held | Verdict::Failed(_) => None,
    }
}

/// Says what is wrong with a run that did not hold, wrapped to `columns`.
pub(crate) fn block(subject: &Subject, judged: &Judged, columns: usize) -> String {
    let bad = Style::new().red().bold();
    let headline = match (judged.outcome(), judged.failure()) {
        (Outcome::Failed, Some(failure)) => {
            format!("{} {}", bad.apply_to("failed:"), failure.property)
        }
        (Outcome::NotDeterministic, _) => bad.apply_to("not deterministic").to_string(),
        (Outcome::Invalid, _) => Style::new().yellow().apply_to("invalid").to_string(),
        _ => Style::new().green().apply_to("held").to_string(),
    };
    let mut rows = Vec::new();
    if let Some(divergence) = &judged.divergence {
        rows.push(("hashes", format!("{}\n{}", judged.run.trace_hash, divergence.second_hash)));
        rows.push(("differ at", divergence.first_difference.clone()));
    }
    if let Some(failure) = judged.failure() {
        if judged.divergence.is_some() {
            rows.push(("failed", failure.property.to_owned()));
        }
        rows.push(("at", format!("{} of virtual time", seconds(failure.virtual_ms))));
        rows.push(("peers", failure.peers.join(", ")));
        rows.push(("operations", failure.operations.join(", ")));
        rows.push(("detail", failure.detail.clone()));
    }
    if let Some(reason) = reason(judged) {
        rows.push(("reason", reason.to_owned()));
    }
    rows.push(("plan", subject.plan().why.clone()));
    rows.retain(|(_, text)| !text.is_empty());
    let mut block = format!("{}  {headline}", subject.title());
    for (name, text) in rows {
        block += "\n";
        block += &hanging(&format!("  {name:<10}  "), &text, columns);
    }
    // Never wrapped, to be copied whole.
    block + "\n  replay      " + &subject.replay()
}

/// The JSON object of a seed that came to no end.
pub(crate) fn lost_json(subject: &Subject, seed: Seed, failure: &Failure) -> String {
    json!({
        "seed": seed,
        "verdict": Outcome::Failed.name(),
        "fingerprint": Fingerprint::of(failure).id(),
        "property": failure.property,
        "detail": failure.detail,
        "replay": subject.replay(),
    })
    .to_string()
}

/// Says of a seed that it came to no end, wrapped to `columns`. Its plan is not asked for: expanding it may be
/// what panics or hangs.
pub(crate) fn lost_block(subject: &Subject, failure: &Failure, columns: usize) -> String {
    let bad = Style::new().red().bold();
    let head = format!("{}  {} {}", subject.title(), bad.apply_to("failed:"), failure.property);
    let detail = hanging("  detail      ", &failure.detail, columns);
    format!("{head}\n{detail}\n  replay      {}", subject.replay())
}

#[cfg(test)]
mod tests {
    use graphshell_sim::generate::Shape;
    use graphshell_sim::world::{Options, Run};

    use super::super::judge::{
        Divergence, judge,
        tests::{failed, held, invalid},
    };
    use super::super::subject::Recipe;
    use super::*;

    fn judged(run: fn() -> Run) -> Judged {
        judge(|_| run(), false, &Options::default())
    }

    fn seed() -> Subject {
        let shape = Shape { peers: 12, ..Shape::default() };
        Subject::Seed { seed: Seed(42), recipe: Recipe { shape, bait: None } }
    }

    #[test]
    fn a_failing_seed_says_what_who_when_and_how_to_replay() {
        let expected = "\
seed 0x2a  failed: convergence
  at          12.345 s of virtual time
  peers       α, β
  operations  α#3
  detail      graphs differ in one
              title
  plan        Seed 0x2a, profile
";
        let replay = "\n  replay      cargo sim replay 0x2a --peers 12 --verbose";
        let text = block(&seed(), &judged(failed), 39);
        assert!(text.starts_with(expected) && text.ends_with(replay), "{text}");
    }

    #[test]
    fn an_invalid_seed_says_why() {
        let text = block(&seed(), &judged(invalid), 80);
        assert!(text.starts_with("seed 0x2a  invalid\n  reason      the partition stopped"));
    }

    #[test]
    fn two_runs_that_differ_show_both_hashes_and_the_first_event() {
        let divergence =
            Divergence { second_hash: "bb".into(), first_difference: "event 3: …".into() };
        let judged = Judged { divergence: Some(divergence), ..judged(held) };
        let text = block(&seed(), &judged, 80);
        assert!(text.contains("  hashes      aa\n              bb\n  differ at   event 3: …"));
        let json = Record::new(&seed(), &judged, false).to_json();
        assert!(json.contains(r#""verdict":"not_deterministic","trace_hash":"aa""#), "{json}");
        assert!(json.contains(r#""second_trace_hash":"bb""#), "{json}");
    }

    #[test]
    fn the_record_of_a_failure_has_every_field() {
        let expected = concat!(
            r#"{"seed":"0x2a","verdict":"failed","trace_hash":"aa","virtual_ms":40123,"#,
            r#""operations":300,"messages":1200,"fingerprint":"b851ddea","#,
            r#""property":"convergence","peers":["α","β"],"#,
            r#""operations_concerned":["α#3"],"failed_at_ms":12345,"#,
            r#""detail":"graphs differ in one title","#,
            r#""replay":"cargo sim replay 0x2a --peers 12 --verbose"}"#,
        );
        assert_eq!(Record::new(&seed(), &judged(failed), false).to_json(), expected);
    }

    #[test]
    fn a_seed_that_came_to_no_end_says_how_to_replay_it() {
        let failure = Failure {
            property: "every seed comes to an end",
            peers: Vec::new(),
            operations: Vec::new(),
            virtual_ms: 0,
            detail: "given up".into(),
        };
        let expected = "\
seed 0x2a  failed: every seed comes to an end
  detail      given up
  replay      cargo sim replay 0x2a --peers 12 --verbose";
        assert_eq!(lost_block(&seed(), &failure, 80), expected);
        let told: serde_json::Value =
            serde_json::from_str(&lost_json(&seed(), Seed(42), &failure)).unwrap();
        assert_eq!((&told["seed"], &told["verdict"]), (&"0x2a".into(), &"failed".into()));
        assert_eq!(told["property"], failure.property);
    }

    #[test]
    fn the_record_of_a_seed_that_holds_is_short() {
        let expected = concat!(
            r#"{"seed":"0x2a","verdict":"held","trace_hash":"aa","virtual_ms":40123,"#,
            r#""operations":300,"messages":1200}"#,
        );
        assert_eq!(Record::new(&seed(), &judged(held), false).to_json(), expected);
    }
}
