//! No two peers hold different content under one dot without anybody having said so, and nobody
//! forks who could have known better.
//!
//! Content is compared by the author's running hash, which binds the entry and all before it.
//! Entries that were disowned before they left count as held by nobody.

use std::collections::{BTreeMap, BTreeSet};

use graphshell_sync::{Dot, Hash, PeerId};

use super::{Finding, Forks};
use crate::world::image::Holdings;

/// Judges the durable images of all peers, after they had the chance to meet.
pub(crate) fn judge<'a>(
    images: impl Iterator<Item = (usize, &'a Holdings)>,
    forks: &Forks,
) -> Result<(), Finding> {
    let mut first: BTreeMap<Dot, (usize, Hash)> = BTreeMap::new();
    for (peer, held) in images {
        for (dot, hash) in held.iter() {
            let &mut (other, content) = first.entry(dot).or_insert((peer, hash));
            if content != hash && !forks.contains_key(&dot.peer) {
                return Err(Finding {
                    property: "no silent fork",
                    peers: vec![other, peer],
                    operations: vec![dot],
                    detail: "both peers hold an entry of this name, with different content, and \
                             nobody was told"
                        .to_owned(),
                });
            }
        }
    }
    Ok(())
}

/// Judges a fork that was reported: its author must have lost its memory outside the store with
/// the store; a witness tells every other device in time to author under another name.
pub(crate) fn judge_report(peer: usize, after: Dot, author_lost_all: bool) -> Result<(), Finding> {
    if author_lost_all {
        return Ok(());
    }
    Err(Finding {
        property: "no fork that the witness could prevent",
        peers: vec![peer],
        operations: vec![after],
        detail: "the peer reports a fork after this entry, although the witness of its author was \
                 never set back"
            .to_owned(),
    })
}

/// Judges that an opened workspace still lists the forks that its log tells of.
pub(crate) fn judge_listed(
    peer: usize,
    told: &BTreeSet<PeerId>,
    listed: &BTreeMap<PeerId, u64>,
) -> Result<(), Finding> {
    match told.iter().find(|author| !listed.contains_key(author)) {
        None => Ok(()),
        Some(author) => Err(Finding {
            property: "a proven fork stays proven",
            peers: vec![peer],
            operations: Vec::new(),
            detail: format!("the log tells of a fork of {author}, and the workspace of none"),
        }),
    }
}

/// Judges that a peer changed its name: its disk or its keyring must have failed it.
pub(crate) fn judge_rotation(peer: usize, excused: bool) -> Result<(), Finding> {
    if excused {
        return Ok(());
    }
    Err(Finding {
        property: "no false alarm",
        peers: vec![peer],
        operations: Vec::new(),
        detail:
            "the peer authors under another name, although nothing that it had was lost or set \
                 back"
                .to_owned(),
    })
}
