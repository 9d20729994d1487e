//! The machine in virtual time: single stories, then its laws over arbitrary ones.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::{AutoSync, Policy, RoundEnd, Trigger};
use crate::id::DeviceId;

const A: DeviceId = DeviceId([1; 32]);
const B: DeviceId = DeviceId([2; 32]);

fn policy() -> Policy {
    Policy { interval: None, ..Policy::default() }
}

/// A machine that shares with `devices` and has had its first round with each.
fn acquainted(policy: Policy, devices: &[DeviceId]) -> AutoSync {
    let mut machine = AutoSync::new(policy, 7);
    for &device in devices {
        machine.handle(0, Trigger::Allowed(device));
    }
    for _ in devices {
        let begun = machine.poll(0).expect("a new device is met at once");
        machine.handle(0, Trigger::Finished(begun, RoundEnd::Done));
    }
    assert_eq!(machine.poll(0), None);
    machine
}

fn connect(machine: &mut AutoSync, now: u64, device: DeviceId) {
    machine.handle(now, Trigger::Connected(device));
    let due = machine.due(device).expect("whoever comes is synced with");
    assert_eq!(machine.poll(due), Some(device));
    machine.handle(due, Trigger::Finished(device, RoundEnd::Done));
}

#[test]
fn edit_reaches_a_connected_device_at_once() {
    let mut machine = acquainted(policy(), &[A]);
    connect(&mut machine, 0, A);
    machine.handle(10_000, Trigger::Changed);
    assert_eq!(machine.poll(10_000), Some(A));
}

#[test]
fn edits_during_a_round_wait_for_one_more() {
    let mut machine = acquainted(policy(), &[A]);
    connect(&mut machine, 0, A);
    machine.handle(10_000, Trigger::Changed);
    assert_eq!(machine.poll(10_000), Some(A));
    for now in 10_001..10_050 {
        machine.handle(now, Trigger::Changed);
        assert_eq!(machine.poll(now), None, "one round at a time");
    }
    machine.handle(10_050, Trigger::Finished(A, RoundEnd::Done));
    assert_eq!(machine.poll(10_050), Some(A));
    machine.handle(10_060, Trigger::Finished(A, RoundEnd::Done));
    assert_eq!((machine.poll(1_000_000), machine.timeout()), (None, None));
}

#[test]
fn device_that_is_away_is_dialed_once_the_user_rests() {
    let mut machine = acquainted(policy(), &[A]);
    machine.handle(10_000, Trigger::Changed);
    machine.handle(11_000, Trigger::Changed);
    assert_eq!(machine.timeout(), Some(13_000));
    assert_eq!(machine.poll(12_999), None);
    assert_eq!(machine.poll(13_000), Some(A));
}

#[test]
fn user_who_never_rests_puts_it_off_only_so_long() {
    let mut machine = acquainted(policy(), &[A]);
    for second in 0..30 {
        machine.handle(second * 1_000, Trigger::Changed);
        assert_eq!(machine.poll(second * 1_000), None);
    }
    assert_eq!(machine.timeout(), Some(30_000));
}

#[test]
fn what_comes_from_others_is_gathered_before_it_is_passed_on() {
    let mut machine = acquainted(policy(), &[A, B]);
    connect(&mut machine, 0, A);
    connect(&mut machine, 0, B);
    for now in (10_000..10_900).step_by(10) {
        machine.handle(now, Trigger::Heard(B));
        machine.handle(now, Trigger::Arrived);
        assert_eq!(machine.poll(now), None, "more comes");
    }
    // A is told before B, from which it most likely came.
    assert_eq!(machine.timeout(), Some(10_910));
    assert_eq!(machine.poll(10_910), Some(A));
    let later = machine.due(B).expect("B is looked at as well");
    assert!((11_000..=11_500).contains(&later), "{later}");
    // An edit does not wait for that.
    machine.handle(10_920, Trigger::Changed);
    assert_eq!(machine.poll(10_920), Some(B));
}

