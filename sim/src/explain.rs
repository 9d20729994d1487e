//! Explains one run: a page that opens offline, a trace for Perfetto, or lanes of text.
//!
//! Everything is read off a run that kept its marks; nothing here runs a plan, and nothing that a
//! run does depends on it. The page is one file with its data inside, draws with its own script
//! and asks nobody for anything.

mod causes;
mod entries;
mod events;
mod findings;
mod fit;
mod frames;
mod names;
mod page;
mod perfetto;
mod spans;
mod text;
mod views;

use std::collections::{BTreeMap, BTreeSet};

use graphshell_sync::Dot;
use serde::Serialize;

use crate::capsule::engine_version;
use crate::fingerprint::{Fingerprint, Ingredients};
use crate::plan::{Action, Plan};
use crate::trace::{Mark, Marked};
use crate::world::{Failure, Run, Verdict};
use causes::Cause;
use entries::Entry;
use events::{Event, EventKind, Story};
use findings::Findings;
use frames::Frame;
use names::Names;
use spans::Span;
use views::Shown;

/// How large a page is at most, in bytes.
pub const MOST_PAGE_BYTES: usize = 5_000_000;

/// What a run is called, and the commands that lead on from it.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    /// Its name: `seed 0x2a`, or the file's.
    pub title: String,
    /// Tells its story.
    pub replay: String,
    /// Makes it small; none for a recording.
    pub shrink: Option<String>,
    /// Whether it is a recording: all is known from one device, and there is no plan.
    pub recorded: bool,
}

/// An explanation of one run.
#[derive(Clone, Serialize)]
pub struct Explanation {
    about: About,
    verdict: Judgement,
    peers: Vec<Lane>,
    entries: Vec<Entry>,
    events: Vec<Event>,
    frames: Vec<Frame>,
    spans: Vec<Span>,
    views: Vec<Shown>,
    findings: Findings,
    /// The events that lead to the failure; empty if nothing failed, or if of a recording nothing
    /// is suspected.
    slice: Vec<usize>,
    /// The entries that the slice is about, as places in the list; empty means all.
    suspects: Vec<usize>,
    /// What is left out, so that the page is not too large.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<&'static str>,
}

/// A page, and what it leaves out.
pub struct Page {
    /// One HTML file that needs nothing else.
    pub html: String,
    /// What is left out since there was too much for one page, in words; the text has it.
    pub left_out: Vec<&'static str>,
}

/// Whether the run held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Held,
    Failed,
    Invalid,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Held => "held",
            Outcome::Failed => "failed",
            Outcome::Invalid => "invalid",
        }
    }
}

/// What came of the run.
#[derive(Clone, Serialize)]
struct Judgement {
    outcome: Outcome,
    /// The property that failed; why a run is invalid.
    what: String,
    detail: String,
    peers: Vec<usize>,
    /// The entries concerned, as places in the list.
    entries: Vec<usize>,
    at_ms: u64,
    /// The failure in the list of events.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<usize>,
    /// What the failure looks like.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    /// Kinds of faults that the plan has.
    faults: Vec<String>,
    /// Why peers need not show the same in the end, if they do not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    apart: Vec<String>,
    /// Why the scenario exists; empty for a seed.
    why: String,
    engine: &'static str,
    trace_hash: String,
    virtual_ms: u64,
    /// How often what happened.
    counts: BTreeMap<&'static str, u64>,
}

/// One peer.
#[derive(Clone, Serialize)]
struct Lane {
    name: String,
    /// Changes of its wall clock: since when it is off by how much, in milliseconds.
    clock: Vec<(u64, i64)>,
    /// By how much it is too fast beside, in millionths.
    drift_ppm: i64,
}

