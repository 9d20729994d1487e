//! What is notable about a history at the end of a run: counted, judged by nobody.

use std::collections::BTreeMap;

use graphshell_sync::{ConflictKind, LogEntry, NodeId, SyncedLogEntry};

use super::shared::World;
use crate::oracle::View;

impl World {
    /// Counts what the end of one history shows.
    pub(crate) fn count_notable(&self, view: &View) {
        let kinds = view.graph.conflicts.iter().map(|conflict| conflict.kind);
        let met = kinds.filter(|&kind| kind == ConflictKind::DeleteVsUpdate).count();
        let ghosts = view.graph.nodes.values().filter(|node| node.ghost).count();
        for (what, times) in [
            ("deletes that met an update", met),
            ("ghosts at the end", ghosts),
            ("restores that beat a delete", restores(view)),
        ] {
            if times > 0 {
                self.count_many(what, times as u64);
            }
        }
    }
}

/// Nodes that are shown since a restore did not know of a delete, nor the delete of it.
fn restores(view: &View) -> usize {
    let mut restored: BTreeMap<NodeId, Vec<&SyncedLogEntry>> = BTreeMap::new();
    for entry in &view.history {
        if let LogEntry::RestoreNode { node_id } = entry.entry {
            restored.entry(node_id).or_default().push(entry);
        }
    }
    let shown = |node: &NodeId| view.graph.nodes.get(node).is_some_and(|node| !node.ghost);
    let beaten = |delete: &SyncedLogEntry| {
        let LogEntry::RemoveNode { node_id } = delete.entry else { return None };
        let concurrent = |restore: &&&SyncedLogEntry| {
            !restore.version_vector.covers_dot(delete.dot())
                && !delete.version_vector.covers_dot(restore.dot())
        };
        let found = restored.get(&node_id)?.iter().any(|restore| concurrent(&restore));
        (found && shown(&node_id)).then_some(node_id)
    };
    let nodes: std::collections::BTreeSet<_> = view.history.iter().filter_map(beaten).collect();
    nodes.len()
}
