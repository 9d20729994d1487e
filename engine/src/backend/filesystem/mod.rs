//! Sync through a folder that several devices see: a shared disk, a stick, a folder that some
//! other program copies around.
//!
//! ```text
//! <root>/<workspace>/<publisher>/version_vector.json       how far the publisher durably is
//!                                log_entries/00000.batch   entries of any author
//!                                            00001.batch   ...
//! ```
//! A device writes only into its own folder, each file under another name first, then durably
//! renamed, so that what a reader finds is whole, unless whoever copies the folder was
//! interrupted; such a file is skipped until it is. Several programs of one device may publish at
//! once. Nobody answers here: to push is to publish, and what another device has is known from
//! the vector that it wrote itself.

mod batch_file;
mod disk;
mod shelf;
mod vector_file;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::pending;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use crate::id::{DeviceId, WorkspaceId};
use crate::limits::MAX_AUTHORS;
use crate::ports::{CallError, Handler, PeerInfo, SyncBackend};
use crate::wire::{
    Frontier, FrontierRequest, PullRequest, PushRequest, Reject, Response, SnapshotRequest,
};

pub use batch_file::Damage;
use shelf::Shelf;
use vector_file::Announcement;

/// Syncs one workspace of one device through a shared folder; see the module for its shape.
///
/// The folder's contents are not encrypted: whoever reads it reads the workspace.
///
/// Calls read and write files at once, without an executor's help: each blocks for as long as one
/// listing and a few files take, so the driver should not run on a thread that must not wait.
/// Errors name the path and what was expected there.
#[derive(Debug)]
pub struct LocalFilesystemBackend {
    root: PathBuf,
    workspace: WorkspaceId,
    device: DeviceId,
    name: String,
    /// What is known of each publisher's batches.
    shelves: Mutex<BTreeMap<DeviceId, Shelf>>,
}

/// A published file that was skipped. It is tried again whenever the backend looks for news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedFile {
    /// Where it lies.
    pub path: PathBuf,
    /// What is wrong with it.
    pub damage: Damage,
}

impl LocalFilesystemBackend {
    /// A backend over the folder `root`, which must exist when it is used (it may be a medium
    /// that is mounted later); what is below is made when needed. `name` is what other devices
    /// call this one: up to 64 characters, may be empty.
    pub fn new(
        root: impl Into<PathBuf>,
        workspace: WorkspaceId,
        device: DeviceId,
        name: impl Into<String>,
    ) -> Self {
        let (root, name, shelves) = (root.into(), name.into(), Mutex::default());
        LocalFilesystemBackend { root, workspace, device, name, shelves }
    }

    /// The files found damaged when their folders were read last, in the order of their paths.
    pub fn damaged(&self) -> Vec<DamagedFile> {
        let shelves = self.shelves();
        let all = shelves.values().flat_map(Shelf::damaged);
        all.map(|(path, damage)| DamagedFile { path, damage: damage.clone() }).collect()
    }

    fn shelves(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Shelf>> {
        self.shelves.lock().expect("no code panics while it holds the lock")
    }

    fn workspace_folder(&self) -> PathBuf {
        self.root.join(self.workspace.to_string())
    }

    fn publisher_folder(&self, device: DeviceId) -> PathBuf {
        self.workspace_folder().join(device.to_string())
    }

    fn vector_file(&self, device: DeviceId) -> PathBuf {
        self.publisher_folder(device).join("version_vector.json")
    }

    fn batch_folder(&self, device: DeviceId) -> PathBuf {
        self.publisher_folder(device).join("log_entries")
    }

    fn announcement(&self, device: DeviceId) -> Result<Announcement, CallError> {
        self.require_publisher(device)?;
        vector_file::read(&self.vector_file(device), self.workspace, device)
    }

    fn require_publisher(&self, device: DeviceId) -> Result<(), CallError> {
        self.require_root()?;
        let folder = self.publisher_folder(device);
        // Each step is looked at, so that no link leads out of the shared folder.
        if disk::is_folder(&self.workspace_folder())? && disk::is_folder(&folder)? {
            return Ok(());
        }
        let folder = folder.display();
        Err(CallError::Lost(format!("{folder} is no folder: {device} has published nothing here")))
    }

    fn require_root(&self) -> Result<(), CallError> {
        // The root itself may be a link.
        if self.root.is_dir() {
            return Ok(());
        }
        Err(CallError::Lost(format!("the shared folder {} is not there", self.root.display())))
    }

    /// The shelf of a publisher, as it was when listed last.
    fn with_shelf<T>(
        &self,
        device: DeviceId,
        then: impl FnOnce(&mut Shelf) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let mut shelves = self.shelves();
        let new = || Shelf::new(self.batch_folder(device), self.workspace);
        then(shelves.entry(device).or_insert_with(new))
    }

    fn publishers(&self) -> Result<Vec<DeviceId>, CallError> {
        self.require_root()?;
        let folder = self.workspace_folder();
        let mut devices = Vec::new();
        for device in disk::list(&folder, |name| name.parse::<DeviceId>().ok())? {
            if device != self.device && disk::is_folder(&self.publisher_folder(device))? {
                devices.push(device);
            }
        }
        if devices.len() > MAX_AUTHORS {
            let text = format!("{} holds more than {MAX_AUTHORS} publishers", folder.display());
            return Err(CallError::Lost(text));
        }
        Ok(devices)
    }
}

impl SyncBackend for LocalFilesystemBackend {
    /// Whoever has a folder here. Whether its vector can be read shows when it is asked.
    async fn discover(&self) -> Result<Vec<PeerInfo>, CallError> {
        let named = |device: DeviceId| {
            let name = self.announcement(device).map(|announcement| announcement.name);
            let name = name.ok().filter(|name| !name.is_empty());
            PeerInfo { device, name: name.unwrap_or_else(|| device.to_string()) }
        };
        Ok(self.publishers()?.into_iter().map(named).collect())
    }

