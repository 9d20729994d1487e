//! Compression: zstd with contexts that are used again.

use rkyv::util::AlignedVec;
use zstd::bulk::{Compressor, Decompressor};

use crate::ports::StoreError;

/// zstd's own default: a higher level gains little on blocks of this size and costs a lot.
const LEVEL: i32 = 3;

pub(super) struct Press {
    compressor: Compressor<'static>,
    decompressor: Decompressor<'static>,
}

impl Press {
    pub(super) fn new() -> Result<Self, StoreError> {
        let no_memory = |error| StoreError::Refused(format!("no memory for zstd: {error}"));
        Ok(Press {
            compressor: Compressor::new(LEVEL).map_err(no_memory)?,
            decompressor: Decompressor::new().map_err(no_memory)?,
        })
    }

    pub(super) fn shrink(&mut self, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let no_memory = |error| StoreError::Refused(format!("no memory for zstd: {error}"));
        self.compressor.compress(plain).map_err(no_memory)
    }

    /// What was shrunk, at an address fit for rkyv. Takes no memory for more than `most` bytes,
    /// whatever the input claims.
    pub(super) fn expand(
        &mut self,
        shrunk: &[u8],
        most: usize,
    ) -> Result<AlignedVec, &'static str> {
        let length = zstd::zstd_safe::get_frame_content_size(shrunk).ok().flatten();
        let length = length.and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|&length| length <= most).ok_or("a length within its bound")?;
        let mut plain = AlignedVec::with_capacity(length);
        plain.resize(length, 0);
        match self.decompressor.decompress_to_buffer(shrunk, plain.as_mut_slice()) {
            Ok(written) if written == length => Ok(plain),
            _ => Err("a zstd frame"),
        }
    }
}
