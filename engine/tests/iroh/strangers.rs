//! Devices that the workspace is not shared with get nothing, change nothing, and are told.

use graphshell_sync::backend::iroh::{ALPN, CloseCode, IrohBackend, NetworkEvent, Relay};
use graphshell_sync::ports::SyncBackend;
use graphshell_sync::wire::{FrontierRequest, Reject, Request, Response};
use graphshell_sync::{Hash, SyncError, WorkspaceId};
use iroh::protocol::Router;
use uuid::Uuid;

use crate::support::{
    Node, WORKSPACE, add, address_of, assert_same, close_code, endpoint, event, eventually, id_of,
    introduce, pair, raw_call,
};

fn frontier() -> Vec<u8> {
    let digest = Hash([0; 32]);
    Request::Frontier(FrontierRequest { workspace: WORKSPACE, digest }).encode()
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_device_is_closed_before_it_is_read() {
    let laptop = Node::new(1).await;
    laptop.edit(&[add(1)]).await;
    let mut events = laptop.backend.subscribe();
    let stranger = endpoint(9, Relay::Off).await;
    let connection = stranger.connect(laptop.address(), ALPN).await.expect("the handshake ends");
    assert_eq!(raw_call(&connection, &frontier()).await, None);
    assert_eq!(close_code(&connection).await, u64::from(CloseCode::NotAdmitted.number()));
    let told = event(&mut events, |_| true).await;
    assert_eq!(told, NetworkEvent::TurnedAway { device: id_of(9) });
    assert_eq!(laptop.backend.traffic().received, 0, "nothing of it was read");
    assert!(laptop.backend.connections().borrow().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_admitted_until_a_workspace_serves() {
    let laptop = endpoint(1, Relay::Off).await;
    let backend = IrohBackend::builder(laptop.clone()).build();
    let router = Router::builder(laptop.clone()).accept(ALPN, backend.clone()).spawn();
    let phone = endpoint(2, Relay::Off).await;
    let connection = phone.connect(address_of(&laptop), ALPN).await.expect("the handshake ends");
    assert_eq!(close_code(&connection).await, u64::from(CloseCode::NotAdmitted.number()));
    router.shutdown().await.expect("no handler panics");
}

#[tokio::test(flavor = "multi_thread")]
async fn round_with_a_device_that_does_not_share_is_refused() {
    let (laptop, phone) = (Node::new(1).await, Node::new(2).await);
    laptop.shares(phone.id, true).await;
    laptop.knows(&phone);
    laptop.edit(&[add(1)]).await;
    phone.edit(&[add(2)]).await;
    let before = phone.workspace.state_bytes();
    for _ in 0..3 {
        let round = laptop.sync(phone.id).await;
        assert_eq!(round, Err(SyncError::Refused(Reject::NotShared)));
    }
    assert_eq!(phone.workspace.state_bytes(), before);
    assert_eq!(laptop.workspace.size().0, 1);
    assert_eq!(phone.backend.traffic().received, 0, "nothing of it was read");
}

#[tokio::test(flavor = "multi_thread")]
async fn device_that_is_excluded_while_connected_is_disconnected() {
    let (laptop, phone) = pair().await;
    laptop.edit(&[add(1)]).await;
    laptop.sync(phone.id).await.expect("the phone is there");
    let mut events = laptop.backend.subscribe();
    phone.shares(laptop.id, false).await;
    let told = event(&mut events, |event| matches!(event, NetworkEvent::Gone { .. })).await;
    let code = Some(CloseCode::NotAdmitted);
    assert_eq!(told, NetworkEvent::Gone { device: phone.id, code });
    eventually("no connection is left", || phone.backend.connections().borrow().is_empty()).await;

    laptop.edit(&[add(2)]).await;
    phone.edit(&[add(3)]).await;
    assert_eq!(laptop.sync(phone.id).await, Err(SyncError::Refused(Reject::NotShared)));
    assert_eq!(phone.sync(laptop.id).await, Err(SyncError::NoConsent(laptop.id)));
    assert_eq!((laptop.workspace.size().0, phone.workspace.size().0), (2, 2));

    phone.shares(laptop.id, true).await;
    laptop.sync(phone.id).await.expect("the phone shares again");
    assert_same(&laptop, &phone);
}

#[tokio::test(flavor = "multi_thread")]
async fn device_that_is_excluded_in_the_middle_of_its_round_gets_no_more() {
    let (laptop, phone) = pair().await;
    for first in (0..8_000).step_by(500) {
        laptop.edit(&(first..first + 500).map(add).collect::<Vec<_>>()).await;
    }
    let round = async { phone.sync(laptop.id).await };
    let exclude = async {
        eventually("something came", || phone.workspace.size().0 > 0).await;
        laptop.shares(phone.id, false).await;
    };
    let (round, ()) = tokio::join!(round, exclude);
    // The round may have been faster.
    if phone.workspace.size().0 < 8_000 {
        assert_eq!(round, Err(SyncError::Refused(Reject::NotShared)));
    }
    laptop.edit(&[add(9_000)]).await;
    assert_eq!(phone.sync(laptop.id).await, Err(SyncError::Refused(Reject::NotShared)));
    assert!(phone.workspace.node(crate::support::page(9_000)).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn device_of_another_workspace_gets_and_changes_nothing() {
    let other = WorkspaceId(Uuid::from_u128(8));
    let laptop = Node::new(1).await;
    let phone = Node::of_workspace(2, other, |builder| builder).await;
    introduce(&[&laptop, &phone]).await;
    laptop.edit(&[add(1)]).await;
    phone.edit(&[add(2)]).await;
    assert_eq!(laptop.sync(phone.id).await, Err(SyncError::Refused(Reject::NotShared)));
    assert_eq!(phone.sync(laptop.id).await, Err(SyncError::Refused(Reject::NotShared)));
    assert_eq!((laptop.workspace.size().0, phone.workspace.size().0), (1, 1));
    let request = FrontierRequest { workspace: WORKSPACE, digest: Hash([0; 32]) };
    let answer = laptop.backend.frontier(phone.id, request).await;
    assert_eq!(answer, Ok(Response::Refused(Reject::NotShared)));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_in_great_number_do_not_keep_friends_out() {
    let (laptop, phone) = pair().await;
    laptop.edit(&[add(1)]).await;
    let flood = async {
        for number in 20..60 {
            let stranger = endpoint(number, Relay::Off).await;
            let connection = stranger.connect(laptop.address(), ALPN).await;
            let connection = connection.expect("the handshake ends");
            let code = close_code(&connection).await;
            let codes = [CloseCode::NotAdmitted, CloseCode::Busy].map(CloseCode::number);
            assert!(codes.map(u64::from).contains(&code), "{code}");
        }
    };
    let (round, ()) = tokio::join!(phone.sync(laptop.id), flood);
    round.expect("the laptop is there");
    assert_same(&laptop, &phone);
    assert_eq!(laptop.backend.connections().borrow().len(), 1);
}
