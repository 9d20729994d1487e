//! The store on a real disk beside plain fjall and plain redb with the same entries: operations that
//! become durable per second, bytes on the disk, opening again, memory.
//!
//! Time is the time that passes here, since a disk is waited for. Where the files lie can be said:
//! `cargo bench --package graphshell-benches --features store --bench store -- --in <folder>`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fjall::{KeyspaceCreateOptions, PersistMode};
use futures_executor::block_on;
use graphshell_benches::{Device, OPERATIONS, Workload, browse};
use graphshell_sim::plan::{device_id, workspace_id};
use graphshell_sync::backend::NoNetwork;
use graphshell_sync::ports::Store;
use graphshell_sync::store::disk::{DeviceWitness, DiskStore, KeySource};
use graphshell_sync::store::{MemoryStore, MemoryWitness};
use graphshell_sync::{Config, PortSet, Record, SystemClock, SystemEntropy, Workspace};
use redb::{Database, TableDefinition};

/// Writes records into a folder, durably.
type Write = fn(&Path, &[Record]);

/// Records of one append, and so of one sync: what a round that pulls runs ahead by.
const GROUP: usize = 4;
const RUNS: usize = 5;
/// Operations in one edit of a user: a page, where it came from, its title, and so on.
const EDIT: usize = 10;
/// Log records between two snapshots of a device that is used.
const SNAPSHOT_EVERY: u64 = 1_000;
/// Pending operations, and the megabytes that they may take over the idle process.
const PENDING: [(usize, u32); 2] = [(10_000, 50), (100_000, 100)];
const BAR_PER_SECOND: u32 = 250_000;
const BAR_BYTES: u32 = 75;
const BAR_REOPENED_MS: u32 = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    if let (Some(count), Some(folder)) = (after("--pending"), after("--in")) {
        let one_by_one = arguments.iter().any(|argument| argument == "--one-by-one");
        return pending(count.parse().expect("a number"), one_by_one, Path::new(&folder));
    }
    let place = after("--in").map_or_else(tempfile::tempdir, tempfile::tempdir_in);
    let place = place.expect("a folder to write into");

    let records = records();
    let operations: usize = records.iter().filter_map(batch_of).map(|batch| batch.len()).sum();
    println!("{operations} operations in {} records, {GROUP} for each sync", records.len());
    println!(
        "bars: {BAR_PER_SECOND} durable operations per second, {BAR_BYTES} bytes each on disk"
    );
    let contenders: [(&str, Write); 3] =
        [("graphshell", graphshell), ("fjall", plain_fjall), ("redb", plain_redb)];
    for (name, write) in contenders {
        let mut times = Vec::new();
        let mut bytes = 0;
        let before = on_core();
        for run in 0..RUNS {
            let folder = place.path().join(format!("{name}-{run}"));
            times.push(timed(|| write(&folder, &records)));
            bytes = on_disk(&folder);
        }
        let rate = operations as f64 / median(times).as_secs_f64();
        let each = bytes as f64 / operations as f64;
        let on_core = (on_core_since(before) / RUNS as u32).as_secs_f64() * 1e3;
        println!(
            "{name:<12} {rate:>10.0} durable operations per second, {on_core:>6.0} ms on a core, \
             {each:>6.1} bytes each on disk"
        );
    }

    let folder = place.path().join("graphshell-0");
    let reopened = |name: &str| {
        let (mut times, mut on_core) = (Vec::new(), Duration::ZERO);
        for _ in 0..RUNS {
            let before = self::on_core();
            let mut opened = None;
            times.push(timed(|| opened = Some(open(&folder, 0))));
            on_core += on_core_since(before);
            // Closing waits for the threads of the store and gives all memory back.
            drop(opened);
        }
        let on_core = (on_core / RUNS as u32).as_secs_f64() * 1e3;
        let passed = median(times).as_secs_f64() * 1e3;
        println!(
            "{name:<24} {passed:>8.1} ms (bar: {BAR_REOPENED_MS} ms), {on_core:.0} ms on a core"
        );
    };
    reopened("opened from the log");
    let (workspace, driver) = open(&folder, 0);
    run(driver, || block_on(workspace.checkpoint()).expect("a snapshot is saved"), &workspace);
    drop(workspace);
    reopened("opened from a snapshot");
    let parts = ["log", "state.redb"].map(|part| on_disk(&folder.join(part)));
    println!(
        "with a snapshot          {parts:?} bytes in log and database, {:.1} for each operation \
         (bar: {BAR_BYTES})",
        parts.iter().sum::<u64>() as f64 / operations as f64
    );

    for (count, bar) in PENDING {
        // As fast as they come, so that many share an append; and as people browse, one by one.
        for how in [None, Some("--one-by-one")] {
            let program = std::env::current_exe().expect("this program");
            let folder = place.path().join(format!("pending-{count}-{}", how.is_some()));
            let mut command = Command::new(program);
            command.args(["--pending", &count.to_string(), "--in"]).arg(&folder).args(how);
            assert!(command.status().expect("it runs").success());
            let parts = ["log", "state.redb"].map(|part| on_disk(&folder.join(part)));
            let each = parts.map(|bytes| bytes as f64 / count as f64);
            println!(
                "        (bar: {bar} MB)  {:.1} bytes each on disk (bar: {BAR_BYTES}), of which \
                 {:.1} in the log and {:.1} in the database with its snapshot",
                each[0] + each[1],
                each[0],
                each[1]
            );
        }
    }
}

