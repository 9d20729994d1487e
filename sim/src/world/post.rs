//! The post office: carries frames from peer to peer, and loses, doubles and delays them.
//!
//! It is ours and not turmoil's, which would deliver in the order of its links at the start of a
//! tick. A frame's fate is settled when it is sent; a frame is delivered to the millisecond, those
//! of one millisecond by (receiver, sender, number). It gets to whoever listens when it is due,
//! which may be a later life of the peer that it was sent to. Nothing here alters a frame.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::frame::{self, Frame};
use super::link;
use super::shared::World;

/// A frame on its way: when it is due, to whom, from whom, its number there, which copy.
type Due = (u64, usize, usize, u64, u8);

/// What is on its way.
#[derive(Default)]
pub(crate) struct Post {
    on_the_way: RefCell<BTreeMap<Due, Rc<Frame>>>,
}

impl Post {
    /// When the next frame is due.
    fn next_ms(&self) -> Option<u64> {
        self.on_the_way.borrow().first_key_value().map(|(&(due_ms, ..), _)| due_ms)
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
    pub(crate) fn send(&self, frame: Frame) {
        let Frame { from, to, nth, .. } = frame;
        let now_ms = self.now_ms();
        let link = (self.peer(from).key, self.peer(to).key);
        let fate = link::fate(self.choices, self.weather(now_ms), link, nth);
        if fate.first.is_none() {
            self.lost(&frame, "on the way", "frames lost");
        }
        if fate.second.is_some() {
            self.count("frames doubled");
        }
        let frame = Rc::new(frame);
        let mut on_the_way = self.post.on_the_way.borrow_mut();
        for (copy, delay) in [(0, fate.first), (1, fate.second)] {
            if let Some(delay) = delay {
                on_the_way.insert((now_ms + delay, to, from, nth, copy), frame.clone());
            }
        }
    }

    /// Hands over a frame that is due, if it gets through and somebody listens.
    fn deliver(&self, (due_ms, to, from, _, copy): Due, frame: &Frame) {
        if !self.open(from, to, due_ms) {
            if let Some(what) = frame::rarely_lost(&frame.body) {
                self.count(what);
            }
            return self.lost(frame, "to a partition", "frames lost to a partition");
        }
        match self.peer(to).listener() {
            Some(network) => network.arrived(frame, copy > 0),
            None => self.lost(frame, "as it has no power", "frames lost to a peer without power"),
        }
    }

    fn lost(&self, frame: &Frame, why: &str, count: &'static str) {
        let Frame { from, to, nth, .. } = *frame;
        let name = &self.peer(from).name;
        self.tell(to, format_args!("loses a frame of {name} {why} (n={nth})"), &[]);
        self.count(count);
    }
}

/// Delivers what is due, and wakes the world when the next frame is.
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
        while let Some((due, frame)) = world.post.pop(now_ms) {
            world.deliver(due, &frame);
        }
        let Some(next_ms) = world.post.next_ms() else { return };
        let at = || Instant::now() + Duration::from_millis(next_ms - now_ms);
        match &mut self.timer {
            Some((set_ms, _)) if *set_ms == next_ms => return,
            Some((set_ms, timer)) => {
                *set_ms = next_ms;
                timer.as_mut().reset(at());
            }
            None => self.timer = Some((next_ms, Box::pin(sleep_until(at())))),
        }
        if let Some((_, timer)) = &mut self.timer {
            // Due later than now, so it only leaves its waker.
            let _ = timer.as_mut().poll(context);
        }
    }
}
