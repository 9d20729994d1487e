//! Probes: the closed list of all that a run may count.
//!
//! A rare event that no seed of a sweep ever reached is a hole in the sweep: whatever the oracles say
//! of it was said of nothing. So that *never* can be told, every name stands here. The engine's own
//! counters ([`Counter`]) join the list under their names.

use std::collections::BTreeMap;

use graphshell_sync::Counter;

/// What every run counts.
const COMMON: [&str; 18] = [
    "bytes sent",
    "calls without answer",
    "concurrent edits",
    "concurrent edits that met",
    "concurrent edits that met and prompted",
    "concurrent edits that prompted",
    "conflicts opened",
    "conflicts settled",
    "edits not taken",
    "entries arrived",
    "entries authored",
    "frames arrived",
    "frames sent",
    "glances",
    "resolutions",
    "resolutions without a conflict",
    "rounds",
    "snapshots",
];

/// What happens in a simulated world now and then, and must happen in a sweep.
const RARE: [&str; 65] = [
    "acknowledgements lost to a partition",
    "answers too late",
    "backups",
    "batches parked",
    "chores left undone",
    "conflicts opened again",
    "consents withdrawn",
    "crashes",
    "crashes during a promise",
    "crashes during an append",
    "crashes with rounds under way",
    "damaged frames lost",
    "damaged frames refused",
    "deletes that met an update",
    "disk reads failed",
    "disk syncs failed",
    "disk syncs that lied",
    "disk writes failed",
    "disk writes without room",
    "edits refused",
    "forks proven",
    "forks reported",
    "frames doubled",
    "frames lost",
    "frames lost to a partition",
    "frames lost to a peer without power",
    "frames lost to a slow link",
    "frames lost with their connection",
    "frames of liars",
    "frames of liars that are none",
    "ghosts at the end",
    "histories disowned",
    "incarnations begun anew",
    "logs compacted",
    "logs cut short by the disk",
    "losses told",
    "pages lost to a failed sync",
    "pages lost to a power cut",
    "pages lost to a sync that lied",
    "pages torn",
    "parts of snapshots arrived",
    "power cuts",
    "promises that failed",
    "pushes lost to a partition",
    "records lost and recovered",
    "requests of another version",
    "resets",
    "restarts",
    "restores",
    "restores that beat a delete",
    "rot",
    "rounds broken off",
    "rounds of strangers turned away",
    "rounds with another version",
    "sealed values tried in another's place",
    "snapshots joined",
    "steps missed while down",
    "store errors",
    "stores begun anew",
    "stores found damaged",
    "stores that did not open",
    "tails lost",
    "writes cut by a crash",
    "writes found though never acknowledged",
    "writes reordered",
];

/// What happens so seldom that only a sweep of thousands of seeds can be expected to reach it.
const SELDOM: [&str; 10] = [
    "answered busy",
    "crashes during a base",
    "crashes during a snapshot",
    "databases put aside",
    "events missed",
    "files set aside",
    "names lost to a power cut",
    "parts of snapshots lost",
    "round stalled",
    "snapshot begun anew",
];

/// Whether a run may count this.
pub(crate) fn is_declared(name: &str) -> bool {
    let lists = [&COMMON[..], &RARE, &SELDOM];
    lists.iter().any(|list| list.binary_search(&name).is_ok())
        || Counter::ALL.iter().any(|counter| counter.name() == name)
}

/// The rare events that were never counted, in alphabetical order; of those that a small sweep must
/// reach, or of all.
pub fn never_reached(counts: &BTreeMap<String, u64>, demanded: bool) -> Vec<&'static str> {
    let seldom = |name: &str| SELDOM.binary_search(&name).is_ok();
    let engine = Counter::ALL.map(Counter::name).into_iter().filter(|name| !seldom(name));
    let others = SELDOM.into_iter().filter(|_| !demanded);
    let all = RARE.into_iter().chain(engine).chain(others);
    let mut never: Vec<_> =
        all.filter(|&name| counts.get(name).is_none_or(|&times| times == 0)).collect();
    never.sort_unstable();
    never
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_stands_once_and_in_order() {
        let lists = [&COMMON[..], &RARE, &SELDOM];
        assert!(lists.iter().all(|list| list.is_sorted()));
        let mut all: Vec<&str> = lists.concat();
        let engine = Counter::ALL.map(Counter::name);
        all.extend(engine.iter().filter(|name| SELDOM.binary_search(name).is_err()));
        let once: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(once.len(), all.len());
        assert!(all.iter().all(|name| is_declared(name)) && !is_declared("gap buffered"));
    }

    #[test]
    fn what_was_counted_is_reached() {
        let counts = BTreeMap::from([
            ("rot".to_owned(), 1),
            ("gap parked".to_owned(), 3),
            ("resets".to_owned(), 0),
        ]);
        let never = never_reached(&counts, true);
        assert!(!never.contains(&"rot") && !never.contains(&"gap parked"));
        assert!(never.contains(&"restores") && never.contains(&"gap filled"));
        assert!(never.contains(&"resets"));
        assert!(!never.contains(&"answered busy"));
        assert!(never_reached(&counts, false).contains(&"answered busy"));
    }
}
