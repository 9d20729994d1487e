//! One engine in memory, driven by hand.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use graphshell_sim::plan::{device_id, workspace_id};
use graphshell_sync::backend::NoNetwork;
use graphshell_sync::ports::{CallError, Clock, Entropy, Handler, PeerInfo, SyncBackend};
use graphshell_sync::recording::Recorder;
use graphshell_sync::store::{MemoryStore, MemoryWitness};
use graphshell_sync::wire::{
    Budget, Frontier, FrontierRequest, FrontierRow, PullRequest, PushRequest, Request, Response,
    SnapshotRequest,
};
use graphshell_sync::{Access, Batch, Config, DeviceId, OpenError, Ports, Workspace};

/// An opened workspace with its driver; every port is memory.
pub struct Device {
    /// The handle.
    pub workspace: Workspace<Desk>,
    driver: Pin<Box<dyn Future<Output = Result<(), OpenError>>>>,
    line: Line,
    waker: Arc<Flag>,
}

impl Device {
    /// Opens what `store` holds as the device called `name`, shared with `asker`.
    ///
    /// # Panics
    /// If the store does not open.
    pub fn open(name: &str, store: MemoryStore, witness: MemoryWitness) -> Self {
        Self::open_with(name, store, witness, None)
    }

    /// A device with nothing in it, whose engine is recorded.
    pub fn recorded(name: &str, recorder: &Recorder) -> Self {
        Self::open_with(name, MemoryStore::new(), MemoryWitness::new(), Some(recorder))
    }

    fn open_with(
        name: &str,
        store: MemoryStore,
        witness: MemoryWitness,
        recorder: Option<&Recorder>,
    ) -> Self {
        let line = Line::default();
        let desk = Desk {
            clock: Ticks(Cell::new(1_700_000_000_000)),
            entropy: Counter(RefCell::new(name.bytes().map(u64::from).sum())),
            store,
            witness,
            line: line.clone(),
        };
        let config = Config {
            workspace: workspace_id(),
            device: device_id(name),
            snapshot_every: 0,
            compact_every: 0,
        };
        let opened = match recorder {
            Some(recorder) => ready(Workspace::open_recorded(config, desk, recorder)),
            None => ready(Workspace::open(config, desk)),
        };
        let (workspace, driver) = opened.expect("the memory opens");
        let driver = Box::pin(driver.run());
        let mut device = Device { workspace, driver, line, waker: Arc::default() };
        device.workspace.share_with(asker(), Access::Full).expect("a new workspace can be shared");
        device.run();
        device
    }

    /// A device with nothing in it.
    pub fn new(name: &str) -> Self {
        Self::open(name, MemoryStore::new(), MemoryWitness::new())
    }

