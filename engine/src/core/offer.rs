//! The answering half of a handed snapshot: what stands in no record any more is given to a device
//! that lacks it as a snapshot, part by part.
//!
//! It is taken at a still moment, when everything that is applied may leave, and kept while
//! somebody fetches it. One that was taken earlier serves as well: what came since stands in the log.

use super::Core;
use crate::author::AuthorIx;
use crate::counters::Counter;
use crate::hash::Hash;
use crate::limits::{MAX_SNAPSHOT_BYTES, MAX_SNAPSHOT_PART_BYTES};
use crate::wire::{Reject, Response, SnapshotPart, SnapshotRequest};

/// The snapshot that is handed out, and who waits for one.
#[derive(Debug, Default)]
pub(super) struct Offers {
    offer: Option<Offer>,
    /// Requests for the first part.
    waiting: Vec<(u64, u32)>,
}

#[derive(Debug)]
struct Offer {
    id: Hash,
    bytes: Vec<u8>,
    /// How far it covers each author, by number.
    covers: Vec<u64>,
    /// Whether somebody got its last part; it goes with the next change of the log.
    done_at: Option<u64>,
}

impl Offers {
    /// Takes the calls that wait for a snapshot.
    pub(super) fn take_waiting(&mut self) -> Vec<u64> {
        self.waiting.drain(..).map(|(call, _)| call).collect()
    }
}

impl Core {
    pub(super) fn asked_for_snapshot(&mut self, call: u64, request: SnapshotRequest) {
        self.drop_old_offer();
        let offset = match &self.offers.offer {
            Some(offer) if request.id == Some(offer.id) => request.offset,
            Some(_) if request.id.is_none() => 0,
            _ => return self.offers.waiting.push((call, request.bytes)),
        };
        self.answer_part(call, offset, request.bytes);
    }

    /// Takes a snapshot for those who wait for one, at a still moment.
    pub(super) fn consider_offers(&mut self) {
        if self.offers.waiting.is_empty() {
            return;
        }
        if self.held_back {
            // What is applied may not leave for now.
            for call in self.offers.take_waiting() {
                self.answer(call, Response::Refused(Reject::Busy));
            }
            return;
        }
        if !self.is_still() || !self.ensure_promise() {
            return;
        }
        let bytes = self.encode_shared();
        let id = Hash(*blake3::hash(&bytes).as_bytes());
        let authors = (0..self.authors.len() as u32).map(AuthorIx);
        let covers = authors.map(|author| self.ledger.chain(author).durable()).collect();
        if bytes.len() <= MAX_SNAPSHOT_BYTES {
            self.counters.note(Counter::SnapshotOffered);
            self.offers.offer = Some(Offer { id, bytes, covers, done_at: None });
        }
        for (call, most) in std::mem::take(&mut self.offers.waiting) {
            self.answer_part(call, 0, most);
        }
    }

    /// Lets go of a snapshot that somebody has whole, or that does not reach what is cut by now.
    fn drop_old_offer(&mut self) {
        let Some(offer) = &self.offers.offer else { return };
        let short = offer
            .covers
            .iter()
            .enumerate()
            .any(|(number, &covered)| covered < self.index.floor(AuthorIx(number as u32)));
        let newcomer = (offer.covers.len()..self.authors.len())
            .any(|number| self.index.floor(AuthorIx(number as u32)) > 0);
        if short || newcomer || offer.done_at.is_some_and(|at| at < self.pipeline.end) {
            self.offers.offer = None;
        }
    }

    fn answer_part(&mut self, call: u64, offset: u64, most: u32) {
        let response = match &mut self.offers.offer {
            // It would be longer than any snapshot may be.
            None => Response::Refused(Reject::Unavailable),
            Some(offer) => {
                let begin = (offset as usize).min(offer.bytes.len());
                let most = (most as usize).clamp(1, MAX_SNAPSHOT_PART_BYTES);
                let end = offer.bytes.len().min(begin + most);
                if end == offer.bytes.len() {
                    offer.done_at = Some(self.pipeline.end);
                }
                if begin == end {
                    Response::Refused(Reject::Malformed("a part behind the end".to_owned()))
                } else {
                    Response::Snapshot(SnapshotPart {
                        id: offer.id,
                        total: offer.bytes.len() as u64,
                        offset: begin as u64,
                        bytes: offer.bytes[begin..end].to_vec(),
                    })
                }
            }
        };
        self.answer(call, response);
    }
}
