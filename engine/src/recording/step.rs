//! What is done to a core, one step after the other: what a recording holds and a replay does.

use std::borrow::Cow;

use crate::access::Access;
use crate::core::Input;
use crate::entry::LogEntry;
use crate::graph::{ConflictId, Resolution};
use crate::id::DeviceId;
use crate::ports::{Opened, Promise, StoreError};
use crate::record::Record;

use super::mark::Mark;

/// One step of a recording.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// The store was opened, or opened again, and this is what it found.
    Opened(Cow<'a, Result<Opened, StoreError>>),
    /// The witness was read.
    Witnessed(Result<Option<Promise>, StoreError>),
    /// This randomness was drawn.
    Drawn([u8; 64]),
    /// Records of the log were read while it was replayed.
    Read {
        /// The position of the first.
        first: u64,
        /// What the store gave.
        records: Cow<'a, Result<Vec<Record>, StoreError>>,
    },
    /// The base was written that a log needs which lost records.
    BaseWritten(Result<(), StoreError>),
    /// The opening ended: the core begins, or takes the place of the one before.
    Began,
    /// The opening ended with an error.
    NotOpened,
    /// The core as it was when what came before was dropped.
    Image(Cow<'a, [u8]>),
    /// The user edited.
    Edit {
        /// The wall clock, in Unix milliseconds.
        now_ms: u64,
        /// What was to be done.
        operations: Cow<'a, [LogEntry]>,
    },
    /// The user settled a conflict.
    Resolve {
        /// The wall clock, in Unix milliseconds.
        now_ms: u64,
        /// Which.
        conflict: ConflictId,
        /// How.
        resolution: Cow<'a, Resolution>,
    },
    /// The user gave or took another device's access.
    Share {
        /// The device.
        device: DeviceId,
        /// What it may do from now on.
        access: Access,
    },
    /// A legacy log was imported, folded to these operations.
    Import(Cow<'a, [LogEntry]>),
    /// Something happened in the world.
    Input(Cow<'a, Input>),
    /// A reader looked, and saw edits of which no event had told yet.
    Looked,
    /// A snapshot was asked for.
    WantSnapshot,
    /// A compaction was asked for.
    WantCompaction,
    /// What the core gave since the step before, each as a mark.
    Gave(Cow<'a, [Mark]>),
}
