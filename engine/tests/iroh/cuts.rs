//! Connections that end in the middle of a transfer, between devices with disks.

use std::path::Path;

use graphshell_sync::backend::iroh::Relay;
use graphshell_sync::limits::{MAX_BATCH_ENTRIES, MAX_OPEN_PUSHES};
use graphshell_sync::store::disk::{DeviceWitness, DiskStore, KeySource};

use crate::support::{Node, WORKSPACE, add, assert_same, endpoint, eventually, introduce, title};

type OnDisk = Node<DiskStore, DeviceWitness>;

async fn on_disk(number: u8, folder: &Path) -> OnDisk {
    let folder = folder.join(number.to_string());
    let key = KeySource::key_file(folder.with_extension("key"));
    let witness = DeviceWitness::beside(&folder).expect("a thread");
    let store = DiskStore::new(&folder, WORKSPACE, key).expect("a thread");
    let endpoint = endpoint(number, Relay::Off).await;
    Node::over(endpoint, WORKSPACE, (store, witness), |builder| builder).await
}

const OPERATIONS: usize = 20_000;

async fn fill(node: &OnDisk) {
    for first in (0..OPERATIONS as u128 / 2).step_by(500) {
        let page = |number| [add(number), title(number, "a title of usual length")];
        node.edit(&(first..first + 500).flat_map(page).collect::<Vec<_>>()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transfer_that_is_cut_again_and_again_goes_on_where_it_was() {
    const CUTS: usize = 6;
    let folder = tempfile::tempdir().expect("a folder");
    let laptop = on_disk(1, folder.path()).await;
    let (phone, tablet) = (on_disk(2, folder.path()).await, on_disk(3, folder.path()).await);
    introduce(&[&laptop, &phone, &tablet]).await;
    fill(&laptop).await;

    // What it costs if nothing happens.
    laptop.sync(tablet.id).await.expect("the tablet is there");
    let whole = tablet.backend.traffic().received;
    assert_same(&laptop, &tablet);

    // Cut from either side, once so much has come. The core asks again by itself.
    let (mut rounds, mut cuts) = (0, 0);
    while phone.workspace.size().0 < OPERATIONS / 2 {
        rounds += 1;
        assert!(rounds < 50, "rounds move something");
        let round = laptop.sync(phone.id);
        let cutting = async {
            while cuts < CUTS {
                let come = OPERATIONS / 2 * (cuts + 1) / (CUTS + 2);
                eventually("more comes", || phone.workspace.size().0 >= come).await;
                let (from, to) = if cuts % 2 == 0 { (&laptop, &phone) } else { (&phone, &laptop) };
                from.backend.disconnect(to.id);
                cuts += 1;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            // Whether it ended well, the devices show.
            _ = round => {}
            () = cutting => {}
        }
    }
    laptop.sync(phone.id).await.expect("the phone is there");
    assert_same(&laptop, &phone);
    assert!(cuts > CUTS / 2, "it was over after {cuts} cuts");

    // What was under way at a cut may come twice, and no more.
    let batches = OPERATIONS.div_ceil(MAX_BATCH_ENTRIES) as u64;
    let twice = cuts as u64 * u64::from(MAX_OPEN_PUSHES + 1) * whole.div_ceil(batches);
    let received = phone.backend.traffic().received;
    assert!(received <= whole + twice, "{received} bytes for {whole}, with {cuts} cuts");

    // What was acknowledged is on the disk.
    let frontier = phone.workspace.durable_frontier();
    phone.close().await;
    let phone = on_disk(2, folder.path()).await;
    assert_eq!(phone.workspace.durable_frontier(), frontier);
    phone.close().await;
    laptop.close().await;
    tablet.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn device_that_ends_in_the_middle_of_a_transfer_goes_on_after_its_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let laptop = on_disk(1, folder.path()).await;
    fill(&laptop).await;
    let mut phone = on_disk(2, folder.path()).await;
    introduce(&[&laptop, &phone]).await;
    for part in 1..=3 {
        let round = laptop.sync(phone.id);
        let some = async {
            let come = OPERATIONS / 2 * part / 5;
            eventually("more comes", || phone.workspace.size().0 >= come).await;
        };
        tokio::select! {
            _ = round => {}
            () = some => {}
        }
        let durable = phone.workspace.durable_frontier();
        phone.vanish().await;
        phone = on_disk(2, folder.path()).await;
        laptop.knows(&phone);
        for row in durable.rows() {
            let now = phone.workspace.durable_frontier();
            assert!(now.get(row.peer).is_some_and(|now| now.sequence >= row.sequence));
        }
    }
    laptop.sync(phone.id).await.expect("the phone is there");
    assert_same(&laptop, &phone);
}
