//! The protocol of pairing without a network: frames in, frames out, one type for each stage.
//!
//! ```text
//! joiner     Joining::begin ── Hello ──> inviter    Asked::read ── Asked::check ── Welcoming
//!            Joining::welcome  <── Welcome ──
//!            Introduced      ── Reveal ──>          Welcoming::reveal ── Introduced
//! ```

use std::collections::BTreeSet;

use iroh::{EndpointAddr, PublicKey, TransportAddr};

use super::PairingError;
use super::fingerprint::Fingerprint;
use super::frame::{Frame, Hello, Proof, Welcome};
use super::host::{Introduction, Paired};
use super::invitation::Invitation;
use super::name::DeviceName;
use super::ticket::Ticket;
use crate::codec::DecodeError;
use crate::id::DeviceId;

/// Who sits at the two ends, as the network authenticated them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) joiner: PublicKey,
    pub(super) inviter: PublicKey,
}

/// All that was said, hashed, with the key that only holders of the ticket have.
struct Transcript<'a> {
    invitation: &'a Invitation,
    said: Vec<u8>,
}

impl<'a> Transcript<'a> {
    fn begin(invitation: &'a Invitation, ends: Ends, hello: &Hello) -> Self {
        let mut said = Vec::with_capacity(512);
        said.extend_from_slice(ends.joiner.as_bytes());
        said.extend_from_slice(ends.inviter.as_bytes());
        said.extend_from_slice(invitation.workspace.0.as_bytes());
        said.push(invitation.access.byte());
        said.extend_from_slice(&invitation.expires_ms.to_le_bytes());
        hello.put_claim(&mut said);
        Transcript { invitation, said }
    }

    fn joiners_proof(&self) -> Proof {
        self.keyed("graphshell-sync 1 pairing, joiner")
    }

    /// The inviter's proof covers the joiner's, and so all that the joiner said.
    fn inviters_proof(&mut self, hello: &Hello, welcome: &Welcome) -> Proof {
        self.said.extend_from_slice(hello.proof.as_bytes());
        welcome.put_claim(&mut self.said);
        self.keyed("graphshell-sync 1 pairing, inviter")
    }

    /// After [`inviters_proof`](Self::inviters_proof): over both keys, both nonces, the workspace.
    fn fingerprint(&mut self, joiners_nonce: &[u8; 32]) -> Fingerprint {
        self.said.extend_from_slice(joiners_nonce);
        Fingerprint::of(self.keyed("graphshell-sync 1 pairing, fingerprint").as_bytes())
    }

    fn keyed(&self, purpose: &str) -> blake3::Hash {
        let key = zeroize::Zeroizing::new(blake3::derive_key(purpose, &*self.invitation.secret.0));
        blake3::keyed_hash(&key, &self.said)
    }
}

fn commitment(nonce: &[u8; 32]) -> [u8; 32] {
    blake3::derive_key("graphshell-sync 1 pairing, commitment to a nonce", nonce)
}

/// A joiner that has said hello.
#[derive(Debug)]
pub(super) struct Joining {
    ticket: Ticket,
    ends: Ends,
    hello: Hello,
    nonce: [u8; 32],
}

impl Joining {
    /// The joiner, and its Hello. `nonce` is random.
    pub(super) fn begin(
        ticket: &Ticket,
        me: PublicKey,
        name: &DeviceName,
        nonce: [u8; 32],
    ) -> (Self, Frame) {
        let ends = Ends { joiner: me, inviter: ticket.address().id };
        let invitation = ticket.invitation();
        let mut hello = Hello {
            invitation: invitation.id,
            commitment: commitment(&nonce),
            name: name.clone(),
            proof: Proof::from_bytes([0; 32]),
        };
        hello.proof = Transcript::begin(invitation, ends, &hello).joiners_proof();
        let frame = Frame::Hello(hello.clone());
        (Joining { ticket: ticket.clone(), ends, hello, nonce }, frame)
    }

