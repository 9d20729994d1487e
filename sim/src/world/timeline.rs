//! The plan's weather, partitions and clock jumps as functions of virtual time.
//!
//! Steps that happen to a peer wait for the peer; these happen to the world, to the millisecond. So a
//! frame's fate depends on when it was sent and when it is due, not on the order in which peers run.

use std::collections::BTreeMap;

use crate::plan::{Action, Network, Plan};

/// What the plan says about the world over time. Peers are places in the plan's list.
#[derive(Debug)]
pub(crate) struct Timeline {
    weather: Vec<(u64, Network)>,
    /// By (sender, receiver): from when on frames pass, or do not.
    links: BTreeMap<(usize, usize), Vec<(u64, bool)>>,
    /// By peer: jumps of its wall clock.
    jumps: BTreeMap<usize, Vec<(u64, i64)>>,
}

impl Timeline {
    /// Reads a valid plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        let place = |name: &String| plan.peer_index(name);
        let mut timeline = Timeline {
            weather: vec![(0, plan.network)],
            links: BTreeMap::new(),
            jumps: BTreeMap::new(),
        };
        for step in &plan.steps {
            let at = step.at_ms;
            match &step.action {
                Action::Weather { network } => timeline.weather.push((at, *network)),
                Action::Partition { from, to, one_way } => {
                    if let (Some(from), Some(to)) = (place(from), place(to)) {
                        timeline.link(at, from, to, false);
                        if !one_way {
                            timeline.link(at, to, from, false);
                        }
                    }
                }
                Action::Mend { from, to } => {
                    if let (Some(from), Some(to)) = (place(from), place(to)) {
                        timeline.link(at, from, to, true);
                        timeline.link(at, to, from, true);
                    }
                }
                Action::ClockJump { peer, by_ms } => {
                    if let Some(peer) = place(peer) {
                        timeline.jumps.entry(peer).or_default().push((at, *by_ms));
                    }
                }
                _ => {}
            }
        }
        timeline
    }

    fn link(&mut self, at: u64, from: usize, to: usize, open: bool) {
        self.links.entry((from, to)).or_default().push((at, open));
    }

    /// How the network behaves at a time.
    pub(crate) fn weather(&self, at_ms: u64) -> Network {
        latest(&self.weather, at_ms).unwrap_or_default()
    }

    /// Whether a frame gets from `from` to `to` at a time.
    pub(crate) fn open(&self, from: usize, to: usize, at_ms: u64) -> bool {
        self.links.get(&(from, to)).and_then(|link| latest(link, at_ms)).unwrap_or(true)
    }

    /// By how much a peer's wall clock has jumped until a time.
    pub(crate) fn clock_jump(&self, peer: usize, at_ms: u64) -> i64 {
        let jumps = self.jumps.get(&peer).map_or(&[][..], Vec::as_slice);
        jumps.iter().take_while(|&&(at, _)| at <= at_ms).map(|&(_, by)| by).sum()
    }
}

fn latest<T: Copy>(changes: &[(u64, T)], at_ms: u64) -> Option<T> {
    let after = changes.partition_point(|&(at, _)| at <= at_ms);
    Some(changes[after.checked_sub(1)?].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(steps: &str) -> Plan {
        let text =
            format!(r#"{{"why":"","peers":[{{"name":"a"}},{{"name":"b"}}],"steps":{steps}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn one_way_partition_closes_one_direction_until_mended() {
        let timeline = Timeline::new(&plan(
            r#"[{"at_ms":10,"do":"partition","from":"a","to":"b","one_way":true},
                {"at_ms":20,"do":"mend","from":"b","to":"a"}]"#,
        ));
        let open = |at| (timeline.open(0, 1, at), timeline.open(1, 0, at));
        assert_eq!(open(9), (true, true));
        assert_eq!(open(10), (false, true));
        assert_eq!(open(19), (false, true));
        assert_eq!(open(20), (true, true));
    }

    #[test]
    fn full_partition_closes_both_directions() {
        let timeline =
            Timeline::new(&plan(r#"[{"at_ms":10,"do":"partition","from":"a","to":"b"}]"#));
        assert!(!timeline.open(0, 1, 10) && !timeline.open(1, 0, 99));
    }

    #[test]
    fn weather_and_clock_jumps_hold_from_their_time_on() {
        let timeline = Timeline::new(&plan(
            r#"[{"at_ms":5,"do":"weather","network":{"loss":7}},
                {"at_ms":5,"do":"clock_jump","peer":"b","by_ms":-30},
                {"at_ms":8,"do":"clock_jump","peer":"b","by_ms":10}]"#,
        ));
        assert_eq!((timeline.weather(4).loss, timeline.weather(5).loss), (0, 7));
        let jumps = [4, 5, 8].map(|at| timeline.clock_jump(1, at));
        assert_eq!(jumps, [0, -30, -20]);
        assert_eq!(timeline.clock_jump(0, 9), 0);
    }
}
