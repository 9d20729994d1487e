//! Browsing over the real web, as operations of several people.

use std::collections::{BTreeMap, BTreeSet};

use graphshell_sim::plan::node_id;
use graphshell_sim::web::Web;
use graphshell_sync::{Dot, EdgeType, LogEntry, NodeId, Position, Trigger};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::device::{Device, push_frame};

/// People who browse one graph.
const AUTHORS: usize = 6;
/// Operations that one of them makes until it syncs.
const TURN: usize = 128;
/// Pages of one session.
const SESSION: usize = 150;

/// One person in front of a browser. Each session opens its pages as nodes of their own.
struct Browser {
    name: String,
    dice: ChaCha8Rng,
    sessions: usize,
    /// The pages still to come, each with the page whose link leads there; the next one last.
    ahead: Vec<(usize, Option<usize>)>,
    /// The nodes of the session that are there.
    open: Vec<(usize, NodeId)>,
    now_ms: u64,
}

impl Browser {
    fn new(name: &str, seed: u64) -> Self {
        Browser {
            name: name.to_owned(),
            dice: ChaCha8Rng::seed_from_u64(seed),
            sessions: 0,
            ahead: Vec::new(),
            open: Vec::new(),
            now_ms: 1_700_000_000_000,
        }
    }

    /// One step: a page is opened, and perhaps something is tidied up.
    fn step(&mut self, out: &mut Vec<LogEntry>) {
        let web = Web::get();
        if self.ahead.is_empty() {
            self.sessions += 1;
            self.open.clear();
            let start = self.dice.random_range(0..web.pages().len());
            self.ahead = web.stroll(start, SESSION);
            self.ahead.reverse();
        }
        let Some((page, before)) = self.ahead.pop() else { return };
        self.now_ms += self.dice.random_range(500..60_000);
        let node = node_id(&format!("{} {} {page}", self.name, self.sessions));
        let content = &web.pages()[page];
        let position = self.position();
        out.push(LogEntry::AddNode { node_id: node, url: content.url.clone(), position });
        out.push(LogEntry::UpdateNodeTitle { node_id: node, title: content.title.clone() });
        let from = before.and_then(|before| self.open.iter().find(|(open, _)| *open == before));
        if let Some(&(_, from)) = from {
            out.push(self.visit(from, node, Trigger::Link));
            if self.dice.random_bool(0.3) {
                out.push(LogEntry::AddEdge { from, to: node, edge_type: EdgeType::Hyperlink });
            }
        }
        if let Some(&(_, last)) = self.open.last()
            && self.dice.random_bool(0.4)
        {
            out.push(self.visit(node, last, Trigger::Back));
            out.push(self.visit(last, node, Trigger::Forward));
        }
        self.open.push((page, node));
        self.tidy(out);
    }

    /// Moves, pins, renames, groups or removes pages of the session.
    fn tidy(&mut self, out: &mut Vec<LogEntry>) {
        let some = self.dice.random_range(0..self.open.len());
        let (page, node_id) = self.open[some];
        if self.dice.random_bool(0.4) {
            out.push(LogEntry::MoveNode { node_id, position: self.position() });
        }
        if self.dice.random_bool(0.1) {
            out.push(LogEntry::PinNode { node_id, is_pinned: self.dice.random_bool(0.8) });
        }
        if self.dice.random_bool(0.1) {
            let title = format!("{} (read)", Web::get().pages()[page].title);
            out.push(LogEntry::UpdateNodeTitle { node_id, title });
        }
        if self.dice.random_bool(0.1) {
            let to = self.open[self.dice.random_range(0..self.open.len())].1;
            out.push(LogEntry::AssertEdge { from: node_id, to });
        }
        if self.dice.random_bool(0.05) {
            out.push(LogEntry::RemoveNode { node_id });
            self.open.swap_remove(some);
        }
    }

    fn visit(&self, from: NodeId, to: NodeId, trigger: Trigger) -> LogEntry {
        LogEntry::AddTraversal { from, to, timestamp_ms: self.now_ms, trigger }
    }

