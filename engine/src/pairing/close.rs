//! Why a pairing's connection was closed, in a number.

use iroh::endpoint::VarInt;

/// Why one side closed the connection: the application's error code of QUIC. The reason beside it
/// says the same in words. The numbers are part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CloseCode {
    /// All is done.
    Done = 0,
    /// A frame was not what the protocol says.
    Malformed = 1,
    /// A frame was longer than any may be.
    TooLong = 2,
    /// A frame, or a user's answer, did not come in time.
    TooSlow = 3,
    /// The other side speaks another version of the protocol.
    Version = 4,
    /// The inviter knows no such invitation: it was withdrawn, or its program was started anew.
    UnknownInvitation = 5,
    /// The invitation has expired.
    Expired = 6,
    /// A device was paired with this invitation already.
    Used = 7,
    /// A user declined: this time, or for an invitation before.
    Declined = 8,
    /// The proof does not fit the invitation, or the ticket.
    WrongProof = 9,
    /// Too many wrong proofs were given for the invitation, or too many attempts ended in the middle.
    Burnt = 10,
    /// Somebody else uses the invitation at this moment, or too many pair at once.
    Busy = 11,
    /// A succession's signatures or keys do not prove anything.
    Unproven = 12,
    /// The succession is not about a device that is trusted here.
    NotTrusted = 13,
    /// The host could not record what was agreed.
    NotRecorded = 14,
    /// The program is ending.
    Closing = 15,
}

impl CloseCode {
    const ALL: [CloseCode; 16] = [
        CloseCode::Done,
        CloseCode::Malformed,
        CloseCode::TooLong,
        CloseCode::TooSlow,
        CloseCode::Version,
        CloseCode::UnknownInvitation,
        CloseCode::Expired,
        CloseCode::Used,
        CloseCode::Declined,
        CloseCode::WrongProof,
        CloseCode::Burnt,
        CloseCode::Busy,
        CloseCode::Unproven,
        CloseCode::NotTrusted,
        CloseCode::NotRecorded,
        CloseCode::Closing,
    ];

    /// The number.
    pub fn code(self) -> u32 {
        u32::from(self as u8)
    }

    /// What a number stands for; `None` if this version knows no such.
    pub fn from_code(code: u64) -> Option<Self> {
        usize::try_from(code).ok().and_then(|code| Self::ALL.get(code)).copied()
    }

    pub(super) fn quic(self) -> VarInt {
        VarInt::from_u32(self.code())
    }
}

impl std::fmt::Display for CloseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CloseCode::Done => "all is done",
            CloseCode::Malformed => "what was sent breaks the protocol of pairing",
            CloseCode::TooLong => "a frame was too long",
            CloseCode::TooSlow => "an answer did not come in time; try again",
            CloseCode::Version => {
                "the other device speaks another version of pairing; update the older program"
            }
            CloseCode::UnknownInvitation => {
                "the invitation is not known (any more); ask for a new ticket"
            }
            CloseCode::Expired => "the invitation has expired; ask for a new ticket",
            CloseCode::Used => "the invitation was used already; ask for a new ticket",
            CloseCode::Declined => "it was declined; to try again ask for a new ticket",
            CloseCode::WrongProof => {
                "the proof does not fit the ticket; copy the whole ticket, or ask for a new one"
            }
            CloseCode::Burnt => {
                "too many attempts with this invitation failed; ask for a new ticket"
            }
            CloseCode::Busy => "another pairing is under way; try again in a minute",
            CloseCode::Unproven => "the succession proves nothing",
            CloseCode::NotTrusted => {
                "the device's earlier key is not trusted there (any more); pair anew"
            }
            CloseCode::NotRecorded => {
                "the other device could not record it; look at what it says, then try again"
            }
            CloseCode::Closing => "the other program is ending; start it and try again",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_numbered_without_gaps_and_read_back() {
        for (number, code) in CloseCode::ALL.into_iter().enumerate() {
            assert_eq!(code.code() as usize, number);
            assert_eq!(CloseCode::from_code(number as u64), Some(code));
        }
        assert_eq!(CloseCode::from_code(CloseCode::ALL.len() as u64), None);
        assert_eq!(CloseCode::from_code(u64::MAX), None);
    }
}
