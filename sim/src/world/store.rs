//! A device's log, snapshot and witness in virtual time.
//!
//! An append takes time and is durable at the end of it, so that sending before it is durable
//! shows. A crash in between loses all of its records or keeps all of them. If the plan has disks,
//! the real store takes the place of this ideal one (`sealed.rs`).

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use graphshell_sync::ports::{Opened, Promise, Store, StoreError, Witness};
use graphshell_sync::{Record, Snapshot};
use tokio::time::sleep;

use super::choice::{Choice, Topic};
use super::image::{Handed, Image};
use super::sealed::SealedStore;
use super::shared::World;
use crate::trace::Mark;

/// How often a crash keeps what was being written, in thousandths.
const KEPT_BY_CRASH: u16 = 500;

/// The log and snapshot of one peer.
pub(crate) struct SimStore {
    world: Rc<World>,
    me: usize,
    /// The real store, if the plan has disks for it.
    sealed: Option<SealedStore>,
}

/// The memory outside the store of one peer.
pub(crate) struct SimWitness {
    world: Rc<World>,
    me: usize,
}

/// Something that is being written; dropped in the middle it is lost or whole.
struct Writing<'a> {
    world: &'a World,
    me: usize,
    choice: Choice,
    what: Option<What>,
}

/// What a store is given to keep.
#[derive(Clone)]
pub(crate) enum What {
    Records(Vec<Record>),
    Snapshot(Snapshot),
    /// The base, the position of the first record that stays, and whom it is from if it was joined.
    Base(Snapshot, u64, Option<Handed>),
    Promise(Promise),
}

/// Counts a write while it lasts, of either store.
struct Counted<'a>(&'a Cell<usize>);

impl<'a> Counted<'a> {
    fn begin(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Writing<'_> {
    /// Passes the fuse, takes its time and becomes durable.
    async fn run(mut self) {
        let peer = self.world.peer(self.me);
        peer.fuse.pass().await;
        let took = self.choice.within(0, self.world.plan.append_ms);
        sleep(Duration::from_millis(took)).await;
        self.commit();
        peer.fuse.pass().await;
    }

    fn commit(&mut self) {
        if let Some(what) = self.what.take() {
            what.keep(self.world, self.me);
        }
    }
}

impl What {
    /// It is durable at a peer.
    pub(super) fn keep(self, world: &World, me: usize) {
        match self {
            What::Records(records) => world.became_durable(me, &records),
            What::Snapshot(snapshot) => {
                world.note(me, "has taken a snapshot", &snapshot.bytes);
                world.count("snapshots");
                let peer = world.peer(me);
                peer.image.borrow_mut().keep_snapshot(snapshot, peer.drive.is_some());
            }
            What::Base(base, first, handed) => world.rebased(me, base, first, handed.as_ref()),
            What::Promise(promise) => {
                world.note(me, "has noted its promise", &promise.sequence.to_le_bytes());
                world.peer(me).image.borrow_mut().promise = Some(promise);
            }
        }
    }

    /// What an image is once this is written, if it is a part of the log.
    pub(crate) fn after(&self, image: &Image) -> Option<Image> {
        let mut after = image.clone();
        match self {
            What::Records(records) => _ = after.append(records, None),
            What::Base(base, first, handed) => {
                _ = after.rebase(base.clone(), *first, handed.as_ref());
            }
            What::Snapshot(_) | What::Promise(_) => return None,
        }
        Some(after)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        // While a panic unwinds the run has failed, and the world may be borrowed.
        if self.what.is_none() || std::thread::panicking() {
            return;
        }
        self.world.count("writes cut by a crash");
        self.world.count(match self.what {
            Some(What::Records(_)) | None => "crashes during an append",
            Some(What::Snapshot(_)) => "crashes during a snapshot",
            Some(What::Base(..)) => "crashes during a base",
            Some(What::Promise(_)) => "crashes during a promise",
        });
        self.world.doom_did(self.me, "writes cut");
        if self.choice.chance(1, KEPT_BY_CRASH) {
            self.world.note(self.me, "dies while writing; all of it stays", &[]);
            self.commit();
        } else {
            self.world.note(self.me, "dies while writing; none of it stays", &[]);
        }
    }
}

impl SimStore {
    pub(crate) fn new(world: Rc<World>, me: usize) -> Self {
        let sealed = SealedStore::new(&world, me);
        SimStore { world, me, sealed }
    }

