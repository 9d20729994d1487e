//! Leads the run through its phases, tick by tick.
//!
//! Whatever happens to a peer from outside (it loses power, it starts, its disk is replaced)
//! happens here, between two ticks.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use turmoil::{Builder, Sim};

use super::agenda::{self, Order, Task, What};
use super::drive::Trouble;
use super::facts;
use super::host;
use super::image::Holdings;
use super::net;
use super::ports::EPOCH_MS;
use super::shared::{Life, World};
use crate::oracle::{Finding, View, causality, convergence, forks, model};
use crate::plan::Action;

/// How far turmoil lets every host run before the next. A frame with a delay of at least one tick
/// is due to the millisecond; a shorter one may come up to a tick late.
pub(crate) const TICK_MS: u64 = 25;
/// Frames that may wait in a socket.
const UDP_CAPACITY: usize = 1 << 16;
/// How long peers may take to come up, and to finish what they have under way.
const SETTLE_MS: u64 = 20_000;
/// How long after its time a step may happen.
const LATE_MS: u64 = 30_000;
/// How long the rounds after the heal may take together.
const HEAL_MS: u64 = 120_000;

/// The run was ended by a failure.
struct Stopped;

type Go = Result<(), Stopped>;

pub(crate) struct Director {
    world: Rc<World>,
    sim: Sim<'static>,
    /// When each peer is to wake in the life that begins next.
    wake_ms: Rc<RefCell<Vec<u64>>>,
    /// When disks fill up and are cleared, latest first: time, peer, room.
    rooms: Vec<(u64, usize, Option<u64>)>,
}

/// How long a user takes to start a program again that ended by itself.
const REBOOT_MS: u64 = 200;

/// Hosts and links without any fault of turmoil's own.
pub(crate) fn simulation(seed: u64) -> Sim<'static> {
    let mut builder = Builder::new();
    builder
        .epoch(SystemTime::UNIX_EPOCH + Duration::from_millis(EPOCH_MS))
        .rng_seed(seed)
        .tick_duration(Duration::from_millis(TICK_MS))
        .min_message_latency(Duration::ZERO)
        .max_message_latency(Duration::ZERO)
        .udp_capacity(UDP_CAPACITY);
    builder.build()
}

impl Director {
    pub(crate) fn new(world: Rc<World>) -> Self {
        let wake_ms = Rc::new(RefCell::new(vec![0; world.peers.len()]));
        agenda::distribute(&world);
        let rooms = agenda::rooms(&world.plan);
        Director { sim: simulation(world.plan.seed), world, wake_ms, rooms }
    }

    /// Plays the whole plan; what was found is in the world.
    pub(crate) fn play(&mut self) {
        // A failure is in the world already.
        let _: Go = self.phases();
        self.world.between_ticks.set(Some(self.now_ms()));
    }

    fn phases(&mut self) -> Go {
        self.set_up()?;
        self.chaos()?;
        if self.world.plan.heal {
            self.heal()?;
        }
        self.until(SETTLE_MS, "every round ends", idle)?;
        self.until(SETTLE_MS, "every edit settles", all_edits_settled)?;
        let views = self.views()?;
        self.judge(views)
    }

    fn now_ms(&self) -> u64 {
        self.sim.elapsed().as_millis() as u64
    }

    fn set_up(&mut self) -> Go {
        for me in 0..self.world.peers.len() {
            let (world, wake_ms) = (self.world.clone(), self.wake_ms.clone());
            self.begin_life(me, 0);
            self.sim.host(net::address(me), move || {
                let wake_ms = wake_ms.borrow()[me];
                host::live(world.clone(), me, wake_ms)
            });
        }
        self.until(SETTLE_MS, "every peer comes up", |world| {
            world.peers.iter().all(|peer| peer.life.get() == Life::Ready)
        })?;
        self.world.announce("the plan begins");
        self.world.started_ms.set(Some(self.now_ms()));
        for peer in &self.world.peers {
            peer.drive.iter().for_each(|drive| drive.disk.misbehave());
            peer.bell.notify_one();
        }
        Ok(())
    }

