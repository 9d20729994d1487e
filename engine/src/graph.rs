//! What a reader sees: nodes, edges, visits and the conflicts between them, as plain values.
//!
//! A [`Graph`] is a pure function of the set of entries applied. It is ordered by ids, so two
//! equal graphs are equal byte for byte however they are written down.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entry::{EdgeKind, EdgeType, LogEntry, Position, Trigger};
use crate::id::{Dot, NodeId, uuid8};

/// A whole graph at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Graph {
    /// The nodes that exist, and the ghosts.
    pub nodes: BTreeMap<NodeId, Node>,
    /// The edges and visits that are shown, by (from, to).
    #[serde(serialize_with = "rows")]
    pub edges: BTreeMap<(NodeId, NodeId), Edge>,
    /// What a person may want to settle, in the order of the ids.
    pub conflicts: Vec<Conflict>,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The address; empty if no write of it is known.
    pub url: String,
    /// The title; empty if no write of it is known.
    pub title: String,
    /// Where it lies.
    pub position: Position,
    /// Whether the user pinned it.
    pub pinned: bool,
    /// Removed (or never added), and yet an edge or visit that the removal did not see is shown.
    pub ghost: bool,
}

/// All that leads from one node to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// Why the edge stands.
    pub kinds: BTreeSet<EdgeKind>,
    /// The visits that went this way, by (time, peer, sequence).
    pub visits: Vec<Visit>,
}

/// One visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Visit {
    /// When, in Unix milliseconds, as the visit says itself.
    pub timestamp_ms: u64,
    /// The entry that brought it.
    pub dot: Dot,
    /// What caused it.
    pub trigger: Trigger,
}

/// What is drawn between two nodes: one line, whatever its directions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisualEdge {
    /// The end with the lesser id.
    pub low: NodeId,
    /// The end with the greater id; the same for a loop.
    pub high: NodeId,
    /// What leads from `low` to `high`.
    pub forward: Edge,
    /// What leads from `high` to `low`; empty for a loop.
    pub backward: Edge,
}

impl Graph {
    /// One line for each pair of nodes with an edge or visit in either direction, by (low, high).
    pub fn visual_edges(&self) -> Vec<VisualEdge> {
        let mut lines: BTreeMap<(NodeId, NodeId), VisualEdge> = BTreeMap::new();
        for (&(from, to), edge) in &self.edges {
            let (low, high) = (from.min(to), from.max(to));
            let line = lines.entry((low, high)).or_insert_with(|| VisualEdge {
                low,
                high,
                forward: Edge::default(),
                backward: Edge::default(),
            });
            *(if from == low { &mut line.forward } else { &mut line.backward }) = edge.clone();
        }
        lines.into_values().collect()
    }
}

fn rows<S: serde::Serializer>(
    edges: &BTreeMap<(NodeId, NodeId), Edge>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(edges.iter().map(|((from, to), edge)| (from, to, edge)))
}

/// The name of a conflict: a hash of its kind and subject, so it is the same on every peer and
/// the same again when a settled conflict opens anew.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConflictId(pub Uuid);

impl std::fmt::Display for ConflictId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

impl std::fmt::Debug for ConflictId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

/// What kind of disagreement it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// A node was removed, and a write to it that the removal had not seen still stands.
    DeleteVsUpdate,
    /// A node does not exist, and an edge or visit that its removal had not seen is shown: a ghost.
    ConcurrentStructuralChange,
    /// Two typed edges of different types on one pair; neither author had seen the other's.
    ConcurrentEdgeTypes,
}

/// What a conflict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A node.
    Node(NodeId),
    /// A pair of nodes, (from, to).
    Pair(NodeId, NodeId),
}

/// A disagreement that a person can see and settle.
///
/// Read off the state, never remembered from an order of arrival. It never blocks sync.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// The conflict's name.
    pub id: ConflictId,
    /// What kind of disagreement it is.
    pub kind: ConflictKind,
    /// What it is about.
    pub subject: Subject,
    /// The removals that stand (those that no later removal had seen), by (time, peer, sequence):
    /// the node's own, then those of the whole graph. Empty for edge types.
    pub removals: Vec<Stamp>,
    /// What stands against them, or against each other, by (time, peer, sequence, kind): for
    /// [`DeleteVsUpdate`](ConflictKind::DeleteVsUpdate) the uncovered current writes of the node's
    /// registers; for a ghost the shown edges and visits that touch it; for edge types the
    /// additions that are in at least one open disagreement.
    pub claims: Vec<Claim>,
}

/// Who did something, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// The author's wall clock, in Unix milliseconds.
    pub timestamp_ms: u64,
    /// The entry.
    pub dot: Dot,
}

/// One side of a conflict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Who wrote it, and when; names the value in a [`Resolution`].
    pub stamp: Stamp,
    /// The change as the operation that would do just this. The writes of an `AddNode` appear as
    /// an `UpdateNodeUrl` and a `MoveNode` with the same stamp.
    pub change: LogEntry,
}

/// How a person settles a conflict; authored as ordinary operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// The node stays removed, now also for what the removal had not seen.
    KeepDeleted,
    /// The node exists again, with the values named (by [`Claim::stamp`]); fields that are not
    /// named show their greatest write.
    Restore {
        /// Writes whose values are to be shown.
        chosen: Vec<Dot>,
    },
    /// Both typed edges stay, and the pair is settled.
    KeepBoth,
    /// One typed edge stays, the pair's other typed edges go.
    KeepEdge {
        /// The type that stays.
        edge_type: EdgeType,
    },
}

impl ConflictId {
    /// The name of the conflict of this kind about this subject.
    pub fn derive(kind: ConflictKind, subject: Subject) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("graphshell-sync 1 conflict id");
        hasher.update(&[match kind {
            ConflictKind::DeleteVsUpdate => 1,
            ConflictKind::ConcurrentStructuralChange => 2,
            ConflictKind::ConcurrentEdgeTypes => 3,
        }]);
        match subject {
            Subject::Node(node) => {
                hasher.update(node.0.as_bytes());
            }
            Subject::Pair(from, to) => {
                hasher.update(from.0.as_bytes());
                hasher.update(to.0.as_bytes());
            }
        }
        ConflictId(uuid8(hasher.finalize().as_bytes()))
    }
}

impl Conflict {
    /// What happens if nobody decides: a removed node stays removed, edges stay both.
    pub fn suggested(&self) -> Resolution {
        match self.kind {
            ConflictKind::DeleteVsUpdate | ConflictKind::ConcurrentStructuralChange => {
                Resolution::KeepDeleted
            }
            ConflictKind::ConcurrentEdgeTypes => Resolution::KeepBoth,
        }
    }
}
