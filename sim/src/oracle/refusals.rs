//! An edit is refused only for a reason that is so.

use graphshell_sync::EditError;

use super::Finding;

/// What the peer's own reader and the world know about the reasons for a refusal.
pub(crate) struct Circumstances {
    /// Whether the peer's graph has what the error says that it lacks.
    pub(crate) shown: bool,
    /// Whether its store may have failed, or its name be about to change.
    pub(crate) in_trouble: bool,
    /// Whether edits wait for its disk.
    pub(crate) waiting: bool,
}

/// Judges that `peer`'s user could not make an edit.
pub(crate) fn judge(peer: usize, error: &EditError, now: &Circumstances) -> Result<(), Finding> {
    let so = match error {
        EditError::NoSuchNode(_) => !now.shown,
        EditError::Unavailable => now.in_trouble,
        EditError::Busy => now.waiting,
        _ => true,
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
        let now = |so: bool| Circumstances { shown: !so, in_trouble: so, waiting: so };
        let node = NodeId(uuid::Uuid::from_u128(1));
        for error in [EditError::NoSuchNode(node), EditError::Unavailable, EditError::Busy] {
            assert_eq!(judge(0, &error, &now(true)), Ok(()));
            assert!(judge(0, &error, &now(false)).is_err(), "{error}");
        }
        assert_eq!(judge(0, &EditError::Empty, &now(false)), Ok(()));
    }
}
