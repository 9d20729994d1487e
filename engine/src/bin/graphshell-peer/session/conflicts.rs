//! Disagreements in words, and their settlement.

use std::collections::{BTreeMap, BTreeSet};

use graphshell_sync as engine;
use graphshell_sync::{
    ConflictId, ConflictKind, Dot, EdgeKind, EdgeType, Graph, LogEntry, NodeId, Resolution, Subject,
};

use super::pages::label;
use super::{Dialog, Session};
use crate::failure::{Failure, Kind, Result};
use crate::item::{Act, Claim, Conflict, Item, Named};
use crate::profile::short;

/// Most removals, and most claims, that one item lists.
const MAX_ACTS: usize = 100;
/// Bytes of claims after which no other one is listed. With all that JSON escapes, an item stays
/// shorter than a frame of `remote`.
const MAX_CLAIM_BYTES: usize = 128 * 1024;
/// Bytes of a page's label.
const MAX_LABEL_BYTES: usize = 4 * 1024;

impl Session {
    pub(super) async fn conflicts(&self, out: &Dialog) -> Result<()> {
        let graph = self.workspace.graph();
        let labels = self.labels(&graph, &graph.conflicts.iter().collect::<Vec<_>>()).await;
        for conflict in &graph.conflicts {
            out.tell(Item::Conflict(self.in_words(&labels, conflict))).await?;
        }
        out.tell(Item::Conflicts { open: graph.conflicts.len() as u64 }).await
    }

    pub(super) async fn resolve(&self, name: &str, choice: &str, out: &Dialog) -> Result<()> {
        let conflicts = self.workspace.conflicts();
        let conflict = find(&conflicts, name)?;
        let resolution = parse(conflict, choice)?;
        let receipt = self.workspace.resolve(conflict.id, &resolution).map_err(|error| {
            Failure::failed(format!("the disagreement was not settled: {error}"))
        })?;
        self.settle(receipt).await?;
        let open = self.workspace.conflicts().len() as u64;
        out.tell(Item::Resolved { conflict: conflict.id, choice: choice.to_owned(), open }).await
    }

    /// What these conflicts are about, for lines of `watch`.
    pub(super) async fn topics(&self, of: &BTreeSet<ConflictId>) -> Vec<(ConflictId, String)> {
        let graph = self.workspace.graph();
        let conflicts = graph.conflicts.iter().filter(|conflict| of.contains(&conflict.id));
        let conflicts: Vec<&engine::Conflict> = conflicts.collect();
        let labels = self.labels(&graph, &conflicts).await;
        let topic = |conflict: &engine::Conflict| match conflict.subject {
            Subject::Node(node) => named(&labels, node).label,
            Subject::Pair(from, to) => {
                format!("{} → {}", named(&labels, from).label, named(&labels, to).label)
            }
        };
        conflicts.into_iter().map(|conflict| (conflict.id, topic(conflict))).collect()
    }

    /// What the pages of conflicts are called. Removed ones are looked up in the history.
    async fn labels(
        &self,
        graph: &Graph,
        conflicts: &[&engine::Conflict],
    ) -> BTreeMap<NodeId, String> {
        let mut labels = BTreeMap::new();
        for conflict in conflicts {
            let ids = match conflict.subject {
                Subject::Node(node) => vec![node],
                Subject::Pair(from, to) => vec![from, to],
            };
            let claimed = conflict.claims.iter().filter_map(|claim| ends(&claim.change)).flatten();
            for id in ids.into_iter().chain(claimed) {
                let shown = graph.nodes.get(&id).map(|node| label(id, node)).unwrap_or_default();
                labels.insert(id, shown);
            }
        }
        if labels.iter().any(|(id, shown)| shown.is_empty() || *shown == short(&id.to_string())) {
            let mut known: BTreeMap<NodeId, (String, String)> = BTreeMap::new();
            for entry in self.workspace.history().await.unwrap_or_default() {
                match entry.entry {
                    LogEntry::AddNode { node_id, url, .. }
                    | LogEntry::UpdateNodeUrl { node_id, new_url: url } => {
                        known.entry(node_id).or_default().1 = url;
                    }
                    LogEntry::UpdateNodeTitle { node_id, title } => {
                        known.entry(node_id).or_default().0 = title;
                    }
                    _ => {}
                }
            }
            for (id, shown) in &mut labels {
                if let Some((title, url)) = known.remove(id)
                    && (shown.is_empty() || *shown == short(&id.to_string()))
                {
                    *shown = if title.is_empty() { url } else { title };
                }
            }
        }
        labels
    }

