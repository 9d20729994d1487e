//! The simulated log: as nasty as fjall's journal, on a simulated disk.
//!
//! It keeps fjall's rules of writing and recovery (version 3.1), which decide what a power cut or
//! rot does to it: groups stand one after another in a file filled up with zeros, each begins
//! with the number of its items and ends with a checksum; a buffer writes them out 8 KiB at a
//! time. Recovery takes what does not parse for the unfinished tail and cuts it off without a
//! word, wherever it stands. Where all parses and a checksum or a count is wrong, it refuses, but for
//! the last group: the store cuts such a one off before fjall looks (`store/disk/tail.rs`).
//!
//! The store also refuses what does not parse if another commit follows. Here that stays as nasty as
//! fjall alone: only then does it fall to the vault to notice that something durable is gone.
//! There are no tables beside it: everything is read back from this one file.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::RangeInclusive;

use graphshell_sync::ports::StoreError;
use graphshell_sync::store::medium::{Change, Journal, MAX_VALUE_BYTES};

use super::super::choice::Choice;
use super::{FileId, SimDisk};

/// To what length a new file is filled up.
const PREALLOCATED_BYTES: u64 = 64 * 1024 * 1024;
/// What the buffer holds before it writes.
const BUFFER_BYTES: usize = 8 * 1024;
/// How the end of a group ends.
const TRAILER: [u8; 4] = *b"SIMJ";

const START: u8 = 1;
/// A start tag with the count of items and the group's number.
const START_BYTES: usize = 13;
const ITEM: u8 = 2;
const END: u8 = 3;

/// One group of changes, as it stands in the file.
type Group = Vec<Change>;

/// An open log.
#[derive(Debug)]
pub(crate) struct SimJournal {
    disk: SimDisk,
    file: FileId,
    name: String,
    /// Where the next group goes.
    end: u64,
    groups: u64,
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// A commit failed: nobody knows what the file holds.
    poisoned: bool,
}

/// What recovery made of a file.
struct Recovered {
    groups: Vec<Group>,
    /// Where the last whole group ends.
    end: usize,
}

impl Recovered {
    /// Whether a group stands behind the one that comes next.
    fn is_followed(&self, bytes: &[u8]) -> bool {
        let number = (self.groups.len() as u64 + 1).to_le_bytes();
        let begins = |head: &[u8]| head[0] == START && head[START_BYTES - number.len()..] == number;
        bytes[self.end..].windows(START_BYTES).any(begins)
    }
}

impl SimJournal {
    /// Opens the log of this name, or begins one.
    pub(super) fn open(disk: &SimDisk, name: &str) -> Result<Self, StoreError> {
        let failed = |error| StoreError::Failed(format!("{name}: {error}"));
        let existed = disk.find(name).map_err(failed)?.is_some();
        let file = disk.open(name).map_err(failed)?;
        let mut journal = SimJournal {
            disk: disk.clone(),
            file,
            name: name.to_owned(),
            end: 0,
            groups: 0,
            pairs: BTreeMap::new(),
            poisoned: false,
        };
        if !existed {
            disk.set_length(file, PREALLOCATED_BYTES).map_err(failed)?;
            disk.sync(file).map_err(failed)?;
            disk.sync_names().map_err(failed)?;
            return Ok(journal);
        }
        let bytes = journal.read_to_zeros().map_err(failed)?;
        let Recovered { groups, end } =
            recover(&bytes).map_err(|what| StoreError::Damaged(format!("{name}: {what}")))?;
        journal.groups = groups.len() as u64;
        groups.into_iter().for_each(|group| journal.apply(group));
        journal.end = end as u64;
        // Also after an undisturbed end: behind it lie the zeros that the file was filled up with.
        if disk.length(file).map_err(failed)? != journal.end {
            disk.set_length(file, journal.end).map_err(failed)?;
        }
        disk.sync(file).map_err(failed)?;
        Ok(journal)
    }

    /// The file up to where only zeros follow.
    fn read_to_zeros(&self) -> std::io::Result<Vec<u8>> {
        let length = self.disk.length(self.file)?;
        let mut bytes = vec![0; self.disk.filled(self.file)?.min(length) as usize];
        self.disk.read(self.file, 0, &mut bytes)?;
        if (bytes.len() as u64) < length {
            // One zero stands for all: no tag is zero.
            bytes.push(0);
        }
        Ok(bytes)
    }

