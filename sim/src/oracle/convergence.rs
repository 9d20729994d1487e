//! After the heal all peers have the same entries, and peers with the same entries are equal byte
//! for byte.
//!
//! A peer may lack an entry only if a history that forks stands in the way: the entry's author was
//! reported as forked, or the entry relies on another one that the peer lacks (which is judged by
//! itself, so at the root there is a reported fork).

use std::collections::{BTreeMap, BTreeSet};

use graphshell_sync::{Dot, PeerId, SyncedLogEntry};

use super::{Finding, View};

const PROPERTY: &str = "convergence";

/// Judges that nobody lacks anything, after the heal; `forked` are the authors that somebody
/// reported.
pub(crate) fn complete(views: &[View], forked: &BTreeSet<PeerId>) -> Result<(), Finding> {
    for have in views {
        let entries: BTreeMap<Dot, &SyncedLogEntry> =
            have.history.iter().map(|entry| (entry.dot(), entry)).collect();
        for lack in views {
            lacks_nothing_of(have, &entries, lack, forked)?;
        }
    }
    Ok(())
}

/// Finds an entry that `lack` could have had from `have`.
fn lacks_nothing_of(
    have: &View,
    entries: &BTreeMap<Dot, &SyncedLogEntry>,
    lack: &View,
    forked: &BTreeSet<PeerId>,
) -> Result<(), Finding> {
    let reached = lack.frontier.vector();
    for (peer, last) in have.frontier.vector().iter() {
        let next = Dot { peer, sequence: reached.get(peer) + 1 };
        if next.sequence > last || forked.contains(&peer) {
            continue;
        }
        let Some(entry) = entries.get(&next) else { continue };
        let mut causes = entry.version_vector.clone();
        causes.raise(peer, next.sequence - 1);
        if reached.covers(&causes) {
            return Err(Finding {
                property: PROPERTY,
                peers: vec![lack.peer, have.peer],
                operations: vec![next],
                detail: "the first peer lacks an entry of the second although it has all that the \
                         entry relies on"
                    .to_owned(),
            });
        }
    }
    Ok(())
}

/// Judges that peers with the same entries are equal, healed or not.
pub(crate) fn equal(views: &[View]) -> Result<(), Finding> {
    for (index, one) in views.iter().enumerate() {
        for other in &views[index + 1..] {
            if one.frontier != other.frontier || !one.settled() || !other.settled() {
                continue;
            }
            let differs = if one.state != other.state {
                "merged states"
            } else if one.graph != other.graph {
                "graphs"
            } else {
                continue;
            };
            return Err(Finding {
                property: PROPERTY,
                peers: vec![one.peer, other.peer],
                operations: Vec::new(),
                detail: format!("the peers hold the same entries, but their {differs} differ"),
            });
        }
    }
    Ok(())
}
