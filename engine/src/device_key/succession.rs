//! Successions: one key's statement that another takes its place, signed by both.
//!
//! ```text
//! succession := old:32 new:32 scope:u8 (workspace:16 if scope is 1) time:u64le by_old:64 by_new:64
//! chain      := count:varint succession*          each begins where the one before ended
//! ```
//!
//! The old key's signature gives the new one its place, the new key's says that it wants it: nobody
//! can put a device under a key that it does not hold.

use iroh::{PublicKey, SecretKey, Signature};

use crate::codec::{DecodeError, Reader, put_varint};
use crate::id::{DeviceId, WorkspaceId};
use crate::limits::MAX_SUCCESSIONS;

/// What both keys sign begins with this, so that no signature made for another purpose fits.
const DOMAIN: &[u8] = b"graphshell-sync 1 device succession\0";

/// A statement that the device with the key `old` goes on under the key `new`.
///
/// Says nothing as long as it is not [verified](Lineage::verify).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// The key that is given up.
    pub old: DeviceId,
    /// The key that takes its place.
    pub new: DeviceId,
    /// The only workspace that it is about; `None`: all of them.
    pub workspace: Option<WorkspaceId>,
    /// When it was signed, in unix milliseconds by the device's own clock. To be shown to people;
    /// nothing depends on it.
    pub time_ms: u64,
    by_old: Signature,
    by_new: Signature,
}

impl Succession {
    /// Signs that `new` takes the place of `old`.
    pub fn new(
        old: &SecretKey,
        new: &SecretKey,
        workspace: Option<WorkspaceId>,
        time_ms: u64,
    ) -> Self {
        let (old_id, new_id) = (device(&old.public()), device(&new.public()));
        let message = message(old_id, new_id, workspace, time_ms);
        let (by_old, by_new) = (old.sign(&message), new.sign(&message));
        Succession { old: old_id, new: new_id, workspace, time_ms, by_old, by_new }
    }

    fn verify(&self) -> Result<(), SuccessionError> {
        let message = message(self.old, self.new, self.workspace, self.time_ms);
        let signed = |key: DeviceId, signature: &Signature| {
            let key = PublicKey::from_bytes(&key.0).map_err(|_| SuccessionError::Forged(key))?;
            key.verify(&message, signature).map_err(|_| SuccessionError::Forged(device(&key)))
        };
        signed(self.old, &self.by_old)?;
        signed(self.new, &self.by_new)
    }

    /// The canonical bytes of a chain, for whoever carries it some other way than
    /// [`present`](crate::pairing::present).
    pub fn encode_chain(chain: &[Succession]) -> Vec<u8> {
        let mut out = Vec::new();
        put_chain(&mut out, chain);
        out
    }

    /// Reads what [`encode_chain`](Self::encode_chain) wrote. Nothing is verified by that.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn decode_chain(bytes: &[u8]) -> Result<Vec<Succession>, DecodeError> {
        let mut reader = Reader::new(bytes);
        let chain = read_chain(&mut reader)?;
        reader.finish("the end of the chain")?;
        Ok(chain)
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_statement(out, self.old, self.new, self.workspace, self.time_ms);
        out.extend_from_slice(&self.by_old.to_bytes());
        out.extend_from_slice(&self.by_new.to_bytes());
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let old = DeviceId(reader.array("the old key of a succession")?);
        let new = DeviceId(reader.array("the new key of a succession")?);
        let workspace = match reader.bounded(1, "0 for all workspaces, or 1 for one")? {
            0 => None,
            _ => Some(WorkspaceId(reader.uuid("a workspace id")?)),
        };
        let time_ms = u64::from_le_bytes(reader.array("the time of a succession")?);
        let by_old = Signature::from_bytes(&reader.array("the old key's signature")?);
        let by_new = Signature::from_bytes(&reader.array("the new key's signature")?);
        Ok(Succession { old, new, workspace, time_ms, by_old, by_new })
    }
}

fn device(key: &PublicKey) -> DeviceId {
    DeviceId(*key.as_bytes())
}

fn message(old: DeviceId, new: DeviceId, workspace: Option<WorkspaceId>, time_ms: u64) -> Vec<u8> {
    let mut message = DOMAIN.to_vec();
    put_statement(&mut message, old, new, workspace, time_ms);
    message
}

fn put_statement(
    out: &mut Vec<u8>,
    old: DeviceId,
    new: DeviceId,
    workspace: Option<WorkspaceId>,
    time_ms: u64,
) {
    out.extend_from_slice(&old.0);
    out.extend_from_slice(&new.0);
    match workspace {
        None => out.push(0),
        Some(workspace) => {
            out.push(1);
            out.extend_from_slice(workspace.0.as_bytes());
        }
    }
    out.extend_from_slice(&time_ms.to_le_bytes());
}

/// Appends a chain.
pub(crate) fn put_chain(out: &mut Vec<u8>, chain: &[Succession]) {
    put_varint(out, chain.len() as u64);
    chain.iter().for_each(|succession| succession.encode(out));
}

/// A chain of at most [`MAX_SUCCESSIONS`], as it stands there: nothing is verified.
pub(crate) fn read_chain(reader: &mut Reader<'_>) -> Result<Vec<Succession>, DecodeError> {
    let count = reader.bounded(MAX_SUCCESSIONS, "a count of successions, at most 4")?;
    (0..count).map(|_| Succession::decode(reader)).collect()
}

/// A verified chain of successions: the device that holds the key [`device`](Self::device) held
/// each of the keys [`earlier`](Self::earlier) before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    earlier: Vec<DeviceId>,
    device: DeviceId,
    workspace: Option<WorkspaceId>,
    time_ms: u64,
}

impl Lineage {
    /// Verifies what the authenticated device `from` presents.
    ///
    /// # Errors
    /// If a signature is wrong, the chain is empty or broken, or ends with another device's key.
    pub fn verify(from: DeviceId, chain: &[Succession]) -> Result<Self, SuccessionError> {
        let last = chain.last().ok_or(SuccessionError::Empty)?;
        if last.new != from {
            return Err(SuccessionError::Another { from, new: last.new });
        }
        let joined = chain
            .windows(2)
            .all(|pair| pair[0].new == pair[1].old && pair[0].workspace == pair[1].workspace);
        let earlier: Vec<DeviceId> = chain.iter().map(|succession| succession.old).collect();
        if !joined || earlier.contains(&from) {
            return Err(SuccessionError::Broken);
        }
        chain.iter().try_for_each(Succession::verify)?;
        let (workspace, time_ms) = (last.workspace, last.time_ms);
        Ok(Lineage { earlier, device: from, workspace, time_ms })
    }

    /// The keys that were given up, oldest first; at least one.
    pub fn earlier(&self) -> &[DeviceId] {
        &self.earlier
    }

    /// The key that holds now.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// The only workspace that it is about; `None`: all of them.
    pub fn workspace(&self) -> Option<WorkspaceId> {
        self.workspace
    }

    /// When the last succession was signed, in unix milliseconds by the device's own clock.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }
}

/// A chain of successions proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// There is none.
    #[error("expected at least one succession, found none")]
    Empty,
    /// It gives the place to a device other than the one that presents it.
    #[error("the succession is presented by {from}, but it gives its place to {new}")]
    Another {
        /// Who presents it.
        from: DeviceId,
        /// Whom it is for.
        new: DeviceId,
    },
    /// A succession does not begin where the one before ended, or leads in a circle.
    #[error("each succession must begin with the key that the one before ended with, once")]
    Broken,
    /// A signature is not the one of its key.
    #[error("the succession was not signed by {0}")]
    Forged(DeviceId),
}
