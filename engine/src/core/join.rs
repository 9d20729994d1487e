//! Joining a snapshot of another device: never put in the place of what is here, always joined.
//!
//! From the moment that the snapshot is whole until the joined base is durable no entries of others
//! are taken in, so what is weighed is what is joined. Local edits go on; what they add meanwhile
//! is joined like the rest, and reaches the log behind the base.

use super::open::{Replay, Seeds};
use super::shared::{Shared, Weighed};
use super::snapshot::Root;
use super::{Core, Output};
use crate::api::Event;
use crate::counters::Counter;
use crate::ports::StoreError;
use crate::record::Snapshot;
use crate::wire::Reject;

/// A snapshot of another device on its way into the base.
#[derive(Debug)]
pub(super) struct Joining {
    /// The round that fetched it.
    round: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// It waits for a still moment, as the bytes that came.
    Whole(Vec<u8>),
    /// The store is at work.
    Written(Box<Written>),
}

/// What the base that is being written brings.
#[derive(Debug)]
struct Written {
    shared: Shared,
    brings: u64,
    root: Root,
}

impl Joining {
    pub(super) fn is_written(&self) -> bool {
        matches!(self.stage, Stage::Written(_))
    }
}

impl Core {
    /// A snapshot of another device is whole: it is joined at the next still moment.
    pub(super) fn begin_join(&mut self, round: u64, bytes: Vec<u8>) {
        self.joining = Some(Joining { round, stage: Stage::Whole(bytes) });
    }

    pub(super) fn consider_join(&mut self) {
        let waiting = self.joining.as_ref().is_some_and(|joining| !joining.is_written());
        if waiting && self.healing.is_some() {
            // The next core makes the round again.
            self.joining = None;
        }
        // What the base holds can be disowned no more, so it has to be promised.
        if !waiting || !self.is_still() || !self.held_back && !self.ensure_promise() {
            return;
        }
        let Some(Joining { round, stage: Stage::Whole(bytes) }) = self.joining.take() else {
            return;
        };
        match self.weighed(&bytes) {
            Ok((shared, _)) if self.is_outrun_by(&shared) => {
                self.counters.note(Counter::RenamedForUnknown);
                self.change_name();
            }
            Ok((_, Weighed::Parted(parting))) => {
                let reject = self.part(parting, None, Some(round));
                // If our own name is to change, the round is made again under the new one.
                if self.healing.is_none() {
                    self.finish(round, Err(reject.into()));
                }
            }
            Ok((_, Weighed::Refused(reject))) | Err(reject) => {
                self.counters.note(Counter::SnapshotRefused);
                self.finish(round, Err(reject.into()));
            }
            Ok((shared, Weighed::Brings(0))) => {
                self.counters.note(Counter::SnapshotKnown);
                self.believe_all(round, &shared);
                self.go_on_pulling(round);
            }
            // Somebody knows more of us than this snapshot does.
            Ok(_) if self.held_back => self.start_healing(self.known_elsewhere()),
            Ok((shared, Weighed::Brings(brings))) => {
                let (base, root) = self.joined_base(&bytes);
                let stage = Stage::Written(Box::new(Written { shared, brings, root }));
                self.joining = Some(Joining { round, stage });
                let first = self.compaction.first;
                self.outputs.push_back(Output::Rebase { base, first });
            }
        }
    }

    /// The witness does not let the base be written; a round may bring the snapshot again.
    pub(super) fn give_up_join(&mut self, why: &StoreError) {
        if let Some(Joining { round, .. }) = self.joining.take_if(|joining| !joining.is_written()) {
            self.finish(round, Err(why.clone().into()));
        }
    }

    fn weighed(&self, bytes: &[u8]) -> Result<(Shared, Weighed), Reject> {
        let shared = self.read_shared(bytes)?;
        let weighed = self.weigh(&shared);
        Ok((shared, weighed))
    }

    /// The base as it is with the snapshot joined: made of a copy, since nothing of it may show
    /// before it is durable.
    fn joined_base(&self, bytes: &[u8]) -> (Snapshot, Root) {
        let seeds =
            Seeds { table: self.table_key, first: self.incarnation, next: self.next_incarnation };
        let mut copy = Replay::new(self.config, seeds, 0, Vec::new()).into_core();
        copy.restore(&self.snapshot()).expect("what was written just now can be read");
        copy.absorb(copy.read_shared(bytes).expect("it was read before"));
        copy.root = self.root_now();
        // The copy may number authors otherwise.
        let number = |peer| copy.authors.get(peer).expect("the copy knows the same authors");
        for (author, _) in &mut copy.root.seen {
            *author = number(self.authors.peer(*author));
        }
        (copy.snapshot(), self.root_now())
    }

    /// The store has, or has not, made the joined base durable.
    pub(super) fn join_written(&mut self, result: Result<(), StoreError>) {
        let Some(Joining { round, stage: Stage::Written(written) }) = self.joining.take() else {
            return;
        };
        match result {
            Ok(()) => {}
            // Nothing was changed: what this device made meanwhile stays.
            Err(refused @ StoreError::Refused(_)) => {
                return self.finish(round, Err(refused.into()));
            }
            Err(error) => return self.fail(error),
        }
        let Written { shared, brings, root } = *written;
        self.root = root;
        self.believe_all(round, &shared);
        self.absorb(shared);
        self.counters.note(Counter::SnapshotJoined);
        (self.snapshot_at, self.compaction.tried_at) = (self.pipeline.end, self.pipeline.end);
        // Readers are to read everything anew.
        let _ = self.state.refresh();
        self.event(Event::Reset);
        self.unpark();
        if let Some(round) = self.rounds.get_mut(&round) {
            round.report.pulled += brings;
            round.report.joined = true;
            round.retries = 0;
        }
        self.go_on_pulling(round);
    }

    /// The histories of a peer turned out to be the same as ours, as far as both go.
    fn believe_all(&mut self, round: u64, shared: &Shared) {
        let Some(round) = self.rounds.get_mut(&round) else { return };
        for (author, last) in shared.ends() {
            round.believe(author, last);
        }
    }
}
