//! The exam that every [`Medium`] must pass, in a folder or simulated.
//!
//! As in the exam for stores, each claim is a function that panics if the medium breaks it, and a
//! *place* is a closure that gives a new handle to the same lasting contents each time it is
//! called. What a power cut leaves behind is beyond this exam, since only the maker of a disk can cut
//! its power.

use redb::StorageBackend;

use super::medium::{Change, Journal, MAX_VALUE_BYTES, Medium, Pair, Part};
use crate::limits::MAX_BATCH_BYTES;
use crate::ports::StoreError;

type Pairs = Vec<Pair>;

/// Examines a medium by every claim, each at a place of its own.
pub fn every_claim<M: Medium, P: FnMut() -> M>(mut place: impl FnMut() -> P) {
    a_new_medium_is_empty(place());
    commits_survive_reopening(place());
    a_commit_of_nothing_changes_nothing(place());
    values_of_every_length_survive(place());
    a_longer_value_is_refused(place());
    a_commit_may_hold_a_large_batch(place());
    ranges_ascend_and_include_both_ends(place());
    a_removed_key_stays_removed(place());
    an_open_medium_is_refused_to_others(place());
    small_files_are_replaced_as_a_whole(place());
    the_database_survives_reopening(place());
    a_database_that_was_begun_is_none_before_it_is_adopted(place());
    a_database_kept_aside_stays_until_the_next_is_adopted(place());
    parts_have_names_of_their_own(place());
}

/// A place that nobody wrote to holds no key, no small file and no database.
pub fn a_new_medium_is_empty<M: Medium>(mut place: impl FnMut() -> M) {
    for _ in 0..2 {
        let mut medium = locked(&mut place);
        assert_eq!(all(&medium.journal().expect("the journal opens")), []);
        assert!(medium.state().expect("the database opens").is_none());
        assert_eq!(medium.read("absent").expect("a small file is read"), None);
    }
}

/// What was committed is there, also after the medium was opened again, time and again.
pub fn commits_survive_reopening<M: Medium>(mut place: impl FnMut() -> M) {
    let mut expected = Pairs::new();
    for round in 0..4_u8 {
        let mut medium = locked(&mut place);
        let mut journal = medium.journal().expect("the journal opens");
        assert_eq!(all(&journal), expected, "after {round} rounds");
        for n in 0..3_u8 {
            let pair = (vec![round, n], vec![round; usize::from(n)]);
            commit(&mut journal, vec![Change::Put(pair.0.clone(), pair.1.clone())]);
            expected.push(pair);
            assert_eq!(all(&journal), expected, "before it is opened again");
        }
        // Opened again by the same program, as after a failure.
        drop(journal);
        assert_eq!(all(&medium.journal().expect("the journal opens")), expected);
    }
}

/// A commit without changes is allowed.
pub fn a_commit_of_nothing_changes_nothing<M: Medium>(mut place: impl FnMut() -> M) {
    let mut journal = locked(&mut place).journal().expect("the journal opens");
    commit(&mut journal, Vec::new());
    commit(&mut journal, vec![Change::Remove(vec![1])]);
    assert_eq!(all(&journal), []);
}

/// Every value that a vault may write comes back as it was, the empty and the longest included.
pub fn values_of_every_length_survive<M: Medium>(mut place: impl FnMut() -> M) {
    let pair = |length: usize| ((length as u32).to_be_bytes().to_vec(), noise(length));
    let expected: Pairs = (0..=MAX_VALUE_BYTES).map(pair).collect();
    let mut journal = locked(&mut place).journal().expect("the journal opens");
    for some in expected.chunks(100) {
        commit(&mut journal, puts(some));
    }
    assert_eq!(all(&journal), expected);
    drop(journal);
    assert_eq!(all(&locked(&mut place).journal().expect("the journal opens")), expected);
}

/// A value longer than the bound is refused with all that was to be committed with it.
pub fn a_longer_value_is_refused<M: Medium>(mut place: impl FnMut() -> M) {
    let mut medium = locked(&mut place);
    let mut journal = medium.journal().expect("the journal opens");
    let changes =
        vec![Change::Put(vec![1], vec![1]), Change::Put(vec![2], noise(MAX_VALUE_BYTES + 1))];
    let refused = journal.commit(changes).expect_err("the value is too long");
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    assert_eq!(all(&journal), []);
    commit(&mut journal, vec![Change::Put(vec![3], vec![3])]);
    drop(journal);
    assert_eq!(all(&medium.journal().expect("the journal opens")), [(vec![3], vec![3])]);
}

