//! What is begun comes to an end, and once the faults are over everybody comes to rest.
//!
//! While faults last no round need succeed, so the bounds hold for what they leave possible: calls and
//! edits end, well or not, however long an answer takes; and rounds within the core move nothing any
//! more some turns after the heal, when nothing is lost between its peers.

use super::Finding;

/// How long peers may take to come up, and to finish what they have under way, in virtual milliseconds.
pub(crate) const SETTLE_MS: u64 = 20_000;
/// How long after its time a step may happen.
pub(crate) const LATE_MS: u64 = 30_000;
/// How long the turns after the heal may take together.
const HEAL_MS: u64 = 120_000;
/// Most polls of peers at one instant: far more than any work takes.
const MAX_POLLS_AT_ONCE: u64 = 10_000_000;

/// `what` has not come to pass within `limit_ms`.
pub(crate) fn overdue(limit_ms: u64, what: &str) -> Finding {
    finding(Vec::new(), format!("expected within {limit_ms} ms that {what}"))
}

/// Judges that a core of so many peers, where everybody synced with others in each of `turns` turns,
/// may still move after them. They took `spent_ms` together.
///
/// An entry needs as many turns as there are peers at most to get around the ring. What it makes
/// others author, ask for or give up has twice that.
pub(crate) fn judge_heal(peers: usize, turns: u64, spent_ms: u64) -> Result<(), Finding> {
    if turns < (3 * peers as u64).max(8) && spent_ms <= HEAL_MS {
        return Ok(());
    }
    let detail = format!(
        "after the heal, rounds still move something or fail ({turns} turns of {peers} peers, \
         {spent_ms} ms)"
    );
    Err(finding(Vec::new(), detail))
}

/// Judges that so many polls at one instant, the last ones of `peer`, come to an end.
pub(crate) fn judge_instant(peer: usize, polls: u64) -> Result<(), Finding> {
    if polls <= MAX_POLLS_AT_ONCE {
        return Ok(());
    }
    Err(finding(vec![peer], "it is woken again and again while no time passes".to_owned()))
}

fn finding(peers: Vec<usize>, detail: String) -> Finding {
    Finding { property: "liveness", peers, operations: Vec::new(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_may_move_for_three_turns_a_peer_and_two_minutes() {
        assert_eq!(judge_heal(5, 14, HEAL_MS), Ok(()));
        assert!(judge_heal(5, 15, 0).is_err());
        assert!(judge_heal(5, 1, HEAL_MS + 1).is_err());
    }

    #[test]
    fn even_two_peers_have_eight_turns() {
        assert_eq!(judge_heal(2, 7, 0), Ok(()));
        assert!(judge_heal(2, 8, 0).is_err());
    }
}
