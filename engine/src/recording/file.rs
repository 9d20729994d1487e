//! A recording as a file: a head, and frames that each carry a checksum over all before them.
//!
//! ```text
//! file  := "GSYNCREC" version:u8 length engine length "…" workspace:16 device:32 snapshot_every
//!          compact_every replaced:u8 check:8 part* (an end, unless the file was cut)
//! part  := frame(0 begins) frame*
//! frame := length:u32 body check:8
//! body  := 0 gap:u8 time | 1 time-difference step | 2
//! ```
//! `check` is the beginning of a BLAKE3 hash over the check before and the body; each part begins
//! with the head's check, so that earlier parts can be dropped. Times are Unix milliseconds, their
//! differences zigzag. `2` ends the file: one that lacks it was cut, and is read up to its last
//! whole frame. It is no protection against somebody who means harm.

use super::codec;
use super::step::Step;
use crate::api::Config;
use crate::codec::{DecodeError, Reader, put_varint, unzigzag, zigzag};
use crate::entry::PayloadError;
use crate::id::{DeviceId, WorkspaceId};

/// What a recording begins with.
pub const RECORDING_MAGIC: &[u8; 8] = b"GSYNCREC";
/// The version of the format that this engine writes and reads.
pub const RECORDING_VERSION: u8 = 1;

const BEGINS: u8 = 0;
const STEP: u8 = 1;
const ENDS: u8 = 2;
/// A frame takes this many bytes beside its body.
const AROUND: usize = 4 + 8;

type Check = [u8; 8];

/// Bytes are no recording that this version can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// It is something else.
    #[error("no recording: expected it to begin with {:?}", str::from_utf8(RECORDING_MAGIC).unwrap_or(""))]
    Other,
    /// Another version of the format.
    #[error(
        "recording format {found}: expected format {RECORDING_VERSION}, as engine {} reads it",
        engine_version()
    )]
    Version {
        /// The version it says it has.
        found: u8,
    },
    /// A part of it is not what it was when it was written.
    #[error("damaged at byte {offset}: expected {expected}")]
    Damaged {
        /// Where, from the start of the file.
        offset: usize,
        /// What should have stood there.
        expected: &'static str,
    },
}

/// The version of this engine, as recordings name it.
pub fn engine_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// What stands at the front of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The version of the engine that was recorded.
    pub engine: String,
    /// What was opened.
    pub config: Config,
    /// Whether texts were replaced by placeholders.
    pub replaced: bool,
}

impl Head {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = RECORDING_MAGIC.to_vec();
        out.push(RECORDING_VERSION);
        put_varint(&mut out, self.engine.len() as u64);
        out.extend_from_slice(self.engine.as_bytes());
        out.extend_from_slice(self.config.workspace.0.as_bytes());
        out.extend_from_slice(&self.config.device.0);
        put_varint(&mut out, self.config.snapshot_every);
        put_varint(&mut out, self.config.compact_every);
        out.push(u8::from(self.replaced));
        let check = next_check(&[0; 8], &out);
        out.extend_from_slice(&check);
        out
    }

    fn decode(bytes: &[u8]) -> Result<(Head, Check, usize), RecordingError> {
        let mut reader = Reader::new(bytes);
        let read = &mut reader;
        if read.array("a magic number") != Ok(*RECORDING_MAGIC) {
            return Err(RecordingError::Other);
        }
        let found = read.u8("a format version").map_err(damaged(0))?;
        if found != RECORDING_VERSION {
            return Err(RecordingError::Version { found });
        }
        let mut fields = || {
            let start = read.clone();
            let length = read.bounded(256, "a version's length")?;
            let engine = str::from_utf8(read.bytes(length, "an engine version")?);
            let engine = engine.map_err(|_| start.error("a version in UTF-8"))?.to_owned();
            let config = Config {
                workspace: WorkspaceId(read.uuid("a workspace id")?),
                device: DeviceId(read.array("a device id")?),
                snapshot_every: read.varint("a number of records")?,
                compact_every: read.varint("a number of records")?,
            };
            let replaced = read.bounded(1, "0 or 1")? == 1;
            let check = next_check(&[0; 8], read.since(0));
            let at = read.clone();
            match read.array::<8>("the head's checksum")? == check {
                true => Ok((Head { engine, config, replaced }, check, read.offset())),
                false => Err(at.error("the head's checksum")),
            }
        };
        fields().map_err(damaged(0))
    }
}

fn damaged(start: usize) -> impl Fn(DecodeError) -> RecordingError {
    move |error| RecordingError::Damaged { offset: start + error.offset, expected: error.expected }
}

fn next_check(before: &Check, bytes: &[u8]) -> Check {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before);
    hasher.update(bytes);
    *hasher.finalize().as_bytes().first_chunk().expect("a hash has more than 8 bytes")
}

/// Steps that follow each other without a gap, as frames.
#[derive(Clone, Debug)]
pub(super) struct Part {
    bytes: Vec<u8>,
    check: Check,
    time_ms: u64,
}

impl Part {
    /// An empty part of the recording whose head is `head`; `gap` says that it does not go on where
    /// the one before ends.
    pub(super) fn new(head: &[u8], gap: bool, time_ms: u64) -> Part {
        let check = *head.last_chunk().expect("a head ends with its check");
        let mut part = Part { bytes: Vec::new(), check, time_ms };
        part.frame(|out| {
            out.extend_from_slice(&[BEGINS, u8::from(gap)]);
            put_varint(out, time_ms);
            Ok(())
        })
        .expect("it holds no operation");
        part
    }