impl Explanation {
    /// Explains a run of `plan` that kept events and marks; without them there is little to show.
    pub fn new(plan: &Plan, run: &Run, about: About) -> Self {
        let place_of = |name: &str| plan.peer_index(name);
        let names = Names::new(plan, run);
        let failure = match &run.verdict {
            Verdict::Failed(failure) => Some(failure),
            Verdict::Held | Verdict::Invalid(_) => None,
        };
        let event = failure.map(|failure| {
            let peers = failure.peers.iter().filter_map(|name| place_of(name)).collect();
            Event::new(failure.virtual_ms, peers, EventKind::Fail, failure.property.to_owned())
        });
        let mut story = Story::new(&run.story, &run.marks, names, event, place_of);
        let mut by_peer: BTreeMap<usize, Vec<_>> = BTreeMap::new();
        for &(peer, event, view) in &story.views {
            if story.failed.is_none_or(|failed| event < failed) {
                by_peer.entry(peer).or_default().push((event, view));
            }
        }
        let mut verdict = judgement(plan, run, failure, &story);
        let failing: Vec<(usize, &str)> =
            verdict.peers.iter().map(|&peer| (peer, plan.peers[peer].name.as_str())).collect();
        let findings = Findings::new(&failing, &by_peer, &story.entries, &story.names);
        let suspects = suspects(&verdict, &findings, &story);
        let slice = match failure {
            Some(_) if about.recorded && suspects.is_empty() => {
                stop(&mut story, &mut verdict);
                Vec::new()
            }
            Some(_) => fail(&mut story, &mut verdict, &findings, &suspects),
            None => Vec::new(),
        };
        let views = views::shown(&story.views, &story.names);
        let end_ms = story.events.last().map_or(0, |event| event.at_ms).max(run.virtual_ms);
        let entries = story.entries.told(&story.names, story.epoch_ms);
        story.events.iter_mut().for_each(|event| event.name_entries(&entries, &suspects));
        Explanation {
            about,
            verdict,
            peers: lanes(plan),
            entries,
            spans: spans::spans(plan, &run.marks, end_ms),
            views,
            findings,
            slice,
            suspects: suspects.into_iter().collect(),
            left_out: Vec::new(),
            frames: story.frames.all,
            events: story.events,
        }
    }

    /// The page: of at most [`MOST_PAGE_BYTES`], if leaving out what matters least is enough for that.
    pub fn to_page(&self) -> Page {
        page::fitted(self, MOST_PAGE_BYTES)
    }

    /// The page's HTML alone.
    pub fn to_html(&self) -> String {
        self.to_page().html
    }

    /// The run in the JSON format of Chrome's trace viewer, which Perfetto reads.
    pub fn to_perfetto(&self) -> String {
        perfetto::json(self)
    }

    /// The run in lanes of text, no line wider than `columns`; of a failure only what leads to it,
    /// unless `whole`.
    pub fn to_text(&self, columns: usize, whole: bool) -> String {
        text::lanes(self, columns, whole)
    }
}

fn judgement(plan: &Plan, run: &Run, failure: Option<&Failure>, story: &Story<'_>) -> Judgement {
    let (outcome, what) = match &run.verdict {
        Verdict::Held => (Outcome::Held, String::new()),
        Verdict::Failed(failure) => (Outcome::Failed, failure.property.to_owned()),
        Verdict::Invalid(reason) => (Outcome::Invalid, reason.clone()),
    };
    let peers = failure.map_or(&[][..], |failure| &failure.peers);
    let operations = failure.map_or(&[][..], |failure| &failure.operations);
    let named = |dot: &&Dot| operations.contains(&story.names.entry(**dot));
    let entries = story.entries.dots().iter().filter(named);
    Judgement {
        outcome,
        what,
        detail: failure.map_or_else(String::new, |found| story.names.readable(&found.detail)),
        peers: peers.iter().filter_map(|name| plan.peer_index(name)).collect(),
        entries: entries.filter_map(|&dot| story.entries.find(dot)).collect(),
        at_ms: failure.map_or(run.virtual_ms, |failure| failure.virtual_ms),
        event: None,
        fingerprint: failure.map(|failure| Fingerprint::of(failure).id()),
        faults: Ingredients::of(plan).faults.into_iter().collect(),
        apart: apart(run),
        why: plan.why.clone(),
        engine: engine_version(),
        trace_hash: run.trace_hash.clone(),
        virtual_ms: run.virtual_ms,
        counts: run.counts.clone(),
    }
}

/// Why peers need not show the same in the end, in the words of a run that held.
fn apart(run: &Run) -> Vec<String> {
    if !matches!(run.verdict, Verdict::Held) {
        return Vec::new();
    }
    let told = |marked: &Marked| match &marked.mark {
        Mark::Apart { why } => Some(why.clone()),
        _ => None,
    };
    run.marks.iter().filter_map(told).collect()
}

