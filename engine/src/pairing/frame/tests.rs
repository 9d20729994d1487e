use proptest::prelude::*;

use super::*;
use crate::device_key::{DeviceKey, Succession};
use crate::id::WorkspaceId;
use iroh::SecretKey;
use uuid::Uuid;

fn name() -> DeviceName {
    DeviceName::new("phone").unwrap()
}

fn proof(byte: u8) -> Proof {
    Proof::from_bytes([byte; 32])
}

fn all() -> Vec<Frame> {
    let (old, new) = (SecretKey::from_bytes(&[1; 32]), SecretKey::from_bytes(&[2; 32]));
    let scope = Some(WorkspaceId(Uuid::from_u128(7)));
    let chain = vec![Succession::new(&old, &new, None, 5), Succession::new(&new, &old, scope, 6)];
    let hello = Hello {
        invitation: InvitationId([1; 16]),
        commitment: [2; 32],
        name: name(),
        proof: proof(3),
    };
    let addresses = ["192.0.2.7:7001"].map(|ip| TransportAddr::Ip(ip.parse().unwrap())).into();
    vec![
        Frame::Hello(hello),
        Frame::Welcome(Welcome { nonce: [4; 32], name: name(), proof: proof(5) }),
        Frame::Reveal { nonce: [6; 32], addresses },
        Frame::Confirm,
        Frame::Done,
        Frame::Present(chain),
        Frame::Followed,
    ]
}

#[test]
fn layout_of_frames_is_frozen() {
    let expected = [
        format!("0101{}{}0570686f6e65{}", "01".repeat(16), "02".repeat(32), "03".repeat(32)),
        format!("02{}0570686f6e65{}", "04".repeat(32), "05".repeat(32)),
        format!("03{}0101c0000207591b", "06".repeat(32)),
        "04".to_owned(),
        "05".to_owned(),
    ];
    for (frame, expected) in all().iter().zip(expected) {
        assert_eq!(data_encoding::HEXLOWER.encode(&frame.encode()), expected);
    }
    assert_eq!(Frame::Followed.encode(), [7]);
    let present = all()[5].encode();
    assert_eq!(present[..3], [6, 1, 2]);
    assert_eq!(present.len(), 3 + 2 * (32 + 32 + 1 + 8 + 128) + 16);
}

#[test]
fn frames_come_back_as_they_were() {
    for frame in all() {
        assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }
}

#[test]
fn every_cut_and_every_byte_too_many_is_told() {
    for frame in all() {
        let mut bytes = frame.encode();
        for length in 0..bytes.len() {
            let error = Frame::decode(&bytes[..length]).unwrap_err();
            assert!(matches!(error, PairingError::Malformed(_)), "{frame:?} {length}: {error}");
        }
        bytes.push(0);
        let error = Frame::decode(&bytes).unwrap_err();
        assert!(error.to_string().contains("the end of the frame"), "{error}");
    }
}

#[test]
fn another_version_is_named_whatever_follows() {
    for kind in [1, 6] {
        let error = Frame::decode(&[kind, 2]).unwrap_err();
        assert_eq!(error, PairingError::Version(2));
        assert!(error.to_string().contains("version 2"), "{error}");
    }
}

#[test]
fn longest_frames_fit_their_bound() {
    let (hosts, most) = ('a'..='z', crate::limits::MAX_PAIRING_ADDRESSES);
    let url = |c: char| {
        let length = crate::limits::MAX_RELAY_URL_BYTES - "https:///".len();
        let labels: String = (0..length).map(|at| if at % 60 == 59 { '.' } else { c }).collect();
        TransportAddr::Relay(format!("https://{labels}/").parse().unwrap())
    };
    let addresses: BTreeSet<_> = hosts.take(most).map(url).collect();
    let reveal = Frame::Reveal { nonce: [0; 32], addresses };
    let key = DeviceKey::generate(&crate::system::SystemEntropy);
    let one = Succession::new(key.secret(), key.secret(), Some(WorkspaceId(Uuid::nil())), 0);
    let present = Frame::Present(vec![one; crate::limits::MAX_SUCCESSIONS]);
    for frame in [reveal, present] {
        let bytes = frame.encode();
        assert!(bytes.len() > 800 && bytes.len() <= crate::limits::MAX_PAIRING_FRAME_BYTES);
        assert_eq!(Frame::decode(&bytes), Ok(frame));
    }
}

proptest! {
    #[test]
    fn what_is_read_is_what_would_be_written(
        which in 0usize..7, at: usize, byte: u8, rest in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut changed = all()[which].encode();
        let at = at % changed.len();
        changed[at] = byte;
        for bytes in [changed, [&[byte % 8], &rest[..]].concat()] {
            if let Ok(frame) = Frame::decode(&bytes) {
                prop_assert_eq!(frame.encode(), bytes);
            }
        }
    }
}

/// The seeds of the fuzzer's decoders 7 to 9; run by hand.
#[test]
#[ignore = "writes the fuzzer's seeds"]
fn write_fuzz_corpus_of_pairing() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/decode");
    let write = |name: String, choice: u8, bytes: &[u8]| {
        std::fs::write(format!("{folder}/{name}"), [&[choice], bytes].concat()).unwrap();
    };
    let ticket = crate::pairing::ticket::tests::ticket().encode();
    write("ticket-00".to_owned(), 7, &ticket);
    write("ticket-01".to_owned(), 7, &ticket[..ticket.len() - 4]);
    for (number, frame) in all().iter().enumerate() {
        write(format!("frame-{number:02}"), 8, &frame.encode());
        if let Frame::Present(chain) = frame {
            write("chain-00".to_owned(), 9, &Succession::encode_chain(chain));
            write("chain-01".to_owned(), 9, &Succession::encode_chain(&chain[..1]));
        }
    }
}
