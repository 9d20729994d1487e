//! The post office: carries frames from peer to peer, and loses, doubles, damages and delays them.
//!
//! It is ours and not turmoil's, which would deliver in the order of its links at the start of a
//! tick. A frame's fate is settled when it is sent; a frame is delivered to the millisecond, those
//! of one millisecond by (receiver, sender, number). It gets to whoever listens when it is due,
//! which may be a later life of the peer that it was sent to.
//!
//! Damage is noticed by the transport, and the frame lost, or by the decoder, and the frame refused.
//! Damage that neither could notice would be another peer's words: that takes a forger, and the
//! network is none.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::dialect::Dialect;
use super::frame::{self, Frame};
use super::link;
use super::shared::World;
use crate::plan::FaultKind;
use crate::trace::Mark;

/// How long frames wait at most for those before them, and how long one may take itself, on a slow
/// link, in virtual milliseconds. Its sender gives up what takes longer.
const PATIENCE_MS: u64 = 2_000;

/// A frame on its way: when it is due, to whom, from whom, its number there, which copy.
type Due = (u64, usize, usize, u64, u8);

/// What is on its way.
#[derive(Default)]
pub(crate) struct Post {
    on_the_way: RefCell<BTreeMap<Due, Rc<Frame>>>,
    /// By (sender, receiver): when a slow link is free again.
    free_ms: RefCell<BTreeMap<(usize, usize), u64>>,
    /// By (sender, receiver): the greatest number delivered.
    latest: RefCell<BTreeMap<(usize, usize), u64>>,
    /// How many connections of the plan have been broken.
    broken: Cell<usize>,
}

impl Post {
    /// When the next frame is due.
    fn next_ms(&self) -> Option<u64> {
        self.on_the_way.borrow().first_key_value().map(|(&(due_ms, ..), _)| due_ms)
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.on_the_way.borrow().is_empty()
    }

    /// The next frame, if it is due.
    fn pop(&self, now_ms: u64) -> Option<(Due, Rc<Frame>)> {
        let mut on_the_way = self.on_the_way.borrow_mut();
        let first = on_the_way.first_entry()?;
        (first.key().0 <= now_ms).then(|| first.remove_entry())
    }
}

impl World {
    /// Takes a frame from its sender and decides what becomes of it.
    pub(crate) fn send(&self, mut frame: Frame) {
        let Frame { from, to, nth, sent_ms, .. } = frame;
        let weather = self.weather(sent_ms);
        let link = (self.peer(from).key, self.peer(to).key);
        let Some(slowed_ms) = self.slows(&frame) else {
            return self.lost(&frame, "to a slow link", "frames lost to a slow link");
        };
        let fate = link::fate(self.choices, weather, link, nth);
        if fate.first.is_none() {
            self.network_did(FaultKind::Loss, "frames lost");
            return self.lost(&frame, "on the way", "frames lost");
        }
        if let Some(damage) = link::damage(self.choices, weather, link, nth, &frame.body) {
            let dialect = Dialect(self.plan.peers[to].speaks());
            let read_as_another = dialect.understands(frame.answers, &damage.body);
            if !damage.unchecked || read_as_another {
                self.network_did(damage.kind, "frames lost");
                return self.lost(&frame, "that was damaged", "damaged frames lost");
            }
            (frame.body, frame.damaged) = (damage.body, Some(damage.kind));
        }
        let frame = Rc::new(frame);
        let mut on_the_way = self.post.on_the_way.borrow_mut();
        for (copy, delay) in [(0, fate.first), (1, fate.second)] {
            if let Some(delay) = delay {
                let due_ms = sent_ms + slowed_ms + delay;
                on_the_way.insert((due_ms, to, from, nth, copy), frame.clone());
            }
        }
    }

    /// What a slow link adds to a frame's delay; `None` if its sender gives it up.
    fn slows(&self, frame: &Frame) -> Option<u64> {
        let Frame { from, to, sent_ms, .. } = *frame;
        let Some(slow) = self.slow(from, to, sent_ms) else { return Some(0) };
        let mut added = slow.delay_ms;
        if let Some(bytes_per_s) = slow.bytes_per_s {
            let mut free = self.post.free_ms.borrow_mut();
            let free_ms = free.entry((from, to)).or_default();
            let wait = free_ms.saturating_sub(sent_ms);
            let takes = link::transmission_ms(frame.body.len(), bytes_per_s);
            if wait <= PATIENCE_MS {
                *free_ms = sent_ms + wait + takes.min(PATIENCE_MS);
            }
            if wait.max(takes) > PATIENCE_MS {
                self.step_did(slow.step, "frames lost", 1);
                return None;
            }
            added += wait + takes;
        }
        self.step_did(slow.step, "frames slowed", 1);
        Some(added)
    }

