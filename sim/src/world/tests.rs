//! The adapters alone, without an engine.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use graphshell_sync::ports::{CallError, Clock, Handler, Promise, Store, SyncBackend, Witness};
use graphshell_sync::store::conformance;
use graphshell_sync::wire::{FrontierRequest, Request, Response};
use graphshell_sync::{Access, DeviceId, Hash, Incarnation, Record};
use tokio::time::{sleep, timeout};

use super::Options;
use super::executor;
use super::net::SimNetwork;
use super::ports::{EPOCH_MS, SimClock};
use super::shared::World;
use super::store::{SimStore, SimWitness};
use crate::plan::{Disk, FaultKind, Plan, device_id, workspace_id};

/// A world of peers `a` and `b`, whose plan has begun.
fn world(rest_of_plan: &str) -> Rc<World> {
    let text = format!(r#"{{"why":"","peers":[{{"name":"a"}},{{"name":"b"}}],{rest_of_plan}}}"#);
    let plan: Plan = serde_json::from_str(&text).unwrap();
    let world = Rc::new(World::new(&plan, &Options { keep_events: true, ..Options::default() }));
    for (me, other) in [(0, "b"), (1, "a")] {
        world.peer(me).image.borrow_mut().contents.shared.insert(device_id(other), Access::Full);
    }
    world.started_ms.set(Some(0));
    world
}

/// Lets `a` and `b` live for so many virtual milliseconds.
fn run(
    world: &Rc<World>,
    virtual_ms: u64,
    a: impl Future<Output = ()> + 'static,
    b: impl Future<Output = ()> + 'static,
) {
    let mut simulation = executor::simulation(world.plan.seed);
    let world = world.clone();
    simulation.client("world", async move {
        let mut peers: [LocalBoxFuture<'_, ()>; 2] = [Box::pin(a), Box::pin(b)];
        executor::run(&world, &mut peers, sleep(Duration::from_millis(virtual_ms))).await;
        Ok(())
    });
    simulation.run().unwrap();
}

fn count(world: &World, what: &str) -> u64 {
    world.counts().get(what).copied().unwrap_or(0)
}

/// Answers everything with `InStep` and counts.
#[derive(Clone, Default)]
struct Counting(Rc<Cell<u32>>);

impl Handler for Counting {
    fn admits(&self, _from: DeviceId) -> bool {
        true
    }

    async fn handle(&self, _from: DeviceId, _request: Request) -> Response {
        self.0.set(self.0.get() + 1);
        Response::InStep
    }
}

/// The answers to some calls, with their times.
type Answers = Vec<(u64, Result<Response, CallError>)>;

/// Calls `b` from `a` so many times, one after the other.
async fn call(world: Rc<World>, times: usize, answers: Rc<RefCell<Answers>>) {
    let network = SimNetwork::listen(world.clone(), 0);
    for _ in 0..times {
        let request = FrontierRequest { workspace: workspace_id(), digest: Hash([0; 32]) };
        let answer = network.frontier(device_id("b"), request).await;
        answers.borrow_mut().push((world.now_ms(), answer));
    }
    // It goes on listening.
    pending().await
}

async fn serve(world: Rc<World>, handler: Counting) {
    SimNetwork::listen(world, 1).serve(handler).await;
}

/// Lets `a` call `b` so many times; gives the answers, and how often `b` handled a request.
fn calls(world: &Rc<World>, times: usize) -> (Answers, u32) {
    let (answers, handled) = (Rc::<RefCell<Answers>>::default(), Counting::default());
    let calling = call(world.clone(), times, answers.clone());
    run(world, 2000, calling, serve(world.clone(), handled.clone()));
    (answers.take(), handled.0.get())
}

#[test]
fn frame_arrives_exactly_when_it_is_due() {
    let world = world(r#""network":{"delay_ms":[7,7]},"steps":[]"#);
    let (answers, handled) = calls(&world, 3);
    let expected = [14, 28, 42].map(|at| (at, Ok(Response::InStep)));
    assert_eq!(answers, expected);
    assert_eq!((handled, count(&world, "frames arrived")), (3, 6));
    assert!(!world.failed());
}

#[test]
fn lost_frame_ends_the_call_without_answer() {
    let world = world(r#""network":{"loss":1000},"steps":[]"#);
    let (answers, handled) = calls(&world, 1);
    assert!(matches!(answers[..], [(400, Err(CallError::Lost(_)))]), "{answers:?}");
    assert_eq!((handled, count(&world, "frames lost")), (0, 1));
}

#[test]
fn doubled_request_is_handled_twice_and_answered_once() {
    let world = world(r#""network":{"duplication":1000},"steps":[]"#);
    let (answers, handled) = calls(&world, 1);
    assert_eq!((answers.len(), handled), (1, 2));
    assert!(count(&world, "answers too late") > 0);
}

#[test]
fn one_way_partition_lets_the_request_through_and_loses_the_answer() {
    let world = world(
        r#""steps":[{"at_ms":0,"do":"partition","from":"b","to":"a","one_way":true},
                    {"at_ms":500,"do":"mend","from":"a","to":"b"}]"#,
    );
    let (answers, handled) = calls(&world, 3);
    assert!(answers[0].1.is_err() && answers[2].1.is_ok(), "{answers:?}");
    assert_eq!(handled, 3);
    assert!(count(&world, "frames lost to a partition") > 0);
}

/// What a fault of this kind did in the world's run.
fn did(world: &World, kind: FaultKind, what: &str) -> u64 {
    let ledger = world.ledger.borrow();
    let of_kind = ledger.entries().iter().filter(|entry| entry.fault.kind == kind);
    of_kind.filter_map(|entry| entry.effects.get(what)).sum()
}

#[test]
fn damage_that_the_transport_notices_loses_the_frame() {
    let world = world(r#""network":{"corruption":1000},"steps":[]"#);
    let (answers, handled) = calls(&world, 1);
    assert!(matches!(answers[..], [(400, Err(CallError::Lost(_)))]), "{answers:?}");
    assert_eq!((handled, did(&world, FaultKind::Corruption, "frames lost")), (0, 1));
    assert!(!world.failed());
}

#[test]
fn damage_that_reaches_the_decoder_is_refused_there_and_ends_the_call() {
    let network = r#"{"truncation":1000,"unchecked":1000,"delay_ms":[5,5]}"#;
    let world = world(&format!(r#""network":{network},"steps":[]"#));
    let (answers, handled) = calls(&world, 1);
    assert!(matches!(answers[..], [(10, Err(CallError::Nonsense(_)))]), "{answers:?}");
    assert_eq!((handled, did(&world, FaultKind::Unchecked, "frames refused")), (0, 2));
    assert!(!world.failed(), "who sent what was damaged is not to blame");
}

#[test]
fn broken_connection_fails_its_calls_at_once_and_loses_their_frames() {
    let world = world(
        r#""network":{"delay_ms":[50,50]},"steps":[{"at_ms":70,"do":"reset","from":"b","to":"a"}]"#,
    );
    let (answers, handled) = calls(&world, 2);
    assert!(matches!(answers[..], [(70, Err(CallError::Lost(_))), (170, Ok(_))]), "{answers:?}");
    assert_eq!(handled, 2);
    assert_eq!(did(&world, FaultKind::Reset, "calls failed"), 1);
    assert_eq!(did(&world, FaultKind::Reset, "frames lost"), 1, "the answer on its way");
}

#[test]
fn slow_link_takes_its_time_for_each_byte_and_lets_frames_queue() {
    let world = world(
        r#""network":{"delay_ms":[5,5]},"steps":[
           {"at_ms":0,"do":"slow_link","from":"a","to":"b","one_way":true,"bytes_per_s":1000}]"#,
    );
    let ends = Rc::new(RefCell::new(Vec::new()));
    let (caller, noted) = (world.clone(), ends.clone());
    let calling = async move {
        let network = SimNetwork::listen(caller.clone(), 0);
        let call = || async {
            let request = FrontierRequest { workspace: workspace_id(), digest: Hash([0; 32]) };
            network.frontier(device_id("b"), request).await.unwrap();
            noted.borrow_mut().push(caller.now_ms());
        };
        futures_util::join!(call(), call());
    };
    run(&world, 2000, calling, serve(world.clone(), Counting::default()));
    // A request has 50 bytes; the way back is as ever.
    assert_eq!(ends.take(), [50 + 5 + 5, 100 + 5 + 5]);
    assert_eq!(did(&world, FaultKind::SlowLink, "frames slowed"), 2);
}

#[test]
fn slow_link_gives_up_what_would_take_too_long() {
    let world =
        world(r#""steps":[{"at_ms":0,"do":"slow_link","from":"a","to":"b","bytes_per_s":10}]"#);
    let (answers, handled) = calls(&world, 2);
    assert!(answers.iter().all(|(_, answer)| answer.is_err()), "{answers:?}");
    assert_eq!((handled, did(&world, FaultKind::SlowLink, "frames lost")), (0, 2));
}

#[test]
fn clocks_drift_jump_and_move_on_while_time_passes() {
    let world = world(
        r#""steps":[{"at_ms":1000,"do":"time_passes","by_ms":1000000},
                    {"at_ms":1500,"do":"clock_jump","peer":"a","by_ms":-7}]"#,
    );
    let mut plan = world.plan.clone();
    plan.peers[0].clock_drift_ppm = -1000;
    plan.peers[1].clock_offset_ms = 3;
    let world = Rc::new(World::new(&plan, &Options::default()));
    world.started_ms.set(Some(0));
    let clocks = [0, 1].map(|me| SimClock::new(world.clone(), me));
    let shown = |now_ms| {
        world.advance_to(now_ms);
        clocks.each_ref().map(|clock| clock.now_ms() - EPOCH_MS)
    };
    assert_eq!(shown(999), [999, 1_002], "a drift below a millisecond does not show");
    assert_eq!(shown(1_000), [1_001_000 - 1_001, 1_001_003]);
    assert_eq!(shown(2_000), [1_002_000 - 1_002 - 7, 1_002_003]);
}

#[test]
fn frame_that_is_due_while_its_receiver_has_no_power_is_lost() {
    let world = world(r#""network":{"delay_ms":[30,30]},"steps":[]"#);
    let (answers, handled) = (Rc::<RefCell<Answers>>::default(), Counting::default());
    let (receiver, handler) = (world.clone(), handled.clone());
    run(&world, 1000, call(world.clone(), 2, answers.clone()), async move {
        let life = serve(receiver.clone(), handler.clone());
        let _ = timeout(Duration::from_millis(20), life).await;
        sleep(Duration::from_millis(20)).await;
        serve(receiver, handler).await;
    });
    let answers = answers.take();
    assert!(answers[0].1.is_err() && answers[1].1.is_ok(), "{answers:?}");
    assert_eq!(handled.0.get(), 1);
    assert_eq!(count(&world, "frames lost to a peer without power"), 1);
}

#[test]
fn peers_of_one_instant_run_by_place_whoever_was_woken_first() {
    let world = world(r#""steps":[]"#);
    let order = Rc::new(RefCell::new(Vec::new()));
    let peer = |name: char, pause: u64| {
        let (order, world) = (order.clone(), world.clone());
        async move {
            sleep(Duration::from_millis(pause)).await;
            sleep(Duration::from_millis(20 - pause)).await;
            order.borrow_mut().push((name, world.now_ms()));
        }
    };
    let (a, b) = (peer('a', 15), peer('b', 5));
    run(&world, 100, a, b);
    assert_eq!(order.take(), [('a', 20), ('b', 20)]);
}

#[test]
fn weeks_in_which_nothing_happens_take_no_time() {
    let world = world(r#""steps":[]"#);
    let weeks = 10 * 7 * 24 * 3600 * 1000;
    let woken = Rc::new(Cell::new(0));
    let (device, told) = (world.clone(), woken.clone());
    let sleeper = async move {
        sleep(Duration::from_millis(weeks)).await;
        told.set(device.now_ms());
    };
    run(&world, weeks + 1, sleeper, async {});
    assert_eq!(woken.get(), weeks);
}

#[test]
fn what_wakes_itself_for_ever_fails_the_run() {
    let world = world(r#""steps":[]"#);
    let idle = async {
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            std::task::Poll::<()>::Pending
        })
        .await
    };
    let mut simulation = executor::simulation(0);
    let director = world.clone();
    simulation.client("world", async move {
        let mut peers: [LocalBoxFuture<'_, ()>; 1] = [Box::pin(idle)];
        let failed = std::future::poll_fn(|_| match director.failed() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        });
        executor::run(&director, &mut peers, failed).await;
        Ok(())
    });
    simulation.run().unwrap();
    assert_eq!(world.take_failure().unwrap().property, "liveness");
}

fn records(count: u8) -> Vec<Record> {
    let record = |n| Record::Consent { device: DeviceId([n; 32]), access: Access::Full };
    (0..count).map(record).collect()
}

/// Appends three records at `a`, which takes 50 ms, and crashes it after `crash_ms`; says how many
/// records its image then has.
fn crashed_append(seed: u64, crash_ms: u64) -> usize {
    let world = world(&format!(r#""seed":{seed},"append_ms":[50,50],"steps":[]"#));
    let device = world.clone();
    let life = async move {
        let store = SimStore::new(device.clone(), 0);
        store.append(records(3)).await.unwrap();
        assert_eq!(device.now_ms(), 50);
        assert_eq!(store.open().await.unwrap().end, 3);
        assert_eq!(store.load(vec![2, 0]).await.unwrap()[1], records(1)[0]);
    };
    let life = async move { _ = timeout(Duration::from_millis(crash_ms), life).await };
    run(&world, 100, life, async {});
    world.peer(0).image.borrow().records.len()
}

#[test]
fn append_is_durable_at_the_end_of_its_time() {
    assert_eq!(crashed_append(1, 51), 3);
}

#[test]
fn crash_during_an_append_keeps_all_of_it_or_nothing() {
    let kept: Vec<_> = (0..40).map(|seed| crashed_append(seed, 49)).collect();
    assert!(kept.iter().all(|&records| records == 0 || records == 3), "{kept:?}");
    assert!(kept.contains(&0) && kept.contains(&3), "both happen: {kept:?}");
}

#[test]
fn blown_fuse_stops_an_append_before_it_takes_time() {
    let world = world(r#""steps":[]"#);
    world.peer(0).fuse.arm(2);
    let device = world.clone();
    let life = async move {
        let store = SimStore::new(device, 0);
        store.append(records(1)).await.unwrap();
        store.append(records(1)).await.unwrap();
        unreachable!("the fuse is blown");
    };
    run(&world, 100, life, async {});
    assert!(world.peer(0).fuse.blown());
    assert_eq!(world.peer(0).image.borrow().records.len(), 1);
}

#[test]
fn restored_disk_is_older_than_a_keyring_that_is_not_restored() {
    let world = world(r#""steps":[]"#);
    let promise = |sequence| Promise { incarnation: Incarnation([1; 16]), sequence };
    let device = world.clone();
    let life = async move {
        let store = SimStore::new(device.clone(), 0);
        let witness = SimWitness::new(device.clone(), 0);
        store.append(records(1)).await.unwrap();
        witness.write(promise(1)).await.unwrap();
        device.back_up(0);
        store.append(records(2)).await.unwrap();
        witness.write(promise(2)).await.unwrap();
    };
    run(&world, 100, life, async {});
    let found = || {
        let image = world.peer(0).image.borrow();
        (image.records.len(), image.promise.map(|promise| promise.sequence))
    };
    assert_eq!(found(), (3, Some(2)));
    world.restore(0, false);
    assert_eq!(found(), (1, Some(2)));
    world.restore(0, true);
    assert_eq!(found(), (1, Some(1)));
}

#[test]
fn a_disk_that_forgot_counts_from_its_next_frontier_on() {
    let counts = |frames: &[(u64, bool)]| {
        let world = world(r#""steps":[]"#);
        let (a, b) = (world.peer(0), world.peer(1));
        a.is_set_back();
        frames.iter().for_each(|&(set_backs, all)| b.hears(0, set_backs, all));
        b.begins_to_cut();
        b.cut_by_word_of(0, a)
    };
    assert!(!counts(&[]));
    assert!(!counts(&[(0, true), (1, false)]));
    assert!(counts(&[(1, true)]));
    assert!(!counts(&[(1, true), (0, false)]), "what was said before may come late");
}

#[test]
fn sealed_store_passes_the_exam() {
    let world = world(r#""steps":[]"#);
    let plan = Plan { disk: Some(Disk::default()), ..world.plan.clone() };
    let passed = Rc::new(Cell::new(false));
    let told = passed.clone();
    let exam = async move {
        conformance::every_claim(|| {
            let world = Rc::new(World::new(&plan, &Options::default()));
            move || SimStore::new(world.clone(), 0)
        })
        .await;
        told.set(true);
    };
    run(&world, 1_000_000, exam, async {});
    assert!(passed.get(), "the exam does not end");
}