/// The entries that bear on the failure: those that it names, or those about what is wrong.
fn suspects(verdict: &Judgement, findings: &Findings, story: &Story<'_>) -> BTreeSet<usize> {
    if !verdict.entries.is_empty() {
        return verdict.entries.iter().copied().collect();
    }
    let dots = findings.suspects(&story.entries);
    dots.into_iter().filter_map(|dot| story.entries.find(dot)).collect()
}

/// Says what the failure follows from. Returns the slice that leads to it.
fn fail(
    story: &mut Story<'_>,
    verdict: &mut Judgement,
    findings: &Findings,
    suspects: &BTreeSet<usize>,
) -> Vec<usize> {
    let all: BTreeSet<usize>;
    let about = if suspects.is_empty() {
        all = (0..story.entries.dots().len()).collect();
        &all
    } else {
        suspects
    };
    // Where a peer went wrong, that explains all that came of it.
    let mut causes: Vec<Cause> =
        findings.wrong_since.iter().map(|since| Cause::whole(since.event)).collect();
    for since in &findings.wrong_since {
        let shown = story.history.of_shown(since.peer, since.event, suspects);
        let known = &mut story.events[since.event].causes;
        known.extend(shown.into_iter().filter(|cause| !known.contains(cause)).collect::<Vec<_>>());
    }
    if causes.is_empty() {
        causes = story.history.of_failure(&verdict.peers, about);
        // What did not arrive matters as much as what did.
        for frame in &story.frames.all {
            let lost = frame.lost.filter(|_| verdict.peers.contains(&frame.to));
            let carried: Vec<usize> =
                frame.entries.iter().copied().filter(|entry| suspects.contains(entry)).collect();
            if let Some(event) = lost.filter(|_| !carried.is_empty()) {
                causes.push(Cause { event, entries: carried });
            }
        }
    }
    let Some(last) = story.failed else { return Vec::new() };
    causes.retain(|cause| cause.event < last);
    // What is demanded after the heal is demanded because of it.
    let healed = story.events[..last].iter().rposition(|event| event.kind == EventKind::Heal);
    if !causes.is_empty() {
        causes.extend(healed.map(Cause::whole));
    }
    verdict.event = Some(last);
    let event = &mut story.events[last];
    (event.text, event.entries, event.causes) =
        (verdict.detail.clone(), verdict.entries.clone(), causes);
    causes::slice(&story.events, last, (!suspects.is_empty()).then_some(suspects))
}

/// Ends a recording at a failure that names no entry: all that is known is after what it was seen.
fn stop(story: &mut Story<'_>, verdict: &mut Judgement) {
    let Some(last) = story.failed else { return };
    verdict.event = Some(last);
    let there = |event: &Event| event.peers.iter().any(|peer| verdict.peers.contains(peer));
    let before = story.events[..last].iter().rposition(there);
    if let Some(before) = before {
        story.events[before].minor = false;
    }
    let event = &mut story.events[last];
    event.text.clone_from(&verdict.detail);
    event.causes = before.map(Cause::whole).into_iter().collect();
}

fn lanes(plan: &Plan) -> Vec<Lane> {
    let mut steps: Vec<_> = plan.steps.iter().collect();
    steps.sort_by_key(|step| step.at_ms);
    let lane = |peer: &crate::plan::Peer| {
        let drift_ppm = peer.clock_drift_ppm;
        let mut clock = vec![(0, peer.clock_offset_ms)];
        for step in &steps {
            let by_ms = match &step.action {
                Action::ClockJump { peer: who, by_ms } if *who == peer.name => *by_ms,
                Action::TimePasses { by_ms } if drift_ppm != 0 => {
                    let drift = i128::from(*by_ms) * i128::from(drift_ppm) / 1_000_000;
                    i64::try_from(drift).unwrap_or_default()
                }
                _ => continue,
            };
            let now = clock.last().map_or(0, |&(_, offset)| offset);
            clock.push((step.at_ms, now.saturating_add(by_ms)));
        }
        Lane { name: peer.name.clone(), clock, drift_ppm }
    };
    plan.peers.iter().map(lane).collect()
}