    fn apply(&mut self, group: Group) {
        for change in group {
            match change {
                Change::Put(key, value) => _ = self.pairs.insert(key, value),
                Change::Remove(key) => _ = self.pairs.remove(&key),
            }
        }
    }

    fn write(&self, group: &Group) -> std::io::Result<u64> {
        let mut at = self.end;
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        for part in encode(self.groups, group) {
            if buffer.len() + part.len() > BUFFER_BYTES {
                self.disk.write(self.file, at, &buffer)?;
                at += buffer.len() as u64;
                buffer.clear();
            }
            buffer.extend_from_slice(&part);
        }
        self.disk.write(self.file, at, &buffer)?;
        self.disk.sync(self.file)?;
        Ok(at + buffer.len() as u64)
    }

    /// [`commit`](Journal::commit) of values of any length.
    pub(super) fn commit_any(&mut self, changes: Group) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| {
            let what = format!("{}: {error}", self.name);
            match error.kind() {
                ErrorKind::StorageFull => StoreError::Refused(what),
                _ => StoreError::Failed(what),
            }
        };
        if self.poisoned {
            let what = "a commit failed before; open it again";
            return Err(StoreError::Failed(format!("{}: {what}", self.name)));
        }
        let length = encode(self.groups, &changes).iter().map(Vec::len).sum();
        if !self.disk.has_room(self.file, self.end, length).map_err(failed)? {
            return Err(failed(ErrorKind::StorageFull.into()));
        }
        match self.write(&changes) {
            Ok(end) => {
                self.end = end;
                self.groups += 1;
                self.apply(changes);
                Ok(())
            }
            Err(error) => {
                self.poisoned = true;
                Err(StoreError::Failed(format!("{}: {error}", self.name)))
            }
        }
    }
}

impl Journal for SimJournal {
    fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        let longest = changes.iter().map(|change| match change {
            Change::Put(_, value) => value.len(),
            Change::Remove(_) => 0,
        });
        if let Some(length) = longest.max().filter(|&length| length > MAX_VALUE_BYTES) {
            return Err(StoreError::Refused(format!(
                "{}: a value of {length} bytes, expected at most {MAX_VALUE_BYTES}",
                self.name
            )));
        }
        self.disk.give(&changes);
        self.commit_any(changes)
    }

    fn range(
        &self,
        keys: RangeInclusive<Vec<u8>>,
    ) -> Box<dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + '_> {
        if keys.start() > keys.end() {
            return Box::new(std::iter::empty());
        }
        // The pairs are in memory; fjall would read a table's blocks now, which may fail.
        if let Err(error) = self.disk.read(self.file, 0, &mut []) {
            let failed = StoreError::Failed(format!("{}: {error}", self.name));
            return Box::new(std::iter::once(Err(failed)));
        }
        let pairs = self.pairs.range::<Vec<u8>, _>(keys);
        Box::new(pairs.map(|(key, value)| Ok((key.clone(), value.clone()))))
    }
}

/// A group in the pieces that the buffer is given.
fn encode(number: u64, group: &Group) -> Vec<Vec<u8>> {
    let mut start = vec![START];
    start.extend_from_slice(&(group.len() as u32).to_le_bytes());
    start.extend_from_slice(&number.to_le_bytes());
    let mut hasher = blake3::Hasher::new();
    let mut parts = vec![start];
    for change in group {
        let (removes, key, value) = match change {
            Change::Put(key, value) => (0, key, &value[..]),
            Change::Remove(key) => (1, key, &[][..]),
        };
        let mut item = vec![ITEM, removes];
        item.extend_from_slice(&(key.len() as u16).to_le_bytes());
        item.extend_from_slice(&(value.len() as u32).to_le_bytes());
        item.extend_from_slice(key);
        item.extend_from_slice(value);
        hasher.update(&item);
        parts.push(item);
    }
    let mut end = vec![END];
    end.extend_from_slice(&hasher.finalize().as_bytes()[..8]);
    end.extend_from_slice(&TRAILER);
    parts.push(end);
    parts
}

/// What stands in a file, up to where it does not parse, or to a last group that is not whole. The error
/// says why it is refused.
fn recover(bytes: &[u8]) -> Result<Recovered, &'static str> {
    let mut recovered = Recovered { groups: Vec::new(), end: 0 };
    match parse(bytes, &mut recovered) {
        Err(flaw) if recovered.is_followed(bytes) => Err(flaw),
        Err(_) | Ok(()) => Ok(recovered),
    }
}

