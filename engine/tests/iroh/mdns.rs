//! Devices that find each other in the local network by multicast DNS.

use std::time::Duration;

use graphshell_sync::backend::iroh::EndpointOptions;
use graphshell_sync::ports::SyncBackend;
use graphshell_sync::store::{MemoryStore, MemoryWitness};

use crate::support::{Node, WORKSPACE, add, assert_same, key};

async fn node(number: u8) -> Node {
    let endpoint = EndpointOptions::new(key(number)).bind().await.expect("there are free ports");
    let stores = (MemoryStore::new(), MemoryWitness::new());
    Node::over(endpoint, WORKSPACE, stores, |builder| builder.mdns(true)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_of_one_network_find_each_other() {
    let (laptop, phone) = (node(101).await, node(102).await);
    laptop.shares(phone.id, true).await;
    phone.shares(laptop.id, true).await;
    laptop.edit(&[add(1)]).await;
    let finding = async {
        loop {
            let found = laptop.backend.discover().await.expect("it can tell");
            if found.iter().any(|peer| peer.device == phone.id) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(10), finding).await.is_err() {
        println!("skipped: multicast does not work here, so the devices did not find each other");
        return;
    }
    laptop.sync(phone.id).await.expect("its address was found");
    assert_same(&laptop, &phone);
}
