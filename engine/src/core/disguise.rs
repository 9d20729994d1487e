//! A core in disguise: the same in everything but its texts, and the hashes that depend on them.

use std::sync::Arc;

use super::Core;
use super::compact::is_own_reason;
use super::open::{Replay, Seeds};
use crate::api::Config;
use crate::batch::Batch;
use crate::codec::DecodeError;
use crate::hash::Hash;
use crate::id::{Incarnation, PeerId};
use crate::ports::StoreError;
use crate::record::Snapshot;
use crate::wire::Reject;

/// Says what stands in the place of a text or a hash. Must not change a text's length.
pub(crate) trait Disguise {
    /// In the place of a url.
    fn url(&mut self, url: &str) -> Box<str>;
    /// In the place of a title.
    fn title(&mut self, title: &str) -> Box<str>;
    /// In the place of the words of an error.
    fn words(&mut self, words: &str) -> String;
    /// In the place of a payload of this kind.
    fn payload(&mut self, kind: u16, payload: &mut [u8]);
    /// In the place of a running hash.
    fn hash(&mut self, hash: Hash) -> Hash;
}

/// In the place of a batch.
pub(crate) fn disguised_batch(batch: &Batch, by: &mut dyn Disguise) -> Batch {
    let mut batch = batch.clone();
    batch.disguise(by);
    batch
}

impl Core {
    /// The batches that wait for their causes.
    pub(crate) fn parked_batches(&self) -> Vec<Arc<Batch>> {
        self.parked.iter().cloned().collect()
    }

    /// Puts on a disguise.
    pub(crate) fn disguise(&mut self, by: &mut dyn Disguise) {
        self.ledger.disguise(by);
        for proof in self.forks.values_mut() {
            (proof.ours, proof.theirs) = (by.hash(proof.ours), by.hash(proof.theirs));
        }
        self.parked.for_each_mut(|batch| *batch = Arc::new(disguised_batch(batch, by)));
        self.state.disguise(by);
        for error in self.hindrances.values_mut() {
            let (StoreError::Refused(why) | StoreError::Failed(why) | StoreError::Damaged(why)) =
                error;
            if !is_own_reason(why) {
                *why = by.words(why);
            }
        }
        if let Some(offer) = &mut self.offers.offer {
            // Bytes of our own that do not read again would be our own fault.
            if let Ok(bytes) = disguised_shared(self.config, &offer.bytes, by) {
                offer.id = Hash(*blake3::hash(&bytes).as_bytes());
                offer.bytes = bytes;
            }
        }
    }
}

fn blank(config: Config) -> Core {
    let none = Incarnation([0; 16]);
    let seeds = Seeds { table: [0; 4], first: none, next: none };
    Replay::new(config, seeds, 0, Vec::new()).into_core()
}

/// The batches that wait in a snapshot of this device's own; none if it cannot be read.
pub(crate) fn parked_in(config: Config, snapshot: &Snapshot) -> Vec<Arc<Batch>> {
    let mut core = blank(config);
    core.restore(snapshot).map_or_else(|_| Vec::new(), |()| core.parked_batches())
}

/// In the place of a snapshot of this device's own.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn disguised_snapshot(
    config: Config,
    snapshot: &Snapshot,
    by: &mut dyn Disguise,
) -> Result<Snapshot, DecodeError> {
    let mut core = blank(config);
    core.restore(snapshot)?;
    core.disguise(by);
    Ok(core.snapshot())
}

/// In the place of a snapshot that one device hands to another.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn disguised_shared(
    config: Config,
    bytes: &[u8],
    by: &mut dyn Disguise,
) -> Result<Vec<u8>, Reject> {
    let mut core = blank(config);
    // Whoever opens a workspace has a name; nobody looks at this one.
    core.me = core.ledger.intern(&mut core.authors, PeerId::LOCAL_DEFAULT);
    let shared = core.read_shared(bytes)?;
    core.absorb(shared);
    core.disguise(by);
    Ok(core.encode_shared())
}
