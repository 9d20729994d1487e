//! Expected and found: the failing peers' graphs beside the reference model's, since when they
//! differ, and which entries that concerns.

use std::collections::{BTreeMap, BTreeSet};

use graphshell_sync::{
    Conflict, ConflictKind, Dot, Edge, Graph, LogEntry, Node, NodeId, VersionVector,
};
use serde::Serialize;

use super::entries::{Entries, kind_words, nodes, words};
use super::names::Names;
use crate::model;
use crate::text::plural;
use crate::trace::View;

/// Most rows of the table; a graph that is wrong everywhere needs no more.
const MOST_ROWS: usize = 40;
/// Most moments that are compared with the model, which takes its time.
const MOST_MOMENTS: usize = 400;

/// What is not as it should be.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Findings {
    /// Whose values stand in a row.
    pub(super) columns: Vec<String>,
    /// What differs at the failure.
    #[serde(flatten)]
    pub(super) table: Table,
    /// Each peer that is wrong, and since when.
    pub(super) wrong_since: Vec<Since>,
}

/// A peer's graph is not what the model makes of the same entries.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Since {
    pub(super) peer: usize,
    /// The event since which it is wrong without a break, in the list of events.
    pub(super) event: usize,
    /// What differed then: the model's value, the peer's value.
    #[serde(flatten)]
    table: Table,
    /// What the peer had applied then.
    #[serde(skip)]
    applied: VersionVector,
}

/// Things that are not the same in several graphs.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// Rows beyond those.
    pub(super) more: usize,
    /// What the rows are about.
    #[serde(skip)]
    suspects: BTreeSet<Suspect>,
}

/// One thing that differs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    /// The node, edge or conflict.
    pub(super) subject: String,
    /// What of it.
    pub(super) field: &'static str,
    /// In the order of the columns.
    pub(super) values: Vec<String>,
}

/// One peer's graph, and what the model makes of the same entries.
struct Judged<'a> {
    name: &'a str,
    applied: &'a VersionVector,
    expected: Graph,
    shown: Graph,
}

/// What entries may be the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Suspect {
    Field(NodeId, &'static str),
    Node(NodeId),
    Pair(NodeId, NodeId),
}

/// What one peer's reader sees, and since which event, oldest first.
pub(super) type Views<'a> = [(usize, &'a View)];

impl Findings {
    /// Compares the graphs of `peers` at the end of the run with the model's; the views are by
    /// peer.
    pub(super) fn new(
        peers: &[(usize, &str)],
        views: &BTreeMap<usize, Vec<(usize, &View)>>,
        entries: &Entries,
        names: &Names,
    ) -> Self {
        let mut findings = Findings::default();
        let mut judged: Vec<Judged<'_>> = Vec::new();
        for &(peer, name) in peers {
            let Some(views) = views.get(&peer) else { continue };
            // What was never durable is not known; it is what the user did last.
            let mut known = views.iter().enumerate().rev().take(MOST_MOMENTS);
            let known = known.find_map(|(place, (_, view))| {
                let history = entries.covered(peer, &view.applied)?;
                Some((&views[..=place], &view.applied, history))
            });
            let Some((views, applied, history)) = known else { continue };
            let (expected, shown) = (model::graph(&history), graph_at(views, views.len()));
            if expected != shown {
                findings.wrong_since.extend(Since::find(peer, views, entries, names));
            }
            judged.push(Judged { name, applied, expected, shown });
        }
        // Peers that hold different entries need not agree.
        if judged.iter().any(|one| one.applied != judged[0].applied) {
            let wrong = judged.iter().position(|one| one.expected != one.shown);
            judged = wrong.map(|place| judged.swap_remove(place)).into_iter().collect();
        }
        let Some(Judged { expected, .. }) = judged.first() else { return findings };
        let mut graphs = vec![("the model".to_owned(), expected.clone())];
        graphs.extend(judged.into_iter().map(|one| (one.name.to_owned(), one.shown)));
        let (columns, graphs): (Vec<String>, Vec<Graph>) = graphs.into_iter().unzip();
        findings.table = Table::new(&graphs.iter().collect::<Vec<_>>(), names);
        findings.columns = columns;
        findings
    }

