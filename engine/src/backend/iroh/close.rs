//! Why a connection is closed, as a number that the other side can tell its user.

use std::fmt;

use iroh::endpoint::{ApplicationClose, ConnectionError, VarInt};

use crate::limits::MAX_REASON_BYTES;

/// Why one side closed a connection. The number travels, beside a text for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// 0: the endpoint was closed, without a word of this protocol.
    Closed,
    /// 1: the workspace is being closed, or the program ends.
    Leaving,
    /// 2: the workspace is not shared with the other device (any more).
    NotAdmitted,
    /// 3: too many devices are connected; come again later.
    Busy,
    /// 4: a request broke the protocol. Nothing after it was read.
    Malformed,
    /// 5: a request was longer than [`MAX_FRAME_BYTES`](crate::limits::MAX_FRAME_BYTES).
    TooLong,
    /// 6: a request did not come, or its answer was not taken, in time.
    TooSlow,
    /// 7: the same device made a new connection in the same direction.
    Replaced,
    /// 8: both devices dialed each other at once, and the other connection is kept.
    Duplicate,
    /// 9: the user or the host wants to be disconnected.
    Disconnected,
    /// Any other number: a newer version, or another protocol.
    Other(u32),
}

impl CloseCode {
    /// The number that travels.
    pub fn number(self) -> u32 {
        match self {
            CloseCode::Closed => 0,
            CloseCode::Leaving => 1,
            CloseCode::NotAdmitted => 2,
            CloseCode::Busy => 3,
            CloseCode::Malformed => 4,
            CloseCode::TooLong => 5,
            CloseCode::TooSlow => 6,
            CloseCode::Replaced => 7,
            CloseCode::Duplicate => 8,
            CloseCode::Disconnected => 9,
            CloseCode::Other(number) => number,
        }
    }

    /// What a number means.
    pub fn from_number(number: u64) -> Self {
        match number {
            0 => CloseCode::Closed,
            1 => CloseCode::Leaving,
            2 => CloseCode::NotAdmitted,
            3 => CloseCode::Busy,
            4 => CloseCode::Malformed,
            5 => CloseCode::TooLong,
            6 => CloseCode::TooSlow,
            7 => CloseCode::Replaced,
            8 => CloseCode::Duplicate,
            9 => CloseCode::Disconnected,
            other => CloseCode::Other(u32::try_from(other).unwrap_or(u32::MAX)),
        }
    }

    /// The code with which the other side closed, if it did.
    pub fn of(error: &ConnectionError) -> Option<Self> {
        match error {
            ConnectionError::ApplicationClosed(ApplicationClose { error_code, .. }) => {
                Some(CloseCode::from_number(error_code.into_inner()))
            }
            _ => None,
        }
    }

    pub(super) fn wire(self) -> VarInt {
        VarInt::from_u32(self.number())
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            CloseCode::Closed => "the other device closed the connection",
            CloseCode::Leaving => "the other device is closing the workspace",
            CloseCode::NotAdmitted => {
                "the other device does not share the workspace with this one; pair them, or share it there"
            }
            CloseCode::Busy => {
                "the other device is connected to as many as it can be; try again later"
            }
            CloseCode::Malformed => {
                "the other device could not read a request; update the older of both programs"
            }
            CloseCode::TooLong => {
                "a request was longer than the other device reads; update the older of both programs"
            }
            CloseCode::TooSlow => {
                "the connection was too slow for the other device; try again on a better network"
            }
            CloseCode::Replaced => "a newer connection took the place of this one",
            CloseCode::Duplicate => "the connection that the other device dialed is kept",
            CloseCode::Disconnected => "the other device was told to disconnect",
            CloseCode::Other(_) => {
                "the other device closed for a reason that this version does not know"
            }
        };
        write!(f, "{what} (close code {})", self.number())
    }
}

/// A reason of one's own, as long as may travel.
pub(super) fn reason(text: &str) -> &[u8] {
    &text.as_bytes()[..text.floor_char_boundary(MAX_REASON_BYTES)]
}

/// The text that came with a close, as far as it may be shown: a stranger wrote it.
pub(super) fn told(error: &ConnectionError) -> String {
    let ConnectionError::ApplicationClosed(ApplicationClose { reason, .. }) = error else {
        return String::new();
    };
    let text = String::from_utf8_lossy(&reason[..reason.len().min(MAX_REASON_BYTES)]);
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_number_of_its_own_and_says_it() {
        for number in 0..=20 {
            let code = CloseCode::from_number(number);
            assert_eq!(u64::from(code.number()), number);
            assert!(code.to_string().contains(&format!("close code {number}")), "{code}");
            assert_eq!(number > 9, matches!(code, CloseCode::Other(_)));
        }
        assert_eq!(CloseCode::from_number(u64::MAX), CloseCode::Other(u32::MAX));
    }
}