    /// Adds a step.
    ///
    /// # Errors
    /// If an operation in it exceeds its bound; then nothing is added.
    pub(super) fn push(&mut self, time_ms: u64, step: &Step<'_>) -> Result<(), PayloadError> {
        let difference = zigzag(time_ms.wrapping_sub(self.time_ms) as i64);
        self.frame(|out| {
            out.push(STEP);
            put_varint(out, difference);
            codec::put(out, step)
        })?;
        self.time_ms = time_ms;
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The frame that ends a file after this part.
    pub(super) fn end(&self) -> Vec<u8> {
        let mut part = Part { bytes: Vec::new(), check: self.check, time_ms: 0 };
        part.frame(|out| {
            out.push(ENDS);
            Ok(())
        })
        .expect("it holds no operation");
        part.bytes
    }

    fn frame(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), PayloadError>,
    ) -> Result<(), PayloadError> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        if let Err(error) = write(&mut self.bytes) {
            self.bytes.truncate(start);
            return Err(error);
        }
        let length = self.bytes.len() - start - 4;
        let length = u32::try_from(length).expect("a recording is bounded by less than 4 GiB");
        self.bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.check = next_check(&self.check, &self.bytes[start + 4..]);
        self.bytes.extend_from_slice(&self.check);
        Ok(())
    }
}

/// A frame's meaning.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "most are steps, and there is one at a time")]
pub(super) enum Framed {
    /// A part begins.
    Begins { gap: bool },
    /// A step, when, and where it stands in the file.
    Step { time_ms: u64, step: Step<'static>, offset: usize },
}

/// A recording that was read: its frames are whole, each is decoded when it is asked for.
#[derive(Clone, Debug)]
pub struct Recording {
    bytes: Vec<u8>,
    head: Head,
    /// Where the frames begin and where the last whole one ends.
    frames: std::ops::Range<usize>,
    cut: Option<usize>,
}

impl Recording {
    /// Whether the bytes say of themselves that they are a recording.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(RECORDING_MAGIC)
    }

    /// Reads a recording and checks every frame. Takes no memory beside `bytes` but for one step at
    /// a time, and at most in proportion to it.
    ///
    /// # Errors
    /// If it is damaged, or no recording that this version reads. One that was merely cut is no
    /// error; see [`cut`](Self::cut).
    pub fn decode(bytes: Vec<u8>) -> Result<Recording, RecordingError> {
        let (head, first_check, start) = Head::decode(&bytes)?;
        let mut at = start;
        let mut check = first_check;
        let (mut begun, mut ended) = (false, false);
        while let Some(body) = frame_at(&bytes, at) {
            let offset = at + 4;
            let wrong = |expected| RecordingError::Damaged { offset, expected };
            let begins = body.first() == Some(&BEGINS);
            if ended {
                return Err(wrong("nothing behind the end"));
            }
            if !begins && !begun {
                return Err(wrong("the beginning of a part"));
            }
            let before = if begins { first_check } else { check };
            check = next_check(&before, body);
            if bytes[offset + body.len()..offset + body.len() + 8] != check {
                return Err(wrong("a frame that fits its checksum"));
            }
            (begun, ended) = (true, body == [ENDS]);
            if !ended {
                meaning(body, 0).map_err(damaged(offset))?;
            }
            at += body.len() + AROUND;
        }
        if ended && at < bytes.len() {
            let expected = "nothing behind the end";
            return Err(RecordingError::Damaged { offset: at, expected });
        }
        let cut = (!ended).then(|| bytes.len() - at);
        Ok(Recording { bytes, head, frames: start..at, cut })
    }

    /// What stands at its front.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// If the file ends too early: how many bytes there are behind the last whole step.
    pub fn cut(&self) -> Option<usize> {
        self.cut
    }

    /// Its steps in order, with their times and places. Each is decoded when it is asked for.
    pub(super) fn framed(&self) -> impl Iterator<Item = Framed> + '_ {
        let (mut at, mut time_ms) = (self.frames.start, 0);
        std::iter::from_fn(move || {
            let body = frame_at(&self.bytes[..self.frames.end], at)?;
            let offset = at + 4;
            at += body.len() + AROUND;
            let framed = meaning(body, time_ms).expect("it was decoded before");
            let (now_ms, framed) = framed?;
            time_ms = now_ms;
            Some(match framed {
                Meaning::Begins { gap } => Framed::Begins { gap },
                Meaning::Step(step) => Framed::Step { time_ms, step, offset },
            })
        })
    }
}

/// The body of the frame at `at`, if the whole frame is there.
fn frame_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let length = u32::from_le_bytes(*rest.first_chunk()?) as usize;
    (rest.len() >= AROUND && rest.len() - AROUND >= length).then(|| &rest[4..4 + length])
}

#[allow(clippy::large_enum_variant, reason = "most are steps, and there is one at a time")]
enum Meaning {
    Begins { gap: bool },
    Step(Step<'static>),
}

/// What a frame means, and its time, given the time before; `None` for the end.
fn meaning(body: &[u8], before_ms: u64) -> Result<Option<(u64, Meaning)>, DecodeError> {
    let mut reader = Reader::new(body);
    let read = &mut reader;
    match read.u8("a frame's tag")? {
        BEGINS => {
            let gap = read.bounded(1, "0 or 1")? == 1;
            let time_ms = read.varint("a time")?;
            reader.finish("the frame's end")?;
            Ok(Some((time_ms, Meaning::Begins { gap })))
        }
        STEP => {
            let difference = unzigzag(read.varint("a time")?);
            let start = read.offset();
            let step = codec::read(read.rest()).map_err(|mut error| {
                error.offset += start;
                error
            })?;
            Ok(Some((before_ms.wrapping_add(difference as u64), Meaning::Step(step))))
        }
        ENDS if reader.is_empty() => Ok(None),
        _ => Err(DecodeError { offset: 0, expected: "a frame's tag" }),
    }
}
