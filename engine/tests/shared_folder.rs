//! Devices that meet in a folder only.

use std::path::Path;
use std::sync::Mutex;

use futures_util::future::{Either, select};
use graphshell_sync::backend::LocalFilesystemBackend;
use graphshell_sync::ports::{Clock, Entropy};
use graphshell_sync::store::{MemoryStore, MemoryWitness};
use graphshell_sync::{
    Access, Config, DeviceId, Driver, LogEntry, NodeId, Ports, Position, SyncReport, Workspace,
    WorkspaceId,
};
use uuid::Uuid;

const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(3));

struct Device {
    store: MemoryStore,
    witness: MemoryWitness,
    folder: LocalFilesystemBackend,
    random: Mutex<u8>,
}

impl Clock for Device {
    fn now_ms(&self) -> u64 {
        1
    }
}

impl Entropy for Device {
    fn fill(&self, out: &mut [u8]) {
        let mut random = self.random.lock().unwrap();
        *random += 1;
        out.fill(*random);
    }
}

impl Ports for Device {
    type Clock = Self;
    type Entropy = Self;
    type Store = MemoryStore;
    type Witness = MemoryWitness;
    type Network = LocalFilesystemBackend;

    fn clock(&self) -> &Self {
        self
    }
    fn entropy(&self) -> &Self {
        self
    }
    fn store(&self) -> &MemoryStore {
        &self.store
    }
    fn witness(&self) -> &MemoryWitness {
        &self.witness
    }
    fn network(&self) -> &LocalFilesystemBackend {
        &self.folder
    }
}

fn id(number: u8) -> DeviceId {
    DeviceId([number; 32])
}

/// Opens a new device, makes one edit of its own, and shares with the three of the story.
fn begin(root: &Path, number: u8) -> (Workspace<Device>, Driver<Device>) {
    let device = Device {
        store: MemoryStore::new(),
        witness: MemoryWitness::new(),
        folder: LocalFilesystemBackend::new(root, WORKSPACE, id(number), "a device"),
        random: Mutex::new(number * 16),
    };
    let config =
        Config { workspace: WORKSPACE, device: id(number), snapshot_every: 0, compact_every: 0 };
    let (workspace, driver) =
        futures_executor::block_on(Workspace::open(config, device)).expect("it opens");
    for other in (1..=3).filter(|&other| other != number) {
        workspace.share_with(id(other), Access::Full).expect("it can be shared");
    }
    let node_id = NodeId(Uuid::from_u128(u128::from(number)));
    let url = format!("https://example.org/{number}");
    workspace
        .edit(LogEntry::AddNode { node_id, url, position: Position::default() })
        .expect("the edit is taken");
    (workspace, driver)
}

#[test]
fn three_devices_that_meet_in_a_folder_end_with_the_same_graph() {
    let root = tempfile::tempdir().expect("a folder");
    let (workspaces, drivers): (Vec<_>, Vec<_>) =
        (1..=3).map(|number| begin(root.path(), number)).unzip();
    let running = futures_util::future::join_all(drivers.into_iter().map(Driver::run));
    let story = async {
        let mut last = SyncReport::default();
        // Nobody has published at first: a device is found from its own first round on.
        for _ in 0..4 {
            for (number, workspace) in (1u8..).zip(&workspaces) {
                for other in (1..=3).filter(|&other| other != number) {
                    if let Ok(report) = workspace.sync_with_peer(id(other)).await {
                        last = report;
                    }
                }
            }
        }
        last
    };
    let last = match futures_executor::block_on(select(Box::pin(story), running)) {
        Either::Left((last, _)) => last,
        Either::Right((ended, _)) => panic!("a driver ended: {ended:?}"),
    };
    assert!(last.is_idle(), "the last round has nothing left to do: {last:?}");
    for workspace in &workspaces {
        assert_eq!(workspace.graph().nodes.len(), 3);
        assert_eq!(workspace.durable_frontier(), workspaces[0].durable_frontier());
        assert_eq!(workspace.state_bytes(), workspaces[0].state_bytes());
    }
}
