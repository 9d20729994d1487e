//! The disk alone, and the log on it.

use graphshell_sync::ports::StoreError;
use graphshell_sync::store::medium::{Change, Journal, Medium};
use graphshell_sync::store::medium_conformance;

use super::super::choice::Choices;
use super::journal::SimJournal;
use super::medium::{DATABASE, LOG, SimMedium};
use super::{SimDisk, Stop};
use crate::plan::Disk;

const PAGE: u64 = super::file::PAGE as u64;

/// A disk that misbehaves at these rates.
fn disk(seed: u64, faults: Disk) -> SimDisk {
    let disk = SimDisk::new(Choices::new(seed), 1, faults);
    disk.misbehave();
    disk
}

fn stop(disk: &SimDisk, stop: Stop) {
    disk.turn_off();
    disk.settle(stop);
    disk.turn_on();
}

fn read(disk: &SimDisk, name: &str) -> Vec<u8> {
    let file = disk.open(name).unwrap();
    disk.read_all(file).unwrap()
}

fn put(n: u8, length: usize) -> Change {
    Change::Put(vec![n], vec![n; length])
}

fn values(journal: &SimJournal) -> Vec<Vec<u8>> {
    journal.range(vec![0]..=vec![255]).map(|pair| pair.unwrap().1).collect()
}

#[test]
fn medium_passes_the_exam() {
    medium_conformance::every_claim(|| {
        let disk = disk(1, Disk::default());
        move || SimMedium::new(disk.clone())
    });
}

#[test]
fn power_cut_loses_what_was_not_synced_and_a_kill_does_not() {
    for (how, left) in [(Stop::Killed, *b"new"), (Stop::PowerCut, *b"old")] {
        let disk = disk(1, Disk { lost: 1000, torn: 0, ..Disk::default() });
        let file = disk.open("f").unwrap();
        disk.sync_names().unwrap();
        disk.write(file, 0, b"old").unwrap();
        disk.sync(file).unwrap();
        disk.write(file, 0, b"new").unwrap();
        stop(&disk, how);
        assert_eq!(read(&disk, "f"), left, "{how:?}");
        let guilt = disk.guilt();
        assert!(!guilt.log && !guilt.rest, "nobody may rely on what was not synced");
    }
}

#[test]
fn destructors_write_nothing_once_the_power_is_off() {
    let disk = disk(1, Disk::default());
    let file = disk.open("f").unwrap();
    disk.sync_names().unwrap();
    disk.turn_off();
    disk.write(file, 0, b"late").unwrap_err();
    disk.sync(file).unwrap_err();
    stop(&disk, Stop::Killed);
    assert_eq!(read(&disk, "f"), b"");
}

#[test]
fn pages_survive_a_power_cut_torn_and_out_of_order() {
    let (mut torn, mut reordered) = (0, 0);
    for seed in 0..200 {
        let disk = disk(seed, Disk { lost: 500, torn: 500, ..Disk::default() });
        let file = disk.open("f").unwrap();
        disk.sync_names().unwrap();
        disk.set_length(file, 4 * PAGE).unwrap();
        disk.sync(file).unwrap();
        for page in 0..4 {
            disk.write(file, page * PAGE, &[7; PAGE as usize]).unwrap();
        }
        stop(&disk, Stop::PowerCut);
        let bytes = read(&disk, "f");
        let pages: Vec<&[u8]> = bytes.chunks(PAGE as usize).collect();
        let whole = |page: &[u8]| page.iter().all(|&byte| byte == 7);
        let sectors = bytes.chunks(512);
        assert!(
            sectors.clone().all(|s| whole(s) || s.iter().all(|&byte| byte == 0)),
            "sectors are whole"
        );
        torn += u32::from(pages.iter().any(|page| page[0] == 7 && page[4095] == 0));
        reordered += u32::from(!whole(pages[0]) && whole(pages[3]));
    }
    assert!(torn > 20 && reordered > 20, "{torn} torn, {reordered} reordered of 200");
}

#[test]
fn sync_that_lied_is_held_against_the_disk() {
    let disk = disk(1, Disk { lost: 1000, sync_lie: 1000, ..Disk::default() });
    let file = disk.open(LOG).unwrap();
    disk.sync_names().unwrap();
    disk.write(file, 0, b"new").unwrap();
    disk.sync(file).unwrap();
    assert!(!disk.guilt().log, "nothing is lost yet");
    stop(&disk, Stop::PowerCut);
    assert!(disk.guilt().log && !disk.guilt().rest);
}

#[test]
fn failed_sync_is_never_made_up_for() {
    let mut lost = 0;
    for seed in 0..40 {
        let disk = disk(seed, Disk { lost: 0, torn: 0, sync_error: 1000, ..Disk::default() });
        let file = disk.open(DATABASE).unwrap();
        disk.sync_names().unwrap();
        disk.write(file, 0, b"new").unwrap();
        disk.sync(file).unwrap_err();
        assert_eq!(read(&disk, DATABASE), b"new", "readers see it all the same");
        disk.calm();
        disk.sync(file).unwrap();
        stop(&disk, Stop::PowerCut);
        lost += u32::from(read(&disk, DATABASE) != b"new");
        assert_eq!(disk.guilt().rest, read(&disk, DATABASE) != b"new");
        disk.rename(DATABASE, "aside").unwrap();
        assert!(!disk.guilt().rest, "nobody uses what was put aside");
    }
    assert!((10..=30).contains(&lost), "{lost} of 40");
}

