//! What one peer heard of how far another is, since the other's disk forgot something.

use super::shared::Peer;

impl Peer {
    /// A peer whose disk had forgotten something so often says how far it is; `all` if that takes the
    /// place of what it said before.
    pub(crate) fn hears(&self, from: usize, set_backs: u64, all: bool) {
        let mut heard = self.heard.borrow_mut();
        let after = heard.entry(from).or_default();
        // What was said before the disk forgot may come late.
        *after = if all { set_backs } else { set_backs.min(*after) };
    }

    /// It begins to cut its log by what it heard.
    pub(crate) fn begins_to_cut(&self) {
        self.heard_before_cut.replace(self.heard.borrow().clone());
    }

    /// Whether it had heard of `other`, at that place, since that was set back last, when it began to
    /// cut its log.
    pub(crate) fn cut_by_word_of(&self, place: usize, other: &Peer) -> bool {
        let heard = self.heard_before_cut.borrow();
        heard.get(&place).copied().unwrap_or(0) == other.set_backs.get()
    }
}
