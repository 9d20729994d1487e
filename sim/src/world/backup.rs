//! What happens to a peer's disk and keyring as a whole: copied, set back, cut short.

use super::drive::Drive;
use super::shared::World;

impl World {
    /// A peer's disk forgets its last records.
    pub(crate) fn lose_tail(&self, me: usize, records: usize) {
        let peer = &self.peers[me];
        let mut image = peer.image.borrow_mut();
        *peer.handed.borrow_mut() = Some(image.held.clone());
        image.lose_tail(records);
        peer.set_back.set(true);
        peer.acknowledged.borrow_mut().restored(&image.held.vector());
        self.tell(me, format_args!("loses its last {records} records"), &[]);
        self.count("tails lost");
    }

    /// Copies a peer's disk and keyring aside.
    pub(crate) fn back_up(&self, me: usize) {
        let peer = &self.peers[me];
        *peer.backup.borrow_mut() = Some(peer.image.borrow().clone());
        peer.drive.iter().for_each(Drive::back_up);
        self.note(me, "is backed up", &[]);
        self.count("backups");
    }

    /// Replaces a peer's disk, and its keyring if that is wanted, by the copy set aside; without
    /// a copy nothing happens.
    pub(crate) fn restore(&self, me: usize, with_witness: bool) {
        let peer = &self.peers[me];
        let Some(mut image) = peer.backup.borrow().clone() else {
            return self.note(me, "has no backup to be restored from", &[]);
        };
        if !with_witness {
            image.promise = peer.image.borrow().promise;
        }
        peer.drive.iter().for_each(Drive::restore);
        peer.amnesiac.set(peer.amnesiac.get() || with_witness);
        peer.set_back.set(true);
        peer.acknowledged.borrow_mut().restored(&image.held.vector());
        *peer.image.borrow_mut() = image;
        let keyring = if with_witness { "with" } else { "without" };
        self.tell(me, format_args!("is restored from its backup, {keyring} its keyring"), &[]);
        self.count("restores");
    }
}
