//! Events for an embedder, with explicit lag.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use crate::api::Event;
use crate::limits::MAX_QUEUED_EVENTS;

/// The events of one workspace from the moment of subscribing on.
///
/// At most [`MAX_QUEUED_EVENTS`] wait; a slower reader finds one [`Event::Lagged`] instead of what
/// it missed.
pub struct Subscription {
    queue: Arc<Mutex<Queue>>,
}

pub(super) struct Queue {
    events: VecDeque<Event>,
    lagged: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl Queue {
    pub(super) fn new(closed: bool) -> Self {
        Queue { events: VecDeque::new(), lagged: 0, closed, waker: None }
    }

    pub(super) fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
        queue.lock().expect("no code that holds this lock panics")
    }

    pub(super) fn push(&mut self, event: Event) {
        if self.events.len() >= MAX_QUEUED_EVENTS {
            self.lagged += self.events.len() as u64;
            self.events.clear();
        }
        self.events.push_back(event);
        self.wake();
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn pop(&mut self) -> Option<Event> {
        match std::mem::take(&mut self.lagged) {
            0 => self.events.pop_front(),
            missed => Some(Event::Lagged(missed)),
        }
    }
}

impl Subscription {
    pub(super) fn new(queue: Arc<Mutex<Queue>>) -> Self {
        Subscription { queue }
    }

    /// The next event; `None` once the workspace is closed and all events are read.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|context| {
            let mut queue = Queue::lock(&self.queue);
            match queue.pop() {
                Some(event) => Poll::Ready(Some(event)),
                None if queue.closed => Poll::Ready(None),
                None => {
                    queue.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// The next event, if one waits.
    pub fn try_next(&mut self) -> Option<Event> {
        Queue::lock(&self.queue).pop()
    }
}
