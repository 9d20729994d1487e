//! The engine's ports within the simulation.

use std::cell::RefCell;
use std::rc::Rc;

use graphshell_sync::Ports;
use graphshell_sync::ports::{Clock, Entropy};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::choice::Topic;
use super::net::SimNetwork;
use super::shared::World;
use super::store::{SimStore, SimWitness};

/// The wall clock at the plan's start, in Unix milliseconds, of a peer whose clock is right.
pub(crate) const EPOCH_MS: u64 = 1_750_000_000_000;

/// A peer's wall clock: off from the start, too fast or slow, and jumping by plan.
pub(crate) struct SimClock {
    world: Rc<World>,
    me: usize,
}

impl SimClock {
    pub(crate) fn new(world: Rc<World>, me: usize) -> Self {
        SimClock { world, me }
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> u64 {
        let (world, me) = (&self.world, self.me);
        let now = world.plan_ms();
        let right = EPOCH_MS + now + world.timeline.idle_ms(now);
        let wrong = [
            world.plan.peers[me].clock_offset_ms,
            world.clock_drift_ms(me, now),
            world.timeline.clock_jump(me, now),
        ];
        wrong.into_iter().fold(right, u64::saturating_add_signed)
    }
}

impl World {
    /// How far a peer's wall clock has drifted until a time of the plan.
    pub(crate) fn clock_drift_ms(&self, me: usize, at_ms: u64) -> i64 {
        let elapsed = at_ms + self.timeline.idle_ms(at_ms);
        let drift = i128::from(elapsed) * i128::from(self.plan.peers[me].clock_drift_ppm);
        i64::try_from(drift / 1_000_000).expect("times and drifts of a plan are bounded")
    }
}

/// A peer's randomness: one stream per life.
pub(crate) struct SimEntropy(RefCell<ChaCha12Rng>);

impl SimEntropy {
    pub(crate) fn new(world: &World, me: usize) -> Self {
        let peer = world.peer(me);
        let seed = world.choices.about(Topic::Entropy, [peer.key, peer.boots.get()]);
        SimEntropy(RefCell::new(ChaCha12Rng::from_seed(seed.bytes())))
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, out: &mut [u8]) {
        self.0.borrow_mut().fill_bytes(out);
    }
}

/// The ports of one peer in one of its lives.
pub(crate) struct SimPorts {
    pub(crate) clock: SimClock,
    pub(crate) entropy: SimEntropy,
    pub(crate) store: SimStore,
    pub(crate) witness: SimWitness,
    pub(crate) network: SimNetwork,
}

impl Ports for SimPorts {
    type Clock = SimClock;
    type Entropy = SimEntropy;
    type Store = SimStore;
    type Witness = SimWitness;
    type Network = SimNetwork;

    fn clock(&self) -> &SimClock {
        &self.clock
    }

    fn entropy(&self) -> &SimEntropy {
        &self.entropy
    }

    fn store(&self) -> &SimStore {
        &self.store
    }

    fn witness(&self) -> &SimWitness {
        &self.witness
    }

    fn network(&self) -> &SimNetwork {
        &self.network
    }
}
