//! Tickets: an invitation and the way to its inviter, as a text to copy or to show as a picture.
//!
//! ```text
//! text   := "graphshell" base32(ticket checksum:4)             lowercase, no padding
//! ticket := version:u8 device:32 workspace:16 invitation:16 secret:32 expires:varint access:u8
//!           name addresses
//! ```
//!
//! The checksum, the first bytes of a BLAKE3 hash, tells a slip in copying from a wrong proof, which
//! would count against the invitation. Every version is to end with it. A ticket is a secret until it is used.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use iroh::{EndpointAddr, PublicKey, TransportAddr};
use iroh_tickets::ParseError;
use zeroize::Zeroizing;

use super::invitation::{Invitation, InvitationId, Secret};
use super::name::DeviceName;
use super::{PAIRING_VERSION, address};
use crate::access::Access;
use crate::codec::{DecodeError, Reader, put_varint};
use crate::id::{DeviceId, WorkspaceId};
use crate::limits::{MAX_TICKET_BYTES, PAIRING_CLOCK_SKEW_MS};

const CHECKSUM_BYTES: usize = 4;
const KIND: &str = "graphshell";

/// An invitation, and where its inviter is reached. Its text form is what `Display` writes and
/// `FromStr` reads; upper case, blanks and line breaks in it do no harm.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    device: PublicKey,
    addresses: BTreeSet<TransportAddr>,
    invitation: Invitation,
    inviter: DeviceName,
}

impl Ticket {
    /// A ticket for an invitation of the device at `address`, of which at most
    /// [`MAX_PAIRING_ADDRESSES`](crate::limits::MAX_PAIRING_ADDRESSES) are told.
    pub(super) fn new(address: &EndpointAddr, inviter: DeviceName, invitation: Invitation) -> Self {
        Ticket { device: address.id, addresses: address::tellable(address), invitation, inviter }
    }

    /// The device that invites.
    pub fn device(&self) -> DeviceId {
        DeviceId(*self.device.as_bytes())
    }

    /// Where it was reached when it made the ticket.
    pub fn address(&self) -> EndpointAddr {
        EndpointAddr { id: self.device, addrs: self.addresses.clone() }
    }

    /// What it calls itself. A ticket that somebody changed may say anything here.
    pub fn inviter(&self) -> &DeviceName {
        &self.inviter
    }

    /// The invitation.
    pub fn invitation(&self) -> &Invitation {
        &self.invitation
    }

    /// Refuses a ticket that has expired beyond doubt. Clocks differ, so one that expired just now is
    /// left to the inviter to judge.
    ///
    /// # Errors
    /// [`TicketError::Expired`].
    pub fn check(&self, now_ms: u64) -> Result<(), TicketError> {
        let expires_ms = self.invitation.expires_ms;
        match now_ms.checked_sub(expires_ms) {
            Some(since_ms) if since_ms > PAIRING_CLOCK_SKEW_MS => {
                Err(TicketError::Expired { minutes: since_ms / 60_000 })
            }
            _ => Ok(()),
        }
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let Invitation { id, workspace, access, expires_ms, secret } = &self.invitation;
        let mut out = vec![PAIRING_VERSION];
        out.extend_from_slice(self.device.as_bytes());
        out.extend_from_slice(workspace.0.as_bytes());
        out.extend_from_slice(&id.0);
        out.extend_from_slice(&*secret.0);
        put_varint(&mut out, *expires_ms);
        out.push(access.byte());
        self.inviter.encode(&mut out);
        address::put(&mut out, &self.addresses);
        let checksum = blake3::hash(&out);
        out.extend_from_slice(&checksum.as_bytes()[..CHECKSUM_BYTES]);
        out
    }

