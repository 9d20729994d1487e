//! Pages by the names that people give them, and the commands about them.

use graphshell_sync::{Edge, EdgeKind, Graph, LogEntry, Node, NodeId, Position, Trigger};
use graphshell_sync::{SystemClock, ports::Clock};

use super::{Dialog, Session};
use crate::bookmarks::is_page;
use crate::command::Edit;
use crate::failure::{Failure, Kind, Result};
use crate::item::{Did, Item, Link, Page};
use crate::profile::short;

/// Candidates that an ambiguous name is told with.
const MAX_CANDIDATES: usize = 10;

impl Session {
    pub(super) async fn add(
        &self,
        url: String,
        title: Option<String>,
        at: Option<Position>,
        out: &Dialog,
    ) -> Result<()> {
        check_url(&url)?;
        let graph = self.workspace.graph();
        if let Some((&id, node)) =
            graph.nodes.iter().find(|(_, node)| node.url == url && !node.ghost)
        {
            out.tell(page(Did::Kept, id, node)).await?;
            if title.is_some() || at.is_some() {
                let edit = Edit { node: id.to_string(), title, at, ..Edit::default() };
                return self.edit(edit, out).await;
            }
            return Ok(());
        }
        let id = self.new_node();
        let position = at.unwrap_or_else(|| place(graph.nodes.len()));
        let mut operations = vec![LogEntry::AddNode { node_id: id, url, position }];
        operations.extend(title.map(|title| LogEntry::UpdateNodeTitle { node_id: id, title }));
        self.apply(&operations).await?;
        self.tell_page(Did::Added, id, out).await
    }

    pub(super) async fn edit(&self, edit: Edit, out: &Dialog) -> Result<()> {
        let (id, node) = find(&self.workspace.graph(), &edit.node)?;
        if let Some(url) = &edit.url {
            check_url(url)?;
        }
        let mut operations = Vec::new();
        let Edit { url, title, at, pin, .. } = edit;
        let url = url.filter(|url| *url != node.url);
        operations.extend(url.map(|new_url| LogEntry::UpdateNodeUrl { node_id: id, new_url }));
        let title = title.filter(|title| *title != node.title);
        operations.extend(title.map(|title| LogEntry::UpdateNodeTitle { node_id: id, title }));
        let at = at.filter(|&at| at != node.position);
        operations.extend(at.map(|position| LogEntry::MoveNode { node_id: id, position }));
        let pin = pin.filter(|&pin| pin != node.pinned);
        operations.extend(pin.map(|is_pinned| LogEntry::PinNode { node_id: id, is_pinned }));
        if operations.is_empty() {
            return self.tell_page(Did::Kept, id, out).await;
        }
        self.apply(&operations).await?;
        self.tell_page(Did::Changed, id, out).await
    }

    pub(super) async fn remove(&self, name: &str, out: &Dialog) -> Result<()> {
        let (id, node) = find(&self.workspace.graph(), name)?;
        self.apply(&[LogEntry::RemoveNode { node_id: id }]).await?;
        out.tell(page(Did::Removed, id, &node)).await
    }

    pub(super) async fn visit(
        &self,
        from: &str,
        to: &str,
        trigger: Trigger,
        out: &Dialog,
    ) -> Result<()> {
        let graph = self.workspace.graph();
        let (from, to) = (find(&graph, from)?.0, find(&graph, to)?.0);
        let timestamp_ms = SystemClock.now_ms();
        self.apply(&[LogEntry::AddTraversal { from, to, timestamp_ms, trigger }]).await?;
        self.tell_link(Did::Added, from, to, out).await
    }

    pub(super) async fn link(&self, from: &str, to: &str, out: &Dialog) -> Result<()> {
        let graph = self.workspace.graph();
        let (from, to) = (find(&graph, from)?.0, find(&graph, to)?.0);
        let there = graph
            .edges
            .get(&(from, to))
            .is_some_and(|edge| edge.kinds.contains(&EdgeKind::Asserted));
        if !there {
            self.apply(&[LogEntry::AssertEdge { from, to }]).await?;
        }
        self.tell_link(if there { Did::Kept } else { Did::Added }, from, to, out).await
    }

