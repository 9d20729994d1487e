//! Who had seen what: the stamps of entries and the vectors that cover them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::author::{AuthorIx, Authors, LocalDot};
use crate::graph::Stamp;
use crate::id::PeerId;

/// Who wrote an entry, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryStamp {
    pub(crate) author: AuthorIx,
    pub(crate) sequence: u64,
    pub(crate) timestamp_ms: u64,
    pub(crate) genesis: bool,
}

impl EntryStamp {
    pub(super) fn dot(&self) -> LocalDot {
        LocalDot { author: self.author, sequence: self.sequence }
    }

    /// The order in which the last writer wins, the same on every peer.
    pub(super) fn key(&self, authors: &Authors) -> (u64, PeerId, u64) {
        (self.timestamp_ms, authors.peer(self.author), self.sequence)
    }

    /// The stamp as a reader sees it.
    pub(super) fn public(&self, authors: &Authors) -> Stamp {
        Stamp { timestamp_ms: self.timestamp_ms, dot: authors.dot(self.dot()) }
    }
}

/// Components of a version vector, ascending by author number, no zeros; shared by the records
/// of all entries that an author wrote without learning anything in between.
#[derive(Clone, Debug, Default)]
pub(super) struct Components(Option<Arc<[(AuthorIx, u64)]>>);

impl Components {
    pub(super) fn new(rows: Vec<(AuthorIx, u64)>) -> Self {
        debug_assert!(rows.is_sorted_by(|a, b| a.0 < b.0) && rows.iter().all(|row| row.1 > 0));
        Components((!rows.is_empty()).then(|| rows.into()))
    }

    pub(super) fn rows(&self) -> &[(AuthorIx, u64)] {
        self.0.as_deref().unwrap_or(&[])
    }

    pub(super) fn get(&self, author: AuthorIx) -> u64 {
        let rows = self.rows();
        rows.binary_search_by_key(&author, |row| row.0).map_or(0, |index| rows[index].1)
    }
}

/// A version vector: all that an entry's author had applied before it, or a join of such.
#[derive(Clone, Debug)]
pub(super) struct Past {
    /// The author whose component is kept apart, so that `others` can be shared.
    author: AuthorIx,
    own: u64,
    others: Components,
}

impl Past {
    /// The vector with these components, ascending by author number.
    pub(super) fn new(mut rows: Vec<(AuthorIx, u64)>) -> Self {
        let (author, own) = if rows.is_empty() { (AuthorIx(0), 0) } else { rows.remove(0) };
        Past { author, own, others: Components::new(rows) }
    }

    pub(super) fn get(&self, author: AuthorIx) -> u64 {
        if author == self.author { self.own } else { self.others.get(author) }
    }

    pub(super) fn covers(&self, dot: LocalDot) -> bool {
        dot.sequence <= self.get(dot.author)
    }

    /// The components, in no order that two peers share; no zeros.
    pub(super) fn rows(&self) -> impl Iterator<Item = (AuthorIx, u64)> {
        let own = (self.own > 0).then_some((self.author, self.own));
        own.into_iter().chain(self.others.rows().iter().copied())
    }

    /// Whether everything in this vector lies within `other`.
    pub(super) fn within(&self, other: &Past) -> bool {
        self.rows().all(|(author, sequence)| sequence <= other.get(author))
    }

    /// The least vector that covers both.
    pub(super) fn join(&mut self, later: Past) {
        if self.within(&later) {
            *self = later;
            return;
        }
        let mut joined: BTreeMap<AuthorIx, u64> = self.rows().collect();
        for (author, sequence) in later.rows() {
            let known = joined.entry(author).or_insert(0);
            *known = sequence.max(*known);
        }
        *self = Past::new(joined.into_iter().collect());
    }
}

/// One author: how far its entries are applied, and what it had seen before the last of them.
#[derive(Debug, Default)]
pub(super) struct Clock {
    applied: u64,
    /// By author number; the own component is that of the last entry: its sequence − 1.
    seen: Vec<u64>,
    /// `seen` without the own component; built when a record needs it.
    shared: Option<Components>,
}

