//! Disks without room, and writes that end in the middle.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use futures_executor::block_on;
use graphshell_sync::ports::{Store, StoreError};
use graphshell_sync::store::conformance::ready;

use crate::engine::{self, Story};
use crate::script;

const FOLDER: &str = "GRAPHSHELL_TEST_FOLDER";

/// Runs a test of this file as a program of its own, behind other programs.
fn run(before: &[&str], test: &str, folder: &Path) -> ExitStatus {
    let program = std::env::current_exe().expect("this program");
    Command::new(before[0])
        .args(&before[1..])
        .arg(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .status()
        .expect("it runs")
}

fn given_folder() -> PathBuf {
    PathBuf::from(std::env::var_os(FOLDER).expect("its folder"))
}

#[test]
#[ignore = "run by the test below, where it may mount a small disk"]
fn on_a_small_disk() {
    let disk = given_folder();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"]).arg(&disk);
    assert!(mount.status().expect("it runs").success());
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![1; 8 << 20]).expect("room for it");

    let folder = disk.join("store");
    let refused = engine::with_workspace(&folder, |story: Story<'_>| {
        for number in 0..1_000 {
            if let Err(refused) = story.edit(number) {
                assert!(number > 0, "{refused}");
                let shown = story.pages();
                assert_eq!(shown, number, "a refused edit is taken back");
                // Still full, but for what the store could give back itself.
                let refused_again = (number..number + 20).find(|&next| story.edit(next).is_err());
                let next = refused_again.expect("there is no room");
                std::fs::remove_file(&ballast).expect("it is there");
                story.edit(next).expect("there is room again");
                return (next, refused);
            }
        }
        panic!("the disk has no end");
    });
    let (number, why) = refused;
    assert!(matches!(&why, StoreError::Refused(why) if why.contains("no room")), "{why}");
    engine::with_workspace(&folder, |story| assert_eq!(story.pages(), number + 1));
}

#[test]
fn full_disk_refuses_edits_keeps_the_rest_and_works_again_with_room() {
    let place = tempfile::tempdir().expect("a folder");
    let may = Command::new("unshare").args(["-rm", "true"]).status();
    if !may.is_ok_and(|status| status.success()) {
        println!("skipped: this system lets nobody mount a disk of his own");
        return;
    }
    assert!(run(&["unshare", "-rm"], "full::on_a_small_disk", place.path()).success());
}

#[test]
#[ignore = "run by the test below, with a bound on the length of files"]
fn until_a_write_fails() {
    let store = script::store(&given_folder());
    let end = block_on(store.open()).expect("it opens").end;
    let mut acknowledged = end;
    let error = loop {
        match block_on(store.append(vec![ready(acknowledged, 1, 40_000)])) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(acknowledged > end, "something fits");
    assert!(matches!(error, StoreError::Failed(_)), "{error}");
    block_on(store.append(Vec::new())).expect_err("nothing more until it is opened again");
    let reopened = block_on(store.open()).expect("it opens again");
    assert!((acknowledged..=acknowledged + 1).contains(&reopened.end));
    assert_eq!(reopened.watermark, reopened.end);
}

#[cfg(unix)]
#[test]
fn write_that_ends_in_the_middle_leaves_what_was_before() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("store");
    let store = script::store(&folder);
    block_on(store.open()).expect("it opens");
    block_on(store.append(vec![ready(0, 1, 40_000)])).expect("appends");
    drop(store);
    // Opened again, so that fjall keeps no room for the future in its files.
    drop(script::read(&script::store(&folder)).expect("it opens"));
    let longest = ["log/0.jnl", "state.redb"].map(|name| folder.join(name).metadata());
    let longest = longest.into_iter().flatten().map(|metadata| metadata.len()).max();
    // In units of 512 bytes or, in some shells, of 1,024; either is enough for some.
    let bound = longest.expect("files") / 512 + 500;
    let limited = format!("trap '' XFSZ; ulimit -f {bound}; exec \"$@\"");
    let before = ["sh", "-c", limited.as_str(), "sh"];
    assert!(run(&before, "full::until_a_write_fails", &folder).success());
    let (found, watermark) = script::read(&script::store(&folder)).expect("it opens");
    assert_eq!(found.end(), watermark);
    for (record, n) in found.records.iter().zip(0..) {
        assert!(*record == ready(n, 1, 40_000), "record {n} is another");
    }
}
