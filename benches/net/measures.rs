//! What is measured, and what it is measured against.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use graphshell_benches::{OPERATIONS, browse};
use graphshell_sim::plan::node_id;
use graphshell_sync::{LogEntry, NodeId, Position};

use tokio::runtime::Runtime;

use crate::bare::{Bare, ping, sync};
use crate::device::{Device, Place, now, since};

/// Operations of one edit of a user.
const EDIT: usize = 10;
/// Bytes of a request that asks whether both are in step.
const STEP_BYTES: usize = 50;

/// A quantile of some times.
fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * share).round() as usize]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn show(what: &str, mut times: Vec<Duration>, bar: &str) -> Duration {
    let [best, middle, worst] = [0.0, 0.5, 1.0].map(|share| quantile(&mut times, share));
    println!(
        "{what:<58} {:>9.3} ms median, {:>9.3} best, {:>9.3} worst   {bar}",
        ms(middle),
        ms(best),
        ms(worst)
    );
    middle
}

/// Pings over a bare connection, with a rest after each.
async fn pings(times: usize, rest: Duration) -> Duration {
    let bare = Bare::new().await;
    let connection = bare.connect().await;
    let mut measured = Vec::new();
    for _ in 0..times {
        measured.push(ping(&connection, &[7; STEP_BYTES]).await);
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
    }
    let middle = show(&format!("bare: a stream there and back, every {rest:?}"), measured, "");
    bare.close().await;
    middle
}

pub(crate) async fn in_step(place: &Place) {
    let ping = pings(1_000, Duration::ZERO).await;
    let (laptop, phone) = Device::pair(place).await;
    laptop.edit(&browse(100), EDIT).await;
    laptop.sync(&phone).await;
    let before = laptop.backend.traffic();
    let mut times = Vec::new();
    for _ in 0..1_000 {
        times.push(laptop.sync(&phone).await);
    }
    let after = laptop.backend.traffic();
    let bytes = (after.sent - before.sent + after.received - before.received) / 1_000;
    let middle = show("a round in step", times, "bar: 1 round trip");
    println!(
        "    {:.1} pings, {bytes} bytes of payload (bar: 200)",
        middle.as_secs_f64() / ping.as_secs_f64()
    );
    laptop.close().await;
    phone.close().await;
}

pub(crate) async fn thousand(place: &Place) {
    const RUNS: usize = 15;
    show("bare: a write of 64 KiB and its sync", sync(place.path(), 64 * 1024, 50), "");
    let operations = browse(1_000 * (2 * RUNS + 1));
    let mut batches = operations.chunks(1_000);
    let (laptop, phone) = Device::pair(place).await;
    laptop.edit(batches.next().expect("there are more"), EDIT).await;
    laptop.sync(&phone).await;
    let (mut edits, mut rounds, mut both) = (Vec::new(), Vec::new(), Vec::new());
    for batch in batches.by_ref().take(RUNS) {
        let ((), edited) = since(laptop.edit(batch, 1_000)).await;
        let synced = laptop.sync(&phone).await;
        edits.push(edited);
        rounds.push(synced);
        both.push(edited + synced);
    }
    show("1 000 operations, durable here", edits, "");
    show("    and a round over a warm connection, durable there", rounds, "bar: 15 ms");
    show("    both", both, "");

    let bare = Bare::new().await;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let (_, time) = since(async { ping(&bare.connect().await, &[7; STEP_BYTES]).await }).await;
        times.push(time);
    }
    show("bare: connecting and an echo", times, "");
    bare.close().await;
    let mut times = Vec::new();
    for batch in batches {
        laptop.edit(batch, 1_000).await;
        laptop.backend.disconnect(phone.id);
        while !phone.backend.connections().borrow().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times.push(laptop.sync(&phone).await);
    }
    show("1 000 operations, connecting included, durable there", times, "bar: 40 ms");
    laptop.close().await;
    phone.close().await;
}

fn page(number: usize) -> (NodeId, LogEntry) {
    let node_id = node_id(&format!("live {number}"));
    let url = format!("https://example.org/{number}");
    (node_id, LogEntry::AddNode { node_id, url, position: Position::default() })
}

