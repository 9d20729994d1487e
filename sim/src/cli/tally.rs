//! What many runs came to: counted, summed, and turned into an exit code.

use std::collections::BTreeMap;
use std::time::Duration;

use graphshell_sim::probe;
use indicatif::{HumanCount, HumanFloatCount};
use serde::{Deserialize, Serialize};

use super::exit::Exit;
use super::faults::Faults;
use super::judge::{Judged, Outcome};
use super::kinds::Kind;
use super::table::table;

/// A sweep of which more than one in this many seeds is invalid proves too little.
const INVALID_ONE_IN: u64 = 20;

/// Concurrent edits, and those among them that stood in a conflict.
const CONCURRENT: [&str; 2] = ["concurrent edits", "concurrent edits that prompted"];
/// The same, of those about one page or pair.
const MET: [&str; 2] = ["concurrent edits that met", "concurrent edits that met and prompted"];

/// Counts over the runs that were finished.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tally {
    outcomes: BTreeMap<Outcome, u64>,
    operations: u64,
    messages: u64,
    virtual_ms: u64,
    /// Rare events, summed by name.
    counts: BTreeMap<String, u64>,
    /// What faults did.
    faults: Faults,
}

/// The last line of JSON output.
#[derive(Serialize)]
struct LastLine<'a> {
    summary: Summary<'a>,
}

#[derive(Serialize)]
struct Summary<'a> {
    /// What the seeds were expanded with, beside the defaults.
    flags: &'a str,
    seeds: u64,
    held: u64,
    failed: u64,
    invalid: u64,
    not_deterministic: u64,
    interrupted: bool,
    exit_code: u8,
    operations: u64,
    messages: u64,
    virtual_ms: u64,
    counts: &'a BTreeMap<String, u64>,
    /// Rare events that no run reached.
    never_reached: Vec<&'static str>,
    faults: &'a Faults,
    /// Of the edits that others' edits did not know of, the share in no conflict that was listed.
    merged_without_prompt: Option<f64>,
    /// The same, of those that changed what others changed.
    met_without_prompt: Option<f64>,
    /// Failures by what they look like, the commonest first.
    failures: &'a [Kind],
    /// How many shards are summed here.
    shards: u64,
    /// What a sum lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<String>,
    // Of the wall clock: these alone differ from one sweep to the next. Seconds are summed over the
    // shards, so the rates are those of one shard, be it that all ran side by side.
    seconds: f64,
    seeds_per_second: f64,
    virtual_per_real: f64,
}

impl Tally {
    pub(crate) fn add(&mut self, judged: &Judged) {
        *self.outcomes.entry(judged.outcome()).or_default() += 1;
        let run = &judged.run;
        self.operations += run.operations;
        self.messages += run.messages;
        self.virtual_ms += run.virtual_ms;
        self.faults.add(&run.ledger);
        for (&name, count) in &run.counts {
            match self.counts.get_mut(name) {
                Some(sum) => *sum += count,
                None => drop(self.counts.insert(name.to_owned(), *count)),
            }
        }
    }

    /// Counts a run that came to no end.
    pub(crate) fn lose(&mut self) {
        *self.outcomes.entry(Outcome::Failed).or_default() += 1;
    }

    /// Adds what another part of a sweep came to. Sums stop at the largest number: what a file claims may
    /// be anything.
    pub(crate) fn join(&mut self, other: &Tally) {
        for (outcome, &runs) in &other.outcomes {
            add(self.outcomes.entry(*outcome).or_default(), runs);
        }
        add(&mut self.operations, other.operations);
        add(&mut self.messages, other.messages);
        add(&mut self.virtual_ms, other.virtual_ms);
        self.faults.join(&other.faults);
        for (name, &count) in &other.counts {
            add(self.counts.entry(name.clone()).or_default(), count);
        }
    }

