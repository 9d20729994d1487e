//! How much memory the merged state takes beside the log, by a counting allocator.

use graphshell_benches::{Device, OPERATIONS, Workload};
use graphshell_sync::store::{MemoryStore, MemoryWitness};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

fn main() {
    let workload = Workload::new(OPERATIONS);
    let (live, all) = (workload.live(), workload.entries.len());
    let (log, witness) = (MemoryStore::new(), MemoryWitness::new());
    Device::open("reader", log.clone(), witness.clone()).receive(workload.frames);

    // The store keeps the log; what opening it adds is the state, hashes and indexes included.
    let before = ALLOCATED.current_usage();
    let device = Device::open("reader", log, witness);
    let state = ALLOCATED.current_usage() - before;

    let graph = device.workspace.graph();
    let text: usize = graph.nodes.values().map(|node| node.url.len() + node.title.len()).sum();
    let each = |bytes: usize, count: usize| bytes as f64 / count as f64;
    println!("operations          {all:>12}, of which {live} live");
    println!("state               {state:>12} bytes, of which {text} text");
    println!("beyond its text     {:>12.1} bytes per live operation", each(state - text, live));
    println!("                    {:>12.1} bytes per operation", each(state - text, all));
    // Linux says how much memory the whole program takes; log, graph and workload included.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = |line: &&str| line.starts_with("VmRSS") || line.starts_with("VmHWM");
    status.lines().filter(resident).for_each(|line| println!("{line}"));
}
