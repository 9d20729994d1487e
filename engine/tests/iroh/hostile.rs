//! A device that is let in and means harm: it costs bounded memory and time, is told why, and
//! honest devices sync meanwhile.

use std::time::Duration;

use graphshell_sync::backend::iroh::{ALPN, CloseCode, Deadlines, NetworkEvent, Relay};
use graphshell_sync::limits::{MAX_CONNECTION_STREAMS, MAX_FRAME_BYTES};
use graphshell_sync::wire::{Budget, Frontier, FrontierRequest, PullRequest, Request};
use graphshell_sync::{DeviceId, Hash};
use iroh::Endpoint;
use iroh::endpoint::{ConnectOptions, Connection, QuicTransportConfig, VarInt};
use tokio::time::{sleep, timeout};

use crate::support::{
    Node, WORKSPACE, add, assert_same, close_code, endpoint, event, id_of, introduce, raw_call,
    title,
};

/// Deadlines that a test can wait for.
fn impatient() -> Deadlines {
    let frame = Duration::from_millis(1_500);
    Deadlines { frame, stall: Duration::from_millis(500), ..Deadlines::default() }
}

/// A laptop, an honest phone, and a device that the laptop lets in.
struct Story {
    laptop: Node,
    phone: Node,
    enemy: Endpoint,
}

impl Story {
    async fn begin() -> Self {
        let set = |builder: graphshell_sync::backend::iroh::Builder| builder.deadlines(impatient());
        let (laptop, phone) = (Node::with(1, set).await, Node::new(2).await);
        introduce(&[&laptop, &phone]).await;
        laptop.shares(id_of(9), true).await;
        laptop.edit(&[add(1)]).await;
        phone.sync(laptop.id).await.expect("the laptop is there");
        Story { laptop, phone, enemy: endpoint(9, Relay::Off).await }
    }

    async fn connect(&self) -> Connection {
        self.enemy.connect(self.laptop.address(), ALPN).await.expect("it is let in")
    }

    /// The honest device syncs both ways.
    async fn honest_round(&self) {
        self.phone.edit(&[title(1, "from the phone")]).await;
        self.phone.sync(self.laptop.id).await.expect("the laptop is there");
        assert_same(&self.laptop, &self.phone);
    }

    /// The enemy is closed with `code`, the laptop tells, and honest devices do not notice.
    async fn ends_with(&self, connection: &Connection, code: CloseCode) {
        let mut events = self.laptop.backend.subscribe();
        let (number, ()) = tokio::join!(close_code(connection), self.honest_round());
        assert_eq!(CloseCode::from_number(number), code);
        if self.laptop.backend.connections().borrow().contains(&id_of(9)) {
            event(&mut events, |event| {
                matches!(event, NetworkEvent::Gone { device: DeviceId(id), .. } if *id == id_of(9).0)
            })
            .await;
        }
        self.honest_round().await;
    }
}

