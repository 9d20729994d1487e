use iroh::SecretKey;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::*;
use crate::access::Access;
use crate::id::WorkspaceId;
use crate::pairing::invitation::{InvitationId, Secret};

fn key(seed: u8) -> PublicKey {
    SecretKey::from_bytes(&[seed; 32]).public()
}

fn name(text: &str) -> DeviceName {
    DeviceName::new(text).unwrap()
}

fn ticket(inviter: u8, access: Access, secret: u8) -> Ticket {
    let invitation = Invitation {
        id: InvitationId([2; 16]),
        workspace: WorkspaceId(Uuid::from_u128(3)),
        access,
        expires_ms: 1_000,
        secret: Secret(Zeroizing::new([secret; 32])),
    };
    Ticket::new(&EndpointAddr::new(key(inviter)), name("laptop"), invitation)
}

const INVITER: u8 = 1;
const JOINER: u8 = 2;
const BETWEEN: u8 = 3;

fn good() -> Ticket {
    ticket(INVITER, Access::Full, 4)
}

fn reached_at() -> BTreeSet<TransportAddr> {
    [TransportAddr::Ip("192.0.2.7:7001".parse().unwrap())].into()
}

fn asked(frame: &Frame) -> Asked {
    let Ok(Frame::Hello(hello)) = Frame::decode(&frame.encode()) else { panic!("no Hello") };
    Asked::new(hello)
}

fn ends(joiner: u8, inviter: u8) -> Ends {
    Ends { joiner: key(joiner), inviter: key(inviter) }
}

/// An inviter's whole side against one joiner's, with these nonces.
fn pair(joiners: [u8; 32], inviters: [u8; 32]) -> (Introduced, Introduced) {
    let (joining, hello) = Joining::begin(&good(), key(JOINER), &name("phone"), joiners);
    let checked =
        asked(&hello).check(good().invitation(), ends(JOINER, INVITER), &name("laptop"), inviters);
    let (welcoming, welcome) = checked.unwrap();
    let (at_joiner, reveal) = joining.welcome(&welcome.encode(), reached_at()).unwrap();
    (at_joiner, welcoming.reveal(&reveal.encode()).unwrap())
}

#[test]
fn both_sides_show_the_same_and_know_each_other() {
    let (at_joiner, at_inviter) = pair([7; 32], [8; 32]);
    let fingerprint = at_joiner.introduction.fingerprint;
    assert_eq!(fingerprint, at_inviter.introduction.fingerprint);
    assert_eq!(at_joiner.introduction.name, name("laptop"));
    assert_eq!(at_inviter.introduction.name, name("phone"));
    let (laptop, phone) = (at_joiner.paired(), at_inviter.paired());
    assert_eq!(laptop.device, DeviceId(*key(INVITER).as_bytes()));
    assert_eq!(phone.device, DeviceId(*key(JOINER).as_bytes()));
    assert_eq!(phone.address.addrs, reached_at());
    assert_eq!((laptop.access, phone.access), (Access::Full, Access::Full));
    assert_eq!(laptop.workspace, phone.workspace);
}

#[test]
fn proofs_and_fingerprint_are_frozen() {
    let (_, hello) = Joining::begin(&good(), key(JOINER), &name("phone"), [7; 32]);
    let Frame::Hello(hello) = &hello else { panic!("no Hello") };
    let checked = asked(&Frame::Hello(hello.clone())).check(
        good().invitation(),
        ends(JOINER, INVITER),
        &name("laptop"),
        [8; 32],
    );
    let Ok((_, Frame::Welcome(welcome))) = checked else { panic!("no Welcome") };
    let fingerprint = pair([7; 32], [8; 32]).0.introduction.fingerprint;
    let frozen = [
        hello.proof.to_hex().as_str().to_owned(),
        welcome.proof.to_hex().as_str().to_owned(),
        data_encoding::HEXLOWER.encode(&hello.commitment),
        fingerprint.to_string(),
    ];
    let expected = [
        "166836e4f90633c4a2479590b46fff051bb79d3c2c8b57ff98efe5132445ca33",
        "3001206e5e8bb990a94d2b1d40167511ee27928f86dfe3098799dc7cdec18c84",
        "77e7d2ee2684d8066a8ee49e6c7343844ce2f2e01f4572660010473fe60cd22c",
        "3830 6618 6608",
    ];
    assert_eq!(frozen, expected);
}

#[test]
fn fingerprint_depends_on_both_nonces() {
    let fingerprint = |joiners, inviters| pair(joiners, inviters).0.introduction.fingerprint;
    let one = fingerprint([7; 32], [8; 32]);
    assert_ne!(one, fingerprint([9; 32], [8; 32]));
    assert_ne!(one, fingerprint([7; 32], [9; 32]));
}

