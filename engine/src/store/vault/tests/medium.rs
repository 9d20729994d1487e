//! A medium in memory: its contents survive handles, its writes can be made to fail, and whatever
//! lies on it can be looked at and changed.

use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::ports::StoreError;
use crate::store::medium::{Change, Journal, MAX_VALUE_BYTES, Medium, Pair, Part};

/// A handle to a medium; one of them at a time can be locked.
#[derive(Debug, Default)]
pub(super) struct MemoryMedium {
    contents: Arc<Mutex<Contents>>,
    /// Whether this handle is the one that locked it.
    holds: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    pub(super) journal: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The database's file; empty if there is none.
    pub(super) state: Vec<u8>,
    /// A database that was begun and not adopted.
    begun: Vec<u8>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Databases that were put aside.
    pub(super) aside: Vec<Vec<u8>>,
    locked: bool,
    /// What to do with the commits to come, the next one first.
    pub(super) commits: Vec<Fate>,
    /// What to do with the next write of a small file.
    pub(super) replace: Option<Fate>,
    /// Bytes up to which the database's file may grow.
    pub(super) state_room: Option<u64>,
    /// Syncs of the database until one fails.
    pub(super) state_syncs: Option<u32>,
    /// What was written to the journal and the database, in order.
    pub(super) order: Vec<Part>,
}

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Done,
    /// There is no room.
    Refused,
    /// It fails, and nothing of it is there.
    FailedUndone,
    /// It fails, and all of it is there.
    FailedDone,
}

impl Fate {
    fn of<T>(self, write: impl FnOnce() -> T) -> Result<(), StoreError> {
        if matches!(self, Fate::Done | Fate::FailedDone) {
            write();
        }
        match self {
            Fate::Done => Ok(()),
            Fate::Refused => Err(StoreError::Refused("no room".into())),
            Fate::FailedUndone | Fate::FailedDone => Err(StoreError::Failed("input/output".into())),
        }
    }
}

impl MemoryMedium {
    pub(super) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Another handle, which has locked nothing.
    pub(super) fn handle(&self) -> MemoryMedium {
        MemoryMedium { contents: Arc::clone(&self.contents), holds: false }
    }

    /// A medium of its own with the same bytes.
    pub(super) fn copy(&self) -> MemoryMedium {
        let contents = Contents { locked: false, ..self.contents().clone() };
        MemoryMedium { contents: Arc::new(Mutex::new(contents)), holds: false }
    }
}

impl Drop for MemoryMedium {
    fn drop(&mut self) {
        if self.holds {
            self.contents().locked = false;
        }
    }
}

impl Medium for MemoryMedium {
    type Journal = MemoryJournal;
    type State = MemoryState;

    fn lock(&mut self) -> Result<(), StoreError> {
        let mut contents = self.contents();
        if contents.locked {
            return Err(StoreError::Refused("another program has it open".into()));
        }
        contents.locked = true;
        drop(contents);
        self.holds = true;
        Ok(())
    }

    fn journal(&mut self) -> Result<MemoryJournal, StoreError> {
        Ok(MemoryJournal { medium: self.handle(), failed: false })
    }

    fn state(&mut self) -> Result<Option<MemoryState>, StoreError> {
        let exists = !self.contents().state.is_empty();
        Ok(exists.then(|| MemoryState { medium: self.handle(), begun: false }))
    }

    fn begin_state(&mut self) -> Result<MemoryState, StoreError> {
        self.contents().begun.clear();
        Ok(MemoryState { medium: self.handle(), begun: true })
    }

    fn adopt_state(&mut self) -> Result<(), StoreError> {
        let mut contents = self.contents();
        contents.state = std::mem::take(&mut contents.begun);
        Ok(())
    }

    fn keep_state_aside(&mut self) -> Result<String, StoreError> {
        let mut contents = self.contents();
        let state = contents.state.clone();
        if contents.aside.last() != Some(&state) {
            contents.aside.push(state);
        }
        Ok(format!("state.aside-{}", contents.aside.len()))
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.contents().files.get(name).cloned())
    }

    fn replace(&mut self, name: &str, new: &[u8]) -> Result<(), StoreError> {
        let mut contents = self.contents();
        let fate = contents.replace.take().unwrap_or(Fate::Done);
        fate.of(|| contents.files.insert(name.to_owned(), new.to_vec()))
    }

    fn name_of(&self, part: Part) -> String {
        match part {
            Part::Journal => "the journal".into(),
            Part::State => "the state".into(),
            Part::File(name) => name.into(),
        }
    }
}

pub(super) struct MemoryJournal {
    medium: MemoryMedium,
    failed: bool,
}

impl Journal for MemoryJournal {
    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut contents = self.medium.contents();
        if self.failed {
            return Err(StoreError::Failed("a commit failed before".into()));
        }
        let fate = match contents.commits.is_empty() {
            true => Fate::Done,
            false => contents.commits.remove(0),
        };
        self.failed = matches!(fate, Fate::FailedDone | Fate::FailedUndone);
        fate.of(|| {
            contents.order.push(Part::Journal);
            for change in changes {
                match change {
                    Change::Put(key, value) => {
                        assert!(value.len() <= MAX_VALUE_BYTES, "a value is too long");
                        contents.journal.insert(key, value);
                    }
                    Change::Remove(key) => {
                        contents.journal.remove(&key).expect("only what is there is removed");
                    }
                }
            }
        })
    }

    fn range(
        &self,
        keys: RangeInclusive<Vec<u8>>,
    ) -> Box<dyn Iterator<Item = Result<Pair, StoreError>> + '_> {
        let contents = self.medium.contents();
        let pairs = contents.journal.range(keys);
        let pairs: Vec<_> = pairs.map(|(key, value)| Ok((key.clone(), value.clone()))).collect();
        Box::new(pairs.into_iter())
    }
}

#[derive(Debug)]
pub(super) struct MemoryState {
    medium: MemoryMedium,
    begun: bool,
}

impl MemoryState {
    fn bytes<T>(&self, act: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let contents = &mut *self.medium.contents();
        act(match self.begun {
            true => &mut contents.begun,
            false => &mut contents.state,
        })
    }
}

impl redb::StorageBackend for MemoryState {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes(|bytes| bytes.len()) as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = offset as usize;
        self.bytes(|bytes| {
            let bytes = bytes.get(start..start + out.len());
            out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        if self.medium.contents().state_room.is_some_and(|room| length > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes(|bytes| bytes.resize(length as usize, 0));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut contents = self.medium.contents();
        match &mut contents.state_syncs {
            Some(0) => return Err(io::Error::other("input/output")),
            Some(left) => *left -= 1,
            None => {}
        }
        contents.order.push(Part::State);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = offset as usize;
        self.bytes(|bytes| bytes[start..start + data.len()].copy_from_slice(data));
        Ok(())
    }
}
