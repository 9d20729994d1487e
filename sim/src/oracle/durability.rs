//! Nothing leaves a peer before it is durable there, and nothing that a peer called durable is
//! lost.

use std::collections::BTreeMap;

use graphshell_sync::wire::{Frontier, Request, Response};
use graphshell_sync::{Batch, Dot, PeerId, Record, VersionVector};

use super::{Finding, View};
use crate::world::image::Holdings;

/// What one peer has called durable, to its user or to another peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acknowledged(BTreeMap<PeerId, u64>);

impl Acknowledged {
    /// The peer called everything up to `dot` durable.
    pub(crate) fn add(&mut self, dot: Dot) {
        let known = self.0.entry(dot.peer).or_insert(0);
        *known = dot.sequence.max(*known);
    }

    /// The peer called everything that the vector covers durable.
    pub(crate) fn add_all(&mut self, have: &VersionVector) {
        for (peer, sequence) in have.iter() {
            self.add(Dot { peer, sequence });
        }
    }

    /// The peer's disk was replaced by one that holds no more than this.
    pub(crate) fn restored(&mut self, held: &VersionVector) {
        self.0.retain(|&peer, sequence| {
            *sequence = held.get(peer).min(*sequence);
            *sequence > 0
        });
    }

    /// The peer authored the author's entries after `after` anew, under another name.
    pub(crate) fn disowned(&mut self, author: PeerId, after: u64) {
        if let Some(sequence) = self.0.get_mut(&author) {
            *sequence = after.min(*sequence);
        }
    }

    /// Judges the peer's history.
    pub(crate) fn judge(&self, view: &View) -> Result<(), Finding> {
        let held = view.frontier.vector();
        for (&peer, &sequence) in &self.0 {
            if held.get(peer) < sequence {
                return Err(Finding {
                    property: "nothing acknowledged is lost",
                    peers: vec![view.peer],
                    operations: vec![Dot { peer, sequence }],
                    detail: format!("only {} entries of this author are there", held.get(peer)),
                });
            }
        }
        Ok(())
    }
}

/// What an entry says, whoever made it and when: its kind and payload.
pub(crate) type Said = (u16, Vec<u8>);

/// What an author's entries after a sequence say, in their order, as far as these records have them.
pub(crate) fn said_by(
    author: PeerId,
    after: u64,
    records: impl Iterator<Item = Record>,
) -> Vec<Said> {
    let mut said = BTreeMap::new();
    for record in records {
        let Record::Ready(batch) = record else { continue };
        for (dot, (kind, payload)) in batch.dots().zip(batch.payloads()) {
            if dot.peer == author && dot.sequence > after {
                said.insert(dot.sequence, (kind, payload.to_vec()));
            }
        }
    }
    said.into_values().collect()
}

/// Judges what a peer's user was told of records that are lost: as many as the store says.
pub(crate) fn judge_loss(peer: usize, lost: u64, told: u64) -> Result<(), Finding> {
    if lost == told {
        return Ok(());
    }
    Err(Finding {
        property: if told > lost { "no false alarm" } else { "no loss is silent" },
        peers: vec![peer],
        operations: Vec::new(),
        detail: format!(
            "the store said that {lost} records are lost, and the peer told its user of {told}"
        ),
    })
}

/// Judges that a peer which disowns entries from `first` on says the same again, in the same order and
/// before anything else, under its new name.
pub(crate) fn judge_disowned(
    peer: usize,
    first: Dot,
    lost: &[Said],
    anew: &[Said],
) -> Result<(), Finding> {
    if anew.starts_with(lost) {
        return Ok(());
    }
    let (lost, anew) = (lost.len(), anew.len());
    Err(Finding {
        property: "nothing acknowledged is lost",
        peers: vec![peer],
        operations: vec![first],
        detail: format!(
            "{lost} entries are disowned from this one on, the {anew} that are authored anew are others"
        ),
    })
}

/// Judges what a peer shows when it has just been opened: exactly what its disk holds.
pub(crate) fn judge_opened(
    peer: usize,
    held: &Holdings,
    applied: &VersionVector,
) -> Result<(), Finding> {
    let durable = held.vector();
    if *applied == durable {
        return Ok(());
    }
    Err(Finding {
        property: "what is durable is shown after a restart",
        peers: vec![peer],
        operations: Vec::new(),
        detail: format!("the disk holds {durable:?}, the workspace opened with {applied:?}"),
    })
}

/// Judges what a peer shows once nothing is under way any more: what its disk holds, and no edit that
/// was taken back.
pub(crate) fn judge_at_rest(view: &View) -> Result<(), Finding> {
    if view.settled() {
        return Ok(());
    }
    Err(Finding {
        property: "what is shown at rest is durable",
        peers: vec![view.peer],
        operations: Vec::new(),
        detail: format!("its history ends at {:?}, it shows {:?}", view.frontier, view.applied),
    })
}

