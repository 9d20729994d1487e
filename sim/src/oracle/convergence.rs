//! After the heal all peers have the same entries, and peers with the same entries are equal byte
//! for byte.
//!
//! A peer may lack an entry only if a history that forks stands in the way: the entry is its
//! author's and lies past the last one that the branches share, or it relies on one that the peer
//! lacks or has with another content (which is judged by itself, so at the root there is a
//! reported fork), or on one past a reported fork while the two peers hold different branches.

use std::collections::BTreeMap;

use graphshell_sync::{Dot, PeerId, SyncedLogEntry};

use super::{Finding, Forks, View};
use crate::world::image::Holdings;

const PROPERTY: &str = "convergence";

/// Judges that nobody lacks anything, after the heal; `held` are the disks of the peers viewed.
pub(crate) fn complete(views: &[&(View, &Holdings)], forks: &Forks) -> Result<(), Finding> {
    for &have in views {
        let entries: BTreeMap<Dot, &SyncedLogEntry> =
            have.0.history.iter().map(|entry| (entry.dot(), entry)).collect();
        for &lack in views.iter().filter(|lack| lack.0.frontier != have.0.frontier) {
            lacks_nothing_of(have, &entries, lack, forks)?;
        }
    }
    Ok(())
}

/// Whether somebody whose log was `cut` can hand its snapshot to somebody else not at all, since it
/// is refused as a whole for what it holds of an author that forks: then entries that stand in it
/// alone may be lacking there, and at whoever would have had them from there.
pub(crate) fn is_cut_off(
    views: &[&(View, &Holdings)],
    cut: impl Fn(usize) -> bool,
    forks: &Forks,
) -> bool {
    let refused = |has: &Holdings, by: &Holdings| {
        let vector = has.vector();
        let last = |author: PeerId| Dot { peer: author, sequence: vector.get(author) };
        let beyond = |dot: Dot| has.get(dot).is_some() && by.get(dot) != has.get(dot);
        forks.keys().any(|&author| beyond(last(author)))
    };
    let handing = views.iter().filter(|(view, _)| cut(view.peer));
    handing.into_iter().any(|(_, has)| views.iter().any(|(_, by)| refused(has, by)))
}

/// Finds an entry that `lack` could have had from `have`.
fn lacks_nothing_of(
    (have, have_held): &(View, &Holdings),
    entries: &BTreeMap<Dot, &SyncedLogEntry>,
    (lack, lack_held): &(View, &Holdings),
    forks: &Forks,
) -> Result<(), Finding> {
    let reached = lack.frontier.vector();
    let past_fork = |dot: Dot| forks.get(&dot.peer).is_some_and(|&common| dot.sequence > common);
    for (peer, last) in have.frontier.vector().iter() {
        let next = Dot { peer, sequence: reached.get(peer) + 1 };
        if next.sequence > last || past_fork(next) {
            continue;
        }
        let Some(entry) = entries.get(&next) else { continue };
        // Peers on two branches cannot tell how far beyond the fork that is told these agree.
        let unsure = |cause: Dot| past_fork(cause) && have_held.parts_from(lack_held, cause.peer);
        let mut causes = entry.version_vector.iter().map(|(peer, sequence)| Dot { peer, sequence });
        let same = |cause| have_held.get(cause) == lack_held.get(cause);
        if causes.all(|cause| same(cause) && !unsure(cause)) {
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

/// Judges that peers with the same entries are equal, healed or not, where nothing is volatile. One
/// view for each set of entries.
pub(crate) fn equal<'a>(views: impl Iterator<Item = &'a View>) -> Result<Vec<&'a View>, Finding> {
    let mut first: Vec<&View> = Vec::new();
    for view in views.filter(|view| view.settled()) {
        let Some(one) = first.iter().find(|one| one.frontier == view.frontier) else {
            first.push(view);
            continue;
        };
        let differs = if one.state != view.state {
            "merged states"
        } else if one.graph != view.graph {
            "graphs"
        } else {
            continue;
        };
        return Err(Finding {
            property: PROPERTY,
            peers: vec![one.peer, view.peer],
            operations: Vec::new(),
            detail: format!("the peers hold the same entries, but their {differs} differ"),
        });
    }
    Ok(first)
}
