//! Batches as a liar writes them: well formed, with whatever names, bases and hashes it likes.
//!
//! The engine makes no batch that it cannot answer for, so the bytes are written here, after the
//! format in the engine's `batch` module.

use graphshell_sync::{BATCH_VERSION, Hash, LogEntry, PeerId, WorkspaceId};

/// How far an author's history goes, and its running hash there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) struct Head {
    pub(in crate::world) author: PeerId,
    pub(in crate::world) sequence: u64,
    pub(in crate::world) hash: Hash,
}

impl Head {
    /// The history of an author that nobody knows.
    pub(in crate::world) fn start(workspace: WorkspaceId, author: PeerId) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("graphshell-sync 1 entry chain");
        hasher.update(workspace.0.as_bytes());
        hasher.update(author.0.as_bytes());
        Head { author, sequence: 0, hash: Hash(*hasher.finalize().as_bytes()) }
    }
}

/// What an entry says.
#[derive(Clone, Debug)]
pub(in crate::world) struct Content {
    pub(in crate::world) timestamp_ms: u64,
    pub(in crate::world) kind: u16,
    pub(in crate::world) payload: Vec<u8>,
}

impl Content {
    pub(in crate::world) fn of(timestamp_ms: u64, entry: &LogEntry) -> Self {
        let mut payload = Vec::new();
        entry.encode_payload(&mut payload).expect("a short operation can be written");
        Content { timestamp_ms, kind: entry.kind(), payload }
    }
}

/// A batch that goes on after `head`; its first entry relies on `seen`, another author's.
pub(in crate::world) fn batch(
    workspace: WorkspaceId,
    head: Head,
    seen: Option<Head>,
    contents: &[Content],
) -> Vec<u8> {
    let mut rows = vec![head];
    rows.extend(seen);
    rows.sort_unstable_by_key(|row| row.author);
    let place = |author| rows.iter().position(|row| row.author == author).expect("it has a row");
    let mut out = vec![BATCH_VERSION];
    out.extend_from_slice(workspace.0.as_bytes());
    put_varint(&mut out, rows.len() as u64);
    for row in &rows {
        out.extend_from_slice(row.author.0.as_bytes());
        put_varint(&mut out, row.sequence);
        out.extend_from_slice(&row.hash.0);
    }
    put_varint(&mut out, contents.len() as u64);
    let mut time = 0u64;
    for (nth, content) in contents.iter().enumerate() {
        put_varint(&mut out, place(head.author) as u64);
        put_varint(&mut out, u64::from(content.kind) << 1);
        let later = content.timestamp_ms.wrapping_sub(time) as i64;
        put_varint(&mut out, ((later << 1) ^ (later >> 63)) as u64);
        time = content.timestamp_ms;
        let seen = seen.filter(|_| nth == 0);
        put_varint(&mut out, u64::from(seen.is_some()));
        if let Some(seen) = seen {
            put_varint(&mut out, place(seen.author) as u64);
            put_varint(&mut out, seen.sequence);
        }
        put_varint(&mut out, content.payload.len() as u64);
        out.extend_from_slice(&content.payload);
    }
    out
}

/// Appends the shortest LEB128 form of a number.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use graphshell_sync::{Batch, Position};
    use uuid::Uuid;

    use super::*;
    use crate::plan::{node_id, workspace_id};

    #[test]
    fn what_is_forged_is_a_batch_for_the_engine() {
        let author = |number| PeerId(Uuid::from_u128(number));
        let title = LogEntry::UpdateNodeTitle { node_id: node_id("x"), title: "false".to_owned() };
        let node = LogEntry::AddNode {
            node_id: node_id("x"),
            url: "https://example.org/".to_owned(),
            position: Position::default(),
        };
        let contents = [Content::of(9, &node), Content::of(3, &title)];
        let head = Head::start(workspace_id(), author(7));
        for (other, sequence) in [(1, 5), (9, 1 << 40)] {
            let seen = Head { author: author(other), sequence, hash: Hash([3; 32]) };
            let bytes = batch(workspace_id(), head, Some(seen), &contents);
            let read = Batch::decode(&bytes).unwrap();
            assert_eq!(read.encode(), bytes);
            assert_eq!(read.payloads().next().unwrap().1, contents[0].payload);
        }
    }
}
