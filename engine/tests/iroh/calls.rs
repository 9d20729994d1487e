//! Single calls, seen from the other end of the connection.

use std::net::SocketAddr;
use std::time::Duration;

use graphshell_sync::backend::iroh::{ALPN, CloseCode, Relay};
use graphshell_sync::ports::{CallError, SyncBackend};
use graphshell_sync::wire::{
    Budget, Frontier, FrontierRequest, FrontierRow, PullRequest, Request, Response,
};
use graphshell_sync::{Hash, PeerId};
use iroh::Endpoint;
use iroh::endpoint::{Connection, QuicTransportConfig, ReadError, ReadToEndError, VarInt, presets};
use tokio::time::timeout;
use uuid::Uuid;

use crate::support::{Node, PATIENCE, WORKSPACE, address_of, endpoint, id_of, key};

async fn accept(endpoint: &Endpoint) -> Connection {
    let incoming = endpoint.accept().await.expect("it is dialed");
    incoming.await.expect("the handshake ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn call_whose_connection_was_one_too_many_goes_over_another() {
    let (laptop, other) = (Node::new(1).await, endpoint(2, Relay::Off).await);
    other.set_alpns(vec![ALPN.to_vec()]);
    laptop.backend.add_address(address_of(&other));
    laptop.shares(id_of(2), true).await;
    let serve = async {
        for code in [CloseCode::Duplicate, CloseCode::Replaced] {
            let connection = accept(&other).await;
            let _stream = connection.accept_bi().await.expect("it is asked");
            connection.close(VarInt::from_u32(code.number()), b"another one is kept");
        }
        let connection = accept(&other).await;
        let (mut send, mut receive) = connection.accept_bi().await.expect("it is asked");
        receive.read_to_end(1_000).await.expect("a request");
        send.write_all(&Response::InStep.encode()).await.expect("it is listened to");
        send.finish().expect("it is listened to");
        connection
    };
    let request = FrontierRequest { workspace: WORKSPACE, digest: Hash([0; 32]) };
    let both = async { tokio::join!(laptop.backend.frontier(id_of(2), request), serve) };
    let (answer, _connection) = timeout(PATIENCE, both).await.expect("it is asked three times");
    assert_eq!(answer, Ok(Response::InStep));
}

#[tokio::test(flavor = "multi_thread")]
async fn call_to_a_device_that_is_withdrawn_meanwhile_is_not_made_again() {
    let (laptop, other) = (Node::new(1).await, endpoint(2, Relay::Off).await);
    other.set_alpns(vec![ALPN.to_vec()]);
    laptop.backend.add_address(address_of(&other));
    laptop.shares(id_of(2), true).await;
    let request = FrontierRequest { workspace: WORKSPACE, digest: Hash([0; 32]) };
    let withdraw = async {
        let connection = accept(&other).await;
        let _stream = connection.accept_bi().await.expect("it is asked");
        laptop.shares(id_of(2), false).await;
        connection.closed().await
    };
    let both = async { tokio::join!(laptop.backend.frontier(id_of(2), request), withdraw) };
    let (answer, _closed) = timeout(PATIENCE, both).await.expect("the call ends at once");
    assert!(matches!(answer, Err(CallError::Lost(_))), "{answer:?}");
    let again = timeout(Duration::from_millis(300), other.accept()).await;
    assert!(again.is_err(), "the withdrawn device is dialed again");
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_nobody_waits_for_is_reset_and_not_finished() {
    let laptop = Node::new(1).await;
    // So narrow that a long request stands still until it is read.
    let narrow = QuicTransportConfig::builder().stream_receive_window(VarInt::from_u32(4_000));
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let builder = Endpoint::builder(presets::Minimal).secret_key(key(2)).clear_ip_transports();
    let builder = builder.bind_addr(bind).expect("it is an address");
    let builder = builder.transport_config(narrow.build()).alpns(vec![ALPN.to_vec()]);
    let other = builder.bind().await.expect("loopback has free ports");
    laptop.backend.add_address(address_of(&other));
    laptop.shares(id_of(2), true).await;
    let row = |number| FrontierRow {
        peer: PeerId(Uuid::from_u128(number)),
        sequence: 1,
        hash: Hash([0; 32]),
    };
    let request = PullRequest {
        workspace: WORKSPACE,
        have: Frontier::new((0..1_000).map(row).collect()),
        excluded: Vec::new(),
        budget: Budget::FULL,
    };
    let serve = async {
        let connection = accept(&other).await;
        let (answer, mut asked) = connection.accept_bi().await.expect("it is asked");
        let mut begun = [0; 2];
        asked.read_exact(&mut begun).await.expect("it is asked");
        (connection, answer, asked)
    };
    let (connection, _answer, mut asked) = tokio::select! {
        answer = laptop.backend.pull(id_of(2), request) => panic!("nobody answered: {answer:?}"),
        served = serve => served,
    };
    // The call is dropped by now.
    let rest = timeout(PATIENCE, asked.read_to_end(1 << 20)).await.expect("it is let go");
    let rest = rest.map(|rest| rest.len());
    assert!(matches!(rest, Err(ReadToEndError::Read(ReadError::Reset(_)))), "{rest:?}");
    // The connection is as good as before.
    let request = FrontierRequest { workspace: WORKSPACE, digest: Hash([0; 32]) };
    let answer = crate::support::raw_call(&connection, &Request::Frontier(request).encode()).await;
    assert!(answer.is_some() && connection.close_reason().is_none());
}
