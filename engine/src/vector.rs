//! Version vectors (Parker et al., 1983): how far each author's entries are known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::id::{Dot, PeerId};

/// For each author the highest sequence covered; an absent author counts as 0.
///
/// Vectors form a lattice under [`join`](Self::join); [`covers`](Self::covers) is its order.
/// Its rows lie sorted in one piece: looking an author up is O(log n), adding one O(n).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "BTreeMap<PeerId, u64>")]
pub struct VersionVector(Vec<(PeerId, u64)>);

impl VersionVector {
    /// The vector that covers nothing.
    pub const fn new() -> Self {
        VersionVector(Vec::new())
    }

    /// The highest sequence covered of `peer`; 0 if none.
    pub fn get(&self, peer: PeerId) -> u64 {
        self.find(peer).map_or(0, |place| self.0[place].1)
    }

    /// Raises `peer` to `sequence`; never lowers.
    pub fn raise(&mut self, peer: PeerId, sequence: u64) {
        match self.find(peer) {
            Ok(place) => self.0[place].1 = sequence.max(self.0[place].1),
            Err(_) if sequence == 0 => {}
            Err(place) => self.0.insert(place, (peer, sequence)),
        }
    }

    /// Where the author's row is, or else belongs.
    fn find(&self, peer: PeerId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&peer, |row| row.0)
    }

    /// Whether `dot` lies within this vector.
    pub fn covers_dot(&self, dot: Dot) -> bool {
        dot.sequence <= self.get(dot.peer)
    }

    /// Whether everything in `other` lies within this vector.
    pub fn covers(&self, other: &VersionVector) -> bool {
        other.iter().all(|(peer, sequence)| sequence <= self.get(peer))
    }

    /// The least vector that covers both.
    pub fn join(&mut self, other: &VersionVector) {
        if !self.covers(other) {
            *self = self.iter().chain(other.iter()).collect();
        }
    }

    /// Authors with their highest sequence, in the order of their ids; no zeros.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (PeerId, u64)> + '_ {
        self.0.iter().copied()
    }

    /// How many authors are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is covered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for VersionVector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl From<BTreeMap<PeerId, u64>> for VersionVector {
    fn from(rows: BTreeMap<PeerId, u64>) -> Self {
        rows.into_iter().collect()
    }
}

impl FromIterator<(PeerId, u64)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (PeerId, u64)>>(rows: I) -> Self {
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.retain(|row| row.1 > 0);
        // The highest of an author comes first, and stays.
        rows.sort_unstable_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
        rows.dedup_by_key(|row| row.0);
        VersionVector(rows)
    }
}

#[cfg(test)]
mod tests;