    fn chaos(&mut self) -> Go {
        let limit = agenda::end_ms(&self.world.plan) + LATE_MS;
        self.until(limit, "every step of the plan is done", |world| {
            world.peers.iter().all(|peer| peer.agenda.borrow().is_empty())
                && world.plan_ms() >= agenda::end_ms(&world.plan)
        })
    }

    /// Ends all faults and lets everybody sync until nothing moves.
    fn heal(&mut self) -> Go {
        self.world.announce("the network heals, everybody is up");
        self.world.healed_ms.set(Some(self.now_ms()));
        for me in 0..self.world.peers.len() {
            let peer = self.world.peer(me);
            peer.fuse.disarm();
            peer.drive.iter().for_each(|drive| drive.disk.calm());
            if self.world.stays_down(me) {
                peer.fuse.blow();
            }
        }
        self.until(SETTLE_MS, "every peer comes up", |world| {
            let ready = |me| {
                let peer = world.peer(me);
                peer.life.get() == Life::Ready && !peer.fuse.blown()
            };
            (0..world.peers.len()).all(|me| world.stays_down(me) || ready(me))
        })?;
        let core = self.world.core();
        for &me in &core {
            let peer = self.world.peer(me);
            peer.orders.borrow_mut().push_back(Order::Share);
            peer.bell.notify_one();
        }
        self.until(SETTLE_MS, "everybody shares with everybody", idle)?;
        // An edit that is still on its way to the disk would come after the last round.
        self.until(SETTLE_MS, "every edit settles", all_edits_settled)?;
        let end_ms = self.now_ms() + HEAL_MS;
        for turn in 0..(3 * core.len() as u64).max(8) {
            if !self.turn(&core, turn)? {
                return Ok(());
            }
            if self.now_ms() > end_ms {
                break;
            }
        }
        self.fail("liveness", "after the heal, rounds still move something or fail".to_owned())
    }

    /// Everybody of the core syncs with its neighbour on a ring and one other; says whether anything
    /// moved within the core. What relies on one branch of a forked history does not pass through peers on the other, so
    /// once there is a fork everybody syncs with everybody.
    fn turn(&mut self, core: &[usize], turn: u64) -> Result<bool, Stopped> {
        let forked = !self.world.forks().is_empty();
        for &me in core {
            let peer = self.world.peer(me);
            let partners = self.world.partners(me, turn, forked);
            peer.orders.borrow_mut().extend(partners.into_iter().map(Order::Sync));
            // Whatever the first turn brought from beside the core is yet to go round.
            peer.moved.set(turn == 0 && core.len() < self.world.peers.len());
            peer.bell.notify_one();
        }
        self.until(SETTLE_MS, "every round ends", idle)?;
        Ok(core.iter().any(|&me| self.world.peer(me).moved.get()))
    }

    /// Reads everything off the peers that are up.
    fn views(&mut self) -> Result<Vec<View>, Stopped> {
        for me in readable(&self.world) {
            let peer = self.world.peer(me);
            peer.view.take();
            peer.orders.borrow_mut().push_back(Order::View);
            peer.bell.notify_one();
        }
        self.until(SETTLE_MS, "every peer can be read", |world| {
            readable(world).all(|me| world.peer(me).view.borrow().is_some())
        })?;
        Ok(self.world.peers.iter().filter_map(|peer| peer.view.take()).collect())
    }