    /// Hands over a frame that is due, if it gets through and somebody listens.
    fn deliver(&self, (due_ms, to, from, nth, copy): Due, frame: &Frame) {
        if self.stay_apart(from, to, due_ms) {
            return self.lost(frame, "to a network that stays away", "frames lost to a partition");
        }
        if let Some(step) = self.broken_by(from, to, (frame.sent_ms, due_ms)) {
            self.step_did(step, "frames lost", 1);
            let why = "with its connection";
            return self.lost(frame, why, "frames lost with their connection");
        }
        if let Some(step) = self.closed_by(from, to, due_ms) {
            if let Some(what) = frame::rarely_lost(&frame.body) {
                self.count(what);
            }
            self.step_did(step, "frames lost", 1);
            return self.lost(frame, "to a partition", "frames lost to a partition");
        }
        let Some(network) = self.peer(to).listener() else {
            let why = "as it has no power";
            return self.lost(frame, why, "frames lost to a peer without power");
        };
        let mut latest = self.post.latest.borrow_mut();
        let latest_nth = latest.entry((from, to)).or_default();
        if nth < *latest_nth && copy == 0 {
            self.network_did(FaultKind::Reordering, "frames overtaken");
        }
        *latest_nth = nth.max(*latest_nth);
        drop(latest);
        if copy > 0 {
            self.network_did(FaultKind::Duplication, "frames doubled");
            self.count("frames doubled");
        }
        network.arrived(frame, copy > 0);
    }

    /// Breaks the connections whose time has come: calls over them fail.
    fn break_connections(&self) {
        let breaks = self.timeline.breaks();
        while let Some(each) = breaks.get(self.post.broken.get()) {
            if self.started_ms.get().is_none() || each.at_ms > self.plan_ms() {
                return;
            }
            self.post.broken.set(self.post.broken.get() + 1);
            for (me, peer) in self.peers.iter().enumerate() {
                let failed = peer
                    .listener()
                    .map_or(0, |network| network.connections_break(|other| each.parts(me, other)));
                self.step_did(each.step, "calls failed", failed);
            }
        }
    }

    /// When the next connection breaks.
    fn next_break_ms(&self) -> Option<u64> {
        let next = self.timeline.breaks().get(self.post.broken.get())?;
        Some(self.started_ms.get()? + next.at_ms)
    }

    fn lost(&self, frame: &Frame, why: &str, count: &'static str) {
        let Frame { from, to, nth, .. } = *frame;
        let name = &self.peer(from).name;
        self.tell(to, format_args!("loses a frame of {name} {why} (n={nth})"), &[]);
        self.mark(to, || Mark::Lost { from, nth });
        self.count(count);
    }
}

/// Delivers what is due, and wakes the world when the next frame is, or a connection breaks.
pub(crate) struct Postman {
    /// For when the timer is set, and the timer; kept, since making one costs more than moving it.
    timer: Option<(u64, Pin<Box<Sleep>>)>,
}

impl Postman {
    pub(crate) fn new() -> Self {
        Postman { timer: None }
    }

    /// Delivers all that is due. Called on every poll of the world.
    pub(crate) fn deliver(&mut self, world: &World, context: &mut Context<'_>) {
        let now_ms = world.now_ms();
        world.break_connections();
        while let Some((due, frame)) = world.post.pop(now_ms) {
            world.deliver(due, &frame);
        }
        let next = world.post.next_ms().into_iter().chain(world.next_break_ms()).min();
        let Some(next_ms) = next else { return };
        let timer = || (next_ms, Box::pin(sleep(Duration::from_millis(next_ms - now_ms))));
        let fresh = self.timer.is_none();
        let (set_ms, timer) = self.timer.get_or_insert_with(timer);
        if *set_ms != next_ms {
            let (set, next) = (Duration::from_millis(*set_ms), Duration::from_millis(next_ms));
            let deadline = timer.deadline() + next - set;
            timer.as_mut().reset(deadline);
            *set_ms = next_ms;
        } else if !fresh {
            return;
        }
        // Due later than now, so it only leaves its waker.
        let _ = timer.as_mut().poll(context);
    }
}
