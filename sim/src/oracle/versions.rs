//! Peers that speak different versions of the protocol say so to each other and exchange nothing.

use graphshell_sync::wire::Reject;
use graphshell_sync::{SyncError, SyncReport};

use super::Finding;

/// Judges the end of a round with a peer that speaks `theirs`, another version than `peer`'s own.
/// No answer may have come; if one did, it must have been named, unless the network damages frames.
pub(crate) fn judge_round(
    peer: usize,
    theirs: u8,
    damages: bool,
    result: &Result<SyncReport, SyncError>,
) -> Result<(), Finding> {
    let found = match result {
        Err(_) if damages => return Ok(()),
        Err(SyncError::Refused(Reject::Version(version))) if *version == theirs => return Ok(()),
        // Nothing arrived, or the store was not up to it.
        Err(SyncError::Refused(reject)) => reject.to_string(),
        Err(SyncError::Call(graphshell_sync::ports::CallError::Nonsense(what))) => what.clone(),
        Err(_) => return Ok(()),
        Ok(_) => "that all went well".to_owned(),
    };
    Err(Finding {
        property: "other versions are told apart",
        peers: vec![peer],
        operations: Vec::new(),
        detail: format!("the other side speaks version {theirs}; the round says: {found}"),
    })
}
