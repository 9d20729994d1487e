//! Devices that have connected and not yet proven anything: only so many at a time.
//!
//! When one more comes the oldest has to go. So whoever connects and says nothing does not keep
//! others out, and an honest joiner, which needs one round trip for its proof, gets through as long
//! as not that many come within it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::oneshot;

use crate::limits::MAX_UNPROVEN_PAIRINGS;

#[derive(Debug, Default)]
pub(super) struct Sessions {
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    next: u64,
    open: BTreeMap<u64, oneshot::Sender<()>>,
}

/// One device's place among them, until dropped.
#[derive(Debug)]
pub(super) struct Session {
    number: u64,
    evicted: oneshot::Receiver<()>,
    sessions: Arc<Sessions>,
}

impl Sessions {
    pub(super) fn begin(self: &Arc<Self>) -> Session {
        let (evict, evicted) = oneshot::channel();
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        while rows.open.len() >= MAX_UNPROVEN_PAIRINGS {
            // A sender that is dropped tells as well.
            rows.open.pop_first();
        }
        let number = rows.next;
        rows.next += 1;
        rows.open.insert(number, evict);
        drop(rows);
        Session { number, evicted, sessions: Arc::clone(self) }
    }
}

impl Session {
    /// Ends when others need the place.
    pub(super) async fn evicted(&mut self) {
        let _ = (&mut self.evicted).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let rows = self.sessions.rows.lock();
        rows.unwrap_or_else(PoisonError::into_inner).open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn oldest_silent_device_makes_room_for_the_next() {
        let sessions = Arc::new(Sessions::default());
        let mut all: Vec<_> = (0..MAX_UNPROVEN_PAIRINGS).map(|_| sessions.begin()).collect();
        assert!(all.iter_mut().all(|session| session.evicted().now_or_never().is_none()));
        let mut next = sessions.begin();
        assert!(all[0].evicted().now_or_never().is_some());
        assert!(all[1].evicted().now_or_never().is_none());
        // One that ended by itself makes room too.
        drop(all.pop());
        let _last = sessions.begin();
        assert!(all[1].evicted().now_or_never().is_none());
        assert!(next.evicted().now_or_never().is_none());
    }
}
