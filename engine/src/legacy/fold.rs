//! A legacy log to the operations that make its live state.

use std::collections::BTreeMap;

use super::{LegacyEdgeType, LegacyLogEntry};
use crate::entry::{EdgeType, LogEntry, Position};
use crate::id::NodeId;
use crate::limits::{MAX_TITLE_BYTES, MAX_URL_BYTES};

/// The live state of a legacy log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folded {
    /// The operations to author, nodes before edges, each in the order in which the log brought
    /// it into (its present) existence.
    pub entries: Vec<LogEntry>,
    /// What could not be taken over as it was, in the order of the nodes.
    pub adjusted: Vec<Adjustment>,
}

/// A value of a legacy log that today's bounds do not admit.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjustment {
    /// The node.
    pub node: NodeId,
    /// What was done to it.
    pub what: Adjusted,
}

/// How a value was adjusted; each keeps the whole of what it was.
#[derive(Clone, Debug, PartialEq)]
pub enum Adjusted {
    /// The url is longer than [`MAX_URL_BYTES`]. The node has an empty one instead, since a part
    /// of an address is another address.
    UrlDropped {
        /// The url.
        was: String,
    },
    /// The title is longer than [`MAX_TITLE_BYTES`] and was cut there, between two characters.
    TitleCut {
        /// The title.
        was: String,
    },
    /// A coordinate is not finite and became 0.
    PositionReset {
        /// The coordinates.
        was: (f32, f32),
    },
}

/// Folds a legacy log, given in its order, to the operations that make its live state.
///
/// The log means what its program made of it: adding a node that exists replaces url and position
/// and keeps the rest; removing a node removes its edges; an operation on a node that does not
/// exist does nothing, neither does an edge with such an end.
pub fn fold(log: impl IntoIterator<Item = LegacyLogEntry>) -> Folded {
    let mut live = Live::default();
    for (index, entry) in log.into_iter().enumerate() {
        live.apply(index, entry);
    }
    live.finish()
}

#[derive(Default)]
struct Live {
    nodes: BTreeMap<NodeId, LiveNode>,
    /// Where in the log each edge was last added. One that is older than either of its ends went
    /// with a former life of that end.
    edges: BTreeMap<(NodeId, NodeId, EdgeType), usize>,
}

struct LiveNode {
    /// Where in the log its present life began.
    born: usize,
    url: String,
    position: (f32, f32),
    title: String,
    is_pinned: bool,
}

impl Live {
    fn apply(&mut self, index: usize, entry: LegacyLogEntry) {
        match entry {
            LegacyLogEntry::AddNode { node_id, url, position_x, position_y } => {
                let node = self.nodes.entry(NodeId::from_legacy(&node_id)).or_insert(LiveNode {
                    born: index,
                    url: String::new(),
                    position: (0.0, 0.0),
                    title: String::new(),
                    is_pinned: false,
                });
                node.url = url;
                node.position = (position_x, position_y);
            }
            LegacyLogEntry::AddEdge { from_node_id, to_node_id, edge_type } => {
                let key = edge_key(&from_node_id, &to_node_id, edge_type);
                if self.nodes.contains_key(&key.0) && self.nodes.contains_key(&key.1) {
                    self.edges.insert(key, index);
                }
            }
            LegacyLogEntry::RemoveEdge { from_node_id, to_node_id, edge_type } => {
                self.edges.remove(&edge_key(&from_node_id, &to_node_id, edge_type));
            }
            LegacyLogEntry::UpdateNodeTitle { node_id, title } => {
                self.update(&node_id, |node| node.title = title);
            }
            LegacyLogEntry::PinNode { node_id, is_pinned } => {
                self.update(&node_id, |node| node.is_pinned = is_pinned);
            }
            LegacyLogEntry::RemoveNode { node_id } => {
                self.nodes.remove(&NodeId::from_legacy(&node_id));
            }
            LegacyLogEntry::ClearGraph => *self = Live::default(),
            LegacyLogEntry::UpdateNodeUrl { node_id, new_url } => {
                self.update(&node_id, |node| node.url = new_url);
            }
        }
    }

    fn update(&mut self, node_id: &str, change: impl FnOnce(&mut LiveNode)) {
        if let Some(node) = self.nodes.get_mut(&NodeId::from_legacy(node_id)) {
            change(node);
        }
    }

    fn finish(self) -> Folded {
        let Live { nodes, edges } = self;
        let stands = |node: NodeId, added: usize| nodes.get(&node).is_some_and(|n| n.born < added);
        let mut edges: Vec<_> = edges
            .into_iter()
            .filter(|&((from, to, _), added)| stands(from, added) && stands(to, added))
            .collect();
        edges.sort_unstable_by_key(|&(_, added)| added);
        let mut nodes: Vec<_> = nodes.into_iter().collect();
        nodes.sort_unstable_by_key(|(_, node)| node.born);

        let mut folded = Folded::default();
        for (node_id, node) in nodes {
            folded.push_node(node_id, node);
        }
        folded.entries.extend(
            edges.into_iter().map(|((from, to, edge_type), _)| LogEntry::AddEdge {
                from,
                to,
                edge_type,
            }),
        );
        folded
    }
}

impl Folded {
    fn push_node(&mut self, node_id: NodeId, node: LiveNode) {
        let LiveNode { mut url, position: (x, y), mut title, is_pinned, .. } = node;
        let mut adjust = |what| self.adjusted.push(Adjustment { node: node_id, what });
        if url.len() > MAX_URL_BYTES {
            adjust(Adjusted::UrlDropped { was: std::mem::take(&mut url) });
        }
        let finite = |value: f32| if value.is_finite() { value } else { 0.0 };
        let position = Position::new(finite(x), finite(y)).expect("both were made finite");
        if !(x.is_finite() && y.is_finite()) {
            adjust(Adjusted::PositionReset { was: (x, y) });
        }
        if title.len() > MAX_TITLE_BYTES {
            let cut = title[..title.floor_char_boundary(MAX_TITLE_BYTES)].to_owned();
            adjust(Adjusted::TitleCut { was: std::mem::replace(&mut title, cut) });
        }
        self.entries.push(LogEntry::AddNode { node_id, url, position });
        if !title.is_empty() {
            self.entries.push(LogEntry::UpdateNodeTitle { node_id, title });
        }
        if is_pinned {
            self.entries.push(LogEntry::PinNode { node_id, is_pinned });
        }
    }
}

fn edge_key(from: &str, to: &str, edge_type: LegacyEdgeType) -> (NodeId, NodeId, EdgeType) {
    let edge_type = match edge_type {
        LegacyEdgeType::Hyperlink => EdgeType::Hyperlink,
        LegacyEdgeType::History => EdgeType::History,
        LegacyEdgeType::UserGrouped => EdgeType::UserGrouped,
    };
    (NodeId::from_legacy(from), NodeId::from_legacy(to), edge_type)
}

#[cfg(test)]
mod tests;
