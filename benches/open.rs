//! Opening a workspace again in memory: by replaying its log, and from a snapshot.

use graphshell_benches::{Device, OPERATIONS, Workload, race, suite, timed};
use graphshell_sync::store::{MemoryStore, MemoryWitness};

fn main() {
    let workload = Workload::new(OPERATIONS);
    let (store, witness) = (MemoryStore::new(), MemoryWitness::new());
    let mut device = Device::open("reader", store.clone(), witness.clone());
    device.receive(workload.frames);
    let log = store.backup();
    device.checkpoint();
    let with_snapshot = store.backup();

    let mut replay = || timed(|| Device::open("reader", log.clone(), witness.clone()));
    let mut restore = || timed(|| Device::open("reader", with_snapshot.clone(), witness.clone()));
    let mut criterion = suite();
    race(
        &mut criterion,
        "open",
        workload.entries.len(),
        &mut [("log", &mut replay), ("snapshot", &mut restore)],
    );
    criterion.final_summary();
}
