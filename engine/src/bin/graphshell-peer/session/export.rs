//! The whole graph as one text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use graphshell_sync::{EdgeKind, EdgeType, Graph, NodeId};

use super::import::FOLDER;
use super::pages::label;
use super::{Dialog, Session};
use crate::args::Format;
use crate::bookmarks::{escape_html, is_page};
use crate::failure::{Failure, Result};
use crate::item::Item;

/// Bytes of one piece of a document; more where a character would be cut.
const PIECE_BYTES: usize = 64 * 1024;

impl Session {
    pub(super) async fn export(&self, format: Format, out: &Dialog) -> Result<()> {
        let graph = self.workspace.graph();
        let text = match format {
            Format::Json => {
                serde_json::to_string_pretty(&graph).map(|text| text + "\n").map_err(|error| {
                    Failure::failed(format!("the graph cannot be written: {error}"))
                })?
            }
            Format::Html => html(&graph),
            Format::Dot => dot(&graph),
        };
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let mut end = rest.len().min(PIECE_BYTES);
            while !rest.is_char_boundary(end) {
                end += 1;
            }
            out.tell(Item::Document { text: rest[..end].to_owned() }).await?;
            rest = &rest[end..];
        }
        Ok(())
    }
}

/// A bookmarks file. A page stands in every folder that it is grouped with, and on top if there is none.
fn html(graph: &Graph) -> String {
    let mut inside: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    let mut grouped = BTreeSet::new();
    let is_folder =
        |id: &NodeId| graph.nodes.get(id).is_some_and(|node| node.url.starts_with(FOLDER));
    for ((from, to), edge) in &graph.edges {
        let kind = EdgeKind::Typed(EdgeType::UserGrouped);
        if is_folder(from) && graph.nodes.contains_key(to) && edge.kinds.contains(&kind) {
            inside.entry(*from).or_default().push(*to);
            grouped.insert(*to);
        }
    }
    let mut text = String::from(
        "<!DOCTYPE NETSCAPE-Bookmark-file-1>\n\
         <META HTTP-EQUIV=\"Content-Type\" CONTENT=\"text/html; charset=UTF-8\">\n\
         <TITLE>Bookmarks</TITLE>\n<H1>Bookmarks</H1>\n<DL><p>\n",
    );
    // What is still to be written, the next one last; `None` ends a folder.
    let mut todo: Vec<Option<NodeId>> =
        graph.nodes.keys().filter(|id| !grouped.contains(id)).rev().map(|id| Some(*id)).collect();
    // Folders may lie in each other in a circle; each is written once.
    let mut seen = BTreeSet::new();
    let mut circles: Vec<NodeId> = grouped.iter().copied().filter(is_folder).rev().collect();
    loop {
        let next = match todo.pop() {
            Some(next) => next,
            None => match circles.pop() {
                Some(id) if !seen.contains(&id) => Some(id),
                Some(_) => continue,
                None => break,
            },
        };
        let Some(id) = next else {
            text.push_str("</DL><p>\n");
            continue;
        };
        let node = &graph.nodes[&id];
        let name = escape_html(&label(id, node));
        if is_folder(&id) {
            if seen.insert(id) {
                let _ = writeln!(text, "<DT><H3>{name}</H3>\n<DL><p>");
                todo.push(None);
                todo.extend(inside.get(&id).into_iter().flatten().rev().map(|id| Some(*id)));
            }
        } else if is_page(&node.url) && !node.ghost {
            let _ = writeln!(text, "<DT><A HREF=\"{}\">{name}</A>", escape_html(&node.url));
        }
    }
    text.push_str("</DL><p>\n");
    text
}

/// A drawing for Graphviz.
fn dot(graph: &Graph) -> String {
    let mut text = String::from("digraph graphshell {\n  node [shape=box];\n");
    for (id, node) in &graph.nodes {
        let style = if node.ghost { ", style=dashed" } else { "" };
        let (name, url) = (quote(&label(*id, node)), quote(&node.url));
        let _ = writeln!(text, "  \"{id}\" [label={name}, tooltip={url}{style}];");
    }
    for ((from, to), edge) in &graph.edges {
        let label = match edge.visits.len() {
            0 => String::new(),
            visits => format!(" [label=\"{visits}\"]"),
        };
        let _ = writeln!(text, "  \"{from}\" -> \"{to}\"{label};");
    }
    text.push_str("}\n");
    text
}

fn quote(text: &str) -> String {
    let clean = crate::text::clean(text);
    format!("\"{}\"", clean.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use graphshell_sync::{Edge, Node, Position};
    use uuid::Uuid;

    use super::*;

    fn graph(nodes: &[(u128, &str, &str)], groups: &[(u128, u128)]) -> Graph {
        let mut graph = Graph::default();
        for (id, url, title) in nodes {
            let node = Node {
                url: (*url).to_owned(),
                title: (*title).to_owned(),
                position: Position::default(),
                pinned: false,
                ghost: false,
            };
            graph.nodes.insert(NodeId(Uuid::from_u128(*id)), node);
        }
        for (from, to) in groups {
            let pair = (NodeId(Uuid::from_u128(*from)), NodeId(Uuid::from_u128(*to)));
            let mut edge = Edge::default();
            edge.kinds.insert(EdgeKind::Typed(EdgeType::UserGrouped));
            graph.edges.insert(pair, edge);
        }
        graph
    }

    #[test]
    fn circles_of_folders_end_and_nothing_is_left_out() {
        let nodes = [
            (1, "folder:/a", "a"),
            (2, "folder:/b", "b"),
            (3, "https://c.example/", "<c>"),
            (4, "javascript:evil()", "d"),
        ];
        let text = html(&graph(&nodes, &[(1, 2), (2, 1), (2, 3)]));
        assert_eq!(text.matches("<H3>").count(), 2);
        assert_eq!(text.matches("<DL>").count(), text.matches("</DL>").count());
        assert!(text.contains("HREF=\"https://c.example/\">&lt;c&gt;</A>"), "{text}");
        assert!(!text.contains("evil"), "{text}");
    }

    #[test]
    fn labels_of_a_drawing_cannot_break_out() {
        let text = dot(&graph(&[(1, "https://a.example/", "\\\"]; evil [\u{1b}")], &[]));
        assert!(text.contains(r#"label="\\\"]; evil [\\u{1b}""#), "{text}");
    }
}
