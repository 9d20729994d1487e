//! Who may open a vault, and how keys change.

use super::medium::Fate;
use super::*;

fn error(vault: &mut Vault<MemoryMedium>) -> StoreError {
    vault.open().expect_err("the vault does not open")
}

/// A vault with one page.
fn one_page() -> MemoryMedium {
    let medium = MemoryMedium::default();
    opened(&medium).append(&pages(1, 0..1)).unwrap();
    medium
}

fn everything(medium: &MemoryMedium) -> String {
    let contents = medium.contents();
    format!("{:?}", (&contents.journal, &contents.state, &contents.files, &contents.aside))
}

#[test]
fn wrong_key_is_refused_and_nothing_is_touched() {
    let medium = one_page();
    let before = everything(&medium);
    let refused = error(&mut vault_of(&medium, WORKSPACE, master(2)));
    let expected = "the store refused: keys.json: wrong key: the vault was locked with another one";
    assert_eq!(refused.to_string(), expected);
    assert_eq!(everything(&medium), before);
}

#[test]
fn other_workspace_is_refused_and_nothing_is_touched() {
    let medium = one_page();
    let before = everything(&medium);
    let other = WorkspaceId(Uuid::from_u128(8));
    let refused = error(&mut vault_of(&medium, other, master(1)));
    assert!(matches!(refused, StoreError::Refused(_)));
    assert!(refused.to_string().contains(&WORKSPACE.to_string()), "{refused}");
    assert!(refused.to_string().contains(&other.to_string()), "{refused}");
    assert_eq!(everything(&medium), before);
}

#[test]
fn sealed_bytes_of_another_workspace_do_not_open() {
    let (mine, other) = (one_page(), MemoryMedium::default());
    let workspace = WorkspaceId(Uuid::from_u128(8));
    drop(vault_of(&other, workspace, master(1)).open().unwrap());
    // Whoever has the master key can put one workspace's keys into another's file.
    let text = String::from_utf8(mine.contents().files[KEY_FILE].clone()).unwrap();
    let text = text.replace(&WORKSPACE.to_string(), &workspace.to_string());
    mine.contents().files.insert(KEY_FILE.to_owned(), text.into_bytes());
    let damaged = error(&mut vault_of(&mine, workspace, master(1)));
    assert!(matches!(damaged, StoreError::Damaged(_)), "{damaged}");
}

#[test]
fn changed_key_file_is_damaged_and_stays_as_it_is() {
    let medium = one_page();
    let text = medium.contents().files[KEY_FILE].clone();
    let mut refused = 0;
    for at in 0..text.len() {
        let medium = medium.copy();
        let mut changed = text.clone();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        medium.contents().files.insert(KEY_FILE.to_owned(), changed);
        let before = everything(&medium);
        match vault(&medium).open() {
            Err(StoreError::Damaged(why)) => assert!(why.starts_with("keys.json"), "{why}"),
            Err(StoreError::Refused(why)) => {
                assert!(why.starts_with("keys.json"), "{why}");
                refused += 1;
            }
            Err(other) => panic!("byte {at}: {other}"),
            // White space.
            Ok(_) => panic!("byte {at} was changed and nobody noticed"),
        }
        assert_eq!(everything(&medium), before);
    }
    assert!(refused < 80, "only format, workspace and the key's check can look like another's");
}

#[test]
fn lost_key_file_is_damage_and_no_new_one_is_made() {
    let medium = one_page();
    medium.contents().files.clear();
    let before = everything(&medium);
    let damaged = error(&mut vault(&medium));
    let expected = "the store is damaged: keys.json: expected the keys of the records in the journal, found no file";
    assert_eq!(damaged.to_string(), expected);
    assert_eq!(everything(&medium), before);
}

