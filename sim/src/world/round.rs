//! A round that a user began, and what its two sides held then.

use graphshell_sync::{Access, PeerId, VersionVector};

use super::shared::{Life, Peer, World};
use crate::oracle::rounds;

pub(crate) struct Round {
    /// The other side.
    pub(crate) with: usize,
    /// Whether the world wanted it, not the plan.
    pub(crate) ordered: bool,
    /// Under which names both sides authored.
    authors: [Option<PeerId>; 2],
    /// What either side held.
    before: VersionVector,
    /// How often the other side had been started, if it was up.
    up: Option<u64>,
    /// If this side takes what the other has, and the other what this one has: how often its user had let
    /// somebody do less.
    heeds: [Option<u64>; 2],
}

impl Round {
    /// Takes note of what both sides hold.
    pub(crate) fn begin(world: &World, (me, with): (usize, usize), ordered: bool) -> Self {
        let other = world.peer(with);
        let mut before = other.image.borrow().contents.held.vector();
        before.join(&world.peer(me).image.borrow().contents.held.vector());
        let up = (other.life.get() == Life::Ready).then(|| other.boots.get());
        let authors = [world.peer(me).author.get(), other.author.get()];
        // A liar has no disk that says whom it heeds.
        let heeds = |one: &Peer, other: &Peer| {
            let all = one.liar.borrow().is_some() || one.access_of(other.device) == Access::Full;
            all.then(|| one.lowered.get())
        };
        let ours = world.peer(me);
        let heeds = [heeds(ours, other), heeds(other, ours)];
        Round { with, ordered, authors, before, up, heeds }
    }

    /// Judges a round that ended well, where nobody can fork, neither side knows of a history that
    /// forks or has a name that somebody lied about (it keeps home what it makes until it has another),
    /// and the other side was up all along. A side whose log was cut cannot help the other one, and
    /// says so.
    pub(crate) fn judge(&self, world: &World, me: usize, other_behind: bool) {
        let (ours, theirs) = (world.peer(me), world.peer(self.with));
        let may_fork = world.peers.iter().any(|peer| !peer.forgot_as.borrow().is_empty());
        let forked = [ours, theirs].iter().any(|side| !side.forks.borrow().is_empty());
        let slander = world.slander.borrow();
        let named = self.authors.into_iter().chain([ours.author.get(), theirs.author.get()]);
        let slandered = named.flatten().any(|author| slander.about(author));
        if may_fork || forked || slandered || self.up != Some(theirs.boots.get()) {
            return;
        }
        let held = ours.image.borrow().contents.held.vector();
        let met = |dot| ours.atomic.borrow().has_met(dot);
        let [we, they] = self.heeds;
        if we == Some(ours.lowered.get()) {
            world.judge(rounds::judge(me, &self.before, &held, met));
        }
        let behind = other_behind && ours.image.borrow().base.is_some();
        if behind || theirs.liar.borrow().is_some() || they != Some(theirs.lowered.get()) {
            return;
        }
        let held = theirs.image.borrow().contents.held.vector();
        world.judge(rounds::judge(self.with, &self.before, &held, |_| false));
    }
}
