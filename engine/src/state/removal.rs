//! Observed removals of a node, or of the whole graph.

use super::causality::{Clock, EntryStamp, Past};
use super::join::Sides;
use super::register::Register;
use crate::author::Authors;

/// The removals of one thing as one: what they saw, and which of them stand.
#[derive(Debug)]
pub(super) struct Removal {
    /// The join of the removals' vectors.
    pub(super) past: Past,
    /// The removals that no later one had seen.
    pub(super) by: Register<()>,
}

impl Removal {
    /// Whether the removals reach what `stamp` did: they saw it, or it comes from a legacy log,
    /// which never outlives a removal.
    pub(super) fn covers(&self, stamp: &EntryStamp) -> bool {
        stamp.genesis || self.past.covers(stamp.dot())
    }
}

/// Adds the removal `stamp` to those that were, if any.
pub(super) fn join(
    removal: &mut Option<Removal>,
    authors: &Authors,
    author: &mut Clock,
    stamp: EntryStamp,
) {
    let past = author.past(&stamp);
    let joined = match removal.take() {
        Some(mut removal) => {
            removal.past.join(past);
            removal
        }
        None => Removal { past, by: Register::default() },
    };
    removal.insert(joined).by.write(authors, author, stamp, ());
}

/// Takes in the removals that another state knows. Whether they reach further now.
pub(super) fn merge(
    removal: &mut Option<Removal>,
    authors: &Authors,
    sides: &Sides<'_>,
    other: Option<Removal>,
) -> bool {
    match (removal, other) {
        (_, None) => false,
        (removal @ None, other) => {
            *removal = other;
            true
        }
        (Some(removal), Some(other)) => {
            let further = !other.past.within(&removal.past);
            removal.past.join(other.past);
            removal.by.join(authors, sides, other.by);
            further
        }
    }
}

/// Whether there were removals and they reach what `stamp` did.
pub(super) fn covers(removal: Option<&Removal>, stamp: &EntryStamp) -> bool {
    removal.is_some_and(|removal| removal.covers(stamp))
}
