//! The [`Store`] of a real device.

use std::path::PathBuf;

use super::keys::KeySource;
use super::medium::FolderMedium;
use super::worker::Worker;
use crate::id::WorkspaceId;
use crate::ports::{Opened, Store, StoreError};
use crate::record::{Record, Snapshot};
use crate::store::medium::Medium;
use crate::store::vault::{Summary, Vault};
use crate::system::SystemEntropy;

/// A workspace's log and database in a folder, sealed.
///
/// A handle on a thread that does all the waiting, key and keyring included, so that nobody who
/// calls it ever waits for a disk. Calls are done in the order in which they were made, each also if its
/// future is dropped. Dropping the handle waits until the last of them is done and the folder is
/// free for others.
pub struct DiskStore {
    worker: Worker<Disk>,
}

/// What the thread owns.
struct Disk {
    folder: PathBuf,
    workspace: WorkspaceId,
    key: KeySource,
    vault: Option<Vault<FolderMedium>>,
}

impl DiskStore {
    /// The store of `workspace` in `folder`. Touches nothing; what is not there
    /// [`open`](Store::open) makes.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn new(
        folder: impl Into<PathBuf>,
        workspace: WorkspaceId,
        key: KeySource,
    ) -> Result<Self, StoreError> {
        let disk = Disk { folder: folder.into(), workspace, key, vault: None };
        Ok(DiskStore { worker: Worker::start("graphshell-store", disk)? })
    }

    /// Lets future batches be sealed with a new data key.
    ///
    /// # Errors
    /// If the store is not open, or the disk refuses or fails.
    pub async fn rotate_data_key(&self) -> Result<(), StoreError> {
        self.worker.ask(|disk| disk.vault()?.rotate_data_key()).await
    }

    /// Lets another key open the store from now on, and the former one no more. A passphrase can
    /// be changed so, or a key moved into the keyring. The former key stays where it is, since
    /// another store may be sealed with it; a key file that none is should be removed. The
    /// [witness](super::DeviceWitness) stays where it is, too.
    ///
    /// # Errors
    /// If the store is not open, the key cannot be had, or the disk refuses or fails.
    pub async fn change_key(&self, key: KeySource) -> Result<(), StoreError> {
        let change = |disk: &mut Disk| {
            let new = key.key(&disk.folder, true)?;
            disk.vault()?.change_master_key(new)?;
            disk.key = key;
            Ok(())
        };
        self.worker.ask(change).await
    }

    /// What the database says about the workspace, without replaying its log.
    ///
    /// # Errors
    /// If the store is not open or cannot be read.
    pub async fn summary(&self) -> Result<Summary, StoreError> {
        self.worker.ask(|disk| disk.vault()?.summary()).await
    }
}

impl Disk {
    fn open(&mut self) -> Result<Opened, StoreError> {
        if self.vault.is_none() {
            let mut medium = FolderMedium::new(&self.folder);
            // Held from here on: no other program makes a store, or a key for it, at the same time.
            medium.lock()?;
            let key = self.key.key(&self.folder, medium.is_new())?;
            self.vault = Some(Vault::new(medium, self.workspace, key, Box::new(SystemEntropy)));
        }
        self.vault()?.open()
    }

    fn vault(&mut self) -> Result<&mut Vault<FolderMedium>, StoreError> {
        self.vault
            .as_mut()
            .ok_or_else(|| StoreError::Refused(format!("{} was not opened", self.folder.display())))
    }
}

impl Store for DiskStore {
    async fn open(&self) -> Result<Opened, StoreError> {
        self.worker.ask(Disk::open).await
    }

    async fn append(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.worker.ask(move |disk| disk.vault()?.append(&records)).await
    }

    async fn load(&self, positions: Vec<u64>) -> Result<Vec<Record>, StoreError> {
        self.worker.ask(move |disk| disk.vault()?.load(&positions)).await
    }

    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<(), StoreError> {
        self.worker.ask(move |disk| disk.vault()?.save_snapshot(&snapshot)).await
    }

    async fn rebase(&self, base: Snapshot, first: u64) -> Result<(), StoreError> {
        self.worker.ask(move |disk| disk.vault()?.rebase(&base, first)).await
    }
}
