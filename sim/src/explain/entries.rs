//! Every entry of a run in full, under its readable name and in words.

use std::collections::BTreeMap;

use graphshell_sync::{
    Batch, Dot, EdgeKind, EdgeType, Hash, LogEntry, NodeId, PeerId, SyncedLogEntry, Trigger,
    VersionVector,
};
use serde::Serialize;

use super::names::Names;
use crate::text::counted;

/// One entry as the page shows it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    pub(super) name: String,
    /// What it does; empty if that is not known: it never became durable anywhere, or before a
    /// recording.
    pub(super) words: String,
    /// The author's wall clock, in milliseconds after the epoch of the story; `None` for an entry of a
    /// legacy log and one that is not known.
    pub(super) clock_ms: Option<i64>,
    /// The nodes that it names.
    pub(super) nodes: Vec<String>,
    /// What its author had seen, by author.
    pub(super) seen: Vec<(String, u64)>,
    /// Whether two contents go by this name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) forked: bool,
}

/// All entries that were made, arrived or became durable.
#[derive(Default)]
pub(super) struct Entries {
    places: BTreeMap<Dot, usize>,
    dots: Vec<Dot>,
    /// What became durable under each name, by running hash.
    contents: BTreeMap<Dot, BTreeMap<Hash, SyncedLogEntry>>,
    /// Which of several contents a peer stored last.
    held: BTreeMap<(usize, Dot), Hash>,
}

impl Entries {
    /// The entry's place in the list.
    pub(super) fn place(&mut self, dot: Dot) -> usize {
        *self.places.entry(dot).or_insert_with(|| {
            self.dots.push(dot);
            self.dots.len() - 1
        })
    }

    pub(super) fn find(&self, dot: Dot) -> Option<usize> {
        self.places.get(&dot).copied()
    }

    pub(super) fn dots(&self) -> &[Dot] {
        &self.dots
    }

    /// A batch became durable at a peer.
    pub(super) fn learn(&mut self, peer: usize, batch: &Batch) {
        let mut vectors = BTreeMap::new();
        for row in batch.authors() {
            let last = Dot { peer: row.peer, sequence: row.base };
            if let Some(before) = self.contents.get(&last).and_then(|all| all.get(&row.hash)) {
                let mut vector = before.version_vector.clone();
                vector.raise(row.peer, row.base);
                vectors.insert(row.peer, vector);
            }
        }
        let entries = batch.expand(&mut vectors).into_iter();
        for (entry, (dot, hash)) in entries.zip(batch.running_hashes()) {
            self.place(dot);
            self.contents.entry(dot).or_default().entry(hash).or_insert(entry);
            self.held.insert((peer, dot), hash);
        }
    }

    /// What the entry says, of two contents one.
    pub(super) fn any(&self, dot: Dot) -> Option<&SyncedLogEntry> {
        self.contents.get(&dot)?.values().next()
    }

    /// All entries that a peer's vector covers; `None` if it is not known what one of them says
    /// there.
    pub(super) fn covered(
        &self,
        peer: usize,
        vector: &VersionVector,
    ) -> Option<Vec<SyncedLogEntry>> {
        let content = |dot: Dot| {
            let contents = self.contents.get(&dot)?;
            match contents.len() {
                1 => contents.values().next().cloned(),
                _ => contents.get(self.held.get(&(peer, dot))?).cloned(),
            }
        };
        vector.iter().flat_map(|(author, last)| dots(author, 1, last)).map(content).collect()
    }

    /// The list, for the page; the story began at `epoch_ms`.
    pub(super) fn told(&self, names: &Names, epoch_ms: u64) -> Vec<Entry> {
        let told = |&dot: &Dot| {
            let content = self.any(dot);
            let seen = content.map(|entry| vector(&entry.version_vector, names));
            Entry {
                name: names.entry(dot),
                words: content.map_or_else(String::new, |entry| words(&entry.entry, names)),
                clock_ms: content
                    .filter(|entry| !entry.genesis)
                    .map(|entry| entry.timestamp_ms.wrapping_sub(epoch_ms) as i64),
                nodes: content.map_or_else(Vec::new, |entry| {
                    nodes(&entry.entry).into_iter().map(|node| names.node(node)).collect()
                }),
                seen: seen.unwrap_or_default(),
                forked: self.contents.get(&dot).is_some_and(|contents| contents.len() > 1),
            }
        };
        self.dots.iter().map(told).collect()
    }
}

