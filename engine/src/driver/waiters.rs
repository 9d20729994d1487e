//! Whoever waits for something that is done once for all who asked before it began.

use futures_channel::oneshot::Sender;

use crate::ports::StoreError;

/// Those who wait for the attempt that is under way or begins next, and for the one after it.
pub(super) struct Waiters<T> {
    this: Vec<Sender<Result<T, StoreError>>>,
    next: Vec<Sender<Result<T, StoreError>>>,
}

impl<T> Default for Waiters<T> {
    fn default() -> Self {
        Waiters { this: Vec::new(), next: Vec::new() }
    }
}

impl<T: Clone> Waiters<T> {
    /// One more. An attempt that is `under_way` began without him: he waits for the next.
    pub(super) fn push(&mut self, waiter: Sender<Result<T, StoreError>>, under_way: bool) {
        if under_way { &mut self.next } else { &mut self.this }.push(waiter);
    }

    /// An attempt ended.
    pub(super) fn serve(&mut self, result: &Result<T, StoreError>) {
        for waiter in std::mem::replace(&mut self.this, std::mem::take(&mut self.next)) {
            // Whoever asked may be gone.
            let _ = waiter.send(result.clone());
        }
    }

    /// The attempt under way will never end: all wait for the next one. Whether there is anybody.
    pub(super) fn begin_anew(&mut self) -> bool {
        self.this.append(&mut self.next);
        !self.this.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use futures_channel::oneshot::{Receiver, channel};

    use super::*;

    fn waiter(waiters: &mut Waiters<u8>, under_way: bool) -> Receiver<Result<u8, StoreError>> {
        let (sender, receiver) = channel();
        waiters.push(sender, under_way);
        receiver
    }

    #[test]
    fn whoever_came_during_an_attempt_waits_for_the_next() {
        let mut waiters = Waiters::default();
        let (mut before, mut during) = (waiter(&mut waiters, false), waiter(&mut waiters, true));
        waiters.serve(&Ok(1));
        assert_eq!((before.try_recv(), during.try_recv()), (Ok(Some(Ok(1))), Ok(None)));
        waiters.serve(&Ok(2));
        assert_eq!(during.try_recv(), Ok(Some(Ok(2))));
        assert!(!waiters.begin_anew());
        let (mut before, mut during) = (waiter(&mut waiters, false), waiter(&mut waiters, true));
        assert!(waiters.begin_anew());
        waiters.serve(&Ok(3));
        assert_eq!((before.try_recv(), during.try_recv()), (Ok(Some(Ok(3))), Ok(Some(Ok(3)))));
    }
}
