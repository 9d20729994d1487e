//! Peers that speak different versions of the protocol say so to each other and exchange nothing: no
//! frame of one is read by the other, and rounds end with the version's name.

use graphshell_sync::wire::Reject;
use graphshell_sync::{SyncError, SyncReport};

use super::Finding;

const PROPERTY: &str = "other versions are told apart";

/// Judges a frame of `from` that `peer` took for one in its own version.
pub(crate) fn judge_frame(peer: usize, from: usize, ours: u8, theirs: u8) -> Result<(), Finding> {
    if ours == theirs {
        return Ok(());
    }
    Err(Finding {
        property: PROPERTY,
        peers: vec![peer, from],
        operations: Vec::new(),
        detail: format!("the first, of version {ours}, reads a frame of version {theirs}"),
    })
}

/// Judges the end of a round with a peer that speaks `theirs`, another version than `peer`'s own.
/// No answer may have come; if one did, which is `told`, its version must have been named, unless the
/// network damages frames.
pub(crate) fn judge_round(
    peer: usize,
    theirs: u8,
    told: bool,
    damages: bool,
    result: &Result<SyncReport, SyncError>,
) -> Result<(), Finding> {
    let found = match result {
        Err(_) if damages => return Ok(()),
        Err(SyncError::Refused(Reject::Version(version))) if *version == theirs => return Ok(()),
        Err(error @ SyncError::Call(_)) if told => error.to_string(),
        // Nothing arrived, or the store was not up to it.
        Err(SyncError::Refused(reject)) => reject.to_string(),
        Err(SyncError::Call(graphshell_sync::ports::CallError::Nonsense(what))) => what.clone(),
        Err(_) => return Ok(()),
        Ok(_) => "that all went well".to_owned(),
    };
    Err(Finding {
        property: PROPERTY,
        peers: vec![peer],
        operations: Vec::new(),
        detail: format!("the other side speaks version {theirs}; the round says: {found}"),
    })
}
