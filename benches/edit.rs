//! Local edits one by one until all are durable, in memory, also while they are recorded; against
//! pushing the same operations to a list and indexing them.

use graphshell_benches::{Device, Entrant, OPERATIONS, browse, race, suite, timed};
use graphshell_sync::LogEntry;
use graphshell_sync::recording::Recorder;
use indexmap::IndexMap;

fn main() {
    let operations = browse(OPERATIONS);
    let mut criterion = suite();
    let edits = |mut device: Device| {
        let operations = operations.clone();
        timed(move || {
            for operation in operations {
                device.workspace.edit(operation).expect("what was walked is possible");
            }
            device.run();
            device
        })
    };
    let mut engine = || edits(Device::new("editor"));
    // Room for all of it, so that nothing is saved by dropping it.
    let mut recorded = || edits(Device::recorded("editor", &Recorder::new(256 << 20)));
    let mut list = || {
        let operations = operations.clone();
        timed(move || {
            let mut list: Vec<LogEntry> = Vec::new();
            let mut places: IndexMap<u64, usize, _> =
                IndexMap::with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4));
            for operation in operations {
                places.insert(list.len() as u64, list.len());
                list.push(operation);
            }
            (list, places)
        })
    };
    let mut entrants: [Entrant<'_>; 3] =
        [("engine", &mut engine), ("recorded", &mut recorded), ("bare list", &mut list)];
    race(&mut criterion, "edit", OPERATIONS, &mut entrants);
    criterion.final_summary();
}
