//! What lives outside the peers: disks, agendas, the trace, and what was observed.
//!
//! Peers come and go, this stays. Oracles that watch a running peer are called from here, at the
//! moment that they judge.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use graphshell_sync::ports::Promise;
use graphshell_sync::{Access, ConflictId, DeviceId, Dot, NodeId, PeerId, VersionVector};
use tokio::sync::Notify;

use super::agenda::{Order, Task};
use super::archive::Archive;
use super::bulletin::Bulletin;
use super::choice::{self, Choices};
use super::disk::SimDisk;
use super::drive::Drive;
use super::fuse::Fuse;
use super::hostile::{Liar, Slander};
use super::image::{Handed, Image};
use super::net::Listener;
use super::post::Post;
use super::recorders::Recorders;
use super::timeline::{Slow, Timeline};
use super::{Failure, Options};
use crate::ledger::Ledger;
use crate::oracle::at_rest::AtRest;
use crate::oracle::atomic::Atomic;
use crate::oracle::authored::Moment;
use crate::oracle::durability::Acknowledged;
use crate::oracle::{Finding, Forks, View};
use crate::plan::{Network, Plan, device_id};
use crate::probe;
use crate::trace::Trace;

/// One run's world.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) choices: Choices,
    pub(crate) timeline: Timeline,
    pub(super) bulletin: Bulletin,
    pub(crate) peers: Vec<Peer>,
    /// Where each device stands in that list.
    places: BTreeMap<DeviceId, usize>,
    /// When the plan's time began, in virtual milliseconds; `None` while peers are set up.
    pub(crate) started_ms: Cell<Option<u64>>,
    /// When the plan's faults ended.
    pub(crate) healed_ms: Cell<Option<u64>>,
    pub(crate) recorders: Recorders,
    /// Frames on their way.
    pub(crate) post: Post,
    /// The present, in virtual milliseconds since the first instant.
    now_ms: Cell<u64>,
    pub(super) trace: RefCell<Trace>,
    counts: RefCell<BTreeMap<&'static str, u64>>,
    pub(super) ledger: RefCell<Ledger>,
    failure: RefCell<Option<Failure>>,
    /// The edits that stood in a conflict which a user was shown.
    pub(super) prompted: RefCell<BTreeSet<Dot>>,
    /// What liars said under others' names.
    pub(crate) slander: RefCell<Slander>,
    at_rest: OnceCell<AtRest>,
    /// What the plan calls nodes.
    pub(super) node_names: OnceCell<BTreeMap<NodeId, String>>,
    /// All entries that were ever durable; only where logs may be cut.
    pub(super) archive: RefCell<Archive>,
    /// As whom each peer authored, with how many incarnations came before.
    pub(super) authors: RefCell<BTreeMap<PeerId, (usize, usize)>>,
}

