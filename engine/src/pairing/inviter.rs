//! The inviting side: a protocol handler beside that of sync.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::try_join;
use iroh::Endpoint;
use iroh::endpoint::{Connection, VarInt};
use iroh::protocol::{AcceptError, ProtocolHandler};
use tokio::time::timeout;
use tracing::Instrument;
use zeroize::Zeroizing;

use super::PairingError;
use super::channel::{Channel, CloseOnDrop, close, close_after, closed};
use super::close::CloseCode;
use super::deadlines::Deadlines;
use super::frame::Frame;
use super::handshake::{Asked, Ends, Introduced, expect, unexpected};
use super::host::{Host, Paired};
use super::invitation::{Invitation, InvitationId, Secret};
use super::invitations::{Ending, Invitations, InviteError};
use super::name::DeviceName;
use super::session::Sessions;
use super::ticket::Ticket;
use crate::access::Access;
use crate::device_key::{Lineage, Succession};
use crate::id::{DeviceId, WorkspaceId};
use crate::limits::PAIRING_RECEIVE_WINDOW_BYTES;
use crate::ports::Entropy;
use crate::system::SystemEntropy;

/// Invites other devices, and answers those that come with a ticket or with a succession. To be
/// given to a router under [`ALPN`](super::ALPN); clones share it.
///
/// ```no_run
/// # use graphshell_sync::pairing::{ALPN, Host, Inviter};
/// # fn run<H: Host>(inviter: Inviter<H>, endpoint: iroh::Endpoint) -> iroh::protocol::Router {
/// iroh::protocol::Router::builder(endpoint).accept(ALPN, inviter.clone()).spawn()
/// # }
/// ```
pub struct Inviter<H> {
    shared: Arc<Shared<H>>,
}

struct Shared<H> {
    endpoint: Endpoint,
    name: DeviceName,
    deadlines: Deadlines,
    host: H,
    invitations: Mutex<Invitations>,
    sessions: Arc<Sessions>,
}

impl<H: Host> Inviter<H> {
    /// An inviter for the device of `endpoint`, which others are told is called `name`.
    pub fn new(endpoint: Endpoint, name: DeviceName, host: H) -> Self {
        Self::with_deadlines(endpoint, name, host, Deadlines::default())
    }

    /// The same with other deadlines.
    pub fn with_deadlines(
        endpoint: Endpoint,
        name: DeviceName,
        host: H,
        deadlines: Deadlines,
    ) -> Self {
        let (invitations, sessions) = (Mutex::default(), Arc::default());
        let shared = Shared { endpoint, name, deadlines, host, invitations, sessions };
        Inviter { shared: Arc::new(shared) }
    }

    /// Invites one device to a workspace, for that long. The ticket names the addresses that the
    /// endpoint has now; an endpoint that uses a relay is to be
    /// [online](iroh::Endpoint::online) before.
    ///
    /// # Errors
    /// If too many invitations hold, or nothing is offered.
    pub fn invite(
        &self,
        workspace: WorkspaceId,
        access: Access,
        lifetime: Duration,
    ) -> Result<Ticket, InviteError> {
        let (mut id, mut secret) = (InvitationId([0; 16]), Secret(Zeroizing::new([0; 32])));
        SystemEntropy.fill(&mut id.0);
        SystemEntropy.fill(&mut *secret.0);
        let now_ms = self.shared.host.now_ms();
        let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        let expires_ms = now_ms.saturating_add(lifetime_ms);
        let invitation = Invitation { id, workspace, access, expires_ms, secret };
        self.shared.invitations().add(now_ms, invitation.clone())?;
        Ok(Ticket::new(&self.shared.endpoint.addr(), self.shared.name.clone(), invitation))
    }

    /// Takes an invitation back; whether it still held. A pairing with it that is under way is refused
    /// before anything is recorded.
    pub fn withdraw(&self, invitation: InvitationId) -> bool {
        self.shared.invitations().remove(invitation)
    }

    /// The invitations that hold, oldest first.
    pub fn invitations(&self) -> Vec<Invitation> {
        let now_ms = self.shared.host.now_ms();
        self.shared.invitations().open(now_ms)
    }

    /// The program around it.
    pub fn host(&self) -> &H {
        &self.shared.host
    }
}

impl<H: Host> ProtocolHandler for Inviter<H> {
    async fn accept(&self, connection: Connection) -> Result<(), AcceptError> {
        let device = DeviceId(*connection.remote_id().as_bytes());
        let span = tracing::info_span!("pairing", %device);
        let _guard = CloseOnDrop(connection.clone());
        async {
            match self.shared.serve(&connection).await {
                Ok(()) => close(&connection, CloseCode::Done, ""),
                Err(error) => {
                    tracing::debug!(%error, "a pairing came to nothing");
                    close_after(&connection, &error);
                    self.shared.host.failed(device, &error);
                }
            }
        }
        .instrument(span)
        .await;
        Ok(())
    }
}

/// What a connection turned out to be for, once something was proven.
enum Proven {
    Pairing(Channel, Introduced, InvitationId),
    Succession(Channel, Lineage),
}

impl<H: Host> Shared<H> {
    async fn serve(&self, connection: &Connection) -> Result<(), PairingError> {
        // From here on a stranger can make this device keep no more than that.
        connection.set_receive_window(VarInt::from_u32(PAIRING_RECEIVE_WINDOW_BYTES));
        connection.set_max_concurrent_bi_streams(VarInt::from_u32(1));
        connection.set_max_concurrent_uni_streams(VarInt::from_u32(0));
        // On its way out an attempt that has engaged an invitation lets go of it.
        let mut engaged = Engaged { shared: self, invitation: None };
        let talked = self.talk(connection, &mut engaged).await;
        if let Err(error) = &talked
            && (*error == PairingError::Declined || error.refusal() == Some(CloseCode::Declined))
        {
            engaged.end(Ending::Declined);
        }
        talked
    }

