//! The events of a run in the order of the story, each with its kind, its words and its causes.
//!
//! Every line of the story is one event, so a kind of event that this module does not know is
//! drawn as a plain one. Views and the failure are events of their own.

use std::collections::{BTreeMap, BTreeSet};

use graphshell_sync::{Dot, Record, VersionVector};
use serde::Serialize;

use super::causes::{Cause, History};
use super::entries::{Entries, Entry, dots};
use super::frames::{Content, Frame, Frames};
use super::names::Names;
use crate::trace::{Line, Mark, Marked, View};

/// One event.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Event {
    #[serde(rename = "t")]
    pub(super) at_ms: u64,
    /// Whose lane; nobody's is the world's.
    #[serde(rename = "p")]
    pub(super) peers: Vec<usize>,
    #[serde(rename = "k")]
    pub(super) kind: EventKind,
    /// In a few words.
    #[serde(rename = "l")]
    pub(super) label: String,
    /// The whole, if it says more.
    #[serde(rename = "x", skip_serializing_if = "String::is_empty")]
    pub(super) text: String,
    /// The entries that it is about.
    #[serde(rename = "e", skip_serializing_if = "Vec::is_empty")]
    pub(super) entries: Vec<usize>,
    /// The frame that it is about.
    #[serde(rename = "f", skip_serializing_if = "Option::is_none")]
    pub(super) frame: Option<usize>,
    /// The view that it leads to.
    #[serde(rename = "v", skip_serializing_if = "Option::is_none")]
    pub(super) view: Option<usize>,
    /// What it follows from.
    #[serde(rename = "c", skip_serializing_if = "Vec::is_empty")]
    pub(super) causes: Vec<Cause>,
    /// Whether it is left out of a short story.
    #[serde(rename = "m", skip_serializing_if = "std::ops::Not::not")]
    pub(super) minor: bool,
    /// Whether it belongs to the time before the plan begins.
    #[serde(rename = "s", skip_serializing_if = "std::ops::Not::not")]
    pub(super) set_up: bool,
    /// Stands in the label before the names of entries; empty if they are not named.
    #[serde(skip)]
    pub(super) verb: &'static str,
}

/// What an event is, for colours and choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EventKind {
    Edit,
    Send,
    Arrive,
    Lose,
    Store,
    View,
    Start,
    Die,
    Round,
    /// By the plan something happened to the world.
    Fault,
    Heal,
    /// The story tells something of all.
    World,
    Fail,
    /// Whatever else the story tells of a peer.
    Note,
}

impl Event {
    /// An event without any relations.
    pub(super) fn new(at_ms: u64, peers: Vec<usize>, kind: EventKind, label: String) -> Self {
        Event {
            at_ms,
            peers,
            kind,
            label,
            text: String::new(),
            entries: Vec::new(),
            frame: None,
            view: None,
            causes: Vec::new(),
            minor: false,
            set_up: false,
            verb: "",
        }
    }

    /// Names entries in the label, the suspects first, and tells what an edit does.
    pub(super) fn name_entries(&mut self, all: &[Entry], suspects: &BTreeSet<usize>) {
        self.entries.sort_by_key(|entry| !suspects.contains(entry));
        let [first, rest @ ..] = &self.entries[..] else { return };
        let Entry { name, words, .. } = &all[*first];
        let more = if rest.is_empty() { String::new() } else { format!(" +{}", rest.len()) };
        if self.kind == EventKind::Edit {
            let raw = std::mem::replace(&mut self.label, format!("{name} {words}{more}"));
            self.text = raw;
        } else if !self.verb.is_empty() {
            self.label = format!("{} {name}{more}{}", self.verb, self.label);
        }
    }
}

/// Notes that repeat what other events show, or that nothing follows from.
const MINOR: &[&str] = &[
    "shows a change of",
    "shows everything anew",
    "tells that ",
    "has noted its promise",
    "is compared with the model",
    "was to take a snapshot",
    "has taken a snapshot",
    "announces the frontier of",
    "appends ",
    "promises ",
    "the promise is durable",
];

/// A line with its marks, or a view.
struct Told<'a> {
    at_ms: u64,
    line: Option<&'a Line>,
    marks: Vec<&'a Marked>,
}

