//! A peer's disk as the world knows it: the disk itself, and what must be found on it.
//!
//! What a store was given is remembered outside of it, write by write, so that whatever it shows after a
//! power cut can be compared with what it acknowledged.

use std::cell::{Cell, RefCell};
use std::iter;

use graphshell_sync::ports::Opened;
use graphshell_sync::{Record, Snapshot, VersionVector};

use super::choice::Topic;
use super::disk::{DiskImage, Guilt, SimDisk, Stop, journal, medium};
use super::image::{Contents, Image};
use super::panics;
use super::shared::World;
use super::store::What;
use super::transplant;
use crate::oracle::{Finding, reopened};
use crate::plan::{Disk, Part, Rot};

/// Times in a row that a store may fail to open on a disk where nothing fails any more.
const MAX_TRIES: u32 = 10;

/// Times in a row that its user opens a store on a disk that did wrong.
const PATIENCE: u32 = 3;

/// The disk of one peer.
pub(crate) struct Drive {
    pub(crate) disk: SimDisk,
    /// How the peer's present life ends, unless the plan says otherwise.
    pub(crate) stop: Cell<Stop>,
    /// Why the program ended by itself, if it did.
    pub(crate) trouble: Cell<Option<Trouble>>,
    /// Whether the store may be in the middle of recovering from a loss: until it has taken in a
    /// write again its database may have to be made anew.
    recovers: Cell<bool>,
    /// Whether the database was seen whole since the disk last did wrong: one that was being made
    /// may be put aside.
    whole: Cell<bool>,
    tries: Cell<u32>,
    /// What the disk had done wrong when the store was to be opened, since it last was.
    guilt: Cell<Guilt>,
    /// The step of the plan that filled the disk, while it is full.
    full: Cell<Option<usize>>,
    kept: RefCell<Kept>,
    backup: RefCell<Option<(DiskImage, Kept)>>,
}

/// Why a program ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The store cannot be used; its user puts it aside and begins anew.
    Damaged,
    /// It did not open this time; its user tries again.
    Failed,
}

/// What the store was given.
#[derive(Clone, Default)]
struct Kept {
    /// Acknowledged appends and bases, in order.
    log: Vec<What>,
    /// What was not acknowledged: it may be found or not.
    in_flight: Option<What>,
    /// How far the log reached when the last of it was acknowledged: the database was told.
    acknowledged: u64,
    /// Bases that told what the log had lost, each with what it told.
    recoveries: Vec<(Snapshot, Contents)>,
    /// Whether the base is gone that the log stands on: until there is another, the log may be of no use.
    baseless: bool,
}

impl Kept {
    /// The store has this.
    fn add(&mut self, what: What) {
        self.baseless &= !matches!(what, What::Base(..));
        self.log.push(what);
    }
}

impl Drive {
    pub(crate) fn new(disk: SimDisk) -> Self {
        Drive {
            disk,
            stop: Cell::new(Stop::Killed),
            trouble: Cell::default(),
            recovers: Cell::default(),
            whole: Cell::default(),
            tries: Cell::default(),
            guilt: Cell::default(),
            full: Cell::default(),
            kept: RefCell::default(),
            backup: RefCell::default(),
        }
    }

    /// Lets the store work. On a disk that changed or lost bytes it may panic within, as long as it
    /// catches that.
    pub(crate) fn watch<T>(&self, work: impl FnOnce() -> T) -> T {
        let Guilt { log, rest } = self.guilt();
        if log || rest { panics::forgive(work) } else { work() }
    }

    /// The store is to be opened: it may put aside what the disk spoilt.
    pub(crate) fn opens(&self) {
        self.guilt.set(self.guilt());
    }

    /// What the disk did wrong that is still to be seen, or that the store that is opened had to deal with.
    fn guilt(&self) -> Guilt {
        self.guilt.get() | self.disk.guilt()
    }