impl Clock {
    /// Whether the author had seen `dot` before its last entry.
    pub(super) fn saw(&self, dot: LocalDot) -> bool {
        self.seen.get(dot.author.index()).is_some_and(|&sequence| dot.sequence <= sequence)
    }

    fn raise(&mut self, author: AuthorIx, sequence: u64) {
        if self.seen.len() <= author.index() {
            self.seen.resize(author.index() + 1, 0);
        }
        let known = &mut self.seen[author.index()];
        *known = sequence.max(*known);
    }
}

/// The clocks of all authors.
#[derive(Debug, Default)]
pub(super) struct Clocks(Vec<Clock>);

impl Clocks {
    /// Moves the author's clock to its next entry.
    pub(super) fn advance(
        &mut self,
        author: AuthorIx,
        sequence: u64,
        delta: &[(AuthorIx, u64)],
    ) -> &mut Clock {
        if self.0.len() <= author.index() {
            self.0.resize_with(author.index() + 1, Clock::default);
        }
        let clock = &mut self.0[author.index()];
        debug_assert_eq!(sequence, clock.applied + 1, "an author's entries have no gaps");
        clock.applied = sequence;
        clock.raise(author, sequence - 1);
        if !delta.is_empty() {
            clock.shared = None;
            for &(other, sequence) in delta {
                clock.raise(other, sequence);
            }
        }
        clock
    }

    /// The highest sequence applied of `author`; 0 if none.
    pub(super) fn applied(&self, author: AuthorIx) -> u64 {
        self.0.get(author.index()).map_or(0, |clock| clock.applied)
    }

    /// Whether the entry is applied.
    pub(super) fn covers(&self, dot: LocalDot) -> bool {
        dot.sequence <= self.applied(dot.author)
    }

    /// Moves every clock to where it is further.
    pub(super) fn join(&mut self, other: Clocks) {
        self.0.resize_with(self.0.len().max(other.0.len()), Clock::default);
        for (ours, theirs) in self.0.iter_mut().zip(other.0) {
            if theirs.applied > ours.applied {
                *ours = theirs;
            }
        }
    }

    /// What `author` had seen of others before its last entry.
    pub(super) fn others(&self, author: AuthorIx) -> impl Iterator<Item = (AuthorIx, u64)> {
        let seen = self.0.get(author.index()).map_or(&[][..], |clock| &clock.seen);
        let rows = seen.iter().enumerate().map(|(index, &seen)| (AuthorIx(index as u32), seen));
        rows.filter(move |&(other, sequence)| other != author && sequence > 0)
    }

    /// A clock read back from a snapshot.
    pub(super) fn restore(&mut self, author: AuthorIx, applied: u64, others: &[(AuthorIx, u64)]) {
        if self.0.len() <= author.index() {
            self.0.resize_with(author.index() + 1, Clock::default);
        }
        let clock = &mut self.0[author.index()];
        clock.applied = applied;
        clock.raise(author, applied.saturating_sub(1));
        for &(other, sequence) in others {
            clock.raise(other, sequence);
        }
    }
}

impl Clock {
    /// What the author of `stamp`, its last entry, had seen of others.
    pub(super) fn components(&mut self, stamp: &EntryStamp) -> Components {
        let seen = &self.seen;
        let build = || {
            let rows = seen.iter().enumerate().map(|(ix, &seen)| (AuthorIx(ix as u32), seen));
            Components::new(rows.filter(|&(ix, seen)| ix != stamp.author && seen > 0).collect())
        };
        self.shared.get_or_insert_with(build).clone()
    }

    /// All that the author of `stamp`, its last entry, had seen.
    pub(super) fn past(&mut self, stamp: &EntryStamp) -> Past {
        let others = self.components(stamp);
        Past { author: stamp.author, own: stamp.sequence - 1, others }
    }
}
