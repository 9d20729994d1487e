//! A recording as a run: a lane for the device, and one for each that it talks to.
//!
//! Of the others only their frames are known. When they sent or got one is not: what arrives here
//! left when it arrived, a question was there halfway between asking and the answer, and whether an answer
//! arrived nobody knows.

use std::collections::BTreeMap;

use graphshell_sync::recording::{Input, NextStep, Output, Player, Step};
use graphshell_sync::{DeviceId, Dot, Event, PeerId, Record, VersionVector};

use super::{Replayed, Verdict, Watch, words};
use crate::plan::{Peer, Plan};
use crate::trace::{Mark, Trace};
use crate::world::{self, Run};

/// Most steps that are drawn, the last ones: a page of more says less.
const MOST: u64 = 2_000;
/// Digits of a device's id that name its lane.
const DIGITS: usize = 8;
/// The lane of the device that was recorded.
const ME: usize = 0;

/// A run in the making.
pub(super) struct Drawing {
    trace: Trace,
    /// By lane: whose it is.
    lanes: Vec<(DeviceId, String)>,
    /// Steps that are not drawn.
    skipped: u64,
    steps: u64,
    /// By the device's clock, in Unix milliseconds; stands still after it was set back.
    at_ms: u64,
    /// When drawing began.
    from_ms: u64,
    me: Option<PeerId>,
    /// As whom the device authored.
    names: BTreeMap<PeerId, String>,
    applied: VersionVector,
    /// Whether a core begins, or the drawing: what it holds has not come about here.
    begins: bool,
    /// Whether a change was told since the graph was drawn.
    changed: bool,
    /// Whether the step is one of the user.
    edited: bool,
    /// What the log was found to hold, until it is drawn.
    found: Vec<Record>,
    append: Vec<Record>,
    base: Option<VersionVector>,
    /// Frames by link.
    sent: BTreeMap<(usize, usize), u64>,
    /// The calls of this device: to whom, the frame's number, when.
    asked: BTreeMap<u64, (usize, u64, u64)>,
    /// The calls of others: who asks.
    asks: BTreeMap<u64, usize>,
    rounds: BTreeMap<u64, usize>,
    counts: BTreeMap<&'static str, u64>,
}

