//! Bookmarks become pages, folders become pages that are grouped with what lies in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use graphshell_sync::limits::{MAX_TITLE_BYTES, MAX_URL_BYTES};
use graphshell_sync::{EdgeKind, EdgeType, Graph, LogEntry, NodeId, WorkspaceId};
use uuid::Uuid;

use super::pages::place;
use super::{Dialog, Session};
use crate::bookmarks::{self, Bookmarks};
use crate::failure::{Failure, Result};
use crate::item::{Imported, Item};

/// How the address of a folder's page begins.
pub(super) const FOLDER: &str = "folder:";
/// Bounds of one edit; well within those of the engine.
const MAX_CHUNK_OPERATIONS: usize = 512;
const MAX_CHUNK_BYTES: usize = 128 * 1024;
/// Edits that run ahead of the disk.
const MAX_AHEAD: usize = 8;

impl Session {
    pub(super) async fn import(&self, file: &Path, out: &Dialog) -> Result<()> {
        let path = file.to_owned();
        // A large file takes a while, and others are waiting for this thread.
        let read = tokio::task::spawn_blocking(move || bookmarks::read(&path)).await;
        let found = read
            .map_err(|_| Failure::failed(format!("{} cannot be read as HTML", file.display())))??;
        let (operations, report) =
            plan(&self.workspace.graph(), self.profile.read().workspace, &found);
        self.apply_in_chunks(&operations).await?;
        out.tell(Item::Imported(report)).await
    }

    async fn apply_in_chunks(&self, operations: &[LogEntry]) -> Result<()> {
        let mut ahead = std::collections::VecDeque::new();
        for chunk in chunks(operations) {
            ahead.push_back(self.begin(chunk)?);
            if ahead.len() > MAX_AHEAD
                && let Some(receipt) = ahead.pop_front()
            {
                self.settle(receipt).await?;
            }
        }
        for receipt in ahead {
            self.settle(receipt).await?;
        }
        Ok(())
    }
}

/// Operations that add to `graph` what it lacks. The ids come from the addresses, so that two devices
/// that import the same bookmarks have the same pages.
fn plan(graph: &Graph, workspace: WorkspaceId, found: &Bookmarks) -> (Vec<LogEntry>, Imported) {
    let mut report = Imported {
        bookmarks: found.bookmarks.len() as u64,
        folders: found.folders.len() as u64,
        left_out: found.left_out,
        ..Imported::default()
    };
    let mut planner = Planner {
        graph,
        workspace,
        by_url: graph
            .nodes
            .iter()
            .filter(|(_, node)| !node.ghost)
            .map(|(id, node)| (node.url.clone(), *id))
            .collect(),
        linked: BTreeSet::new(),
        operations: Vec::new(),
        added: 0,
        links: 0,
    };
    let mut folders: Vec<Option<NodeId>> = Vec::with_capacity(found.folders.len());
    let mut addresses: Vec<String> = Vec::with_capacity(found.folders.len());
    for folder in &found.folders {
        let above = folder.parent.map_or(FOLDER, |parent| addresses[parent].as_str());
        let url = format!("{above}/{}", percent(&folder.name));
        let id = planner.page(&url, &folder.name);
        if id.is_none() {
            report.left_out += 1;
        }
        planner.group(folder.parent.and_then(|parent| folders[parent]), id);
        folders.push(id);
        addresses.push(url);
    }
    for bookmark in &found.bookmarks {
        let id = planner.page(&bookmark.url, &bookmark.title);
        if id.is_none() {
            report.left_out += 1;
            report.bookmarks -= 1;
        }
        planner.group(bookmark.folder.and_then(|folder| folders[folder]), id);
    }
    (report.added, report.linked) = (planner.added, planner.links);
    (planner.operations, report)
}

struct Planner<'a> {
    graph: &'a Graph,
    workspace: WorkspaceId,
    by_url: BTreeMap<String, NodeId>,
    linked: BTreeSet<(NodeId, NodeId)>,
    operations: Vec<LogEntry>,
    added: u64,
    links: u64,
}