#[test]
fn stream_from_others_is_passed_on_while_it_flows() {
    let mut machine = acquainted(policy(), &[A]);
    connect(&mut machine, 0, A);
    let mut rounds = 0;
    for now in (10_000..20_000).step_by(5) {
        machine.handle(now, Trigger::Arrived);
        machine.handle(now, Trigger::Heard(A));
        if machine.poll(now).is_some() {
            machine.handle(now, Trigger::Finished(A, RoundEnd::Done));
            rounds += 1;
        }
    }
    assert!((5..=10).contains(&rounds), "{rounds} rounds in ten seconds");
}

#[test]
fn failures_are_tried_again_later_and_later_with_jitter() {
    let mut machine = AutoSync::new(policy(), 7);
    machine.handle(0, Trigger::Allowed(A));
    let (mut now, mut waits) = (0, Vec::new());
    for _ in 0..12 {
        assert_eq!(machine.poll(now), Some(A));
        machine.handle(now, Trigger::Finished(A, RoundEnd::Failed));
        let next = machine.timeout().expect("it is tried again");
        waits.push(next - now);
        now = next;
    }
    for (nth, &wait) in waits.iter().enumerate() {
        let doubled = (1_000 << nth).min(300_000);
        assert!((doubled / 2..=doubled).contains(&wait), "{nth}: {wait}");
    }
    let differ = |pair: &[u64]| pair[0] != pair[1];
    assert!(waits[9..].windows(2).all(differ), "{waits:?}");
    // Success forgets it all.
    assert_eq!(machine.poll(now), Some(A));
    machine.handle(now, Trigger::Finished(A, RoundEnd::Done));
    machine.handle(now, Trigger::Changed);
    assert_eq!(machine.timeout(), Some(now + 2_000));
}

#[test]
fn wish_and_the_devices_coming_override_back_off_but_edits_do_not() {
    let mut machine = AutoSync::new(policy(), 7);
    machine.handle(0, Trigger::Allowed(A));
    for _ in 0..8 {
        let now = machine.timeout().expect("it is tried again");
        assert_eq!(machine.poll(now), Some(A));
        machine.handle(now, Trigger::Finished(A, RoundEnd::Failed));
    }
    let late = machine.timeout().expect("it is tried again");
    let now = late - 10_000;
    machine.handle(now - 5_000, Trigger::Changed);
    assert_eq!(machine.timeout(), Some(late));
    machine.handle(now, Trigger::Wanted(A));
    assert_eq!(machine.poll(now), Some(A));
    machine.handle(now, Trigger::Finished(A, RoundEnd::Failed));
    assert!(machine.timeout().expect("it is tried again") > now + 60_000);
    machine.handle(now, Trigger::Connected(A));
    assert!(machine.timeout().expect("it came by itself") <= now + 1_000);
}

#[test]
fn own_dial_of_a_device_that_refuses_does_not_reset_back_off() {
    let mut machine = AutoSync::new(policy(), 7);
    machine.handle(0, Trigger::Allowed(A));
    let mut now = 0;
    for _ in 0..10 {
        assert_eq!(machine.poll(now), Some(A));
        machine.handle(now, Trigger::Connected(A));
        machine.handle(now, Trigger::Gone(A));
        machine.handle(now, Trigger::Finished(A, RoundEnd::Failed));
        now = machine.timeout().expect("it is tried again");
    }
    assert!(now > 200_000, "{now}");
}

#[test]
fn device_that_went_is_looked_for() {
    let mut machine = acquainted(policy(), &[A]);
    connect(&mut machine, 0, A);
    machine.handle(50_000, Trigger::Gone(A));
    let next = machine.timeout().expect("it may come back");
    assert!((50_500..=51_000).contains(&next), "{next}");
}

