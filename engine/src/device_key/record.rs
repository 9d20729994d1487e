//! How a device's key is kept: one text, for keyrings that take nothing else.
//!
//! ```text
//! text   := base64url(record checksum:16)          no padding
//! record := format:u8 secret:32 chain
//! ```
//!
//! The checksum, half a BLAKE3 hash of the record, tells damage from a key: any 32 bytes are one. Every
//! format is to end with it, so that damage is not taken for a later format.

use zeroize::Zeroizing;

use super::DeviceKey;
use super::succession::{put_chain, read_chain};
use crate::codec::Reader;
use crate::limits::MAX_SUCCESSIONS;
use iroh::SecretKey;

const FORMAT: u8 = 1;
const CHECKSUM_BYTES: usize = 16;
/// Longest record with its checksum, in bytes.
const MAX_BYTES: usize = 1 + 32 + 1 + MAX_SUCCESSIONS * (32 + 32 + 17 + 8 + 128) + CHECKSUM_BYTES;
/// The longest text that a keyring of Windows takes: 2,560 bytes of UTF-16.
const MAX_TEXT: usize = 1280;

const _: () = assert!(
    (MAX_BYTES - MAX_SUCCESSIONS * 16).div_ceil(3) * 4 <= MAX_TEXT,
    "a key whose successions are about all workspaces, as its own are, fits every keyring"
);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordError {
    /// It was written by a later version.
    Newer(u8),
    /// It is not what was written.
    Damaged(&'static str),
}

pub(super) fn encode(key: &DeviceKey) -> Zeroizing<String> {
    // Room for all of it: what grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
    bytes.push(FORMAT);
    bytes.extend_from_slice(&*Zeroizing::new(key.secret.to_bytes()));
    put_chain(&mut bytes, &key.successions);
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(&checksum.as_bytes()[..CHECKSUM_BYTES]);
    Zeroizing::new(data_encoding::BASE64URL_NOPAD.encode(&bytes))
}

pub(super) fn decode(text: &[u8]) -> Result<DeviceKey, RecordError> {
    let text = text.trim_ascii_end();
    if text.len() > MAX_BYTES.div_ceil(3) * 4 {
        return Err(RecordError::Damaged("it is too long"));
    }
    let bytes = data_encoding::BASE64URL_NOPAD.decode(text).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| RecordError::Damaged("it is not base64url text"))?;
    let (record, checksum) = bytes
        .len()
        .checked_sub(CHECKSUM_BYTES)
        .map(|length| bytes.split_at(length))
        .ok_or(RecordError::Damaged("it is too short"))?;
    if *checksum != blake3::hash(record).as_bytes()[..CHECKSUM_BYTES] {
        return Err(RecordError::Damaged("its checksum is wrong"));
    }
    match record.first() {
        Some(&format) if format > FORMAT => return Err(RecordError::Newer(format)),
        _ => {}
    }
    let read = |reader: &mut Reader<'_>| {
        let format = reader.clone();
        if reader.u8("format 1")? != FORMAT {
            return Err(format.error("format 1"));
        }
        let seed = Zeroizing::new(reader.array::<32>("a secret key")?);
        let successions = read_chain(reader)?;
        reader.clone().finish("the end of the key")?;
        Ok(DeviceKey { secret: SecretKey::from_bytes(&seed), successions })
    };
    read(&mut Reader::new(record)).map_err(|error| RecordError::Damaged(error.expected))
}
