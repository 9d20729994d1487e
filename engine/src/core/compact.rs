//! Compaction: a base is put under the log, and what every device has is cut from it.
//!
//! Only while nothing is on its way and nothing is in doubt: the base holds no own entry that could
//! still be disowned, and no author's history of which there are two.

use super::index::LogIndex;
use super::snapshot::Root;
use super::{Core, Output};
use crate::api::Chore;
use crate::counters::Counter;
use crate::limits::MAX_BASE_BYTES;
use crate::ports::StoreError;

const BRANCHED: &str = "an author's history has two branches, or seems to";

fn base_too_long() -> String {
    format!("a base would be longer than {MAX_BASE_BYTES} bytes")
}

/// Whether the engine itself says so: such words tell nothing of a device.
pub(super) fn is_own_reason(why: &str) -> bool {
    why == BRANCHED || why == base_too_long()
}

/// The cutting of the log.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    /// The position of the log's first record.
    pub(super) first: u64,
    /// The log's end when the last attempt was made.
    pub(super) tried_at: u64,
    /// Whether somebody waits for the attempt that begins next.
    wanted: bool,
    /// While the store is at work.
    open: Option<Cut>,
}

/// What the store is to cut, and what counts again if it does not.
#[derive(Debug)]
struct Cut {
    /// Where the log is to begin.
    first: u64,
    index: LogIndex,
    root: Root,
}

impl Compaction {
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// The first record that stays, whatever becomes of the attempt under way.
    pub(super) fn kept_from(&self) -> u64 {
        self.open.as_ref().map_or(self.first, |cut| cut.first)
    }
}

impl Core {
    /// Asks for a compaction that begins at a still moment from now on; one that is under way
    /// already does not count. Ends with [`Output::Compacted`].
    pub(crate) fn want_compaction(&mut self) {
        self.compaction.wanted = true;
    }

    /// Whether the store is at work on a compaction.
    pub(crate) fn is_compacting(&self) -> bool {
        self.compaction.is_open()
    }

    fn compaction_is_due(&self) -> bool {
        let (every, tried_at) = (self.config.compact_every, self.compaction.tried_at);
        let due = every > 0 && self.pipeline.end >= tried_at.saturating_add(every);
        due || self.compaction.wanted
    }

    pub(super) fn consider_compaction(&mut self) {
        if !self.compaction_is_due() {
            return;
        }
        if !self.forks.is_empty() || !self.suspected.is_empty() || self.held_back {
            self.counters.note(Counter::CutHeldBackByFork);
            return self.give_up_compaction(StoreError::Refused(BRANCHED.to_owned()));
        }
        // A round of our own may be about to send what would be cut.
        let busy = self.joining.is_some() || !self.rounds.is_empty() || !self.loads.is_empty();
        if busy || !self.is_still() || !self.ensure_promise() {
            return;
        }
        self.compaction.wanted = false;
        let (begins, end) = (self.compaction.first, self.pipeline.end);
        let had = |author| self.acknowledged.by_all(self.consents.keys().copied(), author);
        let first = self.index.first_beyond(had).unwrap_or(end);
        if first <= begins {
            self.counters.note(Counter::CutHeldBack);
            return self.compacted(Ok(0));
        }
        let root = self.root_now();
        let root = std::mem::replace(&mut self.root, root);
        let mut index = self.index.clone();
        index.keep(first..end);
        let index = std::mem::replace(&mut self.index, index);
        let cut = Cut { first, index, root };
        let base = self.snapshot();
        if base.bytes.len() > MAX_BASE_BYTES {
            // It grows further, and whoever comes late has to be handed what was cut.
            return self.not_cut(cut, StoreError::Refused(base_too_long()));
        }
        self.compaction.open = Some(cut);
        self.outputs.push_back(Output::Rebase { base, first });
    }

    /// The log is as it was, and so is what may be asked of it.
    fn not_cut(&mut self, cut: Cut, why: StoreError) {
        (self.index, self.root) = (cut.index, cut.root);
        self.compacted(Err(why));
    }

    /// The store has, or has not, put a base under the log.
    pub(super) fn rebased(&mut self, result: Result<(), StoreError>) {
        let cut = self.compaction.open.take();
        if self.ended {
            return;
        }
        let Some(cut) = cut else { return self.join_written(result) };
        match result {
            Ok(()) => {
                let dropped = cut.first - self.compaction.first;
                self.counters.note(Counter::LogCut);
                self.compaction.first = cut.first;
                self.snapshot_at = self.pipeline.end;
                self.compacted(Ok(dropped));
            }
            Err(refused @ StoreError::Refused(_)) => self.not_cut(cut, refused),
            Err(error) => self.fail(error),
        }
    }

    /// If a compaction is due, it ends before it began.
    pub(super) fn give_up_compaction(&mut self, why: StoreError) {
        if self.compaction_is_due() && !self.is_compacting() {
            self.compaction.wanted = false;
            self.compacted(Err(why));
        }
    }

    fn compacted(&mut self, result: Result<u64, StoreError>) {
        self.compaction.tried_at = self.pipeline.end;
        match &result {
            Ok(_) => self.done(Chore::Compaction),
            Err(why) => self.hindered(Chore::Compaction, why.clone()),
        }
        self.outputs.push_back(Output::Compacted(result));
    }
}