/// One peer, seen from outside.
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) key: u64,
    pub(crate) device: DeviceId,
    pub(crate) life: Cell<Life>,
    /// How often it was started.
    pub(crate) boots: Cell<u64>,
    pub(crate) fuse: Fuse,
    /// Who speaks in its name, if it is hostile.
    pub(crate) liar: RefCell<Option<Liar>>,
    /// The step of the plan that is to end its present life.
    pub(crate) doom: Cell<Option<usize>>,
    /// Its network, while it has power.
    pub(crate) listener: RefCell<Listener>,
    pub(crate) image: RefCell<Image>,
    /// What was set aside.
    pub(crate) backup: RefCell<Option<Image>>,
    /// Its disk, if the plan has disks.
    pub(crate) drive: Option<Drive>,
    /// Whether something happened that may cost it its name: its disk or keyring was replaced, failed, or lost
    /// what it held.
    pub(crate) excused: Cell<bool>,
    /// Writes to the store so far, over all lives.
    pub(crate) appends: Cell<u64>,
    /// Writes to the witness so far, over all lives.
    pub(crate) promises: Cell<u64>,
    /// Frames sent so far to each peer, over all lives.
    pub(crate) sent: RefCell<BTreeMap<usize, u64>>,
    /// Its part of the plan that is still to come.
    pub(crate) agenda: RefCell<VecDeque<Task>>,
    /// What the world wants of it beside the plan.
    pub(crate) orders: RefCell<VecDeque<Order>>,
    /// Rung when there is a new order, or when time starts.
    pub(crate) bell: Notify,
    /// Rounds and other things that it has under way.
    pub(crate) busy: Cell<usize>,
    /// Calls of its store and writes of its witness that are under way. While one is, the disk may hold
    /// what the engine does not show yet.
    pub(crate) storing: Cell<usize>,
    /// Edits of this life whose fate is not known yet.
    pub(crate) unsettled: Cell<usize>,
    /// What was read last by order.
    pub(crate) view: RefCell<Option<View>>,
    /// Whether the last round that it started by plan ended well.
    pub(crate) last_sync: Cell<Option<bool>>,
    /// Whether the current turn moved something or a round of it failed.
    pub(crate) moved: Cell<bool>,
    /// Whether in this life it began to cut its log.
    pub(crate) cuts: Cell<bool>,
    /// The forks that it reported.
    pub(crate) forks: RefCell<Forks>,
    /// As whom it authors.
    pub(crate) author: Cell<Option<PeerId>>,
    /// Whether its disk and keyring were replaced together by older ones since it was last opened: then
    /// nothing tells it that it forgot something.
    pub(crate) forgets: Cell<bool>,
    /// As whom it authored before and, when that had happened, again.
    pub(crate) forgot_as: RefCell<BTreeSet<PeerId>>,
    /// Whether in this life its keyring knew nothing while its log was not empty: then nothing tells it a
    /// crash from a backup.
    pub(crate) unwitnessed: Cell<bool>,
    /// Records that are lost, as its store told it in this life, and it not yet its user.
    pub(crate) untold: Cell<u64>,
    /// Whether in this life a call of its store failed.
    pub(crate) store_failed: Cell<bool>,
    /// Whether it has taken in its log from before sync.
    pub(crate) imported: Cell<bool>,
    /// How often its disk forgot something.
    pub(crate) set_backs: Cell<u64>,
    /// By peer: how often its disk had forgotten something when it last said how far it is, as far as
    /// the engine knows since it opened its store.
    pub(crate) heard: RefCell<BTreeMap<usize, u64>>,
    /// `heard` when it began to cut its log last.
    pub(crate) heard_before_cut: RefCell<BTreeMap<usize, u64>>,
    /// The peers that told it, in its last round with each, that they speak another version.
    pub(crate) told_version: RefCell<BTreeSet<usize>>,
    /// The snapshot that it was handed last since it opened its store.
    pub(crate) handed: RefCell<Option<Handed>>,
    /// Whether its conflicts may be others than when they were looked at last.
    pub(crate) prompts: Cell<bool>,
    /// The conflicts that it told to be settled.
    pub(crate) settled: RefCell<BTreeSet<ConflictId>>,
    /// What its user said last that devices may do, to nothing or to reading, and that is not durable.
    pub(crate) lowering: RefCell<BTreeMap<DeviceId, VecDeque<Access>>>,
    /// How often its user let a device do less.
    pub(crate) lowered: Cell<u64>,
    /// When its user made an edit, by the first entry of the edit.
    pub(crate) authored: RefCell<BTreeMap<Dot, Moment>>,
    /// What its reader saw last.
    pub(crate) seen: RefCell<VersionVector>,
    /// How far it ever told others of anybody's entries.
    pub(crate) left: RefCell<VersionVector>,
    /// What it told others of itself since it was looked at last, each with its promise then.
    pub(super) told: RefCell<Vec<(VersionVector, Option<Promise>)>>,
    pub(crate) atomic: RefCell<Atomic>,
    pub(crate) acknowledged: RefCell<Acknowledged>,
}

impl Peer {
    /// What its disk says that another device may do, and no more than its user has begun to lower it to.
    pub(crate) fn access_of(&self, device: DeviceId) -> Access {
        let stored = self.image.borrow().contents.shared.get(&device).copied();
        let lowering = self.lowering.borrow();
        let pending = lowering.get(&device).into_iter().flatten().copied();
        pending.chain([stored.unwrap_or(Access::None)]).min().expect("one is stored")
    }

