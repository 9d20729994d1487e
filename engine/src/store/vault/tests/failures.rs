//! Writes that fail, and disks that are full.

use super::medium::Fate;
use super::*;
use crate::limits::BLOCK_TARGET_BYTES;

#[test]
fn log_is_durable_before_the_database_follows() {
    let medium = MemoryMedium::default();
    let mut vault = opened(&medium);
    for n in 0..3 {
        medium.contents().order.clear();
        vault.append(&pages(1, n..n + 1)).unwrap();
        let order = medium.contents().order.clone();
        assert_eq!(order.first(), Some(&Part::Journal));
        assert!(order[1..].contains(&Part::State), "the watermark is synced: {order:?}");
    }
    medium.contents().commits = vec![Fate::Refused];
    medium.contents().order.clear();
    vault.append(&pages(1, 3..4)).expect_err("the log has no room");
    assert_eq!(medium.contents().order, [], "the database knows nothing that the log does not");
    assert_eq!(vault.summary().unwrap().vector.get(author(1)), 6);
}

#[test]
fn append_of_many_blocks_is_one_commit() {
    let medium = MemoryMedium::default();
    let mut vault = opened(&medium);
    let records = pages(1, 0..4 * BLOCK_TARGET_BYTES as u64 / 200);
    medium.contents().order.clear();
    vault.append(&records).unwrap();
    let commits = medium.contents().order.iter().filter(|part| **part == Part::Journal).count();
    assert_eq!(commits, 1);
    let blocks = medium.contents().journal.keys().filter(|key| key.ends_with(&[0, 0])).count();
    assert!(blocks > 2, "{blocks} blocks");
    assert_eq!(all(&mut vault, 0, records.len() as u64), records);
}

#[test]
fn refused_append_changes_nothing_and_the_next_one_works() {
    let medium = MemoryMedium::default();
    let mut vault = opened(&medium);
    vault.append(&pages(1, 0..1)).unwrap();
    let before = medium.contents().journal.clone();
    medium.contents().commits = vec![Fate::Refused, Fate::Refused];
    for _ in 0..2 {
        let refused = vault.append(&pages(1, 1..2));
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        assert_eq!(medium.contents().journal, before);
    }
    assert_eq!(all(&mut vault, 0, 1), pages(1, 0..1), "reads go on");
    vault.append(&pages(1, 1..2)).expect("there is room again");
    drop(vault);
    assert_eq!(all(&mut opened(&medium), 0, 2), pages(1, 0..2));
}

#[test]
fn failed_append_poisons_until_reopened() {
    for (fate, end) in [(Fate::FailedUndone, 1), (Fate::FailedDone, 3)] {
        let medium = MemoryMedium::default();
        let mut vault = opened(&medium);
        vault.append(&pages(1, 0..1)).unwrap();
        medium.contents().commits = vec![fate];
        let failed = vault.append(&pages(1, 1..3));
        assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
        for failed in [
            vault.append(&pages(1, 1..3)),
            vault.append(&[]),
            vault.save_snapshot(&snapshot(1, 1)),
            vault.rebase(&snapshot(1, 1), 0),
            vault.rotate_data_key(),
        ] {
            assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
        }
        assert_eq!(all(&mut vault, 0, 1), pages(1, 0..1), "reads go on");
        let found = vault.open().unwrap();
        assert_eq!((found.end, found.watermark), (end, end), "{fate:?}");
        vault.append(&pages(1, end..end + 1)).expect("reopened");
        assert_eq!(all(&mut vault, 0, end + 1), pages(1, 0..end + 1));
        assert_eq!(vault.summary().unwrap().vector.get(author(1)), 2 * (end + 1));
    }
}

#[test]
fn append_whose_watermark_fails_is_found_when_reopened() {
    let medium = MemoryMedium::default();
    let mut vault = opened(&medium);
    medium.contents().state_syncs = Some(0);
    for _ in 0..2 {
        let failed = vault.append(&pages(1, 0..2));
        assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
    }
    medium.contents().state_syncs = None;
    let found = vault.open().unwrap();
    assert_eq!((found.end, found.watermark, found.set_aside), (2, 2, Vec::new()));
    assert_eq!(vault.summary().unwrap().watermark, 2);
    assert_eq!(vault.summary().unwrap().vector.get(author(1)), 4, "rows follow at open");
}

