//! Whoever changes, moves or reads stored bytes.

use std::collections::{BTreeMap, BTreeSet};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::*;
use crate::store::medium::MAX_VALUE_BYTES;
use crate::store::vault::seal::NONCE_BYTES;

const TABLES: [&str; 5] = ["meta", "version_vector", "conflicts", "peers", "snapshot"];

type Rows = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;

fn database(medium: &MemoryMedium) -> Database {
    Database::builder().create_with_backend(medium.handle().state().unwrap().unwrap()).unwrap()
}

fn table(name: &'static str) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

fn rows(medium: &MemoryMedium) -> Rows {
    let database = database(medium);
    let read = database.begin_read().unwrap();
    let mut rows = Rows::new();
    for name in TABLES {
        for row in read.open_table(table(name)).unwrap().iter().unwrap() {
            let (key, value) = row.unwrap();
            rows.insert((name, key.value().to_vec()), value.value().to_vec());
        }
    }
    rows
}

fn set_row(medium: &MemoryMedium, (name, key): &(&'static str, Vec<u8>), value: Option<&[u8]>) {
    let database = database(medium);
    let write = database.begin_write().unwrap();
    {
        let mut table = write.open_table(table(name)).unwrap();
        match value {
            Some(value) => table.insert(key.as_slice(), value).unwrap(),
            None => table.remove(key.as_slice()).unwrap(),
        };
    }
    write.commit().unwrap();
}

/// A vault with something in every place: a base and a snapshot of so many bytes, blocks of
/// several pieces, rows in every table.
fn full(length: usize) -> MemoryMedium {
    let medium = MemoryMedium::default();
    let mut vault = opened(&medium);
    vault.append(&[page(1, 0), consent(4, true), consent(5, true)]).unwrap();
    vault.rebase(&snapshot(3, length), 2).unwrap();
    vault.append(&pages(2, 0..4)).unwrap();
    vault.append(&pages(2, 4..8)).unwrap();
    vault.append(&(0..40).map(noise).collect::<Vec<_>>()).unwrap();
    vault.save_snapshot(&snapshot(51, length)).unwrap();
    medium
}

/// A record that no compression shortens.
fn noise(number: u8) -> Record {
    let mut bytes = [0; 48];
    blake3::Hasher::new().update(&[number]).finalize_xof().fill(&mut bytes);
    let (device, incarnation) = bytes.split_at(32);
    Record::Identity {
        device: DeviceId(device.try_into().unwrap()),
        incarnation: crate::id::Incarnation(incarnation.try_into().unwrap()),
    }
}

/// What opening a vault and reading all of it says.
fn read(medium: &MemoryMedium) -> Result<Opened, StoreError> {
    let mut vault = vault(medium);
    let found = vault.open()?;
    vault.load(&(found.first..found.end).collect::<Vec<_>>())?;
    Ok(found)
}

fn assert_damaged(medium: &MemoryMedium, what: &str) {
    let before = medium.contents().journal.clone();
    let damaged = match read(medium) {
        // A flipped bit in the format's number is a format that nobody knows.
        Err(StoreError::Damaged(why) | StoreError::Refused(why)) => why,
        other => panic!("{what}: {other:?}"),
    };
    assert!(damaged.starts_with("the journal: "), "{what}: {damaged}");
    assert!(damaged.contains("records from") || damaged.contains("base"), "{what}: {damaged}");
    assert_eq!(medium.contents().journal, before, "{what}");
    assert_eq!(medium.contents().aside.len(), 0, "{what}");
}

#[test]
fn changed_byte_of_the_log_is_found_wherever_it_is() {
    let full = full(600);
    let journal = full.contents().journal.clone();
    for (key, value) in &journal {
        for at in (0..value.len().min(20)).chain((20..value.len()).step_by(7)) {
            let medium = full.copy();
            medium.contents().journal.get_mut(key).unwrap()[at] ^= 1;
            assert_damaged(&medium, &format!("byte {at} of {key:?}"));
        }
    }
}

#[test]
fn forged_count_of_records_takes_no_memory() {
    let medium = MemoryMedium::default();
    let mut vault = opened(&medium);
    vault.append(&pages(1, 0..2)).unwrap();
    drop(vault);
    let (key, value) = medium.contents().journal.clone().pop_last().unwrap();
    assert_eq!(value[0], 2, "the count stands first");
    let mut forged = Vec::new();
    crate::codec::put_varint(&mut forged, u64::from(u32::MAX));
    forged.extend_from_slice(&value[1..]);
    medium.contents().journal.insert(key, forged);
    // With a database that remembers less, and with none.
    assert_damaged(&medium, "the last block");
    medium.contents().state.clear();
    assert!(matches!(vault_of(&medium, WORKSPACE, master(1)).open(), Err(StoreError::Damaged(_))));
}

#[test]
fn missing_piece_is_found_wherever_it_is() {
    let full = full(300_000);
    let journal = full.contents().journal.clone();
    for (number, key) in journal.keys().enumerate() {
        // Of the many pieces of the base some are enough.
        if key[0] == 1 && number % 53 != 0 {
            continue;
        }
        let medium = full.copy();
        medium.contents().journal.remove(key);
        assert_damaged(&medium, &format!("{key:?} is missing"));
    }
}

#[test]
fn missing_chunk_is_found() {
    let full = full(300_000);
    let journal = full.contents().journal.clone();
    for chunk in 0..2 {
        let medium = full.copy();
        let chunk = [&[1, 0, 0, 0, 1][..], &[0, 0, 0, chunk]].concat();
        medium.contents().journal.retain(|key, _| !key.starts_with(&chunk));
        assert_ne!(medium.contents().journal.len(), journal.len());
        assert_damaged(&medium, &format!("chunk {chunk:?} is missing"));
    }
}

#[test]
fn values_that_changed_places_are_found() {
    let full = full(600);
    let journal = full.contents().journal.clone();
    let keys: Vec<_> = journal.keys().filter(|key| key[0] == 2).collect();
    let mut swapped = 0;
    for (n, a) in keys.iter().enumerate() {
        for b in &keys[n + 1..] {
            if a[9..] == [0, 0] && b[9..] == [0, 0] || journal[*a].len() != journal[*b].len() {
                continue;
            }
            let medium = full.copy();
            let mut contents = medium.contents();
            contents.journal.insert(a.to_vec(), journal[*b].clone());
            contents.journal.insert(b.to_vec(), journal[*a].clone());
            drop(contents);
            assert_damaged(&medium, &format!("{a:?} and {b:?} are swapped"));
            swapped += 1;
        }
    }
    assert!(swapped > 0, "pieces of one length were swapped");
}

/// The pieces of the block at a position, as they would stand at another.
fn moved(medium: &MemoryMedium, from: u64, to: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let journal = medium.contents().journal.clone();
    let block = |at: u64| [&[2][..], &at.to_be_bytes()].concat();
    let pieces = journal.iter().filter(|(key, _)| key.starts_with(&block(from)));
    pieces.map(|(key, value)| ([&block(to), &key[9..]].concat(), value.clone())).collect()
}

#[test]
fn whole_block_in_another_place_is_found() {
    let full = full(600);
    for (from, to) in [(3, 7), (7, 3)] {
        let medium = full.copy();
        let block = moved(&full, from, to);
        let other = moved(&full, to, from);
        let mut contents = medium.contents();
        contents.journal.retain(|key, _| !block.contains_key(key) && !other.contains_key(key));
        contents.journal.extend(block);
        contents.journal.extend(other);
        drop(contents);
        assert_damaged(&medium, &format!("the block of {from} stands at {to}"));
    }
}

#[test]
fn block_of_another_history_is_found() {
    // Two logs of one vault, the same up to position 2.
    let medium = MemoryMedium::default();
    let mut vault = opened(&medium);
    vault.append(&pages(1, 0..2)).unwrap();
    drop(vault);
    let other = medium.copy();
    for (medium, number) in [(&medium, 1), (&other, 2)] {
        let mut vault = opened(medium);
        vault.append(&pages(number, 2..4)).unwrap();
        vault.append(&pages(number, 4..6)).unwrap();
    }
    // Its block is sealed for just this place, under the same key.
    let block = moved(&other, 2, 2);
    let mut contents = medium.contents();
    contents.journal.retain(|key, _| key[..9] != block.keys().next().unwrap()[..9]);
    contents.journal.extend(block);
    drop(contents);
    let damaged = read(&medium).expect_err("the chain is broken").to_string();
    assert!(
        damaged.starts_with(
            "the store is damaged: the journal: records from position 4: expected to follow"
        ),
        "{damaged}"
    );
}

#[test]
fn changed_row_is_found_in_every_table() {
    let full = full(600);
    let rows = rows(&full);
    assert_eq!(rows.keys().map(|(name, _)| *name).collect::<BTreeSet<_>>(), TABLES.into());
    for (place, value) in &rows {
        for at in (0..value.len().min(40)).chain([value.len() - 1]) {
            let medium = full.copy();
            let mut changed = value.clone();
            changed[at] ^= 1;
            set_row(&medium, place, Some(&changed));
            assert_database_is_put_aside(&medium, &format!("byte {at} of {place:?}"), at == 0);
        }
        let medium = full.copy();
        set_row(&medium, place, None);
        assert_database_is_put_aside(&medium, &format!("{place:?} is missing"), false);
    }
}

#[test]
fn rows_that_changed_places_are_found() {
    let full = full(600);
    let rows = rows(&full);
    for (a, of_a) in &rows {
        for (b, of_b) in &rows {
            if a < b {
                let medium = full.copy();
                set_row(&medium, a, Some(of_b));
                set_row(&medium, b, Some(of_a));
                assert_database_is_put_aside(&medium, &format!("{a:?} and {b:?}"), false);
            }
        }
    }
}

/// The log has everything, so a database that was tampered with stops nobody; `format` is whether
/// what was changed may be taken for a newer format.
fn assert_database_is_put_aside(medium: &MemoryMedium, what: &str, format: bool) {
    let mut vault = vault(medium);
    match vault.open() {
        Err(StoreError::Refused(why)) if format => assert!(why.contains("format"), "{what}: {why}"),
        Ok(found) => {
            assert_eq!(found.set_aside.len(), 1, "{what}");
            assert_eq!((found.end, found.watermark), (51, 51), "{what}");
            assert_eq!(vault.summary().unwrap().vector.get(author(2)), 16, "{what}");
        }
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn nobody_reads_a_url_or_title_off_the_disk() {
    let medium = full(600);
    let contents = medium.contents();
    let state = &contents.state;
    let journal: Vec<u8> = contents.journal.values().flatten().copied().collect();
    let files: Vec<u8> = contents.files.values().flatten().copied().collect();
    for stored in [state, &journal, &files] {
        for text in [&URL[..12], &URL[20..32], &TITLE[..10]] {
            let found = stored.windows(text.len()).any(|bytes| bytes == text.as_bytes());
            assert!(!found, "{text} is stored as it is");
        }
    }
}

/// Key and nonce of every value that is stored.
fn nonces(medium: &MemoryMedium) -> Vec<(u8, [u8; NONCE_BYTES])> {
    let parse = |sealed: &[u8]| {
        assert_eq!(sealed[0], 1, "a format");
        (sealed[1], sealed[2..2 + NONCE_BYTES].try_into().unwrap())
    };
    let mut found: Vec<_> = rows(medium).values().map(|row| parse(row)).collect();
    for (key, value) in &medium.contents().journal {
        if key.ends_with(&[0, 0]) {
            let numbers = value.iter().enumerate().filter(|(_, byte)| **byte < 0x80);
            let (second, _) = numbers.take(2).last().unwrap();
            assert!(value.len() <= MAX_VALUE_BYTES);
            found.push(parse(&value[second + 1..]));
        }
    }
    found
}

#[test]
fn no_nonce_is_used_twice() {
    let medium = MemoryMedium::default();
    for round in 0..4 {
        let mut vault = opened(&medium);
        let mut end = 3 * round;
        for part in 0..3 {
            vault.append(&pages(round + 1, part..part + 1)).unwrap();
            end += 1;
            if part == 1 {
                vault.save_snapshot(&snapshot(end, 300_000)).unwrap();
            }
        }
        vault.rebase(&snapshot(end, 300_000), end - 1).unwrap();
        drop(vault);
        let found = nonces(&medium);
        assert!(found.len() > 5);
        let distinct: BTreeSet<_> = found.iter().collect();
        assert_eq!(distinct.len(), found.len(), "two stored values share a nonce");
    }
}

#[test]
fn equal_records_at_one_position_are_sealed_differently() {
    let medium = MemoryMedium::default();
    drop(opened(&medium));
    let (a, b) = (medium.copy(), medium.copy());
    for medium in [&a, &b] {
        opened(medium).append(&pages(1, 0..1)).unwrap();
    }
    let value = |medium: &MemoryMedium| medium.contents().journal.values().next().unwrap().clone();
    let (a, b) = (value(&a), value(&b));
    assert_eq!(a.len(), b.len());
    assert_ne!(a[4..20], b[4..20], "the nonces differ");
    assert_ne!(a[20..40], b[20..40], "and so the ciphertexts");
}
