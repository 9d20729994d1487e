//! The snapshot that one device hands to another: histories and merged state, and nothing that is
//! only this device's own.
//!
//! ```text
//! shared := version:u8 workspace:16 chains state
//! chains := count (peer:16 count hash:32* count (chain sequence)*)*     ascending by peer
//! ```
//! A chain is one author's history: the running hash after each entry, and what the last of them
//! had seen of others, by the places of their chains. It covers exactly what the state covers.
//!
//! What a device says of entries that nobody else has heard of cannot be checked before entries are
//! signed: as it could author them, it could put them here. What it says of entries that are
//! known here is checked by their running hashes, and does not count beside ours.

use super::Core;
use super::admit::Parting;
use super::ledger::{LaterChain, Ledger};
use crate::author::{AuthorIx, Authors};
use crate::codec::{DecodeError, Reader, put_varint};
use crate::hash::Hash;
use crate::id::{PeerId, WorkspaceId};
use crate::limits::{MAX_AUTHORS, MAX_FOREIGN_AUTHORS, MAX_NAMES};
use crate::state::State;
use crate::wire::Reject;

const SHARED_VERSION: u8 = 1;

/// A snapshot of another device, read and consistent with itself.
#[derive(Debug)]
pub(super) struct Shared {
    /// The authors known here, and those that it names.
    authors: Authors,
    chains: Vec<LaterChain>,
    state: State,
}

impl Shared {
    /// How far it goes, author by author.
    pub(super) fn ends(&self) -> impl Iterator<Item = (AuthorIx, u64)> + '_ {
        self.chains.iter().map(|chain| (chain.author, chain.len()))
    }

    pub(super) fn peer(&self, author: AuthorIx) -> PeerId {
        self.authors.peer(author)
    }
}

/// What the ledger says to a snapshot of another device.
#[derive(Debug)]
pub(super) enum Weighed {
    /// It brings this many entries; none if all is known.
    Brings(u64),
    /// An author's history here and there part.
    Parted(Parting),
    /// It breaks a rule.
    Refused(Reject),
}

impl Core {
    /// What is applied here as others may have it. Only at a still moment, with all promised.
    pub(super) fn encode_shared(&self) -> Vec<u8> {
        let mut out = vec![SHARED_VERSION];
        out.extend_from_slice(self.config.workspace.0.as_bytes());
        put_chains(&mut out, &self.authors, &self.ledger);
        self.state.encode(&self.authors, &mut out);
        out
    }

    /// Reads a snapshot of another device; nothing here changes.
    pub(super) fn read_shared(&self, bytes: &[u8]) -> Result<Shared, Reject> {
        let malformed = |error: DecodeError| Reject::Malformed(format!("a snapshot: {error}"));
        let mut reader = Reader::new(bytes);
        let read = &mut reader;
        let start = read.clone();
        if read.u8("a snapshot's version").map_err(malformed)? != SHARED_VERSION {
            return Err(malformed(start.error("version 1 of a snapshot that is handed over")));
        }
        if WorkspaceId(read.uuid("a workspace id").map_err(malformed)?) != self.config.workspace {
            return Err(Reject::NotShared);
        }
        let mut authors = self.authors.clone();
        let chains = read_chains(read, &mut authors).map_err(malformed)?;
        let rest = read.clone();
        let state =
            State::decode(read.rest(), &mut authors, self.table_key).map_err(|mut error| {
                error.offset += rest.offset();
                malformed(error)
            })?;
        if authors.len() > MAX_NAMES {
            return Err(Reject::TooManyAuthors);
        }
        let told: u64 = chains.iter().map(LaterChain::len).sum();
        let all = (0..authors.len() as u32).map(AuthorIx);
        let applied: u64 = all.map(|author| state.applied(author)).sum();
        let equal = chains.iter().all(|chain| state.applied(chain.author) == chain.len());
        if told != applied || !equal {
            return Err(malformed(rest.error("a state of exactly the entries that are named")));
        }
        Ok(Shared { authors, chains, state })
    }

    /// Judges a snapshot of another device against the ledger.
    pub(super) fn weigh(&self, shared: &Shared) -> Weighed {
        let closed = self.closed();
        let (mut brings, mut newcomers) = (0, 0);
        for chain in &shared.chains {
            let ours = match self.authors.get(shared.authors.peer(chain.author)) {
                Some(author) => self.ledger.chain(author).hashes(),
                None => &[],
            };
            let differs = ours.iter().zip(&chain.hashes).position(|(ours, theirs)| ours != theirs);
            if let Some(place) = differs {
                let proof = Some((ours[place], chain.hashes[place]));
                let at = place as u64 + 1;
                return Weighed::Parted(Parting { author: chain.author, at, proof });
            }
            if chain.hashes.len() <= ours.len() {
                continue;
            }
            brings += (chain.hashes.len() - ours.len()) as u64;
            if chain.author == self.me {
                // No foreign author, and no other device can close it.
                continue;
            }
            if let Some(&common) = closed.get(&chain.author) {
                let author = shared.authors.peer(chain.author);
                return Weighed::Refused(Reject::Fork { author, common });
            }
            newcomers += usize::from(ours.is_empty());
        }
        if newcomers > 0 && self.ledger.population() + newcomers > MAX_FOREIGN_AUTHORS {
            return Weighed::Refused(Reject::TooManyAuthors);
        }
        Weighed::Brings(brings)
    }