impl Planner<'_> {
    /// The page with this address, which is added if it is not there; `None` if it is too long.
    fn page(&mut self, url: &str, title: &str) -> Option<NodeId> {
        if let Some(&id) = self.by_url.get(url) {
            return Some(id);
        }
        if url.len() > MAX_URL_BYTES {
            return None;
        }
        let mut attempt = 0;
        let node_id = loop {
            let id = derive(self.workspace, url, attempt);
            // A page that came from this address and has another one now.
            if self.graph.nodes.get(&id).is_none_or(|node| node.ghost) {
                break id;
            }
            attempt += 1;
        };
        let position = place(self.graph.nodes.len() + self.added as usize);
        self.operations.push(LogEntry::AddNode { node_id, url: url.to_owned(), position });
        let title = cut(title, MAX_TITLE_BYTES);
        if !title.is_empty() {
            self.operations.push(LogEntry::UpdateNodeTitle { node_id, title: title.to_owned() });
        }
        self.by_url.insert(url.to_owned(), node_id);
        self.added += 1;
        Some(node_id)
    }

    fn group(&mut self, folder: Option<NodeId>, page: Option<NodeId>) {
        let (Some(from), Some(to)) = (folder, page) else { return };
        let kind = EdgeKind::Typed(EdgeType::UserGrouped);
        let there =
            self.graph.edges.get(&(from, to)).is_some_and(|edge| edge.kinds.contains(&kind));
        if from != to && !there && self.linked.insert((from, to)) {
            let edge_type = EdgeType::UserGrouped;
            self.operations.push(LogEntry::AddEdge { from, to, edge_type });
            self.links += 1;
        }
    }
}

/// The id of the page that an import adds for an address.
fn derive(workspace: WorkspaceId, url: &str, attempt: u32) -> NodeId {
    let mut hasher = blake3::Hasher::new_derive_key("graphshell-peer 1 imported page");
    hasher.update(workspace.0.as_bytes());
    hasher.update(&attempt.to_le_bytes());
    hasher.update(url.as_bytes());
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    NodeId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// A new random page.
pub(super) fn random_id(bytes: [u8; 16]) -> Uuid {
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// `name` as a part of an address.
fn percent(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(byte.into())
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// The beginning of `text` that fits `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `operations` in pieces that one edit can hold each, in order.
fn chunks(operations: &[LogEntry]) -> Vec<&[LogEntry]> {
    let mut chunks = Vec::new();
    let (mut first, mut bytes) = (0, 0);
    for (index, operation) in operations.iter().enumerate() {
        let size = 256
            + match operation {
                LogEntry::AddNode { url, .. } => url.len(),
                LogEntry::UpdateNodeTitle { title, .. } => title.len(),
                _ => 0,
            };
        if index > first
            && (index - first >= MAX_CHUNK_OPERATIONS || bytes + size > MAX_CHUNK_BYTES)
        {
            chunks.push(&operations[first..index]);
            (first, bytes) = (index, 0);
        }
        bytes += size;
    }
    if first < operations.len() {
        chunks.push(&operations[first..]);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bookmarks::{Bookmark, Folder};

    fn workspace() -> WorkspaceId {
        WorkspaceId(Uuid::from_u128(1))
    }

    #[test]
    fn folders_are_pages_that_are_grouped_with_what_lies_in_them() {
        let found = Bookmarks {
            folders: vec![
                Folder { name: "A b".to_owned(), parent: None },
                Folder { name: "ü".to_owned(), parent: Some(0) },
            ],
            bookmarks: vec![
                Bookmark {
                    url: "https://a.example/".to_owned(),
                    title: "A".to_owned(),
                    folder: Some(1),
                },
                Bookmark {
                    url: "https://a.example/".to_owned(),
                    title: "again".to_owned(),
                    folder: Some(1),
                },
                Bookmark { url: "x".repeat(MAX_URL_BYTES + 1), title: String::new(), folder: None },
            ],
            left_out: 1,
        };
        let (operations, report) = plan(&Graph::default(), workspace(), &found);
        let urls: Vec<_> = operations
            .iter()
            .filter_map(|operation| match operation {
                LogEntry::AddNode { url, .. } => Some(url.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(urls, ["folder:/A%20b", "folder:/A%20b/%C3%BC", "https://a.example/"]);
        let expected = Imported { bookmarks: 2, folders: 2, added: 3, linked: 2, left_out: 2 };
        assert_eq!(report, expected);
    }

    #[test]
    fn every_chunk_fits_an_edit_and_none_is_lost() {
        let long = LogEntry::AddNode {
            node_id: NodeId(Uuid::nil()),
            url: "x".repeat(MAX_URL_BYTES),
            position: graphshell_sync::Position::default(),
        };
        let short = LogEntry::RemoveNode { node_id: NodeId(Uuid::nil()) };
        let mut operations = vec![long; 40];
        operations.extend(vec![short; 3000]);
        let chunks = chunks(&operations);
        assert!(
            chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= MAX_CHUNK_OPERATIONS)
        );
        assert_eq!(chunks.concat(), operations);
        assert!(super::chunks(&[]).is_empty());
    }

    #[test]
    fn titles_are_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("", 3), "");
    }
}
