//! The folder: who else writes there, and what else lies there.

use super::*;

#[test]
fn missing_root_is_never_made() {
    let folder = Folder::new();
    let root = folder.0.path().join("stick");
    let backend = LocalFilesystemBackend::new(&root, WORKSPACE, ALICE, "");
    let request = PushRequest { batch: entries(A, 1..=1, &[]) };
    for error in [
        block_on(backend.announce(Frontier::default())).unwrap_err(),
        block_on(backend.push(BOB, request)).unwrap_err(),
        block_on(backend.discover()).unwrap_err(),
    ] {
        assert!(matches!(&error, CallError::Lost(text) if text.contains("stick")), "{error}");
    }
    assert!(!root.exists());
}

#[test]
fn foreign_files_are_ignored() {
    let folder = Folder::new();
    let (alice, reader) = (folder.open(ALICE), folder.open(READER));
    block_on(alice.announce(Frontier::default())).unwrap();
    push(&alice, &entries(A, 1..=1, &[]));
    let batches = folder.batches(ALICE);
    let whole = fs::read(folder.batch(ALICE, 0)).unwrap();
    for name in [
        "0.batch",
        "000001.batch",
        "+0001.batch",
        "00001.batch~",
        "00001.BATCH",
        ".1.tmp",
        "18446744073709551615.batch",
        "99999999999999999999999.batch",
        ".batch",
        "notes.txt",
    ] {
        fs::write(batches.join(name), &whole).unwrap();
    }
    fs::create_dir(folder.batch(ALICE, 2)).unwrap();
    let workspace = alice.workspace_folder();
    fs::create_dir(workspace.join("lost+found")).unwrap();
    fs::create_dir(workspace.join(BOB.to_string().to_uppercase())).unwrap();
    fs::write(workspace.join(BOB.to_string()), "a file").unwrap();
    assert_eq!(pull(&reader, ALICE, &[]), (Some(entries(A, 1..=1, &[])), false));
    assert_eq!(reader.damaged(), []);
    let peers = block_on(reader.discover()).unwrap();
    assert_eq!(peers.iter().map(|peer| peer.device).collect::<Vec<_>>(), [ALICE]);
    // They are not overwritten either.
    push(&alice, &entries(B, 1..=1, &[]));
    assert_eq!(fs::read(batches.join("000001.batch")).unwrap(), whole);
    assert!(batches.join("00003.batch").exists());
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new();
    let (alice, reader) = (folder.open(ALICE), folder.open(READER));
    push(&alice, &entries(A, 1..=1, &[]));
    block_on(alice.announce(Frontier::default())).unwrap();
    // Bob's folder is Alice's; Alice has a link among her files, and her vector is one.
    let workspace = alice.workspace_folder();
    symlink(workspace.join(ALICE.to_string()), workspace.join(BOB.to_string())).unwrap();
    let outside = folder.0.path().join("outside");
    fs::write(&outside, fs::read(folder.batch(ALICE, 0)).unwrap()).unwrap();
    fs::remove_file(folder.batch(ALICE, 0)).unwrap();
    symlink(&outside, folder.batch(ALICE, 0)).unwrap();
    fs::rename(alice.vector_file(ALICE), folder.0.path().join("vector")).unwrap();
    symlink(folder.0.path().join("vector"), alice.vector_file(ALICE)).unwrap();

    assert_eq!(pull(&reader, ALICE, &[]), (None, false));
    assert!(ask(&reader, ALICE, &Frontier::default()).is_err());
    assert!(try_pull(&reader, BOB, &[], &[]).is_err());
    assert_eq!(block_on(reader.discover()).unwrap().len(), 1);
}

#[test]
fn other_workspace_is_not_shared() {
    let folder = Folder::new();
    let alice = folder.open(ALICE);
    block_on(alice.announce(Frontier::default())).unwrap();
    let workspace = WorkspaceId(Uuid::from_u128(1));
    let digest = Frontier::default().digest();
    let refused = Ok(Response::Refused(Reject::NotShared));
    let request = FrontierRequest { workspace, digest };
    assert_eq!(block_on(alice.frontier(ALICE, request)), refused);
    let (have, budget) = (Frontier::default(), Budget { entries: 1, bytes: 1 });
    let request = PullRequest { workspace, have, excluded: Vec::new(), budget };
    assert_eq!(block_on(alice.pull(ALICE, request)), refused);
    let mut bytes = entries(A, 1..=1, &[]).encode();
    bytes[1..17].copy_from_slice(workspace.0.as_bytes());
    let request = PushRequest { batch: Batch::decode(&bytes).unwrap() };
    assert_eq!(block_on(alice.push(BOB, request)), refused);
}

#[test]
fn two_writers_never_tear_or_lose_a_file() {
    const FILES: u64 = 30;
    /// Entries of one file: so many that it is not written at one go.
    const ENTRIES: u64 = 500;
    let folder = Folder::new();
    let author = |writer: u64| PeerId(Uuid::from_u128(u128::from(writer) + 1));
    let reader = folder.open(READER);
    let mut seen = crate::vector::VersionVector::new();
    std::thread::scope(|scope| {
        let (folder, author) = (&folder, &author);
        let write = move |writer| {
            let backend = folder.open(ALICE);
            for file in 0..FILES {
                let (first, last) = (file * ENTRIES + 1, (file + 1) * ENTRIES);
                push(&backend, &entries(author(writer), first..=last, &[]));
                block_on(backend.announce(frontier(&[(author(writer), last)]))).unwrap();
            }
        };
        let writers: Vec<_> = (0..3).map(|writer| scope.spawn(move || write(writer))).collect();
        // A reader beside them never meets a part of a file.
        loop {
            let last_look = writers.iter().all(|writer| writer.is_finished());
            let have: Vec<_> = seen.iter().collect();
            let batch = try_pull(&reader, ALICE, &have, &[]).ok().and_then(|(batch, _)| batch);
            if last_look && batch.is_none() {
                break;
            }
            for Dot { peer, sequence } in batch.iter().flat_map(Batch::dots) {
                seen.raise(peer, sequence);
            }
            assert_eq!(reader.damaged(), []);
            if let Err(error) = ask(&reader, ALICE, &Frontier::default()) {
                assert!(matches!(error, CallError::Lost(_)), "{error}");
            }
        }
    });
    for writer in 0..3 {
        assert_eq!(seen.get(author(writer)), FILES * ENTRIES, "entries of writer {writer}");
    }
    let names = Folder::names(&folder.batches(ALICE));
    assert_eq!(names.len() as u64, 3 * FILES, "one file each, nothing else: {names:?}");
}

#[test]
fn abandoned_temporary_file_goes_and_a_fresh_one_stays() {
    let folder = Folder::new();
    let alice = folder.open(ALICE);
    push(&alice, &entries(A, 1..=1, &[]));
    let batches = folder.batches(ALICE);
    for (name, epoch) in [(".0.tmp", true), (".1.tmp", false)] {
        let file = fs::File::create(batches.join(name)).unwrap();
        if epoch {
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
    }
    push(&alice, &entries(A, 2..=2, &[]));
    assert_eq!(Folder::names(&batches), [".1.tmp", "00000.batch", "00001.batch"]);
}
