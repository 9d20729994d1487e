//! How far the rounds under way have come.

use super::Core;
use super::push::gain;
use crate::api::Progress;
use crate::id::DeviceId;
use crate::wire::Frontier;

impl Core {
    /// How far the round with `peer` has come, if there is one.
    pub(crate) fn progress(&self, peer: DeviceId) -> Option<Progress> {
        let round = self.rounds.values().find(|round| round.peer() == peer)?;
        let (pushed, to_push) = round.pushing.as_ref().map_or((0, 0), |pushing| {
            (gain(&pushing.had, &pushing.acked), gain(&pushing.had, &pushing.goal))
        });
        let pulled = round.report.pulled;
        Some(Progress {
            pulled,
            to_pull: round.lacking.max(pulled),
            pushed,
            to_push: to_push.max(pushed),
        })
    }

    /// How many entries of a frontier are not here.
    pub(super) fn lacking_of(&self, theirs: &Frontier) -> u64 {
        let here =
            |peer| self.authors.get(peer).map_or(0, |author| self.ledger.chain(author).admitted());
        theirs.rows().iter().map(|row| row.sequence.saturating_sub(here(row.peer))).sum()
    }
}
