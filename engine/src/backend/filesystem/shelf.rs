//! The batches that one publisher has put into its folder, and what is known of each file.
//!
//! A batch file never changes once it holds something, so what it covers is remembered. Files
//! without a readable batch are tried again whenever the folder is listed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::batch_file::{self, Damage};
use super::disk;
use crate::batch::{AuthorRow, Batch};
use crate::id::{PeerId, WorkspaceId};
use crate::limits::MAX_INDEXED_RANGES;
use crate::ports::CallError;
use crate::vector::VersionVector;
use crate::wire::Exclusion;

/// The files of one `log_entries` folder.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    workspace: WorkspaceId,
    files: BTreeMap<u64, File>,
    /// How many ranges `files` remembers.
    ranges: usize,
    covered: CoveredPrefix,
}

/// What is known of one file.
#[derive(Debug)]
enum File {
    Unread,
    Holds(Coverage),
    /// Claimed by a writer that has not filled it yet, or gone since it was listed.
    Empty,
    Damaged(Damage),
}

/// The authors of one batch, without their hashes.
type Coverage = Arc<[Range]>;

/// An author's part of a batch: entries `base + 1 ..= last`, which need what is up to `base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    peer: PeerId,
    base: u64,
    last: u64,
}

/// Files before number `end` hold nothing readable that a reader lacks who has `vector`; the next
/// listing forgets it, as it tries unreadable ones again.
#[derive(Debug, Default)]
struct CoveredPrefix {
    end: u64,
    vector: VersionVector,
}

impl Shelf {
    pub(super) fn new(folder: PathBuf, workspace: WorkspaceId) -> Self {
        let (files, covered) = Default::default();
        Shelf { folder, workspace, files, ranges: 0, covered }
    }

    /// Looks which files there are now.
    pub(super) fn list(&mut self) -> Result<(), CallError> {
        let mut before = std::mem::take(&mut self.files);
        (self.ranges, self.covered) = Default::default();
        for number in disk::list(&self.folder, parse_name)? {
            let file = match before.remove(&number) {
                Some(File::Holds(coverage)) => {
                    self.ranges += coverage.len();
                    File::Holds(coverage)
                }
                _ => File::Unread,
            };
            self.files.insert(number, file);
        }
        Ok(())
    }

    /// The first batch, in the order of the files, that a reader with `have` can apply at once
    /// and that brings it something.
    pub(super) fn first_ready(&mut self, have: &VersionVector, not: &[Exclusion]) -> Option<Batch> {
        loop {
            let (number, batch) = self.find_ready(have, not)?;
            if let Some(batch) = batch.or_else(|| self.load(number)) {
                return Some(batch);
            }
            // What was readable is no more, and marked so.
        }
    }

    /// Whether [`first_ready`](Self::first_ready) would find a batch.
    pub(super) fn has_ready(&mut self, have: &VersionVector, not: &[Exclusion]) -> bool {
        self.find_ready(have, not).is_some()
    }

    /// The number of a file that is ready, with its batch if it was read now.
    fn find_ready(
        &mut self,
        have: &VersionVector,
        not: &[Exclusion],
    ) -> Option<(u64, Option<Batch>)> {
        if !have.covers(&self.covered.vector) {
            self.covered = CoveredPrefix::default();
        }
        let mut next = self.covered.end;
        let mut all_covered = true;
        while let Some((&number, _)) = self.files.range(next..).next() {
            next = number + 1;
            let Some((coverage, batch)) = self.coverage(number) else { continue };
            if coverage.iter().all(|range| range.last <= have.get(range.peer)) {
                if all_covered {
                    self.covered.end = next;
                    for range in &*coverage {
                        self.covered.vector.raise(range.peer, range.last);
                    }
                }
                continue;
            }
            all_covered = false;
            let ready = coverage.iter().all(|range| range.base <= have.get(range.peer));
            if ready && !coverage.iter().any(|range| range.is_excluded(not)) {
                return Some((number, batch));
            }
        }
        None
    }

    /// Whether readable files hold all entries of `batch`.
    pub(super) fn holds(&mut self, batch: &Batch) -> bool {
        let rows = batch.authors();
        let mut held: Vec<(usize, Range)> = Vec::new();
        let mut next = 0;
        while let Some((&number, _)) = self.files.range(next..).next() {
            next = number + 1;
            let coverage = self.coverage(number).map(|(coverage, _)| coverage);
            held.extend(coverage.iter().flat_map(|ranges| &**ranges).filter_map(|&range| {
                let row = rows.binary_search_by_key(&range.peer, |row| row.peer).ok()?;
                Some((row, range))
            }));
        }
        held.sort_unstable_by_key(|&(_, range)| range.base);
        let mut reached: Vec<u64> = rows.iter().map(|row| row.base).collect();
        for (row, range) in held {
            if range.base <= reached[row] {
                reached[row] = range.last.max(reached[row]);
            }
        }
        rows.iter().zip(reached).all(|(row, reached)| row.last() <= reached)
    }

    /// Names for new files, from the first after all that were listed.
    pub(super) fn free_names(&self) -> impl Iterator<Item = String> + use<> {
        let next = self.files.last_key_value().map_or(0, |(&number, _)| number.saturating_add(1));
        (next..).map(name)
    }

    /// The files that hold something other than a batch of this workspace.
    pub(super) fn damaged(&self) -> impl Iterator<Item = (PathBuf, &Damage)> {
        self.files.iter().filter_map(|(&number, file)| match file {
            File::Damaged(damage) => Some((self.folder.join(name(number)), damage)),
            _ => None,
        })
    }

    /// What a file covers, with its batch if it had to be read for that.
    fn coverage(&mut self, number: u64) -> Option<(Coverage, Option<Batch>)> {
        match self.files.get(&number)? {
            File::Holds(coverage) => Some((coverage.clone(), None)),
            File::Empty | File::Damaged(_) => None,
            File::Unread => {
                let batch = self.load(number)?;
                Some((coverage_of(&batch), Some(batch)))
            }
        }
    }

    /// Reads a file and remembers what it covers, as far as there is room for that.
    fn load(&mut self, number: u64) -> Option<Batch> {
        let read = batch_file::read(&self.folder.join(name(number)), self.workspace);
        let (file, batch) = match read {
            Ok(None) => (File::Empty, None),
            Err(damage) => (File::Damaged(damage), None),
            Ok(Some(batch)) if self.ranges + batch.authors().len() <= MAX_INDEXED_RANGES => {
                (File::Holds(coverage_of(&batch)), Some(batch))
            }
            Ok(Some(batch)) => (File::Unread, Some(batch)),
        };
        if let File::Holds(coverage) = &file {
            self.ranges += coverage.len();
        }
        if let Some(File::Holds(before)) = self.files.insert(number, file) {
            self.ranges -= before.len();
        }
        batch
    }
}

impl Range {
    /// Whether it holds, or relies on, entries past where an excluded author's branches part.
    fn is_excluded(&self, not: &[Exclusion]) -> bool {
        not.iter().any(|excluded| excluded.peer == self.peer && excluded.common < self.last)
    }
}

fn coverage_of(batch: &Batch) -> Coverage {
    let range = |row: &AuthorRow| Range { peer: row.peer, base: row.base, last: row.last() };
    batch.authors().iter().map(range).collect()
}

fn name(number: u64) -> String {
    format!("{number:05}.batch")
}

fn parse_name(text: &str) -> Option<u64> {
    let number = text.strip_suffix(".batch")?.parse().ok()?;
    (number < u64::MAX && name(number) == text).then_some(number)
}