#[test]
fn device_that_nothing_is_shared_with_is_left_alone() {
    let mut machine = AutoSync::new(Policy::default(), 7);
    machine.handle(0, Trigger::Connected(A));
    machine.handle(0, Trigger::Changed);
    machine.handle(0, Trigger::Wanted(A));
    assert_eq!((machine.poll(1 << 40), machine.timeout()), (None, None));
    machine.handle(1, Trigger::Allowed(A));
    assert_eq!(machine.poll(1), Some(A));
    // Taken away in the middle of a round, and given back: still one round at a time.
    machine.handle(2, Trigger::Withdrawn(A));
    machine.handle(3, Trigger::Allowed(A));
    assert_eq!(machine.poll(1 << 40), None);
    machine.handle(4, Trigger::Finished(A, RoundEnd::Failed));
    assert_eq!(machine.poll(1 << 40), Some(A));
    machine.handle(5, Trigger::Withdrawn(A));
    machine.handle(6, Trigger::Finished(A, RoundEnd::Failed));
    machine.handle(7, Trigger::Gone(A));
    assert!(machine.peers.is_empty(), "nothing is remembered");
}

#[test]
fn routine_comes_round_at_intervals_with_jitter() {
    let interval = Duration::from_secs(100);
    let mut machine = acquainted(Policy { interval: Some(interval), ..Policy::default() }, &[A]);
    let mut now = 0;
    for _ in 0..20 {
        let next = machine.timeout().expect("it comes round");
        assert!((75_000..=100_000).contains(&(next - now)), "{}", next - now);
        now = next;
        assert_eq!(machine.poll(now), Some(A));
        machine.handle(now, Trigger::Finished(A, RoundEnd::Done));
    }
}

#[test]
fn few_are_dialed_at_once_and_connected_ones_do_not_wait_for_them() {
    let many: Vec<_> = (1..=20).map(|number| DeviceId([number; 32])).collect();
    let mut machine = AutoSync::new(policy(), 7);
    many.iter().for_each(|&device| machine.handle(0, Trigger::Allowed(device)));
    let dialed: Vec<_> = std::iter::from_fn(|| machine.poll(0)).collect();
    assert_eq!(dialed, many[..4]);
    machine.handle(0, Trigger::Connected(many[10]));
    assert_eq!(machine.poll(0), Some(many[10]));
    assert_eq!(machine.poll(0), None);
    machine.handle(1, Trigger::Finished(many[0], RoundEnd::Failed));
    assert_eq!(machine.poll(1), Some(many[4]), "whoever waits longest is next");
}

/// What a test does to the machine.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Tell(Trigger),
    /// The n-th of the rounds under way ends.
    End(usize, RoundEnd),
}

fn device() -> impl Strategy<Value = DeviceId> {
    (1..=4_u8).prop_map(|number| DeviceId([number; 32]))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..5_000_u64).prop_map(Step::Pass),
        1 => Just(Step::Pass(400_000)),
        3 => Just(Step::Tell(Trigger::Changed)),
        2 => Just(Step::Tell(Trigger::Arrived)),
        1 => device().prop_map(|device| Step::Tell(Trigger::Heard(device))),
        2 => device().prop_map(|device| Step::Tell(Trigger::Connected(device))),
        1 => device().prop_map(|device| Step::Tell(Trigger::Gone(device))),
        1 => device().prop_map(|device| Step::Tell(Trigger::Wanted(device))),
        3 => device().prop_map(|device| Step::Tell(Trigger::Allowed(device))),
        1 => device().prop_map(|device| Step::Tell(Trigger::Withdrawn(device))),
        4 => (0..4_usize).prop_map(|nth| Step::End(nth, RoundEnd::Done)),
        2 => (0..4_usize).prop_map(|nth| Step::End(nth, RoundEnd::Failed)),
    ]
}

/// What the laws need to know beside the machine.
#[derive(Default)]
struct Watch {
    now: u64,
    running: Vec<DeviceId>,
    allowed: BTreeMap<DeviceId, bool>,
    connected: BTreeMap<DeviceId, bool>,
    /// Since when each connected device may lack something, and whether a round failed since.
    owed: BTreeMap<DeviceId, (u64, bool)>,
}

