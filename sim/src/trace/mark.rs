//! Typed marks beside the lines of a story: what an explanation draws.
//!
//! A mark adds nothing to the hash and steers nothing; it says in types what a line says in words,
//! or what a reader sees between two lines. Only an explanation asks for marks, since they keep
//! whole frames and records.

use std::collections::BTreeMap;

use graphshell_sync::{
    Conflict, ConflictId, Dot, Edge, Graph, Node, NodeId, Record, VersionVector,
};

/// A mark, where and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Marked {
    /// How many lines the story had by then; the mark belongs to the last of them, if that is of
    /// the same peer.
    pub lines: usize,
    /// When, in virtual milliseconds from the plan's start.
    pub virtual_ms: u64,
    /// Which peer, as its place in the plan; `None` for the whole world.
    pub peer: Option<usize>,
    /// What.
    pub mark: Mark,
}

/// What happened. Other peers are places in the plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// A frame left.
    Sent {
        /// For whom.
        to: usize,
        /// Its number on its link.
        nth: u64,
        /// The call, unique for the calling device.
        call: u64,
        /// Whether it answers that call, or opens it.
        answers: bool,
        /// The engine's frame.
        body: Vec<u8>,
    },
    /// A frame arrived.
    Arrived {
        /// From whom.
        from: usize,
        /// Its number on its link.
        nth: u64,
        /// Whether it had arrived before.
        again: bool,
    },
    /// The answer that arrived is of use to nobody any more.
    TooLate,
    /// A frame will never arrive, or is refused since it was damaged.
    Lost {
        /// From whom.
        from: usize,
        /// Its number on its link.
        nth: u64,
    },
    /// The user's edit was taken, as these entries.
    Authored(Vec<Dot>),
    /// The store begins to write.
    Writing,
    /// The store has written, or said that it could not.
    Wrote,
    /// Records became durable.
    Stored(Vec<Record>),
    /// A base that covers all this was put under the log.
    Rebased(VersionVector),
    /// The peer has power again.
    Started,
    /// It does what it is told.
    Ready,
    /// It lost power.
    Died,
    /// It began a round.
    RoundBegan {
        /// With whom.
        with: usize,
    },
    /// A round ended.
    RoundEnded {
        /// With whom.
        with: usize,
    },
    /// Its reader sees something else.
    View(View),
    /// What came before was set-up: here the plan begins, or a recording.
    Begun {
        /// When that is, in Unix milliseconds: by a right clock, or by that of the recorded device.
        epoch_ms: u64,
    },
    /// What the peer held before anything of it is told.
    Held {
        /// Its log, as far as that is known.
        records: Vec<Record>,
        /// All that was applied.
        applied: VersionVector,
    },
    /// All faults ended.
    Healed,
    /// In the end not all peers need to show the same.
    Apart {
        /// Who, unless that is everybody, and why.
        why: String,
    },
    /// By the plan something happened to the world.
    Happened {
        /// Whom it concerns; nobody means all.
        to: Vec<usize>,
    },
}

/// How what a reader sees differs from what it saw before; `None` stands for what is gone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// All that is applied now, volatile edits included.
    pub applied: VersionVector,
    /// Nodes.
    pub nodes: BTreeMap<NodeId, Option<Node>>,
    /// Edges and visits by (from, to).
    pub edges: BTreeMap<(NodeId, NodeId), Option<Edge>>,
    /// Listed conflicts.
    pub conflicts: BTreeMap<ConflictId, Option<Conflict>>,
}

impl View {
    /// What leads from one graph to another.
    pub(crate) fn between(old: &Graph, new: &Graph, applied: VersionVector) -> Self {
        let by_id = |graph: &Graph| -> BTreeMap<ConflictId, Conflict> {
            graph.conflicts.iter().map(|conflict| (conflict.id, conflict.clone())).collect()
        };
        View {
            applied,
            nodes: changes(&old.nodes, &new.nodes),
            edges: changes(&old.edges, &new.edges),
            conflicts: changes(&by_id(old), &by_id(new)),
        }
    }

    /// Makes the later graph out of the earlier one.
    pub(crate) fn apply(&self, graph: &mut Graph) {
        change(&mut graph.nodes, &self.nodes);
        change(&mut graph.edges, &self.edges);
        graph.conflicts.retain(|conflict| !self.conflicts.contains_key(&conflict.id));
        graph.conflicts.extend(self.conflicts.values().flatten().cloned());
        graph.conflicts.sort_by_key(|conflict| conflict.id);
    }
}

fn changes<K: Ord + Copy, V: Clone + PartialEq>(
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
) -> BTreeMap<K, Option<V>> {
    let gone = old.keys().filter(|key| !new.contains_key(key)).map(|&key| (key, None));
    let set = new.iter().filter(|(key, value)| old.get(key) != Some(value));
    gone.chain(set.map(|(&key, value)| (key, Some(value.clone())))).collect()
}

fn change<K: Ord + Copy, V: Clone>(to: &mut BTreeMap<K, V>, changes: &BTreeMap<K, Option<V>>) {
    for (&key, value) in changes {
        match value {
            Some(value) => drop(to.insert(key, value.clone())),
            None => drop(to.remove(&key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use graphshell_sync::Position;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_view_leads_from_one_graph_to_the_other() {
        let node = |title: &str| Node {
            url: String::new(),
            title: title.to_owned(),
            position: Position::default(),
            pinned: false,
            ghost: false,
        };
        let graph = |titles: &[(u128, &str)]| {
            let nodes =
                titles.iter().map(|&(id, title)| (NodeId(Uuid::from_u128(id)), node(title)));
            Graph { nodes: nodes.collect(), ..Graph::default() }
        };
        let old = graph(&[(1, "stays"), (2, "goes"), (3, "changes")]);
        let new = graph(&[(1, "stays"), (3, "changed"), (4, "comes")]);
        let view = View::between(&old, &new, VersionVector::new());
        assert_eq!(view.nodes.len(), 3, "what stays is not told");
        let mut made = old;
        view.apply(&mut made);
        assert_eq!(made, new);
    }
}
