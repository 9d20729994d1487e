//! Devices that break the rules: each costs bounded time and memory, is told why, and keeps nobody
//! else out.

use std::time::Duration;

use graphshell_sync::device_key::{DeviceKey, Succession};
use graphshell_sync::pairing::{ALPN, CloseCode, Inviter, PairingError, Ticket};
use graphshell_sync::{Access, SystemEntropy};
use iroh::EndpointAddr;
use iroh::endpoint::{Connection, ConnectionError, RecvStream, SendStream};
use tokio::time::timeout;

use super::support::{LONG, Laptop, PATIENT, Phone, SHORT, WORKSPACE, endpoint, name, program};

async fn connect(from: &Phone, to: &Laptop) -> (Connection, SendStream, RecvStream) {
    let address: EndpointAddr = to.router.endpoint().addr();
    let connection = from.endpoint.connect(address, ALPN).await.expect("loopback is reachable");
    let (send, receive) = connection.open_bi().await.expect("a stream may be opened");
    (connection, send, receive)
}

/// Why the other side closed.
async fn told(connection: &Connection) -> (CloseCode, String) {
    let closed = timeout(LONG, connection.closed()).await.expect("it ends in bounded time");
    let ConnectionError::ApplicationClosed(close) = closed else { panic!("{closed}") };
    let code = CloseCode::from_code(close.error_code.into_inner()).expect("a known code");
    (code, String::from_utf8(close.reason.to_vec()).expect("a text"))
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).expect("a short frame").to_le_bytes(), body].concat()
}

/// What becomes of one stream with these bytes, the stream left open.
async fn sent(laptop: &Laptop, bytes: &[u8]) -> (CloseCode, String) {
    let stranger = Phone::new().await;
    let (connection, mut send, _receive) = connect(&stranger, laptop).await;
    // The other side may close before all is taken.
    let _ = send.write_all(bytes).await;
    told(&connection).await
}

#[tokio::test]
async fn garbage_is_told_what_was_expected() {
    let laptop = Laptop::new(PATIENT).await;
    let cases: [(&[u8], CloseCode, &str); 7] = [
        (&frame(b"GET / HTTP/1.1"), CloseCode::Malformed, "a kind of frame"),
        (&frame(&[]), CloseCode::Malformed, "a kind of frame"),
        (&frame(&[1, 1, 7]), CloseCode::Malformed, "an invitation id"),
        (&frame(&[4]), CloseCode::Malformed, "a Hello or a succession"),
        (&frame(&[1, 9, 7]), CloseCode::Version, "another version"),
        (&frame(&[6, 1, 0]), CloseCode::Unproven, "proves nothing"),
        (&frame(&[6, 1, 5]), CloseCode::Malformed, "at most 4"),
    ];
    for (bytes, code, why) in cases {
        let told = sent(&laptop, bytes).await;
        assert!(told.0 == code && told.1.contains(why), "{bytes:?}: {told:?}");
    }
}

#[tokio::test]
async fn oversized_frame_is_refused_by_its_length() {
    let laptop = Laptop::new(PATIENT).await;
    assert_eq!(sent(&laptop, &[0xff, 0xff]).await.0, CloseCode::TooLong);
    assert_eq!(sent(&laptop, &vec![0xff; 8 << 20]).await.0, CloseCode::TooLong);
}

#[tokio::test]
async fn stream_that_ends_in_a_frame_is_told() {
    let laptop = Laptop::new(PATIENT).await;
    let stranger = Phone::new().await;
    let (connection, mut send, _receive) = connect(&stranger, &laptop).await;
    send.write_all(&[50, 0, 1, 1]).await.unwrap();
    send.finish().unwrap();
    let (code, why) = told(&connection).await;
    assert!(code == CloseCode::Malformed && why.contains("before the stream ends"), "{why}");
}