fn frontier() -> Vec<u8> {
    let digest = Hash([0; 32]);
    Request::Frontier(FrontierRequest { workspace: WORKSPACE, digest }).encode()
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_request_ends_the_connection() {
    let story = Story::begin().await;
    let mut events = story.laptop.backend.subscribe();
    for frame in [&[1, 99][..], &[1], &[], &[1, 3, 255, 255, 255], &frontier()[..40]] {
        let connection = story.connect().await;
        assert_eq!(raw_call(&connection, frame).await, None, "{frame:?}");
        story.ends_with(&connection, CloseCode::Malformed).await;
        let told =
            event(&mut events, |event| matches!(event, NetworkEvent::Misbehaved { .. })).await;
        assert!(
            matches!(&told, NetworkEvent::Misbehaved { device, code: CloseCode::Malformed, why }
                if *device == id_of(9) && !why.is_empty()),
            "{told:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_longer_than_a_frame_is_not_read_to_its_end() {
    let story = Story::begin().await;
    let connection = story.connect().await;
    let flood = async {
        let (mut send, _receive) = connection.open_bi().await.expect("it is let in");
        // It never ends by itself.
        while send.write_all(&[1; 16 * 1024]).await.is_ok() {}
    };
    tokio::join!(flood, story.ends_with(&connection, CloseCode::TooLong));
    let read = story.laptop.backend.traffic().received;
    assert!(read <= 2 * MAX_FRAME_BYTES as u64, "{read} bytes were read");
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_never_ends_is_given_up() {
    let story = Story::begin().await;
    let connection = story.connect().await;
    let (mut send, _receive) = connection.open_bi().await.expect("it is let in");
    send.write_all(&frontier()[..20]).await.expect("it is read");
    story.ends_with(&connection, CloseCode::TooSlow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_drips_is_given_up() {
    let story = Story::begin().await;
    let connection = story.connect().await;
    let drip = async {
        let (mut send, _receive) = connection.open_bi().await.expect("it is let in");
        // Never a pause that is too long.
        while send.write_all(&[1]).await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::join!(drip, story.ends_with(&connection, CloseCode::TooSlow));
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_that_nobody_takes_is_given_up() {
    let story = Story::begin().await;
    for first in (10..3_000).step_by(500) {
        story.laptop.edit(&(first..first + 500).map(add).collect::<Vec<_>>()).await;
    }
    // The window is never opened again, since nothing is read.
    let narrow = QuicTransportConfig::builder().stream_receive_window(VarInt::from_u32(1_000));
    let options = ConnectOptions::new().with_transport_config(narrow.build());
    let connecting = story.enemy.connect_with_opts(story.laptop.address(), ALPN, options).await;
    let connection = connecting.expect("an address is known").await.expect("it is let in");
    let pull = Request::Pull(PullRequest {
        workspace: WORKSPACE,
        have: Frontier::default(),
        excluded: Vec::new(),
        budget: Budget::FULL,
    });
    let mut streams = Vec::new();
    for _ in 0..MAX_CONNECTION_STREAMS {
        let (mut send, receive) = connection.open_bi().await.expect("it is let in");
        send.write_all(&pull.encode()).await.expect("it is read");
        send.finish().expect("it is read");
        streams.push(receive);
    }
    story.ends_with(&connection, CloseCode::TooSlow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_without_number_wait_on_the_other_side() {
    let story = Story::begin().await;
    let connection = story.connect().await;
    let mut streams = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(200), connection.open_bi()).await {
        let Ok((mut send, receive)) = stream else { break };
        if send.write_all(&[1]).await.is_err() {
            break;
        }
        streams.push((send, receive));
    }
    assert!(streams.len() <= MAX_CONNECTION_STREAMS as usize, "{} streams", streams.len());
    let uni = timeout(Duration::from_millis(100), connection.open_uni()).await;
    assert!(!matches!(uni, Ok(Ok(_))), "streams of one direction are not of this protocol");
    story.ends_with(&connection, CloseCode::TooSlow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_full_costs_a_frame_each() {
    let story = Story::begin().await;
    let connection = story.connect().await;
    let floods = (0..3 * MAX_CONNECTION_STREAMS).map(|_| async {
        let Ok((mut send, _receive)) = connection.open_bi().await else { return };
        let _ = send.write_all(&vec![1; MAX_FRAME_BYTES]).await;
        // Not finished: the other side waits for more.
        let _ = send.stopped().await;
    });
    let floods = futures_util::future::join_all(floods);
    tokio::join!(floods, story.ends_with(&connection, CloseCode::TooSlow));
    let read = story.laptop.backend.traffic().received;
    let most = (MAX_CONNECTION_STREAMS as usize * MAX_FRAME_BYTES + 64 * 1024) as u64;
    assert!(read <= most, "{read} bytes were read");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_number_replace_each_other() {
    let story = Story::begin().await;
    let mut connections = Vec::new();
    for _ in 0..30 {
        connections.push(story.connect().await);
    }
    story.honest_round().await;
    let last = connections.pop().expect("there are thirty");
    for connection in &connections {
        let code = CloseCode::from_number(close_code(connection).await);
        assert_eq!(code, CloseCode::Replaced);
    }
    assert!(raw_call(&last, &frontier()).await.is_some(), "the last one is used");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_let_go_at_once_cost_nothing() {
    let story = Story::begin().await;
    let connection = story.connect().await;
    for _ in 0..500 {
        let (mut send, mut receive) = connection.open_bi().await.expect("it is let in");
        send.write_all(&frontier()[..10]).await.expect("it is read");
        let _ = send.reset(VarInt::from_u32(1));
        let _ = receive.stop(VarInt::from_u32(1));
    }
    story.honest_round().await;
    assert!(raw_call(&connection, &frontier()).await.is_some(), "it did nothing wrong");
}
