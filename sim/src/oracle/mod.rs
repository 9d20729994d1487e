//! What must be true of every run, whatever its plan: one invariant per file.
//!
//! Some watch one peer while it runs (what leaves it, what becomes durable, what its reader sees),
//! the others judge all peers at the end. None repairs or steers anything.

pub(crate) mod at_rest;
pub(crate) mod atomic;
pub(crate) mod authored;
pub(crate) mod bounds;
pub(crate) mod causality;
pub(crate) mod compaction;
pub(crate) mod convergence;
pub(crate) mod durability;
pub(crate) mod forks;
pub(crate) mod liveness;
pub(crate) mod model;
pub(crate) mod privacy;
pub(crate) mod refusals;
pub(crate) mod reopened;
pub(crate) mod rounds;
pub(crate) mod versions;

use std::collections::BTreeMap;

use graphshell_sync::wire::Frontier;
use graphshell_sync::{Dot, Graph, PeerId, SyncedLogEntry, VersionVector};

/// The authors that somebody reported as forked, each with the last entry that its histories
/// share, as far as was reported.
pub(crate) type Forks = BTreeMap<PeerId, u64>;

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Which.
    pub(crate) property: &'static str,
    /// The peers concerned.
    pub(crate) peers: Vec<usize>,
    /// The entries concerned.
    pub(crate) operations: Vec<Dot>,
    /// What was expected and what was found.
    pub(crate) detail: String,
}

/// Everything that can be read off one peer at one moment.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) peer: usize,
    pub(crate) graph: Graph,
    /// The durable history in causal order.
    pub(crate) history: Vec<SyncedLogEntry>,
    /// All that is applied, volatile edits included.
    pub(crate) applied: VersionVector,
    pub(crate) frontier: Frontier,
    /// The canonical bytes of the merged state.
    pub(crate) state: Vec<u8>,
}

impl View {
    /// Whether nothing is applied that is not durable yet.
    pub(crate) fn settled(&self) -> bool {
        let history = self.history.iter().map(|entry| (entry.peer_id, entry.sequence));
        history.collect::<VersionVector>() == self.applied
    }
}

#[cfg(test)]
mod tests;
