//! What the shell shows of each device.

use crate::api::{Progress, SyncError, SyncReport};

/// How it stands with one device that the workspace is shared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Whether there is a connection.
    pub connected: bool,
    /// What is going on.
    pub state: PeerState,
    /// What the last round did that reached its goal, and when it ended, in Unix milliseconds.
    pub last: Option<(u64, SyncReport)>,
}

/// See [`PeerStatus::state`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// Nothing: the last round reached its goal, or there was none yet.
    Idle {
        /// Since when, in Unix milliseconds.
        since_ms: u64,
    },
    /// A round is under way.
    Syncing(Progress),
    /// The last round ended before its goal.
    Failed {
        /// Why.
        why: SyncError,
        /// When it is tried again, in Unix milliseconds.
        next_try_ms: u64,
    },
}
