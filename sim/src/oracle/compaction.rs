//! Nothing is cut from a log that a device lacks which the workspace is shared with, and no base
//! covers what is not durable.

use graphshell_sync::{Dot, VersionVector};

use super::Finding;
use crate::world::image::Holdings;

/// Judges entries of `peer`'s log that are cut; `other` is the disk of one it shares with.
pub(crate) fn judge_cut(
    peer: usize,
    cut: &[Dot],
    (other, held): (usize, &Holdings),
) -> Result<(), Finding> {
    match cut.iter().find(|&&dot| held.get(dot).is_none()) {
        None => Ok(()),
        Some(&dot) => Err(Finding {
            property: "nothing is cut that a member lacks",
            peers: vec![peer, other],
            operations: vec![dot],
            detail: "the first peer cuts the entry from its log, the second does not hold it"
                .to_owned(),
        }),
    }
}

/// Judges a base that `peer` has put under its log: it covers what the disk held, and what was
/// durable where it came from.
pub(crate) fn judge_base(
    peer: usize,
    held: &VersionVector,
    base: &VersionVector,
) -> Result<(), Finding> {
    for (author, sequence) in base.iter().chain(held.iter()) {
        let (has, says) = (held.get(author), base.get(author));
        if has != says {
            return Err(Finding {
                property: "a base covers what is durable",
                peers: vec![peer],
                operations: vec![Dot { peer: author, sequence }],
                detail: format!(
                    "the base covers {says} entries of the author; {has} were durable here, or \
                     where it came from"
                ),
            });
        }
    }
    Ok(())
}