    /// Whether its disk holds what it was made to believe: it may show what no entry says.
    pub(crate) fn misled(&self) -> bool {
        self.image.borrow().contents.misled
    }
}

/// Where in its life a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// It has no power.
    Down,
    /// It opens its workspace.
    Opening,
    /// It does what it is told.
    Ready,
}

impl World {
    pub(crate) fn new(plan: &Plan, options: &Options) -> Self {
        let choices = Choices::new(plan.seed);
        let drive = |key| plan.disk.map(|faults| Drive::new(SimDisk::new(choices, key, faults)));
        let peer = |peer: &crate::plan::Peer| Peer {
            name: peer.name.clone(),
            key: choice::key(&peer.name),
            device: device_id(&peer.name),
            life: Cell::new(Life::Down),
            boots: Cell::new(0),
            fuse: Fuse::default(),
            liar: RefCell::new(peer.is_hostile().then(|| Liar::new(plan, peer))),
            doom: Cell::default(),
            listener: RefCell::default(),
            image: RefCell::default(),
            backup: RefCell::default(),
            drive: drive(choice::key(&peer.name)),
            excused: Cell::default(),
            appends: Cell::new(0),
            promises: Cell::new(0),
            sent: RefCell::default(),
            agenda: RefCell::default(),
            orders: RefCell::default(),
            bell: Notify::new(),
            busy: Cell::new(0),
            storing: Cell::new(0),
            unsettled: Cell::new(0),
            view: RefCell::default(),
            last_sync: Cell::new(None),
            moved: Cell::new(false),
            cuts: Cell::default(),
            forks: RefCell::default(),
            author: Cell::new(None),
            forgets: Cell::default(),
            forgot_as: RefCell::default(),
            unwitnessed: Cell::default(),
            untold: Cell::default(),
            store_failed: Cell::default(),
            imported: Cell::default(),
            set_backs: Cell::new(0),
            heard: RefCell::default(),
            heard_before_cut: RefCell::default(),
            told_version: RefCell::default(),
            handed: RefCell::default(),
            prompts: Cell::default(),
            settled: RefCell::default(),
            lowering: RefCell::default(),
            lowered: Cell::default(),
            authored: RefCell::default(),
            seen: RefCell::default(),
            left: RefCell::default(),
            told: RefCell::default(),
            atomic: RefCell::default(),
            acknowledged: RefCell::default(),
        };
        let peers: Vec<_> = plan.peers.iter().map(peer).collect();
        World {
            places: (0..).zip(&peers).map(|(place, peer)| (peer.device, place)).collect(),
            plan: plan.clone(),
            choices,
            timeline: Timeline::new(plan),
            bulletin: Bulletin::new(plan),
            peers,
            started_ms: Cell::new(None),
            healed_ms: Cell::new(None),
            recorders: Recorders::default(),
            post: Post::default(),
            now_ms: Cell::new(0),
            trace: RefCell::new(Trace::new(options.keep_events, options.keep_marks)),
            counts: RefCell::default(),
            ledger: RefCell::new(Ledger::new(plan)),
            failure: RefCell::default(),
            slander: RefCell::default(),
            prompted: RefCell::default(),
            at_rest: OnceCell::new(),
            node_names: OnceCell::new(),
            archive: RefCell::default(),
            authors: RefCell::default(),
        }
    }

    /// What must not be found on any disk.
    pub(crate) fn at_rest(&self) -> &AtRest {
        self.at_rest.get_or_init(|| AtRest::new(&self.plan))
    }

    pub(crate) fn peer(&self, peer: usize) -> &Peer {
        &self.peers[peer]
    }

    /// The peer with this device.
    pub(crate) fn place(&self, device: DeviceId) -> Option<usize> {
        self.places.get(&device).copied()
    }

    /// Virtual milliseconds since the first instant.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    /// Time has passed.
    pub(crate) fn advance_to(&self, now_ms: u64) {
        self.now_ms.set(now_ms);
    }

    /// Virtual milliseconds of the plan; 0 before it starts.
    pub(crate) fn plan_ms(&self) -> u64 {
        self.plan_time(self.now_ms())
    }

    fn plan_time(&self, at_ms: u64) -> u64 {
        self.started_ms.get().map_or(0, |start| at_ms.saturating_sub(start))
    }

