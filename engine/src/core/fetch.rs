//! The asking half of a handed snapshot: a device that lacks what the peer's log holds no more
//! fetches the peer's snapshot, part by part, within the same round.
//!
//! One snapshot is fetched or joined at a time, and no more is kept of it than came.

use super::Core;
use super::round::{Pulling, Round};
use crate::api::SyncError;
use crate::counters::Counter;
use crate::hash::Hash;
use crate::limits::{MAX_SNAPSHOT_PART_BYTES, MAX_SNAPSHOT_PARTS};
use crate::ports::CallError;
use crate::wire::{Reject, Request, SnapshotPart, SnapshotRequest};

/// What came of a snapshot so far.
#[derive(Debug, Default)]
pub(super) struct Fetch {
    /// Which snapshot; `None` before its first part.
    id: Option<Hash>,
    total: usize,
    bytes: Vec<u8>,
    parts: usize,
}

impl Core {
    /// The peer's log does not hold what we lack.
    pub(super) fn fetch_snapshot(&mut self, id: u64) {
        if self.retry(id).is_none() {
            return;
        }
        let taken = self.joining.is_some() || self.rounds.values().any(|round| round.fetches());
        let Some(round) = self.rounds.get_mut(&id) else { return };
        if taken {
            self.counters.note(Counter::SnapshotAwaited);
            round.pulling = Pulling::Waiting;
        } else {
            round.pulling = Pulling::Fetching(Fetch::default());
            self.ask_part(id);
        }
    }

    pub(super) fn ask_part(&mut self, id: u64) {
        let Some(round) = self.rounds.get(&id) else { return };
        let Pulling::Fetching(fetch) = &round.pulling else { return };
        let request = SnapshotRequest {
            workspace: self.config.workspace,
            id: fetch.id,
            offset: fetch.bytes.len() as u64,
            bytes: MAX_SNAPSHOT_PART_BYTES as u32,
        };
        self.ask(id, Request::Snapshot(request));
    }

    pub(super) fn part_fetched(&mut self, id: u64, part: SnapshotPart) {
        let Some(round) = self.rounds.get_mut(&id) else { return };
        let Pulling::Fetching(fetch) = &mut round.pulling else { return };
        let begins = fetch.id.is_none();
        match fetch.take(part) {
            Err(why) => {
                let nonsense = CallError::Nonsense(why.to_owned());
                self.finish(id, Err(SyncError::Call(nonsense)));
            }
            Ok(Taken::Whole(bytes)) => {
                round.pulling = Pulling::Joining;
                self.begin_join(id, bytes);
            }
            // Another snapshot took the place of the one that was begun.
            Ok(Taken::Anew) if !begins => {
                self.counters.note(Counter::SnapshotAnew);
                if self.retry(id).is_some() {
                    self.ask_part(id);
                }
            }
            Ok(Taken::Anew | Taken::More) => self.ask_part(id),
        }
    }

    /// The snapshot that a round fetched is joined, or brought nothing: it pulls what is left.
    pub(super) fn go_on_pulling(&mut self, id: u64) {
        if let Some(round) = self.rounds.get_mut(&id) {
            round.pulling = Pulling::Idle;
        }
        self.continue_round(id);
    }

    /// Lets rounds that wait for the snapshot of another one ask again once that is over, however
    /// it ended.
    pub(super) fn wake_waiting(&mut self) {
        let waits = |round: &Round| matches!(round.pulling, Pulling::Waiting | Pulling::Idle);
        if self.joining.is_none() && self.rounds.values().any(waits) {
            self.continue_rounds();
        }
    }

    /// The entries of others that the gate turns away while a snapshot is joined.
    pub(super) fn gate(&self) -> Result<(), Reject> {
        if self.joining.is_some() { Err(Reject::Busy) } else { Ok(()) }
    }
}

/// What came of a part.
enum Taken {
    More,
    Anew,
    Whole(Vec<u8>),
}

impl Fetch {
    fn take(&mut self, part: SnapshotPart) -> Result<Taken, &'static str> {
        let anew = self.id != Some(part.id);
        if anew {
            *self = Fetch {
                id: Some(part.id),
                total: part.total as usize,
                bytes: Vec::new(),
                parts: self.parts,
            };
        }
        self.parts += 1;
        if part.total != self.total as u64 || part.offset != self.bytes.len() as u64 {
            return Err("a part of a snapshot that does not follow the one before");
        }
        if part.bytes.is_empty() || part.bytes.len() > self.total - self.bytes.len() {
            return Err("a part of a snapshot that is empty or too long");
        }
        if self.parts > MAX_SNAPSHOT_PARTS {
            return Err("a snapshot in more parts than it may have");
        }
        self.bytes.extend_from_slice(&part.bytes);
        if self.bytes.len() < self.total {
            return Ok(if anew { Taken::Anew } else { Taken::More });
        }
        if Some(Hash(*blake3::hash(&self.bytes).as_bytes())) != self.id {
            return Err("a snapshot that is not what it was called");
        }
        Ok(Taken::Whole(std::mem::take(&mut self.bytes)))
    }
}