    fn judge(&self, views: Vec<View>) -> Go {
        let world = &*self.world;
        for (me, peer) in world.peers.iter().enumerate() {
            peer.drive.iter().for_each(|drive| drive.judge_end(world, me));
        }
        let forks = world.forks();
        let images: Vec<_> = world.peers.iter().map(|peer| peer.image.borrow()).collect();
        let views: Vec<_> = views
            .into_iter()
            .map(|view| {
                let held = &images[view.peer].held;
                (view, held)
            })
            .collect();
        let sound = || {
            for (view, _) in &views {
                causality::judge(view)?;
                let authored = world.peer(view.peer).authored.borrow();
                causality::judge_vectors(view, &authored, &forks)?;
                world.peer(view.peer).acknowledged.borrow().judge(view)?;
            }
            let core = if world.plan.heal { world.core() } else { Vec::new() };
            for company in companies(world, &core) {
                let held = company.iter().map(|&me| (me, &images[me].held));
                forks::judge(held, &forks)?;
                // A snapshot is refused as a whole if it holds the other branch of a fork.
                let cut = images.iter().any(|image| image.base.is_some());
                if forks.is_empty() || !cut {
                    let of_it = views.iter().filter(|(view, _)| company.contains(&view.peer));
                    convergence::complete(&of_it.collect::<Vec<_>>(), &forks)?;
                }
            }
            // What a liar's snapshot says beyond the names of entries nobody can check.
            let views: Vec<_> =
                views.iter().filter(|(view, _)| !world.peer(view.peer).misled.get()).collect();
            convergence::equal(&views)?;
            for (index, (view, _)) in views.iter().enumerate() {
                // Equal frontiers have equal graphs by now, so one of them speaks for all.
                let judged =
                    views[..index].iter().any(|(other, _)| other.frontier == view.frontier);
                if view.settled() && !judged {
                    model::judge(view)?;
                }
            }
            if let Some((view, _)) = views.first() {
                world.count_notable(view);
            }
            expectations(world, &views)
        };
        world.judge(sound());
        if world.failed() { Err(Stopped) } else { Ok(()) }
    }

    fn fail(&self, property: &'static str, detail: String) -> Go {
        let (peers, operations) = (Vec::new(), Vec::new());
        self.world.judge(Err(Finding { property, peers, operations, detail }));
        Err(Stopped)
    }

    /// Ticks until `done`, at most for so many virtual milliseconds.
    fn until(&mut self, limit_ms: u64, what: &str, done: impl Fn(&World) -> bool) -> Go {
        let end_ms = self.now_ms() + limit_ms;
        loop {
            self.between_ticks();
            if self.world.failed() {
                return Err(Stopped);
            }
            if done(&self.world) {
                return Ok(());
            }
            if self.now_ms() > end_ms {
                return self.fail("liveness", format!("expected within {limit_ms} ms that {what}"));
            }
            self.tick()?;
        }
    }

    fn tick(&mut self) -> Go {
        self.world.between_ticks.set(None);
        let stepped = self.sim.step();
        self.world.between_ticks.set(Some(self.now_ms()));
        match stepped {
            Ok(_) => Ok(()),
            Err(error) => self.fail("no panic", error.to_string()),
        }
    }

    /// Takes dead peers away and starts those whose time has come.
    fn between_ticks(&mut self) {
        self.change_room();
        for me in 0..self.world.peers.len() {
            let peer = self.world.peer(me);
            if peer.fuse.blown() && peer.life.get() != Life::Down {
                self.world.note(me, "has died", &[]);
                self.world.count("crashes");
                if peer.busy.get() > 0 {
                    self.world.count("crashes with rounds under way");
                }
                // First of all: destructors write nothing any more.
                peer.drive.iter().for_each(|drive| drive.disk.turn_off());
                self.sim.crash(net::address(me));
                let peer = self.world.peer(me);
                peer.drive.iter().for_each(|drive| drive.settle(&self.world, me));
                peer.life.set(Life::Down);
                peer.orders.borrow_mut().clear();
                peer.busy.set(0);
                peer.unsettled.set(0);
            }
            if self.world.peer(me).life.get() == Life::Down
                && let Some(wake_ms) = self.next_life(me)
            {
                self.begin_life(me, wake_ms);
                self.sim.bounce(net::address(me));
            }
        }
    }

