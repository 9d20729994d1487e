//! A plan's edits in the words of logs from before sync.

use graphshell_sync::legacy::{LegacyEdgeType, LegacyLogEntry};
use graphshell_sync::{EdgeKind, EdgeType};

use crate::plan::{Edit, node_id};

/// A plan's edit as the entry that a browser before sync wrote; the plan is valid, so there is one.
pub(super) fn legacy(edit: &Edit) -> LegacyLogEntry {
    let id = |name: &String| node_id(name).to_string();
    match edit {
        Edit::AddNode { node, url, at } => LegacyLogEntry::AddNode {
            node_id: id(node),
            url: url.clone(),
            position_x: at.x(),
            position_y: at.y(),
        },
        Edit::SetTitle { node, title } => {
            LegacyLogEntry::UpdateNodeTitle { node_id: id(node), title: title.clone() }
        }
        Edit::SetUrl { node, url } => {
            LegacyLogEntry::UpdateNodeUrl { node_id: id(node), new_url: url.clone() }
        }
        Edit::Pin { node, pinned } => {
            LegacyLogEntry::PinNode { node_id: id(node), is_pinned: *pinned }
        }
        Edit::RemoveNode { node } => LegacyLogEntry::RemoveNode { node_id: id(node) },
        Edit::AddEdge { from, to, edge_type } => LegacyLogEntry::AddEdge {
            from_node_id: id(from),
            to_node_id: id(to),
            edge_type: legacy_type(*edge_type),
        },
        Edit::RemoveEdge { from, to, kind: Some(EdgeKind::Typed(edge_type)) } => {
            LegacyLogEntry::RemoveEdge {
                from_node_id: id(from),
                to_node_id: id(to),
                edge_type: legacy_type(*edge_type),
            }
        }
        Edit::Clear => LegacyLogEntry::ClearGraph,
        other => unreachable!("no operation of a legacy log: {other:?}"),
    }
}

fn legacy_type(edge_type: EdgeType) -> LegacyEdgeType {
    match edge_type {
        EdgeType::Hyperlink => LegacyEdgeType::Hyperlink,
        EdgeType::History => LegacyEdgeType::History,
        EdgeType::UserGrouped => LegacyEdgeType::UserGrouped,
    }
}
