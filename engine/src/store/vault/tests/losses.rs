//! Logs that lost what was acknowledged, and databases that cannot be used.

use super::*;

/// A vault with five pages, two of them appended after `early` was copied.
fn five_pages() -> (MemoryMedium, MemoryMedium) {
    let medium = MemoryMedium::default();
    let mut vault = opened(&medium);
    vault.append(&[pages(1, 0..2), vec![consent(4, true)]].concat()).unwrap();
    let early = medium.copy();
    vault.append(&pages(1, 2..4)).unwrap();
    drop(vault);
    (medium, early)
}

/// A disk that kept the log as it was once.
fn with_log_of(medium: &MemoryMedium, log: &MemoryMedium) -> MemoryMedium {
    let mixed = medium.copy();
    mixed.contents().journal = log.contents().journal.clone();
    mixed
}

#[test]
fn log_that_lost_its_tail_is_reported_until_it_has_a_new_base() {
    let (medium, early) = five_pages();
    let medium = with_log_of(&medium, &early);
    let mut vault = vault(&medium);
    for _ in 0..2 {
        let found = vault.open().unwrap();
        assert_eq!((found.end, found.watermark, found.set_aside), (3, 5, Vec::new()));
    }
    for refused in [vault.append(&pages(1, 2..3)), vault.save_snapshot(&snapshot(3, 1))] {
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    }
    assert_eq!(all(&mut vault, 0, 2), pages(1, 0..2), "what is left can be read");
    vault.rebase(&snapshot(3, 70), 1).expect("a base for what is left");
    vault.append(&pages(2, 0..1)).unwrap();
    let summary = vault.summary().unwrap();
    assert_eq!((summary.watermark, summary.shared_with), (4, vec![DeviceId([4; 32])]));
    drop(vault);
    let aside = medium.contents().aside.clone();
    assert_eq!(aside.len(), 1, "the database that remembered more is kept");
    assert!(!aside[0].is_empty());
    let mut vault = opened(&medium);
    assert_eq!(all(&mut vault, 3, 4), pages(2, 0..1));
}

#[test]
fn loss_is_reported_again_if_the_new_base_comes_to_nothing() {
    use super::medium::Fate;
    for fate in [Fate::Refused, Fate::FailedUndone, Fate::FailedDone] {
        let (medium, early) = five_pages();
        let medium = with_log_of(&medium, &early);
        let mut vault = vault(&medium);
        vault.open().unwrap();
        medium.contents().commits = vec![fate];
        vault.rebase(&snapshot(3, 70), 0).expect_err("the disk fails");
        assert_eq!(medium.contents().aside.len(), 0);
        let found = vault.open().unwrap();
        assert_eq!((found.end, found.watermark), (3, 5), "{fate:?}");
        vault.rebase(&snapshot(3, 70), 0).unwrap();
        drop(vault);
        opened(&medium);
    }
}

#[test]
fn log_that_went_on_elsewhere_is_a_loss() {
    let (medium, early) = five_pages();
    let mut vault = opened(&medium);
    vault.save_snapshot(&snapshot(5, 70)).unwrap();
    drop(vault);
    for end in [4, 5, 6] {
        // The same log, continued by a device that never had the lost records.
        let other = early.copy();
        let mut vault = opened(&other);
        vault.append(&pages(7, 0..end - 3)).unwrap();
        drop(vault);
        let medium = with_log_of(&medium, &other);
        let found = super::vault(&medium).open().unwrap();
        assert_eq!((found.end, found.watermark), (end, 5.max(end + 1)));
        // One that lies within the log would be taken for a part of it.
        assert_eq!(found.snapshot.is_some(), end < 5, "a snapshot of another history");
    }
}

