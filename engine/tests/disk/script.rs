//! An endless script of writes, always the same, and the store in memory that says what must be
//! found after each of them.

use std::path::Path;
use std::sync::Arc;

use futures_executor::block_on;
use graphshell_sync::ports::{Opened, Store, StoreError};
use graphshell_sync::store::MemoryStore;
use graphshell_sync::store::disk::{DiskStore, KeySource};
use graphshell_sync::{Batch, DeviceId, Record, Snapshot, WorkspaceId};
use uuid::Uuid;

use crate::folder::Dice;

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(7));

/// The store in `folder`; its key lies beside it.
pub(crate) fn store(folder: &Path) -> DiskStore {
    let key = KeySource::key_file(folder.with_extension("key"));
    DiskStore::new(folder, WORKSPACE, key).expect("a thread")
}

/// Write number `n` of the script.
pub(crate) fn write(store: &impl Store, n: u64, end: u64) -> Result<(), StoreError> {
    let mut dice = Dice(n);
    match n % 16 {
        7 => block_on(store.save_snapshot(snapshot(&mut dice, end))),
        15 => block_on(store.rebase(snapshot(&mut dice, end), end - end.min(4))),
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

/// A few bytes, or a batch that compresses badly.
pub(crate) fn record(dice: &mut Dice) -> Record {
    let length = [0, 30, 400, 3_000, 60_000][dice.below(5)];
    match length {
        0 => {
            let device = DeviceId(dice.bytes(32).try_into().expect("32 bytes"));
            Record::Consent { device, shared: dice.below(2) == 0 }
        }
        length => Record::Ready(Arc::new(batch(dice, length))),
    }
}
