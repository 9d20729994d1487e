//! Claims about the vault, over a medium in memory.

mod failures;
mod format;
mod keys;
mod losses;
mod medium;
mod seals;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_executor::block_on;
use uuid::Uuid;

use self::medium::MemoryMedium;
use super::*;
use crate::access::Access;
use crate::batch::{BatchBuilder, NewEntry};
use crate::entry::{LogEntry, Position};
use crate::graph::Subject;
use crate::hash::Hash;
use crate::id::{NodeId, PeerId};
use crate::ports::Store;
use crate::store::conformance;

/// Randomness that is never the same twice, and the same in every run.
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, out: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        blake3::Hasher::new().update(&count.to_le_bytes()).finalize_xof().fill(out);
    }
}

const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(7));
const URL: &str = "https://example.org/a/page/that/nobody/else/should/know/of";
const TITLE: &str = "A title that is nobody's business";

fn master(byte: u8) -> MasterKey {
    MasterKey::from_bytes(&[byte; 32])
}

fn vault_of(medium: &MemoryMedium, workspace: WorkspaceId, key: MasterKey) -> Vault<MemoryMedium> {
    // Each vault draws from a place of its own, as real ones do.
    static VAULTS: AtomicU64 = AtomicU64::new(0);
    let start = VAULTS.fetch_add(1, Ordering::Relaxed) << 32;
    Vault::new(medium.handle(), workspace, key, Box::new(Counting(start.into())))
}

fn vault(medium: &MemoryMedium) -> Vault<MemoryMedium> {
    vault_of(medium, WORKSPACE, master(1))
}

/// A vault that was opened without anything to tell of.
fn opened(medium: &MemoryMedium) -> Vault<MemoryMedium> {
    let mut vault = vault(medium);
    let found = vault.open().expect("the vault opens");
    assert_eq!((found.watermark, found.set_aside), (found.end, Vec::new()));
    vault
}

fn author(number: u64) -> PeerId {
    PeerId(Uuid::from_u128(u128::from(number) + 100))
}

/// A page with its title, as the next two entries of an author that has `before` already.
fn page(number: u64, before: u64) -> Record {
    let mut builder = BatchBuilder::default();
    let node_id = NodeId(Uuid::from_u128(u128::from(number) << 64 | u128::from(before)));
    let entries = [
        LogEntry::AddNode {
            node_id,
            url: format!("{URL}/{before}"),
            position: Position::default(),
        },
        LogEntry::UpdateNodeTitle { node_id, title: TITLE.to_owned() },
    ];
    let author = builder.row(author(number));
    for (sequence, entry) in (before + 1..).zip(entries) {
        let mut payload = Vec::new();
        entry.encode_payload(&mut payload).expect("the texts are short");
        builder.push(NewEntry {
            author,
            flags: 0,
            kind: entry.kind(),
            sequence,
            timestamp_ms: 1_700_000_000_000 + sequence,
            delta: &[],
            payload: &payload,
        });
    }
    let batch = builder.finish(WORKSPACE, |_, base| Hash([base as u8; 32]));
    Record::Ready(Arc::new(batch.expect("it has entries")))
}

fn pages(number: u64, range: std::ops::Range<u64>) -> Vec<Record> {
    range.map(|n| page(number, 2 * n)).collect()
}

fn consent(device: u8, shared: bool) -> Record {
    let access = if shared { Access::Full } else { Access::None };
    Record::Consent { device: DeviceId([device; 32]), access }
}

fn snapshot(position: u64, length: usize) -> Snapshot {
    let mut bytes = URL.as_bytes().to_vec();
    bytes.resize(length.max(URL.len()), 0);
    let noise = &mut bytes[URL.len()..];
    blake3::Hasher::new().update(&position.to_le_bytes()).finalize_xof().fill(noise);
    let node = NodeId(Uuid::from_u128(u128::from(position)));
    Snapshot {
        position,
        bytes,
        vector: [(author(1), position + 1), (author(9), 3)].into_iter().collect(),
        conflicts: vec![(ConflictKind::DeleteVsUpdate, Subject::Node(node))],
    }
}

fn all(vault: &mut Vault<MemoryMedium>, from: u64, end: u64) -> Vec<Record> {
    vault.load(&(from..end).collect::<Vec<_>>()).expect("the records load")
}

/// The vault as the store that it is the better part of.
struct VaultStore(RefCell<Vault<MemoryMedium>>);

impl Store for VaultStore {
    async fn open(&self) -> Result<Opened, StoreError> {
        self.0.borrow_mut().open()
    }
    async fn append(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.0.borrow_mut().append(&records)
    }
    async fn load(&self, positions: Vec<u64>) -> Result<Vec<Record>, StoreError> {
        self.0.borrow_mut().load(&positions)
    }
    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<(), StoreError> {
        self.0.borrow_mut().save_snapshot(&snapshot)
    }
    async fn rebase(&self, base: Snapshot, first: u64) -> Result<(), StoreError> {
        self.0.borrow_mut().rebase(&base, first)
    }
}

#[test]
fn vault_passes_the_exam() {
    block_on(conformance::every_claim(|| {
        let place = MemoryMedium::default();
        move || VaultStore(RefCell::new(vault(&place)))
    }));
}

#[test]
fn summary_follows_the_log_without_replay() {
    let medium = MemoryMedium::default();
    let mut vault = opened(&medium);
    let known = |vault: &mut Vault<_>| vault.summary().expect("the database can be read");
    vault.append(&[pages(1, 0..3), vec![consent(4, true), consent(5, true)]].concat()).unwrap();
    vault.append(&[page(2, 0), consent(4, false)]).unwrap();
    let vector = [(author(1), 6), (author(2), 2)].into_iter().collect();
    let shared_with = vec![DeviceId([5; 32])];
    let expected = Summary { vector, conflicts: Vec::new(), shared_with, watermark: 7 };
    assert_eq!(known(&mut vault), expected);
    drop(vault);
    let mut vault = opened(&medium);
    assert_eq!(known(&mut vault), expected);
    vault.save_snapshot(&snapshot(7, 10)).unwrap();
    assert_eq!(known(&mut vault).conflicts, snapshot(7, 10).conflicts);
    vault.append(&[Record::Disown { author: author(1), after: 4 }]).unwrap();
    assert_eq!(known(&mut vault).vector.get(author(1)), 4, "what was disowned counts no longer");
    vault.rebase(&snapshot(8, 10), 8).unwrap();
    let expected = Summary {
        vector: snapshot(8, 10).vector,
        conflicts: snapshot(8, 10).conflicts,
        watermark: 8,
        ..expected
    };
    assert_eq!(known(&mut vault), expected, "the base says how far each author is");
}

#[test]
fn second_program_is_refused_until_the_first_lets_go() {
    let medium = MemoryMedium::default();
    let first = opened(&medium);
    let refused = vault(&medium).open().expect_err("it is locked");
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    drop(first);
    let mut again = opened(&medium);
    again.open().expect("who has it may open it again");
}

#[test]
fn nothing_happens_before_it_is_opened() {
    let medium = MemoryMedium::default();
    let mut vault = vault(&medium);
    let refused = [
        vault.append(&[consent(1, true)]),
        vault.save_snapshot(&snapshot(0, 1)),
        vault.rebase(&snapshot(0, 1), 0),
        vault.rotate_data_key(),
        vault.change_master_key(master(2)),
        vault.load(&[]).map(|_| ()),
        vault.summary().map(|_| ()),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    }
    assert!(medium.contents().journal.is_empty() && medium.contents().files.is_empty());
}
