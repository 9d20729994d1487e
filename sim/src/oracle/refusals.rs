//! An edit is refused only for a reason that is so.

use graphshell_sync::EditError;

use super::Finding;

/// What the peer's own reader and the world know about the reasons for a refusal.
pub(crate) struct Circumstances {
    /// Whether the peer's reader sees what the error says that the peer lacks.
    pub(crate) shown: bool,
    /// Whether the edit is to settle a conflict.
    pub(crate) settles: bool,
    /// Whether its store failed, or its name may be about to change.
    pub(crate) in_trouble: bool,
    /// Whether edits wait for its disk.
    pub(crate) waiting: bool,
}

/// Judges that `peer`'s user could not make an edit. A plan's edits are within the bounds of one edit,
/// its peers within those of a workspace.
pub(crate) fn judge(peer: usize, error: &EditError, now: &Circumstances) -> Result<(), Finding> {
    let so = match error {
        EditError::NoSuchNode(_) | EditError::NoSuchEdge(..) | EditError::NoSuchConflict(_) => {
            !now.shown
        }
        EditError::WrongResolution | EditError::NoSuchClaim(_) => now.settles,
        EditError::Unavailable => now.in_trouble,
        EditError::Busy => now.waiting,
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
    Err(Finding {
        property: "an edit is refused for a reason",
        peers: vec![peer],
        operations: Vec::new(),
        detail: format!("the user was told {error:?} ({error}), which is not so"),
    })
}

#[cfg(test)]
mod tests {
    use graphshell_sync::NodeId;

    use super::*;

    #[test]
    fn a_reason_that_is_not_so_is_found() {
        let now = |so: bool| Circumstances { shown: !so, settles: so, in_trouble: so, waiting: so };
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
    }
}
