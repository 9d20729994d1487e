//! The ledger: for every author how far its history is known here, and its running hash at every
//! point of it.
//!
//! *Admitted* entries passed all checks and are on their way to the disk; *durable* ones are there.
//! Only the durable part may be told to anybody.

use super::disguise::Disguise;
use crate::author::{AuthorIx, Authors};
use crate::hash::{Hash, chain_start};
use crate::id::{PeerId, WorkspaceId};

/// One author's history.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    start: Hash,
    /// The running hash after entry `i + 1`.
    hashes: Vec<Hash>,
    /// The version vector of the last admitted entry, without the own component.
    vector: Vec<u64>,
    durable: u64,
}

impl Chain {
    pub(super) fn admitted(&self) -> u64 {
        self.hashes.len() as u64
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// The running hash after `sequence` entries, if that many are known.
    pub(super) fn hash_at(&self, sequence: u64) -> Option<Hash> {
        match sequence.checked_sub(1) {
            None => Some(self.start),
            Some(index) => self.hashes.get(usize::try_from(index).ok()?).copied(),
        }
    }

    pub(super) fn head(&self) -> Hash {
        self.hashes.last().copied().unwrap_or(self.start)
    }

    /// What the last admitted entry had seen of `author`.
    pub(super) fn seen(&self, author: AuthorIx) -> u64 {
        self.vector.get(author.index()).copied().unwrap_or(0)
    }

    pub(super) fn push(&mut self, hash: Hash) {
        self.hashes.push(hash);
    }

    pub(super) fn raise_seen(&mut self, author: AuthorIx, sequence: u64) {
        if self.vector.len() <= author.index() {
            self.vector.resize(author.index() + 1, 0);
        }
        self.vector[author.index()] = sequence;
    }

    /// Marks entries up to `sequence` as durable.
    pub(super) fn set_durable(&mut self, sequence: u64) {
        debug_assert!(sequence <= self.admitted(), "durable entries were admitted");
        self.durable = self.durable.max(sequence);
    }

    pub(super) fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// What the last admitted entry had seen of others; no zeros.
    pub(super) fn seen_rows(&self) -> impl Iterator<Item = (AuthorIx, u64)> + '_ {
        let rows = self.vector.iter().enumerate();
        rows.filter(|row| *row.1 > 0).map(|(number, &seen)| (AuthorIx(number as u32), seen))
    }

    /// Goes on as `later`, of which this history is the beginning; all of it is durable.
    pub(super) fn become_later(&mut self, later: LaterChain) {
        debug_assert!(later.hashes.starts_with(&self.hashes), "one history goes on");
        (self.hashes, self.durable) = (later.hashes, 0);
        self.set_durable(self.admitted());
        self.vector.clear();
        later.seen.into_iter().for_each(|(author, sequence)| self.raise_seen(author, sequence));
    }
}

/// One author's history as a snapshot tells it.
#[derive(Debug)]
pub(super) struct LaterChain {
    pub(super) author: AuthorIx,
    pub(super) hashes: Vec<Hash>,
    /// What the last entry had seen of others.
    pub(super) seen: Vec<(AuthorIx, u64)>,
}

impl LaterChain {
    pub(super) fn len(&self) -> u64 {
        self.hashes.len() as u64
    }
}

/// The histories of all authors.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    workspace: WorkspaceId,
    chains: Vec<Chain>,
}

impl Ledger {
    pub(super) fn new(workspace: WorkspaceId) -> Self {
        Ledger { workspace, chains: Vec::new() }
    }

    /// The number of `peer`, with a chain ready for it.
    pub(super) fn intern(&mut self, authors: &mut Authors, peer: PeerId) -> AuthorIx {
        let author = authors.intern(peer);
        self.cover(authors);
        author
    }

    pub(super) fn chain(&self, author: AuthorIx) -> &Chain {
        &self.chains[author.index()]
    }

    pub(super) fn chain_mut(&mut self, author: AuthorIx) -> &mut Chain {
        &mut self.chains[author.index()]
    }

    /// Makes a chain for every author that was named meanwhile.
    pub(super) fn cover(&mut self, authors: &Authors) {
        while self.chains.len() < authors.len() {
            let peer = authors.peer(AuthorIx(self.chains.len() as u32));
            self.chains.push(Chain {
                start: chain_start(self.workspace, peer),
                hashes: Vec::new(),
                vector: Vec::new(),
                durable: 0,
            });
        }
    }

    pub(super) fn disguise(&mut self, by: &mut dyn Disguise) {
        let hashes = self.chains.iter_mut().flat_map(|chain| &mut chain.hashes);
        hashes.for_each(|hash| *hash = by.hash(*hash));
    }

    pub(super) fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// How many authors have entries here.
    pub(super) fn population(&self) -> usize {
        self.chains.iter().filter(|chain| chain.admitted() > 0).count()
    }
}
