//! What the handle and the driver share: the core, and everybody who waits for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use futures_channel::oneshot;

use super::Ports;
use super::recorded::RecordedCore;
use super::subscription::{Queue, Subscription};
use super::waiters::Waiters;
use crate::api::{Config, Event, Outcome, Receipt, SyncError, SyncReport};
use crate::core::{Core, Input, Output, Rebuild};
use crate::id::DeviceId;
use crate::ports::{Clock, StoreError};
use crate::wire::{Request, Response};

/// One opened workspace.
pub(super) struct Shared<P> {
    pub(super) ports: P,
    inner: Mutex<Inner>,
    /// How many callers of the handle wait for the lock.
    waiting: AtomicUsize,
}

/// How often the driver lets other threads go first before a step. A thread that was woken takes
/// some of these; one that is kept off its core for longer waits for a step more.
const TURNS: usize = 1_000;

impl<P: Ports> Shared<P> {
    pub(super) fn new(ports: P, config: Config, core: RecordedCore) -> Arc<Self> {
        let inner = Inner {
            core,
            config,
            phase: Phase::Open,
            waker: None,
            woken: false,
            queues: Vec::new(),
            rounds: BTreeMap::new(),
            answers: BTreeMap::new(),
            receipts: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            checkpoints: Waiters::default(),
            compactions: Waiters::default(),
            closers: Vec::new(),
            next: 0,
            first_revision: 0,
        };
        Arc::new(Shared { ports, inner: Mutex::new(inner), waiting: AtomicUsize::new(0) })
    }

    /// The lock is held for one step of the core at most, which is long if a snapshot is taken or
    /// joined in it. A panic while it was held leaves a core
    /// that nobody may use, so it is passed on.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let inner = self.inner.lock();
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.stamped(inner.expect("the core panicked before"))
    }

    /// The same for the driver's steps, which come one after the other when there is much to merge: who
    /// waits goes first. A mutex alone would let the driver, which is awake, take it again and again.
    pub(super) fn lock_in_turn(&self) -> MutexGuard<'_, Inner> {
        for _ in 0..TURNS {
            if self.waiting.load(Ordering::Relaxed) == 0 {
                break;
            }
            std::thread::yield_now();
        }
        self.stamped(self.inner.lock().expect("the core panicked before"))
    }

    /// The same for destructors, which run while a panic unwinds and must not add another:
    /// nothing if the core panicked.
    pub(super) fn lock_to_drop(&self) -> Option<MutexGuard<'_, Inner>> {
        self.inner.lock().ok().map(|inner| self.stamped(inner))
    }

    /// Lets a recorder know when that is what is going to happen.
    fn stamped<'a>(&self, inner: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        inner.core.stamp(|| self.ports.clock().now_ms());
        inner
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Flushing; no edits and rounds any more.
    Closing,
    Closed,
}

/// See [`Shared`].
pub(super) struct Inner {
    core: RecordedCore,
    config: Config,
    phase: Phase,
    waker: Option<Waker>,
    woken: bool,
    queues: Vec<Arc<Mutex<Queue>>>,
    rounds: BTreeMap<u64, oneshot::Sender<Result<SyncReport, SyncError>>>,
    answers: BTreeMap<u64, oneshot::Sender<Response>>,
    receipts: BTreeMap<u64, Vec<oneshot::Sender<Outcome>>>,
    /// Fates that a receipt alone does not tell: refused, or made again under a new name.
    outcomes: BTreeMap<u64, Outcome>,
    checkpoints: Waiters<()>,
    compactions: Waiters<u64>,
    closers: Vec<oneshot::Sender<()>>,
    next: u64,
    /// The revision with which the current core began.
    first_revision: u64,
}

impl Inner {
    pub(super) fn core(&mut self) -> &mut RecordedCore {
        &mut self.core
    }

    /// Another number whenever what readers see may be another.
    pub(super) fn revision(&self) -> u64 {
        self.first_revision + self.core.revision()
    }

    pub(super) fn config(&self) -> Config {
        self.config
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn poll_core(&mut self) -> Option<Output> {
        self.core.poll_output()
    }

    pub(super) fn handle(&mut self, input: Input) {
        self.core.handle(input);
    }

    /// Lets the driver look at the core again.
    pub(super) fn wake(&mut self) {
        self.woken = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether [`wake`](Self::wake) was called; if not, `waker` is woken when it is.
    pub(super) fn take_wake(&mut self, waker: &Waker) -> bool {
        if std::mem::take(&mut self.woken) {
            return true;
        }
        self.waker = Some(waker.clone());
        false
    }

    /// Puts `next` in the place of a core that ended because of `why`.
    pub(super) fn replace_core(&mut self, next: Core, why: &Rebuild) {
        // What came in while `next` was made was turned away by the old core.
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Finished { round, result } => self.finish(round, result),
                Output::Answer { call, response } => self.answered(call, response),
                _ => {}
            }
        }
        self.first_revision = self.revision() + 1;
        self.core.replace(next, why);
        // Whoever asks before the events are published is not to take what was undone for durable.
        for (receipt, outcome) in self.core.fates() {
            self.settle(receipt, &outcome);
        }
        if self.checkpoints.begin_anew() {
            self.core.want_checkpoint();
        }
        if self.compactions.begin_anew() {
            self.core.want_compaction();
        }
    }

