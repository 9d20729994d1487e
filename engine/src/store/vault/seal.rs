//! Sealing: how bytes become such that nobody reads, changes or moves them unnoticed.
//!
//! ```text
//! sealed := format:u8 key:varint nonce:12 ciphertext tag:16
//! ```
//! AES-256-GCM (NIST SP 800-38D) under the data key `key`, with a random nonce. The associated data
//! is the whole name of the value: format, workspace, key, and where it stands. So sealed bytes open
//! under their own name only; a value that was copied to another place does not.
//!
//! Random nonces of 96 bits allow 2³² seals under one key (NIST SP 800-38D, 8.3) before a
//! repetition becomes likelier than 2⁻³². At a hundred seals a second that takes a year and a half;
//! an embedder that expects more rotates the key.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::AeadInOut;
use rkyv::util::AlignedVec;

use super::keys::KeyRing;
use super::press::Press;
use crate::codec::{Reader, put_varint};
use crate::id::WorkspaceId;
use crate::ports::{Entropy, StoreError};

/// The format that this engine writes, of sealed values and of the whole vault.
pub(super) const FORMAT: u8 = 1;
const DOMAIN: &[u8] = b"graphshell-sync 1 vault";
pub(super) const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// The last bytes of a sealed value. No two values have the same.
pub(super) type Tag = [u8; TAG_BYTES];

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name<'a> {
    /// The block of the log that holds `records` records from position `first` on.
    Block { first: u64, records: u32 },
    /// A part of the log's base.
    Base { generation: u32, chunk: u32, chunks: u32 },
    /// A part of a snapshot.
    Snapshot { generation: u64, chunk: u32, chunks: u32 },
    /// A row of the database.
    Row { table: &'a str, key: &'a [u8] },
}

/// Sealed bytes do not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SealError {
    #[error("it has format {0}, this engine knows {FORMAT}")]
    Version(u8),
    #[error("expected a value sealed under a data key that is known, found key {0}")]
    Key(u32),
    #[error("its seal does not open: the bytes were changed, or belong elsewhere")]
    Broken,
    #[error("expected {0}")]
    Malformed(&'static str),
}

impl SealError {
    /// The error of whoever wanted to read `place`. What a newer engine wrote is not damaged.
    pub(super) fn at(self, place: impl std::fmt::Display) -> StoreError {
        match self {
            SealError::Version(_) => StoreError::Refused(format!("{place}: {self}")),
            _ => StoreError::Damaged(format!("{place}: {self}")),
        }
    }
}

/// Seals and opens the values of one vault.
pub(super) struct Sealer {
    workspace: WorkspaceId,
    ring: KeyRing,
    press: Press,
}

impl Sealer {
    pub(super) fn new(workspace: WorkspaceId, ring: KeyRing) -> Result<Self, StoreError> {
        Ok(Sealer { workspace, ring, press: Press::new()? })
    }

    pub(super) fn ring(&mut self) -> &mut KeyRing {
        &mut self.ring
    }

    pub(super) fn seal(&self, entropy: &dyn Entropy, name: Name<'_>, plain: &[u8]) -> Vec<u8> {
        let (key, cipher) = self.ring.active();
        let mut out = Vec::with_capacity(plain.len() + 40);
        out.push(FORMAT);
        put_varint(&mut out, u64::from(key));
        let nonce = fresh_nonce(entropy);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        let tag = encrypt(cipher, &nonce, &self.associated(FORMAT, key, name), &mut out[start..]);
        out.extend_from_slice(&tag);
        out
    }

    pub(super) fn open(&self, name: Name<'_>, mut sealed: Vec<u8>) -> Result<Vec<u8>, SealError> {
        let mut read = Reader::new(&sealed);
        let malformed = |_| SealError::Malformed("a sealed value");
        let format = read.u8("a format").map_err(malformed)?;
        if format != FORMAT {
            return Err(SealError::Version(format));
        }
        let key = read.bounded(u32::MAX as usize, "a data key").map_err(malformed)? as u32;
        let nonce: [u8; NONCE_BYTES] = read.array("a nonce").map_err(malformed)?;
        let start = read.offset();
        let length = read.remaining().checked_sub(TAG_BYTES);
        let end = start + length.ok_or(SealError::Malformed("a tag"))?;
        let cipher = self.ring.cipher(key).ok_or(SealError::Key(key))?;
        let tag = tag_of(&sealed).expect("the length was checked");
        let associated = self.associated(format, key, name);
        if !decrypt(cipher, &nonce, &associated, &mut sealed[start..end], &tag) {
            return Err(SealError::Broken);
        }
        sealed.truncate(end);
        sealed.drain(..start);
        Ok(sealed)
    }

    /// [`seal`](Self::seal) of what is compressed first.
    pub(super) fn pack(
        &mut self,
        entropy: &dyn Entropy,
        name: Name<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let shrunk = self.press.shrink(plain)?;
        Ok(self.seal(entropy, name, &shrunk))
    }

    /// What was [packed](Self::pack), if it is at most `most` bytes long.
    pub(super) fn unpack(
        &mut self,
        name: Name<'_>,
        sealed: Vec<u8>,
        most: usize,
    ) -> Result<AlignedVec, SealError> {
        let shrunk = self.open(name, sealed)?;
        self.press.expand(&shrunk, most).map_err(SealError::Malformed)
    }

    fn associated(&self, format: u8, key: u32, name: Name<'_>) -> Vec<u8> {
        let mut out = DOMAIN.to_vec();
        out.push(format);
        out.extend_from_slice(self.workspace.0.as_bytes());
        out.extend_from_slice(&key.to_be_bytes());
        let mut numbers = |kind: u8, at: u64, part: u32, of: u32| {
            out.push(kind);
            out.extend_from_slice(&at.to_be_bytes());
            out.extend_from_slice(&part.to_be_bytes());
            out.extend_from_slice(&of.to_be_bytes());
        };
        match name {
            Name::Block { first, records } => numbers(1, first, 0, records),
            Name::Base { generation, chunk, chunks } => {
                numbers(2, u64::from(generation), chunk, chunks);
            }
            Name::Snapshot { generation, chunk, chunks } => numbers(3, generation, chunk, chunks),
            Name::Row { table, key } => {
                out.push(4);
                put_varint(&mut out, table.len() as u64);
                out.extend_from_slice(table.as_bytes());
                out.extend_from_slice(key);
            }
        }
        out
    }
}

/// The tag of a sealed value.
pub(super) fn tag_of(sealed: &[u8]) -> Option<Tag> {
    sealed.last_chunk().copied()
}

pub(super) fn fresh_nonce(entropy: &dyn Entropy) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    entropy.fill(&mut nonce);
    nonce
}

pub(super) fn encrypt(
    cipher: &Aes256Gcm,
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
    bytes: &mut [u8],
) -> Tag {
    cipher
        .encrypt_inout_detached(nonce.into(), associated, bytes.into())
        .expect("no value comes near the 64 GiB that GCM allows")
        .into()
}

/// Whether the tag was right; if not, `bytes` are as they were.
pub(super) fn decrypt(
    cipher: &Aes256Gcm,
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
    bytes: &mut [u8],
    tag: &Tag,
) -> bool {
    cipher.decrypt_inout_detached(nonce.into(), associated, bytes.into(), tag.into()).is_ok()
}
