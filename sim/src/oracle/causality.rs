//! A history is one that could have happened: each author's entries follow each other from 1, and
//! whatever an entry's author had seen stands before it.
//!
//! And an entry's vector is all that its author had applied when its user made the edit, its time
//! what the device's clock said then, right or wrong.
//!
//! What leaves a peer needs no check of its own here: a batch that decodes is in causal order by
//! its type, every arriving frame is decoded, and what it claims about the entries before it is
//! compared with the receiver's log as it is appended.

use std::collections::BTreeMap;

use graphshell_sync::{Dot, VersionVector};

use super::{Finding, Forks, View};

const PROPERTY: &str = "causal order";

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// What was applied just before.
    pub(crate) applied: VersionVector,
    /// What the device's clock said.
    pub(crate) clock_ms: u64,
}

/// Judges the vectors and times of the entries that one peer's user made, of which `authored` says
/// when. What was authored twice under one name, in a fork, proves nothing.
pub(crate) fn judge_authored(
    view: &View,
    authored: &BTreeMap<Dot, Moment>,
    forks: &Forks,
) -> Result<(), Finding> {
    for entry in &view.history {
        let Some(Moment { applied, clock_ms }) = authored.get(&entry.dot()) else { continue };
        if forks.contains_key(&entry.peer_id) {
            continue;
        }
        let wrong = |property, detail| {
            let operations = vec![entry.dot()];
            Err(Finding { property, peers: vec![view.peer], operations, detail })
        };
        if *applied != entry.version_vector {
            let vector = &entry.version_vector;
            let detail = format!("its author had applied {applied:?}, its vector is {vector:?}");
            return wrong(PROPERTY, detail);
        }
        if *clock_ms != entry.timestamp_ms {
            let said = entry.timestamp_ms;
            let detail = format!("its author's clock said {clock_ms} ms, the entry says {said} ms");
            return wrong("an entry says when it was made", detail);
        }
    }
    Ok(())
}