/// Judges what a peer shows: of others nothing that its disk does not hold; `ours` tells its own
/// authors, whose edits show at once.
pub(crate) fn judge_shown(
    peer: usize,
    ours: impl Fn(PeerId) -> bool,
    held: &Holdings,
    shown: &VersionVector,
) -> Result<(), Finding> {
    for (author, sequence) in shown.iter() {
        let dot = Dot { peer: author, sequence };
        if !ours(author) && held.get(dot).is_none() {
            return Err(Finding {
                property: "nothing of others is shown before it is durable",
                peers: vec![peer],
                operations: vec![dot],
                detail: "the reader sees the entry, but the disk does not hold it".to_owned(),
            });
        }
    }
    Ok(())
}

/// Judges a request that `peer` is about to send.
pub(crate) fn judge_request(
    peer: usize,
    held: &Holdings,
    request: &Request,
) -> Result<(), Finding> {
    match request {
        Request::Push(push) => batch(peer, held, &push.batch),
        // A pull may also name what is on its way to the disk.
        Request::Frontier(_) | Request::Pull(_) | Request::Snapshot(_) => Ok(()),
    }
}

/// Judges a response that `peer` is about to send.
pub(crate) fn judge_response(
    peer: usize,
    held: &Holdings,
    response: &Response,
) -> Result<(), Finding> {
    match response {
        Response::Batch { batch: Some(sent), .. } => batch(peer, held, sent),
        Response::Frontier { frontier: sent, .. } => frontier(peer, held, sent),
        Response::Durable { have } => {
            let dots = have.iter().map(|(peer, sequence)| Dot { peer, sequence });
            acknowledged(peer, held, dots, "it acknowledges the entry to another peer")
        }
        Response::Batch { batch: None, .. }
        | Response::InStep
        | Response::Published
        // What it covers is judged where it is stored.
        | Response::Snapshot(_)
        | Response::Refused(_) => Ok(()),
    }
}

/// Judges what `peer` is about to tell of itself, `last` at most, which nobody else has: nothing
/// that its memory outside the store does not know of. Otherwise a restored backup would give the same names to other entries.
pub(crate) fn judge_promised(peer: usize, last: Dot, promised: u64) -> Result<(), Finding> {
    if last.sequence <= promised {
        return Ok(());
    }
    Err(Finding {
        property: "nothing leaves before its witness knows",
        peers: vec![peer],
        operations: vec![last],
        detail: format!("the witness knows of {promised} entries of this author"),
    })
}

/// How far a request tells of its sender's entries.
pub(crate) fn told_by_request(request: &Request) -> VersionVector {
    match request {
        Request::Push(push) => entries_of(&push.batch),
        Request::Frontier(_) | Request::Pull(_) | Request::Snapshot(_) => VersionVector::new(),
    }
}

/// How far a response tells of its sender's entries.
pub(crate) fn told_by_response(response: &Response) -> VersionVector {
    match response {
        Response::Batch { batch: Some(batch), .. } => entries_of(batch),
        Response::Frontier { frontier, .. } => frontier.vector(),
        Response::Durable { have } => have.clone(),
        Response::Batch { batch: None, .. }
        | Response::InStep
        | Response::Published
        | Response::Snapshot(_)
        | Response::Refused(_) => VersionVector::new(),
    }
}

fn entries_of(batch: &Batch) -> VersionVector {
    let rows = batch.authors().iter().filter(|row| row.count > 0);
    rows.map(|row| (row.peer, row.last())).collect()
}

/// Judges an acknowledgement.
pub(crate) fn acknowledged(
    peer: usize,
    held: &Holdings,
    dots: impl Iterator<Item = Dot>,
    what: &str,
) -> Result<(), Finding> {
    for dot in dots {
        if held.get(dot).is_none() {
            return Err(Finding {
                property: "nothing is acknowledged before it is durable",
                peers: vec![peer],
                operations: vec![dot],
                detail: format!("{what}, but its disk does not hold it"),
            });
        }
    }
    Ok(())
}

fn batch(peer: usize, held: &Holdings, batch: &Batch) -> Result<(), Finding> {
    for (dot, hash) in batch.running_hashes() {
        if held.get(dot) != Some(hash) {
            return Err(unsaved(peer, dot, "sends the entry"));
        }
    }
    Ok(())
}

fn frontier(peer: usize, held: &Holdings, frontier: &Frontier) -> Result<(), Finding> {
    for row in frontier.rows() {
        let dot = Dot { peer: row.peer, sequence: row.sequence };
        if held.get(dot) != Some(row.hash) {
            return Err(unsaved(peer, dot, "says that it has the entry"));
        }
    }
    Ok(())
}

fn unsaved(peer: usize, dot: Dot, what: &str) -> Finding {
    Finding {
        property: "nothing leaves before it is durable",
        peers: vec![peer],
        operations: vec![dot],
        detail: format!("the peer {what}, but its disk does not hold it with that content"),
    }
}
