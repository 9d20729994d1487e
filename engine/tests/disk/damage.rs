//! Bytes that were durable and are not what was written any more: always an error that names the
//! file, or a loss that is told; and no file is overwritten.

use std::path::{Path, PathBuf};

use futures_executor::block_on;
use graphshell_sync::ports::{Store, StoreError};

use crate::folder::{Dice, Image};
use crate::script::{self, Contents};

/// What became of a store whose bytes were changed.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// As if nothing had happened.
    Unharmed,
    /// It opened with less, and says so.
    LossTold,
    /// It did not open, and no byte of it changed.
    Refused,
}

/// A store that was closed, and what it holds.
fn made(place: &Path, writes: u64) -> (Image, Contents) {
    let folder = place.join("store");
    let mut expected = script::expected(writes);
    let store = script::store(&folder);
    script::read(&store).expect("the store opens");
    for n in 0..writes {
        script::write(&store, n, &expected[n as usize]).expect("it is written");
    }
    drop(store);
    (Image::of(&folder), expected.pop().expect("the last"))
}

/// Opens `image` in a folder of its own.
fn open(place: &Path, image: &Image, expected: &Contents, what: &str) -> Outcome {
    let copy = tempfile::tempdir_in(place).expect("a folder");
    let folder = copy.path().join("store");
    image.write(&folder);
    std::fs::copy(place.join("store.key"), folder.with_extension("key")).unwrap();
    let before = Image::of(&folder);
    let store = script::store(&folder);
    match script::read(&store) {
        Ok((found, _)) if same(&found, expected) => Outcome::Unharmed,
        Ok((found, watermark)) => {
            assert!(watermark > found.end(), "{what}: less was found, and nothing said");
            Outcome::LossTold
        }
        Err(StoreError::Damaged(why)) => {
            drop(store);
            assert!(why.contains(&*folder.to_string_lossy()), "{what}: no file is named: {why}");
            assert_eq!(Image::of(&folder), before, "{what}: something was overwritten");
            Outcome::Refused
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

/// Whether nothing is lost. A snapshot is lost with the database, and no loss.
fn same(found: &Contents, expected: &Contents) -> bool {
    let without = |contents: &Contents| Contents { snapshot: None, ..contents.clone() };
    (found.snapshot.is_none() || found.snapshot == expected.snapshot)
        && without(found) == without(expected)
}

#[test]
fn rot_in_the_log_is_never_silent() {
    let place = tempfile::tempdir().expect("a folder");
    let (image, expected) = made(place.path(), 12);
    let path = image.journals().pop().expect("a journal");
    let length = image.bytes(&path).len();
    let mut dice = Dice(3);
    let mut outcomes = [0; 3];
    for round in 0..120 {
        let mut rotten = image.clone();
        let mut bytes = image.bytes(&path).to_vec();
        let at = dice.below(length);
        let what = match round % 3 {
            0 => {
                bytes[at] ^= 1 << dice.below(8);
                format!("bit at {at} of {length}")
            }
            1 => {
                let page = at / 4096 * 4096;
                bytes[page..length.min(page + 4096)].fill(0);
                format!("page at {page} of {length}")
            }
            _ => {
                bytes.truncate(at);
                format!("cut at {at} of {length}")
            }
        };
        if round % 3 == 2 {
            rotten.cut(&path, at as u64);
        } else {
            rotten.put(&path, bytes);
        }
        outcomes[open(place.path(), &rotten, &expected, &what) as usize] += 1;
    }
    let [unharmed, told, refused] = outcomes;
    println!("rot in the log: {unharmed} unharmed, {told} losses told, {refused} refused");
    assert!(told > 0 && refused > 0);
}

#[test]
fn damaged_or_missing_files_are_named() {
    let place = tempfile::tempdir().expect("a folder");
    let (image, expected) = made(place.path(), 12);
    let names: Vec<PathBuf> = image.names().map(Path::to_owned).collect();
    let mut dice = Dice(4);
    let mut outcomes = [0; 3];
    for path in &names {
        for round in 0..5 {
            let mut damaged = image.clone();
            let length = image.bytes(path).len();
            let what = format!("{}, damage {round}", path.display());
            match round {
                0 => damaged.remove(path),
                _ if length == 0 => continue,
                1 => damaged.cut(path, 0),
                2 => damaged.cut(path, length as u64 / 2),
                _ => {
                    let mut bytes = image.bytes(path).to_vec();
                    bytes[dice.below(length)] ^= 0x55;
                    damaged.put(path, bytes);
                }
            }
            outcomes[open(place.path(), &damaged, &expected, &what) as usize] += 1;
        }
    }
    let [unharmed, told, refused] = outcomes;
    println!("{} files: {unharmed} unharmed, {told} losses told, {refused} refused", names.len());
    assert!(told > 0 && refused > 0);
}

#[test]
fn lost_database_is_built_anew() {
    let place = tempfile::tempdir().expect("a folder");
    let (image, expected) = made(place.path(), 12);
    let folder = place.path().join("store");
    let mut rotten = image.clone();
    let path = Path::new("state.redb");
    let bytes = image.bytes(path).iter().map(|byte| byte ^ 0xff).collect();
    rotten.put(path, bytes);
    rotten.write(&folder);
    let store = script::store(&folder);
    let opened = block_on(store.open()).expect("the log has everything");
    assert_eq!(opened.set_aside.len(), 1);
    assert!(opened.set_aside[0].name.ends_with("state.redb.damaged-1"), "{opened:?}");
    assert_eq!(opened.end, expected.end());
    drop(store);
    let after = Image::of(&folder);
    assert_eq!(after.bytes(Path::new("state.redb.damaged-1")), rotten.bytes(path));
}