/// Two of the largest batches in pieces of the longest value are one commit.
pub fn a_commit_may_hold_a_large_batch<M: Medium>(mut place: impl FnMut() -> M) {
    let count = 2 * MAX_BATCH_BYTES / MAX_VALUE_BYTES;
    let pair = |n: usize| ((n as u64).to_be_bytes().to_vec(), noise(MAX_VALUE_BYTES));
    let expected: Pairs = (0..count).map(pair).collect();
    let mut journal = locked(&mut place).journal().expect("the journal opens");
    commit(&mut journal, puts(&expected));
    drop(journal);
    assert_eq!(all(&locked(&mut place).journal().expect("the journal opens")), expected);
}

/// Keys come in the order of their bytes, both ends of a range included.
pub fn ranges_ascend_and_include_both_ends<M: Medium>(mut place: impl FnMut() -> M) {
    let keys: [&[u8]; 6] = [&[0], &[0, 0], &[1, 255], &[2], &[2, 0, 7], &[255]];
    let pair = |key: &&[u8]| (key.to_vec(), key.to_vec());
    let mut journal = locked(&mut place).journal().expect("the journal opens");
    for number in [3, 0, 5, 2, 4, 1] {
        commit(&mut journal, puts(&[pair(&keys[number])]));
    }
    for (from, to) in [(0, 5), (1, 3), (2, 2), (4, 5)] {
        let expected: Pairs = keys[from..=to].iter().map(pair).collect();
        assert_eq!(read(journal.range(keys[from].to_vec()..=keys[to].to_vec())), expected);
    }
    assert_eq!(read(journal.range(vec![3]..=vec![254])), []);
}

/// A key that was removed is gone for good, unless it is put again; and one commit may do both to
/// different keys.
pub fn a_removed_key_stays_removed<M: Medium>(mut place: impl FnMut() -> M) {
    let mut medium = locked(&mut place);
    let mut journal = medium.journal().expect("the journal opens");
    commit(&mut journal, puts(&[(vec![1], vec![1]), (vec![2], vec![2]), (vec![3], vec![3])]));
    commit(
        &mut journal,
        vec![
            Change::Remove(vec![1]),
            Change::Put(vec![2], vec![22]),
            Change::Remove(vec![3]),
            Change::Put(vec![4], vec![4]),
        ],
    );
    commit(&mut journal, puts(&[(vec![3], vec![33])]));
    let expected = [(vec![2], vec![22]), (vec![3], vec![33]), (vec![4], vec![4])];
    assert_eq!(all(&journal), expected);
    drop(journal);
    assert_eq!(all(&medium.journal().expect("the journal opens")), expected);
}

/// While one handle has the place, another is refused, and may have it afterwards.
pub fn an_open_medium_is_refused_to_others<M: Medium>(mut place: impl FnMut() -> M) {
    let mut first = locked(&mut place);
    first.lock().expect("who has the place may take it again");
    let mut second = place();
    let refused = second.lock().expect_err("the place is taken");
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    drop(first);
    second.lock().expect("the place is free");
}

/// A small file holds what it was given last, whatever its length was before.
pub fn small_files_are_replaced_as_a_whole<M: Medium>(mut place: impl FnMut() -> M) {
    for contents in [noise(10), noise(100_000), Vec::new(), noise(1)] {
        let mut medium = locked(&mut place);
        medium.replace("one", &contents).expect("replaces");
        medium.replace("two", b"another").expect("replaces");
        assert_eq!(medium.read("one").expect("reads"), Some(contents.clone()));
        drop(medium);
        let medium = locked(&mut place);
        assert_eq!(medium.read("one").expect("reads"), Some(contents));
        assert_eq!(medium.read("two").expect("reads").as_deref(), Some(&b"another"[..]));
    }
}