/// The entries of one author, both ends included.
pub(super) fn dots(peer: PeerId, first: u64, last: u64) -> impl Iterator<Item = Dot> {
    (first..=last).map(move |sequence| Dot { peer, sequence })
}

/// A vector by the authors' names.
pub(super) fn vector(vector: &VersionVector, names: &Names) -> Vec<(String, u64)> {
    vector.iter().map(|(peer, last)| (names.author(peer), last)).collect()
}

/// The nodes that an operation names.
pub(super) fn nodes(operation: &LogEntry) -> Vec<NodeId> {
    match *operation {
        LogEntry::AddNode { node_id, .. }
        | LogEntry::UpdateNodeTitle { node_id, .. }
        | LogEntry::PinNode { node_id, .. }
        | LogEntry::RemoveNode { node_id }
        | LogEntry::UpdateNodeUrl { node_id, .. }
        | LogEntry::MoveNode { node_id, .. }
        | LogEntry::RestoreNode { node_id } => vec![node_id],
        LogEntry::AddEdge { from, to, .. }
        | LogEntry::RemoveEdge { from, to, .. }
        | LogEntry::AssertEdge { from, to }
        | LogEntry::AddTraversal { from, to, .. }
        | LogEntry::SettleEdgePair { from, to } => vec![from, to],
        LogEntry::ClearGraph | LogEntry::Opaque { .. } => Vec::new(),
    }
}

/// What an operation does, in words.
pub(super) fn words(operation: &LogEntry, names: &Names) -> String {
    let node = |id: &NodeId| names.node(*id);
    let pair = |from: &NodeId, to: &NodeId| names.pair(*from, *to);
    match operation {
        LogEntry::AddNode { node_id, url, .. } => format!("adds {}, {url}", node(node_id)),
        LogEntry::UpdateNodeTitle { node_id, title } => {
            format!("titles {} “{title}”", node(node_id))
        }
        LogEntry::PinNode { node_id, is_pinned: true } => format!("pins {}", node(node_id)),
        LogEntry::PinNode { node_id, is_pinned: false } => format!("unpins {}", node(node_id)),
        LogEntry::RemoveNode { node_id } => format!("removes {}", node(node_id)),
        LogEntry::UpdateNodeUrl { node_id, new_url } => {
            format!("sets the url of {} to {new_url}", node(node_id))
        }
        LogEntry::MoveNode { node_id, position } => {
            format!("moves {} to ({}, {})", node(node_id), position.x(), position.y())
        }
        LogEntry::RestoreNode { node_id } => format!("restores {}", node(node_id)),
        LogEntry::AddEdge { from, to, edge_type } => {
            format!("adds the {} edge {}", edge_type_words(*edge_type), pair(from, to))
        }
        LogEntry::AssertEdge { from, to } => format!("asserts the edge {}", pair(from, to)),
        LogEntry::RemoveEdge { from, to, kind: None } => {
            format!("removes every edge and visit {}", pair(from, to))
        }
        LogEntry::RemoveEdge { from, to, kind: Some(kind) } => {
            format!("removes the {} edge {}", kind_words(*kind), pair(from, to))
        }
        LogEntry::AddTraversal { from, to, trigger, .. } => {
            format!("visits {}{}", pair(from, to), trigger_words(*trigger))
        }
        LogEntry::SettleEdgePair { from, to } => {
            format!("settles the edges {}", pair(from, to))
        }
        LogEntry::ClearGraph => "clears the graph".to_owned(),
        LogEntry::Opaque { kind, payload } => {
            format!("is of the unknown kind {kind}, {}", counted(payload.len(), "byte"))
        }
    }
}

/// An edge's kind in words.
pub(super) fn kind_words(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Typed(edge_type) => edge_type_words(edge_type),
        EdgeKind::Asserted => "asserted",
    }
}

fn edge_type_words(edge_type: EdgeType) -> &'static str {
    match edge_type {
        EdgeType::Hyperlink => "hyperlink",
        EdgeType::History => "history",
        EdgeType::UserGrouped => "user-grouped",
    }
}

fn trigger_words(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Unknown => "",
        Trigger::Link => " by a link",
        Trigger::Typed => " by its address",
        Trigger::Back => ", going back",
        Trigger::Forward => ", going forward",
    }
}
