//! How long a pairing may take.

use std::time::Duration;

use crate::limits::{PAIRING_CONNECT_SECONDS, PAIRING_DECISION_SECONDS, PAIRING_STEP_SECONDS};

/// How long each part of a pairing may take, on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Until there is a connection.
    pub connect: Duration,
    /// For each frame that no user has to think about, from its first byte waited for to its last.
    pub step: Duration,
    /// Until both users have said yes.
    pub decision: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Deadlines {
            connect: Duration::from_secs(PAIRING_CONNECT_SECONDS),
            step: Duration::from_secs(PAIRING_STEP_SECONDS),
            decision: Duration::from_secs(PAIRING_DECISION_SECONDS),
        }
    }
}
