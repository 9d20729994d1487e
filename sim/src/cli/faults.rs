//! What faults did in many runs: how many seeds had each kind, and what came of it.

use std::collections::BTreeMap;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use graphshell_sim::ledger::Ledger;
use indicatif::HumanCount;
use serde::{Deserialize, Serialize};

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
            sum.seeds += more.seeds;
            sum.faults += more.faults;
            sum.inert += more.inert;
            for (what, times) in &more.effects {
                *sum.effects.entry(what.clone()).or_default() += times;
            }
        }
    }

    /// All kinds as a table of at most `columns`; `None` if there were no faults.
    pub(crate) fn table(&self, columns: usize) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let mut table = Table::new();
        table
            .load_preset(UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(columns).unwrap_or(u16::MAX))
            .set_header(["fault", "seeds", "times", "inert", "effects"]);
        let count = |count| HumanCount(count).to_string();
        for (name, sum) in &self.0 {
            let effects =
                sum.effects.iter().map(|(what, times)| format!("{} {what}", count(*times)));
            let effects = effects.collect::<Vec<_>>().join(", ");
            let numbers = [sum.seeds, sum.faults, sum.inert].map(count);
            let [seeds, faults, inert] = numbers;
            table.add_row([name.clone(), seeds, faults, inert, effects]);
        }
        for place in 1..=3 {
            if let Some(numbers) = table.column_mut(place) {
                numbers.set_cell_alignment(CellAlignment::Right);
            }
        }
        Some(table.to_string())
    }
}