    /// Whether a snapshot goes on with entries of this device's author that are not known here.
    pub(super) fn is_outrun_by(&self, shared: &Shared) -> bool {
        let ours = self.ledger.chain(self.me).hashes();
        let mut chains = shared.chains.iter().filter(|chain| chain.author == self.me);
        chains.any(|own| own.hashes.len() > ours.len() && own.hashes.starts_with(ours))
    }

    /// Joins a snapshot that was weighed: histories go on as they do there, states become one.
    /// What it brings stands in no record.
    pub(super) fn absorb(&mut self, shared: Shared) {
        self.authors = shared.authors;
        self.ledger.cover(&self.authors);
        for chain in shared.chains {
            let (author, last) = (chain.author, chain.len());
            if last > self.ledger.chain(author).admitted() {
                self.ledger.chain_mut(author).become_later(chain);
                self.index.raise_floor(author, last);
                self.edits.advance(author);
            }
        }
        self.confirm_seen();
        self.state.join(&self.authors, shared.state);
        self.drop_known_parked();
    }
}

/// Writes the histories of all authors that have one; returns each author's place.
pub(super) fn put_chains(out: &mut Vec<u8>, authors: &Authors, ledger: &Ledger) -> Vec<u64> {
    let mut all = authors.sorted();
    all.retain(|&(_, author)| ledger.chain(author).admitted() > 0);
    let mut places = vec![u64::MAX; authors.len()];
    for (place, &(_, author)) in all.iter().enumerate() {
        places[author.index()] = place as u64;
    }
    put_varint(out, all.len() as u64);
    for &(peer, author) in &all {
        let chain = ledger.chain(author);
        out.extend_from_slice(peer.0.as_bytes());
        put_varint(out, chain.admitted());
        chain.hashes().iter().for_each(|hash| out.extend_from_slice(&hash.0));
        put_rows(out, &places, chain.seen_rows());
    }
    places
}

/// Writes how far authors are known, by their places.
pub(super) fn put_rows(
    out: &mut Vec<u8>,
    places: &[u64],
    rows: impl Iterator<Item = (AuthorIx, u64)>,
) {
    let mut rows: Vec<_> = rows.map(|(by, sequence)| (places[by.index()], sequence)).collect();
    rows.sort_unstable();
    put_varint(out, rows.len() as u64);
    for (place, sequence) in rows {
        put_varint(out, place);
        put_varint(out, sequence);
    }
}

/// Reads what [`put_chains`] wrote. Allocates in proportion to what is read.
pub(super) fn read_chains(
    read: &mut Reader<'_>,
    authors: &mut Authors,
) -> Result<Vec<LaterChain>, DecodeError> {
    let start = read.clone();
    let count = read.bounded(MAX_AUTHORS, "a number of histories within its bound")?;
    let mut rows = Vec::new();
    let mut chains: Vec<LaterChain> = Vec::new();
    let mut before = None;
    for _ in 0..count {
        let at = read.clone();
        let peer = PeerId(read.uuid("an author id")?);
        if before >= Some(peer) {
            return Err(at.error("authors in ascending order"));
        }
        before = Some(peer);
        let most = read.remaining() / 32;
        let entries = read.bounded(most, "a number of running hashes")?;
        if entries == 0 {
            return Err(at.error("a history that is not empty"));
        }
        let mut hashes = Vec::with_capacity(entries);
        for _ in 0..entries {
            hashes.push(Hash(read.array("a running hash")?));
        }
        rows.push(read_rows(read, count)?);
        chains.push(LaterChain { author: authors.intern(peer), hashes, seen: Vec::new() });
    }
    let ends: Vec<(AuthorIx, u64)> =
        chains.iter().map(|chain| (chain.author, chain.len())).collect();
    for (chain, rows) in chains.iter_mut().zip(rows) {
        for (place, sequence) in rows {
            let (author, end) = ends[place];
            if sequence > end || author == chain.author {
                return Err(start.error("vectors within the histories"));
            }
            chain.seen.push((author, sequence));
        }
    }
    Ok(chains)
}

/// Reads what [`put_rows`] wrote, of authors at places below `count`.
pub(super) fn read_rows(
    read: &mut Reader<'_>,
    count: usize,
) -> Result<Vec<(usize, u64)>, DecodeError> {
    let mut rows = Vec::new();
    let mut next = 0;
    for _ in 0..read.bounded(count, "a vector's length")? {
        let start = read.clone();
        let place = read.bounded(count, "an author's place")?;
        if place < next || place >= count {
            return Err(start.error("places in ascending order"));
        }
        next = place + 1;
        let sequence = read.sequence(1, "a sequence from 1, below 2^62")?;
        rows.push((place, sequence));
    }
    Ok(rows)
}
