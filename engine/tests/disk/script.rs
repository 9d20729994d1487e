//! An endless script of writes, always the same, and what must be found after each of them.

use std::path::Path;

use futures_executor::block_on;
use graphshell_sync::ports::{Store, StoreError};
use graphshell_sync::store::disk::{DiskStore, KeySource};
use graphshell_sync::store::{MemoryStore, conformance};
use graphshell_sync::{Access, DeviceId, Record, Snapshot, WorkspaceId};
use uuid::Uuid;

use crate::folder::Dice;

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(7));

/// The store in `folder`; its key lies beside it.
pub(crate) fn store(folder: &Path) -> DiskStore {
    let key = KeySource::key_file(folder.with_extension("key"));
    DiskStore::new(folder, WORKSPACE, key).expect("a thread")
}

/// All that a store holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Contents {
    pub(crate) base: Option<Snapshot>,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) first: u64,
    pub(crate) records: Vec<Record>,
}

impl Contents {
    pub(crate) fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }
}

/// Opens a store and reads all of it; with the watermark that it remembers.
pub(crate) fn read(store: &impl Store) -> Result<(Contents, u64), StoreError> {
    let opened = block_on(store.open())?;
    let records = block_on(store.load((opened.first..opened.end).collect()))?;
    let (base, snapshot, first) = (opened.base, opened.snapshot, opened.first);
    Ok((Contents { base, snapshot, first, records }, opened.watermark))
}

/// What a store holds after the first `count` writes, for each count up to the given one.
pub(crate) fn expected(count: u64) -> Vec<Contents> {
    let model = MemoryStore::new();
    let read = |model| read(model).expect("memory does not fail").0;
    let mut expected = vec![read(&model)];
    for n in 0..count {
        write(&model, n, &expected[n as usize]).expect("memory does not fail");
        expected.push(read(&model));
    }
    expected
}

/// Write number `n` of the script, on a store that holds what it holds after the writes before.
pub(crate) fn write(store: &impl Store, n: u64, held: &Contents) -> Result<(), StoreError> {
    let mut dice = Dice(n);
    match n % 16 {
        7 => block_on(store.save_snapshot(snapshot(&mut dice, held.end()))),
        15 => {
            let first = held.first.max(held.end().saturating_sub(3));
            block_on(store.rebase(snapshot(&mut dice, held.end()), first))
        }
        _ => {
            let count = [1, 1, 2, 5][dice.below(4)];
            block_on(store.append((0..count).map(|_| record(&mut dice)).collect()))
        }
    }
}

fn snapshot(dice: &mut Dice, position: u64) -> Snapshot {
    let length = dice.below(20_000);
    Snapshot { position, bytes: dice.bytes(length), ..Snapshot::default() }
}

/// A few bytes up to some ten thousand, which compress badly.
fn record(dice: &mut Dice) -> Record {
    let seed = dice.below(1 << 40) as u64;
    match [0, 30, 400, 3_000, 40_000][dice.below(5)] {
        0 => {
            let device = DeviceId(dice.bytes(32).try_into().expect("32 bytes"));
            let access = [Access::None, Access::ReadOnly, Access::Full][dice.below(3)];
            Record::Consent { device, access }
        }
        payload => conformance::ready(seed, 1 + dice.below(3) as u64, payload),
    }
}
