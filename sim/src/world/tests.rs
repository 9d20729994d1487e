//! The adapters alone, without an engine.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::rc::Rc;
use std::time::Duration;

use graphshell_sync::ports::{CallError, Handler, Promise, Store, SyncBackend, Witness};
use graphshell_sync::store::conformance;
use graphshell_sync::wire::{FrontierRequest, Request, Response};
use graphshell_sync::{DeviceId, Hash, Incarnation, Record};
use tokio::time::sleep;
use turmoil::Sim;

use super::director::{TICK_MS, simulation};
use super::net::{self, SimNetwork};
use super::shared::World;
use super::store::{SimStore, SimWitness};
use crate::plan::{Disk, Plan, device_id, workspace_id};

/// A world of peers `a` and `b`, whose plan has begun.
struct Stage {
    world: Rc<World>,
    sim: Sim<'static>,
}

impl Stage {
    fn new(rest_of_plan: &str) -> Self {
        let text =
            format!(r#"{{"why":"","peers":[{{"name":"a"}},{{"name":"b"}}],{rest_of_plan}}}"#);
        let plan: Plan = serde_json::from_str(&text).unwrap();
        let told = Options { keep_events: true, ..Options::default() };
        let world = Rc::new(World::new(&plan, &told));
        world.started_ms.set(Some(0));
        Stage { sim: simulation(plan.seed), world }
    }

    fn host<F: Future<Output = ()> + 'static>(
        &mut self,
        peer: usize,
        life: impl Fn(Rc<World>) -> F + 'static,
    ) {
        let world = self.world.clone();
        self.sim.host(net::address(peer), move || {
            let life = life(world.clone());
            async move {
                life.await;
                pending().await
            }
        });
    }

    fn run_ms(&mut self, virtual_ms: u64) {
        let end = self.now_ms() + virtual_ms;
        while self.now_ms() < end {
            self.world.between_ticks.set(None);
            self.sim.step().unwrap();
            self.world.between_ticks.set(Some(self.now_ms()));
        }
    }

    fn now_ms(&self) -> u64 {
        self.sim.elapsed().as_millis() as u64
    }

    fn count(&self, what: &str) -> u64 {
        self.world.counts().get(what).copied().unwrap_or(0)
    }
}

/// Answers everything with `InStep` and counts.
#[derive(Clone, Default)]
struct Counting(Rc<Cell<u32>>);

impl Handler for Counting {
    async fn handle(&self, _from: DeviceId, _request: Request) -> Response {
        self.0.set(self.0.get() + 1);
        Response::InStep
    }
}

type Answers = Rc<RefCell<Vec<(u64, Result<Response, CallError>)>>>;

/// Lets `a` call `b` so many times, one after the other; gives the answers with their times.
fn calls(stage: &mut Stage, times: usize) -> (Answers, Counting) {
    let (answers, handled) = (Answers::default(), Counting::default());
    let noted = answers.clone();
    stage.host(0, move |world| {
        let noted = noted.clone();
        async move {
            let network = SimNetwork::bind(world.clone(), 0).await.unwrap();
            let calling = async {
                // Until the other peer has run for the first time nobody listens.
                sleep(Duration::from_millis(TICK_MS)).await;
                for _ in 0..times {
                    let request =
                        FrontierRequest { workspace: workspace_id(), digest: Hash([0; 32]) };
                    let answer = network.frontier(device_id("b"), request).await;
                    noted.borrow_mut().push((world.now_ms(), answer));
                }
                pending::<()>().await;
            };
            tokio::select! { biased; () = network.receive() => {}, () = calling => {} }
        }
    });
    let handler = handled.clone();
    stage.host(1, move |world| {
        let handler = handler.clone();
        async move {
            let network = SimNetwork::bind(world, 1).await.unwrap();
            tokio::select! {
                biased;
                () = network.receive() => {}
                () = network.serve(handler) => {}
            }
        }
    });
    (answers, handled)
}

#[test]
fn frame_arrives_exactly_when_it_is_due() {
    let mut stage = Stage::new(r#""network":{"delay_ms":[50,50]},"steps":[]"#);
    let (answers, handled) = calls(&mut stage, 3);
    stage.run_ms(1000);
    let times: Vec<_> = answers.borrow().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [100, 200, 300].map(|wait| TICK_MS + wait));
    assert!(answers.borrow().iter().all(|(_, answer)| *answer == Ok(Response::InStep)));
    assert_eq!((handled.0.get(), stage.count("frames arrived")), (3, 6));
    assert!(!stage.world.failed());
}