    /// The store begins to write this over what the image holds.
    pub(crate) fn begin(&self, what: What, image: &Image) {
        let mut kept = self.kept.borrow_mut();
        if let What::Base(base, ..) = &what
            && image.lost > 0
            && let Some(after) = what.after(image)
        {
            kept.recoveries.push((base.clone(), after.contents));
        }
        kept.in_flight = Some(what);
    }

    /// The store refused what it began to write.
    pub(crate) fn refused(&self) {
        self.kept.borrow_mut().in_flight = None;
    }

    /// What the store began to write is durable.
    pub(crate) fn done(&self, world: &World, me: usize) {
        let what = self.kept.borrow_mut().in_flight.take();
        let Some(what) = what else { return };
        if matches!(what, What::Records(_) | What::Base(..)) {
            self.kept.borrow_mut().add(what.clone());
        }
        what.keep(world, me);
        let image = world.peer(me).image.borrow();
        self.kept.borrow_mut().acknowledged = image.end();
        self.recovers.set(self.recovers.get() && image.lost > 0);
    }

    /// Copies disk and memory of it aside.
    pub(crate) fn back_up(&self) {
        *self.backup.borrow_mut() = Some((self.disk.copy(), self.kept.borrow().clone()));
    }

    /// Puts the copy in the disk's place.
    pub(crate) fn restore(&self) {
        if let Some((disk, kept)) = self.backup.borrow().clone() {
            self.disk.replace(disk);
            self.guilt.take();
            *self.kept.borrow_mut() = kept;
        }
    }

    /// Compares what an opened store shows with what it was given, and takes note of what it is.
    pub(crate) fn reopened(&self, world: &World, me: usize, opened: &Opened, records: &[Record]) {
        self.tries.set(0);
        let guilt = self.guilt();
        self.guilt.set(Guilt::default());
        let peer = world.peer(me);
        world.count_many("databases put aside", opened.set_aside.len() as u64);
        for aside in &opened.set_aside {
            world.tell(me, format_args!("puts {} aside: {}", aside.name, aside.why), &[]);
        }
        let shows = reopened::Shows::new(me, opened, records);
        let recovers = peer.image.borrow().lost > 0 || self.recovers.get();
        let excused = guilt.log || guilt.rest || recovers || !self.whole.replace(true);
        world.judge(shows.no_false_alarm(excused));
        if guilt.log && shows.says_loss() {
            // What a sync had called durable is gone, even if nobody was told of it yet.
            peer.excused.set(true);
        }
        peer.untold.set(shows.lost());
        let acknowledged = shows.is(&peer.image.borrow());
        let in_flight = self.kept.borrow_mut().in_flight.take();
        let snapshots = peer.image.borrow().snapshot.clone();
        let new = match &in_flight {
            Some(What::Snapshot(snapshot)) => Some(snapshot),
            _ => None,
        };
        world.judge(shows.snapshot_is_one_of(snapshots.as_ref(), new, guilt.rest || guilt.log));
        if let Some(new) = new.filter(|&new| opened.snapshot.as_ref() == Some(new)) {
            // Nothing was written since it was begun, so it tells what the log does.
            peer.image.borrow_mut().keep_snapshot(new.clone(), true);
        }
        if !acknowledged {
            let after = in_flight.as_ref().and_then(|what| what.after(&peer.image.borrow()));
            if let (Some(what), true) = (&in_flight, after.is_some_and(|image| shows.is(&image))) {
                world.count("writes found though never acknowledged");
                self.kept.borrow_mut().add(what.clone());
                what.clone().keep(world, me);
            } else if !guilt.log {
                world.judge(Err(shows.differs(&peer.image.borrow())));
            } else {
                self.lost(world, me, &shows, in_flight, guilt.rest);
            }
        }
        let mut image = peer.image.borrow_mut();
        image.snapshot = opened.snapshot.clone();
        image.opens();
        self.recovers.set(recovers || image.lost > 0 || shows.says_loss());
        if !self.kept.borrow().baseless {
            // All of the log was read and is as it was written: what rotted there is of no effect.
            self.disk.absolve_log();
        }
    }