    async fn talk(
        &self,
        connection: &Connection,
        engaged: &mut Engaged<'_, H>,
    ) -> Result<(), PairingError> {
        let mut session = self.sessions.begin();
        let proven = tokio::select! {
            biased;
            () = session.evicted() => Err(PairingError::Busy),
            proven = self.prove(connection, engaged) => proven,
        }?;
        drop(session);
        match proven {
            Proven::Succession(channel, lineage) => self.follow(channel, &lineage).await,
            Proven::Pairing(channel, introduced, invitation) => {
                self.decide(channel, introduced, invitation, engaged).await
            }
        }
    }

    async fn prove(
        &self,
        connection: &Connection,
        engaged: &mut Engaged<'_, H>,
    ) -> Result<Proven, PairingError> {
        let step = self.deadlines.step;
        let mut channel = Channel::accept(connection.clone(), step).await?;
        match Frame::decode(&channel.receive(step, "the first frame").await?)? {
            Frame::Present(chain) => {
                Ok(Proven::Succession(channel, self.lineage(connection, &chain)?))
            }
            Frame::Hello(hello) => {
                let asked = Asked::new(hello);
                let invitation = asked.invitation();
                let ends = Ends { joiner: connection.remote_id(), inviter: self.endpoint.id() };
                let mut nonce = [0; 32];
                SystemEntropy.fill(&mut nonce);
                let now_ms = self.host.now_ms();
                let (welcoming, welcome) =
                    self.invitations().engage(now_ms, invitation, |invitation| {
                        asked.check(invitation, ends, &self.name, nonce)
                    })?;
                engaged.invitation = Some(invitation);
                channel.send(&welcome, step, "the Welcome's way out").await?;
                let reveal = channel.receive(step, "the joiner's Reveal").await?;
                Ok(Proven::Pairing(channel, welcoming.reveal(&reveal)?, invitation))
            }
            _ => Err(unexpected("a Hello or a succession as the first frame")),
        }
    }

    fn lineage(
        &self,
        connection: &Connection,
        chain: &[Succession],
    ) -> Result<Lineage, PairingError> {
        let from = DeviceId(*connection.remote_id().as_bytes());
        Ok(Lineage::verify(from, chain)?)
    }

    async fn follow(&self, mut channel: Channel, lineage: &Lineage) -> Result<(), PairingError> {
        let followed = self.host.succeeded(lineage).await.map_err(PairingError::NotRecorded)?;
        if !followed {
            return Err(PairingError::NotTrusted);
        }
        self.finish(&mut channel, &Frame::Followed).await
    }

    async fn decide(
        &self,
        mut channel: Channel,
        introduced: Introduced,
        invitation: InvitationId,
        engaged: &mut Engaged<'_, H>,
    ) -> Result<(), PairingError> {
        let decision = self.deadlines.decision;
        let connection = channel.connection().clone();
        let here = async {
            match self.host.confirm(&introduced.introduction).await {
                true => Ok(()),
                false => Err(PairingError::Declined),
            }
        };
        let there = async {
            let body = channel.receive(decision, "the other user's answer").await?;
            expect(&Frame::Confirm, &body, "the joiner's Confirm")
        };
        let both = async {
            tokio::select! {
                biased;
                both = try_join(here, there) => both.map(drop),
                reason = closed(&connection) => Err(reason),
            }
        };
        let decided = timeout(decision, both).await;
        decided.map_err(|_| PairingError::TooSlow("both users' answers"))??;
        // It may have been withdrawn while the users were thinking.
        self.invitations().holds(invitation)?;
        let paired: Paired = introduced.paired();
        self.host.paired(&paired).await.map_err(PairingError::NotRecorded)?;
        engaged.end(Ending::Paired);
        tracing::info!(name = %paired.name, "paired");
        // It is done; if the joiner does not learn of it, it says so itself.
        let told = self.finish(&mut channel, &Frame::Done).await;
        if let Err(error) = told {
            tracing::debug!(%error, "the joiner was not told that it is done");
        }
        Ok(())
    }

    /// Sends the last frame and waits until the other side has it, which then closes.
    async fn finish(&self, channel: &mut Channel, last: &Frame) -> Result<(), PairingError> {
        channel.send(last, self.deadlines.step, "the last frame's way out").await?;
        let _ = timeout(self.deadlines.step, closed(channel.connection())).await;
        Ok(())
    }

    fn invitations(&self) -> MutexGuard<'_, Invitations> {
        self.invitations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets go of an invitation when an attempt ends, however it does.
struct Engaged<'a, H: Host> {
    shared: &'a Shared<H>,
    invitation: Option<InvitationId>,
}

impl<H: Host> Engaged<'_, H> {
    fn end(&mut self, ending: Ending) {
        if let Some(invitation) = self.invitation.take() {
            self.shared.invitations().end(invitation, ending);
        }
    }
}

impl<H: Host> Drop for Engaged<'_, H> {
    fn drop(&mut self) {
        self.end(Ending::Broken);
    }
}

impl<H> Clone for Inviter<H> {
    fn clone(&self) -> Self {
        Inviter { shared: Arc::clone(&self.shared) }
    }
}

impl<H> fmt::Debug for Inviter<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inviter({}, {})", self.shared.name, self.shared.endpoint.id())
    }
}