#[test]
fn who_sits_between_with_the_ticket_shows_two_fingerprints() {
    // It read the ticket, and gave the joiner one with its own key.
    let changed = ticket(BETWEEN, Access::Full, 4);
    let (joining, to_it) = Joining::begin(&changed, key(JOINER), &name("phone"), [7; 32]);
    let (its_joining, to_inviter) = Joining::begin(&good(), key(BETWEEN), &name("phone"), [9; 32]);
    let at_inviter = asked(&to_inviter).check(
        good().invitation(),
        ends(BETWEEN, INVITER),
        &name("laptop"),
        [8; 32],
    );
    let (welcoming, welcome) = at_inviter.unwrap();
    let (_, its_reveal) = its_joining.welcome(&welcome.encode(), reached_at()).unwrap();
    let inviter_sees = welcoming.reveal(&its_reveal.encode()).unwrap();
    // All the same to the joiner as the inviter did to it.
    let (_, its_welcome) = asked(&to_it)
        .check(changed.invitation(), ends(JOINER, BETWEEN), &name("laptop"), [8; 32])
        .unwrap();
    let (joiner_sees, _) = joining.welcome(&its_welcome.encode(), reached_at()).unwrap();
    assert_ne!(joiner_sees.introduction.fingerprint, inviter_sees.introduction.fingerprint);
}

#[test]
fn hello_that_was_passed_on_under_another_key_proves_nothing() {
    let (_, hello) = Joining::begin(&good(), key(JOINER), &name("phone"), [7; 32]);
    for ends in [ends(BETWEEN, INVITER), ends(JOINER, BETWEEN)] {
        let checked = asked(&hello).check(good().invitation(), ends, &name("laptop"), [8; 32]);
        assert_eq!(checked.unwrap_err(), PairingError::WrongProof);
    }
}

#[test]
fn changed_ticket_proves_nothing() {
    let mut later = good().invitation().clone();
    later.expires_ms += 1;
    let mut elsewhere = good().invitation().clone();
    elsewhere.workspace = WorkspaceId(Uuid::from_u128(4));
    let changed = [
        ticket(INVITER, Access::ReadOnly, 4).invitation().clone(),
        ticket(INVITER, Access::Full, 5).invitation().clone(),
        later,
        elsewhere,
    ];
    let (_, hello) = Joining::begin(&good(), key(JOINER), &name("phone"), [7; 32]);
    for invitation in changed {
        let ends = ends(JOINER, INVITER);
        let checked = asked(&hello).check(&invitation, ends, &name("laptop"), [8; 32]);
        assert_eq!(checked.unwrap_err(), PairingError::WrongProof, "{invitation:?}");
    }
}

#[test]
fn changed_hello_and_welcome_prove_nothing() {
    let (joining, hello) = Joining::begin(&good(), key(JOINER), &name("phone"), [7; 32]);
    let Frame::Hello(hello) = hello else { panic!("no Hello") };
    let check = |hello: &Hello| {
        let ends = ends(JOINER, INVITER);
        Asked::new(hello.clone()).check(good().invitation(), ends, &name("laptop"), [8; 32])
    };
    let renamed = Hello { name: name("phonE"), ..hello.clone() };
    let recommitted = Hello { commitment: [0; 32], ..hello.clone() };
    for changed in [renamed, recommitted] {
        assert_eq!(check(&changed).unwrap_err(), PairingError::WrongProof);
    }
    let (_, welcome) = check(&hello).unwrap();
    let Frame::Welcome(welcome) = welcome else { panic!("no Welcome") };
    // The joiner's own proof, sent back, is none of the inviter's.
    let reflected = Welcome { proof: hello.proof, ..welcome.clone() };
    let renamed = Welcome { name: name("laptoq"), ..welcome.clone() };
    let other_nonce = Welcome { nonce: [0; 32], ..welcome };
    for changed in [reflected, renamed, other_nonce] {
        let (again, _) = Joining::begin(&good(), key(JOINER), &name("phone"), [7; 32]);
        let taken = again.welcome(&Frame::Welcome(changed).encode(), reached_at());
        assert_eq!(taken.unwrap_err(), PairingError::WrongProof);
    }
    drop(joining);
}

#[test]
fn nonce_other_than_the_one_committed_to_is_refused() {
    let (_, hello) = Joining::begin(&good(), key(JOINER), &name("phone"), [7; 32]);
    let checked =
        asked(&hello).check(good().invitation(), ends(JOINER, INVITER), &name("laptop"), [8; 32]);
    let (welcoming, _) = checked.unwrap();
    let reveal = Frame::Reveal { nonce: [6; 32], addresses: reached_at() };
    assert_eq!(welcoming.reveal(&reveal.encode()).unwrap_err(), PairingError::WrongProof);
}

#[test]
fn frame_out_of_turn_is_named() {
    let (joining, hello) = Joining::begin(&good(), key(JOINER), &name("phone"), [7; 32]);
    let error = joining.welcome(&Frame::Done.encode(), reached_at()).unwrap_err();
    assert!(error.to_string().contains("the inviter's Welcome"), "{error}");
    let checked =
        asked(&hello).check(good().invitation(), ends(JOINER, INVITER), &name("laptop"), [8; 32]);
    let error = checked.unwrap().0.reveal(&Frame::Confirm.encode()).unwrap_err();
    assert!(error.to_string().contains("the joiner's Reveal"), "{error}");
    let error = expect(&Frame::Done, &Frame::Confirm.encode(), "the inviter's Done").unwrap_err();
    assert!(error.to_string().contains("the inviter's Done"), "{error}");
}
