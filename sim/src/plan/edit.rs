//! A user's edits, in the words of a plan.

use graphshell_sync::{EdgeKind, EdgeType, LogEntry, Position, Trigger};
use serde::{Deserialize, Serialize};

use super::names::{hex, node_id};

/// A user's edit; nodes are named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "each is the operation of the same name in the engine")]
pub enum Edit {
    AddNode {
        node: String,
        url: String,
        #[serde(default)]
        at: Position,
    },
    SetTitle {
        node: String,
        title: String,
    },
    SetUrl {
        node: String,
        url: String,
    },
    Move {
        node: String,
        to: Position,
    },
    Pin {
        node: String,
        pinned: bool,
    },
    RemoveNode {
        node: String,
    },
    RestoreNode {
        node: String,
    },
    AddEdge {
        from: String,
        to: String,
        edge_type: EdgeType,
    },
    AssertEdge {
        from: String,
        to: String,
    },
    RemoveEdge {
        from: String,
        to: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<EdgeKind>,
    },
    Visit {
        from: String,
        to: String,
        trigger: Trigger,
    },
    Clear,
    /// An entry as a later version would write it.
    Unknown {
        kind: u16,
        #[serde(rename = "payload_hex", with = "hex")]
        payload: Vec<u8>,
    },
}

impl Edit {
    /// The operation that the edit is; `now_ms` is when, in Unix milliseconds by the editing
    /// peer's wall clock, and is kept by visits only.
    pub fn to_entry(&self, now_ms: u64) -> LogEntry {
        let id = |name: &str| node_id(name);
        match self {
            Edit::AddNode { node, url, at } => {
                LogEntry::AddNode { node_id: id(node), url: url.clone(), position: *at }
            }
            Edit::SetTitle { node, title } => {
                LogEntry::UpdateNodeTitle { node_id: id(node), title: title.clone() }
            }
            Edit::SetUrl { node, url } => {
                LogEntry::UpdateNodeUrl { node_id: id(node), new_url: url.clone() }
            }
            Edit::Move { node, to } => LogEntry::MoveNode { node_id: id(node), position: *to },
            Edit::Pin { node, pinned } => {
                LogEntry::PinNode { node_id: id(node), is_pinned: *pinned }
            }
            Edit::RemoveNode { node } => LogEntry::RemoveNode { node_id: id(node) },
            Edit::RestoreNode { node } => LogEntry::RestoreNode { node_id: id(node) },
            Edit::AddEdge { from, to, edge_type } => {
                LogEntry::AddEdge { from: id(from), to: id(to), edge_type: *edge_type }
            }
            Edit::AssertEdge { from, to } => LogEntry::AssertEdge { from: id(from), to: id(to) },
            Edit::RemoveEdge { from, to, kind } => {
                LogEntry::RemoveEdge { from: id(from), to: id(to), kind: *kind }
            }
            Edit::Visit { from, to, trigger } => LogEntry::AddTraversal {
                from: id(from),
                to: id(to),
                timestamp_ms: now_ms,
                trigger: *trigger,
            },
            Edit::Clear => LogEntry::ClearGraph,
            Edit::Unknown { kind, payload } => {
                LogEntry::Opaque { kind: *kind, payload: payload.clone() }
            }
        }
    }

    /// The names of the nodes that the edit names.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        let (one, other) = match self {
            Edit::AddNode { node, .. }
            | Edit::SetTitle { node, .. }
            | Edit::SetUrl { node, .. }
            | Edit::Move { node, .. }
            | Edit::Pin { node, .. }
            | Edit::RemoveNode { node }
            | Edit::RestoreNode { node } => (Some(node), None),
            Edit::AddEdge { from, to, .. }
            | Edit::AssertEdge { from, to }
            | Edit::RemoveEdge { from, to, .. }
            | Edit::Visit { from, to, .. } => (Some(from), Some(to)),
            Edit::Clear | Edit::Unknown { .. } => (None, None),
        };
        one.into_iter().chain(other).map(String::as_str)
    }
}
