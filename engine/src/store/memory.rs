//! A store that lives as long as the program: for tests, and for workspaces that may be forgotten.
//!
//! Handles are cheap clones of one another, so an engine can be dropped and another one opened
//! over what the first made durable. Failures that a disk would have can be ordered.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::ports::{Opened, Promise, Store, StoreError, Witness};
use crate::record::{Record, Snapshot};

/// A log and a base snapshot in memory. Clones share their contents.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    contents: Arc<Mutex<Contents>>,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    base: Option<Snapshot>,
    snapshot: Option<Snapshot>,
    /// Records before the first that is kept were dropped.
    first: u64,
    records: Vec<Record>,
    /// Bytes that may still be written; `None` is no limit.
    room: Option<usize>,
    failing: Option<Leftover>,
    /// After a failed append: what the next open finds of it.
    unsettled: Option<Vec<Record>>,
    /// Durable records at the end of the log that are gone.
    lost: u64,
}

/// What a failed append left behind, as the next [`open`](Store::open) will find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// No record of it.
    Nothing,
    /// Every record of it.
    Everything,
}

impl MemoryStore {
    /// An empty store without a limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the store take `bytes` more; what needs more is refused, as by a full disk, and
    /// leaves the room as it was. `None` lifts the limit.
    ///
    /// A batch counts as its encoded length, a snapshot as its own and gives back that of the one
    /// it replaces, any other record as a few bytes.
    pub fn limit_room(&self, bytes: Option<usize>) {
        self.lock().room = bytes;
    }

    /// Lets the next append fail with an unknown outcome; from then on the store fails all
    /// writes until it is opened again.
    pub fn fail_next_append(&self, leftover: Leftover) {
        self.lock().failing = Some(leftover);
    }

    /// Loses the last `records` records although they were durable, as a disk that lied.
    pub fn lose_last(&self, records: usize) {
        let mut contents = self.lock();
        let left = contents.records.len().saturating_sub(records);
        contents.lost += contents.records.split_off(left).len() as u64;
    }

    /// A store of its own with what is durable now: a backup.
    pub fn backup(&self) -> Self {
        let contents = self.lock();
        let copy = Contents {
            base: contents.base.clone(),
            snapshot: contents.snapshot.clone(),
            first: contents.first,
            records: contents.records.clone(),
            ..Contents::default()
        };
        MemoryStore { contents: Arc::new(Mutex::new(copy)) }
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().expect("no code panics while it holds the lock")
    }
}

impl Contents {
    fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    fn writable(&self) -> Result<(), StoreError> {
        match self.unsettled {
            Some(_) => Err(StoreError::Failed("an append failed; open the store again".into())),
            None => Ok(()),
        }
    }

    fn give_room(&mut self, bytes: usize) {
        if let Some(room) = &mut self.room {
            *room = room.saturating_add(bytes);
        }
    }

    /// Takes what `bytes` counts from the room, if there is a limit.
    fn take_room(&mut self, bytes: impl FnOnce() -> usize) -> Result<(), StoreError> {
        let Some(room) = &mut self.room else { return Ok(()) };
        let bytes = bytes();
        *room = room.checked_sub(bytes).ok_or_else(|| {
            StoreError::Refused(format!("no room: {bytes} bytes are needed, {room} are free"))
        })?;
        Ok(())
    }
}

impl Store for MemoryStore {
    async fn open(&self) -> Result<Opened, StoreError> {
        let mut contents = self.lock();
        let leftover = contents.unsettled.take().unwrap_or_default();
        contents.records.extend(leftover);
        Ok(Opened {
            base: contents.base.clone(),
            snapshot: contents.snapshot.clone(),
            first: contents.first,
            end: contents.end(),
            watermark: contents.end() + contents.lost,
            set_aside: Vec::new(),
        })
    }

    async fn append(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let mut contents = self.lock();
        contents.writable()?;
        contents.take_room(|| records.iter().map(bytes_of).sum())?;
        match contents.failing.take() {
            None => {
                contents.lost = contents.lost.saturating_sub(records.len() as u64);
                contents.records.extend(records);
            }
            Some(leftover) => {
                let kept = match leftover {
                    Leftover::Nothing => Vec::new(),
                    Leftover::Everything => records,
                };
                contents.unsettled = Some(kept);
                contents.writable()?;
            }
        }
        Ok(())
    }

    async fn load(&self, positions: Vec<u64>) -> Result<Vec<Record>, StoreError> {
        let contents = self.lock();
        let record = |position: u64| {
            let place = position.checked_sub(contents.first);
            let place = place.and_then(|place| usize::try_from(place).ok());
            place.and_then(|place| contents.records.get(place)).cloned().ok_or_else(|| {
                let (first, end) = (contents.first, contents.end());
                StoreError::Damaged(format!(
                    "no record at position {position}: the log holds {first} to {end}"
                ))
            })
        };
        positions.into_iter().map(record).collect()
    }

    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<(), StoreError> {
        let mut contents = self.lock();
        contents.writable()?;
        contents.take_room(|| snapshot.bytes.len())?;
        let old = contents.snapshot.replace(snapshot);
        contents.give_room(old.map_or(0, |old| old.bytes.len()));
        Ok(())
    }