pub(crate) async fn live(place: &Place) {
    const EDITS: usize = 200;
    const REST: Duration = Duration::from_millis(20);
    // A machine that rests between edits takes longer to wake up than one that is kept busy.
    let ping = pings(EDITS, REST).await;
    let (mut laptop, mut phone) = Device::pair(place).await;
    let (_one, _other) = (laptop.auto(), phone.auto());
    laptop.edit(&browse(100), EDIT).await;
    while laptop.workspace.durable_frontier() != phone.workspace.durable_frontier() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (mut shown, mut disks, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    let written = || [&laptop, &phone].map(|device| device.writing.load(Ordering::Relaxed));
    for number in 0..EDITS {
        let mut events = phone.workspace.subscribe();
        let (node, edit) = page(number);
        let before = written();
        let start = now();
        laptop.workspace.edit(edit).expect("it is possible");
        while phone.workspace.node(node).is_none() {
            events.next().await.expect("it is open");
        }
        let time = start.elapsed();
        // The log here, the witness here, the log there: one after the other.
        let nanos: u64 = written().iter().zip(before).map(|(after, before)| after - before).sum();
        shown.push(time);
        disks.push(Duration::from_nanos(nanos));
        beside.push(time.saturating_sub(Duration::from_nanos(nanos)));
        // What the edit set off comes to rest.
        tokio::time::sleep(REST).await;
    }
    show("one edit until it shows at a connected device", shown, "");
    show("    of which both disks and the witness", disks, "");
    let best = *beside.iter().min().expect("there are edits");
    let beside = show("    and the rest", beside, "bar: 3 pings");
    let pings = |time: Duration| time.as_secs_f64() / ping.as_secs_f64();
    println!("    {:.1} pings, {:.1} at best", pings(beside), pings(best));
    laptop.close().await;
    phone.close().await;
}

pub(crate) fn many(place: &Place, runtime: &Runtime) {
    let operations = browse(OPERATIONS);
    let mut times = [Vec::new(), Vec::new()];
    let mut blocked = [Vec::new(), Vec::new(), Vec::new()];
    let quiet = runtime.block_on(Device::new(place));
    for run in 0..6 {
        let (laptop, phone) = runtime.block_on(Device::pair(place));
        runtime.block_on(laptop.edit(&operations, 1_000));
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // An embedder's thread that looks and edits while all that is merged.
            let embedder = scope.spawn(|| embedder(&phone, &quiet, run, &over));
            let time = runtime.block_on(async {
                if run % 2 == 0 { laptop.sync(&phone).await } else { phone.sync(&laptop).await }
            });
            over.store(true, Ordering::Relaxed);
            times[run % 2].push(time);
            let waited = embedder.join().expect("no panic");
            blocked.iter_mut().zip(waited).for_each(|(all, some)| all.extend(some));
        });
        assert!(phone.workspace.size() >= laptop.workspace.size());
        runtime.block_on(laptop.close());
        runtime.block_on(phone.close());
    }
    runtime.block_on(quiet.close());
    let [pushed, pulled] = times;
    show("100 000 operations pushed, durable there", pushed, "bar: 1 000 ms");
    show("100 000 operations pulled, durable here", pulled, "bar: 1 000 ms");
    let who = ["a reader meanwhile", "an editor meanwhile", "a reader of another workspace"];
    for (who, mut times) in who.into_iter().zip(blocked) {
        let [many, worst] = [0.999, 1.0].map(|share| quantile(&mut times, share));
        println!(
            "{who:<30} is blocked for {:.3} ms in 99.9 % of {} looks, {:.3} ms at most (bar: 2 ms)",
            ms(many),
            times.len(),
            ms(worst)
        );
    }
}

/// How long each look and each edit took; and each look at a workspace on which nothing happens,
/// which is what the machine itself makes one wait.
fn embedder(device: &Device, quiet: &Device, run: usize, over: &AtomicBool) -> [Vec<Duration>; 3] {
    let [mut reads, mut edits, mut others] = [Vec::new(), Vec::new(), Vec::new()];
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        let (node, edit) = page(1_000_000 * (run + 1) + number);
        for (device, times) in [(device, &mut reads), (quiet, &mut others)] {
            let start = now();
            let found = device.workspace.node(node);
            times.push(start.elapsed());
            assert!(found.is_none());
            wait();
        }
        if number % 8 == 0 {
            let start = now();
            device.workspace.edit(edit).expect("it is possible");
            edits.push(start.elapsed());
        }
        number += 1;
    }
    [reads, edits, others]
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own, as an embedder's")]
fn wait() {
    std::thread::sleep(Duration::from_micros(100));
}