    async fn frontier(
        &self,
        to: DeviceId,
        request: FrontierRequest,
    ) -> Result<Response, CallError> {
        if request.workspace != self.workspace {
            return Ok(Response::Refused(Reject::NotShared));
        }
        let Announcement { frontier, .. } = self.announcement(to)?;
        Ok(match frontier.digest() == request.digest {
            true => Response::InStep,
            false => Response::Frontier { frontier, excluded: Vec::new() },
        })
    }

    /// One published file as it is, whatever the budget: the first that brings something and
    /// whose causes are all covered by `have`.
    async fn pull(&self, to: DeviceId, request: PullRequest) -> Result<Response, CallError> {
        if request.workspace != self.workspace {
            return Ok(Response::Refused(Reject::NotShared));
        }
        self.require_publisher(to)?;
        let (mut have, not) = (request.have.vector(), &request.excluded);
        self.with_shelf(to, |shelf| {
            // Listing is left out while the files known already have something to give.
            let batch = match shelf.first_ready(&have, not) {
                Some(batch) => Some(batch),
                None => {
                    shelf.list()?;
                    shelf.first_ready(&have, not)
                }
            };
            for row in batch.iter().flat_map(|batch| batch.authors()) {
                have.raise(row.peer, row.last());
            }
            let more = batch.is_some() && shelf.has_ready(&have, not);
            Ok(Response::Batch { batch, more })
        })
    }

    /// Publishes the batch for everybody, unless files of this device hold all of it already.
    async fn push(&self, _: DeviceId, request: PushRequest) -> Result<Response, CallError> {
        let PushRequest { batch } = request;
        if batch.workspace() != self.workspace {
            return Ok(Response::Refused(Reject::NotShared));
        }
        let folder = self.batch_folder(self.device);
        disk::make_folder(&self.root, &folder)?;
        self.with_shelf(self.device, |shelf| {
            shelf.list()?;
            if !shelf.holds(&batch) {
                disk::publish(&folder, &batch_file::encode(&batch), shelf.free_names())?;
            }
            Ok(Response::Published)
        })
    }

    /// Nobody publishes snapshots: what was published once stays in the folder.
    async fn snapshot(&self, _: DeviceId, _: SnapshotRequest) -> Result<Response, CallError> {
        Ok(Response::Refused(Reject::Unavailable))
    }

    /// Writes this device's vector, if it says anything new.
    async fn announce(&self, frontier: Frontier) -> Result<(), CallError> {
        disk::make_folder(&self.root, &self.publisher_folder(self.device))?;
        let path = self.vector_file(self.device);
        let bytes = vector_file::encode(&Announcement {
            workspace: self.workspace,
            device: self.device,
            name: self.name.clone(),
            frontier,
        });
        match disk::read(&path, bytes.len()) {
            Ok(before) if before == bytes => Ok(()),
            _ => disk::replace(&path, &bytes),
        }
    }

    async fn serve<H: Handler>(&self, _: H) {
        pending().await
    }
}