    pub(super) async fn unlink(&self, from: &str, to: &str, out: &Dialog) -> Result<()> {
        let graph = self.workspace.graph();
        let ((from, from_node), (to, to_node)) = (find(&graph, from)?, find(&graph, to)?);
        let Some(edge) = graph.edges.get(&(from, to)) else {
            let (from, to) = (label(from, &from_node), label(to, &to_node));
            return Err(Failure::new(
                Kind::NotFound,
                format!("nothing leads from {from:?} to {to:?}"),
            )
            .next("`graphshell-peer show PAGE` shows what leads from and to a page"));
        };
        self.apply(&[LogEntry::RemoveEdge { from, to, kind: None }]).await?;
        let nodes = ((from, &from_node), (to, &to_node));
        out.tell(link(Did::Removed, nodes.0, nodes.1, true, edge)).await
    }

    pub(super) async fn list(&self, search: Option<String>, out: &Dialog) -> Result<()> {
        let graph = self.workspace.graph();
        let search = search.map(|search| search.to_lowercase()).unwrap_or_default();
        let fits = |node: &Node| {
            search.is_empty()
                || node.title.to_lowercase().contains(&search)
                || node.url.to_lowercase().contains(&search)
        };
        let mut found: Vec<_> = graph.nodes.iter().filter(|(_, node)| fits(node)).collect();
        found.sort_by_cached_key(|&(id, node)| (label(*id, node).to_lowercase(), *id));
        let shown = found.len() as u64;
        for (&id, node) in found {
            out.tell(page(Did::Listed, id, node)).await?;
        }
        out.tell(Item::Listed { shown, pages: graph.nodes.len() as u64 }).await
    }

    pub(super) async fn show(&self, name: &str, out: &Dialog) -> Result<()> {
        let graph = self.workspace.graph();
        let (id, node) = find(&graph, name)?;
        out.tell(page(Did::Shown, id, &node)).await?;
        for (&(from, to), edge) in &graph.edges {
            if from == id || to == id {
                let end = |id| graph.nodes.get(&id);
                let (Some(a), Some(b)) = (end(from), end(to)) else { continue };
                out.tell(link(Did::Listed, (from, a), (to, b), from == id, edge)).await?;
            }
        }
        Ok(())
    }

    async fn tell_page(&self, did: Did, id: NodeId, out: &Dialog) -> Result<()> {
        match self.workspace.node(id) {
            Some(node) => out.tell(page(did, id, &node)).await,
            // Somebody else removed it this very moment.
            None => Ok(()),
        }
    }

    async fn tell_link(&self, did: Did, from: NodeId, to: NodeId, out: &Dialog) -> Result<()> {
        let end = |id| self.workspace.node(id);
        let (Some(a), Some(b)) = (end(from), end(to)) else { return Ok(()) };
        let edge = self.workspace.edge(from, to).unwrap_or_default();
        out.tell(link(did, (from, &a), (to, &b), true, &edge)).await
    }
}

fn page(did: Did, id: NodeId, node: &Node) -> Item {
    Item::Page(Page {
        did,
        id,
        url: node.url.clone(),
        title: node.title.clone(),
        position: node.position,
        pinned: node.pinned,
        ghost: node.ghost,
    })
}

fn link(did: Did, from: (NodeId, &Node), to: (NodeId, &Node), outgoing: bool, edge: &Edge) -> Item {
    let last = edge.visits.last();
    Item::Link(Link {
        did,
        from: from.0,
        from_label: label(from.0, from.1),
        to: to.0,
        to_label: label(to.0, to.1),
        outgoing,
        kinds: edge.kinds.iter().copied().collect(),
        visits: edge.visits.len() as u64,
        last_visit_ms: last.map(|visit| visit.timestamp_ms),
        last_trigger: last.map(|visit| visit.trigger),
    })
}

/// What a person calls a page.
pub(super) fn label(id: NodeId, node: &Node) -> String {
    let names = [&node.title, &node.url];
    let name = names.into_iter().find(|name| !name.is_empty());
    name.cloned().unwrap_or_else(|| short(&id.to_string()))
}

