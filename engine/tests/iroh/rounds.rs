//! Rounds between two honest devices.

use std::time::Duration;

use graphshell_sync::backend::iroh::{ALPN, Deadlines, NetworkEvent, Relay};
use graphshell_sync::limits::MAX_IN_STEP_BYTES;
use graphshell_sync::ports::{CallError, SyncBackend};
use graphshell_sync::wire::{FrontierRequest, PROTOCOL_VERSION, Reject, Request, Response};
use graphshell_sync::{Hash, SyncError};

use crate::support::{
    Node, PATIENCE, WORKSPACE, add, address_of, assert_same, endpoint, event, eventually, id_of,
    introduce, pair, raw_call, title,
};

#[tokio::test(flavor = "multi_thread")]
async fn one_round_moves_edits_both_ways() {
    let (laptop, phone) = pair().await;
    laptop.edit(&[add(1), title(1, "one")]).await;
    phone.edit(&[add(2), title(2, "two")]).await;
    let report = laptop.sync(phone.id).await.expect("the phone is there");
    assert_eq!((report.pushed, report.pulled, report.lost), (2, 2, 0));
    assert_same(&laptop, &phone);
    assert_eq!(laptop.workspace.size().0, 2);
    laptop.close().await;
    phone.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn round_in_step_is_one_call_and_few_bytes() {
    let (laptop, phone) = pair().await;
    laptop.edit(&[add(1)]).await;
    laptop.sync(phone.id).await.expect("the phone is there");
    let before = laptop.backend.traffic();
    let report = laptop.sync(phone.id).await.expect("the phone is there");
    let after = laptop.backend.traffic();
    assert!(report.is_idle());
    assert_eq!((report.calls, report.lost), (1, 0));
    let bytes = after.sent - before.sent + after.received - before.received;
    assert!((1..=MAX_IN_STEP_BYTES as u64).contains(&bytes), "{bytes} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_connection_is_used_for_own_requests() {
    let (laptop, phone) = pair().await;
    laptop.sync(phone.id).await.expect("the phone is there");
    // It could not be dialed.
    phone.backend.remove_address(laptop.id);
    phone.edit(&[add(1)]).await;
    phone.sync(laptop.id).await.expect("the laptop is connected");
    assert_same(&laptop, &phone);
    let info = phone.backend.connection(laptop.id).expect("it is connected");
    assert!(!info.dialed && !info.is_relayed(), "{info:?}");
    assert!(info.round_trip.is_some_and(|time| time < PATIENCE), "{info:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_dial_each_other_at_once_both_succeed_and_keep_one_connection() {
    for _ in 0..5 {
        let (laptop, phone) = pair().await;
        laptop.edit(&[add(1)]).await;
        phone.edit(&[add(2)]).await;
        let (one, other) = tokio::join!(laptop.sync(phone.id), phone.sync(laptop.id));
        one.expect("the phone is there");
        other.expect("the laptop is there");
        assert_same(&laptop, &phone);
        // Whichever went, another round works over the one that stayed.
        eventually("one connection is left", || {
            let sides = [
                laptop.backend.connection(phone.id).map(|info| info.dialed),
                phone.backend.connection(laptop.id).map(|info| info.dialed),
            ];
            matches!(sides, [Some(one), Some(other)] if one != other)
        })
        .await;
        laptop.edit(&[add(3)]).await;
        phone.sync(laptop.id).await.expect("the laptop is there");
        assert_same(&laptop, &phone);
        laptop.close().await;
        phone.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_make_one_connection() {
    let (laptop, phone) = pair().await;
    let mut events = phone.backend.subscribe();
    let request = FrontierRequest { workspace: WORKSPACE, digest: Hash([0; 32]) };
    let calls = (0..30).map(|_| laptop.backend.frontier(phone.id, request.clone()));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Response::Frontier { .. }))));
    let mut connected = 0;
    while let Ok(event) = events.try_recv() {
        connected += u32::from(matches!(event, NetworkEvent::Connected { .. }));
        assert!(!matches!(event, NetworkEvent::Gone { .. }), "{event:?}");
    }
    assert_eq!(connected, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn call_that_nobody_waits_for_leaves_the_connection_usable() {
    let (laptop, phone) = pair().await;
    let pages: Vec<_> = (0..2_000).map(add).collect();
    for chunk in pages.chunks(500) {
        laptop.edit(chunk).await;
    }
    for wait_ms in [0, 1, 2, 4, 8, 16, 32] {
        let round = laptop.workspace.sync_with_peer(phone.id);
        // Dropped at any point of the round, or after it.
        let _ = tokio::time::timeout(Duration::from_millis(wait_ms), round).await;
    }
    laptop.sync(phone.id).await.expect("nothing is broken");
    assert_same(&laptop, &phone);
    let again = phone.sync(laptop.id).await.expect("nothing is broken");
    assert!(again.is_idle());
}

#[tokio::test(flavor = "multi_thread")]
async fn device_restarted_on_another_port_is_found_by_its_new_address() {
    // So that the test need not wait for long.
    let connect = Duration::from_secs(2);
    let deadlines = Deadlines { connect, ..Deadlines::default() };
    let laptop = Node::with(1, |builder| builder.deadlines(deadlines)).await;
    let phone = Node::new(2).await;
    introduce(&[&laptop, &phone]).await;
    laptop.edit(&[add(1)]).await;
    laptop.sync(phone.id).await.expect("the phone is there");
    let old = phone.address();
    phone.close().await;
    let gone = laptop.sync(id_of(2)).await.expect_err("the phone is off");
    assert!(matches!(gone, SyncError::Call(CallError::Lost(_))), "{gone:?}");

    let phone = Node::new(2).await;
    assert_ne!(phone.address(), old);
    phone.shares(laptop.id, true).await;
    laptop.knows(&phone);
    laptop.sync(phone.id).await.expect("the phone is back");
    assert_same(&laptop, &phone);
}

#[tokio::test(flavor = "multi_thread")]
async fn device_that_ended_without_a_word_is_used_again_once_it_dials() {
    // Once in each direction of the first connection, and once for each order of the ids.
    for (stays, goes, dials) in [(1, 2, true), (1, 2, false), (2, 1, true), (2, 1, false)] {
        let (stays, goes, number) = (Node::new(stays).await, Node::new(goes).await, goes);
        introduce(&[&stays, &goes]).await;
        let first = if dials { stays.sync(goes.id).await } else { goes.sync(stays.id).await };
        first.expect("it is there");
        goes.vanish().await;
        let back = Node::new(number).await;
        back.shares(stays.id, true).await;
        back.knows(&stays);
        back.edit(&[add(9)]).await;
        back.sync(stays.id).await.expect("the other one is there");
        assert_same(&stays, &back);
        stays.edit(&[add(10)]).await;
        stays.sync(back.id).await.expect("over the new connection");
        assert_same(&stays, &back);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_device_is_named_with_what_to_do() {
    let laptop = Node::new(1).await;
    laptop.shares(id_of(2), true).await;
    let error = laptop.sync(id_of(2)).await.expect_err("nobody knows where it is");
    let text = error.to_string();
    assert!(text.contains(&id_of(2).to_string()) && text.contains("add one"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn device_with_another_protocol_is_named_as_such() {
    let (laptop, other) = (Node::new(1).await, endpoint(2, Relay::Off).await);
    other.set_alpns(vec![b"/something-else/1".to_vec()]);
    let accepting = other.clone();
    let accept = async move {
        while let Some(incoming) = accepting.accept().await {
            let _ = incoming.await;
        }
    };
    laptop.shares(id_of(2), true).await;
    laptop.backend.add_address(address_of(&other));
    let error = tokio::select! {
        () = accept => panic!("it accepts until the end"),
        round = laptop.sync(id_of(2)) => round.expect_err("it speaks something else"),
    };
    assert!(error.to_string().contains("/graphshell-sync/1"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn device_that_asks_in_an_older_version_is_refused_and_named() {
    let (laptop, old) = (Node::new(1).await, endpoint(2, Relay::Off).await);
    laptop.shares(id_of(2), true).await;
    let mut events = laptop.backend.subscribe();
    let connection = old.connect(laptop.address(), ALPN).await.expect("it is let in");
    let request = FrontierRequest { workspace: WORKSPACE, digest: Hash([0; 32]) };
    let mut frame = Request::Frontier(request).encode();
    frame[0] = 0;
    let answer = raw_call(&connection, &frame).await.expect("an answer");
    let refused = Response::Refused(Reject::Version(PROTOCOL_VERSION));
    assert_eq!(Response::decode(&answer), Ok(refused));
    let told = event(&mut events, |event| matches!(event, NetworkEvent::OtherVersion { .. })).await;
    assert_eq!(told, NetworkEvent::OtherVersion { device: id_of(2), version: 0 });
    assert!(connection.close_reason().is_none(), "it may go on, and say so to its user");
}

#[tokio::test(flavor = "multi_thread")]
async fn device_that_answers_in_an_older_version_is_named() {
    let (laptop, old) = (Node::new(1).await, endpoint(2, Relay::Off).await);
    laptop.shares(id_of(2), true).await;
    laptop.backend.add_address(address_of(&old));
    let mut events = laptop.backend.subscribe();
    old.set_alpns(vec![ALPN.to_vec()]);
    let serving = old.clone();
    let serve = async move {
        let incoming = serving.accept().await.expect("it is dialed");
        let connection = incoming.await.expect("the handshake ends");
        loop {
            let (mut send, mut receive) = connection.accept_bi().await.expect("it is asked");
            let _ = receive.read_to_end(1 << 20).await;
            send.write_all(&[0, 129]).await.expect("it is listened to");
            send.finish().expect("it is listened to");
        }
    };
    let round = tokio::select! {
        () = serve => unreachable!("it serves until the end"),
        round = laptop.sync(id_of(2)) => round,
    };
    assert_eq!(round, Err(SyncError::Refused(Reject::Version(0))));
    let told = event(&mut events, |event| matches!(event, NetworkEvent::OtherVersion { .. })).await;
    assert_eq!(told, NetworkEvent::OtherVersion { device: id_of(2), version: 0 });
}
