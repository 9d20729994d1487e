//! Why a pairing came to nothing.

use super::close::CloseCode;
use super::name::may_be_shown;
use super::ticket::TicketError;
use crate::codec::DecodeError;
use crate::device_key::SuccessionError;
use crate::limits::MAX_REASON_BYTES;

/// A pairing, or a presentation of a succession, came to nothing. On this side nothing was
/// recorded, unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairingError {
    /// The ticket is of no use.
    #[error(transparent)]
    Ticket(#[from] TicketError),
    /// There is no connection to the other device.
    #[error(
        "the other device cannot be reached: {0}; is its program running, and is it in the same \
         network or reachable through a relay?"
    )]
    Unreachable(String),
    /// The other side closed the connection.
    #[error("the other device refused: {}", said(*code, reason))]
    Refused {
        /// The reason's number.
        code: u64,
        /// What it said, without characters that steer a terminal.
        reason: String,
    },
    /// The connection broke.
    #[error("the connection was lost: {0}; try again")]
    Lost(String),
    /// The connection broke after this side's user said yes: the other side may have recorded it.
    #[error(
        "the connection was lost before the other device said that it is done: {0}; if it lists this \
         device as paired, withdraw that there, and pair again with a new ticket"
    )]
    Unfinished(String),
    /// What the other side sent breaks the protocol.
    #[error("the other device broke the protocol of pairing: {0}")]
    Malformed(#[from] DecodeError),
    /// The other side speaks another version.
    #[error(
        "the other device speaks version {0} of pairing, this one version 1; update the older program"
    )]
    Version(u8),
    /// A frame was too long.
    #[error("the other device sent a frame of {length} bytes; at most {most} are allowed")]
    TooLong {
        /// How long it claimed to be, in bytes.
        length: usize,
        /// How long one may be, in bytes.
        most: usize,
    },
    /// Something did not come in time.
    #[error("{0} did not come in time; try again")]
    TooSlow(&'static str),
    /// The other side does not know the ticket's secret, or was told another ticket.
    #[error(
        "the other device does not know this ticket: it was changed on its way, or somebody else \
         answers; ask for a new one"
    )]
    WrongProof,
    /// The user of this device declined.
    #[error("declined on this device")]
    Declined,
    /// The invitation cannot be used: unknown, expired, used, declined or burnt, or somebody is at it.
    #[error("{0}")]
    Invitation(CloseCode),
    /// Too many pair at once.
    #[error("too many devices try to pair at once")]
    Busy,
    /// A succession proves nothing.
    #[error(transparent)]
    Succession(#[from] SuccessionError),
    /// The host does not trust the device that a succession is about.
    #[error("none of the earlier keys is trusted here")]
    NotTrusted,
    /// The host could not record what was agreed.
    #[error("what was agreed could not be recorded: {0}")]
    NotRecorded(String),
    /// This program is ending.
    #[error("the program is ending")]
    Closing,
}

impl PairingError {
    /// The code with which this side closes the connection.
    pub fn close_code(&self) -> CloseCode {
        match self {
            PairingError::Ticket(TicketError::Expired { .. }) => CloseCode::Expired,
            PairingError::Ticket(_) | PairingError::Malformed(_) => CloseCode::Malformed,
            PairingError::Unreachable(_)
            | PairingError::Refused { .. }
            | PairingError::Lost(_)
            | PairingError::Unfinished(_) => CloseCode::Done,
            PairingError::Version(_) => CloseCode::Version,
            PairingError::TooLong { .. } => CloseCode::TooLong,
            PairingError::TooSlow(_) => CloseCode::TooSlow,
            PairingError::WrongProof => CloseCode::WrongProof,
            PairingError::Declined => CloseCode::Declined,
            PairingError::Invitation(code) => *code,
            PairingError::Busy => CloseCode::Busy,
            PairingError::Succession(_) => CloseCode::Unproven,
            PairingError::NotTrusted => CloseCode::NotTrusted,
            PairingError::NotRecorded(_) => CloseCode::NotRecorded,
            PairingError::Closing => CloseCode::Closing,
        }
    }

    /// The other side's verdict, if it closed the connection with a known code.
    pub fn refusal(&self) -> Option<CloseCode> {
        match self {
            PairingError::Refused { code, .. } => CloseCode::from_code(*code),
            _ => None,
        }
    }

    /// What a stranger gave as its reason, fit to be shown.
    pub(super) fn refused(code: u64, reason: &[u8]) -> Self {
        let reason = String::from_utf8_lossy(&reason[..reason.len().min(MAX_REASON_BYTES)]);
        let reason = reason.chars().filter(|&c| may_be_shown(c)).collect();
        PairingError::Refused { code, reason }
    }
}

fn said(code: u64, reason: &str) -> String {
    match CloseCode::from_code(code) {
        Some(code) => code.to_string(),
        None => format!("code {code}, {reason:?}"),
    }
}
