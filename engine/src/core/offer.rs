//! The answering half of a handed snapshot: what stands in no record any more is given to a device
//! that lacks it as a snapshot, part by part.
//!
//! It is taken at a still moment, when everything that is applied may leave, and kept while
//! somebody fetches it, as far as the log's growth tells: there is no clock here. One that was
//! taken earlier serves as well: what came since stands in the log.

use super::Core;
use crate::api::Chore;
use crate::author::AuthorIx;
use crate::counters::Counter;
use crate::hash::Hash;
use crate::limits::{MAX_OFFER_RECORDS, MAX_SNAPSHOT_BYTES, MAX_SNAPSHOT_PART_BYTES};
use crate::ports::StoreError;
use crate::wire::{Reject, Response, SnapshotPart, SnapshotRequest};

/// The snapshot that is handed out, and who waits for one.
#[derive(Debug, Default)]
pub(super) struct Offers {
    pub(super) offer: Option<Offer>,
    /// Requests for the first part.
    waiting: Vec<(u64, u32)>,
}

#[derive(Debug)]
pub(super) struct Offer {
    pub(super) id: Hash,
    pub(super) bytes: Vec<u8>,
    /// How far it covers each author, by number.
    pub(super) covers: Vec<u64>,
    /// It goes once the log is longer than this: at once if somebody got its last part.
    pub(super) kept_until: u64,
}

impl Offers {
    /// Takes the calls that wait for a snapshot.
    pub(super) fn take_waiting(&mut self) -> Vec<u64> {
        self.waiting.drain(..).map(|(call, _)| call).collect()
    }

    #[cfg(test)]
    pub(super) fn is_holding(&self) -> bool {
        self.offer.is_some()
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
        self.drop_old_offer();
        if self.offers.waiting.is_empty() {
            return;
        }
        if self.held_back {
            // What is applied may not leave for now.
            return self.refuse_offers(&Reject::Busy);
        }
        if !self.is_still() || !self.ensure_promise() {
            return;
        }
        let bytes = self.encode_shared();
        let id = Hash(*blake3::hash(&bytes).as_bytes());
        let authors = (0..self.authors.len() as u32).map(AuthorIx);
        let covers = authors.map(|author| self.ledger.chain(author).durable()).collect();
        if bytes.len() > MAX_SNAPSHOT_BYTES {
            return self.refuse_offers(&Reject::TooLong);
        }
        self.counters.note(Counter::SnapshotOffered);
        let kept_until = self.pipeline.end + MAX_OFFER_RECORDS;
        self.offers.offer = Some(Offer { id, bytes, covers, kept_until });
        for (call, most) in std::mem::take(&mut self.offers.waiting) {
            self.answer_part(call, 0, most);
        }
    }

    fn refuse_offers(&mut self, reject: &Reject) {
        for call in self.offers.take_waiting() {
            self.answer(call, Response::Refused(reject.clone()));
        }
    }

    /// No snapshot can be taken, since the witness does not let own entries leave.
    pub(super) fn give_up_offers(&mut self, why: &StoreError) {
        if !self.offers.waiting.is_empty() {
            self.refuse_offers(&Reject::Unavailable);
            self.hindered(Chore::Serving, why.clone());
        }
    }

    /// Lets go of a snapshot that nobody fetches any more, or that does not reach what is cut by now.
    fn drop_old_offer(&mut self) {
        let Some(offer) = &self.offers.offer else { return };
        let short = offer
            .covers
            .iter()
            .enumerate()
            .any(|(number, &covered)| covered < self.index.floor(AuthorIx(number as u32)));
        let newcomer = (offer.covers.len()..self.authors.len())
            .any(|number| self.index.floor(AuthorIx(number as u32)) > 0);
        if short || newcomer || offer.kept_until < self.pipeline.end {
            self.offers.offer = None;
        }
    }

    fn answer_part(&mut self, call: u64, offset: u64, most: u32) {
        let response = match &mut self.offers.offer {
            None => Response::Refused(Reject::Unavailable),
            Some(offer) => {
                let begin = (offset as usize).min(offer.bytes.len());
                let most = (most as usize).clamp(1, MAX_SNAPSHOT_PART_BYTES);
                let end = offer.bytes.len().min(begin + most);
                let whole = end == offer.bytes.len();
                offer.kept_until = self.pipeline.end + if whole { 0 } else { MAX_OFFER_RECORDS };
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
