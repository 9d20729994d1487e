//! The invitations of one inviter: which hold, and what became of the others.

use std::collections::BTreeMap;

use super::PairingError;
use super::close::CloseCode;
use super::invitation::{Invitation, InvitationId};
use crate::limits::{MAX_BROKEN_PAIRINGS, MAX_INVITATIONS, MAX_WRONG_PROOFS};

/// An invitation was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// Too many hold at once.
    #[error("{MAX_INVITATIONS} invitations hold already; withdraw some, or wait until they expire")]
    TooMany,
    /// It would allow nothing.
    #[error("an invitation must offer read-only or full access")]
    NoAccess,
}

/// What becomes of the invitation when an attempt with the right proof ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was used.
    Paired,
    /// A user said no.
    Declined,
    /// The attempt came to nothing; it may be tried again, some times.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Somebody with the right proof is at it.
    Engaged,
    Ended(CloseCode),
}

#[derive(Debug)]
struct Row {
    invitation: Invitation,
    state: State,
    wrong: u32,
    broken: u32,
    /// When it was made, in the order of making.
    number: u64,
}

/// Open invitations, and ended ones as long as there is room, so that whoever comes late is told
/// why.
#[derive(Debug, Default)]
pub(super) struct Invitations {
    rows: BTreeMap<InvitationId, Row>,
    made: u64,
}

impl Invitations {
    /// Takes one more.
    pub(super) fn add(&mut self, now_ms: u64, invitation: Invitation) -> Result<(), InviteError> {
        if invitation.access == crate::access::Access::None {
            return Err(InviteError::NoAccess);
        }
        if self.rows.len() >= MAX_INVITATIONS {
            let ended = self.rows.iter().filter(|(_, row)| match row.state {
                State::Open => row.invitation.expires_ms <= now_ms,
                State::Engaged => false,
                State::Ended(_) => true,
            });
            let oldest = ended.min_by_key(|(_, row)| row.number).map(|(&id, _)| id);
            self.rows.remove(&oldest.ok_or(InviteError::TooMany)?);
        }
        self.made += 1;
        let number = self.made;
        let row = Row { state: State::Open, wrong: 0, broken: 0, number, invitation };
        self.rows.insert(row.invitation.id, row);
        Ok(())
    }

    /// Forgets one; whether it held.
    pub(super) fn remove(&mut self, id: InvitationId) -> bool {
        matches!(self.rows.remove(&id), Some(Row { state: State::Open | State::Engaged, .. }))
    }

    /// Those that hold, in the order of making.
    pub(super) fn open(&self, now_ms: u64) -> Vec<Invitation> {
        let holds = |row: &&Row| {
            !matches!(row.state, State::Ended(_)) && row.invitation.expires_ms > now_ms
        };
        let mut open: Vec<_> = self.rows.values().filter(holds).collect();
        open.sort_unstable_by_key(|row| row.number);
        open.into_iter().map(|row| row.invitation.clone()).collect()
    }

    /// Begins an attempt: `check` says whether the proof is right for the invitation. While one is
    /// under way no other begins.
    ///
    /// # Errors
    /// Why not. A wrong proof is counted, and burns the invitation in the end.
    pub(super) fn engage<T>(
        &mut self,
        now_ms: u64,
        id: InvitationId,
        check: impl FnOnce(&Invitation) -> Result<T, PairingError>,
    ) -> Result<T, PairingError> {
        let refused = |code| Err(PairingError::Invitation(code));
        let Some(row) = self.rows.get_mut(&id) else {
            return refused(CloseCode::UnknownInvitation);
        };
        match row.state {
            State::Ended(code) => return refused(code),
            State::Open | State::Engaged if row.invitation.expires_ms <= now_ms => {
                return refused(CloseCode::Expired);
            }
            State::Open | State::Engaged => {}
        }
        let checked = check(&row.invitation);
        match &checked {
            Err(PairingError::WrongProof) => {
                row.wrong += 1;
                if row.wrong >= MAX_WRONG_PROOFS {
                    row.state = State::Ended(CloseCode::Burnt);
                }
            }
            Err(_) => {}
            Ok(_) if row.state == State::Engaged => return refused(CloseCode::Busy),
            Ok(_) => row.state = State::Engaged,
        }
        checked
    }

    /// Whether an attempt that is under way may still come to its end.
    pub(super) fn holds(&self, id: InvitationId) -> Result<(), PairingError> {
        match self.rows.get(&id).map(|row| row.state) {
            Some(State::Engaged) => Ok(()),
            Some(State::Ended(code)) => Err(PairingError::Invitation(code)),
            _ => Err(PairingError::Invitation(CloseCode::UnknownInvitation)),
        }
    }

    /// An attempt ended.
    pub(super) fn end(&mut self, id: InvitationId, ending: Ending) {
        // It may have been withdrawn, or burnt by others, meanwhile.
        let Some(row) = self.rows.get_mut(&id).filter(|row| row.state == State::Engaged) else {
            return;
        };
        row.state = match ending {
            Ending::Paired => State::Ended(CloseCode::Used),
            Ending::Declined => State::Ended(CloseCode::Declined),
            Ending::Broken => {
                row.broken += 1;
                match row.broken < MAX_BROKEN_PAIRINGS {
                    true => State::Open,
                    false => State::Ended(CloseCode::Burnt),
                }
            }
        };
    }
}

#[cfg(test)]
#[path = "invitations/tests.rs"]
mod tests;