    /// Fills and clears disks whose time has come.
    fn change_room(&mut self) {
        if self.world.started_ms.get().is_none() || self.world.healed_ms.get().is_some() {
            return;
        }
        while let Some(&(at_ms, me, room)) = self.rooms.last() {
            if at_ms > self.world.plan_ms() {
                return;
            }
            self.rooms.pop();
            let peer = self.world.peer(me);
            peer.drive.iter().for_each(|drive| drive.disk.limit_room(room));
            let what = if room.is_some() { "has a full disk" } else { "has room on its disk" };
            self.world.note(me, what, &[]);
        }
    }

    /// Goes through what a peer without power misses in the next tick. Says when it starts, if it
    /// does.
    fn next_life(&self, me: usize) -> Option<u64> {
        let peer = self.world.peer(me);
        if let Some(drive) = &peer.drive
            && let Some(trouble) = drive.trouble.take()
        {
            if trouble == Trouble::Damaged {
                drive.begin_anew(&self.world, me);
            }
            return Some(self.now_ms() + REBOOT_MS);
        }
        if self.world.healed_ms.get().is_some() {
            return (!self.world.stays_down(me)).then(|| self.now_ms());
        }
        let start_ms = self.world.started_ms.get()?;
        loop {
            let Task { at_ms, what } = peer.agenda.borrow().front().copied()?;
            let at_ms = start_ms + at_ms;
            if at_ms >= self.now_ms() + TICK_MS {
                return None;
            }
            peer.agenda.borrow_mut().pop_front();
            let What::Step(step) = what else { continue };
            match self.world.plan.steps[step].action {
                Action::Restart { .. } => return Some(at_ms),
                Action::Restore { with_witness, .. } => {
                    self.world.restore(me, with_witness);
                    return Some(at_ms);
                }
                Action::LoseTail { records, .. } => {
                    match &peer.drive {
                        Some(drive) => drive.lose_tail(&self.world, me, step as u64, records),
                        None => self.world.lose_tail(me, records),
                    }
                    return Some(at_ms);
                }
                Action::Backup { .. } => self.world.back_up(me),
                Action::Rot { part, how, .. } => {
                    let drive = peer.drive.as_ref().expect("the plan has disks");
                    drive.rot(&self.world, me, step as u64, (part, how));
                }
                _ => self.world.count("steps missed while down"),
            }
        }
    }

    fn begin_life(&self, me: usize, wake_ms: u64) {
        let peer = self.world.peer(me);
        peer.boots.set(peer.boots.get() + 1);
        peer.withdrawing.take();
        if peer.boots.get() > 1 {
            self.world.count("restarts");
        }
        peer.fuse.replace();
        peer.drive.iter().for_each(|drive| drive.disk.turn_on());
        peer.life.set(Life::Opening);
        self.wake_ms.borrow_mut()[me] = wake_ms;
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
    up(world).all(|me| {
        let peer = world.peer(me);
        peer.busy.get() == 0 && peer.orders.borrow().is_empty()
    })
}

/// Whether the fate of every edit of a peer that is up is known.
fn all_edits_settled(world: &World) -> bool {
    up(world).all(|me| world.peer(me).unsettled.get() == 0)
}

/// Judges what the plan expects at its end.
fn expectations(world: &World, views: &[&(View, &Holdings)]) -> Result<(), Finding> {
    for expectation in &world.plan.expect {
        for (me, peer) in world.peers.iter().enumerate() {
            if !expectation.at.is_empty() && !expectation.at.contains(&peer.name) {
                continue;
            }
            let Some((view, _)) = views.iter().find(|(view, _)| view.peer == me) else {
                return Err(Finding {
                    property: "expectation of the plan",
                    peers: vec![me],
                    operations: Vec::new(),
                    detail: "expected the peer to be up at the end".to_owned(),
                });
            };
            facts::judge(world, view, &expectation.that)?;
        }
    }
    Ok(())
}
