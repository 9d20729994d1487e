//! From the bytes of received frames through decoding, hashing, merging and events; against a bare
//! hash map that the same entries, decoded already, are inserted into.

use graphshell_benches::{Device, OPERATIONS, Workload, race, suite, timed};
use graphshell_sync::{Dot, Event, LogEntry};
use indexmap::IndexMap;

fn main() {
    let workload = Workload::new(OPERATIONS);
    let count = workload.entries.len();
    let mut criterion = suite();
    let mut engine = || {
        let mut device = Device::new("receiver");
        let mut events = device.workspace.subscribe();
        let frames = workload.frames.clone();
        timed(move || {
            let answers = device.receive(frames);
            let mut changes = 0;
            while let Some(event) = events.try_next() {
                changes += usize::from(matches!(event, Event::Changed(_)));
            }
            assert_eq!(changes, answers.len(), "every batch is told");
            (device, answers)
        })
    };
    let mut map = || {
        let entries = workload.entries.clone();
        timed(move || {
            let mut map: IndexMap<Dot, LogEntry, _> =
                IndexMap::with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4));
            map.extend(entries);
            map
        })
    };
    race(&mut criterion, "merge", count, &mut [("engine", &mut engine), ("bare map", &mut map)]);
    criterion.final_summary();
}
