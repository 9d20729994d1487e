//! The real store of one peer, on its simulated disk, in virtual time.
//!
//! The vault is synchronous, so a call of it happens at one instant at the end of the time that it
//! takes. The power may go at any disk call within it: then the peer never runs again in this life.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use graphshell_sync::Record;
use graphshell_sync::limits::MAX_LOAD_RECORDS;
use graphshell_sync::ports::{Entropy, Opened, StoreError};
use graphshell_sync::store::vault::{MasterKey, Vault};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tokio::time::sleep;

use super::choice::Topic;
use super::disk::medium::SimMedium;
use super::drive::Drive;
use super::shared::{Peer, World};
use super::store::What;
use crate::plan::workspace_id;

/// The vault of one peer in one of its lives.
pub(super) struct SealedStore {
    world: Rc<World>,
    me: usize,
    vault: RefCell<Vault<SimMedium>>,
}

/// The vault's randomness: one stream per life.
pub(super) struct Sealing(RefCell<ChaCha12Rng>);

impl Sealing {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Sealing(RefCell::new(ChaCha12Rng::from_seed(seed)))
    }
}

impl Entropy for Sealing {
    fn fill(&self, out: &mut [u8]) {
        self.0.borrow_mut().fill_bytes(out);
    }
}

impl SealedStore {
    /// `None` if the plan's stores are ideal.
    pub(super) fn new(world: &Rc<World>, me: usize) -> Option<Self> {
        let peer = world.peer(me);
        let drive = peer.drive.as_ref()?;
        let seed = world.choices.about(Topic::Sealing, [peer.key, peer.boots.get()]);
        let entropy = Sealing::new(seed.bytes());
        let medium = SimMedium::new(drive.disk.clone());
        let vault = Vault::new(medium, workspace_id(), master_key(peer), Box::new(entropy));
        Some(SealedStore { world: world.clone(), me, vault: RefCell::new(vault) })
    }

    fn drive(&self) -> &Drive {
        self.world.peer(self.me).drive.as_ref().expect("a sealed store has a disk")
    }

    /// Does `work` at the end of the time that it takes: what is durable is acknowledged then.
    async fn call<T>(
        &self,
        work: impl FnOnce(&mut Vault<SimMedium>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let peer = self.world.peer(self.me);
        peer.fuse.pass().await;
        let nth = peer.appends.replace(peer.appends.get() + 1);
        let choice = self.world.choices.about(Topic::Append, [peer.key, nth]);
        let took = choice.within(0, self.world.plan.append_ms);
        sleep(Duration::from_millis(took)).await;
        let result = work(&mut self.vault.borrow_mut());
        self.drive().report(&self.world, self.me);
        if !self.drive().disk.is_on() {
            self.world.note(self.me, "dies in the middle of a disk call", &[]);
            self.world.count("writes cut by a crash");
            self.world.doom_did(self.me, "writes cut");
            peer.fuse.blow();
            pending::<()>().await;
        }
        if let Err(error) = &result {
            peer.store_failed.set(true);
            self.world.tell(self.me, format_args!("is told by its store: {error}"), &[]);
            self.world.count("store errors");
        }
        peer.fuse.pass().await;
        result
    }

    pub(super) async fn write(&self, what: What) -> Result<(), StoreError> {
        let drive = self.drive();
        self.call(|vault| {
            drive.begin(what.clone(), &self.world.peer(self.me).image.borrow());
            let written = drive.watch(|| match &what {
                What::Records(records) => vault.append(records),
                What::Snapshot(snapshot) => vault.save_snapshot(snapshot),
                What::Base(base, first, _) => vault.rebase(base, *first),
                What::Promise(_) => unreachable!("the witness keeps promises"),
            });
            match &written {
                // Nobody will ever hear of a write that ended when the power was gone.
                Ok(()) if drive.disk.is_on() => drive.done(&self.world, self.me),
                Err(StoreError::Refused(_)) => drive.refused(),
                _ => {}
            }
            written
        })
        .await
    }

    pub(super) async fn load(&self, positions: &[u64]) -> Result<Vec<Record>, StoreError> {
        self.call(|vault| self.drive().watch(|| vault.load(positions))).await
    }

    pub(super) async fn open(&self) -> Result<Opened, StoreError> {
        let drive = self.drive();
        self.call(|vault| {
            drive.opens();
            let (opened, records) = drive.watch(|| {
                let opened = vault.open()?;
                let mut records = Vec::new();
                let positions: Vec<u64> = (opened.first..opened.end).collect();
                drive.disk.observe(|| {
                    for positions in positions.chunks(MAX_LOAD_RECORDS) {
                        records.extend(vault.load(positions)?);
                    }
                    Ok((opened, records))
                })
            })?;
            drive.reopened(&self.world, self.me, &opened, &records);
            Ok(opened)
        })
        .await
    }
}

/// The key of a peer's vault, as its keyring keeps it through everything.
pub(super) fn master_key(peer: &Peer) -> MasterKey {
    MasterKey::from_bytes(&blake3::derive_key("graphshell-sim 1 master key", &peer.device.0))
}