    /// The disk lost a part of the log: what is left must be what was there once, and if anything can
    /// tell that something is missing, the store must say so.
    fn lost(
        &self,
        world: &World,
        me: usize,
        shows: &reopened::Shows<'_>,
        in_flight: Option<What>,
        rest_too: bool,
    ) {
        let peer = world.peer(me);
        let mut kept = self.kept.borrow_mut();
        if let Some(What::Records(records)) = &in_flight {
            world.archive(records);
        }
        kept.log.extend(in_flight);
        // Blocks are chained, so only the last of them may be missing; of the bases any.
        let bases = kept.log.iter().enumerate().filter(|(_, what)| matches!(what, What::Base(..)));
        let mut missing = iter::once(None).chain(bases.map(|(nth, _)| Some(nth)));
        let found = missing.find_map(|missing| {
            let (writes, image) = shows.once(&kept.log, missing, &kept.recoveries)?;
            Some((missing, writes, image))
        });
        let Some((missing, writes, mut image)) = found else {
            return world.judge(Err(shows.differs(&peer.image.borrow())));
        };
        kept.log.truncate(writes);
        kept.baseless = missing.is_some();
        let mut acknowledged = kept.acknowledged;
        if let Some(base) = missing {
            kept.log.remove(base);
            acknowledged = acknowledged.max(image.end() + 1);
        }
        if !rest_too {
            world.judge(shows.admits_loss(acknowledged));
        }
        world.count("logs cut short by the disk");
        world.note(me, "has lost a part of its log to the disk", &[]);
        // The database may know of a write that nobody acknowledged.
        image.lost = acknowledged.saturating_sub(image.end()).max(shows.lost());
        kept.acknowledged = image.end();
        peer.becomes(image);
    }

    /// The store does not open: says what its user does about it.
    pub(crate) fn does_not_open(&self, world: &World, me: usize, damaged: bool, why: &str) {
        let peer = world.peer(me);
        world.tell(me, format_args!("cannot use its store: {why}"), why.as_bytes());
        self.tries.set(self.tries.get() + 1);
        let guilt = self.guilt();
        // A key file that rotted looks like a wrong key, a block that did like a newer engine's.
        let damaged = damaged || (guilt.log || guilt.rest) && self.tries.get() > PATIENCE;
        let calm = world.calm(world.now_ms());
        if damaged && !(guilt.log || guilt.rest) || calm && !damaged && self.tries.get() > MAX_TRIES
        {
            world.judge(Err(Finding {
                property: "no false alarm",
                peers: vec![me],
                operations: Vec::new(),
                detail: format!("its disk did nothing wrong, but: {why}"),
            }));
        }
        self.trouble.set(Some(if damaged { Trouble::Damaged } else { Trouble::Failed }));
        world.count(if damaged { "stores found damaged" } else { "stores that did not open" });
        peer.fuse.blow();
    }

    /// Puts the whole store aside; the peer begins anew on an empty disk.
    pub(crate) fn begin_anew(&self, world: &World, me: usize) {
        world.note(me, "puts its store aside and begins anew", &[]);
        world.count("stores begun anew");
        self.disk.replace(DiskImage::default());
        self.guilt.take();
        self.kept.take();
        self.recovers.set(false);
        self.whole.set(false);
        let peer = world.peer(me);
        peer.becomes(Image::default());
    }

    /// Lets a part of the store rot; says whether something did.
    pub(crate) fn rot(&self, world: &World, me: usize, nth: u64, (part, how): (Part, Rot)) -> bool {
        let name = match part {
            Part::Log => medium::LOG,
            Part::Database => medium::DATABASE,
            Part::Keys => medium::KEYS,
        };
        let rotten = match how {
            Rot::Flip => self.disk.rot(name, nth, false),
            Rot::Zero => self.disk.rot(name, nth, true),
            Rot::Swap => self.disk.forge(name, nth, journal::with_two_swapped),
            Rot::Cut => self.disk.forge(name, nth, journal::without_a_group),
        };
        let effect = if rotten { "" } else { ", without effect" };
        world.tell(me, format_args!("has a {part:?} that rots ({how:?}){effect}"), &[]);
        self.report(world, me);
        rotten
    }

