//! The core's boundary as two types: what it is told, and what it wants done.

use crate::api::{Event, SyncError, SyncReport};
use crate::id::DeviceId;
use crate::ports::{CallError, Promise, StoreError};
use crate::record::{Record, Snapshot};
use crate::wire::{Frontier, Request, Response};

/// What happened in the world.
#[derive(Clone, Debug)]
pub enum Input {
    /// The open [`Output::Append`] ended.
    Appended(Result<(), StoreError>),
    /// An [`Output::Load`] ended.
    Loaded {
        /// The load's number.
        ticket: u64,
        /// The records, in the order of the positions asked for.
        records: Result<Vec<Record>, StoreError>,
    },
    /// The open [`Output::Promise`] ended.
    Promised(Result<(), StoreError>),
    /// The open [`Output::SaveSnapshot`] ended.
    SnapshotSaved(Result<(), StoreError>),
    /// The open [`Output::Rebase`] ended.
    Rebased(Result<(), StoreError>),
    /// Somebody wants a round of sync with a peer; ends with [`Output::Finished`].
    Start {
        /// The round's number.
        round: u64,
        /// With whom.
        peer: DeviceId,
    },
    /// Nobody waits for a round any more.
    Abandon {
        /// The round's number.
        round: u64,
    },
    /// An [`Output::Ask`] ended.
    Returned {
        /// The call's number.
        call: u64,
        /// What the other device said.
        response: Result<Response, CallError>,
    },
    /// Another device asks; ends with [`Output::Answer`].
    Asked {
        /// The call's number, which has nothing to do with those of [`Output::Ask`].
        call: u64,
        /// Who asks.
        from: DeviceId,
        /// What.
        request: Request,
    },
}

/// What the core wants done.
#[derive(Debug)]
pub enum Output {
    /// Append these records as one.
    Append(Vec<Record>),
    /// Load records.
    Load {
        /// The load's number.
        ticket: u64,
        /// Where they lie in the log, from 0.
        positions: Vec<u64>,
    },
    /// Let the witness remember how far own entries may be sent.
    Promise(Promise),
    /// Replace the snapshot.
    SaveSnapshot(Snapshot),
    /// Put a base under the log and drop the records before `first`.
    Rebase {
        /// What the log is to stand on.
        base: Snapshot,
        /// The first record that stays.
        first: u64,
    },
    /// A compaction ended, asked for or not: how many records were dropped.
    Compacted(Result<u64, StoreError>),
    /// Ask another device.
    Ask {
        /// The call's number.
        call: u64,
        /// Whom.
        to: DeviceId,
        /// What.
        request: Request,
    },
    /// Answer another device.
    Answer {
        /// The number of the call that is answered.
        call: u64,
        /// The answer.
        response: Response,
    },
    /// Let whoever looks see what is durable here.
    Announce(Frontier),
    /// A round ended.
    Finished {
        /// The round's number.
        round: u64,
        /// What it did.
        result: Result<SyncReport, SyncError>,
    },
    /// Tell the embedder.
    Event(Event),
    /// This core is used up: open the store again and replay it into a new one.
    Rebuild(Rebuild),
}

/// Why a core is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebuild {
    /// The store failed: local edits that are not in it are taken back.
    StoreFailed(StoreError),
    /// The device took a new name.
    Rotated {
        /// Own entries after this one were made again under the new name.
        after: u64,
    },
}