    /// How many runs came to that.
    pub(crate) fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }

    /// How many runs there were.
    pub(crate) fn runs(&self) -> u64 {
        self.outcomes.values().copied().fold(0, u64::saturating_add)
    }

    /// How many runs say something against the engine or the simulator.
    pub(crate) fn failures(&self) -> u64 {
        self.of(Outcome::Failed).saturating_add(self.of(Outcome::NotDeterministic))
    }

    /// Rare events that no run reached.
    pub(crate) fn never_reached(&self) -> Vec<&'static str> {
        probe::never_reached(&self.counts)
    }

    /// Rare events that no run reached, and that so many are expected to reach.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        probe::missed(&self.counts, self.runs())
    }

    /// How a sweep ends.
    pub(crate) fn sweep_exit(&self) -> Exit {
        self.exit(self.too_many_invalid())
    }

    /// Whether a sweep came to too little. Some seeds draw a fault that meets nothing, so a few may be
    /// invalid.
    fn too_many_invalid(&self) -> bool {
        self.of(Outcome::Held) == 0 || self.of(Outcome::Invalid) > self.runs() / INVALID_ONE_IN
    }

    /// Whether a sweep in which nothing failed proved nothing either.
    pub(crate) fn proved_nothing(&self) -> bool {
        self.sweep_exit() == Exit::ProvedNothing
    }

    /// How a list of runs ends of which each must prove something.
    pub(crate) fn strict_exit(&self) -> Exit {
        self.exit(self.runs() == 0 || self.of(Outcome::Invalid) > 0)
    }

    /// How runs end of which some may be invalid; whether too many are is `proved_nothing`.
    fn exit(&self, proved_nothing: bool) -> Exit {
        let nothing = if proved_nothing { Outcome::Invalid } else { Outcome::Held };
        let found =
            self.outcomes.iter().filter(|(outcome, runs)| outcome.is_failure() && **runs > 0);
        found.fold(nothing.exit(), |exit, (outcome, _)| exit.and(outcome.exit()))
    }

    /// The last line of JSON output; `missing` says which shards a sum lacks.
    pub(crate) fn to_json(
        &self,
        flags: &str,
        failures: &[Kind],
        time: Time,
        missing: Option<String>,
        exit: Exit,
    ) -> String {
        let summary = Summary {
            flags: flags.trim_start(),
            seeds: self.runs(),
            held: self.of(Outcome::Held),
            failed: self.of(Outcome::Failed),
            invalid: self.of(Outcome::Invalid),
            not_deterministic: self.of(Outcome::NotDeterministic),
            interrupted: exit == Exit::Interrupted,
            exit_code: exit.code(),
            operations: self.operations,
            messages: self.messages,
            virtual_ms: self.virtual_ms,
            counts: &self.counts,
            never_reached: self.never_reached(),
            faults: &self.faults,
            merged_without_prompt: self.share_without(CONCURRENT),
            met_without_prompt: self.share_without(MET),
            failures,
            shards: time.shards,
            missing,
            seconds: time.spent.as_secs_f64(),
            seeds_per_second: time.rate(self.runs() as f64),
            virtual_per_real: time.rate(self.virtual_seconds()),
        };
        serde_json::to_string(&LastLine { summary }).expect("its keys are strings")
    }

    /// The summary of a sweep with these flags as a table of at most `columns`.
    pub(crate) fn table(&self, flags: &str, time: Time, columns: usize) -> String {
        let count = |count| HumanCount(count).to_string();
        let mut table = table(columns, [&format!("seeds{flags}"), &count(self.runs())], [1]);
        let ratio = time.rate(self.virtual_seconds());
        // What ran side by side was no faster for it.
        let each = if time.shards > 1 { ", of one shard" } else { "" };
        table.add_rows([
            ["held", &count(self.of(Outcome::Held))],
            ["failed", &count(self.of(Outcome::Failed))],
            ["invalid", &count(self.of(Outcome::Invalid))],
            ["not deterministic", &count(self.of(Outcome::NotDeterministic))],
            [&format!("seeds/s{each}"), &format!("{:.1}", time.rate(self.runs() as f64))],
            [&format!("virtual : real{each}"), &format!("{} : 1", HumanFloatCount(ratio.round()))],
            ["operations", &count(self.operations)],
            ["messages", &count(self.messages)],
        ]);
        if time.shards > 1 {
            let spent = humantime::format_duration(Duration::from_secs(time.spent.as_secs()));
            let shards = format!("time of {} shards, summed", count(time.shards));
            table.add_row([shards, spent.to_string()]);
        }
        for (what, counts) in [
            ("concurrent edits merged without a prompt", CONCURRENT),
            ("the same, of those about one page or pair", MET),
        ] {
            if let Some(share) = self.share_without(counts) {
                table.add_row([what, &format!("{:.1} %", 100.0 * share)]);
            }
        }
        for (name, times) in &self.counts {
            table.add_row([name, &count(*times)]);
        }
        table.to_string()
    }

    /// Of what the first name counts, the share that the second does not.
    fn share_without(&self, [all, some]: [&str; 2]) -> Option<f64> {
        let of = |name| self.counts.get(name).copied().unwrap_or(0) as f64;
        (of(all) > 0.0).then(|| 1.0 - of(some) / of(all))
    }

    /// What faults did.
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    fn virtual_seconds(&self) -> f64 {
        self.virtual_ms as f64 / 1_000.0
    }
}

