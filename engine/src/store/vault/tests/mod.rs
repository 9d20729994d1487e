//! Claims about the vault, over a medium in memory.

mod medium;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use futures_executor::block_on;
use uuid::Uuid;

use self::medium::{Fate, MemoryMedium};
use super::*;
use crate::ports::Store;
use crate::store::conformance;

/// Randomness that is never the same twice, and the same in every run.
struct Counting(std::sync::atomic::AtomicU64);

impl Entropy for Counting {
    fn fill(&self, out: &mut [u8]) {
        let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        blake3::Hasher::new().update(&count.to_le_bytes()).finalize_xof().fill(out);
    }
}

const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(7));

fn master(byte: u8) -> MasterKey {
    MasterKey::from_bytes([byte; 32])
}

fn vault(medium: &MemoryMedium) -> Vault<MemoryMedium> {
    // Each vault draws from another place, as real ones do.
    static VAULTS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let start = VAULTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) << 32;
    Vault::new(medium.handle(), WORKSPACE, master(1), Box::new(Counting(start.into())))
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
