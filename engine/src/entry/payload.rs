//! The canonical bytes of an operation: a kind number and a payload.

use uuid::Uuid;

use super::{EdgeKind, EdgeType, LogEntry, Position, Trigger};
use crate::codec::{DecodeError, Reader, put_varint};
use crate::id::NodeId;
use crate::limits::{MAX_PAYLOAD_BYTES, MAX_TITLE_BYTES, MAX_URL_BYTES};

/// An operation cannot be written down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// A text or payload exceeds its bound.
    #[error("{what} is {bytes} bytes long, more than {most}")]
    TooLong {
        /// Which part.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The bound.
        most: usize,
    },
}

const ADD_NODE: u16 = 1;
const ADD_EDGE: u16 = 2;
const REMOVE_EDGE: u16 = 3;
const UPDATE_NODE_TITLE: u16 = 4;
const PIN_NODE: u16 = 5;
const REMOVE_NODE: u16 = 6;
const CLEAR_GRAPH: u16 = 7;
const UPDATE_NODE_URL: u16 = 8;
const MOVE_NODE: u16 = 9;
const ASSERT_EDGE: u16 = 10;
const ADD_TRAVERSAL: u16 = 11;
const RESTORE_NODE: u16 = 12;
const SETTLE_EDGE_PAIR: u16 = 13;

impl<Text: AsRef<str>> LogEntry<Text> {
    /// The number of the operation's kind.
    pub fn kind(&self) -> u16 {
        match self {
            LogEntry::AddNode { .. } => ADD_NODE,
            LogEntry::AddEdge { .. } => ADD_EDGE,
            LogEntry::RemoveEdge { .. } => REMOVE_EDGE,
            LogEntry::UpdateNodeTitle { .. } => UPDATE_NODE_TITLE,
            LogEntry::PinNode { .. } => PIN_NODE,
            LogEntry::RemoveNode { .. } => REMOVE_NODE,
            LogEntry::ClearGraph => CLEAR_GRAPH,
            LogEntry::UpdateNodeUrl { .. } => UPDATE_NODE_URL,
            LogEntry::MoveNode { .. } => MOVE_NODE,
            LogEntry::AssertEdge { .. } => ASSERT_EDGE,
            LogEntry::AddTraversal { .. } => ADD_TRAVERSAL,
            LogEntry::RestoreNode { .. } => RESTORE_NODE,
            LogEntry::SettleEdgePair { .. } => SETTLE_EDGE_PAIR,
            LogEntry::Opaque { kind, .. } => *kind,
        }
    }

    /// Whether this version gives entries of this kind a meaning.
    pub fn is_known_kind(kind: u16) -> bool {
        (ADD_NODE..=SETTLE_EDGE_PAIR).contains(&kind)
    }

    /// Whether the operation makes sense only where an edge or visit is shown.
    pub(crate) fn needs_edge(&self) -> bool {
        matches!(self, LogEntry::RemoveEdge { .. } | LogEntry::SettleEdgePair { .. })
    }

    /// Appends the payload to `out`, or leaves `out` as it was.
    pub fn encode_payload(&self, out: &mut Vec<u8>) -> Result<(), PayloadError> {
        match self {
            LogEntry::AddNode { node_id, url, position } => {
                cap("the url", url.as_ref().len(), MAX_URL_BYTES)?;
                put_node(out, *node_id);
                put_position(out, *position);
                out.extend_from_slice(url.as_ref().as_bytes());
            }
            LogEntry::AddEdge { from, to, edge_type } => {
                put_pair(out, *from, *to);
                out.push(type_code(*edge_type));
            }
            LogEntry::RemoveEdge { from, to, kind } => {
                put_pair(out, *from, *to);
                out.push(match kind {
                    None => 0,
                    Some(EdgeKind::Asserted) => ASSERTED_CODE,
                    Some(EdgeKind::Typed(edge_type)) => type_code(*edge_type),
                });
            }
            LogEntry::UpdateNodeTitle { node_id, title } => {
                cap("the title", title.as_ref().len(), MAX_TITLE_BYTES)?;
                put_node(out, *node_id);
                out.extend_from_slice(title.as_ref().as_bytes());
            }
            LogEntry::PinNode { node_id, is_pinned } => {
                put_node(out, *node_id);
                out.push(u8::from(*is_pinned));
            }
            LogEntry::RemoveNode { node_id } | LogEntry::RestoreNode { node_id } => {
                put_node(out, *node_id);
            }
            LogEntry::ClearGraph => {}
            LogEntry::UpdateNodeUrl { node_id, new_url } => {
                cap("the url", new_url.as_ref().len(), MAX_URL_BYTES)?;
                put_node(out, *node_id);
                out.extend_from_slice(new_url.as_ref().as_bytes());
            }
            LogEntry::MoveNode { node_id, position } => {
                put_node(out, *node_id);
                put_position(out, *position);
            }
            LogEntry::AssertEdge { from, to } | LogEntry::SettleEdgePair { from, to } => {
                put_pair(out, *from, *to);
            }
            LogEntry::AddTraversal { from, to, timestamp_ms, trigger } => {
                put_pair(out, *from, *to);
                put_varint(out, *timestamp_ms);
                out.push(trigger_code(*trigger));
            }
            LogEntry::Opaque { payload, .. } => {
                cap("the payload", payload.len(), MAX_PAYLOAD_BYTES)?;
                out.extend_from_slice(payload);
            }
        }
        Ok(())
    }
}