#[test]
fn full_disk_refuses_and_takes_again_once_there_is_room() {
    let disk = disk(1, Disk::default());
    let mut journal = SimJournal::open(&disk, LOG).unwrap();
    journal.commit(vec![put(1, 500)]).unwrap();
    disk.limit_room(Some(PAGE));
    let large: Vec<_> = (0..40).map(|n| put(n, 500)).collect();
    let refused = journal.commit(large.clone()).unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    assert_eq!(values(&journal), [vec![1; 500]]);
    disk.limit_room(None);
    journal.commit(large).unwrap();
    assert_eq!(values(&SimJournal::open(&disk, LOG).unwrap()).len(), 40);
}

#[test]
fn power_cut_at_any_call_of_a_commit_keeps_it_whole_or_leaves_nothing() {
    let (mut kept, mut gone) = (0, 0);
    for seed in 0..300 {
        let disk = disk(seed, Disk { lost: 500, torn: 1000, ..Disk::default() });
        let mut journal = SimJournal::open(&disk, LOG).unwrap();
        journal.commit(vec![put(1, 300)]).unwrap();
        disk.arm(seed as u32 % 9);
        let group: Vec<_> = (2..60).map(|n| put(n, 400)).collect();
        let committed = journal.commit(group).is_ok();
        stop(&disk, Stop::PowerCut);
        let found = SimJournal::open(&disk, LOG).unwrap_or_else(|error| panic!("{seed}: {error}"));
        match values(&found).len() {
            59 => kept += 1,
            1 if !committed => gone += 1,
            some => panic!("seed {seed}: {some} values, committed: {committed}"),
        }
    }
    assert!(kept > 30 && gone > 30, "{kept} kept, {gone} gone");
}

#[test]
fn a_hole_in_the_last_group_is_cut_off_with_it() {
    let mut gone = 0;
    for seed in 0..100 {
        let disk = disk(seed, Disk { lost: 500, torn: 0, ..Disk::default() });
        let mut journal = SimJournal::open(&disk, LOG).unwrap();
        journal.commit(vec![put(3, 300)]).unwrap();
        // The check for room, three writes of the buffer, then the sync.
        disk.arm(4);
        journal.commit_any(vec![put(1, 9000), put(2, 9000)]).unwrap_err();
        stop(&disk, Stop::PowerCut);
        let found = SimJournal::open(&disk, LOG).unwrap_or_else(|error| panic!("{seed}: {error}"));
        match values(&found).len() {
            1 => gone += 1,
            some => assert_eq!(some, 3, "seed {seed}"),
        }
    }
    assert!(gone > 50, "{gone} of 100");
}

#[test]
fn failed_commit_poisons_and_may_still_appear() {
    let (mut kept, mut gone) = (0, 0);
    for seed in 0..40 {
        let disk = disk(seed, Disk { write_error: 300, sync_error: 300, ..Disk::default() });
        disk.calm();
        let mut journal = SimJournal::open(&disk, LOG).unwrap();
        disk.misbehave();
        let Err(failed) = journal.commit((1..60).map(|n| put(n, 400)).collect()) else { continue };
        assert!(matches!(failed, StoreError::Failed(_)), "{failed}");
        disk.calm();
        let again = journal.commit(vec![put(99, 1)]).unwrap_err();
        assert!(matches!(again, StoreError::Failed(_)), "{again}");
        match values(&SimJournal::open(&disk, LOG).unwrap()).len() {
            59 => kept += 1,
            0 => gone += 1,
            some => panic!("a part of the group: {some} values"),
        }
    }
    assert!(kept > 0 && gone > 0, "{kept} kept, {gone} gone");
}

#[test]
fn rot_in_the_log_is_mostly_refused_and_sometimes_silent() {
    let (mut refused, mut shorter, mut harmless) = (0, 0, 0);
    for seed in 0..300 {
        let disk = disk(seed, Disk::default());
        let mut journal = SimJournal::open(&disk, LOG).unwrap();
        for n in 0..20 {
            journal.commit(vec![put(n, 450)]).unwrap();
        }
        stop(&disk, Stop::Killed);
        assert!(disk.rot(LOG, seed, false));
        assert!(disk.guilt().log);
        match SimJournal::open(&disk, LOG) {
            Err(StoreError::Damaged(_)) => refused += 1,
            Ok(journal) if values(&journal).len() < 20 => shorter += 1,
            Ok(_) => harmless += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(
        refused > 200 && shorter > 3,
        "{refused} refused, {shorter} shorter, {harmless} harmless"
    );
}

#[test]
fn small_file_holds_the_old_or_the_new_after_a_power_cut() {
    for seed in 0..100 {
        let disk = disk(seed, Disk { lost: 500, torn: 500, ..Disk::default() });
        let mut medium = SimMedium::new(disk.clone());
        medium.replace("keys", &[1; 3000]).unwrap();
        disk.arm(seed as u32 % 8);
        let replaced = medium.replace("keys", &[2; 5000]).is_ok();
        stop(&disk, Stop::PowerCut);
        let found = medium.read("keys").unwrap().expect("one of them is there");
        let new = found == [2; 5000];
        assert!(new || !replaced && found == [1; 3000], "seed {seed}");
    }
}
