//! A round that ends well leaves nothing behind: what either side held when it began, both have.
//!
//! The side that began it may still have entries on their way to its disk that came in another
//! round: it did not ask for them again.

use graphshell_sync::{Dot, VersionVector};

use super::Finding;

/// Judges that `peer`, whose disk holds what `held` covers, has what it or the other side held
/// before the round; `met` tells what else it has.
pub(crate) fn judge(
    peer: usize,
    before: &VersionVector,
    held: &VersionVector,
    met: impl Fn(Dot) -> bool,
) -> Result<(), Finding> {
    for (author, last) in before.iter() {
        let beyond = held.get(author) + 1..=last;
        let mut dots = beyond.rev().map(|sequence| Dot { peer: author, sequence });
        if let Some(lacking) = dots.find(|&dot| !met(dot)) {
            return Err(Finding {
                property: "a round that ends well leaves nothing behind",
                peers: vec![peer],
                operations: vec![lacking],
                detail: "a side of the round held the entry when it began, the peer lacks it now"
                    .to_owned(),
            });
        }
    }
    Ok(())
}