#[test]
fn disk_that_fails_for_a_moment_costs_no_database() {
    let medium = MemoryMedium::default();
    let mut vault = opened(&medium);
    vault.append(&pages(1, 0..1)).unwrap();
    medium.contents().state_syncs = Some(0);
    vault.append(&pages(1, 1..2)).unwrap_err();
    drop(vault);
    // The database was not closed well, so opening it repairs it, and repairing syncs.
    let mut vault = vault_of(&medium, WORKSPACE, master(1));
    let failed = vault.open();
    assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
    medium.contents().state_syncs = None;
    let found = vault.open().unwrap();
    assert_eq!((found.end, found.watermark, found.set_aside), (2, 2, Vec::new()));
}

#[test]
fn snapshot_without_room_is_refused_and_the_vault_goes_on() {
    let medium = MemoryMedium::default();
    let mut vault = opened(&medium);
    vault.append(&pages(1, 0..1)).unwrap();
    vault.save_snapshot(&snapshot(1, 10)).unwrap();
    let room = medium.contents().state.len() as u64;
    medium.contents().state_room = Some(room);
    let large = snapshot(1, 8 << 20);
    let refused = vault.save_snapshot(&large);
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    vault.append(&pages(1, 1..2)).expect("the log has room, and the database needs none");
    assert_eq!(vault.summary().unwrap().conflicts, snapshot(1, 10).conflicts);
    medium.contents().state_room = None;
    vault.save_snapshot(&large).expect("there is room again");
    drop(vault);
    let found = vault_of(&medium, WORKSPACE, master(1)).open().unwrap();
    assert_eq!((found.end, found.snapshot), (2, Some(large)));
}

#[test]
fn rebase_is_all_or_nothing() {
    let cases = [Fate::Done, Fate::Refused, Fate::FailedUndone, Fate::FailedDone];
    for fate in cases {
        let medium = MemoryMedium::default();
        let mut vault = opened(&medium);
        vault.append(&pages(1, 0..3)).unwrap();
        vault.append(&[consent(4, true)]).unwrap();
        vault.rebase(&snapshot(4, 600_000), 1).unwrap();
        vault.append(&pages(1, 3..5)).unwrap();
        vault.save_snapshot(&snapshot(5, 10)).unwrap();
        medium.contents().commits = vec![fate];
        medium.contents().order.clear();
        let rebased = vault.rebase(&snapshot(6, 10), 4);
        let order = medium.contents().order.clone();
        let commits = order.iter().filter(|part| **part == Part::Journal).count();
        assert!(commits <= 1, "one commit");
        let expected = matches!(fate, Fate::Done | Fate::FailedDone);
        match fate {
            Fate::Done => rebased.expect("it works"),
            Fate::Refused => assert!(matches!(rebased, Err(StoreError::Refused(_)))),
            _ => assert!(matches!(rebased, Err(StoreError::Failed(_)))),
        }
        drop(vault);
        let mut vault = vault_of(&medium, WORKSPACE, master(1));
        let found = vault.open().unwrap();
        let (base, kept, first) = match expected {
            true => (snapshot(6, 10), None, 4),
            false => (snapshot(4, 600_000), Some(snapshot(5, 10)), 1),
        };
        assert_eq!((found.base, found.snapshot, found.first), (Some(base), kept, first));
        assert_eq!((found.end, found.watermark, found.set_aside), (6, 6, Vec::new()));
        assert_eq!(all(&mut vault, 4, 6), pages(1, 3..5));
        assert_eq!(vault.summary().unwrap().shared_with, [DeviceId([4; 32])], "{fate:?}");
        vault.append(&pages(1, 5..6)).unwrap();
    }
}

#[test]
fn rebase_leaves_nothing_of_what_it_drops() {
    let medium = MemoryMedium::default();
    let mut vault = opened(&medium);
    vault.append(&pages(1, 0..50)).unwrap();
    let full: usize = medium.contents().journal.values().map(Vec::len).sum();
    vault.rebase(&snapshot(50, 10), 50).unwrap();
    vault.rebase(&snapshot(50, 10), 50).unwrap();
    let left: usize = medium.contents().journal.values().map(Vec::len).sum();
    assert!(left < 400 && left < full / 2, "{left} of {full} bytes");
    vault.append(&pages(1, 50..51)).unwrap();
    drop(vault);
    let mut vault = opened(&medium);
    assert_eq!(all(&mut vault, 50, 51), pages(1, 50..51));
}
