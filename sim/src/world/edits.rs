//! A plan's edits and choices as the engine's operations.

use graphshell_sync::{Conflict, LogEntry, Position, Resolution, Subject};

use super::names::node;
use super::shared::World;
use crate::plan::{Choice, Edit};

/// The operation that an edit does at a time of the peer's wall clock; the error says what is
/// wrong with the plan.
pub(crate) fn entry(edit: &Edit, clock_ms: u64) -> Result<LogEntry, String> {
    let position = |&(x, y): &(f32, f32)| {
        Position::new(x, y).map_err(|error| format!("{error}, found ({x}, {y})"))
    };
    Ok(match edit {
        Edit::AddNode { node: name, url, at } => {
            LogEntry::AddNode { node_id: node(name), url: url.clone(), position: position(at)? }
        }
        Edit::SetTitle { node: name, title } => {
            LogEntry::UpdateNodeTitle { node_id: node(name), title: title.clone() }
        }
        Edit::SetUrl { node: name, url } => {
            LogEntry::UpdateNodeUrl { node_id: node(name), new_url: url.clone() }
        }
        Edit::Move { node: name, to } => {
            LogEntry::MoveNode { node_id: node(name), position: position(to)? }
        }
        Edit::Pin { node: name, pinned } => {
            LogEntry::PinNode { node_id: node(name), is_pinned: *pinned }
        }
        Edit::RemoveNode { node: name } => LogEntry::RemoveNode { node_id: node(name) },
        Edit::RestoreNode { node: name } => LogEntry::RestoreNode { node_id: node(name) },
        Edit::AddEdge { from, to, edge_type } => {
            LogEntry::AddEdge { from: node(from), to: node(to), edge_type: *edge_type }
        }
        Edit::AssertEdge { from, to } => LogEntry::AssertEdge { from: node(from), to: node(to) },
        Edit::RemoveEdge { from, to, kind } => {
            LogEntry::RemoveEdge { from: node(from), to: node(to), kind: *kind }
        }
        Edit::Visit { from, to, trigger } => LogEntry::AddTraversal {
            from: node(from),
            to: node(to),
            timestamp_ms: clock_ms,
            trigger: *trigger,
        },
        Edit::Clear => LogEntry::ClearGraph,
        Edit::Unknown { kind, payload_hex } => {
            let payload = data_encoding::HEXLOWER_PERMISSIVE.decode(payload_hex.as_bytes());
            let payload = payload
                .map_err(|error| format!("{payload_hex:?} is not hexadecimal: {error}"))?;
            LogEntry::Opaque { kind: *kind, payload }
        }
    })
}

/// The first listed conflict about a node or pair.
pub(crate) fn conflict<'a>(
    conflicts: &'a [Conflict],
    about: &str,
    to: Option<&str>,
) -> Option<&'a Conflict> {
    let subject = match to {
        None => Subject::Node(node(about)),
        Some(to) => Subject::Pair(node(about), node(to)),
    };
    conflicts.iter().find(|conflict| conflict.subject == subject)
}

/// How a choice settles a conflict.
pub(crate) fn resolution(world: &World, choice: &Choice, conflict: &Conflict) -> Resolution {
    match choice {
        Choice::KeepDeleted => Resolution::KeepDeleted,
        Choice::Restore { writes_of } => {
            let by = writes_of.as_deref().and_then(|name| world.place(name));
            let claims = conflict.claims.iter().map(|claim| claim.stamp.dot);
            let chosen = claims.filter(|dot| by.is_some() && world.author(dot.peer) == by);
            Resolution::Restore { chosen: chosen.collect() }
        }
        Choice::KeepBoth => Resolution::KeepBoth,
        Choice::KeepEdge { edge_type } => Resolution::KeepEdge { edge_type: *edge_type },
    }
}
