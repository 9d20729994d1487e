//! A history is one that could have happened: each author's entries follow each other from 1, and
//! whatever an entry's author had seen stands before it.
//!
//! And the entries of an edit are what its user did, with restores of what was gone. Their vector is all
//! that their author had applied when its user made the edit, their time what the device's clock said
//! then, right or wrong.
//!
//! What leaves a peer needs no check of its own here: a batch that decodes is in causal order by
//! its type, every arriving frame is decoded, and what it claims about the entries before it is
//! compared with the receiver's log as it is appended.

use std::collections::BTreeMap;

use graphshell_sync::{Dot, LogEntry, PeerId, SyncedLogEntry, VersionVector};

use super::{Finding, View};

const PROPERTY: &str = "causal order";
const DONE: &str = "an edit is what its user did";

/// Judges one peer's history.
pub(crate) fn judge(view: &View) -> Result<(), Finding> {
    let mut before = VersionVector::new();
    for entry in &view.history {
        let last = before.get(entry.peer_id);
        let own = entry.version_vector.get(entry.peer_id);
        let unseen = entry.version_vector.iter().find(|&(peer, seq)| before.get(peer) < seq);
        let mut operations = vec![entry.dot()];
        let wrong = if entry.sequence != last + 1 {
            Some(format!("expected its author's entry {}", last + 1))
        } else if own != last {
            Some(format!("its vector covers {own} of its own author, expected {last}"))
        } else if let Some((peer, sequence)) = unseen {
            operations.push(Dot { peer, sequence });
            Some("the first entry stands before the second, which its author had seen".to_owned())
        } else {
            None
        };
        if let Some(detail) = wrong {
            return Err(Finding { property: PROPERTY, peers: vec![view.peer], operations, detail });
        }
        before.raise(entry.peer_id, entry.sequence);
    }
    if before != view.frontier.vector() {
        return Err(Finding {
            property: PROPERTY,
            peers: vec![view.peer],
            operations: Vec::new(),
            detail: format!(
                "the durable frontier is {:?}, but the history ends at {before:?}",
                view.frontier.vector()
            ),
        });
    }
    Ok(())
}

/// What was true when a user made an edit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moment {
    /// What was applied just before.
    pub(crate) applied: VersionVector,
    /// What the device's clock said.
    pub(crate) clock_ms: u64,
    /// How many entries it made.
    pub(crate) entries: u64,
    /// What the user did, in order; `None` if it settled a conflict.
    pub(crate) operations: Option<Vec<LogEntry>>,
}

/// Judges the entries that one peer's user made; `authored` has every edit by its first entry. What was
/// authored `twice` under one name, in a fork, proves nothing.
pub(crate) fn judge_authored(
    view: &View,
    authored: &BTreeMap<Dot, Moment>,
    twice: impl Fn(PeerId) -> bool,
) -> Result<(), Finding> {
    let history: BTreeMap<Dot, &SyncedLogEntry> =
        view.history.iter().map(|entry| (entry.dot(), entry)).collect();
    for (&first, moment) in authored.iter().filter(|(first, _)| !twice(first.peer)) {
        let dots = (first.sequence..).take(moment.entries as usize);
        let dots = dots.map(|sequence| Dot { peer: first.peer, sequence });
        let entries: Vec<_> = dots.filter_map(|dot| history.get(&dot).copied()).collect();
        let wrong = |property, entry: &SyncedLogEntry, detail| {
            let operations = vec![entry.dot()];
            Err(Finding { property, peers: vec![view.peer], operations, detail })
        };
        let mut applied = moment.applied.clone();
        for &entry in &entries {
            applied.raise(first.peer, entry.sequence - 1);
            if applied != entry.version_vector {
                let vector = &entry.version_vector;
                let detail =
                    format!("its author had applied {applied:?}, its vector is {vector:?}");
                return wrong(PROPERTY, entry, detail);
            }
            let (clock_ms, said) = (moment.clock_ms, entry.timestamp_ms);
            if clock_ms != said {
                let detail =
                    format!("its author's clock said {clock_ms} ms, the entry says {said} ms");
                return wrong("an entry says when it was made", entry, detail);
            }
        }
        let Some(operations) = &moment.operations else { continue };
        let mut left = operations.iter().peekable();
        for &entry in &entries {
            if left.next_if(|&operation| *operation == entry.entry).is_none()
                && !matches!(entry.entry, LogEntry::RestoreNode { .. })
            {
                let detail = format!("the user did {operations:?}, this entry does another thing");
                return wrong(DONE, entry, detail);
            }
        }
        if let (Some(operation), Some(entry)) = (left.next(), entries.last()) {
            return wrong(DONE, entry, format!("no entry up to this one does {operation:?}"));
        }
    }
    Ok(())
}