impl Watch {
    fn is(map: &BTreeMap<DeviceId, bool>, device: DeviceId) -> bool {
        map.get(&device).copied().unwrap_or(false)
    }

    fn told(&mut self, trigger: Trigger) {
        match trigger {
            Trigger::Changed | Trigger::Arrived => {
                for number in 1..=4 {
                    let device = DeviceId([number; 32]);
                    if Self::is(&self.allowed, device) {
                        self.owed.entry(device).or_insert((self.now, false));
                    }
                }
            }
            Trigger::Connected(device) => {
                self.connected.insert(device, true);
                // It waited to be dialed until now.
                let now = self.now;
                self.owed.entry(device).and_modify(|(since, _)| *since = now);
            }
            Trigger::Gone(device) => drop(self.connected.insert(device, false)),
            Trigger::Allowed(device) => drop(self.allowed.insert(device, true)),
            Trigger::Withdrawn(device) => {
                self.allowed.insert(device, false);
                self.owed.remove(&device);
            }
            _ => {}
        }
    }

    /// Begins all rounds that are due, and holds the machine to the laws of that.
    fn poll(&mut self, machine: &mut AutoSync) {
        while let Some(device) = machine.poll(self.now) {
            assert!(!self.running.contains(&device), "two rounds with one device");
            assert!(Self::is(&self.allowed, device), "a round with a device that is not allowed");
            self.running.push(device);
            self.owed.remove(&device);
        }
        assert!(machine.timeout().is_none_or(|due| {
            let dials =
                self.running.iter().filter(|&&device| !Self::is(&self.connected, device)).count();
            due > self.now || dials >= Policy::default().dials_at_once
        }));
        for (&device, &(since, failed)) in &self.owed {
            let waits = self.running.contains(&device)
                || failed
                || !Self::is(&self.connected, device)
                || self.now <= since + 1_500 + machine.policy.listening.as_millis() as u64;
            assert!(waits, "{device} is connected, and was not told for too long");
        }
    }

    /// Lets time pass from one thing that is due to the next.
    fn pass(&mut self, machine: &mut AutoSync, ms: u64) {
        let end = self.now + ms;
        while let Some(due) = machine.timeout().filter(|&due| due <= end && due > self.now) {
            self.now = due;
            self.poll(machine);
        }
        self.now = end;
        self.poll(machine);
    }
}

proptest! {
    #[test]
    fn laws_hold_for_any_story(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut machine = AutoSync::new(Policy::default(), seed);
        let mut watch = Watch::default();
        for step in steps {
            match step {
                Step::Pass(ms) => watch.pass(&mut machine, ms),
                // The network tells of each change once.
                Step::Tell(Trigger::Connected(device))
                    if Watch::is(&watch.connected, device) => {}
                Step::Tell(Trigger::Gone(device))
                    if !Watch::is(&watch.connected, device) => {}
                Step::Tell(trigger) => {
                    machine.handle(watch.now, trigger);
                    watch.told(trigger);
                    watch.poll(&mut machine);
                }
                Step::End(nth, end) => {
                    if watch.running.is_empty() {
                        continue;
                    }
                    let device = watch.running.remove(nth % watch.running.len());
                    if end == RoundEnd::Failed && Watch::is(&watch.allowed, device) {
                        watch.owed.insert(device, (watch.now, true));
                    }
                    machine.handle(watch.now, Trigger::Finished(device, end));
                    watch.poll(&mut machine);
                }
            }
        }
        // In the end every round ends well, and whoever is allowed has had one after the last change.
        for _ in 0..200 {
            for device in std::mem::take(&mut watch.running) {
                machine.handle(watch.now, Trigger::Finished(device, RoundEnd::Done));
            }
            watch.pass(&mut machine, 10_000);
        }
        prop_assert!(watch.owed.is_empty(), "{:?} starved", watch.owed);
    }
}
