//! A plan's own expectations, read off one peer.

use std::collections::BTreeSet;

use graphshell_sync::{
    Conflict, ConflictKind, EdgeKind, LogEntry, NodeId, PeerId, Subject, VisualEdge,
};

use super::shared::World;
use crate::oracle::{Finding, Forks, View};
use crate::plan::{Fact, Listed, node_id as node};

/// Judges facts at one peer.
pub(crate) fn judge(world: &World, view: &View, facts: &[Fact]) -> Result<(), Finding> {
    for fact in facts {
        read(world, view, fact).map_err(|detail| finding(vec![view.peer], detail))?;
    }
    Ok(())
}

/// What a plan expected and is not so.
pub(crate) fn finding(peers: Vec<usize>, detail: String) -> Finding {
    Finding { property: "expectation of the plan", peers, operations: Vec::new(), detail }
}

fn equal<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &T,
    found: &T,
) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, found {found:?}"))
}

fn given<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: Option<&T>,
    found: &T,
) -> Result<(), String> {
    expected.map_or(Ok(()), |expected| equal(what, expected, found))
}

fn read(world: &World, view: &View, fact: &Fact) -> Result<(), String> {
    let graph = &view.graph;
    match fact {
        Fact::NodeCount { count } => equal("number of nodes", count, &graph.nodes.len()),
        Fact::Node { node: name, title, url, at, pinned, ghost } => {
            let shown = graph.nodes.get(&node(name));
            let shown = shown.ok_or_else(|| format!("expected node {name} to be shown"))?;
            let what = |field: &str| format!("{field} of node {name}");
            given(&what("title"), title.as_ref(), &shown.title)?;
            given(&what("url"), url.as_ref(), &shown.url)?;
            given(&what("position"), at.as_ref(), &shown.position)?;
            given(&what("pin"), pinned.as_ref(), &shown.pinned)?;
            given(&what("ghost"), ghost.as_ref(), &shown.ghost)
        }
        Fact::TitleIsOneOf { node: name, titles } => match graph.nodes.get(&node(name)) {
            Some(shown) if titles.contains(&shown.title) => Ok(()),
            found => Err(format!(
                "expected node {name} to be shown with a title of {titles:?}, found {found:?}"
            )),
        },
        Fact::NoNode { node: name } => match graph.nodes.get(&node(name)) {
            None => Ok(()),
            Some(shown) => Err(format!("expected node {name} not to be shown, found {shown:?}")),
        },
        Fact::Edge { from, to, kinds, visits } => {
            let edge = graph.edges.get(&(node(from), node(to))).cloned().unwrap_or_default();
            let kinds: BTreeSet<EdgeKind> = kinds.iter().copied().collect();
            equal(&format!("kinds of edge {from} -> {to}"), &kinds, &edge.kinds)?;
            equal(&format!("visits {from} -> {to}"), visits, &edge.visits.len())
        }
        Fact::NoEdge { from, to } => match graph.edges.get(&(node(from), node(to))) {
            None => Ok(()),
            Some(edge) => Err(format!("expected nothing from {from} to {to}, found {edge:?}")),
        },
        Fact::VisualEdge { between: (one, other), forward, backward } => {
            let lines = graph.visual_edges();
            let (found, forwards) = visits(&lines, node(one), node(other));
            equal(&format!("lines between {one} and {other}"), &1, &found)?;
            let expected = (*forward, *backward);
            equal(&format!("visits on the line {one} - {other}"), &expected, &forwards)
        }
        Fact::Conflicts { listed } => {
            let names = world.plan.node_names();
            let name = |id: NodeId| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
            let words = |conflicts: Vec<Listed>| {
                let mut words: Vec<_> =
                    conflicts.iter().map(|conflict| format!("{conflict:?}")).collect();
                words.sort();
                words
            };
            let found = graph.conflicts.iter().map(|conflict| in_words(conflict, name)).collect();
            equal("conflicts", &words(listed.clone()), &words(found))?;
            let ids: BTreeSet<_> = listed.iter().map(Listed::id).collect();
            let found = graph.conflicts.iter().map(|conflict| conflict.id).collect();
            equal("ids of conflicts", &ids, &found)
        }
        Fact::UnknownEntries { count } => {
            let unknown = |entry: &LogEntry| matches!(entry, LogEntry::Opaque { .. });
            let found = view.history.iter().filter(|entry| unknown(&entry.entry)).count();
            equal("entries of unknown kinds", count, &found)
        }
        Fact::Incarnations { count } => {
            let ours = |author: &PeerId| world.author(*author) == Some(view.peer);
            let authors = view.history.iter().map(|entry| entry.peer_id);
            let found: BTreeSet<PeerId> = authors.filter(ours).collect();
            equal("incarnations with entries", count, &found.len())
        }
        Fact::ForkReported { author_of } => {
            let of = world.plan.peer_index(author_of);
            let forks = world.peer(view.peer).forks.borrow();
            if forks.keys().any(|&author| of.is_some() && world.author(author) == of) {
                return Ok(());
            }
            Err(format!("expected a fork of {author_of} to be reported, found {forks:?}"))
        }
        Fact::NoFork => {
            equal("forks reported", &Forks::new(), &world.peer(view.peer).forks.borrow())
        }
        Fact::Counted { what, least, most } => counted(world, what, *least, *most),
        Fact::LastSync { ok } => {
            let found = world.peer(view.peer).last_sync.get();
            equal("whether the last round ended well", &Some(*ok), &found)
        }
    }
}

/// Judges the facts that are of the run; says whether peers are left to ask, if only for being up.
pub(crate) fn judge_run(world: &World, facts: &[Fact]) -> Result<bool, Finding> {
    let mut left = facts.is_empty();
    for fact in facts {
        let Fact::Counted { what, least, most } = fact else {
            left = true;
            continue;
        };
        counted(world, what, *least, *most).map_err(|detail| finding(Vec::new(), detail))?;
    }
    Ok(left)
}

fn counted(world: &World, what: &str, least: Option<u64>, most: Option<u64>) -> Result<(), String> {
    let found = world.counts().get(what).copied().unwrap_or(0);
    if (least.unwrap_or(0)..=most.unwrap_or(u64::MAX)).contains(&found) {
        return Ok(());
    }
    let least = least.map(|least| format!("at least {least}"));
    let most = most.map(|most| format!("at most {most}"));
    let bounds: Vec<String> = least.into_iter().chain(most).collect();
    Err(format!("count of {what:?}: expected {}, found {found}", bounds.join(" and ")))
}

/// How many lines are drawn between two nodes, and the visits on them each way.
fn visits(lines: &[VisualEdge], one: NodeId, other: NodeId) -> (usize, (usize, usize)) {
    let ends = (one.min(other), one.max(other));
    let mut between = lines.iter().filter(|line| (line.low, line.high) == ends);
    let Some(line) = between.next() else { return (0, (0, 0)) };
    let (up, down) = (line.forward.visits.len(), line.backward.visits.len());
    (1 + between.count(), if one == line.low { (up, down) } else { (down, up) })
}

fn in_words(conflict: &Conflict, name: impl Fn(NodeId) -> String) -> Listed {
    match (conflict.kind, conflict.subject) {
        (ConflictKind::DeleteVsUpdate, Subject::Node(node)) => Listed::DeleteVsUpdate(name(node)),
        (_, Subject::Node(node)) => Listed::ConcurrentStructuralChange(name(node)),
        (_, Subject::Pair(from, to)) => Listed::ConcurrentEdgeTypes(name(from), name(to)),
    }
}
