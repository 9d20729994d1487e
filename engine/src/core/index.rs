//! Which record of the log holds which entries, and which entries no record holds: those stand
//! only in what the log stands on.

use std::ops::Range;

use smallvec::SmallVec;

use crate::author::AuthorIx;
use crate::limits::{MAX_BATCH_BYTES, MAX_LOAD_RECORDS};

/// One author's entries in one record: first and last sequence.
pub(super) type Span = (AuthorIx, u64, u64);

/// The records with entries, in the log's order.
#[derive(Clone, Debug, Default)]
pub(super) struct LogIndex {
    records: Vec<IndexedRecord>,
    /// For each author its records' places in `records`, ascending, by first sequence.
    by_author: Vec<Vec<(u64, u32)>>,
    /// For each author the last entry that cannot be loaded; nor is any before it.
    floors: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct IndexedRecord {
    pub(super) position: u64,
    pub(super) spans: SmallVec<[Span; 1]>,
    /// What the record takes in memory, about.
    pub(super) bytes: usize,
}

impl LogIndex {
    pub(super) fn push(&mut self, position: u64, spans: SmallVec<[Span; 1]>, bytes: usize) {
        let place = self.records.len() as u32;
        for &(author, first, _) in &spans {
            if self.by_author.len() <= author.index() {
                self.by_author.resize_with(author.index() + 1, Vec::new);
            }
            self.by_author[author.index()].push((first, place));
        }
        self.records.push(IndexedRecord { position, spans, bytes });
    }

    /// The last entry of `author` that cannot be loaded; all after it that are durable can.
    pub(super) fn floor(&self, author: AuthorIx) -> u64 {
        self.floors.get(author.index()).copied().unwrap_or(0)
    }

    /// Entries of `author` up to `sequence` cannot be loaded.
    pub(super) fn raise_floor(&mut self, author: AuthorIx, sequence: u64) {
        if self.floors.len() <= author.index() {
            self.floors.resize(author.index() + 1, 0);
        }
        let floor = &mut self.floors[author.index()];
        *floor = sequence.max(*floor);
    }

    /// Forgets the records outside of `kept`, which the log does not hold (any more).
    pub(super) fn keep(&mut self, kept: Range<u64>) {
        let records = std::mem::take(&mut self.records);
        self.by_author.clear();
        for IndexedRecord { position, spans, bytes } in records {
            if kept.contains(&position) {
                self.push(position, spans, bytes);
            } else {
                spans.iter().for_each(|&(author, _, last)| self.raise_floor(author, last));
            }
        }
    }

    /// The position of the first record with an entry that comes after `had` of its author.
    pub(super) fn first_beyond(&self, had: impl Fn(AuthorIx) -> u64) -> Option<u64> {
        let beyond =
            |record: &&IndexedRecord| record.spans.iter().any(|&(by, _, last)| last > had(by));
        self.records.iter().find(beyond).map(|record| record.position)
    }

    pub(super) fn records(&self) -> &[IndexedRecord] {
        &self.records
    }

    /// Positions, from `from` on and in the log's order, of records that hold entries in the given
    /// ranges (author, first lacking, last wanted): enough for `entries` entries or
    /// for one batch's bytes, or all.
    pub(super) fn holding(&self, lacking: &[Span], entries: usize, from: u64) -> Vec<u64> {
        let start = lacking.iter().filter_map(|&(author, first, _)| {
            let places = self.by_author.get(author.index())?;
            let after = places.partition_point(|&(at, _)| at <= first);
            Some(places.get(after.checked_sub(1)?)?.1 as usize)
        });
        let Some(start) = start.min() else { return Vec::new() };
        let start = start.max(self.records.partition_point(|record| record.position < from));
        let mut positions = Vec::new();
        let (mut found, mut bytes) = (0u64, 0);
        for record in &self.records[start..] {
            let held: u64 = lacking
                .iter()
                .filter_map(|&(author, from, to)| {
                    let &(_, first, last) =
                        record.spans.iter().find(|&&(other, _, _)| other == author)?;
                    (last.min(to) + 1).checked_sub(first.max(from))
                })
                .sum();
            if held > 0 {
                positions.push(record.position);
                found += held;
                bytes += record.bytes;
            }
            let enough = found >= entries as u64 || bytes >= 2 * MAX_BATCH_BYTES;
            if enough || positions.len() == MAX_LOAD_RECORDS {
                break;
            }
        }
        positions
    }
}
