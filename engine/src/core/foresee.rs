//! Checks an edit against the graph as it will be, operation by operation.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Core;
use crate::api::EditError;
use crate::entry::LogEntry;
use crate::id::NodeId;

/// The graph as it will be while the operations of one edit happen.
pub(super) struct Foreseen<'a> {
    core: &'a Core,
    exists: BTreeMap<NodeId, bool>,
    edges: BTreeMap<(NodeId, NodeId), bool>,
    cleared: bool,
}

impl<'a> Foreseen<'a> {
    pub(super) fn new(core: &'a Core) -> Self {
        Foreseen { core, exists: BTreeMap::new(), edges: BTreeMap::new(), cleared: false }
    }

    /// Checks the next operation and appends it to `planned`, behind the restores that it needs.
    pub(super) fn check<'o>(
        &mut self,
        operation: &'o LogEntry,
        planned: &mut Vec<Cow<'o, LogEntry>>,
    ) -> Result<(), EditError> {
        match *operation {
            LogEntry::AddNode { .. } | LogEntry::ClearGraph => {}
            LogEntry::UpdateNodeTitle { node_id, .. }
            | LogEntry::PinNode { node_id, .. }
            | LogEntry::UpdateNodeUrl { node_id, .. }
            | LogEntry::MoveNode { node_id, .. } => self.ensure_exists(node_id, planned)?,
            LogEntry::RestoreNode { node_id } | LogEntry::RemoveNode { node_id } => {
                self.ensure_known(node_id)?;
            }
            LogEntry::AddEdge { from, to, .. }
            | LogEntry::AssertEdge { from, to }
            | LogEntry::AddTraversal { from, to, .. } => {
                self.ensure_exists(from, planned)?;
                self.ensure_exists(to, planned)?;
            }
            LogEntry::RemoveEdge { from, to, .. } | LogEntry::SettleEdgePair { from, to } => {
                self.ensure_connected(from, to)?;
            }
            LogEntry::Opaque { kind, .. } => {
                if LogEntry::<String>::is_known_kind(kind) {
                    return Err(EditError::KnownKind(kind));
                }
            }
        }
        planned.push(Cow::Borrowed(operation));
        Ok(())
    }

    /// Takes note of what an operation does to those after it.
    pub(super) fn step(&mut self, operation: &LogEntry) {
        match *operation {
            LogEntry::AddNode { node_id, .. } | LogEntry::RestoreNode { node_id } => {
                self.exists.insert(node_id, true);
            }
            LogEntry::RemoveNode { node_id } => {
                self.exists.insert(node_id, false);
            }
            LogEntry::AddEdge { from, to, .. }
            | LogEntry::AssertEdge { from, to }
            | LogEntry::AddTraversal { from, to, .. } => {
                self.edges.insert((from, to), true);
            }
            LogEntry::RemoveEdge { from, to, kind: None } => {
                self.edges.insert((from, to), false);
            }
            LogEntry::ClearGraph => {
                self.exists.values_mut().for_each(|exists| *exists = false);
                self.edges.clear();
                self.cleared = true;
            }
            _ => {}
        }
    }

    fn ensure_known(&self, node: NodeId) -> Result<(), EditError> {
        if self.exists.contains_key(&node) || self.core.state.knows(node) {
            Ok(())
        } else {
            Err(EditError::NoSuchNode(node))
        }
    }

    fn ensure_exists(
        &mut self,
        node: NodeId,
        planned: &mut Vec<Cow<'_, LogEntry>>,
    ) -> Result<(), EditError> {
        let foreseen = self.exists.get(&node).copied();
        if foreseen.unwrap_or_else(|| !self.cleared && self.core.state.exists(node)) {
            return Ok(());
        }
        self.ensure_known(node)?;
        planned.push(Cow::Owned(LogEntry::RestoreNode { node_id: node }));
        self.exists.insert(node, true);
        Ok(())
    }

    fn ensure_connected(&self, from: NodeId, to: NodeId) -> Result<(), EditError> {
        let shown = || self.core.state.edge(&self.core.authors, from, to).is_some();
        let foreseen = self.edges.get(&(from, to)).copied();
        if foreseen.unwrap_or_else(|| !self.cleared && shown()) {
            Ok(())
        } else {
            Err(EditError::NoSuchEdge(from, to))
        }
    }
}
