//! What happens to a peer's disk and keyring as a whole: copied, set back, cut short.

use super::drive::Drive;
use super::shared::{Peer, World};

impl Peer {
    /// Its disk has forgotten something.
    pub(crate) fn is_set_back(&self) {
        self.set_backs.set(self.set_backs.get() + 1);
    }

    /// Whether its disk ever forgot something.
    pub(crate) fn was_set_back(&self) -> bool {
        self.set_backs.get() > 0
    }
}

impl World {
    /// A peer's disk forgets its last records; says how many it had.
    pub(crate) fn lose_tail(&self, me: usize, records: usize) -> u64 {
        let peer = &self.peers[me];
        let mut image = peer.image.borrow_mut();
        let before = image.records.len();
        image.lose_tail(records);
        let lost = before - image.records.len();
        peer.is_set_back();
        peer.acknowledged.borrow_mut().restored(&image.contents.held.vector());
        self.tell(me, format_args!("loses its last {records} records"), &[]);
        self.count("tails lost");
        lost as u64
    }

    /// Copies a peer's disk and keyring aside.
    pub(crate) fn back_up(&self, me: usize) {
        let peer = &self.peers[me];
        peer.drive.iter().for_each(Drive::back_up);
        *peer.backup.borrow_mut() = Some(peer.image.borrow().clone());
        self.note(me, "is backed up", &[]);
        self.count("backups");
    }

    /// Replaces a peer's disk, and its keyring if that is wanted, by the copy set aside; without
    /// a copy nothing happens. Says how many entries it holds no more.
    pub(crate) fn restore(&self, me: usize, with_witness: bool) -> u64 {
        let peer = &self.peers[me];
        let Some(mut image) = peer.backup.borrow().clone() else {
            self.note(me, "has no backup to be restored from", &[]);
            return 0;
        };
        if with_witness {
            peer.forgets.set(true);
        } else {
            image.promise = peer.image.borrow().promise;
        }
        peer.drive.iter().for_each(Drive::restore);
        peer.is_set_back();
        peer.acknowledged.borrow_mut().restored(&image.contents.held.vector());
        let held = image.contents.held.vector();
        let before = peer.image.replace(image).contents.held.vector();
        let forgotten =
            before.iter().map(|(author, last)| last.saturating_sub(held.get(author))).sum();
        let keyring = if with_witness { "with" } else { "without" };
        self.tell(me, format_args!("is restored from its backup, {keyring} its keyring"), &[]);
        self.count("restores");
        forgotten
    }
}
