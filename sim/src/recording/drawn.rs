//! A recording as a run: a lane for the device, and one for each that it talks to.
//!
//! Of the others only their frames are known. When they sent or got one is not: what arrives here
//! left when it arrived, a question was there halfway between asking and the answer, and whether an answer
//! arrived nobody knows.

use std::collections::BTreeMap;

use graphshell_sync::recording::{Input, NextStep, Output, Player, Step};
use graphshell_sync::{DeviceId, Dot, Event, PeerId, Record, VersionVector};

use super::elapsed::Elapsed;
use super::{Replayed, Verdict, Watch, words};
use crate::plan::{Peer, Plan};
use crate::text::counted;
use crate::trace::{Mark, Trace};
use crate::world::{self, Run};

/// Digits of a device's id that name its lane.
const DIGITS: usize = 8;
/// The lane of the device that was recorded.
const ME: usize = 0;

/// A run in the making.
pub(super) struct Drawing {
    trace: Trace,
    /// By lane: whose it is.
    lanes: Vec<(DeviceId, String)>,
    /// Steps that are left out, the first ones.
    skipped: u64,
    steps: u64,
    /// Whether drawing has begun.
    begun: bool,
    elapsed: Elapsed,
    /// Since drawing began.
    now_ms: u64,
    /// As whom the device authors, and how much it has authored under that name.
    own: Option<(PeerId, u64)>,
    /// As whom it ever authored.
    names: BTreeMap<PeerId, String>,
    /// What was shown last.
    applied: VersionVector,
    /// Whether a change was told since then.
    changed: bool,
    /// Whether the step makes a core.
    begins: bool,
    /// Whether the step is one of the user.
    edited: bool,
    /// What the log holds that is not drawn.
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
    /// Draws a recording of so many steps, of which the first are left out if there are more than
    /// `most`.
    pub(super) fn new(device: DeviceId, steps: u64, most: u64) -> Self {
        Drawing {
            trace: Trace::new(true, true),
            lanes: vec![(device, "this device".to_owned())],
            skipped: steps.saturating_sub(most),
            steps: 0,
            begun: false,
            elapsed: Elapsed::default(),
            now_ms: 0,
            own: None,
            names: BTreeMap::new(),
            applied: VersionVector::new(),
            changed: false,
            begins: false,
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
        self.begin();
        let Replayed { head, steps, cut, .. } = replayed;
        let mut why = format!(
            "A recording of one device by engine version {} (its build is not in the file), {}",
            head.engine,
            counted(*steps, "step")
        );
        if self.skipped > 0 {
            why += &format!("; the first {} are left out", self.skipped);
        }
        if let Some(bytes) = cut {
            why += &format!("; the file was cut, no whole step: {}", counted(*bytes, "byte"));
        }
        let verdict = match &replayed.verdict {
            Verdict::Same => world::Verdict::Held,
            Verdict::Failed(failure) => self.failed(
                failure.property,
                &failure.operations,
                format!("after step {}: {}", failure.step, failure.detail),
            ),
            Verdict::Differs { step, detail } => self.failed(
                "the engine does what was recorded",
                &[],
                format!("after step {step}: {detail}"),
            ),
        };
        self.counts.insert("steps", *steps);
        self.counts.insert("outputs", replayed.outputs);
        let run = Run {
            seed: 0,
            verdict,
            trace_hash: self.trace.hash(),
            virtual_ms: self.now_ms,
            operations: 0,
            messages: 0,
            counts: self.counts,
            ledger: Default::default(),
            story: self.trace.take_lines(),
            marks: self.trace.take_marks(),
            authors: self.names,
        };
        let peers = self.lanes.into_iter().map(|(_, name)| Peer::new(&name)).collect();
        (Plan::idle(why + ".", peers), run)
    }

    /// What comes from now on is drawn.
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            let text = match self.skipped {
                0 => "the recording begins".to_owned(),
                skipped => format!("{skipped} earlier steps are left out"),
            };
            self.now_ms = 0;
            self.elapsed.ms = 0;
            self.asked.values_mut().for_each(|(_, _, asked_ms)| *asked_ms = 0);
            self.trace.record(0, "", format_args!("{text}"), &[]);
            let epoch_ms = self.elapsed.clock_ms.unwrap_or_default();
            self.trace.mark(0, None, || Mark::Begun { epoch_ms });
        }
    }

    /// A core holds what did not come about here.
    fn holds(&mut self, player: &Player<'_>) {
        if let Some(applied) = player.version_vector() {
            let records = std::mem::take(&mut self.found);
            self.mark(ME, Mark::Held { records, applied });
        }
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
            virtual_ms: self.now_ms,
            detail: self.readable(detail),
        })
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
        self.tell_at(self.now_ms, lane, text);
    }

    fn tell_at(&mut self, at_ms: u64, lane: usize, text: String) {
        if self.begun {
            let text = self.readable(text);
            self.trace.record(at_ms, &self.lanes[lane].1, format_args!("{text}"), &[]);
        }
    }

    fn mark(&mut self, lane: usize, mark: Mark) {
        if self.begun {
            self.trace.mark(self.now_ms, Some(lane), || mark);
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

    fn ends(&mut self, round: u64) {
        if let Some(with) = self.rounds.remove(&round) {
            self.mark(ME, Mark::RoundEnded { with });
        }
    }

    /// The store is opened, for the first time or for another core: nobody waits for what was under
    /// way.
    fn opens(&mut self, text: String) {
        self.tell(ME, text);
        if self.own.is_none() {
            self.mark(ME, Mark::Started);
        }
        if !std::mem::take(&mut self.append).is_empty() {
            self.mark(ME, Mark::Wrote);
        }
        self.base = None;
        self.asked.clear();
        self.asks.clear();
        for round in self.rounds.keys().copied().collect::<Vec<_>>() {
            self.ends(round);
        }
        self.found.clear();
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
                self.tell_at(asked_ms.midpoint(self.now_ms), to, "gets it".to_owned());
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
                match result {
                    Ok(()) if self.begun => self.mark(ME, Mark::Stored(records)),
                    Ok(()) => self.found.extend(records),
                    Err(_) => {}
                }
            }
            Input::Rebased(result) => {
                self.tell(ME, text);
                if let (Some(vector), Ok(())) = (self.base.take(), result) {
                    self.mark(ME, Mark::Rebased(vector));
                }
            }
            Input::Abandon { round } => {
                self.tell(ME, text);
                self.ends(*round);
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
                self.asked.insert(*call, (to, nth, self.now_ms));
            }
            Output::Answer { call, response } => {
                self.tell(ME, text);
                if let Some(to) = self.asks.remove(call) {
                    self.sends((ME, to), *call, true, response.encode());
                }
            }
            Output::Finished { round, .. } => {
                self.tell(ME, text);
                self.ends(*round);
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
        if (self.changed || applied != self.applied)
            && let Some(graph) = player.told_graph()
        {
            self.changed = false;
            self.applied = applied.clone();
            self.trace.show(self.now_ms, ME, graph, applied);
        }
    }

    /// Draws what the user's edit made.
    fn authored(&mut self, player: &Player<'_>) {
        let Some(me) = player.peer_id() else { return };
        let nth = self.names.len() + 1;
        self.names.entry(me).or_insert_with(|| match nth {
            1 => "me".to_owned(),
            nth => format!("me/{nth}"),
        });
        let last = player.version_vector().map_or(0, |applied| applied.get(me));
        let before = self.own.filter(|&(who, _)| who == me).map_or(0, |(_, last)| last);
        if self.edited && last > before {
            let dots = (before + 1..=last).map(|sequence| Dot { peer: me, sequence });
            self.mark(ME, Mark::Authored(dots.collect()));
        }
        self.own = Some((me, last));
    }
}

impl Watch for Drawing {
    fn before(&mut self, next: &NextStep) {
        let leap = self.elapsed.go_to(next.at_ms);
        self.now_ms = self.elapsed.ms;
        if self.skipped == 0 {
            self.begin();
        }
        if let Some(leap) = leap {
            self.tell(ME, leap);
        }
        self.steps += 1;
        let step = &next.step;
        self.edited = matches!(step, Step::Edit { .. } | Step::Resolve { .. } | Step::Import(_));
        self.begins = matches!(step, Step::Began | Step::Image(_));
        let text = words::step(step);
        match step {
            Step::Input(given) => self.input(given, text),
            Step::Drawn(_) | Step::Looked | Step::Gave(_) => {}
            Step::Read { records, .. } => {
                self.found.extend(records.iter().flatten().cloned());
            }
            Step::Share { device, .. } => self.tell(ME, with_short(text, *device)),
            Step::Opened(_) => self.opens(text),
            Step::Began => {
                self.tell(ME, text);
                self.mark(ME, Mark::Ready);
            }
            _ => self.tell(ME, text),
        }
    }

    fn after(&mut self, outputs: &[Output], player: &Player<'_>) {
        if self.begun && self.begins {
            self.holds(player);
        }
        self.authored(player);
        outputs.iter().for_each(|output| self.output(output));
        if !self.begun && self.steps == self.skipped {
            self.begin();
            self.tell(ME, "goes on with what it holds".to_owned());
            self.holds(player);
        }
        if self.begun {
            self.shown(player);
        }
    }
}

/// As much of an id as tells it from others.
fn shortened(id: &str) -> String {
    format!("{}…", &id[..DIGITS])
}

/// The text with the device as its lane would be named.
fn with_short(text: String, device: DeviceId) -> String {
    let id = device.to_string();
    text.replace(&id, &shortened(&id))
}
