//! What each fault of a plan really did.
//!
//! A fault that met nothing proves nothing. So every effect is booked on the fault that caused it,
//! and a run is worth something only if each kind of fault in its plan did something. A single
//! fault may be inert beside others of its kind: it is listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::plan::{Fault, FaultKind, Plan, Source};

/// How often what happened, in words such as `frames lost`.
pub type Effects = BTreeMap<&'static str, u64>;

/// The faults of one plan and their effects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    entries: Vec<Entry>,
}

/// One fault and its effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The fault.
    pub fault: Fault,
    /// Where the plan says so, in words: `network`, `peer ada`, `step 12`.
    pub place: String,
    /// What it did; empty if it is inert.
    pub effects: Effects,
}

impl Ledger {
    /// The faults of a valid plan, none of which has done anything yet.
    pub(crate) fn new(plan: &Plan) -> Self {
        let place = |source| match source {
            Source::Network => "network".to_owned(),
            Source::Disk => "disk".to_owned(),
            Source::Peer(peer) => format!("peer {}", plan.peers[peer].name),
            Source::Step(step) => format!("step {}", step + 1),
        };
        let faults = plan.faults().into_iter();
        let entry =
            |fault: Fault| Entry { fault, place: place(fault.source), effects: Effects::new() };
        let mut entries: Vec<Entry> = faults.map(entry).collect();
        entries.sort_by_key(|entry| entry.fault);
        Ledger { entries }
    }

    /// Books an effect; one of something that is no fault of the plan counts for nothing.
    pub(crate) fn book(&mut self, fault: Fault, what: &'static str, times: u64) {
        let found = self.entries.binary_search_by_key(&fault, |entry| entry.fault);
        if let (Ok(place), true) = (found, times > 0) {
            *self.entries[place].effects.entry(what).or_insert(0) += times;
        }
    }

    /// All faults, by kind and place.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The kinds of which no fault did anything.
    pub fn inert(&self) -> BTreeSet<FaultKind> {
        let bit = |kind| {
            self.entries.iter().any(|entry| entry.fault.kind == kind && !entry.effects.is_empty())
        };
        self.entries.iter().map(|entry| entry.fault.kind).filter(|&kind| !bit(kind)).collect()
    }

    /// Each kind of inert faults with its places, in words; `None` if there is none.
    pub(crate) fn complaint(&self) -> Option<String> {
        let inert = self.inert().into_iter().map(|kind| {
            let of_kind = self.entries.iter().filter(|entry| entry.fault.kind == kind);
            let places: Vec<&str> = of_kind.map(|entry| entry.place.as_str()).collect();
            format!("{} ({})", kind.name(), places.join(", "))
        });
        let inert: Vec<String> = inert.collect();
        (!inert.is_empty()).then(|| format!("these faults had no effect: {}", inert.join("; ")))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: ", self.fault.kind.name(), self.place)?;
        if self.effects.is_empty() {
            return f.write_str("no effect");
        }
        for (nth, (what, times)) in self.effects.iter().enumerate() {
            write!(f, "{}{times} {what}", if nth > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let text = r#"{"why": "x", "peers": [{"name": "ada"}, {"name": "ben", "clock_offset_ms": 5}],
            "network": {"loss": 5}, "steps": [
            {"at_ms": 0, "do": "partition", "from": "ada", "to": "ben"},
            {"at_ms": 1, "do": "mend", "from": "ada", "to": "ben"},
            {"at_ms": 2, "do": "partition", "from": "ada", "to": "ben"}]}"#;
        Ledger::new(&Plan::from_json(text, "test").unwrap())
    }

    fn of_step(step: usize) -> Fault {
        Fault { kind: FaultKind::Partition, source: Source::Step(step) }
    }

    #[test]
    fn a_kind_that_did_nothing_is_named_with_its_places() {
        let mut ledger = ledger();
        ledger.book(Fault { kind: FaultKind::Loss, source: Source::Network }, "frames lost", 3);
        let said = ledger.complaint().unwrap();
        assert_eq!(
            said,
            "these faults had no effect: partition (step 1, step 3); clock_offset (peer ben)"
        );
    }

    #[test]
    fn one_fault_of_a_kind_that_bites_is_enough_and_the_others_are_listed() {
        let mut ledger = ledger();
        ledger.book(of_step(2), "frames lost", 2);
        assert!(!ledger.inert().contains(&FaultKind::Partition));
        let told: Vec<String> = ledger.entries().iter().map(Entry::to_string).collect();
        assert!(told.contains(&"partition, step 1: no effect".to_owned()), "{told:?}");
        assert!(told.contains(&"partition, step 3: 2 frames lost".to_owned()), "{told:?}");
    }

    #[test]
    fn what_is_no_fault_of_the_plan_is_booked_nowhere() {
        let mut ledger = ledger();
        ledger.book(of_step(1), "frames lost", 2);
        ledger.book(of_step(0), "frames lost", 0);
        assert_eq!(ledger, self::ledger());
    }
}