    fn in_words(&self, labels: &BTreeMap<NodeId, String>, conflict: &engine::Conflict) -> Conflict {
        let (page, to) = match conflict.subject {
            Subject::Node(node) => (named(labels, node), None),
            Subject::Pair(from, to) => (named(labels, from), Some(named(labels, to))),
        };
        let act = |stamp: engine::Stamp| Act {
            author: stamp.dot.peer,
            own: stamp.dot.peer == self.workspace.peer_id(),
            by: self.author_name(stamp.dot.peer),
            at_ms: stamp.timestamp_ms,
        };
        let mut claims: Vec<Claim> = Vec::new();
        let mut bytes = 0;
        for (claim, number) in conflict.claims.iter().zip(1..).take(MAX_ACTS) {
            let what = words(labels, &claim.change);
            bytes += what.len();
            if bytes > MAX_CLAIM_BYTES && !claims.is_empty() {
                break;
            }
            let value = conflict.kind == ConflictKind::DeleteVsUpdate;
            claims.push(Claim { number, act: act(claim.stamp), what, value });
        }
        let removals: Vec<Act> =
            conflict.removals.iter().take(MAX_ACTS).map(|&stamp| act(stamp)).collect();
        Conflict {
            id: conflict.id,
            kind: conflict.kind,
            page,
            to,
            more_removals: (conflict.removals.len() - removals.len()) as u64,
            removals,
            more_claims: (conflict.claims.len() - claims.len()) as u64,
            claims,
        }
    }
}

fn named(labels: &BTreeMap<NodeId, String>, id: NodeId) -> Named {
    let label = match labels.get(&id) {
        Some(label) if label.len() > MAX_LABEL_BYTES => {
            format!("{}…", &label[..label.floor_char_boundary(MAX_LABEL_BYTES)])
        }
        Some(label) if !label.is_empty() => label.clone(),
        _ => short(&id.to_string()),
    };
    Named { id, label }
}

/// The pages between which a change leads.
fn ends(change: &LogEntry) -> Option<[NodeId; 2]> {
    match *change {
        LogEntry::AddEdge { from, to, .. }
        | LogEntry::AssertEdge { from, to }
        | LogEntry::AddTraversal { from, to, .. } => Some([from, to]),
        _ => None,
    }
}

fn words(labels: &BTreeMap<NodeId, String>, change: &LogEntry) -> String {
    let pair = |from: NodeId, to: NodeId| {
        format!("from {:?} to {:?}", named(labels, from).label, named(labels, to).label)
    };
    match change {
        LogEntry::UpdateNodeTitle { title, .. } => format!("gave it the title {title:?}"),
        LogEntry::UpdateNodeUrl { new_url, .. } => format!("gave it the address {new_url:?}"),
        LogEntry::MoveNode { position, .. } => {
            format!("put it at {},{}", position.x(), position.y())
        }
        LogEntry::PinNode { is_pinned: true, .. } => "pinned it".to_owned(),
        LogEntry::PinNode { is_pinned: false, .. } => "unpinned it".to_owned(),
        LogEntry::AddTraversal { from, to, .. } => format!("went {}", pair(*from, *to)),
        LogEntry::AssertEdge { from, to } => format!("linked {}", pair(*from, *to)),
        LogEntry::AddEdge { from, to, edge_type } => {
            format!("made a {} link {}", type_name(*edge_type), pair(*from, *to))
        }
        _ => "did something that this version does not know".to_owned(),
    }
}

