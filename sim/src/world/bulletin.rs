//! What happens to the world, told when it happens: partitions, weather, clocks, weeks that pass.
//!
//! [`Timeline`](super::timeline::Timeline) holds it as functions of time, so nobody does it at its
//! time. It is told ahead of the first line of that time or later: nobody waits for it, and the run is
//! the same with and without.

use std::cell::Cell;

use super::shared::World;
use crate::plan::{Action, Network, Plan};
use crate::trace::{Mark, Trace};

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// All that is to be told, by time.
pub(crate) struct Bulletin {
    items: Vec<Item>,
    /// How many are told.
    told: Cell<usize>,
}

struct Item {
    at_ms: u64,
    /// Whom it concerns, as places in the plan; nobody means all.
    peers: Vec<usize>,
    words: String,
}

impl Bulletin {
    /// Reads a valid plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        let item = |step: &crate::plan::Step| {
            let (names, words) = happening(&step.action)?;
            let peers = names.into_iter().filter_map(|name| plan.peer_index(name)).collect();
            Some(Item { at_ms: step.at_ms, peers, words })
        };
        let mut items: Vec<Item> = plan.steps.iter().filter_map(item).collect();
        items.sort_by_key(|item| item.at_ms);
        Bulletin { items, told: Cell::new(0) }
    }
}

impl World {
    /// Tells what has happened to the world by now and is not told yet.
    pub(super) fn tell_due(&self, trace: &mut Trace) {
        if self.started_ms.get().is_none() {
            return;
        }
        let Bulletin { items, told } = &self.bulletin;
        while let Some(item) = items.get(told.get()).filter(|item| item.at_ms <= self.plan_ms()) {
            told.set(told.get() + 1);
            let who = if let [only] = item.peers[..] { &self.peers[only].name } else { "" };
            trace.record(item.at_ms, who, format_args!("{}", item.words), &[]);
            trace.mark(item.at_ms, None, || Mark::Happened { to: item.peers.clone() });
        }
    }
}

/// Whom a step concerns and what it does in words, if it happens to the world; what happens to a
/// peer tells itself.
pub(crate) fn happening(action: &Action) -> Option<(Vec<&str>, String)> {
    Some(match action {
        Action::Partition { from, to, one_way } => {
            let words = match one_way {
                true => format!("no frame gets from {from} to {to}"),
                false => format!("{from} and {to} are cut off from each other"),
            };
            (vec![from, to], words)
        }
        Action::Flap { from, to, period_ms } => (
            vec![from, to],
            format!("{from} and {to} are cut off and reach each other by turns of {period_ms} ms"),
        ),
        Action::SlowLink { from, to, one_way, delay_ms, bytes_per_s } => {
            let way = if *one_way { "to" } else { "from and to" };
            let rate = bytes_per_s.map_or(String::new(), |rate| format!(", {rate} bytes a second"));
            let words = format!("frames of {from} {way} {to} take {delay_ms} ms longer{rate}");
            (vec![from, to], words)
        }
        Action::Mend { from, to } => {
            (vec![from, to], format!("the link of {from} and {to} is as ever again"))
        }
        Action::Reset { from, to } => {
            (vec![from, to], format!("the connection of {from} and {to} breaks"))
        }
        Action::TimePasses { by_ms } => {
            let words = match by_ms / DAY_MS {
                0 => format!("nobody does anything for {} s", by_ms / 1_000),
                days => format!("nobody does anything for {days} days"),
            };
            (Vec::new(), words)
        }
        Action::ClockJump { peer, by_ms } => {
            (vec![peer], format!("has a clock that jumps by {by_ms:+} ms"))
        }
        Action::Weather { network } => {
            (Vec::new(), format!("the weather changes: {}", weather(network)))
        }
        Action::Edit { .. }
        | Action::Browse { .. }
        | Action::Sync { .. }
        | Action::Resolve { .. }
        | Action::Crash { .. }
        | Action::PowerCut { .. }
        | Action::FillDisk { .. }
        | Action::ClearDisk { .. }
        | Action::Rot { .. }
        | Action::Restart { .. }
        | Action::Backup { .. }
        | Action::Restore { .. }
        | Action::LoseTail { .. }
        | Action::Checkpoint { .. }
        | Action::Compact { .. }
        | Action::Share { .. }
        | Action::Withdraw { .. }
        | Action::Expect { .. } => return None,
    })
}

/// How frames fare.
fn weather(network: &Network) -> String {
    let Network { delay_ms, loss, duplication, corruption, truncation, unchecked } = network;
    let rates = [
        ("loss", loss),
        ("duplication", duplication),
        ("corruption", corruption),
        ("truncation", truncation),
        ("unchecked", unchecked),
    ];
    let rates = rates.into_iter().filter(|(_, rate)| **rate != 0);
    let rates = rates.map(|(what, rate)| format!(", {what} {rate} ‰")).collect::<String>();
    format!("delay {} to {} ms{rates}", delay_ms.0, delay_ms.1)
}

#[cfg(test)]
mod tests {
    use crate::plan::Plan;
    use crate::world::{Options, run};

    #[test]
    fn what_happens_to_the_world_is_told_at_its_time_and_in_its_order() {
        let text = r#"{"why": "x", "peers": [{"name": "ada"}, {"name": "ben"}], "steps": [
            {"at_ms": 0, "do": "partition", "from": "ada", "to": "ben"},
            {"at_ms": 20, "do": "sync", "peer": "ada", "with": "ben"},
            {"at_ms": 20, "do": "clock_jump", "peer": "ben", "by_ms": -7},
            {"at_ms": 90, "do": "mend", "from": "ada", "to": "ben"},
            {"at_ms": 91, "do": "time_passes", "by_ms": 180000000}]}"#;
        let plan = Plan::from_json(text, "test").unwrap();
        let options = Options { keep_events: true, keep_marks: false };
        let told = run(&plan, &options).story;
        let place = |at_ms: u64, peer: &str, text: &str| {
            let is = |line: &crate::trace::Line| {
                (line.virtual_ms, &*line.peer, &*line.text) == (at_ms, peer, text)
            };
            told.iter().position(is).unwrap_or_else(|| panic!("{text}: {told:#?}"))
        };
        let places = [
            place(0, "", "the plan begins"),
            place(0, "", "ada and ben are cut off from each other"),
            place(20, "ben", "has a clock that jumps by -7 ms"),
            place(20, "ada", "begins a round with ben"),
            place(90, "", "the link of ada and ben is as ever again"),
            place(91, "", "nobody does anything for 2 days"),
        ];
        assert!(places.is_sorted(), "{places:?}");
    }
}