/// The database's file keeps what was written and synced, and its length.
pub fn the_database_survives_reopening<M: Medium>(mut place: impl FnMut() -> M) {
    let bytes = noise(10_000);
    let mut medium = locked(&mut place);
    begin(&mut medium, 20_000);
    medium.adopt_state().expect("it is adopted");
    let state = database(&mut medium);
    state.write(5_000, &bytes).expect("writes");
    state.sync_data().expect("syncs");
    state.close().expect("closes");
    drop((state, medium));
    let state = database(&mut locked(&mut place));
    assert_eq!(state.len().expect("a length"), 20_000);
    let mut found = vec![1; 20_000];
    state.read(0, &mut found).expect("reads");
    assert_eq!(found[5_000..15_000], bytes);
    assert!(found[..5_000].iter().chain(&found[15_000..]).all(|&byte| byte == 0));
}

/// What was begun is not the database, and is dropped by the next that is begun; what is adopted is the
/// database from then on, in the place of the one before.
pub fn a_database_that_was_begun_is_none_before_it_is_adopted<M: Medium>(
    mut place: impl FnMut() -> M,
) {
    begin(&mut locked(&mut place), 8_192);
    for length in [4_096, 12_288] {
        let mut medium = locked(&mut place);
        let before = medium.state().expect("the database opens");
        assert_eq!(
            before.map(|state| state.len().expect("a length")),
            (length > 4_096).then_some(4_096)
        );
        begin(&mut medium, length);
        medium.adopt_state().expect("it is adopted");
        assert_eq!(database(&mut medium).len().expect("a length"), length);
        drop(medium);
        assert_eq!(database(&mut locked(&mut place)).len().expect("a length"), length);
    }
}

/// A database that is kept aside has a second name, and its first until another one takes its place.
pub fn a_database_kept_aside_stays_until_the_next_is_adopted<M: Medium>(
    mut place: impl FnMut() -> M,
) {
    let mut medium = locked(&mut place);
    let mut names = vec![medium.name_of(Part::State)];
    let length = |medium: &mut M| database(medium).len().expect("a length");
    begin(&mut medium, 4_096);
    medium.adopt_state().expect("it is adopted");
    for pages in 2..4 {
        let before = length(&mut medium);
        let name = medium.keep_state_aside().expect("it is kept aside");
        assert!(!names.contains(&name), "{name} is taken");
        names.push(name);
        assert_eq!(length(&mut medium), before, "it is still there");
        assert_eq!(medium.keep_state_aside().expect("it is kept aside"), names[names.len() - 1]);
        begin(&mut medium, pages * 4_096);
        assert_eq!(length(&mut medium), before, "the next is only begun");
        medium.adopt_state().expect("it is adopted");
        assert_eq!(length(&mut medium), pages * 4_096);
    }
}

/// Messages can tell the parts from one another.
pub fn parts_have_names_of_their_own<M: Medium>(mut place: impl FnMut() -> M) {
    let parts = [Part::Journal, Part::State, Part::File("one"), Part::File("two")];
    let mut names = parts.map(|part| place().name_of(part)).to_vec();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), parts.len(), "{names:?}");
}

fn locked<M: Medium>(place: &mut impl FnMut() -> M) -> M {
    let mut medium = place();
    medium.lock().expect("nobody else has it open");
    medium
}

/// Begins a database of this length.
fn begin<M: Medium>(medium: &mut M, length: u64) {
    let state = medium.begin_state().expect("a database begins");
    assert_eq!(state.len().expect("a length"), 0, "it is empty");
    state.set_len(length).expect("a length is set");
    state.sync_data().expect("syncs");
    state.close().expect("closes");
}

fn database<M: Medium>(medium: &mut M) -> M::State {
    medium.state().expect("the database opens").expect("there is one")
}

fn commit(journal: &mut impl Journal, changes: Vec<Change>) {
    journal.commit(changes).expect("commits");
}

fn puts(pairs: &[Pair]) -> Vec<Change> {
    pairs.iter().map(|(key, value)| Change::Put(key.clone(), value.clone())).collect()
}

fn all(journal: &impl Journal) -> Pairs {
    read(journal.range(Vec::new()..=vec![255; 16]))
}

fn read(pairs: impl Iterator<Item = Result<Pair, StoreError>>) -> Pairs {
    pairs.map(|pair| pair.expect("reads")).collect()
}

/// Bytes that no compression shortens.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&length.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}