#[test]
fn lost_frame_ends_the_call_without_answer() {
    let mut stage = Stage::new(r#""network":{"loss":1000},"steps":[]"#);
    let (answers, handled) = calls(&mut stage, 1);
    stage.run_ms(1000);
    let answers = answers.borrow();
    assert!(matches!(answers[..], [(425, Err(CallError::Lost(_)))]), "{answers:?}");
    assert_eq!((handled.0.get(), stage.count("frames lost")), (0, 1));
}

#[test]
fn doubled_request_is_handled_twice_and_answered_once() {
    let mut stage = Stage::new(r#""network":{"duplication":1000},"steps":[]"#);
    let (answers, handled) = calls(&mut stage, 1);
    stage.run_ms(1000);
    assert_eq!((answers.borrow().len(), handled.0.get()), (1, 2));
    assert!(stage.count("answers too late") > 0);
}

#[test]
fn one_way_partition_lets_the_request_through_and_loses_the_answer() {
    let mut stage = Stage::new(
        r#""steps":[{"at_ms":0,"do":"partition","from":"b","to":"a","one_way":true},
                    {"at_ms":500,"do":"mend","from":"a","to":"b"}]"#,
    );
    let (answers, handled) = calls(&mut stage, 3);
    stage.run_ms(1500);
    let answers = answers.borrow();
    assert!(answers[0].1.is_err() && answers[2].1.is_ok(), "{answers:?}");
    assert_eq!(handled.0.get(), 3);
    assert!(stage.count("frames lost to a partition") > 0);
}

#[test]
fn frame_for_a_peer_without_power_is_lost_even_if_it_starts_again() {
    let mut stage = Stage::new(r#""network":{"delay_ms":[30,30]},"steps":[]"#);
    let (answers, handled) = calls(&mut stage, 1);
    stage.run_ms(2 * TICK_MS);
    stage.sim.crash(net::address(1));
    stage.run_ms(40);
    stage.sim.bounce(net::address(1));
    stage.run_ms(1000);
    assert!(answers.borrow()[0].1.is_err());
    assert_eq!((handled.0.get(), stage.count("frames arrived")), (0, 0));
}

fn records(count: u8) -> Vec<Record> {
    let record = |n| Record::Consent { device: DeviceId([n; 32]), shared: true };
    (0..count).map(record).collect()
}

/// Appends three records at `a` and crashes it after so many ticks; says how many records its
/// image then has.
fn crashed_append(seed: u64, ticks: u64) -> usize {
    let mut stage = Stage::new(&format!(r#""seed":{seed},"append_ms":[50,50],"steps":[]"#));
    stage.host(0, |world| async move {
        let store = SimStore::new(world.clone(), 0);
        store.append(records(3)).await.unwrap();
        assert!(world.now_ms() >= 50);
        assert_eq!(store.open().await.unwrap().end, 3);
        assert_eq!(store.load(vec![2, 0]).await.unwrap()[1], records(1)[0]);
    });
    stage.run_ms(ticks * TICK_MS);
    stage.sim.crash(net::address(0));
    stage.world.peer(0).image.borrow().records.len()
}

#[test]
fn append_is_durable_at_the_end_of_its_time() {
    assert_eq!(crashed_append(1, 3), 3);
}

#[test]
fn crash_during_an_append_keeps_all_of_it_or_nothing() {
    let kept: Vec<_> = (0..40).map(|seed| crashed_append(seed, 1)).collect();
    assert!(kept.iter().all(|&records| records == 0 || records == 3), "{kept:?}");
    assert!(kept.contains(&0) && kept.contains(&3), "both happen: {kept:?}");
}

#[test]
fn blown_fuse_stops_an_append_before_it_takes_time() {
    let mut stage = Stage::new(r#""steps":[]"#);
    stage.world.peer(0).fuse.arm(2);
    stage.host(0, |world| async move {
        let store = SimStore::new(world.clone(), 0);
        store.append(records(1)).await.unwrap();
        store.append(records(1)).await.unwrap();
        unreachable!("the fuse is blown");
    });
    stage.run_ms(100);
    let peer = stage.world.peer(0);
    assert!(peer.fuse.blown());
    assert_eq!(peer.image.borrow().records.len(), 1);
}

#[test]
fn restored_disk_is_older_than_a_keyring_that_is_not_restored() {
    let mut stage = Stage::new(r#""steps":[]"#);
    let promise = |sequence| Promise { incarnation: Incarnation([1; 16]), sequence };
    stage.host(0, move |world| async move {
        let (store, witness) = (SimStore::new(world.clone(), 0), SimWitness::new(world.clone(), 0));
        store.append(records(1)).await.unwrap();
        witness.write(promise(1)).await.unwrap();
        world.back_up(0);
        store.append(records(2)).await.unwrap();
        witness.write(promise(2)).await.unwrap();
    });
    stage.run_ms(100);
    let found = |stage: &Stage| {
        let image = stage.world.peer(0).image.borrow();
        (image.records.len(), image.promise.map(|promise| promise.sequence))
    };
    assert_eq!(found(&stage), (3, Some(2)));
    stage.world.restore(0, false);
    assert_eq!(found(&stage), (1, Some(2)));
    stage.world.restore(0, true);
    assert_eq!(found(&stage), (1, Some(1)));
}

#[test]
fn sealed_store_passes_the_exam() {
    let mut stage = Stage::new(r#""steps":[]"#);
    let passed = Rc::new(Cell::new(false));
    let told = passed.clone();
    stage.host(0, move |world| {
        let told = told.clone();
        let plan = Plan { disk: Some(Disk::default()), ..world.plan.clone() };
        async move {
            conformance::every_claim(|| {
                let world = Rc::new(World::new(&plan, &Options::default()));
                move || SimStore::new(world.clone(), 0)
            })
            .await;
            told.set(true);
        }
    });
    for _ in 0..1000 {
        stage.run_ms(1000);
        if passed.get() {
            return;
        }
    }
    panic!("the exam does not end");
}
