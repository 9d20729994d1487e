//! What there is while a vault is open, and how the database is made to follow the log.

use super::guard::Trouble;
use super::log::Log;
use super::rows::{Rows, Touched};
use super::seal::Sealer;
use super::state::{Found, State};
use super::stored::Footing;
use crate::graph::{ConflictKind, Subject};
use crate::limits::REPLAY_RECORDS;
use crate::ports::{Entropy, StoreError};
use crate::record::{Record, Snapshot};
use crate::store::medium::{Journal, Medium, Part};

pub(super) struct Inside<J> {
    pub(super) sealer: Sealer,
    pub(super) log: Log<J>,
    pub(super) state: State,
    /// What the database's rows are, or would be if the log had lost nothing.
    pub(super) rows: Rows,
    /// The watermark, if the log lost what it once reached.
    pub(super) lost: Option<u64>,
}

impl<J: Journal> Inside<J> {
    /// Lets the database follow the log, unless the log lost what the database remembers. Returns
    /// the snapshot that was found, if it is of use.
    ///
    /// Whoever opens the log relies on all of it; so all of it lies below the watermark before
    /// this returns.
    pub(super) fn catch_up(
        &mut self,
        medium: &mut impl Medium,
        entropy: &dyn Entropy,
        found: Option<Found>,
        base: Option<&(Snapshot, Footing)>,
    ) -> Result<Option<Snapshot>, StoreError> {
        let (remembered, log) = (self.state.watermark(), self.log.mark());
        let Some(found) = found else {
            self.rebuild(medium, entropy, base)?;
            return Ok(None);
        };
        // A disk that lied may also have taken a base away that was put under the log.
        let intact = remembered.end <= log.end
            && remembered.generation <= log.generation
            && self.log.passed(remembered.end, remembered.tail);
        if !intact {
            self.lost = Some(remembered.end.max(log.end + 1));
            self.rows = self.derive(base)?;
            // Where the log went on elsewhere, a snapshot within it may be of the other history.
            return Ok(found.snapshot.filter(|snapshot| snapshot.position > log.end));
        }
        if remembered.generation < log.generation {
            self.rebuild(medium, entropy, base)?;
            return Ok(None);
        }
        self.rows = found.rows;
        if remembered.end < log.end {
            let mut touched = Touched::default();
            let mut rows = std::mem::take(&mut self.rows);
            self.replay(remembered.end, |records| rows.apply(records, &mut touched))?;
            self.rows = rows;
            let advanced = self.state.advance(&self.sealer, entropy, log, &self.rows, &touched);
            advanced.map_err(|trouble| trouble.of(medium))?;
        }
        Ok(found.snapshot)
    }

    /// Lets the database follow records that the log has taken.
    pub(super) fn follow(
        &mut self,
        entropy: &dyn Entropy,
        records: &[Record],
    ) -> Result<(), Trouble> {
        let mut touched = Touched::default();
        self.rows.apply(records, &mut touched);
        self.state.advance(&self.sealer, entropy, self.log.mark(), &self.rows, &touched)
    }

    /// Makes the database from the log alone.
    fn rebuild(
        &mut self,
        medium: &mut impl Medium,
        entropy: &dyn Entropy,
        base: Option<&(Snapshot, Footing)>,
    ) -> Result<(), StoreError> {
        self.rows = self.derive(base)?;
        let conflicts = base.map_or(&[][..], |(snapshot, _)| &snapshot.conflicts);
        self.reset(medium, entropy, conflicts)
    }

    /// Makes the database what follows from log and rows. If there is none, whatever cuts this short
    /// leaves none or a whole one.
    pub(super) fn reset(
        &mut self,
        medium: &mut impl Medium,
        entropy: &dyn Entropy,
        conflicts: &[(ConflictKind, Subject)],
    ) -> Result<(), StoreError> {
        let begins = !self.state.is_open();
        if begins {
            let begun = State::open(medium.begin_state()?, &mut self.sealer);
            (self.state, _) = begun.map_err(|trouble| trouble.of(medium))?;
        }
        let reset = self.state.reset(&self.sealer, entropy, self.log.mark(), &self.rows, conflicts);
        reset.map_err(|trouble| trouble.of(medium))?;
        if begins {
            self.state.close();
            medium.adopt_state()?;
            let adopted = medium.state()?.map(|file| State::open(file, &mut self.sealer));
            let gone = || StoreError::Failed(format!("{}: is gone", medium.name_of(Part::State)));
            (self.state, _) = adopted.ok_or_else(gone)?.map_err(|trouble| trouble.of(medium))?;
        }
        Ok(())
    }

    /// The rows that follow from the log alone.
    fn derive(&mut self, base: Option<&(Snapshot, Footing)>) -> Result<Rows, StoreError> {
        let from = base.map_or(0, |(snapshot, _)| snapshot.position);
        let mut rows = base.map_or(Rows::default(), |(snapshot, footing)| {
            Rows::new(&snapshot.vector, &footing.peers)
        });
        self.replay(from, |records| rows.apply(records, &mut Touched::default()))?;
        Ok(rows)
    }

    /// Shows the records from `from` on, in order.
    fn replay(&mut self, from: u64, mut show: impl FnMut(&[Record])) -> Result<(), StoreError> {
        let end = self.log.mark().end;
        // In steps: how far the log goes is not authenticated before its blocks are opened.
        for first in (from..end).step_by(REPLAY_RECORDS as usize) {
            let last = end.min(first.saturating_add(REPLAY_RECORDS));
            let some: Vec<u64> = (first..last).collect();
            show(&self.log.load(&mut self.sealer, &some)?);
        }
        Ok(())
    }
}
