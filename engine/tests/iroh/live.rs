//! Syncing by itself: what one user does shows on the other's screen, and nobody calls anything.

use std::time::Duration;

use graphshell_sync::SyncError;
use graphshell_sync::autosync::{PeerState, Policy};

use crate::support::{
    Node, PATIENCE, add, are_same, assert_same, eventually, id_of, introduce, page, pair, title,
};

#[tokio::test(flavor = "multi_thread")]
async fn edit_shows_at_the_other_device_without_anybody_calling() {
    let (mut laptop, mut phone) = pair().await;
    let (at_laptop, at_phone) = (laptop.auto(Policy::default()), phone.auto(Policy::default()));
    eventually("they find each other", || {
        laptop.backend.connections().borrow().contains(&phone.id)
    })
    .await;
    for number in 0..20 {
        laptop.edit(&[add(number)]).await;
        eventually("the edit is there", || phone.workspace.node(page(number)).is_some()).await;
    }
    phone.edit(&[title(3, "from the phone")]).await;
    eventually("the answer is there", || {
        laptop.workspace.node(page(3)).is_some_and(|node| node.title == "from the phone")
    })
    .await;
    eventually("both are the same", || are_same(&laptop, &phone)).await;
    let idle = |status: &graphshell_sync::autosync::PeerStatus| {
        status.connected && matches!(status.state, PeerState::Idle { .. })
    };
    for (handle, other) in [(&at_laptop, phone.id), (&at_phone, laptop.id)] {
        let mut status = handle.status();
        let waited = status.wait_for(|all| all.get(&other).is_some_and(idle));
        tokio::time::timeout(PATIENCE, waited).await.expect("they come to rest").expect("it runs");
    }
    laptop.close().await;
    phone.close().await;
    assert_eq!(at_laptop.sync_now(id_of(2)).await, Err(SyncError::Closed));
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_at_rest_say_nothing() {
    let (mut laptop, mut phone) = pair().await;
    laptop.edit(&[add(1)]).await;
    let policy = Policy { interval: None, ..Policy::default() };
    let (_one, _other) = (laptop.auto(policy), phone.auto(policy));
    eventually("both are the same", || are_same(&laptop, &phone)).await;
    // What is still under way ends: two looks in a row see the same.
    let mut before = None;
    let quiet = async {
        loop {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            let now = (laptop.backend.traffic(), phone.backend.traffic());
            if before.replace(now) == Some(now) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, quiet).await.expect("they come to rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn wish_is_a_round_at_once_and_its_report() {
    let (mut laptop, phone) = pair().await;
    let never = Duration::from_secs(1_000_000);
    let policy = Policy { quiescence: never, postponement: never, ..Policy::default() };
    let handle = laptop.auto(policy);
    eventually("the first round is over", || {
        handle.status().borrow().get(&phone.id).is_some_and(|status| status.last.is_some())
    })
    .await;
    laptop.backend.disconnect(phone.id);
    phone.edit(&[add(7)]).await;
    let report = handle.sync_now(phone.id).await.expect("the phone is there");
    assert_eq!(report.pulled, 1);
    assert_same(&laptop, &phone);
    assert_eq!(handle.sync_now(id_of(9)).await, Err(SyncError::NoConsent(id_of(9))));
}

#[tokio::test(flavor = "multi_thread")]
async fn failure_is_shown_with_its_reason_and_the_next_try() {
    let mut laptop = Node::new(1).await;
    laptop.shares(id_of(2), true).await;
    let handle = laptop.auto(Policy::default());
    let mut status = handle.status();
    let failed = status.wait_for(|all| {
        all.get(&id_of(2)).is_some_and(|status| {
            matches!(&status.state, PeerState::Failed { why: SyncError::Call(_), next_try_ms } if *next_try_ms > 0)
        })
    });
    tokio::time::timeout(PATIENCE, failed).await.expect("it is told").expect("it runs");
    // It is shared with another device only now, which is then dialed without being asked for.
    let phone = Node::new(3).await;
    phone.shares(laptop.id, true).await;
    phone.edit(&[add(1)]).await;
    laptop.knows(&phone);
    laptop.shares(phone.id, true).await;
    eventually("the new device is synced with", || are_same(&laptop, &phone)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_devices_in_a_ring_converge() {
    let mut ring = Vec::new();
    for number in 1..=10 {
        ring.push(Node::new(number).await);
    }
    for at in 0..10 {
        introduce(&[&ring[at], &ring[(at + 1) % 10]]).await;
    }
    let handles: Vec<_> = ring.iter_mut().map(|node| node.auto(Policy::default())).collect();
    for (number, node) in ring.iter().enumerate() {
        node.edit(&[add(number as u128), title(number as u128, "mine")]).await;
    }
    eventually("all have all", || ring.iter().all(|node| node.workspace.size().0 == 10)).await;
    // And again, over the connections that are there now.
    for (number, node) in ring.iter().enumerate() {
        node.edit(&[title((number as u128 + 5) % 10, &format!("{number} was here"))]).await;
    }
    eventually("all are the same", || {
        ring.iter().all(|node| {
            are_same(node, &ring[0])
                && (0..10).all(|number| {
                    let node = node.workspace.node(page(number)).expect("it is there");
                    node.title.ends_with("was here")
                })
        })
    })
    .await;
    drop(handles);
    for node in ring {
        node.close().await;
    }
}
