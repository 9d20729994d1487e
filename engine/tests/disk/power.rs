//! Images of the files as a power cut may leave them: of what was written since the last sync any
//! part may be missing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use graphshell_sync::ports::StoreError;
use graphshell_sync::store::disk::{FjallJournal, FolderMedium};
use graphshell_sync::store::medium::{Change, Journal, Medium};

use crate::folder::{Dice, Image};
use crate::script;

const PAGE: usize = 4096;

/// `new` as far as it reached the disk, which held `old`: cut off somewhere, and pages (or, on some
/// disks, sectors) of it still as they were.
fn torn(old: &[u8], new: &[u8], dice: &mut Dice) -> Vec<u8> {
    let length = old.len().max(new.len());
    let at = |bytes: &[u8], at: usize| bytes.get(at).copied().unwrap_or(0);
    let unit = [PAGE, PAGE, 512][dice.below(3)];
    let missing = dice.below(100);
    let end = if dice.below(3) == 0 { dice.below(length + 1) } else { length };
    let mut torn = Vec::with_capacity(length);
    for from in (0..length).step_by(unit) {
        let lost = dice.below(100) < missing;
        for byte in from..length.min(from + unit) {
            torn.push(at(if lost || byte >= end { old } else { new }, byte));
        }
    }
    torn
}

#[test]
fn torn_commit_of_any_size_is_there_or_not() {
    let sizes = [1, 3, 30, 200, 511, 512, 513, 700, 1_500, 4_096, 10_000, 70_000, 524_288, 1 << 20];
    let place = tempfile::tempdir().expect("a folder");
    let (mut images, mut whole) = (0, 0);
    for (number, &size) in sizes.iter().enumerate() {
        let mut dice = Dice(number as u64);
        let folder = place.path().join(number.to_string());
        let mut medium = FolderMedium::new(&folder);
        medium.lock().expect("it is ours");
        let mut journal = medium.journal().expect("it opens");
        let earlier = pieces(&mut dice, 0, 5_000);
        journal.commit(earlier.clone()).expect("commits");
        let before = Image::of(&folder);
        let torn_one = pieces(&mut dice, 1, size);
        journal.commit(torn_one.clone()).expect("commits");
        let after = Image::of(&folder);
        drop((journal, medium));
        let path = before.journals().pop().expect("a journal");
        let (old, new) = (before.bytes(&path), after.bytes(&path));
        assert!(new.len() > old.len() + size, "the commit lies in the journal");
        for _ in 0..24 {
            let mut image = before.clone();
            image.put(&path, torn(old, new, &mut dice));
            let folder = tempfile::tempdir_in(place.path()).expect("a folder");
            image.write(folder.path());
            let journal = FjallJournal::open(&folder.path().join("log"));
            let found = all(&journal.unwrap_or_else(|error| panic!("size {size}: {error}")));
            let all = [earlier.clone(), torn_one.clone()].concat();
            assert!(
                found == earlier || found == all,
                "size {size}: neither without it nor with all"
            );
            images += 1;
            whole += usize::from(found == all);
        }
    }
    println!("{images} images, {whole} of them with all of the commit");
}

#[test]
fn damage_that_no_power_cut_explains_is_refused_and_nothing_is_cut_off() {
    const COMMITS: u8 = 6;
    let place = tempfile::tempdir().expect("a folder");
    let mut dice = Dice(9);
    let mut journal = FjallJournal::open(&place.path().join("log")).expect("it opens");
    let mut last_begins = 0;
    for commit in 0..COMMITS {
        let image = Image::of(place.path());
        last_begins = image.bytes(&image.journals().pop().expect("a journal")).len();
        journal.commit(pieces(&mut dice, commit, 3_000)).expect("commits");
    }
    drop(journal);
    let image = Image::of(place.path());
    let path = image.journals().pop().expect("a journal");
    for round in 0..60 {
        let at = dice.below(last_begins);
        let mut bytes = image.bytes(&path).to_vec();
        match round % 2 {
            0 => bytes[at] ^= 1 << dice.below(8),
            _ => bytes[at..last_begins.min(at + 4_096)].fill(0),
        }
        if bytes == image.bytes(&path) {
            continue;
        }
        let mut damaged = image.clone();
        damaged.put(&path, bytes);
        let copy = tempfile::tempdir_in(place.path()).expect("a folder");
        damaged.write(copy.path());
        let before = Image::of(copy.path());
        let opened = FjallJournal::open(&copy.path().join("log")).map(|_| ());
        assert!(
            matches!(&opened, Err(StoreError::Damaged(why)) if why.contains(".jnl")),
            "byte {at}: {opened:?}"
        );
        assert_eq!(Image::of(copy.path()), before, "byte {at}: something was changed");
    }
}

