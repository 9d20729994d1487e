//! All lives of one peer, one after the other, and what happens to it in between.
//!
//! A blown fuse ends a life within the same poll. What a user does to a device without power
//! (puts in another disk, starts it again) happens here, at its time.

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::sleep;

use super::agenda::{self, What};
use super::drive::Trouble;
use super::host;
use super::shared::{Life, World};
use crate::plan::Action;
use crate::trace::Mark;

/// How long a user takes to start a program again that ended by itself.
const REBOOT: Duration = Duration::from_millis(200);

/// Lives peer `me` until dropped.
pub(crate) async fn live(world: &Rc<World>, me: usize) {
    begin(world, me);
    loop {
        let mut life = Box::pin(host::live(world, me));
        poll_fn(|context| {
            let _ = life.as_mut().poll(context);
            if world.peer(me).fuse.blown() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        end(world, me, life);
        match trouble(world, me) {
            Some(trouble) => {
                if let (Trouble::Damaged, Some(drive)) = (trouble, &world.peer(me).drive) {
                    drive.begin_anew(world, me);
                }
                begin(world, me);
                sleep(REBOOT).await;
            }
            None => {
                rest(world, me).await;
                begin(world, me);
            }
        }
    }
}

fn begin(world: &World, me: usize) {
    let peer = world.peer(me);
    peer.boots.set(peer.boots.get() + 1);
    if peer.boots.get() > 1 {
        world.count("restarts");
    }
    peer.fuse.replace();
    peer.doom.set(None);
    peer.drive.iter().for_each(|drive| drive.disk.turn_on());
    peer.life.set(Life::Opening);
}

fn end(world: &World, me: usize, life: Pin<Box<impl Future>>) {
    let peer = world.peer(me);
    world.note(me, "has died", &[]);
    world.mark(me, || Mark::Died);
    let by_itself = peer.drive.as_ref().is_some_and(|drive| drive.trouble.get().is_some());
    if !by_itself {
        world.count("crashes");
        world.count_many("crashes at a start", u64::from(peer.life.get() == Life::Opening));
        world.count_many("crashes with rounds under way", u64::from(peer.busy.get() > 0));
        world.doom_did(me, "deaths");
    }
    // First of all: destructors write nothing any more.
    peer.drive.iter().for_each(|drive| drive.disk.turn_off());
    drop(life);
    peer.drive.iter().for_each(|drive| drive.settle(world, me));
    // A loss that was noticed in this life is told in this life or not at all.
    peer.untold.set(0);
    peer.life.set(Life::Down);
    peer.orders.borrow_mut().clear();
    peer.view.take();
    peer.busy.set(0);
    peer.unsettled.set(0);
}

/// A step lets a peer die: now, or at one of its next calls.
pub(super) fn dooms(world: &World, me: usize, step: usize) {
    let peer = world.peer(me);
    peer.doom.set(Some(step));
    let calls = match world.plan.steps[step].action {
        Action::Crash { after_calls, .. } => {
            peer.fuse.arm(after_calls);
            after_calls
        }
        Action::PowerCut { after_calls, program_only, .. } => {
            let drive = peer.drive.as_ref().expect("the plan has disks");
            drive.cut_after(after_calls, program_only);
            after_calls
        }
        _ => unreachable!("nobody dies of another step"),
    };
    if calls == 0 {
        peer.fuse.blow();
    }
}

/// While a peer opens its workspace nothing of its plan happens, but that it dies if that comes next.
pub(super) async fn dies_opening(world: &World, me: usize) -> Infallible {
    let peer = world.peer(me);
    loop {
        let Some(task) = agenda::next(world, me).await else { continue };
        let dies = |step: &usize| {
            matches!(world.plan.steps[*step].action, Action::Crash { .. } | Action::PowerCut { .. })
        };
        match task.what {
            What::Step(step) if dies(&step) => {
                peer.agenda.borrow_mut().pop_front();
                dooms(world, me, step);
                if peer.fuse.blown() {
                    pending::<()>().await;
                }
            }
            _ => pending().await,
        }
    }
}

/// Why the program ended by itself, if it did.
fn trouble(world: &World, me: usize) -> Option<Trouble> {
    world.peer(me).drive.as_ref()?.trouble.take()
}

/// Goes through what a peer without power misses, until it starts again: by plan, or when the
/// world heals and it with it.
async fn rest(world: &World, me: usize) {
    let peer = world.peer(me);
    while world.healed_ms.get().is_none() || world.stays_down(me) {
        if world.healed_ms.get().is_some() {
            pending::<()>().await;
        }
        let Some(task) = agenda::next(world, me).await else { continue };
        peer.agenda.borrow_mut().pop_front();
        let What::Step(step) = task.what else { continue };
        match world.plan.steps[step].action {
            Action::Restart { .. } => return,
            Action::Restore { with_witness, .. } => {
                let forgotten = world.restore(me, with_witness);
                return world.step_did(step, "entries forgotten", forgotten);
            }
            Action::LoseTail { records, .. } => {
                let lost = match &peer.drive {
                    Some(drive) => drive.lose_tail(world, me, step as u64, records),
                    None => world.lose_tail(me, records),
                };
                return world.step_did(step, "records lost", lost);
            }
            Action::Backup { .. } => world.back_up(me),
            Action::Rot { part, how, .. } => {
                let drive = peer.drive.as_ref().expect("the plan has disks");
                let rotten = drive.rot(world, me, step as u64, (part, how));
                world.step_did(step, "places changed", u64::from(rotten));
            }
            _ => world.count("steps missed while down"),
        }
    }
}