/// The log of a device that received the workload.
fn records() -> Vec<Record> {
    let workload = Workload::new(OPERATIONS);
    let log = MemoryStore::new();
    Device::open("reader", log.clone(), MemoryWitness::new()).receive(workload.frames);
    let opened = block_on(log.open()).expect("memory opens");
    block_on(log.load((0..opened.end).collect())).expect("memory loads")
}

fn batch_of(record: &Record) -> Option<&graphshell_sync::Batch> {
    match record {
        Record::Ready(batch) => Some(batch),
        _ => None,
    }
}

fn key(folder: &Path) -> KeySource {
    KeySource::key_file(folder.with_extension("key"))
}

fn graphshell(folder: &Path, records: &[Record]) {
    let store = DiskStore::new(folder, workspace_id(), key(folder)).expect("a thread");
    block_on(store.open()).expect("it opens");
    for group in records.chunks(GROUP) {
        block_on(store.append(group.to_vec())).expect("it appends");
    }
}

/// Author and sequence, kind and payload of each entry.
fn rows(group: &[Record]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
    group.iter().filter_map(batch_of).flat_map(|batch| {
        batch.dots().zip(batch.payloads()).map(|(dot, (kind, payload))| {
            let key = [dot.peer.0.as_bytes(), &dot.sequence.to_be_bytes()[..]].concat();
            (key, [&kind.to_le_bytes(), payload].concat())
        })
    })
}

fn plain_fjall(folder: &Path, records: &[Record]) {
    let database = fjall::Database::builder(folder).open().expect("it opens");
    let entries = database.keyspace("entries", KeyspaceCreateOptions::default).expect("it opens");
    for group in records.chunks(GROUP) {
        let mut batch = database.batch().durability(Some(PersistMode::SyncData));
        rows(group).for_each(|(key, value)| batch.insert(&entries, key, value));
        batch.commit().expect("it commits");
    }
}

fn plain_redb(folder: &Path, records: &[Record]) {
    const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");
    fs::create_dir(folder).expect("a folder");
    let database = Database::create(folder.join("redb")).expect("it opens");
    for group in records.chunks(GROUP) {
        let transaction = database.begin_write().expect("it begins");
        let mut entries = transaction.open_table(ENTRIES).expect("it opens");
        for (key, value) in rows(group) {
            entries.insert(&*key, &*value).expect("it inserts");
        }
        drop(entries);
        transaction.commit().expect("it commits");
    }
}

type Ports = PortSet<SystemClock, SystemEntropy, DiskStore, DeviceWitness, NoNetwork>;
type Driver = graphshell_sync::Driver<Ports>;

fn open(folder: &Path, snapshot_every: u64) -> (Workspace<Ports>, Driver) {
    let witness = DeviceWitness::beside(folder).expect("a thread");
    let store = DiskStore::new(folder, workspace_id(), key(folder)).expect("a thread");
    let (clock, entropy) = (SystemClock, SystemEntropy);
    let ports = PortSet { clock, entropy, store, witness, network: NoNetwork };
    let (workspace, device) = (workspace_id(), device_id("reader"));
    let config = Config { workspace, device, snapshot_every, compact_every: 0 };
    block_on(Workspace::open(config, ports)).expect("it opens")
}

/// Runs a driver beside some work, and closes the workspace.
fn run(driver: Driver, work: impl FnOnce(), workspace: &Workspace<Ports>) {
    std::thread::scope(|scope| {
        let driver = scope.spawn(|| block_on(driver.run()));
        work();
        block_on(workspace.close());
        driver.join().expect("no panic").expect("it ends well");
    });
}

/// In a program of its own: how much memory so many operations take that no other device has yet.
/// Either each edit waits until the one before is durable, or none does.
fn pending(count: usize, one_by_one: bool, folder: &Path) {
    let operations = browse(count);
    let [idle, _] = memory();
    let (workspace, driver) = open(folder, SNAPSHOT_EVERY);
    let work = || {
        let mut last = None;
        for some in operations.chunks(EDIT) {
            let receipt = workspace.edit_all(some).expect("what was walked is possible");
            if one_by_one {
                block_on(workspace.settled(receipt));
            }
            last = Some(receipt);
        }
        block_on(workspace.settled(last.expect("operations")));
        let [now, peak] = memory();
        let megabytes = |kib: u64| (kib.saturating_sub(idle)) as f64 / 1024.0;
        println!(
            "{count:>7} pending operations{}, {:>6.1} MB over the idle process, {:.1} MB at the peak",
            if one_by_one { " made one edit after another" } else { "" },
            megabytes(now),
            megabytes(peak)
        );
    };
    run(driver, work, &workspace);
}

/// Resident memory of this program now and at most, in KiB; where the system tells.
fn memory() -> [u64; 2] {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ["VmRSS:", "VmHWM:"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    })
}

/// How long this program's threads kept cores busy so far, where the system tells; on a machine that
/// others use too that says more than the time that passes.
fn on_core() -> Duration {
    let status = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the program's name, which may hold anything: in and outside of the system, in 10 ms.
    let fields = status.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn on_core_since(before: Duration) -> Duration {
    on_core().saturating_sub(before)
}

/// Bytes that are allocated for a file, or for all files below a folder.
fn on_disk(path: &Path) -> u64 {
    let metadata = fs::metadata(path).expect("it is there");
    if metadata.is_dir() {
        let entries = fs::read_dir(path).expect("a folder");
        let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
        return paths.iter().map(|path| on_disk(path)).sum();
    }
    #[cfg(unix)]
    let bytes = std::os::unix::fs::MetadataExt::blocks(&metadata) * 512;
    #[cfg(not(unix))]
    let bytes = metadata.len();
    bytes
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch needs the time")]
fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
