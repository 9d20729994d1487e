//! What readers see, change by change, in words that the page can put side by side.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::entries::vector;
use super::findings::{conflict_kind, conflict_words, edge_words};
use super::names::Names;
use crate::trace::View;

/// How one peer's view changed; `None` stands for what is gone.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Shown {
    #[serde(rename = "p")]
    pub(super) peer: usize,
    #[serde(rename = "e")]
    pub(super) event: usize,
    /// All that is applied, by author.
    #[serde(rename = "a", skip_serializing_if = "Vec::is_empty")]
    pub(super) applied: Vec<(String, u64)>,
    #[serde(rename = "n", skip_serializing_if = "BTreeMap::is_empty")]
    nodes: BTreeMap<String, Option<ShownNode>>,
    #[serde(rename = "g", skip_serializing_if = "Vec::is_empty")]
    edges: Vec<(String, String, Option<String>)>,
    /// By the kind and subject of the conflict.
    #[serde(rename = "c", skip_serializing_if = "BTreeMap::is_empty")]
    conflicts: BTreeMap<String, Option<String>>,
}

impl Shown {
    /// Tells what changed before as well.
    pub(super) fn follow(&mut self, before: Shown) {
        for (name, node) in before.nodes {
            self.nodes.entry(name).or_insert(node);
        }
        for (subject, conflict) in before.conflicts {
            self.conflicts.entry(subject).or_insert(conflict);
        }
        let now: BTreeSet<(String, String)> =
            self.edges.iter().map(|(from, to, _)| (from.clone(), to.clone())).collect();
        let stays =
            |(from, to, _): &(String, String, _)| !now.contains(&(from.clone(), to.clone()));
        self.edges.extend(before.edges.into_iter().filter(stays));
    }
}

/// Url, title, position, and whether it is pinned and a ghost.
#[derive(Clone, Debug, Serialize)]
struct ShownNode(String, String, f32, f32, bool, bool);

/// The views in the order of the story; each with peer and event.
pub(super) fn shown(views: &[(usize, usize, &View)], names: &Names) -> Vec<Shown> {
    // A conflict that is gone is known by its id alone.
    let mut subjects = BTreeMap::new();
    let told = |&(peer, event, view): &(usize, usize, &View)| {
        let nodes = view.nodes.iter().map(|(&id, node)| {
            let node = node.as_ref().map(|node| {
                let (url, title) = (node.url.clone(), node.title.clone());
                let (x, y) = (node.position.x(), node.position.y());
                ShownNode(url, title, x, y, node.pinned, node.ghost)
            });
            (names.node(id), node)
        });
        let edges = view.edges.iter().map(|(&(from, to), edge)| {
            let words = edge.as_ref().map(|edge| edge_words(edge, names));
            (names.node(from), names.node(to), words)
        });
        let conflicts = view.conflicts.iter().map(|(id, conflict)| {
            if let Some(conflict) = conflict {
                let kind = conflict_kind(conflict.kind);
                subjects.insert(*id, format!("{} ({kind})", names.subject(conflict.subject)));
            }
            let subject = subjects.get(id).cloned().unwrap_or_else(|| id.to_string());
            (subject, conflict.as_ref().map(|conflict| conflict_words(conflict, names)))
        });
        Shown {
            peer,
            event,
            applied: vector(&view.applied, names),
            nodes: nodes.collect(),
            edges: edges.collect(),
            conflicts: conflicts.collect(),
        }
    };
    views.iter().map(told).collect()
}
