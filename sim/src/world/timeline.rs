//! The plan's weather, links, connections and clocks as functions of virtual time.
//!
//! Steps that happen to a peer wait for the peer; these happen to the world, to the millisecond. So a
//! frame's fate depends on when it was sent and when it is due, not on the order in which peers run.
//! What a step does is said together with its number, so that it can be booked on it.

use std::collections::BTreeMap;

use crate::plan::{Action, Network, Plan};

/// Values, each from a time on.
type Changes<T> = Vec<(u64, T)>;

/// What the plan says about the world over time. Peers and steps are places in the plan's lists.
#[derive(Debug)]
pub(crate) struct Timeline {
    weather: Vec<(u64, Network)>,
    /// By (sender, receiver): from when on frames pass, or do not.
    gates: BTreeMap<(usize, usize), Vec<(u64, Gate)>>,
    /// By (sender, receiver): from when on frames take longer.
    speeds: BTreeMap<(usize, usize), Changes<Option<Slow>>>,
    /// When connections break, in order.
    breaks: Vec<Break>,
    /// When everybody is idle and for how long, in order, by step.
    idle: Vec<(u64, u64, usize)>,
    /// By peer: jumps of its wall clock, by step.
    jumps: BTreeMap<usize, Vec<(u64, i64, usize)>>,
}

#[derive(Clone, Copy, Debug)]
enum Gate {
    Open,
    Closed {
        step: usize,
    },
    /// Closed at first, then open, by turns.
    Flapping {
        step: usize,
        since_ms: u64,
        period_ms: u64,
    },
}

/// A link that is slower than the weather has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slow {
    pub(crate) step: usize,
    /// What a frame takes longer.
    pub(crate) delay_ms: u64,
    /// How many bytes pass in a second, if that is bounded.
    pub(crate) bytes_per_s: Option<u64>,
}

/// A moment at which whatever is on its way is lost and every call under way fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Break {
    pub(crate) at_ms: u64,
    pub(crate) step: usize,
    /// Between which two; `None` is between all.
    between: Option<(usize, usize)>,
}

impl Break {
    /// Whether it breaks the connection of these two.
    pub(crate) fn parts(&self, one: usize, other: usize) -> bool {
        self.between.is_none_or(|pair| pair == (one, other) || pair == (other, one))
    }
}

