//! `scale`: what a run costs with few peers and with many.

use std::time::Duration;

use comfy_table::{ColumnConstraint, Table};
use cpu_time::ThreadTime;
use graphshell_sim::generate::Shape;
use graphshell_sim::world::{self, Options, Run};
use indicatif::HumanCount;
use serde::Serialize;

use super::args::{ScaleArgs, Seed};
use super::chart;
use super::exit::Exit;
use super::judge::Outcome;
use super::output::Output;
use super::subject::{Recipe, Subject};
use super::table::table;
use super::text::counted;
use super::write::{check, write};
use super::{Error, complain_of, interrupt};

/// Cells of the longest bar, if there is room.
const BAR: usize = 24;
/// Columns of the table without a bar.
const WITHOUT_BAR: usize = 75;

/// What one run cost.
#[derive(Debug, Serialize)]
pub(super) struct Cost {
    pub(super) peers: usize,
    seed: String,
    outcome: Outcome,
    virtual_ms: u64,
    /// Processor time, in milliseconds.
    cpu_ms: f64,
    /// Processor time for each virtual second, in milliseconds.
    pub(super) cpu_ms_per_virtual_second: f64,
    /// Virtual time for processor time.
    times_real: f64,
    rounds: u64,
    frames: u64,
    /// The most memory that the process held during the run, where the system tells.
    peak_bytes: Option<u64>,
}

impl Cost {
    fn new(peers: usize, seed: Seed, run: &Run, cpu: Duration) -> Self {
        let cpu_ms = cpu.as_secs_f64() * 1_000.0;
        let virtual_s = run.virtual_ms as f64 / 1_000.0;
        Cost {
            peers,
            seed: seed.to_string(),
            outcome: (&run.verdict).into(),
            virtual_ms: run.virtual_ms,
            cpu_ms,
            cpu_ms_per_virtual_second: cpu_ms / virtual_s,
            times_real: virtual_s * 1_000.0 / cpu_ms,
            rounds: run.counts.get("rounds").copied().unwrap_or(0),
            frames: run.messages,
            peak_bytes: memory::peak(),
        }
    }
}

/// Runs one plan for each count of peers and shows what each cost.
pub(crate) fn scale(args: &ScaleArgs, output: &mut Output) -> Result<Exit, Error> {
    let trouble = complain_of(check(&args.svg, []));
    if trouble != Exit::Held {
        return Ok(trouble);
    }
    interrupt::listen()?;
    let mut costs = Vec::new();
    let mut exit = Exit::Held;
    for &peers in &args.peers {
        if interrupt::seen() {
            break;
        }
        let shape = Shape { peers, edits: args.edits, ..Shape::default() };
        let recipe = Recipe { shape, bait: None };
        let (seed, plan) = (args.seed.0..=u64::MAX)
            .map(|seed| (Seed(seed), recipe.plan(Seed(seed))))
            .find(|(_, plan)| plan.disk.is_none())
            .ok_or(Error::OnlyDisks { first: args.seed })?;
        memory::forget_peak();
        let start = ThreadTime::now();
        let run = world::run(&plan, &Options::default());
        let cost = Cost::new(peers, seed, &run, start.elapsed());
        exit = exit.and(cost.outcome.exit());
        let told = if args.json {
            output.line(serde_json::to_string(&cost).expect("a cost has plain fields"))
        } else if cost.outcome != Outcome::Held {
            let replay = Subject::Seed { seed, recipe }.replay();
            output.line(format!("{}: {}; {replay}", counted(peers, "peer"), cost.outcome.name()))
        } else {
            Ok(())
        };
        exit = exit.and(complain_of(told.err()));
        costs.push(cost);
        if output.is_closed() && args.svg.is_none() {
            // Nobody looks any more.
            return Ok(exit);
        }
    }
    if !args.json {
        exit = exit.and(complain_of(output.line(table_of(&costs, output.columns())).err()));
    }
    if let Some(file) = &args.svg {
        let drawn = chart::draw(&costs).map_err(Error::from);
        let written = drawn.and_then(|picture| Ok(write(file, picture)?));
        exit = exit.and(complain_of(written.err()));
    }
    let (done, counts) = (costs.len(), args.peers.len());
    if done < counts {
        exit = exit.and(Exit::Interrupted);
        if !args.json {
            let said = format!("interrupted after {done} of {}", counted(counts, "count"));
            exit = exit.and(complain_of(output.line(said).err()));
        }
    }
    Ok(exit)
}

/// The costs as a table of at most `columns`, with a bar for each on a logarithmic scale where there is room.
fn table_of(costs: &[Cost], columns: usize) -> Table {
    let header = [
        "peers",
        "virtual",
        "times\nreal",
        "rounds",
        "frames",
        "peak\nmemory",
        "cpu for a\nvirtual\nsecond",
        "",
    ];
    let mut table = table(columns, header, 0..7);
    // Only the bar is wrapped.
    for column in table.column_iter_mut().take(7) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    let each = || costs.iter().map(|cost| cost.cpu_ms_per_virtual_second);
    let (least, most) = (each().fold(f64::MAX, f64::min), each().fold(0.0, f64::max));
    let room = columns.saturating_sub(WITHOUT_BAR).min(BAR) as f64;
    for cost in costs {
        let share = (cost.cpu_ms_per_virtual_second / least).ln() / (most / least).ln().max(1e-9);
        let ms = cost.cpu_ms_per_virtual_second;
        table.add_row([
            HumanCount(cost.peers as u64).to_string(),
            format!("{:.1} s", cost.virtual_ms as f64 / 1_000.0),
            format!("{:.0}", cost.times_real),
            HumanCount(cost.rounds).to_string(),
            HumanCount(cost.frames).to_string(),
            cost.peak_bytes
                .map_or("-".to_owned(), |bytes| format!("{} MiB", HumanCount(bytes >> 20))),
            if ms < 1_000.0 { format!("{ms:.1} ms") } else { format!("{:.2} s", ms / 1_000.0) },
            "█".repeat((1.0 + share * (room - 1.0)) as usize),
        ]);
    }
    table
}

/// The most memory that this process has held, as Linux tells it.
mod memory {
    use std::fs;

    /// Begins to count anew; where that cannot be, peaks are those of the whole process.
    pub(super) fn forget_peak() {
        let _ = fs::write("/proc/self/clear_refs", "5");
    }

    pub(super) fn peak() -> Option<u64> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1_024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_a_terminal_of_eighty_columns() {
        let cost = |peers, ms| Cost {
            peers,
            seed: "0x0".into(),
            outcome: Outcome::Held,
            virtual_ms: 112_400,
            cpu_ms: ms * 112.4,
            cpu_ms_per_virtual_second: ms,
            times_real: 1_000.0 / ms,
            rounds: 29_784,
            frames: 1_151_064,
            peak_bytes: Some(1_234_567_890),
        };
        let costs = [cost(2, 0.9), cost(1_000, 3_400.0)];
        for columns in [80, 200] {
            let table = table_of(&costs, columns).to_string();
            let widest = table.lines().map(console::measure_text_width).max();
            assert!(widest.is_some_and(|widest| widest <= columns), "{columns}: {table}");
            for whole in ["1,151,064", "29,784", "1,177 MiB", "3.40 s", "112.4 s"] {
                assert!(table.contains(whole), "{columns}: {table}");
            }
            let bar = columns.saturating_sub(WITHOUT_BAR).min(BAR);
            assert!(table.contains(&"█".repeat(bar)), "{columns}: {table}");
        }
    }
}
