//! What the engine does by itself and could not do: told once, since nobody asked for it.

use super::Core;
use crate::api::{Chore, Event};
use crate::ports::StoreError;

impl Core {
    /// Tells the embedder that a chore was not done, unless it was told just that before.
    pub(super) fn hindered(&mut self, chore: Chore, why: StoreError) {
        if self.hindrances.insert(chore, why.clone()).as_ref() != Some(&why) {
            self.event(Event::Hindered { chore, why });
        }
    }

    /// A chore was done: if it is hindered again, that is news.
    pub(super) fn done(&mut self, chore: Chore) {
        self.hindrances.remove(&chore);
    }
}
