//! What the two devices say to each other.
//!
//! ```text
//! frame   := length:u16le body                     length of the body, from 1
//! body    := 1 version:u8 invitation:16 commitment:32 name proof:32        Hello
//!          | 2 nonce:32 name proof:32                                      Welcome
//!          | 3 nonce:32 addresses                                          Reveal
//!          | 4                                                             Confirm
//!          | 5                                                             Done
//!          | 6 version:u8 chain                                            Present
//!          | 7                                                             Followed
//! ```
//!
//! The first frame of a connection, Hello or Present, names the version.

use std::collections::BTreeSet;

use iroh::TransportAddr;

use super::invitation::InvitationId;
use super::name::DeviceName;
use super::{PAIRING_VERSION, PairingError, address};
use crate::codec::{DecodeError, Reader};
use crate::device_key::Succession;
use crate::device_key::succession::{put_chain, read_chain};

/// Decodes the body of one frame as a stranger may send it, and encodes it again: the same bytes. For
/// fuzzers and other tools; pairing itself needs no help.
///
/// # Errors
/// As whoever pairs would meet them.
pub fn canonical_frame(body: &[u8]) -> Result<Vec<u8>, PairingError> {
    Ok(Frame::decode(body)?.encode())
}

/// A keyed hash by which one side proves that it knows the ticket.
pub(super) type Proof = blake3::Hash;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Hello(Hello),
    Welcome(Welcome),
    Reveal { nonce: [u8; 32], addresses: BTreeSet<TransportAddr> },
    Confirm,
    Done,
    Present(Vec<Succession>),
    Followed,
}

/// The joiner's first words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) invitation: InvitationId,
    /// The hash of the joiner's nonce.
    pub(super) commitment: [u8; 32],
    pub(super) name: DeviceName,
    pub(super) proof: Proof,
}

/// The inviter's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Welcome {
    pub(super) nonce: [u8; 32],
    pub(super) name: DeviceName,
    pub(super) proof: Proof,
}

impl Hello {
    /// All but the proof: what it proves.
    pub(super) fn put_claim(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[1, PAIRING_VERSION]);
        out.extend_from_slice(&self.invitation.0);
        out.extend_from_slice(&self.commitment);
        self.name.encode(out);
    }
}

impl Welcome {
    /// All but the proof: what it proves.
    pub(super) fn put_claim(&self, out: &mut Vec<u8>) {
        out.push(2);
        out.extend_from_slice(&self.nonce);
        self.name.encode(out);
    }
}

impl Frame {
    /// The body.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Frame::Hello(hello) => {
                hello.put_claim(&mut out);
                out.extend_from_slice(hello.proof.as_bytes());
            }
            Frame::Welcome(welcome) => {
                welcome.put_claim(&mut out);
                out.extend_from_slice(welcome.proof.as_bytes());
            }
            Frame::Reveal { nonce, addresses } => {
                out.push(3);
                out.extend_from_slice(nonce);
                address::put(&mut out, addresses);
            }
            Frame::Confirm => out.push(4),
            Frame::Done => out.push(5),
            Frame::Present(chain) => {
                out.extend_from_slice(&[6, PAIRING_VERSION]);
                put_chain(&mut out, chain);
            }
            Frame::Followed => out.push(7),
        }
        out
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`PairingError::Version`] or [`PairingError::Malformed`].
    pub(super) fn decode(body: &[u8]) -> Result<Self, PairingError> {
        if let [1 | 6, version, ..] = *body
            && version != PAIRING_VERSION
        {
            return Err(PairingError::Version(version));
        }
        let mut reader = Reader::new(body);
        let frame = Self::read(&mut reader)?;
        reader.finish("the end of the frame")?;
        Ok(frame)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = reader.clone();
        Ok(match reader.u8("a kind of frame: 1 to 7")? {
            1 => {
                reader.u8("version 1")?;
                let invitation = InvitationId(reader.array("an invitation id")?);
                let commitment = reader.array("a commitment of 32 bytes")?;
                let name = DeviceName::decode(reader)?;
                let proof = read_proof(reader)?;
                Frame::Hello(Hello { invitation, commitment, name, proof })
            }
            2 => {
                let nonce = reader.array("a nonce of 32 bytes")?;
                let name = DeviceName::decode(reader)?;
                let proof = read_proof(reader)?;
                Frame::Welcome(Welcome { nonce, name, proof })
            }
            3 => {
                let nonce = reader.array("a nonce of 32 bytes")?;
                Frame::Reveal { nonce, addresses: address::read(reader)? }
            }
            4 => Frame::Confirm,
            5 => Frame::Done,
            6 => {
                reader.u8("version 1")?;
                Frame::Present(read_chain(reader)?)
            }
            7 => Frame::Followed,
            _ => return Err(start.error("a kind of frame: 1 to 7")),
        })
    }
}

fn read_proof(reader: &mut Reader<'_>) -> Result<Proof, DecodeError> {
    Ok(Proof::from_bytes(reader.array("a proof of 32 bytes")?))
}

#[cfg(test)]
#[path = "frame/tests.rs"]
mod tests;
