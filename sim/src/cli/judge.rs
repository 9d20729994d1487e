//! Runs a plan, a second time where determinism is in question, and says what came of it.

use graphshell_sim::fingerprint::Fingerprint;
use graphshell_sim::trace::Line;
use graphshell_sim::world::{Failure, Options, Run, Verdict};
use serde::{Deserialize, Serialize};

use super::exit::Exit;
use super::text;

/// One judged plan.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The first run.
    pub(crate) run: Run,
    /// How a second one differed, if there was one and it did.
    pub(crate) divergence: Option<Divergence>,
}

/// Two runs of one plan that should have been the same.
#[derive(Debug)]
pub(crate) struct Divergence {
    /// The trace hash of the second run; that of the first stands in its run.
    pub(crate) second_hash: String,
    /// Where they part, in words.
    pub(crate) first_difference: String,
}

/// What came of a plan. A run that differs the second time proves nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Held,
    Failed,
    Invalid,
    NotDeterministic,
}

impl Outcome {
    /// Its name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Outcome::Held => "held",
            Outcome::Failed => "failed",
            Outcome::Invalid => "invalid",
            Outcome::NotDeterministic => "not_deterministic",
        }
    }

    /// How the program ends with it.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Outcome::Held => Exit::Held,
            Outcome::Failed => Exit::PropertyFailed,
            Outcome::Invalid => Exit::ProvedNothing,
            Outcome::NotDeterministic => Exit::NotDeterministic,
        }
    }

    /// Whether it says something against the engine or the simulator.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Outcome::Failed | Outcome::NotDeterministic)
    }
}

impl From<&Verdict> for Outcome {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Held => Outcome::Held,
            Verdict::Failed(_) => Outcome::Failed,
            Verdict::Invalid(_) => Outcome::Invalid,
        }
    }
}

impl Judged {
    pub(crate) fn outcome(&self) -> Outcome {
        match &self.divergence {
            Some(_) => Outcome::NotDeterministic,
            None => (&self.run.verdict).into(),
        }
    }

    /// The property that failed in the first run.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match &self.run.verdict {
            Verdict::Failed(failure) => Some(failure),
            Verdict::Held | Verdict::Invalid(_) => None,
        }
    }

    /// What the failure looks like; `None` if it held or was invalid.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        match self.outcome() {
            Outcome::NotDeterministic => Some(Fingerprint::not_deterministic()),
            _ => self.failure().map(Fingerprint::of),
        }
    }
}

/// Judges what `run` runs; runs it twice if `twice`, or if it does not hold.
pub(crate) fn judge(run: impl Fn(&Options) -> Run, twice: bool, options: &Options) -> Judged {
    let first = run(options);
    let held = matches!(first.verdict, Verdict::Held);
    if held && !twice {
        return Judged { run: first, divergence: None };
    }
    let second = run(options);
    let divergence = (!same(&first, &second)).then(|| Divergence {
        first_difference: if options.keep_events {
            first_difference(&first.story, &second.story)
        } else {
            let told = Options { keep_events: true, ..Options::default() };
            first_difference(&run(&told).story, &run(&told).story)
        },
        second_hash: second.trace_hash,
    });
    Judged { run: first, divergence }
}

/// Whether two runs agree in everything that is reported, beside the story: the hash covers it.
fn same(a: &Run, b: &Run) -> bool {
    let verdicts = match (&a.verdict, &b.verdict) {
        (Verdict::Held, Verdict::Held) => true,
        (Verdict::Invalid(a), Verdict::Invalid(b)) => a == b,
        (Verdict::Failed(a), Verdict::Failed(b)) => {
            (a.property, &a.peers, &a.operations, a.virtual_ms, &a.detail)
                == (b.property, &b.peers, &b.operations, b.virtual_ms, &b.detail)
        }
        _ => false,
    };
    verdicts
        && (&a.trace_hash, a.virtual_ms, a.operations, a.messages, &a.counts, &a.ledger)
            == (&b.trace_hash, b.virtual_ms, b.operations, b.messages, &b.counts, &b.ledger)
}

