//! The whole engine over a real disk.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::pin::pin;

use futures_executor::block_on;
use futures_util::future::{Either, select};
use graphshell_sync::backend::{LocalFilesystemBackend, NoNetwork};
use graphshell_sync::ports::{StoreError, SyncBackend};
use graphshell_sync::store::disk::{DeviceWitness, DiskStore, KeySource};
use graphshell_sync::{
    Access, Config, DeviceId, LogEntry, NodeId, Outcome, PortSet, Position, SystemClock,
    SystemEntropy, Workspace,
};
use uuid::Uuid;

use crate::folder::{Dice, Image};
use crate::script::WORKSPACE;

type Device<N> = PortSet<SystemClock, SystemEntropy, DiskStore, DeviceWitness, N>;

/// What a user does in an open workspace.
#[derive(Clone, Copy)]
pub(crate) struct Story<'a, N: SyncBackend = NoNetwork> {
    workspace: &'a Workspace<Device<N>>,
}

impl<N: SyncBackend> Story<'_, N> {
    /// Adds a page with much text; whether that is durable.
    pub(crate) fn edit(&self, number: usize) -> Result<(), StoreError> {
        let node_id = NodeId(Uuid::from_u128(number as u128));
        let mut dice = Dice(number as u64);
        let mut edits = vec![LogEntry::AddNode {
            node_id,
            url: format!("https://example.org/{number}"),
            position: Position::default(),
        }];
        edits.extend((0..60).map(|n| {
            let text = data_encoding::HEXLOWER.encode(&dice.bytes(2_000));
            LogEntry::UpdateNodeTitle { node_id, title: format!("{n} {text}") }
        }));
        let receipt = self.workspace.edit_all(&edits).expect("the edit is possible");
        match block_on(self.workspace.settled(receipt)) {
            Outcome::Durable(_) => Ok(()),
            Outcome::Refused(why) => Err(why),
        }
    }

    pub(crate) fn pages(&self) -> usize {
        self.workspace.size().0
    }
}

/// Opens the workspace in `folder`, lets a story happen, and closes it.
pub(crate) fn with_workspace<T>(folder: &Path, story: impl FnOnce(Story<'_>) -> T + Send) -> T
where
    T: Send,
{
    with_network(folder, 1, NoNetwork, story)
}

fn with_network<T: Send, N: SyncBackend + Send + Sync>(
    folder: &Path,
    device: u8,
    network: N,
    story: impl FnOnce(Story<'_, N>) -> T + Send,
) -> T {
    let key = KeySource::key_file(folder.with_extension("key"));
    let witness = DeviceWitness::beside(folder).expect("a thread");
    let store = DiskStore::new(folder, WORKSPACE, key).expect("a thread");
    let ports = PortSet { clock: SystemClock, entropy: SystemEntropy, store, witness, network };
    let device = DeviceId([device; 32]);
    let config = Config { workspace: WORKSPACE, device, snapshot_every: 20, compact_every: 0 };
    let (workspace, driver) = block_on(Workspace::open(config, ports)).expect("it opens");
    std::thread::scope(|scope| {
        let driver = scope.spawn(move || block_on(driver.run()));
        // A story that fails must end the driver too, or the failure would never be told.
        let told = catch_unwind(AssertUnwindSafe(|| story(Story { workspace: &workspace })));
        block_on(workspace.close());
        driver.join().expect("no panic").expect("it ends well");
        told.unwrap_or_else(|failure| resume_unwind(failure))
    })
}

#[test]
fn what_was_edited_is_there_after_reopening() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("store");
    let mut before = None;
    for round in 0..4 {
        with_workspace(&folder, |story| {
            let found = (story.workspace.graph(), story.workspace.durable_frontier());
            assert_eq!(before.take().unwrap_or_else(|| found.clone()), found, "round {round}");
            story.edit(round).expect("it is durable");
            before = Some((story.workspace.graph(), story.workspace.durable_frontier()));
        });
    }
}

#[test]
fn lost_database_costs_no_edit() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("store");
    let graph = with_workspace(&folder, |story| {
        (0..3).for_each(|number| story.edit(number).expect("it is durable"));
        story.workspace.graph()
    });
    std::fs::remove_file(folder.join("state.redb")).unwrap();
    with_workspace(&folder, |story| assert_eq!(story.workspace.graph(), graph));
    assert!(folder.join("state.redb").exists());
}

#[test]
fn restored_backup_goes_on_under_a_new_name() {
    let place = tempfile::tempdir().expect("a folder");
    let (folder, shared) = (place.path().join("store"), place.path().join("shared"));
    std::fs::create_dir(&shared).unwrap();
    let (laptop, phone) = (DeviceId([1; 32]), DeviceId([2; 32]));
    let network = || LocalFilesystemBackend::new(&shared, WORKSPACE, laptop, "laptop");
    // A device that published nothing cannot be synced with.
    let phones = LocalFilesystemBackend::new(&shared, WORKSPACE, phone, "phone");
    with_network(&place.path().join("phone"), 2, phones, |story| {
        let receipt = story.workspace.share_with(laptop, Access::Full).expect("it is open");
        block_on(story.workspace.settled(receipt));
        story.edit(7).expect("it is durable");
        let _ = block_on(story.workspace.sync_with_peer(laptop));
    });
    let (backup, name) = with_network(&folder, 1, network(), |story| {
        let receipt = story.workspace.share_with(phone, Access::Full).expect("it is open");
        block_on(story.workspace.settled(receipt));
        story.edit(0).expect("it is durable");
        (Image::of(&folder), story.workspace.peer_id())
    });
    let same = with_network(&folder, 1, network(), |story| {
        story.edit(1).expect("it is durable");
        block_on(story.workspace.sync_with_peer(phone)).expect("the phone left something");
        story.workspace.peer_id()
    });
    assert_eq!(same, name, "no reason for another name");
    std::fs::remove_dir_all(&folder).unwrap();
    backup.write(&folder);
    let restored = with_network(&folder, 1, network(), |story| {
        assert!(story.workspace.node(NodeId(Uuid::from_u128(1))).is_none(), "it is the backup");
        story.edit(2).expect("it is durable");
        story.workspace.peer_id()
    });
    assert_ne!(restored, name, "another device may have what came after the backup");
}

#[test]
fn closing_waits_for_what_was_edited() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("store");
    let key = KeySource::key_file(place.path().join("key"));
    let witness = DeviceWitness::beside(&folder).expect("a thread");
    let store = DiskStore::new(&folder, WORKSPACE, key).expect("a thread");
    let ports =
        PortSet { clock: SystemClock, entropy: SystemEntropy, store, witness, network: NoNetwork };
    let config = Config {
        workspace: WORKSPACE,
        device: DeviceId([1; 32]),
        snapshot_every: 0,
        compact_every: 0,
    };
    let (workspace, driver) = block_on(Workspace::open(config, ports)).expect("it opens");
    let node_id = NodeId(Uuid::from_u128(1));
    let url = "https://example.org".to_owned();
    let receipt = workspace
        .edit(LogEntry::AddNode { node_id, url, position: Position::default() })
        .expect("the edit is possible");
    let settled = block_on(async {
        let closing = pin!(async {
            workspace.close().await;
            workspace.settled(receipt).await
        });
        match select(pin!(driver.run()), closing).await {
            Either::Left((ended, closing)) => {
                ended.expect("it ends well");
                closing.await
            }
            Either::Right((settled, _)) => settled,
        }
    });
    assert!(matches!(settled, Outcome::Durable(_)), "{settled:?}");
}