/// Reads whole groups as long as there are some. The error says what is wrong with the one after them.
fn parse(bytes: &[u8], recovered: &mut Recovered) -> Result<(), &'static str> {
    let mut reader = Reader { bytes, at: 0 };
    let mut open: Option<(u32, Group, blake3::Hasher)> = None;
    while let Some(tag) = reader.byte() {
        match (tag, &mut open) {
            (START, None) => {
                let Some(head) = reader.take(START_BYTES - 1) else { break };
                let count = u32::from_le_bytes(head[..4].try_into().expect("4 of 12 bytes"));
                open = Some((count, Vec::new(), blake3::Hasher::new()));
            }
            (ITEM, Some((left, group, hasher))) => {
                let from = reader.at - 1;
                let Some(change) = reader.item() else { break };
                hasher.update(&bytes[from..reader.at]);
                *left = left.checked_sub(1).ok_or("a group has more items than it says")?;
                group.push(change);
            }
            (END, Some((left, group, hasher))) => {
                let Some(sum) = reader.take(8) else { break };
                if reader.take(4) != Some(&TRAILER) {
                    break;
                }
                if *left > 0 {
                    return Err("a group has fewer items than it says");
                }
                if hasher.finalize().as_bytes()[..8] != *sum {
                    return Err("the checksum of a group does not fit");
                }
                recovered.groups.push(std::mem::take(group));
                recovered.end = reader.at;
                open = None;
            }
            _ => break,
        }
    }
    Ok(())
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn item(&mut self) -> Option<Change> {
        let removes = self.byte()?;
        let key = u16::from_le_bytes(self.take(2)?.try_into().ok()?);
        let value = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
        let key = self.take(usize::from(key))?.to_vec();
        let value = self.take(usize::try_from(value).ok()?)?.to_vec();
        match removes {
            0 => Some(Change::Put(key, value)),
            1 if value.is_empty() => Some(Change::Remove(key)),
            _ => None,
        }
    }
}

/// The file with two of its values in each other's place and every checksum right; `None` if it
/// has no two.
pub(crate) fn with_two_swapped(choice: Choice, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut groups = recover(bytes).ok()?.groups;
    let mut places = Vec::new();
    for (group, changes) in groups.iter().enumerate() {
        for (item, change) in changes.iter().enumerate() {
            if matches!(change, Change::Put(..)) {
                places.push((group, item));
            }
        }
    }
    let one = choice.below(0, places.len() as u64) as usize;
    let other = choice.below(1, (places.len() as u64).saturating_sub(1)) as usize;
    let other = (one + 1 + other) % places.len().max(1);
    let value = |at: (usize, usize)| match &groups[at.0][at.1] {
        Change::Put(_, value) => value.clone(),
        Change::Remove(_) => unreachable!("only values were listed"),
    };
    let (one, other) = (*places.get(one)?, *places.get(other)?);
    let (first, second) = (value(one), value(other));
    if first == second {
        return None;
    }
    for (at, new) in [(one, second), (other, first)] {
        if let Change::Put(_, value) = &mut groups[at.0][at.1] {
            *value = new;
        }
    }
    Some(written(&groups))
}

/// The file without one of its groups, and no other trace of that; `None` if it has none.
pub(crate) fn without_a_group(choice: Choice, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut groups = recover(bytes).ok()?.groups;
    let last = groups.len().checked_sub(1)?;
    let gone = if choice.chance(0, 500) { last } else { choice.below(1, last as u64) as usize };
    groups.remove(gone);
    Some(written(&groups))
}

/// The file without so many of its last groups, and how many that are; one group stays. `None` if there
/// is no other.
pub(crate) fn without_last(count: usize, bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut groups = recover(bytes).ok()?.groups;
    let gone = count.min(groups.len().checked_sub(1)?);
    groups.truncate(groups.len() - gone);
    (gone > 0).then(|| (written(&groups), gone))
}

fn written(groups: &[Group]) -> Vec<u8> {
    let parts = groups.iter().enumerate().flat_map(|(nth, group)| encode(nth as u64, group));
    parts.collect::<Vec<_>>().concat()
}