/// Events, and what they refer to.
pub(super) struct Story<'a> {
    pub(super) events: Vec<Event>,
    pub(super) entries: Entries,
    pub(super) frames: Frames,
    /// What readers saw, with peer and event.
    pub(super) views: Vec<(usize, usize, &'a View)>,
    pub(super) names: Names,
    pub(super) history: History,
    applied: BTreeMap<usize, VersionVector>,
    begun: bool,
    /// When it began by a right clock, in Unix milliseconds.
    pub(super) epoch_ms: u64,
    /// The failure's place.
    pub(super) failed: Option<usize>,
}

impl<'a> Story<'a> {
    /// Reads lines and marks, each in the order of time.
    pub(super) fn new(
        lines: &'a [Line],
        marks: &'a [Marked],
        names: Names,
        failure: Option<Event>,
        place_of: impl Fn(&str) -> Option<usize>,
    ) -> Self {
        let mut story = Story {
            events: Vec::new(),
            entries: Entries::default(),
            frames: Frames::default(),
            views: Vec::new(),
            names,
            history: History::default(),
            applied: BTreeMap::new(),
            begun: false,
            epoch_ms: 0,
            failed: None,
        };
        let mut failure = failure;
        // Of a recording it is a guess when others got a frame, told once it is answered, so that
        // story runs back and forth.
        let mut told: Vec<Told<'a>> = Vec::new();
        let mut marks = marks.iter().peekable();
        for (place, line) in lines.iter().enumerate() {
            let mut said = Told { at_ms: line.virtual_ms, line: Some(line), marks: Vec::new() };
            let mut views = Vec::new();
            while let Some(marked) = marks.next_if(|marked| marked.lines <= place + 1) {
                match marked.mark {
                    Mark::View(_) => views.push(marked),
                    _ => said.marks.push(marked),
                }
            }
            told.push(said);
            told.extend(views.into_iter().map(|view| Told {
                at_ms: view.virtual_ms,
                line: None,
                marks: vec![view],
            }));
        }
        told.sort_by_key(|told| told.at_ms);
        for Told { at_ms, line, marks } in told {
            if let Some(failure) = failure.take_if(|failure| failure.at_ms < at_ms) {
                story.fail(failure);
            }
            let peer = line.and_then(|line| place_of(&line.peer));
            let event = line.map(|line| story.line(line, peer));
            for marked in marks {
                match (&marked.mark, marked.peer, event) {
                    (Mark::View(view), Some(me), _) => story.view(marked.virtual_ms, me, view),
                    (mark, Some(me), Some(event)) if peer == Some(me) => {
                        story.mark(mark, me, event)
                    }
                    (Mark::Healed, None, Some(event)) => story.events[event].kind = EventKind::Heal,
                    (Mark::Happened { to }, None, Some(event)) => {
                        let event = &mut story.events[event];
                        (event.kind, event.peers) = (EventKind::Fault, to.clone());
                    }
                    (&Mark::Begun { epoch_ms }, None, _) => {
                        (story.begun, story.epoch_ms) = (true, epoch_ms);
                    }
                    _ => {}
                }
            }
        }
        if let Some(failure) = failure {
            story.fail(failure);
        }
        story
    }

    fn fail(&mut self, failure: Event) {
        self.failed = Some(self.events.len());
        self.events.push(failure);
    }

    fn push(&mut self, at_ms: u64, peers: Vec<usize>, kind: EventKind, label: String) -> usize {
        let event = Event { set_up: !self.begun, ..Event::new(at_ms, peers, kind, label) };
        self.events.push(event);
        self.events.len() - 1
    }

    fn line(&mut self, line: &Line, peer: Option<usize>) -> usize {
        let text = self.names.readable(&line.text);
        let kind = if peer.is_some() { EventKind::Note } else { EventKind::World };
        let event = self.push(line.virtual_ms, peer.into_iter().collect(), kind, text);
        self.events[event].minor = MINOR.iter().any(|start| line.text.starts_with(start));
        event
    }

