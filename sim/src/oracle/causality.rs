//! A history is one that could have happened: each author's entries follow each other from 1, and
//! whatever an entry's author had seen stands before it.
//!
//! What leaves a peer needs no check of its own here: a batch that decodes is in causal order by
//! its type, every arriving frame is decoded, and what it claims about the entries before it is
//! compared with the receiver's log as it is appended.

use graphshell_sync::{Dot, VersionVector};

use super::{Finding, View};

const PROPERTY: &str = "causal order";

/// Judges one peer's history.
pub(crate) fn judge(view: &View) -> Result<(), Finding> {
    let mut before = VersionVector::new();
    for entry in &view.history {
        let last = before.get(entry.peer_id);
        let own = entry.version_vector.get(entry.peer_id);
        let unseen = entry.version_vector.iter().find(|&(peer, seq)| before.get(peer) < seq);
        let wrong = |cause: Option<Dot>, detail: String| Finding {
            property: PROPERTY,
            peers: vec![view.peer],
            operations: std::iter::once(entry.dot()).chain(cause).collect(),
            detail,
        };
        if entry.sequence != last + 1 {
            return Err(wrong(None, format!("expected its author's entry {}", last + 1)));
        }
        if own != last {
            let detail = format!("its vector covers {own} of its own author, expected {last}");
            return Err(wrong(None, detail));
        }
        if let Some((peer, sequence)) = unseen {
            let detail = "the first entry stands before the second, which its author had seen";
            return Err(wrong(Some(Dot { peer, sequence }), detail.to_owned()));
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
