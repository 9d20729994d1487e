//! Leads the run through its phases, and judges it in the end.
//!
//! It waits for states of the world and is looked at whenever anything happened (`executor.rs`).

use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::agenda::{self, Order};
use super::facts;
use super::image::Holdings;
use super::shared::{Life, Peer, World};
use crate::oracle::liveness::{self, LATE_MS, SETTLE_MS};
use crate::oracle::{
    Finding, View, atomic, authored, causality, convergence, durability, forks, model,
};

/// The run was ended by a failure.
struct Stopped;

type Go = Result<(), Stopped>;

pub(crate) struct Director {
    world: Rc<World>,
}

impl Director {
    pub(crate) fn new(world: Rc<World>) -> Self {
        agenda::distribute(&world);
        Director { world }
    }

    /// Plays the whole plan; what was found is in the world.
    pub(crate) async fn play(self) {
        // A failure is in the world already.
        let _: Go = self.phases().await;
    }

    async fn phases(&self) -> Go {
        self.set_up().await?;
        self.chaos().await?;
        if self.world.plan.heal {
            self.heal().await?;
        }
        self.until(SETTLE_MS, "every round ends", idle).await?;
        self.until(SETTLE_MS, "every edit settles", all_edits_settled).await?;
        let views = self.views().await?;
        self.world.tell_apart(&views);
        self.judge(views)
    }

    async fn set_up(&self) -> Go {
        self.until(SETTLE_MS, "every peer comes up", |world| {
            world.peers.iter().all(|peer| peer.life.get() == Life::Ready)
        })
        .await?;
        self.world.announce("the plan begins");
        self.world.started_ms.set(Some(self.world.now_ms()));
        self.world.mark_begin();
        for peer in &self.world.peers {
            peer.drive.iter().for_each(|drive| drive.disk.misbehave());
            peer.bell.notify_one();
        }
        Ok(())
    }

    async fn chaos(&self) -> Go {
        let end_ms = agenda::end_ms(&self.world.plan);
        let steps = async {
            self.until(end_ms, "the plan's time is over", |world| world.plan_ms() >= end_ms)
                .await?;
            self.until(LATE_MS, "every step of the plan is done", |world| {
                world.peers.iter().all(|peer| peer.agenda.borrow().is_empty())
            })
            .await
        };
        tokio::select! {
            biased;
            never = self.change_room() => never,
            done = steps => done,
        }
    }

    /// Ends all faults and lets everybody sync until nothing moves.
    async fn heal(&self) -> Go {
        self.world.announce_heal();
        self.world.mark_heal();
        self.world.healed_ms.set(Some(self.world.now_ms()));
        for me in 0..self.world.peers.len() {
            let peer = self.world.peer(me);
            peer.fuse.disarm();
            peer.drive.iter().for_each(|drive| drive.disk.calm());
            if self.world.stays_down(me) {
                peer.fuse.blow();
            }
            // Whoever has no power starts.
            peer.bell.notify_one();
        }
        self.until(SETTLE_MS, "every peer comes up", |world| {
            let ready = |me| {
                let peer = world.peer(me);
                peer.life.get() == Life::Ready && !peer.fuse.blown()
            };
            (0..world.peers.len()).all(|me| world.stays_down(me) || ready(me))
        })
        .await?;
        let core = self.world.core();
        for &me in &core {
            let peer = self.world.peer(me);
            peer.orders.borrow_mut().push_back(Order::Share);
            peer.bell.notify_one();
        }
        self.until(SETTLE_MS, "everybody shares with everybody", idle).await?;
        // What a slow link still carries may be the only copy left, and would come after the last round.
        self.until(SETTLE_MS, "every frame arrives", |world| world.post.is_empty()).await?;
        // So would an edit that is still on its way to the disk.
        self.until(SETTLE_MS, "every edit settles", all_edits_settled).await?;
        let began_ms = self.world.now_ms();
        let mut turns = 0;
        while self.turn(&core, turns).await? {
            turns += 1;
            let spent_ms = self.world.now_ms() - began_ms;
            self.stop_unless(liveness::judge_heal(core.len(), turns, spent_ms))?;
        }
        Ok(())
    }

    /// Everybody of the core syncs with its neighbour on a ring and one other; says whether anything
    /// moved within the core. What relies on one branch of a forked history does not pass through peers on the other, so
    /// once there is a fork everybody syncs with everybody.
    async fn turn(&self, core: &[usize], turn: u64) -> Result<bool, Stopped> {
        let forked = !self.world.forks().is_empty();
        for &me in core {
            let peer = self.world.peer(me);
            let partners = self.world.partners(me, turn, forked);
            peer.orders.borrow_mut().extend(partners.into_iter().map(Order::Sync));
            // Whatever the first turn brought from beside the core is yet to go round.
            peer.moved.set(turn == 0 && core.len() < self.world.peers.len());
            peer.bell.notify_one();
        }
        self.until(SETTLE_MS, "every round ends", idle).await?;
        Ok(core.iter().any(|&me| self.world.peer(me).moved.get()))
    }

    /// Reads everything off the peers that are up.
    async fn views(&self) -> Result<Vec<View>, Stopped> {
        self.world.peers.iter().for_each(|peer| _ = peer.view.take());
        self.until(SETTLE_MS, "every peer can be read", |world| {
            // Whoever dies before it is read is asked again in its next life.
            for me in readable(world).filter(|&me| world.peer(me).view.borrow().is_none()) {
                let peer = world.peer(me);
                if peer.life.get() == Life::Ready && is_idle(peer) {
                    peer.orders.borrow_mut().push_back(Order::View);
                    peer.bell.notify_one();
                }
            }
            readable(world).all(|me| world.peer(me).view.borrow().is_some())
        })
        .await?;
        Ok(self.world.peers.iter().filter_map(|peer| peer.view.take()).collect())
    }