    /// Reads the canonical bytes, and nothing else.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn decode(bytes: &[u8]) -> Result<Self, TicketError> {
        if bytes.len() > MAX_TICKET_BYTES {
            return Err(TicketError::TooLong(bytes.len()));
        }
        let length = bytes.len().checked_sub(CHECKSUM_BYTES);
        let (content, checksum) = length
            .map(|length| bytes.split_at(length))
            .ok_or(TicketError::Damaged("it ends too early"))?;
        if *checksum != blake3::hash(content).as_bytes()[..CHECKSUM_BYTES] {
            return Err(TicketError::Damaged("its checksum is wrong"));
        }
        match content.first() {
            None => return Err(TicketError::Damaged("it is empty")),
            Some(&version) if version != PAIRING_VERSION => {
                return Err(TicketError::Version(version));
            }
            Some(_) => {}
        }
        let mut reader = Reader::new(content);
        let ticket = Self::read(&mut reader)?;
        reader.finish("the end of the ticket")?;
        Ok(ticket)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.u8("version 1")?;
        let start = reader.clone();
        let device = PublicKey::from_bytes(&reader.array("a device's public key")?);
        let device = device.map_err(|_| start.error("a device's public key"))?;
        let workspace = WorkspaceId(reader.uuid("a workspace id")?);
        let id = InvitationId(reader.array("an invitation id")?);
        let secret = Secret(Zeroizing::new(reader.array("a secret of 32 bytes")?));
        let expires_ms = reader.varint("when the ticket expires")?;
        let access = read_access(reader)?;
        let inviter = DeviceName::decode(reader)?;
        let addresses = address::read(reader)?;
        let invitation = Invitation { id, workspace, access, expires_ms, secret };
        Ok(Ticket { device, addresses, invitation, inviter })
    }
}

/// What a joiner is offered: it is never nothing.
pub(super) fn read_access(reader: &mut Reader<'_>) -> Result<Access, DecodeError> {
    let start = reader.clone();
    let access = Access::from_byte(reader.u8("an access: 1 for full, 2 for read-only")?);
    let access = access.filter(|access| *access != Access::None);
    access.ok_or_else(|| start.error("an access: 1 for full, 2 for read-only"))
}

impl iroh_tickets::Ticket for Ticket {
    const KIND: &'static str = KIND;

    fn encode_bytes(&self) -> Vec<u8> {
        self.encode()
    }

    /// The error names less than [`Ticket::decode`]'s, which is to be preferred.
    fn decode_bytes(bytes: &[u8]) -> Result<Self, ParseError> {
        Ticket::decode(bytes).map_err(|error| {
            ParseError::verification_failed(match error {
                TicketError::Version(_) => "expected a ticket of version 1",
                TicketError::Malformed(DecodeError { expected, .. }) => expected,
                _ => "expected a whole ticket, as it was made",
            })
        })
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&iroh_tickets::Ticket::encode_string(self))
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        // Beyond this it is no ticket, however many blanks are in it.
        if text.len() > 4 * MAX_TICKET_BYTES {
            return Err(TicketError::TooLong(text.len()));
        }
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let text = text.to_ascii_uppercase();
        let Some(rest) = text.strip_prefix(&KIND.to_ascii_uppercase()) else {
            let found = text.to_ascii_lowercase().chars().take(KIND.len() + 2).collect();
            return Err(TicketError::Kind { found });
        };
        let bytes = data_encoding::BASE32_NOPAD.decode(rest.as_bytes());
        let bytes = bytes.map(Zeroizing::new).map_err(|error| match error.kind {
            data_encoding::DecodeKind::Symbol => {
                let found = rest.get(error.position..).and_then(|rest| rest.chars().next());
                TicketError::Character(found.unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            _ => TicketError::Damaged("its end is missing"),
        })?;
        Ticket::decode(&bytes)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("address", &self.address())
            .field("invitation", &self.invitation)
            .field("inviter", &self.inviter)
            .finish()
    }
}

/// A text or bytes are no ticket that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// It begins like something else.
    #[error("no ticket: expected a text that begins with {KIND:?}, found {found:?}")]
    Kind {
        /// How it begins.
        found: String,
    },
    /// A character that no ticket has.
    #[error(
        "the ticket was changed: expected letters and the digits 2 to 7, found {0:?}; copy it again"
    )]
    Character(char),
    /// It is longer than any ticket.
    #[error("no ticket: it has {0} bytes, at most {MAX_TICKET_BYTES} were expected")]
    TooLong(usize),
    /// It was made by another version.
    #[error("the ticket has version {0}, expected {PAIRING_VERSION}; update the older program")]
    Version(u8),
    /// It is not what was made.
    #[error("the ticket is incomplete or was changed ({0}); copy it again as a whole")]
    Damaged(&'static str),
    /// It is whole, and yet not what the format says: made by something else.
    #[error("the ticket is malformed {0}; ask for a new one")]
    Malformed(#[from] DecodeError),
    /// This device made it.
    #[error("the ticket was made on this device; enter it on the other one")]
    Own,
    /// It is too late.
    #[error(
        "the ticket expired {minutes} minutes ago by this device's clock; ask for a new one, or set \
         the clock"
    )]
    Expired {
        /// How long ago.
        minutes: u64,
    },
}

#[cfg(test)]
#[path = "ticket/tests.rs"]
pub(super) mod tests;
