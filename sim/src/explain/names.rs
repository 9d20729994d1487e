//! Readable names for ids: nine letters of a plan say more than a UUID.

use std::collections::BTreeMap;

use graphshell_sync::{Conflict, Dot, NodeId, PeerId, Subject};
use uuid::Uuid;

use crate::plan::Plan;
use crate::trace::ids::name_uuids;
use crate::world::Run;

/// What ids are called.
pub(super) struct Names {
    by_id: BTreeMap<Uuid, String>,
}

impl Names {
    /// The plan's nodes and the run's authors.
    pub(super) fn new(plan: &Plan, run: &Run) -> Self {
        let nodes = plan.node_names().into_iter().map(|(id, name)| (id.0, name));
        let authors = run.authors.iter().map(|(id, name)| (id.0, name.clone()));
        Names { by_id: nodes.chain(authors).collect() }
    }

    /// A conflict is known from now on.
    pub(super) fn learn(&mut self, conflict: &Conflict) {
        let name = format!("conflict about {}", self.subject(conflict.subject));
        self.by_id.insert(conflict.id.0, name);
    }

    fn id(&self, id: Uuid) -> String {
        self.by_id.get(&id).cloned().unwrap_or_else(|| {
            let text = id.to_string();
            format!("{}…", &text[..8])
        })
    }

    pub(super) fn node(&self, node: NodeId) -> String {
        self.id(node.0)
    }

    pub(super) fn author(&self, author: PeerId) -> String {
        self.id(author.0)
    }

    pub(super) fn entry(&self, dot: Dot) -> String {
        format!("{}#{}", self.author(dot.peer), dot.sequence)
    }

    pub(super) fn pair(&self, from: NodeId, to: NodeId) -> String {
        format!("{} → {}", self.node(from), self.node(to))
    }

    pub(super) fn subject(&self, subject: Subject) -> String {
        match subject {
            Subject::Node(node) => self.node(node),
            Subject::Pair(from, to) => self.pair(from, to),
        }
    }

    /// `text` with every known UUID replaced by its name.
    pub(super) fn readable(&self, text: &str) -> String {
        name_uuids(text, |id| self.by_id.get(&id).cloned())
    }
}
