//! What is synced, and when, as the system sees it. Images of files come from its cache, which holds
//! what was never synced too; so this looks at the calls themselves.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use futures_executor::block_on;
use graphshell_sync::ports::Witness;
use graphshell_sync::store::disk::{DeviceWitness, DiskStore, KeySource};

use crate::script;

const PLACE: &str = "GRAPHSHELL_TEST_FOLDER";
const WRITES: u64 = 8;

/// What a program did, in order.
#[derive(Debug, PartialEq, Eq)]
enum Did {
    Said(String),
    Wrote(PathBuf),
    Synced(PathBuf),
    Renamed(PathBuf, PathBuf),
}

use Did::{Renamed, Said, Synced, Wrote};

fn store(place: &Path) -> DiskStore {
    let key = KeySource::key_file(place.join("keys").join("key"));
    DiskStore::new(place.join("store"), script::WORKSPACE, key).expect("a thread")
}

fn witness(place: &Path) -> DeviceWitness {
    DeviceWitness::in_file(place.join("witness").join("file")).expect("a thread")
}

fn say(what: &str) {
    // Past the test harness, which would keep it.
    let mut out = std::io::stdout().lock();
    writeln!(out, "said {what}").and_then(|()| out.flush()).expect("somebody listens");
}

#[test]
#[ignore = "run by the tests below, as a program that is watched"]
fn writes() {
    let place = PathBuf::from(std::env::var_os(PLACE).expect("its folder"));
    let expected = script::expected(WRITES);
    let store = store(&place);
    script::read(&store).expect("the store opens");
    say("open");
    for n in 0..WRITES {
        script::write(&store, n, &expected[n as usize]).expect("it is written");
        say("written");
    }
}

#[test]
#[ignore = "run by the tests below, as a program that is watched"]
fn opens() {
    let place = PathBuf::from(std::env::var_os(PLACE).expect("its folder"));
    block_on(witness(&place).read()).expect("it is read").expect("it was written");
    let store = store(&place);
    script::read(&store).expect("the store opens");
    say("open");
}