/// Adds to a sum, which stops at the largest number.
pub(crate) fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

/// How long a sweep took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    /// Wall-clock time, summed over the shards.
    pub(crate) spent: Duration,
    pub(crate) shards: u64,
}

impl Time {
    /// The time that one process took.
    pub(crate) fn of_one(spent: Duration) -> Self {
        Time { spent, shards: 1 }
    }

    /// So much for each second: a number even if no time passed.
    fn rate(self, amount: f64) -> f64 {
        amount / self.spent.as_secs_f64().max(1e-6)
    }
}

#[cfg(test)]
mod tests {
    use graphshell_sim::world::{Options, Run};

    use super::super::judge::{
        Divergence, judge,
        tests::{failed, held, invalid},
    };
    use super::*;

    fn judged(run: fn() -> Run) -> Judged {
        judge(|_| run(), false, &Options::default())
    }

    fn drifted() -> Judged {
        let divergence = Divergence { second_hash: "bb".into(), first_difference: "…".into() };
        Judged { divergence: Some(divergence), ..judged(held) }
    }

    fn tally<const N: usize>(runs: [Judged; N]) -> Tally {
        let mut tally = Tally::default();
        runs.iter().for_each(|judged| tally.add(judged));
        tally
    }

    #[test]
    fn not_deterministic_outranks_failed_outranks_invalid() {
        assert_eq!(tally([judged(held)]).sweep_exit(), Exit::Held);
        let all = tally([judged(held), judged(invalid), judged(failed), drifted()]);
        assert_eq!(all.sweep_exit(), Exit::NotDeterministic);
        let two = tally([judged(held), judged(invalid), judged(failed)]);
        assert_eq!(two.sweep_exit(), Exit::PropertyFailed);
        assert_eq!(tally([judged(invalid)]).sweep_exit(), Exit::ProvedNothing);
        assert_eq!(Tally::default().sweep_exit(), Exit::ProvedNothing);
    }

    #[test]
    fn one_in_twenty_of_a_sweep_may_be_invalid_but_no_scenario() {
        let mut tally = tally([judged(invalid)]);
        (0..19).for_each(|_| tally.add(&judged(held)));
        assert_eq!(tally.sweep_exit(), Exit::Held);
        assert_eq!(tally.strict_exit(), Exit::ProvedNothing);
        tally.add(&judged(invalid));
        assert_eq!(tally.sweep_exit(), Exit::ProvedNothing);
    }

    #[test]
    fn the_table_fits_narrow_and_wide_terminals() {
        let mut tally = tally([judged(held), judged(failed)]);
        tally
            .counts
            .insert("a conflict was settled and then opened again under the same id".into(), 2);
        for columns in [40, 80] {
            let table = tally.table("", Time::of_one(Duration::from_millis(500)), columns);
            let widest = table.lines().map(console::measure_text_width).max();
            assert!(widest.is_some_and(|widest| widest <= columns), "{table}");
            assert!(table.contains("gap buffered") && table.contains("160 : 1"), "{table}");
        }
    }

    #[test]
    fn rates_of_shards_that_ran_side_by_side_are_of_one() {
        let time = Time { spent: Duration::from_secs(7_200), shards: 2 };
        let table = tally([judged(held)]).table("", time, 80);
        assert!(table.contains("seeds/s, of one shard") && table.contains(" 2h "), "{table}");
        assert!(table.contains("time of 2 shards, summed"), "{table}");
    }

    #[test]
    fn the_summary_adds_up() {
        let time = Time::of_one(Duration::ZERO);
        let json = tally([judged(held), judged(failed)]).to_json("", &[], time, None, Exit::Held);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let summary = &json["summary"];
        assert_eq!((&summary["seeds"], &summary["failed"]), (&2.into(), &1.into()));
        assert_eq!((&summary["operations"], &summary["messages"]), (&600.into(), &2_400.into()));
        assert_eq!(summary["counts"]["gap buffered"], 6);
        assert!(summary["merged_without_prompt"].is_null(), "there was no concurrent edit");
    }

    #[test]
    fn the_share_merged_without_a_prompt_is_of_concurrent_edits() {
        let mut tally = tally([judged(held)]);
        for (name, times) in [("concurrent edits", 40), ("concurrent edits that prompted", 3)] {
            tally.counts.insert(name.to_owned(), times);
        }
        assert_eq!(
            (tally.share_without(CONCURRENT), tally.share_without(MET)),
            (Some(0.925), None)
        );
        assert!(tally.table("", Time::of_one(Duration::ZERO), 80).contains("92.5 %"));
    }
}
