//! Derived facts: what exists, what is shown, which conflicts are listed.

use super::node::NodeFacts;
use super::pair::{Ends, PairFacts};
use super::removal::Removal;
use super::{Records, State};
use crate::graph::{ConflictId, ConflictKind, Subject};
use crate::id::NodeId;

/// What one batch changed for a reader. Each list ascends and names nothing twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Nodes that appeared, changed or went.
    pub nodes: Vec<NodeId>,
    /// Pairs whose edges or visits appeared, changed or went. May name a pair that looks the same
    /// after all, where one of its ends came or went.
    pub pairs: Vec<(NodeId, NodeId)>,
    /// Conflicts that are listed now and were not before.
    pub opened: Vec<ConflictId>,
    /// Conflicts that are not listed any more.
    pub settled: Vec<ConflictId>,
}

impl Delta {
    /// Whether nothing changed for a reader.
    pub fn is_empty(&self) -> bool {
        self == &Delta::default()
    }
}

impl State {
    /// Ends a batch: brings the derived facts up to date and says what changed.
    pub(crate) fn refresh(&mut self) -> Delta {
        let mut delta = Delta::default();
        self.refresh_touched(&mut delta);
        delta.nodes.sort_unstable();
        delta.pairs.sort_unstable();
        delta.opened.sort_unstable();
        delta.settled.sort_unstable();
        delta
    }

    /// Brings the derived facts up to date while nobody listens.
    pub(crate) fn refresh_silently(&mut self) {
        self.refresh_touched(&mut Delta::default());
    }

    /// Whether the derived facts are up to date.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.cleared
            && self.records.touched_pairs.is_empty()
            && self.records.touched_nodes.is_empty()
    }

    fn refresh_touched(&mut self, delta: &mut Delta) {
        if std::mem::take(&mut self.cleared)
            && let Some(clear) = &self.clear
        {
            self.records.prune(clear);
        }
        self.records.touch_pairs_of_changed_nodes();
        // A pair that appears or goes touches its ends, which may be ghosts.
        for index in std::mem::take(&mut self.records.touched_pairs) {
            self.refresh_pair(index, delta);
        }
        for index in std::mem::take(&mut self.records.touched_nodes) {
            self.refresh_node(index, delta);
        }
    }

    fn refresh_pair(&mut self, index: u32, delta: &mut Delta) {
        let (from, to) = self.records.pairs.key(index);
        let ends = self.records.ends(from, to);
        let pair = &self.records.pairs[index];
        let shown = pair.count_shown(ends);
        let disputed = pair.disputes(ends).next().is_some();
        let now = PairFacts { shown, disputed };
        // With something hidden, another set may be shown although its size is the same.
        let hidden = shown as usize != pair.additions.len() + pair.visits.len();

        let pair = &mut self.records.pairs[index];
        let touch = std::mem::take(&mut pair.touch);
        let before = std::mem::replace(&mut pair.facts, now);
        if before.shown == 0 && now.shown == 0 {
            return;
        }
        let (from_id, to_id) = (self.records.nodes.key(from), self.records.nodes.key(to));
        if touch.changed || hidden || before.shown != now.shown {
            delta.pairs.push((from_id, to_id));
        }
        if before.disputed != now.disputed {
            let subject = Subject::Pair(from_id, to_id);
            self.list(ConflictKind::ConcurrentEdgeTypes, subject, now.disputed, delta);
        }
        let appeared = match (before.shown > 0, now.shown > 0) {
            (false, true) => true,
            (true, false) => false,
            _ => return,
        };
        count(&mut self.shown_pairs, appeared);
        let ends = [Some(from), (to != from).then_some(to)];
        for end in ends.into_iter().flatten() {
            self.records.touch_node(end);
            count(&mut self.records.nodes[end].shown_pairs, appeared);
        }
    }

    fn refresh_node(&mut self, index: u32, delta: &mut Delta) {
        let clear = self.clear.as_ref();
        let id = self.records.nodes.key(index);
        let node = &mut self.records.nodes[index];
        let now = node.facts(clear);
        let touch = std::mem::take(&mut node.touch);
        let before = std::mem::replace(&mut node.facts, now);
        let looks = |facts: NodeFacts| (facts.exists, facts.ghost);
        if looks(before) != looks(now) || touch.changed && now.visible() {
            delta.nodes.push(id);
        }
        if before.visible() != now.visible() {
            count(&mut self.visible_nodes, now.visible());
        }
        let subject = Subject::Node(id);
        if before.contested != now.contested {
            self.list(ConflictKind::DeleteVsUpdate, subject, now.contested, delta);
        }
        if before.ghost != now.ghost {
            self.list(ConflictKind::ConcurrentStructuralChange, subject, now.ghost, delta);
        }
    }

    fn list(&mut self, kind: ConflictKind, subject: Subject, listed: bool, delta: &mut Delta) {
        let id = ConflictId::derive(kind, subject);
        if listed {
            self.open.insert(id, (kind, subject));
            delta.opened.push(id);
        } else {
            self.open.remove(&id);
            delta.settled.push(id);
        }
    }

    /// Works out every derived fact of a state that was read back.
    pub(super) fn refresh_all(&mut self) {
        let mut delta = Delta::default();
        for index in 0..self.records.pairs.len() as u32 {
            self.refresh_pair(index, &mut delta);
        }
        for index in 0..self.records.nodes.len() as u32 {
            self.refresh_node(index, &mut delta);
        }
        self.records.touched_pairs.clear();
        self.records.touched_nodes.clear();
    }
}

impl Records {
    /// What the ends of a pair let be shown.
    pub(super) fn ends(&self, from: u32, to: u32) -> Ends<'_> {
        Ends([from, to].map(|end| {
            let node = &self.nodes[end];
            if node.additions.is_empty() { node.removal() } else { None }
        }))
    }

    /// Drops what a clear covers, which may be anything.
    pub(super) fn prune(&mut self, clear: &Removal) {
        self.touch_all();
        for index in 0..self.nodes.len() as u32 {
            self.nodes[index].prune(Some(clear));
        }
        for index in 0..self.pairs.len() as u32 {
            let pair = &mut self.pairs[index];
            let before = (pair.additions.len(), pair.visits.len());
            pair.prune(clear);
            pair.touch.changed |= before != (pair.additions.len(), pair.visits.len());
        }
    }

    fn touch_all(&mut self) {
        for index in 0..self.nodes.len() as u32 {
            self.touch_node(index);
        }
        for index in 0..self.pairs.len() as u32 {
            self.touch_pair(index);
        }
    }

    /// What a pair shows depends on whether its ends exist, and if not on their removals.
    fn touch_pairs_of_changed_nodes(&mut self) {
        for at in 0..self.touched_nodes.len() {
            let node = &self.nodes[self.touched_nodes[at]];
            let exists = !node.additions.is_empty();
            if exists != node.facts.exists || node.touch.removed && !exists {
                // The list is short of the node while it is walked; nothing reads it meanwhile.
                let index = self.touched_nodes[at];
                let pairs = std::mem::take(&mut self.nodes[index].pairs);
                for &pair in &pairs {
                    self.touch_pair(pair);
                }
                self.nodes[index].pairs = pairs;
            }
        }
    }
}

/// Counts one more or one less.
fn count<N: std::ops::AddAssign + std::ops::SubAssign + From<bool>>(number: &mut N, more: bool) {
    if more {
        *number += N::from(true);
    } else {
        *number -= N::from(true);
    }
}
