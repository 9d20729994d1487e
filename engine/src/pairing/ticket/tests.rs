use std::net::SocketAddr;

use iroh::SecretKey;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

pub(in crate::pairing) fn ticket() -> Ticket {
    let device = SecretKey::from_bytes(&[1; 32]).public();
    let address = EndpointAddr::from_parts(
        device,
        [
            TransportAddr::Relay("https://relay.example.org./".parse().unwrap()),
            TransportAddr::Ip("192.0.2.7:7001".parse().unwrap()),
            TransportAddr::Ip("[2001:db8::7]:7002".parse().unwrap()),
        ],
    );
    Ticket::new(&address, DeviceName::new("Ada's laptop").unwrap(), invitation(Access::Full))
}

fn invitation(access: Access) -> Invitation {
    Invitation {
        id: InvitationId([2; 16]),
        workspace: WorkspaceId(Uuid::from_u128(3)),
        access,
        expires_ms: 1_800_000_000_000,
        secret: Secret(Zeroizing::new([4; 32])),
    }
}

/// Bytes with a checksum that fits them.
fn sealed(mut content: Vec<u8>) -> Vec<u8> {
    let checksum = blake3::hash(&content);
    content.extend_from_slice(&checksum.as_bytes()[..CHECKSUM_BYTES]);
    content
}

fn content(ticket: &Ticket) -> Vec<u8> {
    let bytes = ticket.encode();
    bytes[..bytes.len() - CHECKSUM_BYTES].to_vec()
}

#[test]
fn layout_of_a_ticket_is_frozen() {
    let expected = [
        "01",
        "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        "00000000000000000000000000000003",
        "02020202020202020202020202020202",
        "0404040404040404040404040404040404040404040404040404040404040404",
        "80a0f1c2b134",
        "01",
        "0c416461277320 6c6170746f70",
        "03",
        "001b68747470733a2f2f72656c61792e6578616d706c652e6f72672e2f",
        "01c00002075 91b",
        "0220010db80000000000000000000000075a1b",
    ];
    let expected = expected.concat().replace(' ', "");
    assert_eq!(data_encoding::HEXLOWER.encode(&content(&ticket())), expected);
    assert_eq!(Ticket::decode(&ticket().encode()), Ok(ticket()));
}

#[test]
fn text_is_read_whatever_copying_did_to_it() {
    let text = ticket().to_string();
    assert!(text.starts_with("graphshell") && text.chars().all(|c| c.is_ascii_alphanumeric()));
    assert!(!text.chars().any(|c| c.is_ascii_uppercase()));
    assert_eq!(text.parse(), Ok(ticket()));
    // A picture holds upper case with fewer dots.
    assert_eq!(text.to_ascii_uppercase().parse(), Ok(ticket()));
    let (one, other) = text.split_at(40);
    assert_eq!(format!("  {one}\r\n\t{other}\n").parse(), Ok(ticket()));
    assert_eq!(iroh_tickets::Ticket::decode_string(&text).ok(), Some(ticket()));
}

#[test]
fn text_of_another_kind_is_named() {
    let other = iroh_tickets::endpoint::EndpointTicket::new(ticket().address());
    let other = iroh_tickets::Ticket::encode_string(&other);
    let error = other.parse::<Ticket>().unwrap_err();
    assert!(matches!(&error, TicketError::Kind { found } if found.starts_with("endpoint")));
    assert!(error.to_string().contains("begins with \"graphshell\""), "{error}");
    for text in ["", "graph", "https://example.org/", "\u{1f600}"] {
        assert!(matches!(text.parse::<Ticket>(), Err(TicketError::Kind { .. })), "{text}");
    }
}

