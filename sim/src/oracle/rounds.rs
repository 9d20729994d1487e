//! A round that ends well leaves nothing behind: what either side held when it began, both hold.

use graphshell_sync::{Dot, VersionVector};

use super::Finding;

/// Judges that `peer` holds what it or the other side held before the round.
pub(crate) fn judge(
    peer: usize,
    before: &VersionVector,
    held: &VersionVector,
) -> Result<(), Finding> {
    for (author, sequence) in before.iter() {
        let next = held.get(author) + 1;
        if next <= sequence {
            return Err(Finding {
                property: "a round that ends well leaves nothing behind",
                peers: vec![peer],
                operations: vec![Dot { peer: author, sequence: next }],
                detail: "a side of the round held the entry when it began, the peer does not now"
                    .to_owned(),
            });
        }
    }
    Ok(())
}