    fn position(&mut self) -> Position {
        let mut coordinate = || self.dice.random_range(-4000..4000) as f32;
        Position::new(coordinate(), coordinate()).expect("whole numbers are finite")
    }
}

/// `count` operations of one person, in order; each is possible when its turn comes.
pub fn browse(count: usize) -> Vec<LogEntry> {
    let mut browser = Browser::new("ada", 1);
    let mut operations = Vec::with_capacity(count + 16);
    while operations.len() < count {
        browser.step(&mut operations);
    }
    operations.truncate(count);
    operations
}

/// A history of several people who browse one graph and sync now and then.
pub struct Workload {
    /// The history as received: the bytes of one push after the other, each of as many entries of
    /// any authors as a batch holds.
    pub frames: Vec<Vec<u8>>,
    /// The same entries, decoded.
    pub entries: Vec<(Dot, LogEntry)>,
}

impl Workload {
    /// A history of at least `count` entries, at most a turn more, made by real engines.
    pub fn new(count: usize) -> Self {
        let mut people: Vec<(Browser, Device)> = (0..AUTHORS)
            .map(|number| {
                let name = format!("author {number}");
                (Browser::new(&name, number as u64), Device::new(&name))
            })
            .collect();
        let mut hub = Device::new("hub");
        let mut made = 0;
        let mut order = ChaCha8Rng::seed_from_u64(0);
        let mut seen: Vec<(usize, NodeId)> = Vec::new();
        let mut operations = Vec::new();
        while made < count {
            let (browser, device) = &mut people[order.random_range(0..AUTHORS)];
            if order.random_bool(0.5) {
                device.push(hub.pull(device.workspace.durable_frontier()));
            }
            operations.clear();
            while operations.len() < TURN {
                browser.step(&mut operations);
            }
            // Now and then somebody edits what somebody else did.
            if let Some(&(page, node_id)) = seen.last()
                && device.workspace.node(node_id).is_some()
            {
                let title = format!("{} (shared)", Web::get().pages()[page].title);
                operations.push(LogEntry::UpdateNodeTitle { node_id, title });
            }
            for operation in operations.drain(..) {
                device.workspace.edit(operation).expect("what was walked is possible");
            }
            seen.extend(browser.open.last().copied());
            device.run();
            let news = device.pull(hub.workspace.durable_frontier());
            made += news.iter().map(|batch| batch.len()).sum::<usize>();
            hub.push(news);
        }
        let batches = hub.pull(graphshell_sync::wire::Frontier::default());
        let entries = batches.iter().flat_map(|batch| {
            let decoded = batch.payloads().map(|(kind, payload)| LogEntry::decode(kind, payload));
            batch.dots().zip(decoded.map(|entry| entry.to_owned()))
        });
        let entries = entries.collect();
        Workload { frames: batches.into_iter().map(push_frame).collect(), entries }
    }

    /// How many entries a graph of them must keep something of: the last write of each field, the
    /// last addition and removal of each node, every edge and visit.
    pub fn live(&self) -> usize {
        let mut last = BTreeMap::new();
        let mut live = 0;
        for (number, (_, entry)) in self.entries.iter().enumerate() {
            match entry {
                LogEntry::AddNode { node_id, .. } => {
                    // What is left of an addition whose url and position were written again is
                    // that the node exists.
                    last.insert((*node_id, 0), number);
                }
                LogEntry::UpdateNodeTitle { node_id, .. } => {
                    last.insert((*node_id, 1), number);
                }
                LogEntry::MoveNode { node_id, .. } => {
                    last.insert((*node_id, 2), number);
                }
                LogEntry::PinNode { node_id, .. } => {
                    last.insert((*node_id, 3), number);
                }
                LogEntry::RemoveNode { node_id } => {
                    last.insert((*node_id, 4), number);
                }
                _ => live += 1,
            }
        }
        live + last.into_values().collect::<BTreeSet<_>>().len()
    }
}