#[test]
fn every_cut_is_noticed() {
    let bytes = ticket().encode();
    for length in 0..bytes.len() {
        let error = Ticket::decode(&bytes[..length]).unwrap_err();
        assert!(matches!(error, TicketError::Damaged(_)), "{length}: {error}");
        assert!(error.to_string().contains("copy it again"), "{error}");
    }
    let text = ticket().to_string();
    for length in KIND.len()..text.len() {
        let error = text[..length].parse::<Ticket>().unwrap_err();
        assert!(matches!(error, TicketError::Damaged(_)), "{length}: {error}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = ticket().encode();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let error = Ticket::decode(&flipped).unwrap_err();
        assert!(matches!(error, TicketError::Damaged(_)), "{bit}: {error}");
    }
}

#[test]
fn every_mistyped_character_is_noticed() {
    let text = ticket().to_string();
    for at in KIND.len()..text.len() {
        for typed in ["a", "7", "0", "-", "ä"] {
            let mut mistyped = text.clone();
            mistyped.replace_range(at..=at, typed);
            if mistyped == text {
                continue;
            }
            let error = mistyped.parse::<Ticket>().unwrap_err();
            let named = matches!(&error, TicketError::Character(c) if typed.starts_with(c.to_ascii_lowercase()));
            let noticed = matches!(error, TicketError::Damaged(_));
            assert!(noticed || named, "{at} {typed}: {error}");
            assert!(named != "a7".contains(typed), "{at} {typed}: {error}");
        }
    }
}

#[test]
fn another_version_is_named_whatever_follows() {
    for length in [1, 2, 200] {
        let mut bytes = vec![9; length];
        bytes[0] = 2;
        let error = Ticket::decode(&sealed(bytes)).unwrap_err();
        assert_eq!(error, TicketError::Version(2));
        assert!(error.to_string().contains("version 2, expected 1"), "{error}");
    }
}

#[test]
fn what_is_longer_than_any_ticket_is_not_read() {
    let bytes = sealed(vec![1; MAX_TICKET_BYTES]);
    assert_eq!(Ticket::decode(&bytes), Err(TicketError::TooLong(bytes.len())));
    let text = " ".repeat(4 * MAX_TICKET_BYTES) + &ticket().to_string();
    assert_eq!(text.parse::<Ticket>(), Err(TicketError::TooLong(text.len())));
    let mut long = content(&ticket());
    long.push(0);
    let error = Ticket::decode(&sealed(long)).unwrap_err();
    assert!(error.to_string().contains("the end of the ticket"), "{error}");
}

#[test]
fn whole_tickets_with_wrong_contents_say_what_was_expected() {
    let good = content(&ticket());
    let access = 1 + 32 + 16 + 16 + 32 + 6;
    let name = access + 1;
    let addresses = name + 1 + 12;
    let mut cases: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut case = |expected, at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        cases.push((expected, bytes));
    };
    case("1 for full, 2 for read-only", access, 0);
    case("1 for full, 2 for read-only", access, 3);
    case("length of a name", name, 200);
    case("a device's name", name + 1, 0x1b);
    case("a device's name", name + 1, b' ');
    case("a device's name", name + 1, 0xff);
    case("a count of addresses", addresses, 17);
    case("a kind of address", addresses + 1, 3);
    case("a relay's address", addresses + 3, b'f');
    case("ascending order", addresses + 30, 0);
    let mut key = good.clone();
    key[1..33].copy_from_slice(&[2; 32]);
    cases.push(("a device's public key", key));
    let mut port = good.clone();
    port[addresses + 35..addresses + 37].copy_from_slice(&[0, 0]);
    cases.push(("a port other than 0", port));
    for (expected, bytes) in cases {
        let error = Ticket::decode(&sealed(bytes)).unwrap_err();
        assert!(matches!(error, TicketError::Malformed(_)), "{expected}: {error}");
        assert!(
            error.to_string().contains(expected) || expected == "ascending order",
            "{expected}: {error}"
        );
    }
}

#[test]
fn addresses_out_of_order_are_refused() {
    let mut bytes = content(&ticket());
    let (v4, v6) = (7, 19);
    let start = bytes.len() - v4 - v6;
    bytes[start..].rotate_left(v4);
    let error = Ticket::decode(&sealed(bytes)).unwrap_err();
    assert!(error.to_string().contains("addresses in ascending order"), "{error}");
}