    /// Takes the inviter's Welcome; returns whom the user is to decide on, and the Reveal, which
    /// tells where this device is reached.
    ///
    /// # Errors
    /// If it is none, or its proof is wrong.
    pub(super) fn welcome(
        self,
        body: &[u8],
        reached_at: BTreeSet<TransportAddr>,
    ) -> Result<(Introduced, Frame), PairingError> {
        let Frame::Welcome(welcome) = Frame::decode(body)? else {
            return Err(unexpected("the inviter's Welcome"));
        };
        let invitation = self.ticket.invitation();
        let mut transcript = Transcript::begin(invitation, self.ends, &self.hello);
        // The comparison of hashes takes the same time whatever they are.
        if transcript.inviters_proof(&self.hello, &welcome) != welcome.proof {
            return Err(PairingError::WrongProof);
        }
        let fingerprint = transcript.fingerprint(&self.nonce);
        let address = self.ticket.address();
        let introduced = Introduced::new(address, welcome.name, fingerprint, invitation);
        Ok((introduced, Frame::Reveal { nonce: self.nonce, addresses: reached_at }))
    }
}

/// A Hello that an inviter has read and not yet checked.
#[derive(Debug)]
pub(super) struct Asked(Hello);

impl Asked {
    pub(super) fn new(hello: Hello) -> Self {
        Asked(hello)
    }

    /// The invitation that it names.
    pub(super) fn invitation(&self) -> super::invitation::InvitationId {
        self.0.invitation
    }

    /// Checks the proof; returns the Welcome. `nonce` is random.
    ///
    /// # Errors
    /// [`PairingError::WrongProof`].
    pub(super) fn check(
        self,
        invitation: &Invitation,
        ends: Ends,
        name: &DeviceName,
        nonce: [u8; 32],
    ) -> Result<(Welcoming, Frame), PairingError> {
        let mut transcript = Transcript::begin(invitation, ends, &self.0);
        // The comparison of hashes takes the same time whatever they are.
        if transcript.joiners_proof() != self.0.proof {
            return Err(PairingError::WrongProof);
        }
        let mut welcome = Welcome { nonce, name: name.clone(), proof: Proof::from_bytes([0; 32]) };
        welcome.proof = transcript.inviters_proof(&self.0, &welcome);
        let frame = Frame::Welcome(welcome.clone());
        let invitation = invitation.clone();
        Ok((Welcoming { invitation, ends, hello: self.0, welcome }, frame))
    }
}

/// An inviter that has said welcome.
#[derive(Debug)]
pub(super) struct Welcoming {
    invitation: Invitation,
    ends: Ends,
    hello: Hello,
    welcome: Welcome,
}

impl Welcoming {
    /// Takes the joiner's Reveal; returns whom the user is to decide on.
    ///
    /// # Errors
    /// If it is none, or not what the joiner committed itself to.
    pub(super) fn reveal(self, body: &[u8]) -> Result<Introduced, PairingError> {
        let Frame::Reveal { nonce, addresses } = Frame::decode(body)? else {
            return Err(unexpected("the joiner's Reveal"));
        };
        if commitment(&nonce) != self.hello.commitment {
            return Err(PairingError::WrongProof);
        }
        let mut transcript = Transcript::begin(&self.invitation, self.ends, &self.hello);
        transcript.inviters_proof(&self.hello, &self.welcome);
        let fingerprint = transcript.fingerprint(&nonce);
        let address = EndpointAddr { id: self.ends.joiner, addrs: addresses };
        Ok(Introduced::new(address, self.hello.name, fingerprint, &self.invitation))
    }
}

/// Two devices that have proven to each other that they know the ticket; the users are to decide.
#[derive(Debug)]
pub(super) struct Introduced {
    pub(super) introduction: Introduction,
    address: EndpointAddr,
}

impl Introduced {
    fn new(
        address: EndpointAddr,
        name: DeviceName,
        fingerprint: Fingerprint,
        invitation: &Invitation,
    ) -> Self {
        let device = DeviceId(*address.id.as_bytes());
        let Invitation { workspace, access, .. } = *invitation;
        let introduction = Introduction { device, name, fingerprint, workspace, access };
        Introduced { introduction, address }
    }

    /// Both users said yes.
    pub(super) fn paired(self) -> Paired {
        let Introduction { device, name, workspace, access, .. } = self.introduction;
        Paired { device, name, address: self.address, workspace, access }
    }
}

/// Something else than what the protocol says comes now.
pub(super) fn unexpected(expected: &'static str) -> PairingError {
    PairingError::Malformed(DecodeError { offset: 0, expected })
}

/// Takes the frame that says nothing but its kind.
///
/// # Errors
/// If it is another one.
pub(super) fn expect(
    frame: &Frame,
    body: &[u8],
    expected: &'static str,
) -> Result<(), PairingError> {
    if Frame::decode(body)? == *frame { Ok(()) } else { Err(unexpected(expected)) }
}

#[cfg(test)]
#[path = "handshake/tests.rs"]
mod tests;
