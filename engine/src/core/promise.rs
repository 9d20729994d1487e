//! Promises: own entries leave only once the witness knows how far they may.

use super::{Core, Output};
use crate::api::Chore;
use crate::counters::Counter;
use crate::ports::{Promise, StoreError};
use crate::wire::{PullRequest, Reject, Response};

/// What waits for the witness before it goes on.
#[derive(Debug)]
pub(super) enum AfterPromise {
    Round(u64),
    Pull { call: u64, request: PullRequest },
}

impl Core {
    /// Lets the witness know that own durable entries may be sent; true if it knows already.
    pub(super) fn ensure_promise(&mut self) -> bool {
        let durable = self.ledger.chain(self.me).durable();
        if durable <= self.promised {
            return true;
        }
        if self.promising.is_none() {
            self.promise(durable);
        }
        false
    }

    /// Lets the witness remember that own entries up to `sequence` may be sent.
    pub(super) fn promise(&mut self, sequence: u64) {
        self.promising = Some(sequence);
        let incarnation = self.incarnation;
        self.outputs.push_back(Output::Promise(Promise { incarnation, sequence }));
    }

    /// Goes on with `after` once all that is durable now may be sent.
    pub(super) fn once_promised(&mut self, after: AfterPromise) {
        if self.keeps_home() || self.ensure_promise() {
            return self.go_on(after);
        }
        self.counters.note(Counter::PromiseAwaited);
        let target = self.ledger.chain(self.me).durable();
        self.after_promise.push((target, after));
    }

    /// Whether no more own entries leave under the present name, whatever the witness knows: they are
    /// about to be made again under another.
    fn keeps_home(&self) -> bool {
        self.held_back || self.healing.is_some()
    }

    /// Lets the witness know the present incarnation before the log does, if an own entry waits for the
    /// log; true if it knows. After a crash a name that the log alone knew would look like one of a
    /// restored backup.
    pub(super) fn introduce(&mut self) -> bool {
        let known = self.named || self.introduced || self.edits.is_sealed();
        if !known && self.promising.is_none() {
            self.promise(0);
        }
        known
    }

    fn go_on(&mut self, after: AfterPromise) {
        match after {
            AfterPromise::Round(round) => self.begin_push(round),
            AfterPromise::Pull { call, request } => self.prepare_pull(call, request),
        }
    }

    pub(super) fn promise_kept(&mut self, result: Result<(), StoreError>) {
        let promised = self.promising.take();
        // If it failed, own entries stay at home, and that is all.
        self.introduced = true;
        if self.ended {
            return;
        }
        let waiting = std::mem::take(&mut self.after_promise);
        if let Err(error) = result {
            // Nothing may be sent; what was sent before stays true. Whatever waits is given up, or
            // it would ask again at once.
            self.counters.note(Counter::PromiseFailed);
            waiting.into_iter().for_each(|(_, after)| self.give_up(after, &error));
            self.give_up_join(&error);
            self.give_up_offers(&error);
            return self.give_up_compaction(error);
        }
        if !self.keeps_home() {
            self.promised = promised.unwrap_or(0).max(self.promised);
        }
        for (target, after) in waiting {
            if self.keeps_home() || target <= self.promised {
                self.go_on(after);
            } else {
                self.after_promise.push((target, after));
                self.ensure_promise();
            }
        }
    }

    fn give_up(&mut self, after: AfterPromise, error: &StoreError) {
        match after {
            AfterPromise::Round(round) => self.finish(round, Err(error.clone().into())),
            AfterPromise::Pull { call, .. } => {
                self.answer(call, Response::Refused(Reject::Unavailable));
                self.hindered(Chore::Serving, error.clone());
            }
        }
    }
}
