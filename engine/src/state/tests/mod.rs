//! Claims about the merge, over histories with real causality.

mod history;
mod joins;
mod laws;
mod model;
mod snapshots;
mod stories;

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Delta, EntryStamp, State};
use crate::author::Authors;
use crate::entry::{LogEntry, SyncedLogEntry};
use crate::graph::Graph;
use crate::id::{NodeId, PeerId};
use crate::vector::VersionVector;

/// One state with what its caller keeps beside it.
struct Replica {
    authors: Authors,
    state: State,
    /// The vector of each author's last entry.
    vectors: BTreeMap<PeerId, VersionVector>,
}

impl Replica {
    /// An empty replica that numbers `first` in this order, before all other authors.
    fn new(key: u64, first: &[PeerId]) -> Self {
        let mut authors = Authors::new([key; 4]);
        for &peer in first {
            authors.intern(peer);
        }
        Replica { authors, state: State::new([key; 4]), vectors: BTreeMap::new() }
    }

    fn apply(&mut self, synced: &SyncedLogEntry) {
        let author = self.authors.intern(synced.peer_id);
        let before = self.vectors.entry(synced.peer_id).or_default();
        let rose = synced
            .version_vector
            .iter()
            .filter(|&(peer, sequence)| peer != synced.peer_id && sequence > before.get(peer));
        let delta: Vec<_> =
            rose.map(|(peer, sequence)| (self.authors.intern(peer), sequence)).collect();
        before.join(&synced.version_vector);
        let mut payload = Vec::new();
        synced.entry.encode_payload(&mut payload).expect("test entries are short");
        let entry = LogEntry::decode(synced.entry.kind(), &payload);
        let stamp = EntryStamp {
            author,
            sequence: synced.sequence,
            timestamp_ms: synced.timestamp_ms,
            genesis: synced.genesis,
        };
        self.state.apply(&self.authors, stamp, &delta, entry);
    }

    fn apply_all<'a>(&mut self, entries: impl IntoIterator<Item = &'a SyncedLogEntry>) -> Delta {
        for synced in entries {
            self.apply(synced);
        }
        self.state.refresh()
    }

    /// Takes in the state of `other`, handed over as bytes.
    fn join(&mut self, other: &Replica) -> Delta {
        let bytes = other.bytes();
        let state = State::decode(&bytes, &mut self.authors, [3; 4]).expect("own bytes");
        self.join_state(state, &other.vectors)
    }

    fn join_state(&mut self, other: State, vectors: &BTreeMap<PeerId, VersionVector>) -> Delta {
        self.state.join(&self.authors, other);
        for (&peer, vector) in vectors {
            self.vectors.entry(peer).or_default().join(vector);
        }
        self.state.refresh()
    }

    fn graph(&self) -> Graph {
        self.state.graph(&self.authors)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.state.encode(&self.authors, &mut out);
        out
    }

    /// A replica that goes on from this one's snapshot.
    fn reopened(&self, key: u64, first: &[PeerId]) -> Self {
        let mut replica = Replica::new(key, first);
        replica.state = State::decode(&self.bytes(), &mut replica.authors, [key; 4])
            .expect("own bytes are read back");
        replica.vectors = self.vectors.clone();
        replica
    }
}

fn node(number: u8) -> NodeId {
    NodeId(Uuid::from_u128(u128::from(number) << 64 | 7))
}

fn peer(number: u8) -> PeerId {
    PeerId(Uuid::from_u128(u128::from(number) << 64 | 9))
}