    pub(super) fn subscribe(&mut self) -> Subscription {
        let queue = Arc::new(Mutex::new(Queue::new(self.phase == Phase::Closed)));
        self.queues.push(Arc::clone(&queue));
        Subscription::new(queue)
    }

    pub(super) fn publish(&mut self, event: Event) {
        if let Event::Settled { receipt, outcome } = &event {
            self.settle(*receipt, outcome);
        }
        // A queue that only we hold has no reader any more.
        self.queues.retain(|queue| Arc::strong_count(queue) > 1);
        for queue in &self.queues {
            Queue::lock(queue).push(event.clone());
        }
    }

    fn settle(&mut self, receipt: Receipt, outcome: &Outcome) {
        let as_made =
            matches!(outcome, Outcome::Durable(dots) if receipt.dots().eq(dots.iter().copied()));
        if !as_made {
            self.outcomes.insert(receipt.number, outcome.clone());
        }
        for waiting in self.receipts.remove(&receipt.number).into_iter().flatten() {
            let _ = waiting.send(outcome.clone());
        }
    }

    /// The fate of an edit, or a promise of it.
    pub(super) fn fate(&mut self, receipt: Receipt) -> Result<Outcome, oneshot::Receiver<Outcome>> {
        if let Some(outcome) = self.outcomes.get(&receipt.number) {
            return Ok(outcome.clone());
        }
        if !self.core.is_unsettled(receipt) {
            return Ok(Outcome::Durable(receipt.dots().collect()));
        }
        if self.phase == Phase::Closed {
            let what = "the workspace was closed before the edit's fate was known".to_owned();
            return Ok(Outcome::Refused(StoreError::Failed(what)));
        }
        let (sender, receiver) = oneshot::channel();
        self.receipts.entry(receipt.number).or_default().push(sender);
        Err(receiver)
    }

    pub(super) fn start_round(
        &mut self,
        peer: DeviceId,
    ) -> (u64, oneshot::Receiver<Result<SyncReport, SyncError>>) {
        let (sender, receiver) = oneshot::channel();
        self.next += 1;
        if !self.is_open() {
            let _ = sender.send(Err(SyncError::Closed));
            return (self.next, receiver);
        }
        self.rounds.insert(self.next, sender);
        self.core.handle(Input::Start { round: self.next, peer });
        self.wake();
        (self.next, receiver)
    }

    pub(super) fn abandon_round(&mut self, round: u64) {
        if self.rounds.remove(&round).is_some() {
            self.core.handle(Input::Abandon { round });
        }
    }

    pub(super) fn finish(&mut self, round: u64, result: Result<SyncReport, SyncError>) {
        if let Some(waiting) = self.rounds.remove(&round) {
            let _ = waiting.send(result);
        }
    }

    pub(super) fn ask(&mut self, from: DeviceId, request: Request) -> oneshot::Receiver<Response> {
        let (sender, receiver) = oneshot::channel();
        if self.phase != Phase::Closed {
            self.next += 1;
            self.answers.insert(self.next, sender);
            self.core.handle(Input::Asked { call: self.next, from, request });
            self.wake();
        }
        receiver
    }

    pub(super) fn answered(&mut self, call: u64, response: Response) {
        if let Some(waiting) = self.answers.remove(&call) {
            // The other device may be gone.
            let _ = waiting.send(response);
        }
    }

    pub(super) fn checkpoint(&mut self) -> oneshot::Receiver<Result<(), StoreError>> {
        let (sender, receiver) = oneshot::channel();
        if self.phase != Phase::Closed {
            self.checkpoints.push(sender, self.core.is_saving());
            self.core.want_checkpoint();
            self.wake();
        }
        receiver
    }

    pub(super) fn checkpointed(&mut self, result: &Result<(), StoreError>) {
        self.checkpoints.serve(result);
    }

    pub(super) fn compact(&mut self) -> oneshot::Receiver<Result<u64, StoreError>> {
        let (sender, receiver) = oneshot::channel();
        if self.phase != Phase::Closed {
            self.compactions.push(sender, self.core.is_compacting());
            self.core.want_compaction();
            self.wake();
        }
        receiver
    }

    pub(super) fn compacted(&mut self, result: &Result<u64, StoreError>) {
        self.compactions.serve(result);
    }

    pub(super) fn close(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if self.phase != Phase::Closed {
            self.phase = Phase::Closing;
            self.closers.push(sender);
            self.wake();
        }
        receiver
    }

    /// Whether the driver has nothing left to do for a workspace that is closing.
    pub(super) fn may_end(&mut self) -> bool {
        self.phase == Phase::Closing && self.core.is_flushed()
    }

    /// The driver is gone: nobody waits in vain.
    pub(super) fn end(&mut self) {
        self.phase = Phase::Closed;
        self.rounds.clear();
        self.answers.clear();
        self.receipts.clear();
        self.checkpoints = Waiters::default();
        self.compactions = Waiters::default();
        self.closers.clear();
        for queue in self.queues.drain(..) {
            Queue::lock(&queue).close();
        }
    }
}