    /// The entries that bear on what went wrong: on what differed first, as far as the peer that
    /// it differed at had them, or else on what differs at the end. None if nothing does.
    pub(super) fn suspects(&self, entries: &Entries) -> BTreeSet<Dot> {
        if self.wrong_since.is_empty() {
            return self.table.suspects(entries).collect();
        }
        let of = |since: &'_ Since| -> Vec<Dot> {
            since.table.suspects(entries).filter(|dot| since.applied.covers_dot(*dot)).collect()
        };
        self.wrong_since.iter().flat_map(of).collect()
    }
}

impl Since {
    /// Goes back from the last view as long as the peer is wrong.
    fn find(peer: usize, views: &Views<'_>, entries: &Entries, names: &Names) -> Option<Self> {
        let mut first = None;
        for (place, (event, view)) in views.iter().enumerate().rev().take(MOST_MOMENTS) {
            let Some(history) = entries.covered(peer, &view.applied) else { break };
            let (expected, shown) = (model::graph(&history), graph_at(views, place + 1));
            if expected == shown {
                break;
            }
            first = Some((*event, &view.applied, expected, shown));
        }
        let (event, applied, expected, shown) = first?;
        let table = Table::new(&[&expected, &shown], names);
        Some(Since { peer, event, table, applied: applied.clone() })
    }
}

impl Table {
    fn new(graphs: &[&Graph], names: &Names) -> Self {
        let mut table = Table::default();
        table.compare(graphs, names);
        table
    }

    fn compare(&mut self, graphs: &[&Graph], names: &Names) {
        let ids: BTreeSet<NodeId> =
            graphs.iter().flat_map(|graph| graph.nodes.keys().copied()).collect();
        for id in ids {
            let found: Vec<Option<&Node>> =
                graphs.iter().map(|graph| graph.nodes.get(&id)).collect();
            for (field, value) in NODE_FIELDS {
                let absent = "no such node".to_owned();
                let shown = found.iter().map(|node| node.map_or(absent.clone(), value)).collect();
                let suspect = match *field {
                    "existence" => Suspect::Node(id),
                    field => Suspect::Field(id, field),
                };
                if found.iter().all(Option::is_some) || *field == "existence" {
                    self.row(names.node(id), field, shown, suspect);
                }
            }
        }
        let pairs: BTreeSet<(NodeId, NodeId)> =
            graphs.iter().flat_map(|graph| graph.edges.keys().copied()).collect();
        for (from, to) in pairs {
            let shown = graphs.iter().map(|graph| {
                graph
                    .edges
                    .get(&(from, to))
                    .map_or("no such edge".to_owned(), |edge| edge_words(edge, names))
            });
            self.row(names.pair(from, to), "edge", shown.collect(), Suspect::Pair(from, to));
        }
        let conflicts: BTreeMap<_, &Conflict> = graphs
            .iter()
            .flat_map(|graph| graph.conflicts.iter().map(|conflict| (conflict.id, conflict)))
            .collect();
        for (id, conflict) in conflicts {
            let shown = graphs.iter().map(|graph| {
                let listed = graph.conflicts.iter().find(|conflict| conflict.id == id);
                listed.map_or("not listed".to_owned(), |conflict| conflict_words(conflict, names))
            });
            let suspect = match conflict.subject {
                graphshell_sync::Subject::Node(node) => Suspect::Node(node),
                graphshell_sync::Subject::Pair(from, to) => Suspect::Pair(from, to),
            };
            self.row(names.subject(conflict.subject), "conflict", shown.collect(), suspect);
        }
    }

    /// Adds a row, unless all is the same.
    fn row(&mut self, subject: String, field: &'static str, values: Vec<String>, suspect: Suspect) {
        if values.iter().all(|value| *value == values[0]) {
            return;
        }
        self.suspects.insert(suspect);
        if self.rows.len() == MOST_ROWS {
            self.more += 1;
            return;
        }
        self.rows.push(Row { subject, field, values });
    }

