//! Ports as five values, for embedders who have no type of their own for them.

use super::Ports;
use crate::ports::{Clock, Entropy, Store, SyncBackend, Witness};

/// Five ports, each of any type.
#[derive(Clone, Copy, Debug, Default)]
pub struct PortSet<C, E, S, W, N> {
    /// The wall clock.
    pub clock: C,
    /// Randomness.
    pub entropy: E,
    /// Log and snapshot.
    pub store: S,
    /// The memory outside the store.
    pub witness: W,
    /// The network.
    pub network: N,
}

impl<C, E, S, W, N> Ports for PortSet<C, E, S, W, N>
where
    C: Clock,
    E: Entropy,
    S: Store,
    W: Witness,
    N: SyncBackend,
{
    type Clock = C;
    type Entropy = E;
    type Store = S;
    type Witness = W;
    type Network = N;

    fn clock(&self) -> &C {
        &self.clock
    }

    fn entropy(&self) -> &E {
        &self.entropy
    }

    fn store(&self) -> &S {
        &self.store
    }

    fn witness(&self) -> &W {
        &self.witness
    }

    fn network(&self) -> &N {
        &self.network
    }
}