#[test]
fn addresses_of_no_use_to_others_are_not_told() {
    let mut address = ticket().address();
    let expected = address.clone();
    for useless in ["0.0.0.0:7", "[::]:7", "[fe80::1]:7", "192.0.2.7:0"] {
        address.addrs.insert(TransportAddr::Ip(useless.parse().unwrap()));
    }
    let long = format!("https://{}.example.org./", "a".repeat(MAX_TICKET_BYTES));
    address.addrs.extend(long.parse().map(TransportAddr::Relay));
    let told = Ticket::new(&address, ticket().inviter, invitation(Access::ReadOnly));
    assert_eq!(told.address(), expected);
    for port in 1..=100 {
        address.addrs.insert(TransportAddr::Ip(SocketAddr::from(([192, 0, 2, 1], port))));
    }
    let many = Ticket::new(&address, ticket().inviter, invitation(Access::ReadOnly));
    assert_eq!(many.addresses.len(), crate::limits::MAX_PAIRING_ADDRESSES);
    assert_eq!(Ticket::decode(&many.encode()), Ok(many));
}

#[test]
fn expired_ticket_is_refused_beyond_doubt_only() {
    let (ticket, expires_ms) = (ticket(), 1_800_000_000_000);
    assert_eq!(ticket.check(0), Ok(()));
    assert_eq!(ticket.check(expires_ms + PAIRING_CLOCK_SKEW_MS), Ok(()));
    let error = ticket.check(expires_ms + 3 * 3_600_000).unwrap_err();
    assert_eq!(error, TicketError::Expired { minutes: 180 });
    assert!(error.to_string().contains("expired 180 minutes ago"), "{error}");
}

#[test]
fn secret_is_not_printed() {
    let printed = format!("{:?} {:?}", ticket(), ticket().invitation());
    assert!(!printed.contains("0404") && !printed.contains("4, 4"), "{printed}");
}

fn any_address() -> impl Strategy<Value = TransportAddr> {
    let port = 1u16..;
    prop_oneof![
        "[a-z]{1,20}".prop_map(|host| TransportAddr::Relay(
            format!("https://{host}.example/").parse().unwrap()
        )),
        (any::<[u8; 4]>(), port.clone())
            .prop_map(|(ip, port)| TransportAddr::Ip(SocketAddr::from((ip, port)))),
        (any::<[u8; 16]>(), port)
            .prop_map(|(ip, port)| TransportAddr::Ip(SocketAddr::from((ip, port)))),
    ]
}

proptest! {
    #[test]
    fn tickets_come_back_as_they_were(
        seed: [u8; 32], id: [u8; 16], workspace: u128, secret: [u8; 32], expires_ms: u64,
        full: bool, name in "[a-zA-Z0-9äöü電 ]{1,20}", addresses in prop::collection::vec(any_address(), 0..20),
    ) {
        let Ok(name) = DeviceName::new(&name) else { return Ok(()) };
        let invitation = Invitation {
            id: InvitationId(id),
            workspace: WorkspaceId(Uuid::from_u128(workspace)),
            access: if full { Access::Full } else { Access::ReadOnly },
            expires_ms,
            secret: Secret(Zeroizing::new(secret)),
        };
        let device = SecretKey::from_bytes(&seed).public();
        let ticket = Ticket::new(&EndpointAddr::from_parts(device, addresses), name, invitation);
        let bytes = ticket.encode();
        prop_assert!(bytes.len() <= MAX_TICKET_BYTES);
        prop_assert_eq!(Ticket::decode(&bytes), Ok(ticket.clone()));
        prop_assert_eq!(ticket.to_string().parse(), Ok(ticket));
    }

    #[test]
    fn what_is_read_is_what_would_be_written(at: usize, byte: u8, cut in 0usize..8) {
        let mut bytes = content(&ticket());
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut);
        let bytes = sealed(bytes);
        if let Ok(ticket) = Ticket::decode(&bytes) {
            prop_assert_eq!(ticket.encode(), bytes);
        }
    }

    #[test]
    fn no_text_panics(text in "(graphshell)?[a-z2-7A-Z0-9 äß-]{0,200}") {
        let _ = text.parse::<Ticket>();
    }
}
