//! Bytes in and out: a bounded reader and the matching writer.
//!
//! Integers are LEB128 in their shortest form, so that a value has one encoding. Nothing here
//! allocates by a length that was read.

use uuid::Uuid;

use crate::access::Access;
use crate::limits::SEQUENCE_END;

const ACCESS_BYTE: &str = "0, 1 or 2";

/// Bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: expected {expected}")]
pub struct DecodeError {
    /// Where, from the start of what was decoded.
    pub offset: usize,
    /// What should have stood there.
    pub expected: &'static str,
}

/// Reads from the front of a slice and remembers where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    all: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(all: &'a [u8]) -> Self {
        Reader { all, offset: 0 }
    }

    pub(crate) fn error(&self, expected: &'static str) -> DecodeError {
        DecodeError { offset: self.offset, expected }
    }

    pub(crate) fn bytes(
        &mut self,
        length: usize,
        expected: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        let rest = &self.all[self.offset..];
        let taken = rest.get(..length).ok_or_else(|| self.error(expected))?;
        self.offset += length;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        expected: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let bytes = self.bytes(N, expected)?;
        Ok(bytes.try_into().expect("the slice has the array's length"))
    }

    pub(crate) fn u8(&mut self, expected: &'static str) -> Result<u8, DecodeError> {
        let byte = *self.all.get(self.offset).ok_or_else(|| self.error(expected))?;
        self.offset += 1;
        Ok(byte)
    }

    pub(crate) fn varint(&mut self, expected: &'static str) -> Result<u64, DecodeError> {
        let start = self.offset;
        let mut value = 0u64;
        for shift in (0..).step_by(7) {
            let byte = self.u8(expected)?;
            let bits = u64::from(byte & 0x7f);
            let fits = shift < 63 || shift == 63 && bits <= 1;
            let shortest = byte != 0 || shift == 0;
            if !fits || byte & 0x80 == 0 && !shortest {
                return Err(DecodeError { offset: start, expected });
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        unreachable!("a tenth byte ends the loop");
    }

    /// A varint that must not exceed `most`.
    pub(crate) fn bounded(
        &mut self,
        most: usize,
        expected: &'static str,
    ) -> Result<usize, DecodeError> {
        let offset = self.offset;
        match usize::try_from(self.varint(expected)?) {
            Ok(value) if value <= most => Ok(value),
            _ => Err(DecodeError { offset, expected }),
        }
    }

    /// What another device may do.
    pub(crate) fn access(&mut self) -> Result<Access, DecodeError> {
        let offset = self.offset;
        let byte = self.u8(ACCESS_BYTE)?;
        Access::from_byte(byte).ok_or(DecodeError { offset, expected: ACCESS_BYTE })
    }

    /// A sequence of at least `least`, below [`SEQUENCE_END`].
    pub(crate) fn sequence(
        &mut self,
        least: u64,
        expected: &'static str,
    ) -> Result<u64, DecodeError> {
        let offset = self.offset;
        match self.varint(expected)? {
            sequence if (least..SEQUENCE_END).contains(&sequence) => Ok(sequence),
            _ => Err(DecodeError { offset, expected }),
        }
    }

    pub(crate) fn uuid(&mut self, expected: &'static str) -> Result<Uuid, DecodeError> {
        Ok(Uuid::from_bytes(self.array(expected)?))
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let rest = &self.all[self.offset..];
        self.offset = self.all.len();
        rest
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// What was read since `start`, an earlier [`offset`](Self::offset).
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        &self.all[start..self.offset]
    }

    pub(crate) fn remaining(&self) -> usize {
        self.all.len() - self.offset
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.offset == self.all.len()
    }

    pub(crate) fn finish(self, expected: &'static str) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(self.error(expected)) }
    }
}

/// Appends the shortest LEB128 form of `value`.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Maps small differences of either sign to small numbers.
pub(crate) fn zigzag(difference: i64) -> u64 {
    ((difference << 1) ^ (difference >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests;
