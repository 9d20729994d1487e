//! The entries of an edit are what its user did.
//!
//! They do it in that order, with a restore of each page just before something needs it that was gone.
//! Their vector is all that their author had applied when the edit was made, their time what the device's
//! clock said then, right or wrong.

use std::collections::BTreeMap;

use graphshell_sync::{
    Conflict, ConflictKind, Dot, EdgeKind, EdgeType, LogEntry, NodeId, PeerId, Resolution, Subject,
    SyncedLogEntry, VersionVector,
};

use super::{Finding, View};

/// What was true when a user made an edit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moment {
    /// What was applied just before; nothing of that counts for a legacy log.
    pub(crate) applied: VersionVector,
    /// What the device's clock said; 0 for a legacy log.
    pub(crate) clock_ms: u64,
    /// How many entries it made.
    pub(crate) entries: u64,
    /// What they must do, in order; `None` for a legacy log, which is folded.
    pub(crate) operations: Option<Vec<LogEntry>>,
}

/// Judges the entries that one peer's user made; `authored` has every edit by its first entry. What was
/// authored `twice` under one name, in a fork, proves nothing.
pub(crate) fn judge(
    view: &View,
    authored: &BTreeMap<Dot, Moment>,
    twice: impl Fn(PeerId) -> bool,
) -> Result<(), Finding> {
    let history: BTreeMap<Dot, &SyncedLogEntry> =
        view.history.iter().map(|entry| (entry.dot(), entry)).collect();
    for (&first, moment) in authored.iter().filter(|(first, _)| !twice(first.peer)) {
        let dots = (first.sequence..).take(moment.entries as usize);
        let dots = dots.map(|sequence| Dot { peer: first.peer, sequence });
        let entries: Vec<_> = dots.filter_map(|dot| history.get(&dot).copied()).collect();
        let wrong = |property, entry: &SyncedLogEntry, detail| {
            let operations = vec![entry.dot()];
            Err(Finding { property, peers: vec![view.peer], operations, detail })
        };
        let mut applied = moment.applied.clone();
        for &entry in &entries {
            applied.raise(first.peer, entry.sequence - 1);
            if applied != entry.version_vector {
                let vector = &entry.version_vector;
                let detail =
                    format!("its author had applied {applied:?}, its vector is {vector:?}");
                return wrong("an entry says what its author had seen", entry, detail);
            }
            let (clock_ms, said) = (moment.clock_ms, entry.timestamp_ms);
            if clock_ms != said {
                let detail =
                    format!("its author's clock said {clock_ms} ms, the entry says {said} ms");
                return wrong("an entry says when it was made", entry, detail);
            }
            if entry.genesis != moment.operations.is_none() {
                let detail = format!(
                    "expected a legacy log's entries, and no others, to be genesis; it is {}",
                    entry.genesis
                );
                return wrong("an entry says when it was made", entry, detail);
            }
        }
        let (Some(operations), Some(last)) = (&moment.operations, entries.last()) else { continue };
        let mut left = operations.iter();
        let stray = entries.iter().find(|entry| left.next() != Some(&entry.entry));
        if let Some(entry) = stray {
            let did = &entry.entry;
            let detail =
                format!("expected the entries to do {operations:?}; this one does {did:?}");
            return wrong(DONE, entry, detail);
        }
        if let Some(operation) = left.next() {
            return wrong(DONE, last, format!("no entry up to this one does {operation:?}"));
        }
    }
    Ok(())
}

const DONE: &str = "an edit is what its user did";

/// What an edit must write, of one whose user sees that these nodes exist.
pub(crate) fn edit(operations: &[LogEntry], exists: impl Fn(NodeId) -> bool) -> Vec<LogEntry> {
    let mut written = Vec::with_capacity(operations.len());
    let mut changed: BTreeMap<NodeId, bool> = BTreeMap::new();
    let mut cleared = false;
    for operation in operations {
        for node_id in needs(operation) {
            let before = || !cleared && exists(node_id);
            if !changed.get(&node_id).copied().unwrap_or_else(before) {
                written.push(LogEntry::RestoreNode { node_id });
                changed.insert(node_id, true);
            }
        }
        match *operation {
            LogEntry::AddNode { node_id, .. } | LogEntry::RestoreNode { node_id } => {
                changed.insert(node_id, true);
            }
            LogEntry::RemoveNode { node_id } => {
                changed.insert(node_id, false);
            }
            LogEntry::ClearGraph => {
                changed.clear();
                cleared = true;
            }
            _ => {}
        }
        written.push(operation.clone());
    }
    written
}

/// The nodes that an operation makes no sense without.
fn needs(operation: &LogEntry) -> Vec<NodeId> {
    match *operation {
        LogEntry::UpdateNodeTitle { node_id, .. }
        | LogEntry::UpdateNodeUrl { node_id, .. }
        | LogEntry::MoveNode { node_id, .. }
        | LogEntry::PinNode { node_id, .. } => vec![node_id],
        LogEntry::AddEdge { from, to, .. }
        | LogEntry::AssertEdge { from, to }
        | LogEntry::AddTraversal { from, to, .. } => vec![from, to],
        LogEntry::AddNode { .. }
        | LogEntry::RemoveNode { .. }
        | LogEntry::RestoreNode { .. }
        | LogEntry::RemoveEdge { .. }
        | LogEntry::SettleEdgePair { .. }
        | LogEntry::ClearGraph
        | LogEntry::Opaque { .. } => Vec::new(),
    }
}

/// What must be written to settle a conflict that way, while these types of edges are shown on its pair,
/// ascending; `None` if the conflict cannot be settled so.
pub(crate) fn settling(
    conflict: &Conflict,
    resolution: &Resolution,
    shown: &[EdgeType],
) -> Option<Vec<LogEntry>> {
    match (conflict.subject, resolution) {
        (Subject::Node(node_id), Resolution::KeepDeleted) => {
            Some(vec![LogEntry::RemoveNode { node_id }])
        }
        (Subject::Node(node_id), Resolution::Restore { chosen }) => {
            let mut written = vec![LogEntry::RestoreNode { node_id }];
            for &dot in chosen {
                let claims = conflict.claims.iter().filter(|claim| claim.stamp.dot == dot);
                let before = written.len();
                written.extend(claims.map(|claim| claim.change.clone()));
                if written.len() == before || conflict.kind != ConflictKind::DeleteVsUpdate {
                    return None;
                }
            }
            Some(written)
        }
        (Subject::Pair(from, to), Resolution::KeepBoth) => {
            Some(vec![LogEntry::SettleEdgePair { from, to }])
        }
        (Subject::Pair(from, to), Resolution::KeepEdge { edge_type }) => {
            let go = shown.iter().filter(|&other| other != edge_type);
            let remove =
                |&other| LogEntry::RemoveEdge { from, to, kind: Some(EdgeKind::Typed(other)) };
            shown.contains(edge_type).then(|| go.map(remove).collect())
        }
        _ => None,
    }
}
