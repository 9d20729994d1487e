//! What each peer has to do, in order.

use std::collections::VecDeque;

use super::choice::Topic;
use super::{edits, names};
use super::shared::World;
use crate::plan::{Action, Plan};

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
    /// Everything that can be read off it.
    View,
}

/// The peer to which a step happens; `None` for those that happen to the world.
fn peer_of(action: &Action) -> Option<&str> {
    match action {
        Action::Edit { peer, .. }
        | Action::Sync { peer, .. }
        | Action::Resolve { peer, .. }
        | Action::Crash { peer, .. }
        | Action::Restart { peer }
        | Action::Backup { peer }
        | Action::Restore { peer, .. }
        | Action::Expect { peer, .. } => Some(peer),
        Action::Partition { .. }
        | Action::Mend { .. }
        | Action::Weather { .. }
        | Action::ClockJump { .. } => None,
    }
}

/// Gives every peer its part of the plan, and one of them two glances of the oracles.
pub(crate) fn distribute(world: &World) {
    for (number, step) in world.plan.steps.iter().enumerate() {
        let peer = peer_of(&step.action).and_then(|name| world.place(name));
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

/// When the last step happens.
pub(crate) fn end_ms(plan: &Plan) -> u64 {
    plan.steps.iter().map(|step| step.at_ms).max().unwrap_or(0)
}

/// Says what in the plan cannot be run.
pub(crate) fn check(plan: &Plan) -> Result<(), String> {
    if plan.peers.is_empty() {
        return Err("the plan has no peer".to_owned());
    }
    let known = |name: &str| plan.peers.iter().any(|peer| peer.name == name);
    for (number, step) in plan.steps.iter().enumerate() {
        let mut mentioned: Vec<&str> = peer_of(&step.action).into_iter().collect();
        match &step.action {
            Action::Sync { with, .. } => mentioned.push(with),
            Action::Partition { from, to, .. } | Action::Mend { from, to } => {
                mentioned.extend([from.as_str(), to.as_str()]);
            }
            Action::ClockJump { peer, .. } => mentioned.push(peer),
            Action::Edit { edits, .. } => {
                if let Some(error) = edits.iter().find_map(|edit| edits::entry(edit, 0).err()) {
                    return Err(format!("step {}: {error}", number + 1));
                }
            }
            _ => {}
        }
        if let Some(name) = mentioned.into_iter().find(|name| !known(name)) {
            return Err(format!("step {} names the unknown peer {name:?}", number + 1));
        }
    }
    let keys: std::collections::BTreeSet<u64> =
        plan.peers.iter().map(|peer| names::key(&peer.name)).collect();
    if keys.len() < plan.peers.len() {
        return Err("two peers have one name".to_owned());
    }
    Ok(())
}