    async fn write(&self, what: What) -> Result<(), StoreError> {
        let _counted = Counted::begin(&self.world.peer(self.me).storing);
        self.world.mark(self.me, || Mark::Writing);
        let written = match &self.sealed {
            Some(sealed) => sealed.write(what).await,
            None => {
                let peer = self.world.peer(self.me);
                let nth = peer.appends.replace(peer.appends.get() + 1);
                let choice = self.world.choices.about(Topic::Append, [peer.key, nth]);
                Writing { world: &self.world, me: self.me, choice, what: Some(what) }.run().await;
                Ok(())
            }
        };
        self.world.mark(self.me, || Mark::Wrote);
        written
    }
}

impl Store for SimStore {
    async fn open(&self) -> Result<Opened, StoreError> {
        let _counted = Counted::begin(&self.world.peer(self.me).storing);
        let peer = self.world.peer(self.me);
        // The engine goes on with what it had stored: of others, and of a snapshot no part. A withdrawal
        // that did not come to the disk is taken back, before the user hears of it.
        peer.heard.take();
        peer.handed.take();
        peer.lowering.take();
        peer.atomic.borrow_mut().begin_anew();
        peer.image.borrow_mut().contents.reopened();
        peer.cuts.set(false);
        if let Some(sealed) = &self.sealed {
            return sealed.open().await;
        }
        peer.fuse.pass().await;
        peer.image.borrow_mut().opens();
        let image = peer.image.borrow();
        peer.untold.set(image.lost);
        Ok(Opened {
            base: image.base.clone(),
            snapshot: image.snapshot.clone(),
            first: image.first,
            end: image.end(),
            watermark: image.end() + image.lost,
            set_aside: Vec::new(),
        })
    }

    async fn append(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let written = self.write(What::Records(records)).await;
        if written.is_err() {
            // All that waits is taken back, before the user hears of it.
            self.world.peer(self.me).lowering.take();
        }
        written
    }

    async fn load(&self, positions: Vec<u64>) -> Result<Vec<Record>, StoreError> {
        let _counted = Counted::begin(&self.world.peer(self.me).storing);
        if let Some(sealed) = &self.sealed {
            return sealed.load(&positions).await;
        }
        let peer = self.world.peer(self.me);
        peer.fuse.pass().await;
        let image = peer.image.borrow();
        let read = |position: u64| {
            let bytes = image
                .record(position)
                .ok_or_else(|| StoreError::Refused(format!("no record at position {position}")))?;
            Record::decode(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
        };
        positions.into_iter().map(read).collect()
    }

    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<(), StoreError> {
        self.write(What::Snapshot(snapshot)).await
    }

    async fn rebase(&self, base: Snapshot, first: u64) -> Result<(), StoreError> {
        let peer = self.world.peer(self.me);
        let cuts = &peer.cuts;
        cuts.set(true);
        peer.begins_to_cut();
        let joins = peer.image.borrow().joins_with(first);
        let handed = peer.handed.borrow().clone().filter(|_| joins);
        let written = self.write(What::Base(base, first, handed)).await;
        cuts.set(!matches!(written, Err(StoreError::Refused(_))));
        written
    }
}

impl SimWitness {
    pub(crate) fn new(world: Rc<World>, me: usize) -> Self {
        SimWitness { world, me }
    }
}

impl Witness for SimWitness {
    async fn read(&self) -> Result<Option<Promise>, StoreError> {
        let peer = self.world.peer(self.me);
        peer.fuse.pass().await;
        let image = peer.image.borrow();
        if image.promise.is_none() && (image.base.is_some() || !image.records.is_empty()) {
            peer.unwitnessed.set(true);
        }
        Ok(image.promise)
    }

    async fn write(&self, promise: Promise) -> Result<(), StoreError> {
        let peer = self.world.peer(self.me);
        let _counted = Counted::begin(&peer.storing);
        let nth = peer.promises.replace(peer.promises.get() + 1);
        let choice = self.world.choices.about(Topic::Promise, [peer.key, nth]);
        let rate = self.world.plan.disk.map_or(0, |disk| disk.witness_error);
        if !self.world.calm(self.world.now_ms()) && choice.chance(2, rate) {
            peer.fuse.pass().await;
            peer.excused.set(true);
            self.world.note(self.me, "cannot reach its keyring", &[]);
            self.world.count("promises that failed");
            if choice.chance(3, 500) {
                What::Promise(promise).keep(&self.world, self.me);
            }
            return Err(StoreError::Failed("the keyring does not answer".to_owned()));
        }
        let what = Some(What::Promise(promise));
        Writing { world: &self.world, me: self.me, choice, what }.run().await;
        Ok(())
    }
}