    /// Lets the driver work until it waits for somebody.
    pub fn run(&mut self) {
        let waker = Waker::from(Arc::clone(&self.waker));
        loop {
            self.waker.0.store(false, Ordering::Relaxed);
            let ended = self.driver.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            if ended || !self.waker.0.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Lets the bytes of requests arrive, and returns the answers in order.
    ///
    /// # Panics
    /// If a frame is malformed or stays without an answer.
    pub fn receive(&mut self, frames: Vec<Vec<u8>>) -> Vec<Response> {
        let count = frames.len();
        self.line.arrive(frames);
        self.run();
        let answers = self.line.answers.take();
        assert_eq!(answers.len(), count, "each request is answered once nothing moves any more");
        answers
    }

    /// Takes a snapshot.
    ///
    /// # Panics
    /// If it is not saved.
    pub fn checkpoint(&mut self) {
        let workspace = self.workspace.clone();
        let mut saved = pin!(workspace.checkpoint());
        let mut context = Context::from_waker(Waker::noop());
        // The first poll asks for it.
        let asked = saved.as_mut().poll(&mut context);
        assert!(asked.is_pending(), "only the driver saves");
        self.run();
        assert_eq!(saved.poll(&mut context), Poll::Ready(Ok(())));
    }

    /// Everything that a device which has `have` lacks, as full batches.
    ///
    /// # Panics
    /// If the answer is another one.
    pub fn pull(&mut self, mut have: Frontier) -> Vec<Batch> {
        let mut batches = Vec::new();
        loop {
            let request = PullRequest {
                workspace: workspace_id(),
                have: have.clone(),
                excluded: Vec::new(),
                budget: Budget::FULL,
            };
            let answer = self.receive(vec![Request::Pull(request).encode()]).pop();
            let Some(Response::Batch { batch, more }) = answer else {
                panic!("a pull is answered by a batch, not by {answer:?}");
            };
            if let Some(batch) = &batch {
                have = after(&have, batch);
            }
            batches.extend(batch);
            if !more {
                return batches;
            }
        }
    }

    /// Takes in batches as pushes of another device.
    ///
    /// # Panics
    /// If one is not made durable.
    pub fn push(&mut self, batches: Vec<Batch>) {
        for answer in self.receive(batches.into_iter().map(push_frame).collect()) {
            assert!(matches!(answer, Response::Durable { .. }), "{answer:?}");
        }
    }
}

/// The bytes of a push.
pub(crate) fn push_frame(batch: Batch) -> Vec<u8> {
    Request::Push(PushRequest { batch }).encode()
}

/// What a device has that had `have` and took `batch`.
fn after(have: &Frontier, batch: &Batch) -> Frontier {
    let taken = batch.running_hashes().into_iter().map(|(dot, hash)| FrontierRow {
        peer: dot.peer,
        sequence: dot.sequence,
        hash,
    });
    Frontier::new(have.rows().iter().copied().chain(taken).collect())
}

/// The device that all requests come from.
fn asker() -> DeviceId {
    device_id("asker")
}

/// The result of a future over ports that never wait.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the ports are memory and never wait"),
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The ports.
pub struct Desk {
    clock: Ticks,
    entropy: Counter,
    store: MemoryStore,
    witness: MemoryWitness,
    line: Line,
}

impl Ports for Desk {
    type Clock = Ticks;
    type Entropy = Counter;
    type Store = MemoryStore;
    type Witness = MemoryWitness;
    type Network = Line;

    fn clock(&self) -> &Ticks {
        &self.clock
    }

    fn entropy(&self) -> &Counter {
        &self.entropy
    }

    fn store(&self) -> &MemoryStore {
        &self.store
    }

    fn witness(&self) -> &MemoryWitness {
        &self.witness
    }

    fn network(&self) -> &Line {
        &self.line
    }
}

/// A clock that goes on by 40 ms each time that somebody looks.
pub struct Ticks(Cell<u64>);

impl Clock for Ticks {
    fn now_ms(&self) -> u64 {
        self.0.replace(self.0.get() + 40)
    }
}

/// Bytes that differ from device to device and from call to call.
pub struct Counter(RefCell<u64>);

impl Entropy for Counter {
    fn fill(&self, out: &mut [u8]) {
        let mut state = self.0.borrow_mut();
        for byte in out {
            // Knuth's MMIX generator; nobody attacks a benchmark.
            *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *byte = (*state >> 56) as u8;
        }
    }
}

/// A network on which requests arrive as bytes and nobody can be asked.
#[derive(Clone, Default)]
pub struct Line {
    inbox: Rc<RefCell<Inbox>>,
    answers: Rc<RefCell<Vec<Response>>>,
}

#[derive(Default)]
struct Inbox {
    frames: VecDeque<Vec<u8>>,
    waker: Option<Waker>,
}

impl Line {
    fn arrive(&self, frames: Vec<Vec<u8>>) {
        let mut inbox = self.inbox.borrow_mut();
        inbox.frames.extend(frames);
        if let Some(waker) = inbox.waker.take() {
            waker.wake();
        }
    }

    async fn next(&self) -> Vec<u8> {
        poll_fn(|context| {
            let mut inbox = self.inbox.borrow_mut();
            match inbox.frames.pop_front() {
                Some(frame) => Poll::Ready(frame),
                None => {
                    inbox.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl SyncBackend for Line {
    async fn discover(&self) -> Result<Vec<PeerInfo>, CallError> {
        NoNetwork.discover().await
    }

    async fn frontier(&self, to: DeviceId, ask: FrontierRequest) -> Result<Response, CallError> {
        NoNetwork.frontier(to, ask).await
    }

    async fn pull(&self, to: DeviceId, ask: PullRequest) -> Result<Response, CallError> {
        NoNetwork.pull(to, ask).await
    }

    async fn push(&self, to: DeviceId, ask: PushRequest) -> Result<Response, CallError> {
        NoNetwork.push(to, ask).await
    }

    async fn snapshot(&self, to: DeviceId, ask: SnapshotRequest) -> Result<Response, CallError> {
        NoNetwork.snapshot(to, ask).await
    }

    async fn announce(&self, _: Frontier) -> Result<(), CallError> {
        Ok(())
    }

    async fn serve<H: Handler>(&self, handler: H) {
        loop {
            let frame = self.next().await;
            let request = Request::decode(&frame).expect("the frames of a benchmark are whole");
            let response = handler.handle(asker(), request).await;
            self.answers.borrow_mut().push(response);
        }
    }
}