impl Timeline {
    /// Reads a valid plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut timeline = Timeline {
            weather: vec![(0, plan.network)],
            gates: BTreeMap::new(),
            speeds: BTreeMap::new(),
            breaks: Vec::new(),
            idle: Vec::new(),
            jumps: BTreeMap::new(),
        };
        let place = |name: &str| plan.peer_index(name).expect("the plan is valid");
        let ends = |from: &str, to: &str| (place(from), place(to));
        let both = |(from, to): (usize, usize)| [(from, to), (to, from)];
        for (number, step) in plan.steps.iter().enumerate() {
            let at = step.at_ms;
            match &step.action {
                Action::Weather { network } => timeline.weather.push((at, *network)),
                Action::Partition { from, to, one_way } => {
                    let ways = both(ends(from, to));
                    for &way in &ways[..if *one_way { 1 } else { 2 }] {
                        timeline.gate(at, way, Gate::Closed { step: number });
                    }
                }
                Action::Flap { from, to, period_ms } => {
                    let (since_ms, period_ms) = (at, *period_ms);
                    for way in both(ends(from, to)) {
                        let gate = Gate::Flapping { step: number, since_ms, period_ms };
                        timeline.gate(at, way, gate);
                    }
                }
                Action::SlowLink { from, to, one_way, delay_ms, bytes_per_s } => {
                    let slow =
                        Slow { step: number, delay_ms: *delay_ms, bytes_per_s: *bytes_per_s };
                    let ways = both(ends(from, to));
                    for &way in &ways[..if *one_way { 1 } else { 2 }] {
                        timeline.speeds.entry(way).or_default().push((at, Some(slow)));
                    }
                }
                Action::Mend { from, to } => {
                    for way in both(ends(from, to)) {
                        timeline.gate(at, way, Gate::Open);
                        timeline.speeds.entry(way).or_default().push((at, None));
                    }
                }
                Action::Reset { from, to } => {
                    let between = Some(ends(from, to));
                    timeline.breaks.push(Break { at_ms: at, step: number, between });
                }
                Action::TimePasses { by_ms } => {
                    timeline.idle.push((at, *by_ms, number));
                    timeline.breaks.push(Break { at_ms: at, step: number, between: None });
                }
                Action::ClockJump { peer, by_ms } => {
                    timeline.jumps.entry(place(peer)).or_default().push((at, *by_ms, number));
                }
                _ => {}
            }
        }
        timeline
    }

    fn gate(&mut self, at: u64, way: (usize, usize), gate: Gate) {
        self.gates.entry(way).or_default().push((at, gate));
    }

    /// How the network behaves at a time.
    pub(crate) fn weather(&self, at_ms: u64) -> Network {
        latest(&self.weather, at_ms).unwrap_or_default()
    }

    /// The step that keeps frames from getting from `from` to `to` at a time, if one does.
    pub(crate) fn closed_by(&self, from: usize, to: usize, at_ms: u64) -> Option<usize> {
        match latest(self.gates.get(&(from, to))?, at_ms)? {
            Gate::Open => None,
            Gate::Closed { step } => Some(step),
            Gate::Flapping { step, since_ms, period_ms } => {
                ((at_ms - since_ms) / period_ms).is_multiple_of(2).then_some(step)
            }
        }
    }

    /// What slows frames down that are sent from `from` to `to` at a time.
    pub(crate) fn slow(&self, from: usize, to: usize, at_ms: u64) -> Option<Slow> {
        latest(self.speeds.get(&(from, to))?, at_ms)?
    }

    /// When which connections break, in order.
    pub(crate) fn breaks(&self) -> &[Break] {
        &self.breaks
    }

    /// The step that breaks the connection of two peers after a time, up to and including another.
    pub(crate) fn broken_by(&self, one: usize, other: usize, ms: (u64, u64)) -> Option<usize> {
        let first = self.breaks.partition_point(|each| each.at_ms <= ms.0);
        let during = self.breaks[first..].iter().take_while(|each| each.at_ms <= ms.1);
        during.filter(|each| each.parts(one, other)).map(|each| each.step).next()
    }

    /// For how long everybody was idle until a time.
    pub(crate) fn idle_ms(&self, at_ms: u64) -> u64 {
        self.idle.iter().take_while(|&&(at, ..)| at <= at_ms).map(|&(_, by, _)| by).sum()
    }

    /// By how much a peer's wall clock has jumped until a time.
    pub(crate) fn clock_jump(&self, peer: usize, at_ms: u64) -> i64 {
        self.jumps_of(peer, at_ms).map(|&(_, by, _)| by).sum()
    }

    /// The steps without which a peer's wall clock would show another time: its own jumps, and
    /// those in which time passed.
    pub(crate) fn clock_steps(&self, peer: usize, at_ms: u64) -> impl Iterator<Item = usize> {
        let idle = self.idle.iter().take_while(move |&&(at, ..)| at <= at_ms);
        let jumps = self.jumps_of(peer, at_ms).map(|&(.., step)| step);
        jumps.chain(idle.map(|&(.., step)| step))
    }

    fn jumps_of(&self, peer: usize, at_ms: u64) -> impl Iterator<Item = &(u64, i64, usize)> {
        let jumps = self.jumps.get(&peer).map_or(&[][..], Vec::as_slice);
        jumps.iter().take_while(move |&&(at, ..)| at <= at_ms)
    }
}

