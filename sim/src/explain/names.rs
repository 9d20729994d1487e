//! Readable names for ids: nine letters of a plan say more than a UUID.

use std::collections::BTreeMap;

use graphshell_sync::{Conflict, Dot, NodeId, PeerId, Subject};
use uuid::Uuid;

use crate::plan::Plan;
use crate::world::Run;

/// Length of a UUID's usual form, in bytes.
const UUID_BYTES: usize = 36;

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
        let mut told = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dash) = rest.find('-') {
            // The first dash of a UUID stands after eight digits.
            let start = dash.checked_sub(8).filter(|&start| rest.is_char_boundary(start));
            let found = start.and_then(|start| {
                let id = Uuid::try_parse(rest.get(start..start + UUID_BYTES)?).ok()?;
                Some((start, self.by_id.get(&id)?))
            });
            match found {
                Some((start, name)) => {
                    told.push_str(&rest[..start]);
                    told.push_str(name);
                    rest = &rest[start + UUID_BYTES..];
                }
                None => {
                    told.push_str(&rest[..=dash]);
                    rest = &rest[dash + 1..];
                }
            }
        }
        told + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ids_read_as_names_and_everything_else_stays() {
        let id = Uuid::from_u128(0xbda5_0e85_9bb2_8aea_805c_d004_415c_5e5a);
        let names = Names { by_id: BTreeMap::from([(id, "home".to_owned())]) };
        let told = names.readable(&format!("é-node {id}: {id}#3, {}", Uuid::nil()));
        assert_eq!(told, format!("é-node home: home#3, {}", Uuid::nil()));
        assert_eq!(names.readable("-a--"), "-a--");
    }
}