#[test]
fn base_that_is_gone_is_a_loss() {
    let (medium, early) = five_pages();
    let medium = with_log_of(&medium, &early);
    let mut vault = vault(&medium);
    vault.open().unwrap();
    vault.rebase(&snapshot(3, 70), 0).unwrap();
    drop(vault);
    // The disk had lied about the new base too.
    let medium = with_log_of(&medium, &early);
    let found = super::vault(&medium).open().unwrap();
    assert_eq!((found.end, found.watermark, found.base), (3, 4, None));
}

#[test]
fn block_missing_in_the_middle_is_named() {
    let (medium, early) = five_pages();
    let mut kept = medium.contents().journal.clone();
    kept.retain(|key, _| !early.contents().journal.contains_key(key));
    medium.contents().journal = kept.clone();
    let damaged = vault(&medium).open().expect_err("its first records are gone").to_string();
    assert_eq!(
        damaged,
        "the store is damaged: the journal: expected records from position 0 to 0, found 3 to 5"
    );
    assert_eq!(medium.contents().journal, kept, "nothing is overwritten");
}

#[test]
fn unusable_database_is_put_aside_and_made_anew() {
    let (medium, _) = five_pages();
    let full = medium.contents().state.clone();
    let mut cases: Vec<(String, Vec<u8>)> = vec![
        ("noise".into(), vec![0xa5; 5000]),
        ("empty".into(), Vec::new()),
        ("cut".into(), full[..full.len() / 2].to_vec()),
        ("zeros".into(), vec![0; full.len()]),
    ];
    // A bit here and there, wherever something stands.
    let places = (0..full.len()).filter(|&at| full[at] != 0);
    for at in places.step_by(97) {
        let mut state = full.clone();
        state[at] ^= 0x10;
        cases.push((format!("byte {at}"), state));
    }
    let mut aside = 0;
    for (what, state) in cases {
        let medium = medium.copy();
        medium.contents().state = state.clone();
        let mut vault = vault(&medium);
        let found = vault.open().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((found.end, found.watermark), (5, 5), "{what}");
        if !found.set_aside.is_empty() {
            aside += 1;
            assert_eq!(found.set_aside[0].name, "state.aside-1");
            assert!(!found.set_aside[0].why.is_empty());
            assert_eq!(medium.contents().aside.len(), 1);
        }
        let summary = vault.summary().unwrap();
        assert_eq!((summary.vector.get(author(1)), summary.watermark), (8, 5), "{what}");
        assert_eq!(summary.shared_with, [DeviceId([4; 32])], "{what}");
        vault.append(&pages(1, 4..5)).unwrap();
        drop(vault);
        opened(&medium);
    }
    assert!(aside > 20, "{aside} were put aside");
}

#[test]
fn database_that_could_not_be_begun_is_no_damaged_one() {
    let (medium, _) = five_pages();
    medium.contents().state.clear();
    for syncs in [None, Some(0), Some(1)] {
        medium.contents().state_syncs = syncs;
        medium.contents().state_room = syncs.is_none().then_some(8_192);
        vault(&medium).open().expect_err("it cannot be begun");
    }
    (medium.contents().state_room, medium.contents().state_syncs) = (None, None);
    let mut vault = vault(&medium);
    assert_eq!(vault.open().unwrap().set_aside, []);
    assert_eq!(vault.summary().unwrap().vector.get(author(1)), 8);
    assert!(medium.contents().aside.is_empty());
}

#[test]
fn database_is_made_anew_from_the_base_too() {
    let medium = MemoryMedium::default();
    let mut vault = opened(&medium);
    vault.append(&[page(1, 0), consent(4, true), consent(5, true)]).unwrap();
    vault.rebase(&snapshot(3, 300_000), 3).unwrap();
    vault.append(&[page(2, 0), consent(5, false)]).unwrap();
    let expected = vault.summary().unwrap();
    drop(vault);
    medium.contents().state = vec![1; 100];
    let mut vault = super::vault(&medium);
    assert_eq!(vault.open().unwrap().set_aside.len(), 1);
    assert_eq!(vault.summary().unwrap(), expected);
    assert_eq!(expected.shared_with, [DeviceId([4; 32])]);
}