/// What people call a type of link.
pub(crate) fn type_name(edge_type: EdgeType) -> &'static str {
    match edge_type {
        EdgeType::Hyperlink => "hyperlink",
        EdgeType::History => "history",
        EdgeType::UserGrouped => "group",
    }
}

fn find<'a>(conflicts: &'a [engine::Conflict], name: &str) -> Result<&'a engine::Conflict> {
    let lower = name.to_lowercase();
    let mut found = conflicts
        .iter()
        .filter(|conflict| !lower.is_empty() && conflict.id.to_string().starts_with(&lower));
    match (found.next(), found.next()) {
        (Some(conflict), None) => Ok(conflict),
        (None, _) => {
            Err(Failure::new(Kind::NotFound, format!("no disagreement is listed as {name:?}"))
                .next("`graphshell-peer conflicts` lists them; somebody else may have settled it"))
        }
        (Some(one), Some(other)) => Err(Failure::new(
            Kind::NotFound,
            format!("several disagreements begin with {name:?}: {} and {}", one.id, other.id),
        )
        .next("write more of the id")),
    }
}

/// The resolution that a person's word stands for.
fn parse(conflict: &engine::Conflict, choice: &str) -> Result<Resolution> {
    let edges = conflict.kind == ConflictKind::ConcurrentEdgeTypes;
    let values = conflict.kind == ConflictKind::DeleteVsUpdate;
    let edge_type = [EdgeType::Hyperlink, EdgeType::History, EdgeType::UserGrouped]
        .into_iter()
        .find(|&edge_type| type_name(edge_type) == choice);
    match (choice, edge_type) {
        ("delete", _) if !edges => Ok(Resolution::KeepDeleted),
        ("restore", _) if !edges => Ok(Resolution::Restore { chosen: Vec::new() }),
        ("both", _) if edges => Ok(Resolution::KeepBoth),
        (_, Some(edge_type)) if edges => Ok(Resolution::KeepEdge { edge_type }),
        (choice, _) if values && choice.starts_with("restore=") => {
            Ok(Resolution::Restore { chosen: chosen(conflict, &choice["restore=".len()..])? })
        }
        _ => Err(Failure::new(
            Kind::Usage,
            format!("{choice:?} is no way to settle this disagreement"),
        )
        .next(format!("choose one of: {}", choices(conflict).join(", ")))),
    }
}

fn chosen(conflict: &engine::Conflict, numbers: &str) -> Result<Vec<Dot>> {
    let claim = |number: &str| {
        let index = number.trim().parse::<usize>().ok()?.checked_sub(1)?;
        Some(conflict.claims.get(index)?.stamp.dot)
    };
    let mut dots = Vec::new();
    for number in numbers.split(',') {
        let dot = claim(number).ok_or_else(|| {
            let most = conflict.claims.len();
            Failure::new(Kind::Usage, format!("this disagreement has no change {number:?}"))
                .next(format!("expected numbers from 1 to {most} with commas between"))
        })?;
        // Several values of one entry come together.
        if !dots.contains(&dot) {
            dots.push(dot);
        }
    }
    Ok(dots)
}

fn choices(conflict: &engine::Conflict) -> Vec<String> {
    match conflict.kind {
        ConflictKind::DeleteVsUpdate => {
            let most = conflict.claims.len();
            vec![
                "delete".to_owned(),
                "restore".to_owned(),
                format!("restore=N (N from 1 to {most})"),
            ]
        }
        ConflictKind::ConcurrentStructuralChange => vec!["delete".to_owned(), "restore".to_owned()],
        ConflictKind::ConcurrentEdgeTypes => {
            let mut types = vec!["both".to_owned()];
            for claim in &conflict.claims {
                if let LogEntry::AddEdge { edge_type, .. } = claim.change
                    && !types.iter().any(|known| known == type_name(edge_type))
                {
                    types.push(type_name(edge_type).to_owned());
                }
            }
            types
        }
    }
}

/// What an edge's kind is called.
pub(crate) fn kind_name(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Asserted => "linked",
        EdgeKind::Typed(edge_type) => type_name(edge_type),
    }
}
