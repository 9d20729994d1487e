//! `scale`: what a run costs with few peers and with many.

use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use cpu_time::ThreadTime;
use graphshell_sim::generate::Shape;
use graphshell_sim::world::{self, Options, Run};
use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use super::args::{ScaleArgs, Seed};
use super::chart;
use super::exit::Exit;
use super::judge::Outcome;
use super::output::Output;
use super::subject::{Recipe, Subject};
use super::write::{check, write};
use super::{Error, complain_of, interrupt};

/// Cells of the longest bar.
const BAR: f64 = 24.0;

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
            output.line(format!("{peers} peers: {}; {replay}", cost.outcome.name()))
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
        exit = exit.and(complain_of(output.line(table(&costs)).err()));
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
            let said = format_args!("interrupted after {done} of {counts} counts");
            exit = exit.and(complain_of(output.line(said).err()));
        }
    }
    Ok(exit)
}

/// The costs as a table, with a bar for each on a logarithmic scale.
fn table(costs: &[Cost]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header([
        "peers",
        "virtual",
        "cpu",
        "times real",
        "rounds",
        "frames",
        "peak memory",
        "cpu per virtual second",
        "",
    ]);
    let each = || costs.iter().map(|cost| cost.cpu_ms_per_virtual_second);
    let (least, most) = (each().fold(f64::MAX, f64::min), each().fold(0.0, f64::max));
    for cost in costs {
        let share = (cost.cpu_ms_per_virtual_second / least).ln() / (most / least).ln().max(1e-9);
        let bar = "█".repeat(1 + (share * BAR) as usize);
        table.add_row([
            HumanCount(cost.peers as u64).to_string(),
            format!("{:.1} s", cost.virtual_ms as f64 / 1_000.0),
            format!("{:.1} ms", cost.cpu_ms),
            format!("{:.0}", cost.times_real),
            HumanCount(cost.rounds).to_string(),
            HumanCount(cost.frames).to_string(),
            cost.peak_bytes.map_or("-".to_owned(), |bytes| HumanBytes(bytes).to_string()),
            format!("{:.2} ms", cost.cpu_ms_per_virtual_second),
            bar,
        ]);
    }
    for column in table.column_iter_mut().take(8) {
        column.set_cell_alignment(CellAlignment::Right);
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
