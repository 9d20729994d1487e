//! Published batches: what is pulled, what is published again, what is skipped.

use super::*;

#[test]
fn pull_returns_only_ready_batches_in_order() {
    let folder = Folder::new();
    let alice = folder.open(ALICE);
    let (a1, a2) = (entries(A, 1..=2, &[]), entries(A, 3..=4, &[]));
    let (b1, b2) = (entries(B, 1..=1, &[(A, 4)]), entries(B, 2..=2, &[]));
    // As a program that copies the folder may deliver them: effects before causes.
    for batch in [&b2, &a1, &b1, &a2] {
        push(&alice, batch);
    }
    let reader = folder.open(READER);
    assert_eq!(pull(&reader, ALICE, &[]), (Some(a1), true));
    assert_eq!(pull(&reader, ALICE, &[(A, 2)]), (Some(a2.clone()), true));
    assert_eq!(pull(&reader, ALICE, &[(A, 4)]), (Some(b1), true));
    assert_eq!(pull(&reader, ALICE, &[(A, 4), (B, 1)]), (Some(b2), false));
    assert_eq!(pull(&reader, ALICE, &[(A, 4), (B, 2)]), (None, false));
    // One that is half-way through a file gets it whole.
    assert_eq!(pull(&reader, ALICE, &[(A, 3)]), (Some(a2), true));
}

#[test]
fn reader_set_back_gets_everything_again_in_order() {
    let folder = Folder::new();
    let (alice, reader) = (folder.open(ALICE), folder.open(READER));
    let [a, b, c] = [A, B, PeerId::LOCAL_DEFAULT].map(|author| entries(author, 1..=1, &[]));
    for batch in [&a, &b, &c] {
        push(&alice, batch);
    }
    assert_eq!(pull(&reader, ALICE, &[]), (Some(a.clone()), true));
    assert_eq!(pull(&reader, ALICE, &[(A, 1)]), (Some(b), true));
    assert_eq!(pull(&reader, ALICE, &[]), (Some(a), true));
}

#[test]
fn news_are_found_by_a_reader_that_knows_the_folder() {
    let folder = Folder::new();
    let (alice, reader) = (folder.open(ALICE), folder.open(READER));
    push(&alice, &entries(A, 1..=2, &[]));
    assert_eq!(pull(&reader, ALICE, &[(A, 2)]), (None, false));
    push(&alice, &entries(A, 3..=3, &[]));
    assert_eq!(pull(&reader, ALICE, &[(A, 2)]), (Some(entries(A, 3..=3, &[])), false));
}

#[test]
fn published_twice_is_stored_once() {
    let folder = Folder::new();
    let alice = folder.open(ALICE);
    push(&alice, &entries(A, 1..=4, &[]));
    push(&alice, &entries(A, 1..=4, &[]));
    push(&folder.open(ALICE), &entries(A, 2..=3, &[(B, 9)]));
    assert_eq!(Folder::names(&folder.batches(ALICE)), ["00000.batch"]);
    push(&alice, &entries(A, 6..=7, &[]));
    push(&alice, &entries(A, 4..=6, &[]));
    // Now 1 to 7 lie there, in pieces.
    push(&alice, &entries(A, 1..=7, &[]));
    assert_eq!(Folder::names(&folder.batches(ALICE)).len(), 3);
    push(&alice, &entries(A, 7..=8, &[]));
    push(&alice, &entries(B, 1..=1, &[]));
    assert_eq!(Folder::names(&folder.batches(ALICE)).len(), 5);
}

#[test]
fn half_written_batch_is_skipped_and_healed() {
    let folder = Folder::new();
    let (alice, reader) = (folder.open(ALICE), folder.open(READER));
    let (first, second) = (entries(A, 1..=2, &[]), entries(B, 1..=1, &[]));
    push(&alice, &first);
    push(&alice, &second);
    let path = folder.batch(ALICE, 0);
    let whole = fs::read(&path).unwrap();
    for length in [1, 31, 32, 33, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let reader = folder.open(READER);
        assert_eq!(pull(&reader, ALICE, &[]), (Some(second.clone()), false), "{length} bytes");
        let damaged = DamagedFile { path: path.clone(), damage: Damage::Checksum };
        assert_eq!(reader.damaged(), [damaged], "{length} bytes");
    }
    // The name is claimed, nothing is in it yet: no damage, only nothing.
    fs::write(&path, []).unwrap();
    assert_eq!(pull(&reader, ALICE, &[(B, 1)]), (None, false));
    assert_eq!(reader.damaged(), []);
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    assert_eq!(pull(&reader, ALICE, &[(B, 1)]), (None, false));
    assert_eq!(reader.damaged().len(), 1);
    // Whoever copies it finishes; the same reader finds it.
    fs::write(&path, &whole).unwrap();
    assert_eq!(pull(&reader, ALICE, &[(B, 1)]), (Some(first), false));
    assert_eq!(reader.damaged(), []);
}

