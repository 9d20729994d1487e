use uuid::Uuid;
use zeroize::Zeroizing;

use super::*;
use crate::access::Access;
use crate::id::WorkspaceId;
use crate::pairing::invitation::Secret;

const EXPIRES_MS: u64 = 1_000;

fn id(number: u8) -> InvitationId {
    InvitationId([number; 16])
}

fn invitation(number: u8) -> Invitation {
    let (workspace, access) = (WorkspaceId(Uuid::nil()), Access::Full);
    let secret = Secret(Zeroizing::new([number; 32]));
    Invitation { id: id(number), workspace, access, expires_ms: EXPIRES_MS, secret }
}

fn with_one() -> Invitations {
    let mut invitations = Invitations::default();
    invitations.add(0, invitation(1)).unwrap();
    invitations
}

fn engage(invitations: &mut Invitations, now_ms: u64) -> Result<(), PairingError> {
    invitations.engage(now_ms, id(1), |_| Ok(()))
}

fn wrong(invitations: &mut Invitations) -> Result<(), PairingError> {
    invitations.engage(0, id(1), |_| Err(PairingError::WrongProof))
}

fn refused<T>(code: CloseCode) -> Result<T, PairingError> {
    Err(PairingError::Invitation(code))
}

#[test]
fn invitation_holds_for_one_pairing() {
    let mut invitations = with_one();
    assert_eq!(engage(&mut invitations, 0), Ok(()));
    assert_eq!(engage(&mut invitations, 0), refused(CloseCode::Busy));
    assert_eq!(invitations.holds(id(1)), Ok(()));
    invitations.end(id(1), Ending::Paired);
    assert_eq!(engage(&mut invitations, 0), refused(CloseCode::Used));
    assert!(invitations.open(0).is_empty());
}

#[test]
fn invitation_ends_with_its_time_and_when_declined_or_withdrawn() {
    let mut invitations = with_one();
    assert_eq!(engage(&mut invitations, EXPIRES_MS), refused(CloseCode::Expired));
    assert!(invitations.open(EXPIRES_MS).is_empty());
    assert_eq!(invitations.open(EXPIRES_MS - 1).len(), 1);
    // Whoever began in time may take longer.
    assert_eq!(engage(&mut invitations, EXPIRES_MS - 1), Ok(()));
    assert_eq!(invitations.holds(id(1)), Ok(()));
    invitations.end(id(1), Ending::Declined);
    assert_eq!(engage(&mut invitations, 0), refused(CloseCode::Declined));
    assert!(!invitations.remove(id(1)));
    let mut invitations = with_one();
    assert_eq!(engage(&mut invitations, 0), Ok(()));
    assert!(invitations.remove(id(1)));
    assert_eq!(invitations.holds(id(1)), refused(CloseCode::UnknownInvitation));
    invitations.end(id(1), Ending::Paired);
    assert_eq!(engage(&mut invitations, 0), refused(CloseCode::UnknownInvitation));
}

#[test]
fn third_wrong_proof_burns_the_invitation_also_under_a_pairing() {
    let mut invitations = with_one();
    assert_eq!(engage(&mut invitations, 0), Ok(()));
    for _ in 0..MAX_WRONG_PROOFS {
        assert_eq!(wrong(&mut invitations), Err(PairingError::WrongProof));
    }
    assert_eq!(wrong(&mut invitations), refused(CloseCode::Burnt));
    assert_eq!(invitations.holds(id(1)), refused(CloseCode::Burnt));
    invitations.end(id(1), Ending::Broken);
    assert_eq!(engage(&mut invitations, 0), refused(CloseCode::Burnt));
}

#[test]
fn attempts_that_end_in_the_middle_may_be_repeated_some_times() {
    let mut invitations = with_one();
    for _ in 0..MAX_BROKEN_PAIRINGS {
        assert_eq!(engage(&mut invitations, 0), Ok(()));
        invitations.end(id(1), Ending::Broken);
    }
    assert_eq!(engage(&mut invitations, 0), refused(CloseCode::Burnt));
}

#[test]
fn ended_and_expired_invitations_make_room_and_holding_ones_do_not() {
    let mut invitations = Invitations::default();
    for number in 0..MAX_INVITATIONS as u8 {
        invitations.add(0, invitation(number)).unwrap();
    }
    assert_eq!(invitations.add(0, invitation(200)), Err(InviteError::TooMany));
    let first = invitations.engage(0, id(7), |_| Ok(()));
    assert_eq!(first, Ok(()));
    invitations.end(id(7), Ending::Paired);
    assert_eq!(invitations.add(0, invitation(200)), Ok(()));
    assert_eq!(invitations.open(0).len(), MAX_INVITATIONS);
    let gone = invitations.engage(0, id(7), |_| Ok(()));
    assert_eq!(gone, refused(CloseCode::UnknownInvitation));
    assert_eq!(invitations.add(EXPIRES_MS, invitation(201)), Ok(()));
    let nothing = Invitation { access: Access::None, ..invitation(9) };
    assert_eq!(invitations.add(EXPIRES_MS, nothing), Err(InviteError::NoAccess));
}