/// Names the first event in which two stories differ.
fn first_difference(first: &[Line], second: &[Line]) -> String {
    let key = |line: &Line| (line.virtual_ms, line.peer.clone(), line.text.clone());
    let at = first.iter().map(key).zip(second.iter().map(key)).take_while(|(a, b)| a == b).count();
    let told = |story: &[Line]| match story.get(at) {
        Some(line) => {
            format!("{} {}: {}", text::seconds(line.virtual_ms), line.peer, line.text)
        }
        None => "the story ends".to_owned(),
    };
    if at == first.len() && at == second.len() {
        return format!("none of the {at} events that are told differs");
    }
    format!("event {}: first run: {}; second run: {}", at + 1, told(first), told(second))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;

    use graphshell_sim::ledger::Ledger;

    use super::*;

    pub(crate) fn held() -> Run {
        Run {
            seed: 42,
            verdict: Verdict::Held,
            trace_hash: "aa".into(),
            virtual_ms: 40_123,
            operations: 300,
            messages: 1_200,
            counts: BTreeMap::from([("gap buffered", 3)]),
            ledger: Ledger::default(),
            story: Vec::new(),
            marks: Vec::new(),
            authors: BTreeMap::new(),
        }
    }

    pub(crate) fn failed() -> Run {
        let failure = Failure {
            property: "convergence",
            peers: vec!["α".into(), "β".into()],
            operations: vec!["α#3".into()],
            virtual_ms: 12_345,
            detail: "graphs differ in one title".into(),
        };
        Run { verdict: Verdict::Failed(failure), ..held() }
    }

    pub(crate) fn invalid() -> Run {
        Run { verdict: Verdict::Invalid("the partition stopped no frame".into()), ..held() }
    }

    /// Runs that differ from the `n`-th event on.
    fn drifting(n: usize) -> impl Fn(&Options) -> Run {
        let runs = Cell::new(0);
        move |options| {
            runs.set(runs.get() + 1);
            let line = |at| Line {
                virtual_ms: at as u64 * 500,
                peer: "α".into(),
                text: format!("draws {}", if at < n { 0 } else { runs.get() }),
            };
            let story = if options.keep_events { (0..4).map(line).collect() } else { Vec::new() };
            Run { trace_hash: format!("{:02}", runs.get()), story, ..held() }
        }
    }

    #[test]
    fn a_seed_that_holds_runs_once_unless_asked() {
        let runs = Cell::new(0);
        let run = |_: &Options| {
            runs.set(runs.get() + 1);
            held()
        };
        judge(run, false, &Options::default());
        assert_eq!(runs.get(), 1);
        judge(run, true, &Options::default());
        assert_eq!(runs.get(), 3);
    }

    #[test]
    fn a_failure_that_does_not_repeat_is_not_deterministic() {
        let runs = Cell::new(0);
        let flaky = |_: &Options| {
            runs.set(runs.get() + 1);
            if runs.get() == 1 { failed() } else { held() }
        };
        let judged = judge(flaky, false, &Options::default());
        assert_eq!(judged.outcome(), Outcome::NotDeterministic);
    }

    #[test]
    fn a_failure_that_repeats_is_a_failure() {
        let judged = judge(|_| failed(), false, &Options::default());
        assert_eq!(judged.outcome(), Outcome::Failed);
    }

    #[test]
    fn the_first_event_that_differs_is_named() {
        for keep_events in [false, true] {
            let judged = judge(drifting(2), true, &Options { keep_events, ..Options::default() });
            let divergence = judged.divergence.expect("the runs drift");
            assert_eq!((judged.run.trace_hash.as_str(), &*divergence.second_hash), ("01", "02"));
            let difference = divergence.first_difference;
            assert!(
                difference.starts_with("event 3: first run: 1.000 s α: draws "),
                "{difference}"
            );
        }
    }

    #[test]
    fn a_story_that_ends_early_differs() {
        let line = Line { virtual_ms: 0, peer: "α".into(), text: "edits".into() };
        let difference = first_difference(&[line], &[]);
        assert!(difference.ends_with("second run: the story ends"), "{difference}");
    }
}
