//! What each peer has to do, in order.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::sleep;

use super::choice::Topic;
use super::shared::World;
use crate::plan::{Action, Plan, Step};

/// One thing that a peer does by plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// When, in virtual milliseconds of the plan.
    pub(crate) at_ms: u64,
    pub(crate) what: What,
}

/// What a [`Task`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The step of this number in the plan.
    Step(usize),
    /// Let the oracles look at the peer as it is.
    Glance,
}

/// What the world wants of a peer beside the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// A round with another peer.
    Sync(usize),
    /// Share the workspace with everybody.
    Share,
    /// Everything that can be read off it.
    View,
}

/// Gives every peer its part of the plan, and one of them two glances of the oracles.
pub(crate) fn distribute(world: &World) {
    for (number, step) in world.plan.steps.iter().enumerate() {
        let peer = step.action.actor().and_then(|name| world.plan.peer_index(name));
        if let Some(peer) = peer {
            let task = Task { at_ms: step.at_ms, what: What::Step(number) };
            world.peer(peer).agenda.borrow_mut().push_back(task);
        }
    }
    let end = end_ms(&world.plan);
    let glance = world.choices.about(Topic::Glance, []);
    let watched = glance.below(0, world.peers.len() as u64) as usize;
    for question in [1, 2] {
        let at_ms = glance.below(question, end);
        world.peer(watched).agenda.borrow_mut().push_back(Task { at_ms, what: What::Glance });
    }
    for peer in &world.peers {
        let mut agenda = peer.agenda.borrow_mut();
        let mut tasks: Vec<_> = agenda.drain(..).collect();
        tasks.sort_by_key(|task| task.at_ms);
        *agenda = VecDeque::from(tasks);
    }
}

/// Waits for the next task of a peer and leaves it on the agenda; `None` if its bell rings before.
pub(crate) async fn next(world: &World, me: usize) -> Option<Task> {
    let peer = world.peer(me);
    let rung = peer.bell.notified();
    let task = peer.agenda.borrow().front().copied();
    let Some(task) = task.filter(|_| world.started_ms.get().is_some()) else {
        rung.await;
        return None;
    };
    let wait = task.at_ms.saturating_sub(world.plan_ms());
    if wait == 0 {
        return Some(task);
    }
    tokio::select! {
        biased;
        () = sleep(Duration::from_millis(wait)) => Some(task),
        () = rung => None,
    }
}

/// The steps that fill and clear disks: number, peer, room.
pub(crate) fn rooms(plan: &Plan) -> Vec<(usize, usize, Option<u64>)> {
    let room = |(number, step): (usize, &Step)| {
        let (peer, room) = match &step.action {
            Action::FillDisk { peer, room } => (peer, Some(*room)),
            Action::ClearDisk { peer } => (peer, None),
            _ => return None,
        };
        Some((number, plan.peer_index(peer)?, room))
    };
    plan.steps.iter().enumerate().filter_map(room).collect()
}

/// When the last step happens.
pub(crate) fn end_ms(plan: &Plan) -> u64 {
    plan.steps.iter().map(|step| step.at_ms).max().unwrap_or(0)
}
