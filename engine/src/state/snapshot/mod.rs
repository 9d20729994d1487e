//! A state as bytes, and back.
//!
//! The bytes are canonical: peers that applied equal sets of entries write equal bytes, and
//! bytes are read only if they are what would be written. So a hash of them names the state.
//!
//! ```text
//! state   := version:u8 authors removal? nodes pairs opaque       the removal: all clears as one
//! authors := count (peer:16 applied)* vector*                     ascending by peer
//! nodes   := count (id:16 parts:u8 stamps? urls? titles? places? pins? removal?)*     by id
//! pairs   := count (from to parts:u8 removed:u8? additions? visits? vectors?)*  by (from, to)
//! opaque  := count (stamp kind length payload)*
//! removal := vector stamps
//! vector  := count (author sequence)*                             ascending by author
//! stamp   := author<<1|genesis sequence time
//! ```
//! All numbers are shortest LEB128. An author is its place in `authors`; `from` and `to` are
//! places in `nodes`, where everything that a pair names stands. Lists ascend by the dots of
//! their stamps. A part that is empty is left out; an optional removal is a count of 0 or 1.

mod decode;
mod encode;

use super::node::Node;
use super::pair::Pair;
use crate::entry::{EdgeKind, EdgeType, Trigger};

const VERSION: u8 = 1;

const ADDITIONS: u8 = 1;
const URL: u8 = 1 << 1;
const TITLE: u8 = 1 << 2;
const POSITION: u8 = 1 << 3;
const PINNED: u8 = 1 << 4;
const REMOVAL: u8 = 1 << 5;
const KNOWN: u8 = 1 << 6;
const NODE_PARTS: u8 = ADDITIONS | URL | TITLE | POSITION | PINNED | REMOVAL | KNOWN;

const VISITS: u8 = 1 << 1;
const SETTLED: u8 = 1 << 2;
const REMOVED: u8 = 1 << 3;
const PAIR_PARTS: u8 = ADDITIONS | VISITS | SETTLED | REMOVED;

const KINDS: [EdgeKind; 4] = [
    EdgeKind::Typed(EdgeType::Hyperlink),
    EdgeKind::Typed(EdgeType::History),
    EdgeKind::Typed(EdgeType::UserGrouped),
    EdgeKind::Asserted,
];
const TRIGGERS: [Trigger; 5] =
    [Trigger::Unknown, Trigger::Link, Trigger::Typed, Trigger::Back, Trigger::Forward];

/// Which parts a node has; none if it was only mentioned.
fn node_parts(node: &Node) -> u8 {
    let pinned = node.pinned().is_some_and(|pinned| !pinned.is_empty());
    [
        (!node.additions.is_empty(), ADDITIONS),
        (!node.url.is_empty(), URL),
        (!node.title.is_empty(), TITLE),
        (!node.position.is_empty(), POSITION),
        (pinned, PINNED),
        (node.removal().is_some(), REMOVAL),
        (node.known, KNOWN),
    ]
    .iter()
    .fold(0, |parts, &(has, part)| if has { parts | part } else { parts })
}

/// Which parts a pair has, settlements aside; none if it was only mentioned.
fn pair_parts(pair: &Pair) -> u8 {
    [
        (!pair.additions.is_empty(), ADDITIONS),
        (!pair.visits.is_empty(), VISITS),
        (pair.removed.bits() != 0, REMOVED),
    ]
    .iter()
    .fold(0, |parts, &(has, part)| if has { parts | part } else { parts })
}
