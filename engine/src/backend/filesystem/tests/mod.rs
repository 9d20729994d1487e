//! Several devices, and several programs of one device, over one folder.

mod batches;
mod folder;
mod vector;

use std::fs;
use std::path::Path;

use futures_executor::block_on;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::batch::{Batch, BatchBuilder, NewEntry};
use crate::hash::Hash;
use crate::id::{Dot, PeerId};
use crate::wire::{Budget, Exclusion, FrontierRow};

const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(77));
const ALICE: DeviceId = DeviceId([0xa1; 32]);
const BOB: DeviceId = DeviceId([0xb0; 32]);
const READER: DeviceId = DeviceId([0xee; 32]);

/// Authors of entries; any device may publish those of any author.
const A: PeerId = PeerId(Uuid::from_u128(0xa));
const B: PeerId = PeerId(Uuid::from_u128(0xb));

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn open(&self, device: DeviceId) -> LocalFilesystemBackend {
        LocalFilesystemBackend::new(self.0.path(), WORKSPACE, device, "")
    }

    fn batches(&self, device: DeviceId) -> PathBuf {
        self.open(device).batch_folder(device)
    }

    fn batch(&self, device: DeviceId, number: u64) -> PathBuf {
        self.batches(device).join(format!("{number:05}.batch"))
    }

    /// The names in a folder, sorted.
    fn names(path: &Path) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> =
            fs::read_dir(path).unwrap().map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Entries `sequences` of `author`, the first of which saw `saw`.
fn entries(
    author: PeerId,
    sequences: std::ops::RangeInclusive<u64>,
    saw: &[(PeerId, u64)],
) -> Batch {
    let mut builder = BatchBuilder::default();
    let row = builder.row(author);
    let delta: Vec<_> = saw.iter().map(|&(peer, seq)| (builder.row(peer), seq)).collect();
    for (n, sequence) in sequences.enumerate() {
        builder.push(NewEntry {
            author: row,
            flags: 0,
            kind: 900,
            sequence,
            timestamp_ms: sequence * 10,
            delta: if n == 0 { &delta } else { &[] },
            payload: &[7; 300],
        });
    }
    builder.finish(WORKSPACE, |_, sequence| Hash([sequence as u8; 32])).unwrap()
}

fn frontier(vector: &[(PeerId, u64)]) -> Frontier {
    let row = |&(peer, sequence): &(PeerId, u64)| FrontierRow {
        peer,
        sequence,
        hash: Hash([sequence as u8; 32]),
    };
    Frontier::new(vector.iter().map(row).collect())
}

fn push(backend: &LocalFilesystemBackend, batch: &Batch) {
    let request = PushRequest { batch: batch.clone() };
    assert_eq!(block_on(backend.push(READER, request)), Ok(Response::Published));
}

fn try_pull(
    backend: &LocalFilesystemBackend,
    from: DeviceId,
    have: &[(PeerId, u64)],
    excluded: &[Exclusion],
) -> Result<(Option<Batch>, bool), CallError> {
    let request = PullRequest {
        workspace: WORKSPACE,
        have: frontier(have),
        excluded: excluded.to_vec(),
        budget: Budget { entries: 1024, bytes: 512 * 1024 },
    };
    block_on(backend.pull(from, request)).map(|response| match response {
        Response::Batch { batch, more } => (batch, more),
        other => panic!("a pull was answered by {other:?}"),
    })
}

fn pull(
    backend: &LocalFilesystemBackend,
    from: DeviceId,
    have: &[(PeerId, u64)],
) -> (Option<Batch>, bool) {
    try_pull(backend, from, have, &[]).unwrap()
}

fn ask(
    backend: &LocalFilesystemBackend,
    of: DeviceId,
    own: &Frontier,
) -> Result<Response, CallError> {
    let request = FrontierRequest { workspace: WORKSPACE, digest: own.digest() };
    block_on(backend.frontier(of, request))
}
