//! An edit is refused only for a reason that is so, and taken back only if the store failed.

use graphshell_sync::EditError;
use graphshell_sync::limits::MAX_VOLATILE_ENTRIES;

use super::Finding;

/// What the peer's own reader and the world know about the reasons for a refusal.
pub(crate) struct Circumstances {
    /// Whether the peer's reader sees what the error says that the peer lacks.
    pub(crate) shown: bool,
    /// Whether it is an edit, or settles a conflict as that kind of conflict can be settled.
    pub(crate) fits: bool,
    /// Whether its store failed, or its name may be about to change.
    pub(crate) in_trouble: bool,
    /// Entries that wait for its disk.
    pub(crate) waiting: u64,
}

/// Judges that `peer`'s user could not make an edit. A plan's edits are within the bounds of one edit,
/// its peers within those of a workspace.
pub(crate) fn judge(peer: usize, error: &EditError, now: &Circumstances) -> Result<(), Finding> {
    let so = match error {
        EditError::NoSuchNode(_) | EditError::NoSuchEdge(..) | EditError::NoSuchConflict(_) => {
            !now.shown
        }
        EditError::WrongResolution | EditError::NoSuchClaim(_) => !now.fits,
        EditError::Unavailable => now.in_trouble,
        EditError::Busy => now.waiting >= MAX_VOLATILE_ENTRIES as u64,
        EditError::TooLong(_)
        | EditError::TooMany(_)
        | EditError::Empty
        | EditError::KnownKind(_)
        | EditError::ImportedBefore
        | EditError::ImportTooLate
        | EditError::TooManyAuthors
        | EditError::Closed => false,
    };
    if so {
        return Ok(());
    }
    Err(finding(peer, format!("the user was told {error:?} ({error}), which is not so")))
}

/// Judges that an edit was taken back.
pub(crate) fn judge_taken_back(peer: usize, store_failed: bool) -> Result<(), Finding> {
    if store_failed {
        return Ok(());
    }
    Err(finding(peer, "an edit was taken back, although no call of the store failed".to_owned()))
}

fn finding(peer: usize, detail: String) -> Finding {
    let property = "an edit is refused for a reason";
    Finding { property, peers: vec![peer], operations: Vec::new(), detail }
}

#[cfg(test)]
mod tests {
    use graphshell_sync::NodeId;

    use super::*;

    #[test]
    fn a_reason_that_is_not_so_is_found() {
        let now = |so: bool| {
            let waiting = MAX_VOLATILE_ENTRIES as u64 - u64::from(!so);
            Circumstances { shown: !so, fits: !so, in_trouble: so, waiting }
        };
        let node = NodeId(uuid::Uuid::from_u128(1));
        for error in [
            EditError::NoSuchNode(node),
            EditError::NoSuchEdge(node, node),
            EditError::WrongResolution,
            EditError::Unavailable,
            EditError::Busy,
        ] {
            assert_eq!(judge(0, &error, &now(true)), Ok(()));
            assert!(judge(0, &error, &now(false)).is_err(), "{error}");
        }
        assert!(judge(0, &EditError::Empty, &now(true)).is_err());
        assert_eq!(judge_taken_back(0, true), Ok(()));
        assert!(judge_taken_back(0, false).is_err());
    }
}