    /// The entries that bear on what differs.
    fn suspects<'a>(&'a self, entries: &'a Entries) -> impl Iterator<Item = Dot> + 'a {
        entries.dots().iter().copied().filter(|dot| {
            let operation = entries.any(*dot).map(|entry| &entry.entry);
            operation.is_some_and(|operation| {
                self.suspects.iter().any(|suspect| suspect.is_touched_by(operation))
            })
        })
    }
}

/// A field of a node, and how it reads.
type Field = (&'static str, fn(&Node) -> String);

const NODE_FIELDS: &[Field] = &[
    ("existence", |node| if node.ghost { "a ghost" } else { "a node" }.to_owned()),
    ("title", |node| format!("“{}”", node.title)),
    ("url", |node| node.url.clone()),
    ("position", |node| format!("({}, {})", node.position.x(), node.position.y())),
    ("pinned", |node| if node.pinned { "pinned" } else { "not pinned" }.to_owned()),
];

impl Suspect {
    fn is_touched_by(self, operation: &LogEntry) -> bool {
        let touched = nodes(operation);
        match (self, operation) {
            (Suspect::Field(node, _), _) if touched != [node] => false,
            (Suspect::Field(_, field), LogEntry::AddNode { .. }) => {
                field == "url" || field == "position"
            }
            (Suspect::Field(_, field), LogEntry::UpdateNodeTitle { .. }) => field == "title",
            (Suspect::Field(_, field), LogEntry::UpdateNodeUrl { .. }) => field == "url",
            (Suspect::Field(_, field), LogEntry::MoveNode { .. }) => field == "position",
            (Suspect::Field(_, field), LogEntry::PinNode { .. }) => field == "pinned",
            (Suspect::Field(..), _) => false,
            (_, LogEntry::ClearGraph) => true,
            (Suspect::Node(node), _) => touched.contains(&node),
            (
                Suspect::Pair(from, to),
                LogEntry::AddNode { .. }
                | LogEntry::RemoveNode { .. }
                | LogEntry::RestoreNode { .. },
            ) => touched == [from] || touched == [to],
            (Suspect::Pair(from, to), _) => touched == [from, to],
        }
    }
}

/// What the first so many views come to.
pub(super) fn graph_at(views: &Views<'_>, count: usize) -> Graph {
    let mut graph = Graph::default();
    views[..count].iter().for_each(|(_, view)| view.apply(&mut graph));
    graph
}

/// Why an edge stands, and the visits along it.
pub(super) fn edge_words(edge: &Edge, names: &Names) -> String {
    let mut parts: Vec<String> =
        edge.kinds.iter().map(|&kind| kind_words(kind).to_owned()).collect();
    if !edge.visits.is_empty() {
        let visits: Vec<String> = edge.visits.iter().map(|visit| names.entry(visit.dot)).collect();
        parts.push(format!("{} {}", plural(visits.len(), "visit"), visits.join(", ")));
    }
    parts.join("; ")
}

/// What kind of conflict it is.
pub(super) fn conflict_kind(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::DeleteVsUpdate => "deleted, but also changed",
        ConflictKind::ConcurrentStructuralChange => "deleted, but also linked",
        ConflictKind::ConcurrentEdgeTypes => "edges of different types",
    }
}

/// What disagrees in a conflict.
pub(super) fn conflict_words(conflict: &Conflict, names: &Names) -> String {
    let kind = conflict_kind(conflict.kind);
    let removals =
        conflict.removals.iter().map(|stamp| format!("{} removes", names.entry(stamp.dot)));
    let claims = conflict
        .claims
        .iter()
        .map(|claim| format!("{} {}", names.entry(claim.stamp.dot), words(&claim.change, names)));
    let sides: Vec<String> = removals.chain(claims).collect();
    format!("{kind}: {}", sides.join("; "))
}
