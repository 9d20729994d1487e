//! What faults did in many runs: how many seeds had each kind, and what came of it.

use std::collections::BTreeMap;

use comfy_table::ColumnConstraint;
use graphshell_sim::ledger::Ledger;
use indicatif::HumanCount;
use serde::{Deserialize, Serialize};

use super::table::table;
use super::tally::add;
use super::text::{hanging, plural};

/// Fewest columns in which the effects have room beside names and counts.
const NARROWEST_TABLE: usize = 72;

/// The ledgers of many runs, summed by kind of fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Faults(BTreeMap<String, Sum>);

/// One kind of fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sum {
    /// Runs whose plan has it.
    seeds: u64,
    /// Faults of the kind in all of them.
    faults: u64,
    /// Those without any effect.
    inert: u64,
    effects: BTreeMap<String, u64>,
}

impl Faults {
    pub(crate) fn add(&mut self, ledger: &Ledger) {
        let mut last = None;
        for entry in ledger.entries() {
            let kind = entry.fault.kind;
            let sum = self.0.entry(kind.name().to_owned()).or_default();
            sum.seeds += u64::from(last != Some(kind));
            sum.faults += 1;
            sum.inert += u64::from(entry.effects.is_empty());
            for (&what, times) in &entry.effects {
                *sum.effects.entry(what.to_owned()).or_default() += times;
            }
            last = Some(kind);
        }
    }

    /// Adds those of another part of a sweep.
    pub(crate) fn join(&mut self, other: &Faults) {
        for (name, more) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            add(&mut sum.seeds, more.seeds);
            add(&mut sum.faults, more.faults);
            add(&mut sum.inert, more.inert);
            for (what, &times) in &more.effects {
                add(sum.effects.entry(what.clone()).or_default(), times);
            }
        }
    }

    /// All kinds as a table of at most `columns`, or as a list where a table would break words; `None`
    /// if there were no faults.
    pub(crate) fn table(&self, columns: usize) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        if columns < NARROWEST_TABLE {
            let told = self.0.iter().map(|(name, sum)| sum.told(name, columns));
            return Some(told.collect::<Vec<_>>().join("\n"));
        }
        let mut table = table(columns, ["fault", "seeds", "times", "inert", "effects"], 1..4);
        for (name, sum) in &self.0 {
            let [seeds, faults, inert] = sum.numbers();
            table.add_row([name.clone(), seeds, faults, inert, sum.effects()]);
        }
        // Only the effects are wrapped.
        for column in table.column_iter_mut().take(4) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        Some(table.to_string())
    }
}

impl Sum {
    fn numbers(&self) -> [String; 3] {
        [self.seeds, self.faults, self.inert].map(|count| HumanCount(count).to_string())
    }

    fn effects(&self) -> String {
        let told = |(what, &times): (&String, &u64)| format!("{} {what}", HumanCount(times));
        self.effects.iter().map(told).collect::<Vec<_>>().join(", ")
    }

    fn told(&self, name: &str, columns: usize) -> String {
        let [seeds, faults, inert] = self.numbers();
        let (times, unit) = (plural(self.faults, "time"), plural(self.seeds, "seed"));
        let counts = format!("{faults} {times} in {seeds} {unit}, {inert} inert");
        let head = hanging(&format!("{name}: "), &counts, columns);
        head + "\n" + &hanging("    ", &self.effects(), columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_are_whole_at_any_width() {
        let effects = ["frames lost", "messages that had to be sent again", "reconnections"];
        let effects = effects.map(|what| (what.to_owned(), 1_234_567));
        let sum = Sum { seeds: 1_000, faults: 12_345, inert: 17, effects: effects.into() };
        let faults = Faults([("clock_offset".to_owned(), sum)].into());
        for columns in [32, 40, 60, 72, 80, 200] {
            let told = faults.table(columns).unwrap();
            let widest = told.lines().map(console::measure_text_width).max();
            assert!(widest.is_some_and(|widest| widest <= columns), "{columns}: {told}");
            for whole in ["clock_offset", "12,345", "1,234,567", "reconnections", "messages"] {
                assert!(told.contains(whole), "{columns}: {told}");
            }
        }
        assert_eq!(Faults::default().table(80), None);
    }
}