impl<'a> LogEntry<&'a str> {
    /// Reads an operation in place.
    ///
    /// Never fails: what has no meaning here becomes [`LogEntry::Opaque`], since refusing one
    /// entry would leave a hole on which all later entries hang.
    pub fn decode(kind: u16, payload: &'a [u8]) -> Self {
        Self::decode_known(kind, payload)
            .unwrap_or_else(|_| LogEntry::Opaque { kind, payload: payload.to_vec() })
    }

    fn decode_known(kind: u16, payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let read = &mut reader;
        let entry = match kind {
            ADD_NODE => {
                let (node_id, position) = (node(read)?, position(read)?);
                LogEntry::AddNode { node_id, position, url: text(read, payload, MAX_URL_BYTES)? }
            }
            ADD_EDGE => {
                let (from, to) = pair(read)?;
                let code = read.u8("an edge type")?;
                let edge_type = edge_type(code).ok_or_else(|| read.error("an edge type"))?;
                LogEntry::AddEdge { from, to, edge_type }
            }
            REMOVE_EDGE => {
                let (from, to) = pair(read)?;
                let kind = match read.u8("an edge kind")? {
                    0 => None,
                    ASSERTED_CODE => Some(EdgeKind::Asserted),
                    code => Some(EdgeKind::Typed(
                        edge_type(code).ok_or_else(|| read.error("an edge kind"))?,
                    )),
                };
                LogEntry::RemoveEdge { from, to, kind }
            }
            UPDATE_NODE_TITLE => LogEntry::UpdateNodeTitle {
                node_id: node(read)?,
                title: text(read, payload, MAX_TITLE_BYTES)?,
            },
            PIN_NODE => {
                let node_id = node(read)?;
                let is_pinned = match read.u8("0 or 1")? {
                    0 => false,
                    1 => true,
                    _ => return Err(read.error("0 or 1")),
                };
                LogEntry::PinNode { node_id, is_pinned }
            }
            REMOVE_NODE => LogEntry::RemoveNode { node_id: node(read)? },
            CLEAR_GRAPH => LogEntry::ClearGraph,
            UPDATE_NODE_URL => LogEntry::UpdateNodeUrl {
                node_id: node(read)?,
                new_url: text(read, payload, MAX_URL_BYTES)?,
            },
            MOVE_NODE => LogEntry::MoveNode { node_id: node(read)?, position: position(read)? },
            ASSERT_EDGE => {
                let (from, to) = pair(read)?;
                LogEntry::AssertEdge { from, to }
            }
            ADD_TRAVERSAL => {
                let (from, to) = pair(read)?;
                let timestamp_ms = read.varint("a time")?;
                let code = read.u8("a trigger")?;
                let trigger = trigger(code).ok_or_else(|| read.error("a trigger"))?;
                LogEntry::AddTraversal { from, to, timestamp_ms, trigger }
            }
            RESTORE_NODE => LogEntry::RestoreNode { node_id: node(read)? },
            SETTLE_EDGE_PAIR => {
                let (from, to) = pair(read)?;
                LogEntry::SettleEdgePair { from, to }
            }
            _ => return Err(read.error("a known kind")),
        };
        reader.finish("the payload's end")?;
        Ok(entry)
    }

