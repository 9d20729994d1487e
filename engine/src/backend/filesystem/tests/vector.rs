//! Vectors: what a device announces and what others learn from it.

use super::*;

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