#[test]
fn what_is_cut_off_is_kept_a_few_times_over() {
    const CUTS: usize = 6;
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("log");
    let mut dice = Dice(3);
    let mut cut = Vec::new();
    for round in 0..CUTS {
        let mut journal = FjallJournal::open(&folder).expect("it opens");
        let image = Image::of(place.path());
        let path = image.journals().pop().expect("a journal");
        let begins = image.bytes(&path).len();
        journal.commit(pieces(&mut dice, round as u8, 3_000)).expect("commits");
        drop(journal);
        let mut bytes = std::fs::read(place.path().join(&path)).unwrap();
        let last = bytes.iter().rposition(|&byte| byte != 0).expect("a commit");
        // Rot in the last commit, which was durable.
        bytes[begins + 1_000] ^= 1;
        std::fs::write(place.path().join(&path), &bytes).unwrap();
        cut.insert(0, bytes[begins..=last].to_vec());
        assert_eq!(all(&FjallJournal::open(&folder).expect("it opens")), []);
        for (bytes, number) in cut.iter().take(4).zip(1..) {
            let kept = std::fs::read(place.path().join(format!("log.cut-{number}")));
            assert!(kept.expect("it is kept") == *bytes, "cut {number} after {round}");
        }
        assert!(!place.path().join("log.cut-5").exists());
    }
}

#[test]
fn journal_that_was_not_made_to_its_end_is_made_anew() {
    let place = tempfile::tempdir().expect("a folder");
    let unfinished = place.path().join("log.new");
    std::fs::create_dir(&unfinished).unwrap();
    std::fs::write(unfinished.join("0.jnl"), b"half").unwrap();
    let mut journal = FjallJournal::open(&place.path().join("log")).expect("it opens");
    journal.commit(vec![Change::Put(vec![1], vec![1])]).expect("commits");
    assert!(!unfinished.exists());
}

/// `size` bytes in values as long as they may be.
fn pieces(dice: &mut Dice, commit: u8, size: usize) -> Vec<Change> {
    let bytes = dice.bytes(size);
    let values = bytes.chunks(512).zip(0_u32..);
    let key = |n: u32| [&[commit][..], &n.to_be_bytes()].concat();
    values.map(|(value, n)| Change::Put(key(n), value.to_vec())).collect()
}

fn all(journal: &FjallJournal) -> Vec<Change> {
    let pairs = journal.range(Vec::new()..=vec![255; 8]).map(|pair| pair.expect("it is read"));
    pairs.map(|(key, value)| Change::Put(key, value)).collect()
}

#[test]
fn power_cut_in_any_write_leaves_it_done_or_not() {
    const WRITES: u64 = 40;
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("store");
    let expected = script::expected(WRITES);
    let store = script::store(&folder);
    script::read(&store).expect("the store opens");
    let mut dice = Dice(1);
    let mut before = Image::of(&folder);
    let (mut images, mut done) = (0, 0);
    for n in 0..WRITES as usize {
        script::write(&store, n as u64, &expected[n]).expect("it is written");
        let after = Image::of(&folder);
        let names: BTreeSet<&Path> = before.names().chain(after.names()).collect();
        let changed: Vec<PathBuf> = names
            .into_iter()
            .filter(|name| before.bytes(name) != after.bytes(name))
            .map(Path::to_owned)
            .collect();
        let in_log = |path: &&PathBuf| path.starts_with("log");
        for _ in 0..4 {
            // The log is synced before the database is written, and both before the next write.
            let mut image = before.clone();
            let log_is_whole = dice.below(2) == 0;
            for path in changed.iter().filter(in_log) {
                let (old, new) = (before.bytes(path), after.bytes(path));
                image
                    .put(path, if log_is_whole { new.to_vec() } else { torn(old, new, &mut dice) });
            }
            for path in changed.iter().filter(|path| log_is_whole && !in_log(path)) {
                image.put(path, torn(before.bytes(path), after.bytes(path), &mut dice));
            }
            // The key was made before, and lies beside each image.
            let copy = tempfile::tempdir_in(place.path()).expect("a folder");
            let copied = copy.path().join("store");
            image.write(&copied);
            std::fs::copy(folder.with_extension("key"), copied.with_extension("key")).unwrap();
            let opened = script::read(&script::store(&copied));
            let (found, watermark) = opened.unwrap_or_else(|error| panic!("write {n}: {error}"));
            assert_eq!(watermark, found.end(), "write {n}: nothing acknowledged is lost");
            assert!(found == expected[n] || found == expected[n + 1], "write {n}: neither nor");
            images += 1;
            done += usize::from(found == expected[n + 1]);
        }
        before = after;
    }
    println!("{images} images, in {done} of them the write was done");
}

#[test]
fn log_of_several_journals_and_tables_survives() {
    // More than fjall keeps in one journal, so that it writes tables and begins another.
    const COMMITS: u32 = 90;
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("log");
    let commit = |n: u32| -> Vec<Change> {
        let key = |piece: u32| [n.to_be_bytes(), piece.to_be_bytes()].concat();
        (0..1_600).map(|piece| Change::Put(key(piece), vec![n as u8; 512])).collect()
    };
    let mut journal = FjallJournal::open(&folder).expect("it opens");
    for n in 0..COMMITS {
        journal.commit(commit(n)).expect("commits");
    }
    drop(journal);
    let image = Image::of(place.path());
    let tables = image.names().filter(|path| path.starts_with("log/keyspaces/1/tables"));
    assert!(tables.count() > 0);
    let journal = FjallJournal::open(&folder).expect("it opens");
    assert_eq!(all(&journal), (0..COMMITS).flat_map(commit).collect::<Vec<_>>());
}