    /// A mark says what the line before it is.
    fn mark(&mut self, mark: &Mark, me: usize, event: usize) {
        match mark {
            &Mark::Sent { to, nth, call, answers, ref body } => {
                self.sent(event, (me, to), nth, (call, answers), body);
            }
            &Mark::Arrived { from, nth, again } => {
                if let Some(frame) = self.about_frame(event, (from, me), nth, EventKind::Arrive) {
                    self.frames.all[frame].arrived.push(event);
                    self.events[event].minor = again;
                    if !again {
                        self.history.arrived(me, event, &self.frames.all[frame]);
                    }
                }
            }
            &Mark::Lost { from, nth } => {
                if let Some(frame) = self.about_frame(event, (from, me), nth, EventKind::Lose) {
                    self.frames.all[frame].lost = Some(event);
                }
            }
            Mark::TooLate => {
                if let Some(frame) = self.events[event].frame {
                    let frame = &mut self.frames.all[frame];
                    frame.too_late |= frame.arrived.len() == 1;
                }
            }
            Mark::Authored(dots) => self.authored(event, me, dots),
            Mark::Stored(records) => self.stored(event, me, records),
            Mark::Rebased(vector) => {
                let covered: Vec<Dot> =
                    vector.iter().flat_map(|(peer, last)| dots(peer, 1, last)).collect();
                self.durable(event, &covered);
                let entries = &self.events[event].entries;
                self.events[event].causes = self.history.rebased(me, event, entries);
            }
            Mark::Started => {
                self.events[event].causes = self.history.life(me, event);
                let again = !self.events[event].causes.is_empty();
                let label = if again { "starts again" } else { "starts" }.to_owned();
                self.events[event].text = std::mem::replace(&mut self.events[event].label, label);
                self.events[event].kind = EventKind::Start;
            }
            Mark::Died => {
                self.events[event].kind = EventKind::Die;
                self.events[event].causes = self.history.life(me, event);
            }
            &Mark::RoundBegan { with } => {
                self.events[event].kind = EventKind::Round;
                self.history.round(me, with, event);
            }
            &Mark::RoundEnded { with } => {
                self.events[event].kind = EventKind::Round;
                self.events[event].causes = self.history.round_of(me, with);
            }
            Mark::Held { records, applied } => {
                for record in records {
                    if let Record::Ready(batch) | Record::Parked(batch) = record {
                        self.entries.learn(me, batch);
                    }
                }
                // What a core before it showed may be taken back.
                self.applied.entry(me).or_insert_with(|| applied.clone());
            }
            Mark::Writing
            | Mark::Wrote
            | Mark::Ready
            | Mark::Begun { .. }
            | Mark::Healed
            | Mark::Happened { .. }
            | Mark::Apart { .. }
            | Mark::View(_) => {}
        }
    }

    fn sent(
        &mut self,
        event: usize,
        (me, to): (usize, usize),
        nth: u64,
        (call, answers): (u64, bool),
        body: &[u8],
    ) {
        let content = Content::of(answers, body);
        let entries: Vec<usize> = content.dots.iter().map(|&dot| self.entries.place(dot)).collect();
        let asked = if answers {
            let request = self.frames.request(to, call);
            request.and_then(|request| request.arrived.first().copied())
        } else {
            None
        };
        let mut causes = match asked {
            Some(asked) => vec![Cause::whole(asked)],
            None if answers => Vec::new(),
            None => self.history.round_of(me, to),
        };
        causes.extend(self.history.of_acquired(me, &entries));
        let frame = self.frames.add(Frame {
            from: me,
            to,
            nth,
            kind: content.kind,
            what: content.what,
            bytes: body.len(),
            entries: entries.clone(),
            told: super::entries::vector(&content.told, &self.names),
            sent: event,
            arrived: Vec::new(),
            lost: None,
            too_late: false,
            call,
            answers,
        });
        let event = &mut self.events[event];
        event.label = self.frames.all[frame].what.clone();
        (event.kind, event.frame, event.entries, event.causes) =
            (EventKind::Send, Some(frame), entries, causes);
    }

    /// Says that an event is about a frame, if that is known.
    fn about_frame(
        &mut self,
        event: usize,
        (from, to): (usize, usize),
        nth: u64,
        kind: EventKind,
    ) -> Option<usize> {
        let place = self.frames.find(from, to, nth)?;
        let frame = &self.frames.all[place];
        let event = &mut self.events[event];
        event.text = std::mem::replace(&mut event.label, frame.what.clone());
        (event.kind, event.frame, event.entries) = (kind, Some(place), frame.entries.clone());
        event.causes = vec![Cause::whole(frame.sent)];
        Some(place)
    }

