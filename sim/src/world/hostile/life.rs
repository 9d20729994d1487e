//! A hostile peer as a host: it listens, and does the rounds of the plan in its own way.

use std::rc::Rc;

use super::{Liar, Sending, Slander, Victim};
use crate::plan::{Action, FaultKind};
use crate::world::agenda::{self, What};
use crate::world::net::SimNetwork;
use crate::world::shared::{Life, World};

/// Lives for good: nothing happens to it.
pub(crate) async fn live(world: &Rc<World>, me: usize) {
    let network = SimNetwork::listen(world.clone(), me);
    world.note(me, "is there, and lies", &[]);
    world.peer(me).life.set(Life::Ready);
    loop {
        let Some(task) = agenda::next(world, me).await else { continue };
        world.peer(me).agenda.borrow_mut().pop_front();
        let What::Step(step) = task.what else { continue };
        if let Action::Sync { with, .. } = &world.plan.steps[step].action {
            let with = world.plan.peer_index(with).expect("the plan is valid");
            network.attack(with);
        }
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
        let before = liar.lied;
        let frames = speak(liar, victim, &mut self.slander.borrow_mut());
        self.peer_did(FaultKind::Lies, me, "lies told", liar.lied - before);
        self.count_many("frames of liars", frames.len() as u64);
        frames
    }
}