/// Runs a test of this file under strace; nothing where that is not possible.
fn watch(test: &str, place: &Path) -> Option<Vec<Did>> {
    let trace = place.join("trace");
    let strace = |program: &Path| {
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-s", "64", "-e"]);
        command.arg("trace=write,writev,pwrite64,fsync,fdatasync,rename,renameat,renameat2");
        command.arg("-o").arg(&trace).arg(program).stdout(Stdio::null());
        command
    };
    if !strace(Path::new("true")).status().is_ok_and(|status| status.success()) {
        println!("skipped: this needs strace, and to be allowed to trace");
        return None;
    }
    let program = std::env::current_exe().expect("this program");
    let status = strace(&program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(PLACE, place)
        .status();
    assert!(status.expect("it runs").success());
    let trace = std::fs::read_to_string(trace).expect("a trace");
    Some(trace.lines().filter_map(did).collect())
}

/// `12 fsync(3</folder/file>) = 0`, and the like.
fn did(line: &str) -> Option<Did> {
    let (_, call) = line.split_once(' ')?;
    let (name, arguments) = call.trim_start().split_once('(')?;
    assert!(!line.contains("= -1"), "{line}");
    let file = || Some(PathBuf::from(arguments.split_once('<')?.1.split_once('>')?.0));
    match name {
        "fsync" | "fdatasync" => Some(Synced(file()?)),
        "rename" | "renameat" | "renameat2" => {
            let mut names = arguments.split('"').skip(1).step_by(2).map(PathBuf::from);
            Some(Renamed(names.next()?, names.next()?))
        }
        "write" if arguments.starts_with("1<") => {
            let said = arguments.split_once("\"said ")?.1.split_once('\\')?.0;
            Some(Said(said.to_owned()))
        }
        _ => Some(Wrote(file()?)),
    }
}

fn is_journal(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jnl")
}

fn is_state(path: &Path) -> bool {
    path.ends_with("state.redb")
}

/// Whether all that was written to such a file was synced afterwards.
fn all_synced(did: &[Did], of: fn(&Path) -> bool) -> bool {
    let wrote = did.iter().rposition(|did| matches!(did, Wrote(path) if of(path)));
    let synced = did.iter().rposition(|did| matches!(did, Synced(path) if of(path)));
    wrote <= synced
}

#[test]
fn nothing_is_said_to_be_done_before_it_is_synced() {
    let place = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(place.path().join("keys")).unwrap();
    let Some(did) = watch("syncs::writes", place.path()) else { return };
    let parts: Vec<&[Did]> = did.split(|did| matches!(did, Said(_))).collect();
    assert_eq!(parts.len() as u64, WRITES + 2, "it opens, writes, and closes");
    for (n, part) in parts[1..=WRITES as usize].iter().enumerate() {
        assert!(all_synced(part, is_journal) && all_synced(part, is_state), "write {n}: {part:?}");
        let wrote = |of: fn(&Path) -> bool| {
            part.iter().position(|did| matches!(did, Wrote(path) if of(path)))
        };
        let state = wrote(is_state).expect("every write moves the database");
        // All but the snapshot go to the log, and are durable there first.
        let log = wrote(is_journal).is_some();
        assert_eq!(log, n != 7, "write {n}");
        assert!(all_synced(&part[..state], is_journal), "write {n}: the log comes first");
    }
}

#[test]
fn small_file_is_synced_before_its_name_and_its_name_before_it_counts() {
    let place = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(place.path().join("keys")).unwrap();
    let Some(did) = watch("syncs::writes", place.path()) else { return };
    let folder = place.path().join("store");
    let (aside, name) = (folder.join("keys.json.new"), folder.join("keys.json"));
    let at = |what: Did| did.iter().position(|did| *did == what);
    let renamed = at(Renamed(aside.clone(), name)).expect("it appears as a whole");
    let written = at(Wrote(aside.clone())).expect("it is written");
    let synced = at(Synced(aside)).expect("it is synced");
    assert!(written < synced && synced < renamed);
    let open = at(Said("open".to_owned())).expect("it opens");
    assert!(did[renamed..open].contains(&Synced(folder)));
}

#[test]
fn names_that_a_killed_program_left_are_synced_before_anything_relies_on_them() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    for folder in ["keys", "witness"] {
        std::fs::create_dir(at(folder)).unwrap();
    }
    drop(script::read(&store(place.path())).expect("it opens"));
    let incarnation = graphshell_sync::Incarnation([1; 16]);
    let promise = graphshell_sync::ports::Promise { incarnation, sequence: 1 };
    block_on(witness(place.path()).write(promise)).expect("it is written");
    let Some(did) = watch("syncs::opens", place.path()) else { return };
    let writes = |did: &Did| matches!(did, Wrote(path) if is_journal(path) || is_state(path));
    let first = did.iter().position(writes).unwrap_or(did.len());
    let folders = [
        at("store"),
        at("store/log"),
        at("store/log/keyspaces/1"),
        at("keys"),
        at("witness"),
        place.path().to_owned(),
    ];
    for folder in folders {
        assert!(did[..first].contains(&Synced(folder.clone())), "{} comes first", folder.display());
    }
}

#[test]
fn every_folder_that_is_made_is_synced_into_the_one_above() {
    let place = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(place.path().join("keys")).unwrap();
    let deep = place.path().join("a/b");
    let Some(did) = watch("syncs::writes_deep", place.path()) else { return };
    for folder in [place.path(), &place.path().join("a"), &deep] {
        assert!(did.contains(&Synced(folder.to_owned())), "{}", folder.display());
    }
}

#[test]
#[ignore = "run by the test above, as a program that is watched"]
fn writes_deep() {
    let place = PathBuf::from(std::env::var_os(PLACE).expect("its folder"));
    let key = KeySource::key_file(place.join("keys").join("key"));
    let store = DiskStore::new(place.join("a/b/store"), script::WORKSPACE, key).expect("a thread");
    script::read(&store).expect("the store opens");
}
