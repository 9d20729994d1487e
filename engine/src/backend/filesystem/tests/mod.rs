//! Several devices, and several programs of one device, over one folder.

use std::fs;
use std::path::Path;

use futures_executor::block_on;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::batch::{Batch, BatchBuilder, NewEntry};
use crate::hash::Hash;
use crate::id::{Dot, PeerId};
use crate::wire::{Budget, Exclusion, FrontierRow};

const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(77));
const ALICE: DeviceId = DeviceId([0xa1; 32]);
const BOB: DeviceId = DeviceId([0xb0; 32]);
const READER: DeviceId = DeviceId([0xee; 32]);

/// Authors of entries; any device may publish those of any author.
const A: PeerId = PeerId(Uuid::from_u128(0xa));
const B: PeerId = PeerId(Uuid::from_u128(0xb));

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn open(&self, device: DeviceId) -> LocalFilesystemBackend {
        LocalFilesystemBackend::new(self.0.path(), WORKSPACE, device, "")
    }

    fn batches(&self, device: DeviceId) -> PathBuf {
        self.open(device).batch_folder(device)
    }

    fn batch(&self, device: DeviceId, number: u64) -> PathBuf {
        self.batches(device).join(format!("{number:05}.batch"))
    }

    /// The names in a folder, sorted.
    fn names(path: &Path) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> =
            fs::read_dir(path).unwrap().map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Entries `sequences` of `author`, the first of which saw `saw`.
fn entries(
    author: PeerId,
    sequences: std::ops::RangeInclusive<u64>,
    saw: &[(PeerId, u64)],
) -> Batch {
    let mut builder = BatchBuilder::default();
    let row = builder.row(author);
    let delta: Vec<_> = saw.iter().map(|&(peer, seq)| (builder.row(peer), seq)).collect();
    for (n, sequence) in sequences.enumerate() {
        builder.push(NewEntry {
            author: row,
            flags: 0,
            kind: 900,
            sequence,
            timestamp_ms: sequence * 10,
            delta: if n == 0 { &delta } else { &[] },
            payload: &[7; 300],
        });
    }
    builder.finish(WORKSPACE, |_, sequence| Hash([sequence as u8; 32])).unwrap()
}

fn frontier(vector: &[(PeerId, u64)]) -> Frontier {
    let row = |&(peer, sequence): &(PeerId, u64)| FrontierRow {
        peer,
        sequence,
        hash: Hash([sequence as u8; 32]),
    };
    Frontier::new(vector.iter().map(row).collect())
}

fn push(backend: &LocalFilesystemBackend, batch: &Batch) {
    let request = PushRequest { batch: batch.clone() };
    assert_eq!(block_on(backend.push(READER, request)), Ok(Response::Published));
}

fn try_pull(
    backend: &LocalFilesystemBackend,
    from: DeviceId,
    have: &[(PeerId, u64)],
    excluded: &[Exclusion],
) -> Result<(Option<Batch>, bool), CallError> {
    let request = PullRequest {
        workspace: WORKSPACE,
        have: frontier(have),
        excluded: excluded.to_vec(),
        budget: Budget { entries: 1024, bytes: 512 * 1024 },
    };
    block_on(backend.pull(from, request)).map(|response| match response {
        Response::Batch { batch, more } => (batch, more),
        other => panic!("a pull was answered by {other:?}"),
    })
}

fn pull(
    backend: &LocalFilesystemBackend,
    from: DeviceId,
    have: &[(PeerId, u64)],
) -> (Option<Batch>, bool) {
    try_pull(backend, from, have, &[]).unwrap()
}

fn ask(
    backend: &LocalFilesystemBackend,
    of: DeviceId,
    own: &Frontier,
) -> Result<Response, CallError> {
    let request = FrontierRequest { workspace: WORKSPACE, digest: own.digest() };
    block_on(backend.frontier(of, request))
}

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
    assert_eq!(pull(&reader, ALICE, &[]), (Some(a1.clone()), true));
    assert_eq!(pull(&reader, ALICE, &[(A, 2)]), (Some(a2.clone()), true));
    assert_eq!(pull(&reader, ALICE, &[(A, 4)]), (Some(b1), true));
    assert_eq!(pull(&reader, ALICE, &[(A, 4), (B, 1)]), (Some(b2), false));
    assert_eq!(pull(&reader, ALICE, &[(A, 4), (B, 2)]), (None, false));
    // A reader that was set back gets everything again; one that is half-way gets the file whole.
    assert_eq!(pull(&reader, ALICE, &[]), (Some(a1), true));
    assert_eq!(pull(&reader, ALICE, &[(A, 3)]), (Some(a2), true));
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
fn vector_is_read_back_as_it_was_announced() {
    let folder = Folder::new();
    let alice = folder.open(ALICE);
    let own = frontier(&[(A, 5), (B, (1 << 62) - 1)]);
    block_on(alice.announce(own.clone())).unwrap();
    let reader = folder.open(READER);
    assert_eq!(ask(&reader, ALICE, &own), Ok(Response::InStep));
    let answer = Response::Frontier { frontier: own, excluded: Vec::new() };
    assert_eq!(ask(&reader, ALICE, &frontier(&[(A, 4)])), Ok(answer));
    block_on(alice.announce(Frontier::default())).unwrap();
    assert_eq!(ask(&reader, ALICE, &Frontier::default()), Ok(Response::InStep));
}

