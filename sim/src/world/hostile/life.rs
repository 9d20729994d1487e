//! A hostile peer as a host: it listens, and does the rounds of the plan in its own way.

use std::rc::Rc;
use std::time::Duration;

use graphshell_sync::wire::SnapshotPart;
use tokio::time::sleep;

use super::{Liar, Sending, Slander, Victim};
use crate::plan::Action;
use crate::world::agenda::What;
use crate::world::net::SimNetwork;
use crate::world::shared::{Life, Peer, World};

/// Lives for good: nothing happens to it.
pub(crate) async fn live(world: &Rc<World>, me: usize, network: &SimNetwork) {
    let peer = world.peer(me);
    world.note(me, "is there, and lies", &[]);
    peer.life.set(Life::Ready);
    loop {
        let rung = peer.bell.notified();
        let task = peer.agenda.borrow().front().copied();
        match task.filter(|_| world.started_ms.get().is_some()) {
            None => rung.await,
            Some(task) => {
                let wait = task.at_ms.saturating_sub(world.plan_ms());
                sleep(Duration::from_millis(wait)).await;
                peer.agenda.borrow_mut().pop_front();
                let What::Step(step) = task.what else { continue };
                if let Action::Sync { with, .. } = &world.plan.steps[step].action {
                    let with = world.plan.peer_index(with).expect("the plan is valid");
                    network.attack(with);
                }
            }
        }
    }
}

impl Peer {
    /// Another peer hands it a part of a snapshot.
    pub(crate) fn is_handed(&self, by: &Peer, part: &SnapshotPart, slander: &Slander) {
        let held = match &*by.liar.borrow() {
            None => Some(by.image.borrow().held.clone()),
            // What it had from somebody itself.
            Some(_) => by.handed.borrow().clone(),
        };
        *self.handed.borrow_mut() = held;
        self.handed_altered.set(by.misled.get() || slander.is_altered(part.id.0));
    }
}

impl World {
    /// Lets a hostile peer speak to somebody.
    pub(crate) fn lie(
        &self,
        me: usize,
        to: usize,
        speak: impl FnOnce(&mut Liar, Victim, &mut Slander) -> Vec<Sending>,
    ) -> Vec<Sending> {
        let victim = Victim { key: self.peer(to).key, author: self.peer(to).author.get() };
        let mut liar = self.peer(me).liar.borrow_mut();
        let liar = liar.as_mut().expect("the peer is hostile");
        let frames = speak(liar, victim, &mut self.slander.borrow_mut());
        self.count_many("frames of liars", frames.len() as u64);
        frames
    }
}
