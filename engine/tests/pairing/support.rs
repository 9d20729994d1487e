//! Endpoints of the loopback interface, and hosts that answer as a test says.
#![allow(unreachable_pub, reason = "a part of one test program")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use graphshell_sync::device_key::{DeviceKey, Lineage};
use graphshell_sync::pairing::{
    ALPN, Deadlines, DeviceName, Host, Introduction, Inviter, Paired, PairingError, Ticket,
    join_within,
};
use graphshell_sync::{Access, DeviceId, SystemEntropy, WorkspaceId};
use iroh::endpoint::presets;
use iroh::protocol::Router;
use iroh::{Endpoint, RelayMode};
use tokio::sync::watch;
use uuid::Uuid;

pub const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(7));

/// Long enough for a machine that is busy with other things.
pub const LONG: Duration = Duration::from_secs(60);

/// Deadlines that nothing in a test meets by chance.
pub const PATIENT: Deadlines = Deadlines { connect: LONG, step: LONG, decision: LONG };

/// Deadlines that a test waits for.
pub const SHORT: Deadlines =
    Deadlines { connect: LONG, step: Duration::from_secs(2), decision: Duration::from_secs(3) };

pub fn name(text: &str) -> DeviceName {
    DeviceName::new(text).expect("a short name")
}

pub async fn endpoint(key: &DeviceKey) -> Endpoint {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let builder = Endpoint::builder(presets::Minimal).secret_key(key.secret().clone());
    let builder = builder.relay_mode(RelayMode::Disabled).clear_ip_transports();
    let builder = builder.bind_addr(loopback).expect("an address");
    builder.bind().await.expect("loopback has free ports")
}

pub fn id(endpoint: &Endpoint) -> DeviceId {
    DeviceId(*endpoint.id().as_bytes())
}

/// A program that invites: what its user says, and what it was told.
#[derive(Debug)]
pub struct Program {
    /// What the user answers; none while it is thought over.
    pub answer: watch::Sender<Option<bool>>,
    pub shown: Mutex<Vec<Introduction>>,
    pub paired: Mutex<Vec<Paired>>,
    pub lineages: Mutex<Vec<Lineage>>,
    pub failed: watch::Sender<Vec<(DeviceId, PairingError)>>,
    pub trusts: Mutex<Vec<DeviceId>>,
    pub records: Mutex<Result<(), String>>,
    pub now_ms: Mutex<u64>,
}

#[derive(Clone, Debug)]
pub struct Shared(pub Arc<Program>);

impl std::ops::Deref for Shared {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.0
    }
}

impl Host for Shared {
    async fn confirm(&self, introduction: &Introduction) -> bool {
        self.shown.lock().unwrap().push(introduction.clone());
        let mut answer = self.answer.subscribe();
        let answered = answer.wait_for(Option::is_some).await.expect("the test goes on");
        answered.expect("it is some")
    }
    async fn paired(&self, paired: &Paired) -> Result<(), String> {
        self.records.lock().unwrap().clone()?;
        self.paired.lock().unwrap().push(paired.clone());
        Ok(())
    }
    async fn succeeded(&self, lineage: &Lineage) -> Result<bool, String> {
        self.lineages.lock().unwrap().push(lineage.clone());
        let mut trusts = self.trusts.lock().unwrap();
        let known = trusts.iter().any(|device| lineage.earlier().contains(device));
        if known {
            trusts.retain(|device| !lineage.earlier().contains(device));
            trusts.push(lineage.device());
        }
        Ok(known || trusts.contains(&lineage.device()))
    }
    fn failed(&self, device: DeviceId, error: &PairingError) {
        self.failed.send_modify(|all| all.push((device, error.clone())));
    }
    fn now_ms(&self) -> u64 {
        *self.now_ms.lock().unwrap()
    }
}

/// A program whose user says yes.
pub fn program() -> Shared {
    Shared(Arc::new(Program {
        answer: watch::Sender::new(Some(true)),
        shown: Mutex::default(),
        paired: Mutex::default(),
        lineages: Mutex::default(),
        failed: watch::Sender::default(),
        trusts: Mutex::default(),
        records: Mutex::new(Ok(())),
        // Later than the clock of any joiner: it finds no ticket expired.
        now_ms: Mutex::new(u64::MAX / 2),
    }))
}

/// A device that invites, on the loopback interface.
pub struct Laptop {
    pub program: Shared,
    pub inviter: Inviter<Shared>,
    pub router: Router,
}

impl Laptop {
    pub async fn new(deadlines: Deadlines) -> Self {
        Self::with_key(&DeviceKey::generate(&SystemEntropy), deadlines).await
    }

    pub async fn with_key(key: &DeviceKey, deadlines: Deadlines) -> Self {
        let endpoint = endpoint(key).await;
        let program = program();
        let inviter =
            Inviter::with_deadlines(endpoint.clone(), name("laptop"), program.clone(), deadlines);
        let router = Router::builder(endpoint).accept(ALPN, inviter.clone()).spawn();
        Laptop { program, inviter, router }
    }

    pub fn device(&self) -> DeviceId {
        id(self.router.endpoint())
    }

    pub fn ticket(&self) -> Ticket {
        self.inviter.invite(WORKSPACE, Access::Full, LONG).expect("there is room")
    }

    /// Waits until that many attempts came to nothing; returns the last one's reason.
    pub async fn failure(&self, number: usize) -> PairingError {
        let mut failed = self.program.failed.subscribe();
        let failed = tokio::time::timeout(LONG, failed.wait_for(|all| all.len() >= number)).await;
        failed.expect("it fails").expect("the program runs")[number - 1].1.clone()
    }

    pub fn paired(&self) -> Vec<Paired> {
        self.program.paired.lock().unwrap().clone()
    }
}

/// A device that joins.
pub struct Phone {
    pub endpoint: Endpoint,
}

impl Phone {
    pub async fn new() -> Self {
        Phone { endpoint: endpoint(&DeviceKey::generate(&SystemEntropy)).await }
    }

    pub fn device(&self) -> DeviceId {
        id(&self.endpoint)
    }

    /// Joins, saying `yes` or not.
    pub async fn join(&self, ticket: &Ticket, yes: bool) -> Result<Paired, PairingError> {
        self.join_and(ticket, async move |_| yes).await
    }

    pub async fn join_and<F: Future<Output = bool>>(
        &self,
        ticket: &Ticket,
        confirm: impl FnOnce(Introduction) -> F,
    ) -> Result<Paired, PairingError> {
        join_within(&self.endpoint, ticket, &name("phone"), PATIENT, confirm).await
    }
}
