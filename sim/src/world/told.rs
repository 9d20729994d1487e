//! What peers told others of their own entries, held against what their witness knew.

use graphshell_sync::ports::Promise;
use graphshell_sync::{Dot, PeerId, VersionVector};

use super::shared::World;
use crate::oracle::durability;

impl World {
    /// A peer tells others of entries. They are judged when it is [looked at](Self::judge_told), since it
    /// may just have changed its name.
    pub(crate) fn tells_others(&self, me: usize, told: VersionVector) {
        let peer = self.peer(me);
        let promise = peer.image.borrow().promise;
        peer.told.borrow_mut().push((told, promise));
    }

    /// Judges how far a peer told of the entries of its current author.
    pub(crate) fn judge_told(&self, me: usize) {
        for (told, promise) in self.peer(me).told.take() {
            self.judge_promised(me, &told, promise);
            self.peer(me).left.borrow_mut().join(&told);
        }
    }

    fn judge_promised(&self, me: usize, told: &VersionVector, promise: Option<Promise>) {
        let peer = self.peer(me);
        let Some(author) = peer.author.get() else { return };
        let last = Dot { peer: author, sequence: told.get(author) };
        let born = |author| self.incarnations_before(author);
        let promised = promise
            .map(|promise| (PeerId::derive(peer.device, promise.incarnation), promise.sequence));
        let promised = match promised {
            Some((witnessed, sequence)) if witnessed == author => sequence,
            // The witness is ahead: the peer is about to author as another.
            Some((witnessed, _)) if born(witnessed) > born(author) => return,
            _ => 0,
        };
        let kept = durability::judge_promised(me, last, promised);
        if kept.is_ok() {
            return;
        }
        // What others have has left already, in an earlier life; a liar says that it has what it was only
        // told of.
        let mut others = self.peers.iter().enumerate().filter(|&(other, _)| other != me);
        let had = others.any(|(_, other)| match &*other.liar.borrow() {
            Some(_) => peer.left.borrow().covers_dot(last),
            None => other.atomic.borrow().ever_met(last),
        });
        if !had {
            self.judge(kept);
        }
    }
}