    fn authored(&mut self, event: usize, me: usize, dots: &[Dot]) {
        let entries: Vec<usize> = dots.iter().map(|&dot| self.entries.place(dot)).collect();
        self.history.authored(me, event, &entries);
        let event = &mut self.events[event];
        event.kind = EventKind::Edit;
        event.entries.extend(entries);
    }

    fn stored(&mut self, event: usize, me: usize, records: &[Record]) {
        let mut dots = Vec::new();
        for record in records {
            match record {
                Record::Ready(batch) => {
                    self.entries.learn(me, batch);
                    dots.extend(batch.dots());
                }
                Record::Parked(batch) => self.entries.learn(me, batch),
                _ => {}
            }
        }
        self.durable(event, &dots);
        let entries = &self.events[event].entries;
        self.events[event].causes = self.history.stored(me, event, entries);
        let event = &mut self.events[event];
        if records.is_empty() {
            return;
        }
        event.text = std::mem::take(&mut event.label);
        // A record of another kind is rare and worth seeing.
        let others = records.iter().filter(|record| !matches!(record, Record::Ready(_)));
        let others: BTreeSet<&str> = others.map(record_words).collect();
        event.minor = others.is_empty();
        let others = others.into_iter().collect::<Vec<&str>>().join(", ");
        (event.verb, event.label) = match (dots.is_empty(), others.is_empty()) {
            (true, _) => ("", format!("stores {others}")),
            (false, true) => ("stores", String::new()),
            (false, false) => ("stores", format!(", {others}")),
        };
    }

    fn durable(&mut self, event: usize, dots: &[Dot]) {
        let entries = dots.iter().map(|&dot| self.entries.place(dot)).collect();
        self.events[event].kind = EventKind::Store;
        self.events[event].entries = entries;
    }

    fn view(&mut self, at_ms: u64, me: usize, view: &'a View) {
        let before = self.applied.insert(me, view.applied.clone()).unwrap_or_default();
        let gained: Vec<Dot> = view
            .applied
            .iter()
            .flat_map(|(peer, last)| dots(peer, before.get(peer) + 1, last))
            .collect();
        let taken_back = !view.applied.covers(&before);
        view.conflicts.values().flatten().for_each(|conflict| self.names.learn(conflict));
        let entries: Vec<usize> = gained.iter().map(|&dot| self.entries.place(dot)).collect();
        let event = self.push(at_ms, vec![me], EventKind::View, String::new());
        let touched: Vec<_> = view.nodes.keys().copied().collect();
        let causes = self.history.shown(me, event, &entries, &touched);
        // The user made them in view of what was shown of the same nodes.
        for edit in entries.iter().filter_map(|&entry| self.history.made_by(me, entry)) {
            let seen = causes.iter().filter(|cause| {
                cause.event < edit
                    && [EventKind::View, EventKind::Edit].contains(&self.events[cause.event].kind)
            });
            let seen: Vec<Cause> =
                seen.filter(|cause| !self.events[edit].causes.contains(cause)).cloned().collect();
            self.events[edit].causes.extend(seen);
        }
        let own = entries.iter().all(|&entry| self.history.made_by(me, entry).is_some());
        let conflicts = view.conflicts.len();
        let (verb, mut label) = match &gained[..] {
            [] if taken_back => ("", "takes edits back".to_owned()),
            [] => ("", "shows what its disk holds".to_owned()),
            _ if own => ("shows its", String::new()),
            _ => ("merges", String::new()),
        };
        let opened = view.conflicts.values().flatten().count();
        if opened > 0 {
            label += &format!(", {opened} in conflict");
        } else if conflicts > 0 {
            label += &format!(", {conflicts} settled");
        }
        self.views.push((me, event, view));
        let place = self.views.len() - 1;
        let event = &mut self.events[event];
        (event.view, event.entries, event.causes) = (Some(place), entries, causes);
        (event.verb, event.label) = (verb, label);
        event.minor = own && conflicts == 0 && !taken_back;
    }
}

fn record_words(record: &Record) -> &'static str {
    match record {
        Record::Ready(_) => "entries",
        Record::Parked(_) => "entries that wait for their causes",
        Record::Identity { .. } => "the name that it authors under",
        Record::Consent { .. } => "a consent",
        Record::Fork(_) => "a proof of a fork",
        Record::Disown { .. } => "that own entries count no longer",
    }
}