fn latest<T: Copy>(changes: &[(u64, T)], at_ms: u64) -> Option<T> {
    let after = changes.partition_point(|&(at, _)| at <= at_ms);
    Some(changes[after.checked_sub(1)?].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(steps: &str) -> Timeline {
        let text =
            format!(r#"{{"why":"","peers":[{{"name":"a"}},{{"name":"b"}}],"steps":{steps}}}"#);
        Timeline::new(&serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn one_way_partition_closes_one_direction_until_it_is_mended() {
        let timeline = timeline(
            r#"[{"at_ms":10,"do":"partition","from":"a","to":"b","one_way":true},
                {"at_ms":20,"do":"mend","from":"b","to":"a"}]"#,
        );
        let closed = |at| (timeline.closed_by(0, 1, at), timeline.closed_by(1, 0, at));
        assert_eq!(closed(9), (None, None));
        assert_eq!(closed(10), (Some(0), None));
        assert_eq!(closed(19), (Some(0), None));
        assert_eq!(closed(20), (None, None));
    }

    #[test]
    fn full_partition_closes_both_directions() {
        let timeline = timeline(r#"[{"at_ms":10,"do":"partition","from":"a","to":"b"}]"#);
        assert_eq!(
            (timeline.closed_by(0, 1, 10), timeline.closed_by(1, 0, 99)),
            (Some(0), Some(0))
        );
    }

    #[test]
    fn a_link_that_flaps_is_closed_and_open_by_turns() {
        let timeline = timeline(
            r#"[{"at_ms":10,"do":"flap","from":"a","to":"b","period_ms":5},
                {"at_ms":31,"do":"mend","from":"a","to":"b"}]"#,
        );
        let closed: Vec<u64> =
            (0..50).filter(|&at| timeline.closed_by(1, 0, at).is_some()).collect();
        assert_eq!(closed, [10, 11, 12, 13, 14, 20, 21, 22, 23, 24, 30]);
    }

    #[test]
    fn a_slow_link_is_slow_from_its_sender_on_until_it_is_mended() {
        let timeline = timeline(
            r#"[{"at_ms":5,"do":"slow_link","from":"b","to":"a","one_way":true,"delay_ms":7},
                {"at_ms":9,"do":"mend","from":"a","to":"b"}]"#,
        );
        let slow = Slow { step: 0, delay_ms: 7, bytes_per_s: None };
        assert_eq!([4, 5, 9].map(|at| timeline.slow(1, 0, at)), [None, Some(slow), None]);
        assert_eq!(timeline.slow(0, 1, 5), None);
    }

    #[test]
    fn a_reset_breaks_one_connection_and_idle_time_breaks_all() {
        let timeline = timeline(
            r#"[{"at_ms":5,"do":"reset","from":"a","to":"b"},
                {"at_ms":9,"do":"time_passes","by_ms":1000}]"#,
        );
        assert_eq!(timeline.broken_by(1, 0, (4, 9)), Some(0));
        assert_eq!(timeline.broken_by(1, 0, (5, 9)), Some(1));
        assert_eq!(timeline.broken_by(1, 2, (0, 8)), None);
        assert_eq!(timeline.broken_by(1, 2, (0, 9)), Some(1));
        assert_eq!([8, 9].map(|at| timeline.idle_ms(at)), [0, 1000]);
    }

    #[test]
    fn weather_and_clock_jumps_hold_from_their_time_on() {
        let timeline = timeline(
            r#"[{"at_ms":5,"do":"weather","network":{"loss":7}},
                {"at_ms":5,"do":"clock_jump","peer":"b","by_ms":-30},
                {"at_ms":8,"do":"clock_jump","peer":"b","by_ms":10}]"#,
        );
        assert_eq!((timeline.weather(4).loss, timeline.weather(5).loss), (0, 7));
        assert_eq!([4, 5, 8].map(|at| timeline.clock_jump(1, at)), [0, -30, -20]);
        assert_eq!(timeline.clock_jump(0, 9), 0);
        assert_eq!(timeline.clock_steps(1, 7).collect::<Vec<_>>(), [1]);
        assert_eq!(timeline.clock_steps(1, 8).collect::<Vec<_>>(), [1, 2]);
    }
}