    /// Whether nothing goes wrong at a time: before the plan begins, after the heal.
    pub(crate) fn calm(&self, at_ms: u64) -> bool {
        self.started_ms.get().is_none() || self.healed_ms.get().is_some_and(|heal| at_ms >= heal)
    }

    /// How the network behaves at a time.
    pub(crate) fn weather(&self, at_ms: u64) -> Network {
        if self.calm(at_ms) {
            Network::default()
        } else {
            self.timeline.weather(self.plan_time(at_ms))
        }
    }

    /// The step that keeps frames from getting from one peer to another at a time, if one does.
    pub(crate) fn closed_by(&self, from: usize, to: usize, at_ms: u64) -> Option<usize> {
        if self.calm(at_ms) {
            return None;
        }
        self.timeline.closed_by(from, to, self.plan_time(at_ms))
    }

    /// What slows frames down that one peer sends to another at a time.
    pub(crate) fn slow(&self, from: usize, to: usize, at_ms: u64) -> Option<Slow> {
        if self.calm(at_ms) {
            return None;
        }
        self.timeline.slow(from, to, self.plan_time(at_ms))
    }

    /// The step that broke the connection of two peers between two times, if one did.
    pub(crate) fn broken_by(&self, one: usize, other: usize, ms: (u64, u64)) -> Option<usize> {
        self.started_ms.get()?;
        self.timeline.broken_by(one, other, (self.plan_time(ms.0), self.plan_time(ms.1)))
    }

    /// Counts something that happened.
    pub(crate) fn count(&self, what: &'static str) {
        self.count_many(what, 1);
    }

    /// Counts something that happened so many times.
    pub(crate) fn count_many(&self, what: &'static str, times: u64) {
        if times == 0 {
            return;
        }
        let mut counts = self.counts.borrow_mut();
        *counts.entry(what).or_insert_with(|| {
            assert!(probe::is_declared(what), "{what:?} is not declared in probe.rs");
            0
        }) += times;
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.borrow().clone()
    }

    /// Takes note of a verdict of an oracle; the first finding is the run's failure.
    pub(crate) fn judge(&self, verdict: Result<(), Finding>) {
        let Err(finding) = verdict else { return };
        let failure = Failure {
            property: finding.property,
            peers: finding.peers.iter().map(|&peer| self.peers[peer].name.clone()).collect(),
            operations: finding.operations.iter().map(|&dot| self.name_of(dot)).collect(),
            virtual_ms: self.plan_ms(),
            detail: finding.detail,
        };
        self.failure.borrow_mut().get_or_insert(failure);
    }

    /// Whether a property has failed.
    pub(crate) fn failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// The run's failure.
    pub(crate) fn take_failure(&self) -> Option<Failure> {
        self.failure.borrow_mut().take()
    }

    /// A peer authors as this author from now on.
    pub(crate) fn learn_author(&self, peer: usize, author: PeerId) {
        let mut authors = self.authors.borrow_mut();
        if !authors.contains_key(&author) {
            let before = authors.values().filter(|&&(other, _)| other == peer).count();
            authors.insert(author, (peer, before));
        }
    }

    /// The peer is open and authors as this author.
    pub(crate) fn authors_as(&self, peer: usize, author: PeerId) {
        if self.peers[peer].author.replace(Some(author)) != Some(author) {
            self.learn_author(peer, author);
        }
    }

    /// The peer that authors, or authored, as this author.
    pub(crate) fn author(&self, author: PeerId) -> Option<usize> {
        self.authors.borrow().get(&author).map(|&(peer, _)| peer)
    }

    /// How many incarnations the author's peer had before.
    pub(super) fn incarnations_before(&self, author: PeerId) -> Option<usize> {
        self.authors.borrow().get(&author).map(|&(_, before)| before)
    }

    /// All forks that were reported.
    pub(crate) fn forks(&self) -> Forks {
        let mut all = Forks::new();
        for peer in &self.peers {
            for (&author, &common) in &*peer.forks.borrow() {
                let least = all.entry(author).or_insert(common);
                *least = common.min(*least);
            }
        }
        all
    }
}