#[test]
fn new_data_key_seals_what_is_written_from_then_on() {
    let medium = one_page();
    let key_of = |position: u64| {
        let contents = medium.contents();
        let first = [&[2][..], &position.to_be_bytes(), &[0, 0]].concat();
        let value = contents.journal[&first].clone();
        let numbers = value.iter().enumerate().filter(|(_, byte)| **byte < 0x80);
        let (second, _) = numbers.take(2).last().unwrap();
        value[second + 2]
    };
    let mut vault = opened(&medium);
    vault.rotate_data_key().unwrap();
    vault.append(&pages(1, 1..2)).unwrap();
    drop(vault);
    let mut vault = opened(&medium);
    vault.append(&pages(1, 2..3)).unwrap();
    assert_eq!([0, 1, 2].map(key_of), [1, 2, 2]);
    assert_eq!(all(&mut vault, 0, 3), pages(1, 0..3));
    let mut file: serde_json::Value =
        serde_json::from_slice(&medium.contents().files[KEY_FILE]).unwrap();
    let keys = file["keys"].as_array_mut().unwrap();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0]["sealed"], keys[1]["sealed"]);
    // Neither opens under the other's name.
    let (first, second) = (keys[0]["id"].take(), keys[1]["id"].take());
    (keys[0]["id"], keys[1]["id"]) = (second, first);
    let changed = serde_json::to_vec(&file).unwrap();
    drop(vault);
    medium.contents().files.insert(KEY_FILE.to_owned(), changed);
    assert!(matches!(error(&mut super::vault(&medium)), StoreError::Damaged(_)));
}

#[test]
fn rotation_that_fails_leaves_a_vault_that_opens() {
    for fate in [Fate::Refused, Fate::FailedUndone, Fate::FailedDone] {
        let medium = one_page();
        let mut vault = opened(&medium);
        medium.contents().replace = Some(fate);
        vault.rotate_data_key().expect_err("the disk fails");
        match fate {
            Fate::Refused => vault.append(&pages(1, 1..2)).expect("the old key is still there"),
            _ => {
                let failed = vault.append(&pages(1, 1..2));
                assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
                vault.open().unwrap();
                vault.append(&pages(1, 1..2)).unwrap();
            }
        }
        drop(vault);
        assert_eq!(all(&mut opened(&medium), 0, 2), pages(1, 0..2));
    }
}

#[test]
fn new_master_key_opens_and_the_old_one_no_longer_does() {
    let medium = one_page();
    let mut vault = opened(&medium);
    vault.rotate_data_key().unwrap();
    vault.append(&pages(1, 1..2)).unwrap();
    let log = medium.contents().journal.clone();
    vault.change_master_key(master(2)).unwrap();
    assert_eq!(medium.contents().journal, log, "no data is written anew");
    vault.open().expect("the vault itself knows the new key");
    vault.rotate_data_key().unwrap();
    drop(vault);
    assert!(matches!(error(&mut super::vault(&medium)), StoreError::Refused(_)));
    let mut vault = vault_of(&medium, WORKSPACE, master(2));
    vault.open().unwrap();
    assert_eq!(all(&mut vault, 0, 2), pages(1, 0..2));
}

#[test]
fn master_key_whose_change_failed_is_one_of_the_two() {
    for (fate, after) in [(Fate::Refused, 1), (Fate::FailedUndone, 1), (Fate::FailedDone, 2)] {
        let medium = one_page();
        let mut vault = opened(&medium);
        medium.contents().replace = Some(fate);
        vault.change_master_key(master(2)).expect_err("the disk fails");
        vault.open().expect("the vault tries both");
        vault.rotate_data_key().expect("and goes on with the right one");
        drop(vault);
        vault_of(&medium, WORKSPACE, master(after)).open().unwrap();
        let other = vault_of(&medium, WORKSPACE, master(3 - after)).open();
        assert!(matches!(other, Err(StoreError::Refused(_))), "{fate:?}: {other:?}");
    }
}

#[test]
fn keys_are_never_shown() {
    let medium = one_page();
    let vault = opened(&medium);
    let shown = format!("{vault:?} {:?}", master(0xab));
    assert!(!shown.contains("ab, ab") && !shown.contains("171"), "{shown}");
    let file = String::from_utf8(medium.contents().files[KEY_FILE].clone()).unwrap();
    assert!(!file.contains(&"01".repeat(8)), "the master key is not in the file");
}
