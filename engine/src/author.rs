//! Small numbers for authors.
//!
//! Inside one opened workspace an author is an [`AuthorIx`], given in the order of first sight.
//! The numbers differ between peers, so nothing that two peers compare may depend on them.

use indexmap::IndexSet;

use crate::id::{Dot, PeerId};

/// An author's number within one opened workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AuthorIx(pub(crate) u32);

impl AuthorIx {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// An entry, by its author's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LocalDot {
    pub(crate) author: AuthorIx,
    pub(crate) sequence: u64,
}

/// The authors that were ever mentioned; numbers are never taken back.
#[derive(Clone, Debug)]
pub(crate) struct Authors(IndexSet<PeerId, ahash::RandomState>);

impl Authors {
    /// A table whose hashing is keyed by `key`.
    pub(crate) fn new(key: [u64; 4]) -> Self {
        Authors(IndexSet::with_hasher(ahash::RandomState::with_seeds(
            key[0], key[1], key[2], key[3],
        )))
    }

    pub(crate) fn intern(&mut self, peer: PeerId) -> AuthorIx {
        AuthorIx(self.0.insert_full(peer).0 as u32)
    }

    pub(crate) fn get(&self, peer: PeerId) -> Option<AuthorIx> {
        self.0.get_index_of(&peer).map(|index| AuthorIx(index as u32))
    }

    pub(crate) fn peer(&self, author: AuthorIx) -> PeerId {
        self.0[author.index()]
    }

    pub(crate) fn dot(&self, dot: LocalDot) -> Dot {
        Dot { peer: self.peer(dot.author), sequence: dot.sequence }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Every author, in the order of the ids.
    pub(crate) fn sorted(&self) -> Vec<(PeerId, AuthorIx)> {
        let mut all: Vec<_> = self
            .0
            .iter()
            .enumerate()
            .map(|(index, &peer)| (peer, AuthorIx(index as u32)))
            .collect();
        all.sort_unstable();
        all
    }
}