#[test]
fn publisher_replaces_what_it_can_no_longer_read() {
    let folder = Folder::new();
    push(&folder.open(ALICE), &entries(A, 1..=2, &[]));
    let path = folder.batch(ALICE, 0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    push(&folder.open(ALICE), &entries(A, 1..=2, &[]));
    let reader = folder.open(READER);
    assert_eq!(pull(&reader, ALICE, &[]), (Some(entries(A, 1..=2, &[])), false));
    assert_eq!(reader.damaged().len(), 1);
}

#[test]
fn rot_after_the_first_look_is_skipped_too() {
    let folder = Folder::new();
    let (alice, reader) = (folder.open(ALICE), folder.open(READER));
    push(&alice, &entries(A, 1..=1, &[]));
    push(&alice, &entries(B, 1..=1, &[]));
    assert!(pull(&reader, ALICE, &[]).1, "both files were looked at");
    fs::write(folder.batch(ALICE, 0), [0; 64]).unwrap();
    assert_eq!(pull(&reader, ALICE, &[]), (Some(entries(B, 1..=1, &[])), false));
    fs::remove_file(folder.batch(ALICE, 1)).unwrap();
    assert_eq!(pull(&reader, ALICE, &[]), (None, false));
}

#[test]
fn batch_of_another_workspace_or_version_is_named_as_such() {
    let folder = Folder::new();
    push(&folder.open(ALICE), &entries(A, 1..=1, &[]));
    let elsewhere = WorkspaceId(Uuid::from_u128(78));
    let mut bytes = entries(A, 1..=1, &[]).encode();
    let publish = |number, bytes: &[u8]| {
        let mut file = bytes.to_vec();
        let mut hasher = blake3::Hasher::new_derive_key("graphshell-sync 1 batch file");
        file.extend_from_slice(hasher.update(bytes).finalize().as_bytes());
        fs::write(folder.batch(ALICE, number), file).unwrap();
    };
    bytes[1..17].copy_from_slice(elsewhere.0.as_bytes());
    publish(1, &bytes);
    bytes[0] = 9;
    publish(2, &bytes);
    fs::File::create(folder.batch(ALICE, 3)).unwrap().set_len(1 << 40).unwrap();
    let reader = folder.open(READER);
    assert_eq!(pull(&reader, ALICE, &[(A, 1)]), (None, false));
    let reasons: Vec<_> = reader.damaged().iter().map(|file| file.damage.to_string()).collect();
    assert_eq!(
        reasons,
        [
            format!("entries of workspace {elsewhere}, expected those of {WORKSPACE}"),
            "batch format 9 is unknown; this engine reads 1".into(),
            "1099511627776 bytes long, expected at most 524320".into(),
        ]
    );
}

#[test]
fn excluded_author_is_not_pulled() {
    let folder = Folder::new();
    let (alice, reader) = (folder.open(ALICE), folder.open(READER));
    let good = entries(B, 1..=1, &[(A, 5)]);
    let bad = [entries(A, 5..=6, &[]), entries(A, 7..=8, &[]), entries(B, 2..=3, &[(A, 6)])];
    for batch in &bad {
        push(&alice, batch);
    }
    push(&alice, &good);
    let not = [Exclusion { peer: A, common: 5, branch: Hash([6; 32]) }];
    // The reader's own branch of A goes further than what both share.
    let have = [(A, 8)];
    assert_eq!(try_pull(&reader, ALICE, &have, &not), Ok((Some(good), false)));
    let have = [(A, 8), (B, 1)];
    assert_eq!(try_pull(&reader, ALICE, &have, &not), Ok((None, false)));
    assert!(pull(&reader, ALICE, &have).0.is_some(), "it is the exclusion that keeps it back");
}
