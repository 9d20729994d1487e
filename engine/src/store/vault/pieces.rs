//! Long values in a journal that takes short ones only.
//!
//! ```text
//! key   := kind:u8 at:u64 piece:u16        big-endian, so that keys sort by place
//! value := of:varint length:varint sealed  cut into pieces of the greatest length, the last one shorter
//! ```
//! `length` counts the bytes of `sealed`; `of` is a number that belongs to the value's name.

use std::ops::RangeInclusive;

use super::seal::{FORMAT, SealError, Tag, tag_of};
use crate::codec::{Reader, put_varint};
use crate::limits::MAX_SEALED_BYTES;
use crate::ports::StoreError;
use crate::store::medium::{Change, Journal, MAX_VALUE_BYTES};

const KEY_BYTES: usize = 1 + 8 + 2;
const _: () = assert!(
    (MAX_SEALED_BYTES + 16) / MAX_VALUE_BYTES < u16::MAX as usize,
    "any sealed value has a number for each piece"
);

/// What a value of the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A chunk of the base, at (generation, chunk).
    Base = 1,
    /// A block of records, at its first position.
    Block = 2,
}

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) at: u64,
}

impl Place {
    fn key(self, piece: usize) -> Vec<u8> {
        let mut key = Vec::with_capacity(KEY_BYTES);
        key.push(self.kind as u8);
        key.extend_from_slice(&self.at.to_be_bytes());
        key.extend_from_slice(&(piece as u16).to_be_bytes());
        key
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            Kind::Base => write!(f, "base {}, chunk {}", self.at >> 32, self.at as u32),
            Kind::Block => write!(f, "records from position {}", self.at),
        }
    }
}

/// A value put together again.
pub(super) struct Whole {
    pub(super) at: u64,
    pub(super) of: u32,
    pub(super) sealed: Vec<u8>,
    /// How many pieces it is cut into.
    pub(super) pieces: u16,
}

impl Whole {
    /// Whether this engine may read it at all.
    pub(super) fn check_format(&self) -> Result<(), SealError> {
        match self.sealed.first() {
            Some(&FORMAT) => Ok(()),
            Some(&format) => Err(SealError::Version(format)),
            None => Err(SealError::Malformed("a sealed value")),
        }
    }

    /// The tag, unless the value is no sealed one.
    pub(super) fn tag(&self) -> Result<Tag, SealError> {
        tag_of(&self.sealed).ok_or(SealError::Malformed("a tag"))
    }
}

/// The changes that put a value; returns how many there are.
pub(super) fn put(place: Place, of: u32, sealed: &[u8], changes: &mut Vec<Change>) -> u16 {
    debug_assert!(sealed.len() <= MAX_SEALED_BYTES);
    let mut value = Vec::with_capacity(sealed.len() + 8);
    put_varint(&mut value, u64::from(of));
    put_varint(&mut value, sealed.len() as u64);
    value.extend_from_slice(sealed);
    let pieces = value.chunks(MAX_VALUE_BYTES).enumerate();
    let before = changes.len();
    changes.extend(pieces.map(|(piece, bytes)| Change::Put(place.key(piece), bytes.to_vec())));
    (changes.len() - before) as u16
}

/// The changes that remove a value of so many pieces.
pub(super) fn remove(place: Place, pieces: u16, changes: &mut Vec<Change>) {
    changes.extend((0..usize::from(pieces)).map(|piece| Change::Remove(place.key(piece))));
}

/// Shows `visit` each value of a kind whose place lies in `range`, in order.
///
/// # Errors
/// `Damaged`, naming `file`, the place and what was expected there, if a value is not whole.
pub(super) fn each(
    journal: &impl Journal,
    file: &str,
    kind: Kind,
    range: RangeInclusive<u64>,
    mut visit: impl FnMut(Whole) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let first = Place { kind, at: *range.start() }.key(0);
    let last = Place { kind, at: *range.end() }.key(usize::from(u16::MAX));
    let mut open: Option<Assembly> = None;
    for pair in journal.range(first..=last) {
        let (key, value) = pair?;
        let (at, piece) = parse_key(&key).ok_or_else(|| {
            StoreError::Damaged(format!(
                "{file}: expected a key of {KEY_BYTES} bytes, found {key:?}"
            ))
        })?;
        let place = Place { kind, at };
        let damaged = |what: String| StoreError::Damaged(format!("{file}: {place}: {what}"));
        let assembly = match open.take() {
            Some(mut assembly) if assembly.at == at => {
                if piece != assembly.pieces {
                    return Err(damaged(format!(
                        "expected piece {}, found piece {piece}",
                        assembly.pieces
                    )));
                }
                assembly.pieces += 1;
                assembly.sealed.extend_from_slice(&value);
                assembly
            }
            Some(assembly) => return Err(assembly.incomplete(file, kind)),
            None if piece == 0 => Assembly::begin(at, &value).map_err(damaged)?,
            None => return Err(damaged(format!("expected piece 0, found piece {piece}"))),
        };
        if assembly.sealed.len() > assembly.length {
            return Err(damaged(format!("expected {} sealed bytes, found more", assembly.length)));
        }
        if assembly.sealed.len() < assembly.length {
            open = Some(assembly);
            continue;
        }
        let Assembly { at, of, sealed, pieces, .. } = assembly;
        visit(Whole { at, of, sealed, pieces })?;
    }
    match open {
        Some(assembly) => Err(assembly.incomplete(file, kind)),
        None => Ok(()),
    }
}

struct Assembly {
    at: u64,
    of: u32,
    length: usize,
    sealed: Vec<u8>,
    pieces: u16,
}

impl Assembly {
    fn begin(at: u64, piece: &[u8]) -> Result<Self, String> {
        let mut read = Reader::new(piece);
        let of = read.bounded(u32::MAX as usize, "a count").map_err(|error| error.to_string())?;
        let length = read.bounded(MAX_SEALED_BYTES, "the length of a sealed value");
        let length = length.map_err(|error| error.to_string())?;
        let mut sealed = Vec::with_capacity(length);
        sealed.extend_from_slice(read.rest());
        Ok(Assembly { at, of: of as u32, length, sealed, pieces: 1 })
    }

    fn incomplete(&self, file: &str, kind: Kind) -> StoreError {
        StoreError::Damaged(format!(
            "{file}: {}: expected piece {}: {} of {} sealed bytes are there",
            Place { kind, at: self.at },
            self.pieces,
            self.sealed.len(),
            self.length
        ))
    }
}

fn parse_key(key: &[u8]) -> Option<(u64, u16)> {
    let (_, rest) = key.split_first()?;
    let (at, piece) = rest.split_first_chunk()?;
    Some((u64::from_be_bytes(*at), u16::from_be_bytes(piece.try_into().ok()?)))
}
