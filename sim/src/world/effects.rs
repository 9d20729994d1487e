//! What faults do, booked on the fault where it happens.

use super::shared::World;
use crate::ledger::Ledger;
use crate::plan::{Fault, FaultKind, Source};

/// What disks count by themselves, and by which rate of the plan it happened.
const DISK: [(FaultKind, &str); 5] = [
    (FaultKind::SyncError, "disk syncs failed"),
    (FaultKind::SyncLie, "disk syncs that lied"),
    (FaultKind::ReadError, "disk reads failed"),
    (FaultKind::WriteError, "disk writes failed"),
    (FaultKind::WitnessError, "promises that failed"),
];

impl World {
    /// A step that is a fault did something.
    pub(crate) fn step_did(&self, step: usize, what: &'static str, times: u64) {
        if let Some(kind) = self.plan.steps[step].action.fault() {
            self.book(kind, Source::Step(step), what, times);
        }
    }

    /// A rate of the network did something.
    pub(crate) fn network_did(&self, kind: FaultKind, what: &'static str) {
        self.book(kind, Source::Network, what, 1);
    }

    /// What is wrong with a peer itself did something.
    pub(crate) fn peer_did(&self, kind: FaultKind, peer: usize, what: &'static str, times: u64) {
        self.book(kind, Source::Peer(peer), what, times);
    }

    /// A peer's user made so many entries; they carry the time of a clock that may be wrong, or that
    /// weeks have passed on.
    pub(crate) fn clock_gave(&self, me: usize, entries: u64) {
        let now_ms = self.plan_ms();
        self.peer_did(FaultKind::ClockOffset, me, "entries authored", entries);
        if self.clock_drift_ms(me, now_ms) != 0 {
            self.peer_did(FaultKind::ClockDrift, me, "entries authored", entries);
        }
        for step in self.timeline.clock_steps(me, now_ms) {
            self.step_did(step, "entries authored", entries);
        }
    }

    /// The present life of a peer is ended by the step that was to end it, or by `what` beside it.
    pub(crate) fn doom_did(&self, me: usize, what: &'static str) {
        if let Some(step) = self.peer(me).doom.get() {
            self.step_did(step, what, 1);
        }
    }

    fn book(&self, kind: FaultKind, source: Source, what: &'static str, times: u64) {
        self.ledger.borrow_mut().book(Fault { kind, source }, what, times);
    }

    /// The run is over: what each fault did in it.
    pub(crate) fn take_ledger(&self) -> Ledger {
        for (kind, what) in DISK {
            let times = self.counts().get(what).copied().unwrap_or(0);
            self.book(kind, Source::Disk, what, times);
        }
        self.ledger.take()
    }
}
