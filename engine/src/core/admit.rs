//! Admission: the single gate through which every foreign batch passes, one after the other.
//!
//! Here a batch meets the ledger: are its causes here, do its running hashes agree with ours
//! (redelivered entries included), is it canonical against each author's previous entry. Because
//! batches are admitted in the order in which they go to the log, no parallel round can slip past.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ledger::Ledger;
use crate::author::{AuthorIx, Authors};
use crate::batch::{AuthorRow, Batch, BatchBuilder};
use crate::hash::{Hash, LINK_BYTES};
use crate::limits::{MAX_AUTHORS, MAX_FOREIGN_AUTHORS, MAX_NAMES};
use crate::wire::Reject;

/// What the ledger says to a batch.
#[derive(Debug)]
pub(super) enum Admission {
    /// Entries that are new here, now in the ledger as admitted; no part of them is known.
    Fresh(Arc<Batch>),
    /// Every entry is known already, with the same content.
    Known,
    /// Some cause is missing.
    Early,
    /// It goes on with entries of the own author that are not known here; nothing was admitted.
    OwnAhead,
    /// An author's history here and in the batch part; nothing was admitted.
    Parted(Parting),
    /// The batch breaks a rule; nothing was admitted.
    Refused(Reject),
}

/// Two histories of one author.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parting {
    pub(super) author: AuthorIx,
    /// The histories differ at this sequence.
    pub(super) at: u64,
    /// Our and their running hash at `at`, if they agree just before it.
    pub(super) proof: Option<(Hash, Hash)>,
}

impl Ledger {
    /// Judges `batch`, and admits it if it is ready.
    ///
    /// `closed` tells the last sequence that is accepted of a quarantined author.
    pub(super) fn admit(
        &mut self,
        authors: &mut Authors,
        batch: Arc<Batch>,
        me: Option<AuthorIx>,
        closed: &BTreeMap<AuthorIx, u64>,
    ) -> Admission {
        // A cause of an unknown author is missing; nobody is noted down for such a batch.
        let unknown = |row: &&AuthorRow| authors.get(row.peer).is_none();
        if batch.authors().iter().filter(unknown).any(|row| row.base > 0) {
            return Admission::Early;
        }
        let names = batch.authors().iter().filter(unknown).count();
        let newcomer = |row: &&AuthorRow| {
            let known = authors.get(row.peer).map_or(0, |author| self.chain(author).admitted());
            row.count > 0 && known == 0
        };
        let newcomers = batch.authors().iter().filter(newcomer).count();
        // A replay takes what was taken, own names among it.
        let most = if me.is_some() { MAX_FOREIGN_AUTHORS } else { MAX_AUTHORS };
        if newcomers > 0 && self.population() + newcomers > most
            || names > 0 && authors.len() + names > MAX_NAMES
        {
            return Admission::Refused(Reject::TooManyAuthors);
        }
        let rows: Vec<AuthorIx> =
            batch.authors().iter().map(|row| self.intern(authors, row.peer)).collect();
        let mut early = false;
        for (row, &author) in batch.authors().iter().zip(&rows) {
            let chain = self.chain(author);
            match chain.hash_at(row.base) {
                None => early = true,
                Some(ours) if ours == row.hash => {}
                Some(_) => {
                    return Admission::Parted(Parting { author, at: row.base, proof: None });
                }
            }
            if closed.contains_key(&author) && row.last() > chain.admitted() {
                let common = closed[&author];
                return Admission::Refused(Reject::Fork { author: row.peer, common });
            }
        }
        if early {
            return Admission::Early;
        }
        match self.verify(&batch, &rows) {
            Err(refusal) => refusal,
            Ok(fresh) if fresh.hashes.is_empty() => Admission::Known,
            Ok(fresh) if fresh.hashes.iter().any(|&(author, _)| Some(author) == me) => {
                Admission::OwnAhead
            }
            Ok(fresh) => {
                let count = fresh.hashes.len();
                let batch = if count == batch.len() {
                    batch
                } else {
                    Arc::new(self.trim(authors, &batch, &rows))
                };
                for (author, hash) in fresh.hashes {
                    self.chain_mut(author).push(hash);
                }
                for ((author, seen), sequence) in fresh.seen {
                    self.chain_mut(author).raise_seen(seen, sequence);
                }
                Admission::Fresh(batch)
            }
        }
    }

    /// Walks the batch against the ledger without changing it.
    fn verify(&self, batch: &Batch, rows: &[AuthorIx]) -> Result<Fresh, Admission> {
        let mut running: Vec<Hash> = batch.authors().iter().map(|row| row.hash).collect();
        let mut fresh = Fresh { hashes: Vec::with_capacity(batch.len()), seen: BTreeMap::new() };
        let mut scratch = Vec::with_capacity(LINK_BYTES);
        for entry in batch.entries() {
            let row = usize::from(entry.author);
            let author = rows[row];
            let chain = self.chain(author);
            running[row] = batch.chain(&running[row], &entry, &mut scratch);
            if let Some(ours) = chain.hash_at(entry.sequence) {
                if ours != running[row] {
                    return Err(Admission::Parted(Parting {
                        author,
                        at: entry.sequence,
                        proof: Some((ours, running[row])),
                    }));
                }
                continue;
            }
            for &(seen_row, sequence) in entry.delta {
                let seen = rows[usize::from(seen_row)];
                let before = fresh.seen.insert((author, seen), sequence);
                if before.unwrap_or_else(|| chain.seen(seen)) >= sequence {
                    return Err(Admission::Refused(Reject::Malformed(format!(
                        "entry {} of {} repeats what its author had seen before",
                        entry.sequence,
                        batch.authors()[row].peer
                    ))));
                }
            }
            fresh.hashes.push((author, running[row]));
        }
        Ok(fresh)
    }

    /// The entries of `batch` that are not admitted, as a batch of their own.
    fn trim(&self, authors: &Authors, batch: &Batch, rows: &[AuthorIx]) -> Batch {
        let mut builder = BatchBuilder::default();
        let mut map = Vec::new();
        for entry in batch.entries() {
            if entry.sequence > self.chain(rows[usize::from(entry.author)]).admitted() {
                builder.copy(batch, &entry, &mut map);
            }
        }
        self.seal(authors, builder).expect("a fresh batch has a fresh entry")
    }

    /// Finishes a batch whose bases lie within what is admitted.
    pub(super) fn seal(&self, authors: &Authors, builder: BatchBuilder) -> Option<Batch> {
        builder.finish(self.workspace(), |peer, sequence| {
            authors
                .get(peer)
                .and_then(|author| self.chain(author).hash_at(sequence))
                .expect("what a batch relies on is admitted")
        })
    }
}

/// What a batch adds to the ledger.
struct Fresh {
    hashes: Vec<(AuthorIx, Hash)>,
    /// (author, seen author) to the highest sequence seen.
    seen: BTreeMap<(AuthorIx, AuthorIx), u64>,
}
