//! Sudden death of one peer, at any of its port calls.
//!
//! A host of turmoil crashes only between two ticks. A blown fuse stops the peer at the very call:
//! nothing of it is polled any more, no port does anything for it, and its life ends within the
//! same poll (`lives.rs`).

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// One peer's fuse.
#[derive(Debug, Default)]
pub(crate) struct Fuse {
    left: Cell<Option<u32>>,
    blown: Cell<bool>,
}

impl Fuse {
    /// Lets so many more calls through and blows at the next one.
    pub(crate) fn arm(&self, calls: u32) {
        self.left.set(Some(calls));
    }

    /// Takes an armed fuse back.
    pub(crate) fn disarm(&self) {
        self.left.set(None);
    }

    /// Blows it now.
    pub(crate) fn blow(&self) {
        self.blown.set(true);
    }

    /// Whether the peer is dead.
    pub(crate) fn blown(&self) -> bool {
        self.blown.get()
    }

    /// Puts a new one in, for the next life.
    pub(crate) fn replace(&self) {
        self.left.set(None);
        self.blown.set(false);
    }

    /// Returns if the peer survives this call, else never.
    pub(crate) async fn pass(&self) {
        match self.left.get() {
            Some(0) => self.blow(),
            Some(calls) => self.left.set(Some(calls - 1)),
            None => {}
        }
        if self.blown() {
            pending::<()>().await;
        }
    }

    /// Runs a part of the peer, and not a step further once the fuse is blown.
    pub(crate) async fn guard<T>(&self, part: impl Future<Output = T>) -> T {
        let mut part = pin!(part);
        poll_fn(|context| if self.blown() { Poll::Pending } else { part.as_mut().poll(context) })
            .await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn armed_fuse_lets_its_calls_through_and_then_none() {
        let fuse = Fuse::default();
        fuse.arm(2);
        assert!(fuse.pass().now_or_never().is_some());
        assert!(fuse.pass().now_or_never().is_some());
        assert!(!fuse.blown());
        assert!(fuse.pass().now_or_never().is_none());
        assert!(fuse.blown());
        assert!(fuse.pass().now_or_never().is_none());
        fuse.replace();
        assert!(fuse.pass().now_or_never().is_some());
    }

    #[test]
    fn guarded_part_stops_within_the_poll_that_blows_the_fuse() {
        let fuse = Fuse::default();
        let reached = Cell::new(0);
        let part = fuse.guard(async {
            fuse.guard(async { reached.set(1) }).await;
            fuse.blow();
            fuse.guard(async { reached.set(2) }).await;
        });
        assert!(part.now_or_never().is_none());
        assert_eq!(reached.get(), 1);
    }
}
