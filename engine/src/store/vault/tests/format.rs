//! Formats: what older engines wrote is read, what newer ones wrote is left alone.
//!
//! `tests/fixtures/vault` holds an image of a medium for each format that was ever written.

use serde::{Deserialize, Serialize};

use super::*;

/// A medium in a file.
#[derive(Serialize, Deserialize)]
struct Image {
    journal: Vec<(String, String)>,
    /// Without the zeros at its end.
    state: String,
    state_bytes: usize,
    keys: String,
}

const FORMAT_1: &[u8] = include_bytes!("../../../../tests/fixtures/vault/format-1.json.zst");

/// What every image holds.
fn write_contents(medium: &MemoryMedium) {
    let mut vault = opened(medium);
    vault.append(&[page(1, 0), consent(4, true)]).unwrap();
    vault.rebase(&snapshot(2, 100), 1).unwrap();
    vault.rotate_data_key().unwrap();
    vault.append(&pages(2, 0..2)).unwrap();
    vault.append(&pages(2, 2..8)).unwrap();
    vault.save_snapshot(&snapshot(10, 100)).unwrap();
}

fn assert_contents(medium: &MemoryMedium) {
    let mut vault = vault(medium);
    let found = vault.open().expect("the format is known");
    assert_eq!(found.base, Some(snapshot(2, 100)));
    assert_eq!(found.snapshot, Some(snapshot(10, 100)));
    assert_eq!((found.first, found.end, found.watermark), (1, 10, 10));
    assert_eq!(found.set_aside, []);
    assert_eq!(all(&mut vault, 1, 2), [consent(4, true)]);
    assert_eq!(all(&mut vault, 2, 10), pages(2, 0..8));
    let summary = vault.summary().unwrap();
    assert_eq!(summary.vector.get(author(2)), 16);
    assert_eq!(summary.shared_with, [DeviceId([4; 32])]);
    assert_eq!(summary.conflicts, snapshot(10, 100).conflicts);
    vault.append(&pages(2, 8..9)).expect("it goes on");
}

fn medium_of(image: &[u8]) -> MemoryMedium {
    let text = zstd::bulk::decompress(image, 1 << 24).unwrap();
    let image: Image = serde_json::from_slice(&text).unwrap();
    let bytes = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
    let medium = MemoryMedium::default();
    let mut contents = medium.contents();
    contents.journal = image.journal.iter().map(|(k, v)| (bytes(k), bytes(v))).collect();
    contents.state = bytes(&image.state);
    contents.state.resize(image.state_bytes, 0);
    contents.files.insert(KEY_FILE.to_owned(), image.keys.into_bytes());
    drop(contents);
    medium
}

#[test]
fn format_1_opens() {
    assert_contents(&medium_of(FORMAT_1));
}

#[test]
fn format_of_today_holds_what_older_ones_did() {
    let medium = MemoryMedium::default();
    write_contents(&medium);
    assert_contents(&medium);
}

#[test]
#[ignore = "writes the image of a format, once, before anybody uses it"]
fn write_image() {
    let medium = MemoryMedium::default();
    write_contents(&medium);
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let contents = medium.contents();
    let used = contents.state.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let image = Image {
        journal: contents.journal.iter().map(|(k, v)| (hex(k), hex(v))).collect(),
        state: hex(&contents.state[..used]),
        state_bytes: contents.state.len(),
        keys: String::from_utf8(contents.files[KEY_FILE].clone()).unwrap(),
    };
    let image = zstd::bulk::compress(&serde_json::to_vec(&image).unwrap(), 19).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/vault");
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(format!("{folder}/format-1.json.zst"), image).unwrap();
}

#[test]
fn newer_key_file_is_refused_untouched() {
    let medium = MemoryMedium::default();
    write_contents(&medium);
    let newer = br#"{"format": 2, "whatever": ["it", "holds"]}"#.to_vec();
    medium.contents().files.insert(KEY_FILE.to_owned(), newer.clone());
    let journal = medium.contents().journal.clone();
    let state = medium.contents().state.clone();
    let refused = vault(&medium).open().expect_err("it is newer");
    let expected = "the store refused: keys.json: it has format 2, this engine knows 1";
    assert_eq!(refused.to_string(), expected);
    let contents = medium.contents();
    assert_eq!((&contents.journal, &contents.files[KEY_FILE]), (&journal, &newer));
    assert_eq!(contents.state, state);
}

#[test]
fn newer_block_is_refused_untouched() {
    let medium = MemoryMedium::default();
    write_contents(&medium);
    let state = medium.contents().state.clone();
    for key in [
        [&[2][..], &[0; 7], &[4, 0, 0]].concat(),
        [&[1][..], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat(),
    ] {
        let medium = medium.copy();
        let value = medium.contents().journal[&key].clone();
        // Behind two numbers stands the format.
        let (second, _) =
            value.iter().enumerate().filter(|(_, byte)| **byte < 0x80).nth(1).unwrap();
        medium.contents().journal.get_mut(&key).unwrap()[second + 1] = 2;
        let journal = medium.contents().journal.clone();
        let refused = vault(&medium).open().expect_err("it is newer");
        assert!(matches!(refused, StoreError::Refused(_)));
        assert!(refused.to_string().ends_with("it has format 2, this engine knows 1"), "{refused}");
        assert_eq!(medium.contents().journal, journal);
        assert_eq!(medium.contents().state, state);
    }
}

#[test]
fn newer_database_is_refused_and_not_put_aside() {
    let medium = MemoryMedium::default();
    write_contents(&medium);
    let table = redb::TableDefinition::<&[u8], &[u8]>::new("meta");
    let state = medium.handle().state().unwrap().unwrap();
    let database = redb::Database::builder().create_with_backend(state).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(table).unwrap().insert(b"log".as_slice(), [2, 9, 9].as_slice()).unwrap();
    write.commit().unwrap();
    drop(database);
    for _ in 0..2 {
        let refused = vault(&medium).open().expect_err("it is newer").to_string();
        let expected = "the store refused: the state: meta: it has format 2, this engine knows 1";
        assert_eq!(refused, expected);
        assert_eq!(medium.contents().aside.len(), 0);
    }
}