    async fn rebase(&self, base: Snapshot, first: u64) -> Result<(), StoreError> {
        let mut contents = self.lock();
        contents.writable()?;
        let (from, end) = (contents.first, contents.end());
        if base.position != end || !(from..=end).contains(&first) {
            return Err(StoreError::Refused(format!(
                "the base is at {}, the records from {first} on are to stay, but the log holds \
                 {from} to {end}",
                base.position
            )));
        }
        contents.take_room(|| base.bytes.len())?;
        let dropped: Vec<_> = contents.records.drain(..(first - from) as usize).collect();
        (contents.first, contents.lost) = (first, 0);
        let old = [contents.base.replace(base), contents.snapshot.take()];
        let old: usize = old.iter().flatten().map(|old| old.bytes.len()).sum();
        contents.give_room(old + dropped.iter().map(bytes_of).sum::<usize>());
        Ok(())
    }
}

fn bytes_of(record: &Record) -> usize {
    match record {
        Record::Ready(batch) | Record::Parked(batch) => batch.encode().len(),
        _ => SMALL_RECORD_BYTES,
    }
}

/// What a record without a batch counts as; none is longer.
const SMALL_RECORD_BYTES: usize = 96;

/// A witness in memory. Clones share what they remember.
#[derive(Clone, Debug, Default)]
pub struct MemoryWitness {
    promise: Arc<Mutex<Option<Promise>>>,
}

impl MemoryWitness {
    /// The witness of a new device.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy that does not follow: a backup.
    pub fn backup(&self) -> Self {
        MemoryWitness { promise: Arc::new(Mutex::new(*self.lock())) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Promise>> {
        self.promise.lock().expect("no code panics while it holds the lock")
    }
}

impl Witness for MemoryWitness {
    async fn read(&self) -> Result<Option<Promise>, StoreError> {
        Ok(*self.lock())
    }

    async fn write(&self, promise: Promise) -> Result<(), StoreError> {
        *self.lock() = Some(promise);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::access::Access;
    use futures_executor::block_on;

    use super::*;
    use crate::id::{DeviceId, Incarnation};
    use crate::store::conformance;

    fn consent(shared: bool) -> Record {
        let access = if shared { Access::Full } else { Access::None };
        Record::Consent { device: DeviceId([3; 32]), access }
    }

    #[test]
    fn memory_store_passes_the_exam() {
        block_on(conformance::every_claim(|| {
            let place = MemoryStore::new();
            move || place.clone()
        }));
    }

    #[test]
    fn full_store_refuses_and_works_again_with_room() {
        let store = MemoryStore::new();
        store.limit_room(Some(SMALL_RECORD_BYTES));
        let both = vec![consent(true), consent(false)];
        let refused = block_on(store.append(both.clone())).expect_err("one record has room");
        assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
        block_on(store.append(vec![consent(true)])).expect("a refusal takes no room");
        block_on(store.append(vec![consent(true)])).expect_err("the room is used up");
        store.limit_room(None);
        block_on(store.append(both)).expect("the limit is lifted");
        assert_eq!(block_on(store.open()).unwrap().end, 3);
    }

    #[test]
    fn replaced_snapshot_gives_its_room_back() {
        let store = MemoryStore::new();
        store.limit_room(Some(10));
        let snapshot = |length| Snapshot { bytes: vec![0; length], ..Snapshot::default() };
        for _ in 0..3 {
            block_on(store.save_snapshot(snapshot(5))).expect("the old and the new one have room");
        }
        block_on(store.save_snapshot(snapshot(6))).expect_err("no room beside the old one");
    }

    #[test]
    fn failed_append_poisons_until_reopened() {
        for (leftover, end) in [(Leftover::Nothing, 1), (Leftover::Everything, 3)] {
            let store = MemoryStore::new();
            block_on(store.append(vec![consent(true)])).unwrap();
            store.fail_next_append(leftover);
            for _ in 0..2 {
                let failed = block_on(store.append(vec![consent(true), consent(false)]));
                assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
            }
            assert_eq!(block_on(store.load(vec![0])).unwrap().len(), 1, "reads go on");
            assert_eq!(block_on(store.open()).unwrap().end, end);
            block_on(store.append(vec![consent(true)])).expect("reopened");
        }
    }

    #[test]
    fn backup_does_not_follow_its_original() {
        let store = MemoryStore::new();
        block_on(store.append(vec![consent(true)])).unwrap();
        let backup = store.backup();
        block_on(store.append(vec![consent(false)])).unwrap();
        assert_eq!(block_on(backup.open()).unwrap().end, 1);
    }

    #[test]
    fn witness_remembers_across_handles() {
        let witness = MemoryWitness::new();
        assert_eq!(block_on(witness.read()), Ok(None));
        let promise = Promise { incarnation: Incarnation([4; 16]), sequence: 12 };
        block_on(witness.clone().write(promise)).unwrap();
        assert_eq!(block_on(witness.read()), Ok(Some(promise)));
    }
}