    /// The same operation, owning its texts.
    pub fn to_owned(&self) -> LogEntry {
        match *self {
            LogEntry::AddNode { node_id, url, position } => {
                LogEntry::AddNode { node_id, url: url.to_owned(), position }
            }
            LogEntry::UpdateNodeTitle { node_id, title } => {
                LogEntry::UpdateNodeTitle { node_id, title: title.to_owned() }
            }
            LogEntry::UpdateNodeUrl { node_id, new_url } => {
                LogEntry::UpdateNodeUrl { node_id, new_url: new_url.to_owned() }
            }
            LogEntry::AddEdge { from, to, edge_type } => LogEntry::AddEdge { from, to, edge_type },
            LogEntry::RemoveEdge { from, to, kind } => LogEntry::RemoveEdge { from, to, kind },
            LogEntry::PinNode { node_id, is_pinned } => LogEntry::PinNode { node_id, is_pinned },
            LogEntry::RemoveNode { node_id } => LogEntry::RemoveNode { node_id },
            LogEntry::ClearGraph => LogEntry::ClearGraph,
            LogEntry::MoveNode { node_id, position } => LogEntry::MoveNode { node_id, position },
            LogEntry::AssertEdge { from, to } => LogEntry::AssertEdge { from, to },
            LogEntry::AddTraversal { from, to, timestamp_ms, trigger } => {
                LogEntry::AddTraversal { from, to, timestamp_ms, trigger }
            }
            LogEntry::RestoreNode { node_id } => LogEntry::RestoreNode { node_id },
            LogEntry::SettleEdgePair { from, to } => LogEntry::SettleEdgePair { from, to },
            LogEntry::Opaque { kind, ref payload } => {
                LogEntry::Opaque { kind, payload: payload.clone() }
            }
        }
    }
}

const ASSERTED_CODE: u8 = 4;

fn type_code(edge_type: EdgeType) -> u8 {
    match edge_type {
        EdgeType::Hyperlink => 1,
        EdgeType::History => 2,
        EdgeType::UserGrouped => 3,
    }
}

fn edge_type(code: u8) -> Option<EdgeType> {
    [EdgeType::Hyperlink, EdgeType::History, EdgeType::UserGrouped]
        .into_iter()
        .find(|&edge_type| type_code(edge_type) == code)
}

fn trigger_code(trigger: Trigger) -> u8 {
    match trigger {
        Trigger::Unknown => 0,
        Trigger::Link => 1,
        Trigger::Typed => 2,
        Trigger::Back => 3,
        Trigger::Forward => 4,
    }
}

fn trigger(code: u8) -> Option<Trigger> {
    [Trigger::Unknown, Trigger::Link, Trigger::Typed, Trigger::Back, Trigger::Forward]
        .into_iter()
        .find(|&trigger| trigger_code(trigger) == code)
}

fn cap(what: &'static str, bytes: usize, most: usize) -> Result<(), PayloadError> {
    if bytes <= most { Ok(()) } else { Err(PayloadError::TooLong { what, bytes, most }) }
}

fn put_node(out: &mut Vec<u8>, node: NodeId) {
    out.extend_from_slice(node.0.as_bytes());
}

fn put_pair(out: &mut Vec<u8>, from: NodeId, to: NodeId) {
    put_node(out, from);
    put_node(out, to);
}

fn put_position(out: &mut Vec<u8>, position: Position) {
    out.extend_from_slice(&position.x().to_bits().to_le_bytes());
    out.extend_from_slice(&position.y().to_bits().to_le_bytes());
}

fn node(read: &mut Reader<'_>) -> Result<NodeId, DecodeError> {
    Ok(NodeId(Uuid::from_bytes(read.array("a node id of 16 bytes")?)))
}

fn pair(read: &mut Reader<'_>) -> Result<(NodeId, NodeId), DecodeError> {
    Ok((node(read)?, node(read)?))
}

fn position(read: &mut Reader<'_>) -> Result<Position, DecodeError> {
    let x = f32::from_le_bytes(read.array("a coordinate of 4 bytes")?);
    let y = f32::from_le_bytes(read.array("a coordinate of 4 bytes")?);
    let canonical = |value: f32| value.to_bits() != (-0.0f32).to_bits();
    match Position::new(x, y) {
        Ok(position) if canonical(x) && canonical(y) => Ok(position),
        _ => Err(read.error("two finite coordinates without a negative zero")),
    }
}

/// The rest of the payload as text.
fn text<'a>(read: &mut Reader<'a>, payload: &'a [u8], most: usize) -> Result<&'a str, DecodeError> {
    let length = payload.len() - read.offset();
    if length > most {
        return Err(read.error("a text within its bound"));
    }
    let start = read.clone();
    std::str::from_utf8(read.bytes(length, "a text")?).map_err(|_| start.error("UTF-8"))
}

#[cfg(test)]
mod tests;