#[tokio::test]
async fn silent_and_dripping_devices_end_in_time_and_keep_nobody_out() {
    let laptop = Laptop::new(SHORT).await;
    let (silent, dripping) = (Phone::new().await, Phone::new().await);
    // Connected, and not a stream.
    let mute = silent.endpoint.connect(laptop.router.endpoint().addr(), ALPN).await.unwrap();
    let (drip, mut send, _receive) = connect(&dripping, &laptop).await;
    let dripped = async {
        for byte in frame(&[1; 200]) {
            if send.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let honest = Phone::new().await;
    let ticket = laptop.ticket();
    let ((), mute, drip, honest) =
        tokio::join!(dripped, told(&mute), told(&drip), honest.join(&ticket, true));
    assert_eq!((mute.0, drip.0), (CloseCode::TooSlow, CloseCode::TooSlow));
    honest.expect("others do not matter");
}

#[tokio::test]
async fn many_silent_devices_make_room_for_an_honest_one() {
    let laptop = Laptop::new(PATIENT).await;
    let stranger = Phone::new().await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(connect(&stranger, &laptop).await);
        // A stream is there for the other side from its first byte on.
        silent.last_mut().unwrap().1.write_all(&[9]).await.unwrap();
    }
    Phone::new().await.join(&laptop.ticket(), true).await.expect("there is room");
    let (code, _) = told(&silent[0].0).await;
    assert_eq!(code, CloseCode::Busy);
}

/// A ticket whose secret is another one.
fn forged(ticket: &Ticket) -> Ticket {
    let mut bytes = ticket.encode();
    bytes.truncate(bytes.len() - 4);
    bytes[1 + 32 + 16 + 16] ^= 1;
    bytes.extend_from_slice(&blake3::hash(&bytes).as_bytes()[..4]);
    Ticket::decode(&bytes).expect("its checksum fits")
}

#[tokio::test]
async fn third_wrong_secret_burns_the_invitation() {
    let (laptop, phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    let (ticket, other) = (laptop.ticket(), laptop.ticket());
    for attempt in 1..=3 {
        let refused = phone.join(&forged(&ticket), true).await.unwrap_err();
        assert_eq!(refused.refusal(), Some(CloseCode::WrongProof));
        assert_eq!(laptop.failure(attempt).await, PairingError::WrongProof);
    }
    let refused = phone.join(&ticket, true).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(CloseCode::Burnt));
    assert!(refused.to_string().contains("ask for a new ticket"), "{refused}");
    phone.join(&other, true).await.expect("another invitation is not concerned");
    assert_eq!(laptop.program.shown.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn joiner_that_never_confirms_ends_in_time_and_leaves_the_invitation() {
    let (laptop, lazy) = (Laptop::new(SHORT).await, Phone::new().await);
    let ticket = laptop.ticket();
    let never = lazy.join_and(&ticket, async |_| std::future::pending().await);
    let meanwhile = async {
        while laptop.program.shown.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Its invitation is taken at this moment; others are not.
        let honest = Phone::new().await;
        let busy = honest.join(&ticket, true).await.unwrap_err();
        honest.join(&laptop.ticket(), true).await.expect("another invitation is free");
        busy
    };
    let (never, busy) = timeout(LONG, async { tokio::join!(never, meanwhile) }).await.unwrap();
    assert_eq!(never.unwrap_err().refusal(), Some(CloseCode::TooSlow));
    assert_eq!(busy.refusal(), Some(CloseCode::Busy));
    Phone::new().await.join(&ticket, true).await.expect("the invitation still holds");
}

#[tokio::test]
async fn inviter_that_does_not_know_the_secret_is_refused() {
    let (stranger, phone) = (Phone::new().await, Phone::new().await);
    // It has the address of a ticket, and answers with a Welcome of its own making.
    stranger.endpoint.set_alpns(vec![ALPN.to_vec()]);
    let inviter = Inviter::new(stranger.endpoint.clone(), name("laptop"), program());
    let ticket = inviter.invite(WORKSPACE, Access::Full, LONG).unwrap();
    let answering = async {
        let incoming = stranger.endpoint.accept().await.unwrap();
        let connection = incoming.await.unwrap();
        let (mut send, _receive) = connection.accept_bi().await.unwrap();
        let welcome = [&[2], &[0; 32][..], &[6], b"laptop", &[0; 32]].concat();
        send.write_all(&frame(&welcome)).await.unwrap();
        told(&connection).await
    };
    let asked = phone.join_and(&ticket, async |_| panic!("the user is not asked"));
    let (told, joined) = tokio::join!(answering, asked);
    assert_eq!(joined, Err(PairingError::WrongProof));
    assert_eq!(told.0, CloseCode::WrongProof);
}

#[tokio::test]
async fn succession_that_another_device_sends_moves_nothing() {
    let laptop = Laptop::new(PATIENT).await;
    let (old, thief) = (DeviceKey::generate(&SystemEntropy), Phone::new().await);
    let new = old.rotate(&SystemEntropy, 5).unwrap();
    laptop.program.trusts.lock().unwrap().push(old.device_id());
    let chain = Succession::encode_chain(new.successions());
    let (connection, mut send, _receive) = connect(&thief, &laptop).await;
    send.write_all(&frame(&[&[6, 1], &chain[..]].concat())).await.unwrap();
    assert_eq!(told(&connection).await.0, CloseCode::Unproven);
    // The key that it is for, with a signature that does not fit.
    let mut forged = chain;
    *forged.last_mut().unwrap() ^= 1;
    let holder = Phone { endpoint: endpoint(&new).await };
    let (connection, mut send, _receive) = connect(&holder, &laptop).await;
    send.write_all(&frame(&[&[6, 1], &forged[..]].concat())).await.unwrap();
    assert_eq!(told(&connection).await.0, CloseCode::Unproven);
    assert_eq!(*laptop.program.trusts.lock().unwrap(), [old.device_id()]);
    assert!(laptop.program.lineages.lock().unwrap().is_empty());
}