#[test]
fn vector_is_written_only_if_it_changed() {
    let folder = Folder::new();
    let alice = folder.open(ALICE);
    let announce = |backend: &LocalFilesystemBackend, sequence| {
        block_on(backend.announce(frontier(&[(A, sequence)]))).unwrap();
    };
    announce(&alice, 1);
    let path = alice.vector_file(ALICE);
    let old = std::time::UNIX_EPOCH;
    fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    announce(&alice, 1);
    announce(&folder.open(ALICE), 1);
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), old);
    announce(&alice, 2);
    assert_ne!(fs::metadata(&path).unwrap().modified().unwrap(), old);
    assert_eq!(Folder::names(path.parent().unwrap()), ["version_vector.json"]);
}

#[test]
fn damaged_vector_is_an_error_that_names_the_file() {
    let folder = Folder::new();
    let (alice, reader) = (folder.open(ALICE), folder.open(READER));
    block_on(alice.announce(frontier(&[(A, 5)]))).unwrap();
    let path = alice.vector_file(ALICE);
    let good = fs::read_to_string(&path).unwrap();
    let bob = BOB.to_string();
    let cases = [
        (good[..good.len() / 2].to_owned(), "half-written or damaged"),
        (String::new(), "half-written or damaged"),
        (good.replace("\"sequence\": 5", "\"sequence\": 6"), "digest does not fit"),
        (good.replace("\"sequence\": 5", "\"sequence\": 0"), "sequence 0 of"),
        (good.replace("\"format\": 1", "\"format\": 2"), "format 2 is unknown"),
        (good.replace(&ALICE.to_string(), &bob), "of device b0b0"),
        (good.replace("0505", "05zz"), "is no hash"),
        (" ".repeat(600_000), "expected at most 524288"),
    ];
    for (text, expected) in cases {
        fs::write(&path, &text).unwrap();
        match ask(&reader, ALICE, &Frontier::default()) {
            Err(CallError::Nonsense(error)) => {
                assert!(error.contains(expected), "{error}");
                assert!(error.contains(path.to_str().unwrap()), "{error}");
            }
            other => panic!("{other:?} for {expected}"),
        }
    }
    // Whoever wrote it writes it again.
    block_on(alice.announce(frontier(&[(A, 5)]))).unwrap();
    assert_eq!(ask(&reader, ALICE, &frontier(&[(A, 5)])), Ok(Response::InStep));
}

#[test]
fn largest_vector_can_be_read_back() {
    let folder = Folder::new();
    let rows: Vec<_> = (1..=MAX_AUTHORS as u128)
        .map(|n| (PeerId(Uuid::from_u128(u128::MAX - n)), (1 << 62) - 1))
        .collect();
    let name = "\u{1f436}\"\\".repeat(100);
    let alice = LocalFilesystemBackend::new(folder.0.path(), WORKSPACE, ALICE, name);
    block_on(alice.announce(frontier(&rows))).unwrap();
    assert_eq!(ask(&folder.open(READER), ALICE, &frontier(&rows)), Ok(Response::InStep));
}

#[test]
fn who_published_nothing_is_out_of_reach() {
    let folder = Folder::new();
    let reader = folder.open(READER);
    for answer in [
        ask(&reader, ALICE, &Frontier::default()).map(drop),
        try_pull(&reader, ALICE, &[], &[]).map(drop),
    ] {
        match answer {
            Err(CallError::Lost(error)) => assert!(error.contains("published nothing"), "{error}"),
            other => panic!("{other:?}"),
        }
    }
    // Batches without a vector: what is there can be pulled, how far it goes is not known.
    push(&folder.open(ALICE), &entries(A, 1..=1, &[]));
    assert!(pull(&reader, ALICE, &[]).0.is_some());
    match ask(&reader, ALICE, &Frontier::default()) {
        Err(CallError::Lost(error)) => assert!(error.contains("version_vector.json"), "{error}"),
        other => panic!("{other:?}"),
    }
    // A vector without batches.
    block_on(folder.open(BOB).announce(Frontier::default())).unwrap();
    assert_eq!(pull(&reader, BOB, &[]), (None, false));
}

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
fn discover_names_the_others() {
    let folder = Folder::new();
    let named = |device, name: &str| {
        let backend = LocalFilesystemBackend::new(folder.0.path(), WORKSPACE, device, name);
        block_on(backend.announce(Frontier::default())).unwrap();
        backend
    };
    let alice = named(ALICE, "Alice's \u{7}laptop");
    assert_eq!(block_on(alice.discover()), Ok(Vec::new()));
    named(BOB, "");
    let peers = block_on(named(READER, "reader").discover()).unwrap();
    let expected = [(ALICE, "Alice's laptop".to_owned()), (BOB, BOB.to_string())];
    assert_eq!(peers, expected.map(|(device, name)| PeerInfo { device, name }));
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
    const EACH: u64 = 40;
    let folder = Folder::new();
    let author = |writer: u64| PeerId(Uuid::from_u128(u128::from(writer) + 1));
    let reader = folder.open(READER);
    let mut seen = crate::vector::VersionVector::new();
    std::thread::scope(|scope| {
        let (folder, author) = (&folder, &author);
        let write = move |writer| {
            let backend = folder.open(ALICE);
            for sequence in 1..=EACH {
                push(&backend, &entries(author(writer), sequence..=sequence, &[]));
                block_on(backend.announce(frontier(&[(author(writer), sequence)]))).unwrap();
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
        assert_eq!(seen.get(author(writer)), EACH, "entries of writer {writer}");
    }
    let names = Folder::names(&folder.batches(ALICE));
    assert_eq!(names.len() as u64, 3 * EACH, "one file each, nothing else: {names:?}");
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
