//! What a plan expects, in words that can be checked at one peer.

use graphshell_sync::{ConflictId, ConflictKind, EdgeKind, Position, Subject};
use serde::{Deserialize, Serialize};

use super::names::node_id;

/// What must be true at the end at some peers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Where; empty means at every peer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<String>,
    /// What.
    pub that: Vec<Fact>,
}

/// Something that can be read off one peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "fields say what is read")]
pub enum Fact {
    /// That many nodes are shown, ghosts included.
    NodeCount { count: usize },
    /// The node is shown; fields that are given must match.
    Node {
        node: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Position>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pinned: Option<bool>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ghost: Option<bool>,
    },
    /// The node is shown with one of these titles; which one hangs on ids that no plan chooses.
    TitleIsOneOf { node: String, titles: Vec<String> },
    /// The node is not shown.
    NoNode { node: String },
    /// The pair has exactly these kinds of edges, in any order, and that many visits.
    Edge { from: String, to: String, kinds: Vec<EdgeKind>, visits: usize },
    /// Nothing leads from the one to the other.
    NoEdge { from: String, to: String },
    /// One line is drawn between both, with that many visits each way: forward from the first.
    VisualEdge { between: (String, String), forward: usize, backward: usize },
    /// Exactly these conflicts are listed, in any order.
    Conflicts { listed: Vec<Listed> },
    /// The log holds that many entries of an unknown kind.
    UnknownEntries { count: usize },
    /// The peer authored as that many incarnations.
    Incarnations { count: usize },
    /// The peer told its user that the history of one of the author's incarnations forks.
    ForkReported { author_of: String },
    /// The peer reported no fork.
    NoFork,
    /// The last round that the peer started ended well, or not; a round under way is neither.
    LastSync { ok: bool },
    /// The run, all peers together, has counted this so often, bounds inclusive; one must be given.
    Counted {
        what: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        least: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<u64>,
    },
}

/// A listed conflict, by its kind and the names of what it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is the kind of the same name in the engine")]
pub enum Listed {
    DeleteVsUpdate(String),
    ConcurrentStructuralChange(String),
    ConcurrentEdgeTypes(String, String),
}

impl Listed {
    /// The id that the engine must give it.
    pub fn id(&self) -> ConflictId {
        let node = |name| Subject::Node(node_id(name));
        match self {
            Listed::DeleteVsUpdate(name) => {
                ConflictId::derive(ConflictKind::DeleteVsUpdate, node(name))
            }
            Listed::ConcurrentStructuralChange(name) => {
                ConflictId::derive(ConflictKind::ConcurrentStructuralChange, node(name))
            }
            Listed::ConcurrentEdgeTypes(from, to) => ConflictId::derive(
                ConflictKind::ConcurrentEdgeTypes,
                Subject::Pair(node_id(from), node_id(to)),
            ),
        }
    }
}