/// The page that `name` names: by its address, its title or its id; else by the beginning of one.
pub(super) fn find(graph: &Graph, name: &str) -> Result<(NodeId, Node)> {
    let lower = name.to_lowercase();
    let is = |id: &NodeId, node: &Node| {
        // A page may have no title.
        !name.is_empty()
            && (node.url == name || node.title.to_lowercase() == lower || id.to_string() == lower)
    };
    let begins = |id: &NodeId, node: &Node| {
        let bare = node.url.split_once("://").map_or("", |(_, rest)| rest);
        node.title.to_lowercase().starts_with(&lower)
            || lower.len() >= 4 && id.to_string().starts_with(&lower)
            || node.url.starts_with(name)
            || bare.starts_with(name)
    };
    let pick = |fits: &dyn Fn(&NodeId, &Node) -> bool| {
        graph.nodes.iter().filter(|(id, node)| fits(id, node)).collect::<Vec<_>>()
    };
    let mut found = pick(&is);
    if found.is_empty() && !name.is_empty() {
        found = pick(&begins);
    }
    match found[..] {
        [(id, node)] => Ok((*id, node.clone())),
        [] => Err(Failure::new(Kind::NotFound, format!("there is no page {name:?}"))
            .next("`graphshell-peer list` shows all pages; name one by its address, or by the beginning of its title or id")),
        _ => {
            let mut what = format!("{} pages are named {name:?}:", found.len());
            for (id, node) in found.iter().take(MAX_CANDIDATES) {
                let id = short(&id.to_string());
                what.push_str(&format!("\n  {id}  {}  {}", crate::text::clean(&node.title), crate::text::clean(&node.url)));
            }
            if found.len() > MAX_CANDIDATES {
                what.push_str("\n  …");
            }
            Err(Failure::new(Kind::NotFound, what).next("name one of them by its id"))
        }
    }
}

fn check_url(url: &str) -> Result<()> {
    if is_page(url) || url.starts_with("folder:") {
        return Ok(());
    }
    let failure = Failure::new(Kind::Usage, format!("{url:?} is not the address of a page"));
    let bare = !url.contains(':') && url.contains('.') && !url.contains(char::is_whitespace);
    Err(match bare {
        true => failure.next(format!("did you mean https://{url} ?")),
        false => failure.next("expected something like https://www.rust-lang.org/"),
    })
}

/// Where the `index`-th page is put that nobody places: on a spiral that leaves each as much room.
pub(super) fn place(index: usize) -> Position {
    const GOLDEN_ANGLE: f64 = 2.399_963_229_728_653;
    const SPACING: f64 = 80.0;
    let index = index as f64;
    let (radius, angle) = (SPACING * index.sqrt(), GOLDEN_ANGLE * index);
    let (x, y) = ((radius * angle.cos()).round() as f32, (radius * angle.sin()).round() as f32);
    Position::new(x, y).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn graph() -> Graph {
        let node = |url: &str, title: &str| Node {
            url: url.to_owned(),
            title: title.to_owned(),
            position: Position::default(),
            pinned: false,
            ghost: false,
        };
        let id = |n: u128| NodeId(Uuid::from_u128(n << 96));
        let mut graph = Graph::default();
        graph.nodes.insert(id(0xaaaa_0001), node("https://rust-lang.org/", "Rust"));
        graph.nodes.insert(id(0xaaaa_0002), node("https://rust-lang.org/learn", "Rust: learn"));
        graph.nodes.insert(id(0xbbbb_0003), node("https://example.com/", ""));
        graph
    }

    #[test]
    fn exact_name_wins_over_beginnings_and_ambiguity_lists_candidates() {
        let graph = graph();
        let found = |name| find(&graph, name).map(|(_, node)| node.url);
        assert_eq!(found("rust").unwrap(), "https://rust-lang.org/");
        assert_eq!(found("rust:").unwrap(), "https://rust-lang.org/learn");
        assert_eq!(found("https://rust-lang.org/").unwrap(), "https://rust-lang.org/");
        assert_eq!(found("example.com").unwrap(), "https://example.com/");
        assert_eq!(found("BBBB").unwrap(), "https://example.com/");
        let ambiguous = found("ru").unwrap_err();
        assert_eq!(ambiguous.kind, Kind::NotFound);
        assert!(
            ambiguous.what.contains("aaaa0001") && ambiguous.what.contains("aaaa0002"),
            "{ambiguous}"
        );
        for missing in ["", "nothing", "bbb"] {
            assert_eq!(found(missing).unwrap_err().kind, Kind::NotFound, "{missing}");
        }
    }

    #[test]
    fn addresses_without_a_scheme_get_a_hint() {
        let hint = check_url("example.com/a").unwrap_err().next.unwrap();
        assert!(hint.contains("https://example.com/a"), "{hint}");
        assert!(check_url("javascript:alert(1)").is_err());
        assert!(check_url("https://example.com/").is_ok());
    }

    #[test]
    fn no_two_of_the_first_pages_lie_in_one_place() {
        let mut places: Vec<(f32, f32)> = (0..2000).map(|index| place(index).into()).collect();
        places.sort_by(|a, b| a.partial_cmp(b).unwrap());
        places.dedup();
        assert_eq!(places.len(), 2000);
    }
}
