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
const RARE: [&str; 68] = [
    "acknowledgements lost to a partition",
    "answers too late",
    "backups",
    "batches parked",
    "chores left undone",
    "conflicts opened again",
    "consents lowered to reading",
    "consents withdrawn",
    "crashes",
    "crashes at a start",
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
    "pushes of readers",
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
    "files set aside",
    "names lost to a power cut",
    "parts of snapshots lost",
    "round stalled",
    "snapshot begun anew",
    "void payload kept",
];

/// So many seeds are expected to reach what happens seldom.
const MANY: u64 = 20_000;

/// All that a run may count.
pub fn all() -> impl Iterator<Item = &'static str> {
    let engine = Counter::ALL.map(Counter::name).into_iter().filter(|name| !is_seldom(name));
    COMMON.into_iter().chain(RARE).chain(SELDOM).chain(engine)
}

/// Whether a run may count this.
pub(crate) fn is_declared(name: &str) -> bool {
    let lists = [&COMMON[..], &RARE, &SELDOM];
    lists.iter().any(|list| list.binary_search(&name).is_ok())
        || Counter::ALL.iter().any(|counter| counter.name() == name)
}

fn is_seldom(name: &str) -> bool {
    SELDOM.binary_search(&name).is_ok()
}

/// The rare events that were never counted, in alphabetical order.
pub fn never_reached(counts: &BTreeMap<String, u64>) -> Vec<&'static str> {
    let reached = |name| counts.get(name).is_some_and(|&times| times > 0);
    let rare = all().filter(|name| COMMON.binary_search(name).is_err());
    let mut never: Vec<_> = rare.filter(|&name| !reached(name)).collect();
    never.sort_unstable();
    never
}

/// Those of them that so many seeds are expected to reach; few seeds need not reach what happens seldom.
pub fn missed(counts: &BTreeMap<String, u64>, seeds: u64) -> Vec<&'static str> {
    let mut missed = never_reached(counts);
    missed.retain(|name| seeds >= MANY || !is_seldom(name));
    missed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_stands_once_and_in_order() {
        assert!([&COMMON[..], &RARE, &SELDOM].iter().all(|list| list.is_sorted()));
        let once: BTreeSet<&str> = all().collect();
        assert_eq!(once.len(), all().count());
        assert!(is_declared("gap parked") && !is_declared("gap buffered"));
    }

    #[test]
    fn what_was_counted_is_reached() {
        let counts = BTreeMap::from([
            ("rot".to_owned(), 1),
            ("gap parked".to_owned(), 3),
            ("resets".to_owned(), 0),
        ]);
        let never = never_reached(&counts);
        assert!(!never.contains(&"rot") && !never.contains(&"gap parked"));
        assert!(never.contains(&"restores") && never.contains(&"gap filled"));
        assert!(never.contains(&"resets"));
        assert!(never.contains(&"answered busy") && !never.contains(&"rounds"));
    }

    #[test]
    fn what_happens_seldom_is_missed_in_many_seeds_alone() {
        let counts = BTreeMap::new();
        assert_eq!(missed(&counts, MANY), never_reached(&counts));
        let few = missed(&counts, MANY - 1);
        assert!(few.contains(&"rot") && !few.iter().any(|name| is_seldom(name)));
    }
}
