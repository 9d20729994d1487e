//! Version vectors (Parker et al., 1983): how far each author's entries are known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{Dot, PeerId};

/// For each author the highest sequence covered; an absent author counts as 0.
///
/// Vectors form a lattice under [`join`](Self::join); [`covers`](Self::covers) is its order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<PeerId, u64>")]
pub struct VersionVector(BTreeMap<PeerId, u64>);

impl VersionVector {
    /// The vector that covers nothing.
    pub const fn new() -> Self {
        VersionVector(BTreeMap::new())
    }

    /// The highest sequence covered of `peer`; 0 if none.
    pub fn get(&self, peer: PeerId) -> u64 {
        self.0.get(&peer).copied().unwrap_or(0)
    }

    /// Raises `peer` to `sequence`; never lowers.
    pub fn raise(&mut self, peer: PeerId, sequence: u64) {
        if sequence > 0 {
            let known = self.0.entry(peer).or_insert(0);
            *known = sequence.max(*known);
        }
    }

    /// Whether `dot` lies within this vector.
    pub fn covers_dot(&self, dot: Dot) -> bool {
        dot.sequence <= self.get(dot.peer)
    }

    /// Whether everything in `other` lies within this vector.
    pub fn covers(&self, other: &VersionVector) -> bool {
        other.0.iter().all(|(&peer, &sequence)| sequence <= self.get(peer))
    }

    /// The least vector that covers both.
    pub fn join(&mut self, other: &VersionVector) {
        for (&peer, &sequence) in &other.0 {
            self.raise(peer, sequence);
        }
    }

    /// Authors with their highest sequence, in the order of their ids; no zeros.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (PeerId, u64)> + '_ {
        self.0.iter().map(|(&peer, &sequence)| (peer, sequence))
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

impl From<BTreeMap<PeerId, u64>> for VersionVector {
    fn from(mut rows: BTreeMap<PeerId, u64>) -> Self {
        rows.retain(|_, sequence| *sequence > 0);
        VersionVector(rows)
    }
}

impl FromIterator<(PeerId, u64)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (PeerId, u64)>>(rows: I) -> Self {
        let mut vector = VersionVector::new();
        for (peer, sequence) in rows {
            vector.raise(peer, sequence);
        }
        vector
    }
}

#[cfg(test)]
mod tests;
