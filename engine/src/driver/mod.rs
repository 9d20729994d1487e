//! The thin asynchronous shell: carries out what the core wants, through the ports.
//!
//! [`Workspace::open`] gives a handle and a [`Driver`]. The handle is cheap to clone, its edits and
//! reads return at once; the driver is one future that the embedder runs beside it, on an executor
//! of its choice. It spawns nothing. Both share the core behind a mutex that is held for one step of
//! the core. Most steps take as long as merging one batch; those that take a snapshot, cut the log,
//! hand a snapshot over or join one take as long as writing down the whole workspace.

#[cfg(feature = "iroh")]
mod follow;
mod inner;
mod orchestrator;
mod port_set;
mod recorded;
mod replay;
mod subscription;
mod waiters;
mod workspace;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::FusedFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use crate::api::OpenError;
use crate::core::{Input, Output};
use crate::id::DeviceId;
use crate::ports::{Clock, Entropy, Handler, Store, SyncBackend, Witness};
use crate::wire::{Reject, Request, Response};

use inner::Shared;

#[cfg(feature = "iroh")]
pub use follow::Followed;
pub use orchestrator::SyncOrchestrator;
pub use port_set::PortSet;
pub(crate) use replay::open_core;
pub use subscription::Subscription;
pub use workspace::{ImportError, Workspace};

/// The five ports of one opened workspace.
pub trait Ports {
    /// The wall clock.
    type Clock: Clock;
    /// Randomness.
    type Entropy: Entropy;
    /// Log and snapshot.
    type Store: Store;
    /// The memory outside the store.
    type Witness: Witness;
    /// The network.
    type Network: SyncBackend;
    /// The wall clock.
    fn clock(&self) -> &Self::Clock;
    /// Randomness.
    fn entropy(&self) -> &Self::Entropy;
    /// Log and snapshot.
    fn store(&self) -> &Self::Store;
    /// The memory outside the store.
    fn witness(&self) -> &Self::Witness;
    /// The network.
    fn network(&self) -> &Self::Network;
}

/// The engine's own activity. Run it beside the [`Workspace`]; without it nothing becomes durable
/// and nobody is asked or answered. Dropping it closes the workspace without a flush.
#[must_use = "nothing becomes durable unless the driver runs"]
pub struct Driver<P: Ports> {
    shared: Arc<Shared<P>>,
}

/// What the driver waits for.
enum Happened {
    /// A port call ended.
    Done(Input),
    /// A port call ended that the core does not wait for.
    Nothing,
    /// The handle changed something.
    Woken,
}

impl<P: Ports> Driver<P> {
    /// Runs until the workspace is closed.
    ///
    /// # Errors
    /// If the store failed and could not be opened again.
    pub async fn run(self) -> Result<(), OpenError> {
        let shared = &self.shared;
        let serving = shared.ports.network().serve(Serving { shared: Arc::clone(shared) });
        let mut serving = pin!(serving.fuse());
        let mut calls = FuturesUnordered::new();
        loop {
            let mut rebuild = None;
            loop {
                // The lock is free again while the output is carried out.
                let output = shared.lock_in_turn().poll_core();
                let Some(output) = output else { break };
                match output {
                    Output::Event(event) => shared.lock().publish(event),
                    Output::Finished { round, result } => shared.lock().finish(round, result),
                    Output::Answer { call, response } => shared.lock().answered(call, response),
                    Output::Compacted(result) => shared.lock().compacted(&result),
                    Output::Rebuild(why) => rebuild = Some(why),
                    output => calls.push(perform(shared, output)),
                }
            }
            if let Some(why) = rebuild {
                // What is under way belongs to a core that is no more.
                calls.clear();
                let config = shared.lock().config();
                let (first_receipt, recorder) = {
                    let mut inner = shared.lock();
                    (inner.core().next_receipt(), inner.core().recorder())
                };
                let core =
                    open_core(&shared.ports, config, first_receipt, recorder.as_ref()).await?;
                shared.lock().replace_core(core, &why);
                continue;
            }
            if shared.lock().may_end() {
                return Ok(());
            }
            match happened(shared, &mut calls, serving.as_mut()).await {
                Happened::Done(input) => shared.lock_in_turn().handle(input),
                Happened::Nothing | Happened::Woken => {}
            }
        }
    }
}

impl<P: Ports> Drop for Driver<P> {
    fn drop(&mut self) {
        if let Some(mut inner) = self.shared.lock_to_drop() {
            inner.end();
        }
    }
}

/// Waits for whatever comes first; port calls before the handle, the handle before other devices.
async fn happened<P: Ports, F: Future<Output = Happened>, S: FusedFuture<Output = ()>>(
    shared: &Shared<P>,
    calls: &mut FuturesUnordered<F>,
    mut serving: Pin<&mut S>,
) -> Happened {
    std::future::poll_fn(|context: &mut Context<'_>| {
        if let Poll::Ready(Some(done)) = calls.poll_next_unpin(context) {
            return Poll::Ready(done);
        }
        if !serving.is_terminated() {
            let _ = serving.as_mut().poll(context);
        }
        if shared.lock().take_wake(context.waker()) {
            return Poll::Ready(Happened::Woken);
        }
        Poll::Pending
    })
    .await
}

/// Carries out one output that needs a port.
async fn perform<P: Ports>(shared: &Shared<P>, output: Output) -> Happened {
    let ports = &shared.ports;
    let input = match output {
        Output::Append(records) => Input::Appended(ports.store().append(records).await),
        Output::Load { ticket, positions } => {
            let records = ports.store().load(positions).await;
            Input::Loaded { ticket, records }
        }
        Output::Promise(promise) => Input::Promised(ports.witness().write(promise).await),
        Output::SaveSnapshot(snapshot) => {
            let result = ports.store().save_snapshot(snapshot).await;
            shared.lock().checkpointed(&result);
            Input::SnapshotSaved(result)
        }
        Output::Rebase { base, first } => Input::Rebased(ports.store().rebase(base, first).await),
        Output::Ask { call, to, request } => {
            let network = ports.network();
            let response = match request {
                Request::Frontier(request) => network.frontier(to, request).await,
                Request::Pull(request) => network.pull(to, request).await,
                Request::Push(request) => network.push(to, request).await,
                Request::Snapshot(request) => network.snapshot(to, request).await,
            };
            Input::Returned { call, response }
        }
        Output::Announce(frontier) => {
            // Whoever cannot be told now is told after the next round.
            let _ = ports.network().announce(frontier).await;
            return Happened::Nothing;
        }
        Output::Event(_)
        | Output::Finished { .. }
        | Output::Answer { .. }
        | Output::Compacted(_)
        | Output::Rebuild(_) => {
            unreachable!("the driver's loop takes these")
        }
    };
    Happened::Done(input)
}

/// The engine's half of serving, as the backend sees it.
struct Serving<P: Ports> {
    shared: Arc<Shared<P>>,
}

impl<P: Ports> Clone for Serving<P> {
    fn clone(&self) -> Self {
        Serving { shared: Arc::clone(&self.shared) }
    }
}

impl<P: Ports> Handler for Serving<P> {
    fn admits(&self, from: DeviceId) -> bool {
        self.shared.lock().core().is_shared_with(from)
    }

    async fn handle(&self, from: DeviceId, request: Request) -> Response {
        let answer = self.shared.lock().ask(from, request);
        answer.await.unwrap_or(Response::Refused(Reject::Unavailable))
    }
}
