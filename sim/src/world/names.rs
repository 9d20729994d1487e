//! Ids of the names that a plan uses.
//!
//! They are hashes of the names, so one name means one id in every run and on every machine.

use std::collections::BTreeMap;

use graphshell_sync::{DeviceId, NodeId, WorkspaceId};
use uuid::Uuid;

use crate::plan::{Action, Edit, Plan};

fn hash(kind: &str, name: &str) -> [u8; 32] {
    blake3::derive_key(&format!("graphshell-sim 1 {kind}"), name.as_bytes())
}

fn uuid(hash: [u8; 32]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The workspace of every run.
pub(crate) fn workspace() -> WorkspaceId {
    WorkspaceId(uuid(hash("workspace", "")))
}

/// The node of this name.
pub(crate) fn node(name: &str) -> NodeId {
    NodeId(uuid(hash("node", name)))
}

/// The device of the peer of this name. Nobody signs yet, so any 32 bytes are a key.
pub(crate) fn device(name: &str) -> DeviceId {
    DeviceId(hash("device", name))
}

/// A number for a peer's name, by which choices about it are made.
pub(crate) fn key(name: &str) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&hash("peer", name)[..8]);
    u64::from_le_bytes(word)
}

/// The names of all nodes that a plan mentions in its edits.
pub(crate) fn nodes(plan: &Plan) -> BTreeMap<NodeId, String> {
    let legacy = plan.peers.iter().flat_map(|peer| &peer.legacy);
    let steps = plan.steps.iter().flat_map(|step| match &step.action {
        Action::Edit { edits, .. } => edits.as_slice(),
        _ => &[],
    });
    let names = legacy.chain(steps).flat_map(mentioned);
    names.map(|name| (node(name), name.clone())).collect()
}

fn mentioned(edit: &Edit) -> Vec<&String> {
    match edit {
        Edit::AddNode { node, .. }
        | Edit::SetTitle { node, .. }
        | Edit::SetUrl { node, .. }
        | Edit::Move { node, .. }
        | Edit::Pin { node, .. }
        | Edit::RemoveNode { node }
        | Edit::RestoreNode { node } => vec![node],
        Edit::AddEdge { from, to, .. }
        | Edit::AssertEdge { from, to }
        | Edit::RemoveEdge { from, to, .. }
        | Edit::Visit { from, to, .. } => vec![from, to],
        Edit::Clear | Edit::Unknown { .. } => Vec::new(),
    }
}