    fn judge(&self, views: Vec<View>) -> Go {
        let world = &*self.world;
        for (me, peer) in world.peers.iter().enumerate() {
            peer.drive.iter().for_each(|drive| drive.judge_end(world, me));
            world.judge(durability::judge_loss(me, peer.untold.get(), 0));
        }
        let forks = world.forks();
        let images: Vec<_> = world.peers.iter().map(|peer| peer.image.borrow()).collect();
        let views: Vec<_> = views
            .into_iter()
            .map(|view| {
                let held = &images[view.peer].contents.held;
                (view, held)
            })
            .collect();
        let core = if world.plan.heal { world.core() } else { Vec::new() };
        let sound = || {
            for (view, _) in &views {
                if core.contains(&view.peer) {
                    durability::judge_at_rest(view)?;
                }
                atomic::judge_seen(view, &world.peer(view.peer).seen.borrow())?;
                causality::judge(view)?;
                let edits = world.peer(view.peer).authored.borrow();
                let forgot = world.peer(view.peer).forgot_as.borrow();
                authored::judge(view, &edits, |author| {
                    forks.contains_key(&author) && forgot.contains(&author)
                })?;
                world.peer(view.peer).acknowledged.borrow().judge(view)?;
            }
            for company in companies(world, &core) {
                let held = company.iter().map(|&me| (me, &images[me].contents.held));
                forks::judge(held, &forks)?;
                let of_it = views.iter().filter(|(view, _)| company.contains(&view.peer));
                let of_it: Vec<_> = of_it.collect();
                let cut = |peer: usize| images[peer].base.is_some();
                if !convergence::is_cut_off(&of_it, cut, &forks) {
                    convergence::complete(&of_it, &forks)?;
                }
            }
            // What a liar's snapshot says beyond the names of entries nobody can check.
            let checked = views.iter().map(|(view, _)| view);
            let checked = checked.filter(|view| !world.peer(view.peer).misled());
            // Views with equal frontiers have equal graphs then: one speaks for all.
            for view in convergence::equal(checked.clone())? {
                model::judge(view)?;
            }
            if let Some(view) = checked.clone().next() {
                world.count_notable(view);
            }
            expectations(world, &views)
        };
        self.stop_unless(sound())
    }

    fn stop_unless(&self, judged: Result<(), Finding>) -> Go {
        self.world.judge(judged);
        if self.world.failed() { Err(Stopped) } else { Ok(()) }
    }

    /// Waits until `done`, at most for so many virtual milliseconds.
    async fn until(&self, limit_ms: u64, what: &str, done: impl Fn(&World) -> bool) -> Go {
        let reached = poll_fn(|_| match &*self.world {
            world if world.failed() => Poll::Ready(Err(Stopped)),
            world if done(world) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        });
        match timeout(Duration::from_millis(limit_ms), reached).await {
            Ok(reached) => reached,
            Err(_) => self.stop_unless(Err(liveness::overdue(limit_ms, what))),
        }
    }

    /// Fills and clears disks at their times; never ends.
    async fn change_room(&self) -> Go {
        for (step, me, room) in agenda::rooms(&self.world.plan) {
            let at_ms = self.world.plan.steps[step].at_ms;
            sleep(Duration::from_millis(at_ms.saturating_sub(self.world.plan_ms()))).await;
            let peer = self.world.peer(me);
            peer.drive.iter().for_each(|drive| drive.change_room(step, room));
            let what = if room.is_some() { "has a full disk" } else { "has room on its disk" };
            self.world.note(me, what, &[]);
        }
        pending().await
    }
}

/// The peers that are up and have an engine.
fn readable(world: &World) -> impl Iterator<Item = usize> + '_ {
    up(world).filter(|&me| !world.plan.peers[me].is_hostile())
}

/// Peers that can come to have the same, in groups.
fn companies(world: &World, peers: &[usize]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for &me in peers {
        match groups.iter_mut().find(|group| world.plan.are_company(group[0], me)) {
            Some(group) => group.push(me),
            None => groups.push(vec![me]),
        }
    }
    groups
}

fn up(world: &World) -> impl Iterator<Item = usize> + '_ {
    (0..world.peers.len()).filter(|&me| world.peer(me).life.get() != Life::Down)
}

/// Whether nobody that is up has anything to do.
fn idle(world: &World) -> bool {
    up(world).all(|me| is_idle(world.peer(me)))
}

fn is_idle(peer: &Peer) -> bool {
    peer.busy.get() == 0 && peer.storing.get() == 0 && peer.orders.borrow().is_empty()
}

/// Whether the fate of every edit of a peer that is up is known.
fn all_edits_settled(world: &World) -> bool {
    up(world).all(|me| world.peer(me).unsettled.get() == 0)
}

/// Judges what the plan expects at its end.
fn expectations(world: &World, views: &[(View, &Holdings)]) -> Result<(), Finding> {
    for expectation in &world.plan.expect {
        let peers_left = facts::judge_run(world, &expectation.that)?;
        if !peers_left && expectation.at.is_empty() {
            continue;
        }
        for (me, peer) in world.peers.iter().enumerate() {
            let everybody = expectation.at.is_empty() && !world.plan.peers[me].is_hostile();
            if !everybody && !expectation.at.contains(&peer.name) {
                continue;
            }
            let Some((view, _)) = views.iter().find(|(view, _)| view.peer == me) else {
                let detail = "expected the peer to be up at the end".to_owned();
                return Err(facts::finding(vec![me], detail));
            };
            facts::judge(world, view, &expectation.that)?;
        }
    }
    Ok(())
}
