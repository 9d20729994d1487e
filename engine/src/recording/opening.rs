//! The ports of an opening that was recorded: they give again what they gave then.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use futures_util::FutureExt;

use super::step::Step;
use crate::api::{Config, OpenError};
use crate::backend::NoNetwork;
use crate::core::Core;
use crate::driver::{PortSet, open_core};
use crate::ports::{Clock, Entropy, Opened, Promise, Store, StoreError, Witness};
use crate::record::{Record, Snapshot};

/// What store, witness and entropy gave while a workspace was opened.
#[derive(Debug, Default)]
pub(super) struct Opening {
    store: Told,
    witness: Option<Result<Option<Promise>, StoreError>>,
    drawn: RefCell<VecDeque<[u8; 64]>>,
}

type ReadResult = Result<Vec<Record>, StoreError>;

/// What the store told.
#[derive(Debug, Default)]
struct Told {
    opened: Option<Result<Opened, StoreError>>,
    /// By the position of the first; the log may be replayed more than once.
    read: RefCell<BTreeMap<u64, VecDeque<ReadResult>>>,
    base_written: Option<Result<(), StoreError>>,
}

impl Opening {
    /// Takes a step of an opening; gives any other back.
    pub(super) fn take(&mut self, step: Step<'static>) -> Option<Step<'static>> {
        match step {
            Step::Opened(result) => {
                *self = Opening::default();
                self.store.opened = Some(result.into_owned());
            }
            Step::Witnessed(result) => self.witness = Some(result),
            Step::Drawn(bytes) => self.drawn.get_mut().push_back(bytes),
            Step::Read { first, records } => {
                let reads = self.store.read.get_mut().entry(first).or_default();
                reads.push_back(records.into_owned());
            }
            Step::BaseWritten(result) => self.store.base_written = Some(result),
            other => return Some(other),
        }
        None
    }

    /// Opens the workspace again. Receipts are numbered from `first_receipt` on.
    pub(super) fn open(self, config: Config, first_receipt: u64) -> Result<Core, OpenError> {
        let Opening { store, witness, drawn } = self;
        let (clock, network) = (NoClock, NoNetwork);
        let ports =
            PortSet { clock, entropy: Drawn(drawn), store, witness: Seen(witness), network };
        let opened = open_core(&ports, config, first_receipt, None).now_or_never();
        opened.expect("these ports never wait")
    }
}

fn not_recorded<T>() -> Result<T, StoreError> {
    Err(StoreError::Failed("the recording does not tell what the store gave here".to_owned()))
}

impl Store for Told {
    async fn open(&self) -> Result<Opened, StoreError> {
        self.opened.clone().unwrap_or_else(not_recorded)
    }

    async fn append(&self, _: Vec<Record>) -> Result<(), StoreError> {
        not_recorded()
    }

    async fn load(&self, positions: Vec<u64>) -> Result<Vec<Record>, StoreError> {
        let first = positions.first().copied().unwrap_or(0);
        let mut read = self.read.borrow_mut();
        let told = read.get_mut(&first).and_then(|told| match told.len() {
            // Who reads ahead may read it again, and the recording has it once.
            1 => told.front().cloned(),
            _ => told.pop_front(),
        });
        told.unwrap_or_else(not_recorded)
    }

    async fn save_snapshot(&self, _: Snapshot) -> Result<(), StoreError> {
        not_recorded()
    }

    async fn rebase(&self, _: Snapshot, _: u64) -> Result<(), StoreError> {
        self.base_written.clone().unwrap_or_else(not_recorded)
    }
}

struct Seen(Option<Result<Option<Promise>, StoreError>>);

impl Witness for Seen {
    async fn read(&self) -> Result<Option<Promise>, StoreError> {
        self.0.clone().unwrap_or_else(not_recorded)
    }

    async fn write(&self, _: Promise) -> Result<(), StoreError> {
        not_recorded()
    }
}

struct Drawn(RefCell<VecDeque<[u8; 64]>>);

impl Entropy for Drawn {
    fn fill(&self, out: &mut [u8]) {
        let drawn = self.0.borrow_mut().pop_front().unwrap_or([0; 64]);
        for (to, from) in out.iter_mut().zip(drawn) {
            *to = from;
        }
    }
}

/// Nobody asks for the time while a workspace is opened.
struct NoClock;

impl Clock for NoClock {
    fn now_ms(&self) -> u64 {
        0
    }
}
