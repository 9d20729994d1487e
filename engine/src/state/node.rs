//! The record of one node.

use smallvec::SmallVec;

use super::causality::EntryStamp;
use super::join::Sides;
use super::register::Register;
use super::removal::{self, Removal};
use crate::author::Authors;
use crate::entry::{LogEntry, Position};
use crate::graph;
use crate::id::NodeId;

/// Everything that entries said about one node. Kept after a removal: a restored node shows its
/// old values.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Additions that no removal covers; of each author only what tells something.
    pub(super) additions: SmallVec<[EntryStamp; 1]>,
    pub(super) url: Register<Box<str>>,
    pub(super) title: Register<Box<str>>,
    pub(super) position: Register<Position>,
    pub(super) rare: Option<Box<Rare>>,
    /// The pairs that this node is an end of, each once.
    pub(super) pairs: SmallVec<[u32; 4]>,
    /// How many of those are shown.
    pub(super) shown_pairs: u32,
    pub(super) facts: NodeFacts,
    pub(super) touch: NodeTouch,
    /// Whether an addition or a write of it ever came.
    pub(super) known: bool,
}

/// What few nodes have.
#[derive(Debug, Default)]
pub(super) struct Rare {
    pub(super) pinned: Register<bool>,
    pub(super) removal: Option<Removal>,
}

/// What readers were last told of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NodeFacts {
    pub(super) exists: bool,
    /// Does not exist, but an edge or visit that touches it is shown.
    pub(super) ghost: bool,
    /// Does not exist, but a current write stands uncovered.
    pub(super) contested: bool,
}

impl NodeFacts {
    pub(super) fn visible(self) -> bool {
        self.exists || self.ghost
    }
}

/// What this batch did to a node so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NodeTouch {
    pub(super) queued: bool,
    /// A shown value is another one.
    pub(super) changed: bool,
    /// A removal came.
    pub(super) removed: bool,
}

impl Node {
    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(super) fn removal(&self) -> Option<&Removal> {
        self.rare.as_ref()?.removal.as_ref()
    }

    pub(super) fn pinned(&self) -> Option<&Register<bool>> {
        self.rare.as_ref().map(|rare| &rare.pinned)
    }

    /// An addition to the node's existence.
    pub(super) fn add(&mut self, stamp: EntryStamp, clear: Option<&Removal>) {
        self.known = true;
        // Whatever a removal saw came before it; only a genesis addition can be dead on arrival.
        if !self.covers(clear, &stamp) {
            // A removal that covers an author's last addition covers those before it, unless the
            // last is genesis and dies of any removal.
            self.additions.retain(|earlier| {
                earlier.author != stamp.author || stamp.genesis && !earlier.genesis
            });
            self.additions.push(stamp);
        }
    }

    /// Takes in another state's record of this node.
    pub(super) fn join(
        &mut self,
        authors: &Authors,
        sides: &Sides<'_>,
        other: Node,
        clear: Option<&Removal>,
    ) {
        self.known |= other.known;
        // An addition that was dropped for a later one of its author dies only with that one, so
        // it is not missed where the other side drops it too.
        sides.join(&mut self.additions, other.additions, EntryStamp::dot);
        self.touch.changed |= self.url.join(authors, sides, other.url);
        self.touch.changed |= self.title.join(authors, sides, other.title);
        self.touch.changed |= self.position.join(authors, sides, other.position);
        if let Some(other) = other.rare {
            let rare = self.rare.get_or_insert_default();
            self.touch.changed |= rare.pinned.join(authors, sides, other.pinned);
            self.touch.removed |= removal::merge(&mut rare.removal, authors, sides, other.removal);
        }
        self.prune(clear);
    }

    /// Whether a removal of this node or of the whole graph covers what `stamp` did.
    pub(super) fn covers(&self, clear: Option<&Removal>, stamp: &EntryStamp) -> bool {
        removal::covers(self.removal(), stamp) || removal::covers(clear, stamp)
    }

    /// Drops the additions that a removal covers.
    pub(super) fn prune(&mut self, clear: Option<&Removal>) {
        let own = self.rare.as_ref().and_then(|rare| rare.removal.as_ref());
        self.additions
            .retain(|stamp| !removal::covers(own, stamp) && !removal::covers(clear, stamp));
    }

    pub(super) fn facts(&self, clear: Option<&Removal>) -> NodeFacts {
        let exists = !self.additions.is_empty();
        NodeFacts {
            exists,
            ghost: !exists && self.shown_pairs > 0,
            contested: !exists && self.stamps().any(|stamp| self.stands(clear, stamp)),
        }
    }

    /// Whether a current write stands against the removals of this node.
    pub(super) fn stands(&self, clear: Option<&Removal>, stamp: &EntryStamp) -> bool {
        !stamp.genesis && !self.covers(clear, stamp)
    }

    fn stamps(&self) -> impl Iterator<Item = &EntryStamp> {
        let pinned = self.pinned().into_iter().flat_map(Register::stamps);
        self.url.stamps().chain(self.title.stamps()).chain(self.position.stamps()).chain(pinned)
    }

    /// The current writes of all registers, each as the operation that would do just this.
    pub(super) fn writes(&self, node_id: NodeId) -> Vec<(EntryStamp, LogEntry)> {
        let mut all = Vec::new();
        for write in self.url.writes() {
            let new_url = String::from(&*write.value);
            all.push((write.stamp, LogEntry::UpdateNodeUrl { node_id, new_url }));
        }
        for write in self.title.writes() {
            let title = String::from(&*write.value);
            all.push((write.stamp, LogEntry::UpdateNodeTitle { node_id, title }));
        }
        for write in self.position.writes() {
            all.push((write.stamp, LogEntry::MoveNode { node_id, position: write.value }));
        }
        for write in self.pinned().map_or(&[][..], Register::writes) {
            all.push((write.stamp, LogEntry::PinNode { node_id, is_pinned: write.value }));
        }
        all
    }

    /// The node as a reader sees it.
    pub(super) fn public(&self, authors: &Authors) -> graph::Node {
        let text = |register: &Register<Box<str>>| {
            register.shown(authors).map_or_else(String::new, |write| String::from(&*write.value))
        };
        let pinned = self.pinned().and_then(|register| register.shown(authors));
        graph::Node {
            url: text(&self.url),
            title: text(&self.title),
            position: self.position.shown(authors).map(|write| write.value).unwrap_or_default(),
            pinned: pinned.is_some_and(|write| write.value),
            ghost: self.facts.ghost,
        }
    }
}
