//! The log: sealed blocks in a journal, found by an index in memory.

use std::collections::VecDeque;

use super::block;
use super::pieces::{self, Kind, Place};
use super::seal::{Name, SealError, Sealer, Tag};
use super::stored::{self, Footing};
use crate::limits::SNAPSHOT_CHUNK_BYTES;
use crate::ports::{Entropy, StoreError};
use crate::record::{Record, Snapshot};
use crate::store::medium::Journal;

/// Blocks that are kept open for whoever reads records one by one.
const OPEN_BLOCKS: usize = 4;

pub(super) struct Log<J> {
    journal: J,
    /// What to call the journal in messages.
    file: String,
    /// All blocks, ascending, without a gap.
    blocks: Vec<Entry>,
    /// Chunks of the base, with the number of pieces of each.
    base: Vec<(Place, u16)>,
    generation: u32,
    /// The position of the base; 0 without one.
    position: u64,
    first: u64,
    /// The tag that the first block names as the one before it.
    before: Tag,
    open: VecDeque<(u64, Vec<Record>)>,
}

/// A block, found without opening it.
struct Entry {
    first: u64,
    records: u32,
    pieces: u16,
    tag: Tag,
}

impl Entry {
    fn end(&self) -> u64 {
        self.first + u64::from(self.records)
    }

    fn place(&self) -> Place {
        Place { kind: Kind::Block, at: self.first }
    }
}

/// How far a log has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The position after the last record.
    pub(super) end: u64,
    /// The tag of the last block.
    pub(super) tail: Tag,
    /// Counts the bases that were ever put under it.
    pub(super) generation: u32,
}

impl<J: Journal> Log<J> {
    /// Finds every block, opens none.
    pub(super) fn scan(journal: J, file: String) -> Result<Self, StoreError> {
        let mut log = Log {
            journal,
            file,
            blocks: Vec::new(),
            base: Vec::new(),
            generation: 0,
            position: 0,
            first: 0,
            before: Tag::default(),
            open: VecDeque::new(),
        };
        let (blocks, file) = (&mut log.blocks, &log.file);
        pieces::each(&log.journal, file, Kind::Block, 0..=u64::MAX, |whole| {
            let place = format_args!("{file}: {}", Place { kind: Kind::Block, at: whole.at });
            let expected = blocks.last().map_or(whole.at, Entry::end);
            if whole.at != expected {
                return Err(StoreError::Damaged(format!(
                    "{file}: expected records from position {expected}, found {} next",
                    whole.at
                )));
            }
            if whole.of == 0 || whole.at.checked_add(u64::from(whole.of)).is_none() {
                return Err(SealError::Malformed("a count of records").at(place));
            }
            let tag = whole.check_format().and_then(|()| whole.tag());
            let tag = tag.map_err(|error| error.at(place))?;
            blocks.push(Entry { first: whole.at, records: whole.of, pieces: whole.pieces, tag });
            Ok(())
        })?;
        let base = &mut log.base;
        pieces::each(&log.journal, file, Kind::Base, 0..=u64::MAX, |whole| {
            let place = Place { kind: Kind::Base, at: whole.at };
            whole.check_format().map_err(|error| error.at(format_args!("{file}: {place}")))?;
            base.push((place, whole.pieces));
            Ok(())
        })?;
        Ok(log)
    }

