//! What an entry says: the operations on the graph, and the metadata that orders them.

mod payload;

use serde::{Deserialize, Serialize};

use crate::id::{Dot, NodeId, PeerId};
use crate::vector::VersionVector;

pub use payload::PayloadError;

/// Where a node lies on the canvas. Finite, and zero has one sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "(f32, f32)", into = "(f32, f32)")]
pub struct Position {
    x: f32,
    y: f32,
}

/// A coordinate is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position needs two finite coordinates")]
pub struct NotFinite;

impl Position {
    /// The point (x, y), −0 made 0.
    pub fn new(x: f32, y: f32) -> Result<Self, NotFinite> {
        if x.is_finite() && y.is_finite() {
            Ok(Position { x: x + 0.0, y: y + 0.0 })
        } else {
            Err(NotFinite)
        }
    }

    /// The horizontal coordinate.
    pub fn x(self) -> f32 {
        self.x
    }

    /// The vertical coordinate.
    pub fn y(self) -> f32 {
        self.y
    }
}

impl TryFrom<(f32, f32)> for Position {
    type Error = NotFinite;

    fn try_from((x, y): (f32, f32)) -> Result<Self, NotFinite> {
        Position::new(x, y)
    }
}

impl From<Position> for (f32, f32) {
    fn from(at: Position) -> Self {
        (at.x, at.y)
    }
}

/// The types that an edge of the legacy model can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeType {
    /// One page links to the other.
    Hyperlink,
    /// The user went from one page to the other.
    History,
    /// The user put both into one group.
    UserGrouped,
}

/// Why an edge stands between two nodes; the third part of an edge's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// A typed edge of the legacy model.
    Typed(EdgeType),
    /// The user asserted that both belong together.
    Asserted,
}

/// How a visit came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Not recorded.
    Unknown,
    /// A link was followed.
    Link,
    /// The user typed or chose the address.
    Typed,
    /// Back in the history.
    Back,
    /// Forward in the history.
    Forward,
}

/// One operation on the graph.
///
/// `Text` is `String` where the operation is owned and `&str` where it is read in place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogEntry<Text = String> {
    /// An addition to the node's existence, and a write of its url and position.
    AddNode {
        /// The node.
        node_id: NodeId,
        /// The page's address.
        url: Text,
        /// Where it lies.
        position: Position,
    },
    /// An addition of a typed edge (legacy model).
    AddEdge {
        /// The edge's tail.
        from: NodeId,
        /// The edge's head.
        to: NodeId,
        /// Its type.
        edge_type: EdgeType,
    },
    /// Removes the additions of one kind that its author had seen; with no kind, every addition
    /// and visit of the pair.
    RemoveEdge {
        /// The edge's tail.
        from: NodeId,
        /// The edge's head.
        to: NodeId,
        /// Which edge; `None` means all of the pair.
        kind: Option<EdgeKind>,
    },
    /// A write of the title.
    UpdateNodeTitle {
        /// The node.
        node_id: NodeId,
        /// Its new title.
        title: Text,
    },
    /// A write of the pin.
    PinNode {
        /// The node.
        node_id: NodeId,
        /// Whether the user pinned it.
        is_pinned: bool,
    },
    /// Removes the additions that its author had seen.
    RemoveNode {
        /// The node.
        node_id: NodeId,
    },
    /// Removes everything that its author had seen.
    ClearGraph,
    /// A write of the url.
    UpdateNodeUrl {
        /// The node.
        node_id: NodeId,
        /// Its new address.
        new_url: Text,
    },
    /// A write of the position.
    MoveNode {
        /// The node.
        node_id: NodeId,
        /// Where it lies now.
        position: Position,
    },
    /// An addition of the asserted edge.
    AssertEdge {
        /// The edge's tail.
        from: NodeId,
        /// The edge's head.
        to: NodeId,
    },
    /// A visit that went from one page to the other.
    AddTraversal {
        /// Where the visit came from.
        from: NodeId,
        /// Where it went.
        to: NodeId,
        /// When, in Unix milliseconds.
        timestamp_ms: u64,
        /// What caused it.
        trigger: Trigger,
    },
    /// An addition to the node's existence, without any write.
    RestoreNode {
        /// The node.
        node_id: NodeId,
    },
    /// Both of the typed edges that disagree stay; the pair's conflict is settled.
    SettleEdgePair {
        /// The pair's tail.
        from: NodeId,
        /// The pair's head.
        to: NodeId,
    },
    /// An entry without a meaning here: its kind is not known to this version, or its payload is
    /// not a canonical one of its kind. Kept and forwarded byte for byte, shown by nobody.
    Opaque {
        /// The kind's number.
        kind: u16,
        /// The payload as it came.
        payload: Vec<u8>,
    },
}

/// A [`LogEntry`] with all that orders it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncedLogEntry {
    /// What was done.
    pub entry: LogEntry,
    /// The author's wall clock, in Unix milliseconds; 0 for a genesis entry.
    pub timestamp_ms: u64,
    /// The author.
    pub peer_id: PeerId,
    /// Its place among the author's entries, from 1.
    pub sequence: u64,
    /// All that the author had applied before it (own component: `sequence` − 1).
    pub version_vector: VersionVector,
    /// Whether it came from a legacy log (see [`legacy`](crate::legacy)).
    pub genesis: bool,
}

impl SyncedLogEntry {
    /// The entry's own name.
    pub fn dot(&self) -> Dot {
        Dot { peer: self.peer_id, sequence: self.sequence }
    }

    /// Whether this entry's author had seen `other`.
    pub fn saw(&self, other: Dot) -> bool {
        self.version_vector.covers_dot(other)
    }
}

/// Flag of an entry's header: re-authored from a legacy log.
pub(crate) const FLAG_GENESIS: u8 = 1;
