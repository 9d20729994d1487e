//! Keys, formats, and who may open a store.

use std::path::Path;

use futures_executor::block_on;
use graphshell_sync::WorkspaceId;
use graphshell_sync::ports::{Store, StoreError};
use graphshell_sync::store::disk::{DiskStore, FolderMedium, KeySource};
use graphshell_sync::store::{conformance, medium_conformance};
use uuid::Uuid;

use crate::folder::Image;
use crate::script::{self, WORKSPACE};

fn with(folder: &Path, key: KeySource) -> DiskStore {
    DiskStore::new(folder, WORKSPACE, key).expect("a thread")
}

/// That a store is refused for a reason that contains `why`, and no byte of it changes.
fn assert_refused(store: &DiskStore, folder: &Path, why: &str) {
    let before = Image::of(folder);
    match block_on(store.open()) {
        Err(StoreError::Refused(text)) => assert!(text.contains(why), "{text}"),
        other => panic!("expected a refusal for {why:?}, found {other:?}"),
    }
    assert_eq!(Image::of(folder), before, "something was changed");
}

/// Makes a store in `folder` and writes a little.
fn make(folder: &Path, key: KeySource) {
    let store = with(folder, key);
    script::read(&store).expect("it opens");
    for (n, held) in script::expected(3).iter().take(3).enumerate() {
        script::write(&store, n as u64, held).expect("it is written");
    }
}

#[track_caller]
fn assert_reads(folder: &Path, key: KeySource) {
    let (found, _) = script::read(&with(folder, key)).expect("it opens");
    assert!(found == script::expected(3)[3]);
}

#[test]
fn disk_store_passes_the_exam() {
    block_on(conformance::every_claim(|| {
        let place = tempfile::tempdir().expect("a folder");
        move || script::store(&place.path().join("store"))
    }));
}

#[test]
fn folder_passes_the_exam() {
    medium_conformance::every_claim(|| {
        let place = tempfile::tempdir().expect("a folder");
        move || FolderMedium::new(place.path().join("store"))
    });
}

#[test]
fn wrong_key_is_refused_and_changes_nothing() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("store");
    make(&folder, KeySource::passphrase("correct horse"));
    assert_reads(&folder, KeySource::passphrase("correct horse"));
    assert_refused(&with(&folder, KeySource::passphrase("wrong horse")), &folder, "keys");
    // A key file that somebody else's store was begun with.
    let key = place.path().join("key");
    make(&place.path().join("other"), KeySource::key_file(&key));
    assert_refused(&with(&folder, KeySource::key_file(&key)), &folder, "keys");
}

#[test]
fn another_workspace_is_refused() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("store");
    let key = || KeySource::key_file(place.path().join("key"));
    make(&folder, key());
    let other = WorkspaceId(Uuid::from_u128(8));
    let store = DiskStore::new(&folder, other, key()).expect("a thread");
    assert_refused(&store, &folder, "keys");
}

#[test]
fn lost_key_is_an_error_and_none_is_made() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("store");
    let key = place.path().join("key");
    make(&folder, KeySource::key_file(&key));
    std::fs::remove_file(&key).unwrap();
    let error = block_on(with(&folder, KeySource::key_file(&key)).open()).unwrap_err();
    assert!(error.to_string().contains("key"), "{error}");
    assert!(!key.exists());
}

#[test]
fn key_changes_and_the_former_one_opens_no_more() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("store");
    let file = || KeySource::key_file(place.path().join("key"));
    let phrase = |text: &str| KeySource::passphrase(text);
    make(&folder, file());
    for (old, new) in [(file(), phrase("one")), (phrase("one"), phrase("two"))] {
        let store = with(&folder, old);
        block_on(store.open()).expect("it opens");
        block_on(store.rotate_data_key()).expect("a new data key");
        block_on(store.change_key(new)).expect("a new key");
    }
    assert_reads(&folder, phrase("two"));
    assert_refused(&with(&folder, phrase("one")), &folder, "keys");
    assert_refused(&with(&folder, file()), &folder, "keys");
}

#[test]
fn second_program_is_refused_until_the_first_is_gone() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("store");
    let first = script::store(&folder);
    block_on(first.open()).expect("it opens");
    let second = script::store(&folder);
    match block_on(second.open()) {
        Err(StoreError::Refused(why)) => {
            assert!(why.contains(&*folder.to_string_lossy()) && why.contains("program"), "{why}");
        }
        other => panic!("expected a refusal, found {other:?}"),
    }
    drop(first);
    block_on(second.open()).expect("the folder is free");
}

#[test]
fn newer_formats_are_refused_untouched() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("store");
    let key = || KeySource::key_file(place.path().join("key"));
    make(&folder, key());
    let version = folder.join("log").join("version");
    std::fs::write(&version, b"FJL\x04").unwrap();
    assert_refused(&with(&folder, key()), &folder, "newer");
    std::fs::write(&version, b"FJL\x03").unwrap();
    let keys = folder.join("keys.json");
    let text = std::fs::read_to_string(&keys).unwrap();
    let newer = text.replacen("\"format\": 1", "\"format\": 2", 1);
    assert_ne!(newer, text, "{text}");
    std::fs::write(&keys, newer).unwrap();
    assert_refused(&with(&folder, key()), &folder, "format 2");
    std::fs::write(&keys, text).unwrap();
    assert_reads(&folder, key());

    let folder = place.path().join("other");
    let phrase = || KeySource::passphrase("correct horse");
    make(&folder, phrase());
    let costs = folder.join("passphrase.json");
    let text = std::fs::read_to_string(&costs).unwrap();
    let newer = text.replacen("\"format\": 1", "\"format\": 2, \"cost_of_tomorrow\": 3", 1);
    assert_ne!(newer, text, "{text}");
    std::fs::write(&costs, newer).unwrap();
    assert_refused(&with(&folder, phrase()), &folder, "format 2");
    std::fs::write(&costs, text).unwrap();
    assert_reads(&folder, phrase());
}

#[cfg(unix)]
#[test]
fn nobody_but_the_owner_may_read_a_store() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("store");
    make(&folder, KeySource::passphrase("correct horse"));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for name in ["lock", "state.redb", "keys.json", "passphrase.json"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
}

/// Runs as a program of its own, to which no keyring can be reached.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by the test below, without a keyring"]
fn without_keyring() {
    let place = tempfile::tempdir().expect("a folder");
    let (folder, file) = (place.path().join("store"), place.path().join("key"));
    let error = block_on(with(&folder, KeySource::keyring("browser", "ada")).open()).unwrap_err();
    assert!(matches!(&error, StoreError::Refused(why) if why.contains("keyring")), "{error}");
    for _ in 0..2 {
        let source = KeySource::keyring_or_key_file("browser", "ada", &file).expect("a source");
        assert!(!source.is_keyring());
        block_on(with(&folder, source).open()).expect("it opens");
        assert!(file.exists());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn where_no_keyring_runs_a_key_file_is_taken() {
    let program = std::env::current_exe().expect("this program");
    let status = std::process::Command::new(program)
        .args(["--exact", "keys::without_keyring", "--ignored"])
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.expect("it runs").success());
}