    /// Takes so many groups off the end of the log, as if they had never been there; one stays.
    /// Says how many are gone.
    pub(crate) fn lose_tail(&self, world: &World, me: usize, nth: u64, groups: usize) -> u64 {
        let mut gone = 0;
        let lost = self.disk.forge(medium::LOG, nth, |_, log| {
            let (left, without) = journal::without_last(groups, log)?;
            gone = without;
            Some(left)
        });
        world.tell(me, format_args!("loses its last {gone} appends"), &[]);
        world.count_many("tails lost", u64::from(lost));
        self.report(world, me);
        gone as u64
    }

    /// The peer's power goes, or its program ends, after so many more disk calls.
    pub(crate) fn cut_after(&self, calls: u32, program_only: bool) {
        self.stop.set(if program_only { Stop::Killed } else { Stop::PowerCut });
        if calls > 0 {
            self.disk.arm(calls);
        }
    }

    /// A step fills the disk up to so many more bytes, or clears it.
    pub(crate) fn change_room(&self, step: usize, room: Option<u64>) {
        self.full.set(room.map(|_| step));
        self.disk.limit_room(room);
    }

    /// Adds what the disk did to the run's counts, and shows the oracle what the log was given.
    pub(crate) fn report(&self, world: &World, me: usize) {
        world.judge(world.at_rest().judge_sealed(me, &self.disk.take_given()));
        for (what, times) in self.disk.take_counts() {
            world.count_many(what, times);
            if let (Some(step), "disk writes without room") = (self.full.get(), what) {
                world.step_did(step, "writes refused", times);
            }
        }
    }

    /// Judges every byte that is stored anywhere.
    fn judge_stored(&self, world: &World, me: usize) {
        self.disk.look_at_all(|file, bytes| {
            world.judge(world.at_rest().judge_bytes(me, file, bytes));
        });
    }

    /// Judges what the peer has at the end of the run.
    pub(crate) fn judge_end(&self, world: &World, me: usize) {
        self.judge_stored(world, me);
        let choice = world.choices.about(Topic::Transplant, []);
        if choice.below(0, world.peers.len() as u64) == me as u64 {
            self.transplant(world, me);
        }
    }

    /// Lets values change places on a copy of the disk, and a vault look at them.
    fn transplant(&self, world: &World, me: usize) {
        let peer = world.peer(me);
        let copy = SimDisk::new(world.choices, peer.key, Disk::default());
        copy.replace(self.disk.copy());
        match panics::forgive(|| transplant::judge(me, peer, copy)) {
            Ok(true) => world.count("sealed values tried in another's place"),
            Ok(false) => {}
            Err(finding) => world.judge(Err(finding)),
        }
    }

    /// Ends what the present life did to the disk.
    pub(crate) fn settle(&self, world: &World, me: usize) {
        let Guilt { log, rest } = self.guilt();
        self.whole.set(self.whole.get() && !log && !rest);
        let stop = self.stop.replace(Stop::Killed);
        self.judge_stored(world, me);
        self.disk.settle(stop);
        self.report(world, me);
        world.note(
            me,
            match stop {
                Stop::Killed => "leaves its disk as it wrote it",
                Stop::PowerCut => "leaves its disk without what was not synced",
            },
            self.disk.digest().as_bytes(),
        );
        if stop == Stop::PowerCut {
            world.count("power cuts");
        }
    }
}

impl super::shared::Peer {
    /// The disk holds this from now on, through no fault of the store's: whatever else was
    /// acknowledged is excused.
    fn becomes(&self, mut image: Image) {
        let mut now = self.image.borrow_mut();
        image.promise = now.promise;
        image.keep_snapshots_of(&now);
        image.contents.reopened();
        self.is_set_back();
        let held: VersionVector = image.contents.held.vector();
        self.acknowledged.borrow_mut().restored(&held);
        *now = image;
    }
}