    /// Whether nothing was ever written.
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.base.is_empty()
    }

    /// Opens the base, if there is one, and checks that the blocks stand on it.
    pub(super) fn open_base(
        &mut self,
        sealer: &mut Sealer,
    ) -> Result<Option<(Snapshot, Footing)>, StoreError> {
        let base = self.read_base(sealer)?;
        if let Some((snapshot, footing)) = &base {
            (self.position, self.first, self.before) =
                (snapshot.position, footing.first, footing.before);
        }
        let start = self.blocks.first().map_or(self.position, |block| block.first);
        if start > self.first || self.end() < self.position || self.end() < self.first {
            return Err(StoreError::Damaged(format!(
                "{}: expected records from position {} to {}, found {start} to {}",
                self.file,
                self.first,
                self.position,
                self.end()
            )));
        }
        Ok(base)
    }

    fn read_base(
        &mut self,
        sealer: &mut Sealer,
    ) -> Result<Option<(Snapshot, Footing)>, StoreError> {
        let Some(&(place, _)) = self.base.first() else { return Ok(None) };
        let file = &self.file;
        let damaged = |what: String| StoreError::Damaged(format!("{file}: {what}"));
        self.generation = (place.at >> 32) as u32;
        let generation = self.generation;
        let mut plain = rkyv::util::AlignedVec::new();
        let mut next = 0;
        let mut expected = None;
        pieces::each(&self.journal, file, Kind::Base, 0..=u64::MAX, |whole| {
            let place = Place { kind: Kind::Base, at: whole.at };
            let chunks = *expected.get_or_insert(whole.of);
            if place.at != chunk_place(generation, next).at || whole.of != chunks {
                return Err(damaged(format!(
                    "expected {}, found {place}",
                    chunk_place(generation, next)
                )));
            }
            let name = Name::Base { generation, chunk: next, chunks };
            let chunk = sealer.unpack(name, whole.sealed, SNAPSHOT_CHUNK_BYTES);
            plain.extend_from_slice(
                &chunk.map_err(|error| error.at(format_args!("{file}: {place}")))?,
            );
            next += 1;
            Ok(())
        })?;
        if expected != Some(next) {
            return Err(damaged(format!("expected {}", chunk_place(generation, next))));
        }
        let decoded = stored::decode(&plain);
        decoded.map(Some).ok_or_else(|| damaged(format!("base {generation}: expected a snapshot")))
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn end(&self) -> u64 {
        self.blocks.last().map_or(self.position, Entry::end)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { end: self.end(), tail: self.tail(), generation: self.generation }
    }

    fn tail(&self) -> Tag {
        self.blocks.last().map_or(self.before, |block| block.tag)
    }

    /// Whether the log, when it ended at `end`, ended in the block with this tag, as far as it
    /// still knows.
    pub(super) fn passed(&self, end: u64, tag: Tag) -> bool {
        let start = self.blocks.first().map_or(self.end(), |block| block.first);
        if end <= start {
            return end < start || tag == self.before;
        }
        let block = self.blocks.binary_search_by_key(&end, Entry::end);
        block.is_ok_and(|block| self.blocks[block].tag == tag)
    }

    /// Appends records as one commit.
    pub(super) fn append(
        &mut self,
        sealer: &mut Sealer,
        entropy: &dyn Entropy,
        records: &[Record],
    ) -> Result<(), StoreError> {
        let mut changes = Vec::new();
        let mut entries = Vec::new();
        let (mut first, mut previous) = (self.end(), self.tail());
        for group in block::cut(records) {
            let count = group.len() as u32;
            let sealed = block::seal(sealer, entropy, first, previous, group)?;
            let tag = super::seal::tag_of(&sealed).expect("a sealed value ends in its tag");
            let place = Place { kind: Kind::Block, at: first };
            let pieces = pieces::put(place, count, &sealed, &mut changes);
            entries.push(Entry { first, records: count, pieces, tag });
            (first, previous) = (first + u64::from(count), tag);
        }
        self.journal.commit(changes)?;
        self.blocks.extend(entries);
        Ok(())
    }

    /// Puts a base under the log and drops the blocks that hold nothing from `first` on, as one
    /// commit.
    pub(super) fn rebase(
        &mut self,
        sealer: &mut Sealer,
        entropy: &dyn Entropy,
        base: &Snapshot,
        first: u64,
        peers: Vec<(crate::id::DeviceId, crate::access::Access)>,
    ) -> Result<(), StoreError> {
        let dropped = self.blocks.partition_point(|block| block.end() <= first);
        let before = match dropped {
            0 => self.before,
            dropped => self.blocks[dropped - 1].tag,
        };
        let generation = self.generation + 1;
        let plain = stored::encode(base, &Footing { first, before, peers });
        let chunks = plain.len().div_ceil(SNAPSHOT_CHUNK_BYTES) as u32;
        let (mut changes, mut places) = (Vec::new(), Vec::new());
        for (chunk, plain) in (0..).zip(plain.chunks(SNAPSHOT_CHUNK_BYTES)) {
            let sealed = sealer.pack(entropy, Name::Base { generation, chunk, chunks }, plain)?;
            let place = chunk_place(generation, chunk);
            places.push((place, pieces::put(place, chunks, &sealed, &mut changes)));
        }
        self.base.iter().for_each(|&(place, count)| pieces::remove(place, count, &mut changes));
        for block in &self.blocks[..dropped] {
            pieces::remove(block.place(), block.pieces, &mut changes);
        }
        self.journal.commit(changes)?;
        self.blocks.drain(..dropped);
        self.open.clear();
        (self.base, self.generation) = (places, generation);
        (self.position, self.first, self.before) = (base.position, first, before);
        Ok(())
    }

    /// The records at these positions, in the given order.
    pub(super) fn load(
        &mut self,
        sealer: &mut Sealer,
        positions: &[u64],
    ) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::with_capacity(positions.len());
        let mut rest = positions;
        while let Some(&position) = rest.first() {
            let block = self.block_of(position)?;
            if let Some((first, open)) =
                self.open.iter().find(|(first, _)| *first == self.blocks[block].first)
            {
                records.push(open[(position - first) as usize].clone());
                rest = &rest[1..];
                continue;
            }
            // Neighbouring blocks are read in one go.
            let mut last = block;
            for &position in rest {
                match self.block_of(position)? {
                    block if block == last || block == last + 1 => last = block,
                    _ => break,
                }
            }
            let taken = self.load_run(sealer, block..=last, rest, &mut records)?;
            rest = &rest[taken..];
        }
        Ok(records)
    }

    /// Opens these blocks in order and takes from each the positions that come next. Returns how
    /// many were taken.
    fn load_run(
        &mut self,
        sealer: &mut Sealer,
        run: std::ops::RangeInclusive<usize>,
        positions: &[u64],
        records: &mut Vec<Record>,
    ) -> Result<usize, StoreError> {
        let (blocks, file, open) = (&self.blocks, &self.file, &mut self.open);
        let range = blocks[*run.start()].first..=blocks[*run.end()].first;
        let mut index = *run.start();
        let mut taken = 0;
        pieces::each(&self.journal, file, Kind::Block, range, |whole| {
            let entry = &blocks[index];
            let place = format_args!("{file}: {}", entry.place());
            let changed = whole.at != entry.first || whole.tag() != Ok(entry.tag);
            if changed {
                return Err(SealError::Broken.at(place));
            }
            let opened = block::open(sealer, entry.first, whole.of, whole.sealed);
            let (previous, opened) = opened.map_err(|error| error.at(place))?;
            let before = index.checked_sub(1).map_or(self.before, |before| blocks[before].tag);
            if previous != before {
                return Err(StoreError::Damaged(format!(
                    "{place}: expected to follow the block that stands before it, but it was \
                     written after another one"
                )));
            }
            let here = |position: &&u64| (entry.first..entry.end()).contains(*position);
            for position in positions[taken..].iter().take_while(here) {
                records.push(opened[(position - entry.first) as usize].clone());
                taken += 1;
            }
            index += 1;
            open.truncate(OPEN_BLOCKS - 1);
            open.push_front((entry.first, opened));
            Ok(())
        })?;
        if index <= *run.end() {
            let place = blocks[index].place();
            return Err(StoreError::Damaged(format!("{file}: expected {place}, found nothing")));
        }
        Ok(taken)
    }

    fn block_of(&self, position: u64) -> Result<usize, StoreError> {
        if !(self.first..self.end()).contains(&position) {
            return Err(StoreError::Damaged(format!(
                "{}: no record at position {position}: the log holds {} to {}",
                self.file,
                self.first,
                self.end()
            )));
        }
        Ok(self.blocks.partition_point(|block| block.end() <= position))
    }
}

fn chunk_place(generation: u32, chunk: u32) -> Place {
    Place { kind: Kind::Base, at: u64::from(generation) << 32 | u64::from(chunk) }
}
