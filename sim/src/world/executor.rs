//! Runs a whole world as one future: the post office, every peer, and the director.
//!
//! Turmoil gives it a host to run on, and virtual time. At each instant the frames that are due are
//! delivered, then the peers that were woken are polled by place, round after round until nobody
//! is; then the director looks at what came of it. Time passes when there is nothing left to do,
//! straight to whatever comes next. So nothing happens late, and idle time costs nothing.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, SystemTime};

use futures_util::future::LocalBoxFuture;
use futures_util::task::AtomicWaker;
use turmoil::{Builder, Sim};

use super::ports::EPOCH_MS;
use super::post::Postman;
use super::shared::World;
use crate::oracle::liveness;

/// How far turmoil runs its only host at a time: a day, since nobody waits for another host.
const TICK: Duration = Duration::from_secs(24 * 60 * 60);
/// More than the longest plan may take.
const LONGEST_RUN: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A simulation of turmoil without any faults of its own.
pub(crate) fn simulation(seed: u64) -> Sim<'static> {
    let mut builder = Builder::new();
    builder
        .epoch(SystemTime::UNIX_EPOCH + Duration::from_millis(EPOCH_MS))
        .rng_seed(seed)
        .tick_duration(TICK)
        .simulation_duration(LONGEST_RUN);
    builder.build()
}

/// Who is to be polled next, a bit for each place. Wakers must be `Sync`, hence the atomics.
struct Ready {
    places: Box<[AtomicU64]>,
    host: AtomicWaker,
}

impl Ready {
    /// Moves all places that are ready into `round`, in ascending order.
    fn take(&self, round: &mut Vec<usize>) {
        round.clear();
        for (word, places) in self.places.iter().enumerate() {
            let mut bits = places.swap(0, Ordering::Relaxed);
            while bits != 0 {
                round.push(word * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
}

/// Wakes one peer.
struct Bell {
    place: usize,
    ready: Arc<Ready>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let bit = 1 << (self.place % 64);
        self.ready.places[self.place / 64].fetch_or(bit, Ordering::Relaxed);
        self.ready.host.wake();
    }
}

/// Runs `peers` until `director` is done, and gives what the director gave.
///
/// The director is polled whenever anything happened, so it may wait for any state of the world
/// without being woken. The peers are dropped after `director` is done, with the arguments.
pub(crate) async fn run<T>(
    world: &World,
    peers: &mut [LocalBoxFuture<'_, ()>],
    director: impl Future<Output = T>,
) -> T {
    let words = peers.len().div_ceil(64);
    let ready = Arc::new(Ready {
        places: (0..words).map(|_| AtomicU64::new(0)).collect(),
        host: AtomicWaker::new(),
    });
    let wakers: Vec<Waker> = (0..peers.len())
        .map(|place| Waker::from(Arc::new(Bell { place, ready: ready.clone() })))
        .collect();
    wakers.iter().for_each(Waker::wake_by_ref);
    let mut ended = vec![false; peers.len()];
    let mut postman = Postman::new();
    let mut director = pin!(director);
    let mut round = Vec::new();
    // What tokio does to be fair among tasks would make peers depend on each other's work.
    tokio::task::unconstrained(poll_fn(move |context| {
        ready.host.register(context.waker());
        let elapsed = turmoil::sim_elapsed().expect("a host of turmoil runs this");
        world.advance_to(elapsed.as_millis() as u64);
        let mut polls = 0;
        loop {
            postman.deliver(world, context);
            ready.take(&mut round);
            if round.is_empty() || world.failed() {
                if let Poll::Ready(done) = director.as_mut().poll(context) {
                    return Poll::Ready(done);
                }
                postman.deliver(world, context);
                ready.take(&mut round);
            }
            if round.is_empty() {
                return Poll::Pending;
            }
            for &place in &round {
                if !ended[place] {
                    let mut context = Context::from_waker(&wakers[place]);
                    ended[place] = peers[place].as_mut().poll(&mut context).is_ready();
                }
            }
            polls += round.len() as u64;
            world.judge(liveness::judge_instant(round[0], polls));
        }
    }))
    .await
}