impl Drawing {
    /// Draws the end of a recording with so many steps.
    pub(super) fn new(device: DeviceId, steps: u64) -> Self {
        Drawing {
            trace: Trace::new(true, true),
            lanes: vec![(device, "this device".to_owned())],
            skipped: steps.saturating_sub(MOST),
            steps: 0,
            at_ms: 0,
            from_ms: 0,
            me: None,
            names: BTreeMap::new(),
            applied: VersionVector::new(),
            begins: false,
            changed: false,
            edited: false,
            found: Vec::new(),
            append: Vec::new(),
            base: None,
            sent: BTreeMap::new(),
            asked: BTreeMap::new(),
            asks: BTreeMap::new(),
            rounds: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    /// The run, and a plan that names who took part.
    pub(super) fn finish(mut self, replayed: &Replayed) -> (Plan, Run) {
        let skipped = match self.skipped {
            0 => String::new(),
            skipped => format!(", the first {skipped} of them not drawn"),
        };
        let why = format!("A recording of one device, {} steps{skipped}.", replayed.steps);
        let virtual_ms = self.now_ms();
        let verdict = match &replayed.verdict {
            Verdict::Same => world::Verdict::Held,
            Verdict::Failed(failure) => self.failed(
                failure.property,
                &failure.operations,
                format!("{} (after step {})", failure.detail, failure.step),
            ),
            Verdict::Differs { step, detail } => self.failed(
                "the engine does what was recorded",
                &[],
                format!("{detail} (after step {step})"),
            ),
        };
        self.counts.insert("steps", replayed.steps);
        self.counts.insert("outputs", replayed.outputs);
        let run = Run {
            seed: 0,
            verdict,
            trace_hash: self.trace.hash(),
            virtual_ms,
            operations: 0,
            messages: 0,
            counts: self.counts,
            ledger: Default::default(),
            story: self.trace.take_lines(),
            marks: self.trace.take_marks(),
            authors: self.names,
        };
        let peers = self.lanes.into_iter().map(|(_, name)| Peer::new(&name)).collect();
        (Plan::idle(why, peers), run)
    }

    fn failed(&self, property: &'static str, dots: &[Dot], detail: String) -> world::Verdict {
        let name = |dot: &Dot| {
            let author = self.names.get(&dot.peer);
            let author = author.cloned().unwrap_or_else(|| shortened(&dot.peer.to_string()));
            format!("{author}#{}", dot.sequence)
        };
        world::Verdict::Failed(world::Failure {
            property,
            peers: vec![self.lanes[ME].1.clone()],
            operations: dots.iter().map(name).collect(),
            virtual_ms: self.now_ms(),
            detail: self.readable(detail),
        })
    }

    fn now_ms(&self) -> u64 {
        self.at_ms - self.from_ms
    }

    fn is_drawn(&self) -> bool {
        self.steps > self.skipped
    }

    /// The lane of a device.
    fn lane(&mut self, device: DeviceId) -> usize {
        if let Some(lane) = self.lanes.iter().position(|(other, _)| *other == device) {
            return lane;
        }
        self.lanes.push((device, shortened(&device.to_string())));
        self.lanes.len() - 1
    }

    /// The text with devices by the names of their lanes.
    fn readable(&self, text: String) -> String {
        let name = |text: String, (device, name): &(DeviceId, String)| {
            text.replace(&device.to_string(), name)
        };
        self.lanes.iter().fold(text, name)
    }

    fn tell(&mut self, lane: usize, text: String) {
        self.tell_at(self.at_ms, lane, text);
    }

    fn tell_at(&mut self, at_ms: u64, lane: usize, text: String) {
        if self.is_drawn() {
            let text = self.readable(text);
            let at_ms = at_ms.saturating_sub(self.from_ms);
            self.trace.record(at_ms, &self.lanes[lane].1, format_args!("{text}"), &[]);
        }
    }

    fn mark(&mut self, lane: usize, mark: Mark) {
        if self.is_drawn() {
            self.trace.mark(self.now_ms(), Some(lane), mark);
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// A frame leaves; its number on its link.
    fn sends(
        &mut self,
        (from, to): (usize, usize),
        call: u64,
        answers: bool,
        body: Vec<u8>,
    ) -> u64 {
        let nth = self.sent.entry((from, to)).or_default();
        *nth += 1;
        let nth = *nth;
        self.mark(from, Mark::Sent { to, nth, call, answers, body });
        nth
    }

    /// A frame of another device comes.
    fn gets(&mut self, from: usize, call: u64, answers: bool, body: Vec<u8>, text: String) {
        self.tell(from, "sends it".to_owned());
        let nth = self.sends((from, ME), call, answers, body);
        self.tell(ME, text);
        self.mark(ME, Mark::Arrived { from, nth, again: false });
        self.count("frames that came");
    }

    fn input(&mut self, input: &Input, text: String) {
        match input {
            Input::Asked { call, from, request } => {
                let from = self.lane(*from);
                self.asks.insert(*call, from);
                self.gets(from, *call, false, request.encode(), text);
            }
            Input::Returned { call, response: Ok(response) } => {
                let Some((to, nth, asked_ms)) = self.asked.remove(call) else {
                    return self.tell(ME, text);
                };
                self.tell_at(asked_ms.midpoint(self.at_ms), to, "gets it".to_owned());
                self.mark(to, Mark::Arrived { from: ME, nth, again: false });
                self.gets(to, *call, true, response.encode(), text);
            }
            Input::Returned { call, response: Err(_) } => {
                self.asked.remove(call);
                self.tell(ME, text);
                self.count("calls that failed");
            }
            Input::Start { round, peer } => {
                let with = self.lane(*peer);
                self.rounds.insert(*round, with);
                self.tell(ME, text);
                self.mark(ME, Mark::RoundBegan { with });
                self.count("rounds");
            }
            Input::Appended(result) => {
                self.tell(ME, text);
                self.mark(ME, Mark::Wrote);
                let records = std::mem::take(&mut self.append);
                if result.is_ok() {
                    self.mark(ME, Mark::Stored(records));
                }
            }
            Input::Rebased(result) => {
                self.tell(ME, text);
                if let (Some(vector), Ok(())) = (self.base.take(), result) {
                    self.mark(ME, Mark::Rebased(vector));
                }
            }
            Input::Loaded { records: Ok(_), .. } => {}
            _ => self.tell(ME, text),
        }
    }

    fn output(&mut self, output: &Output) {
        let text = words::output(output);
        match output {
            Output::Append(records) => {
                self.append.clone_from(records);
                self.tell(ME, text);
                self.mark(ME, Mark::Writing);
            }
            Output::Rebase { base, .. } => {
                self.base = Some(base.vector.clone());
                self.tell(ME, text);
            }
            Output::Ask { call, to, request } => {
                let to = self.lane(*to);
                self.tell(ME, text);
                let nth = self.sends((ME, to), *call, false, request.encode());
                self.asked.insert(*call, (to, nth, self.at_ms));
            }
            Output::Answer { call, response } => {
                self.tell(ME, text);
                if let Some(to) = self.asks.remove(call) {
                    self.sends((ME, to), *call, true, response.encode());
                }
            }
            Output::Finished { round, result } => {
                self.tell(ME, text);
                if let Some(with) = self.rounds.remove(round) {
                    self.mark(ME, Mark::RoundEnded { with, well: result.is_ok() });
                }
            }
            Output::Event(event) => {
                self.changed |= matches!(event, Event::Changed(_) | Event::Reset);
                self.tell(ME, text);
            }
            Output::Load { .. } => {}
            _ => self.tell(ME, text),
        }
    }

    /// Draws what a reader sees, if that is something else.
    fn shown(&mut self, player: &Player<'_>) {
        let Some(applied) = player.version_vector() else { return };
        if std::mem::take(&mut self.begins) {
            let records = std::mem::take(&mut self.found);
            self.mark(ME, Mark::Held { records, applied: applied.clone() });
        }
        if (self.changed || applied != self.applied)
            && let Some(graph) = player.told_graph()
        {
            self.changed = false;
            self.applied = applied.clone();
            self.trace.show(self.now_ms(), ME, graph, applied);
        }
    }
}

impl Watch for Drawing {
    fn before(&mut self, next: &NextStep) {
        self.steps += 1;
        self.at_ms = self.at_ms.max(next.at_ms);
        if self.steps == self.skipped + 1 {
            self.from_ms = self.at_ms;
            self.begins = true;
            self.trace.record(0, "", format_args!("the recording begins"), &[]);
            self.trace.mark(0, None, Mark::Begun { epoch_ms: self.from_ms });
        }
        let step = &next.step;
        self.edited = matches!(step, Step::Edit { .. } | Step::Resolve { .. } | Step::Import(_));
        self.begins |= matches!(step, Step::Began | Step::Image(_));
        let text = words::step(step);
        match step {
            Step::Input(given) => self.input(given, text),
            Step::Drawn(_) | Step::Looked | Step::Gave(_) => {}
            Step::Read { records, .. } => {
                self.found.extend(records.iter().flatten().cloned());
            }
            Step::Share { device, .. } => {
                let id = device.to_string();
                self.tell(ME, text.replace(&id, &shortened(&id)));
            }
            Step::Opened(_) => {
                self.tell(ME, text);
                self.mark(ME, Mark::Started);
            }
            Step::Began => {
                self.tell(ME, text);
                self.mark(ME, Mark::Ready);
            }
            _ => self.tell(ME, text),
        }
    }

    fn after(&mut self, outputs: &[Output], player: &Player<'_>) {
        if let Some(me) = player.peer_id() {
            let nth = self.names.len() + 1;
            self.names.entry(me).or_insert_with(|| match nth {
                1 => "me".to_owned(),
                nth => format!("me-{nth}"),
            });
            let before = if self.me == Some(me) { self.applied.get(me) } else { 0 };
            let last = player.version_vector().map_or(0, |applied| applied.get(me));
            if self.edited && last > before {
                let dots = (before + 1..=last).map(|sequence| Dot { peer: me, sequence });
                self.mark(ME, Mark::Authored(dots.collect()));
            }
            self.me = Some(me);
        }
        outputs.iter().for_each(|output| self.output(output));
        if self.is_drawn() {
            self.shown(player);
        }
    }
}

/// As much of an id as tells it from others.
fn shortened(id: &str) -> String {
    format!("{}…", &id[..DIGITS])
}
