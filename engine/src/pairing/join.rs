//! The joining side.

use std::future::Future;

use iroh::Endpoint;
use iroh::endpoint::Connection;
use tokio::time::timeout;
use tracing::Instrument;

use super::channel::{self, Channel, CloseOnDrop, close, close_after};
use super::close::CloseCode;
use super::deadlines::Deadlines;
use super::frame::Frame;
use super::handshake::{Joining, expect};
use super::host::{Introduction, Paired};
use super::name::DeviceName;
use super::ticket::{Ticket, TicketError};
use super::{ALPN, PairingError, address};
use crate::ports::{Clock, Entropy};
use crate::system::{SystemClock, SystemEntropy};

/// Pairs with the device that made `ticket`: shows `confirm` whom to decide on, and returns when
/// both users have said yes and the inviter has recorded it. Then the caller records its own
/// consent.
///
/// `me` is what this device is called on the other one. Dropping the future ends the pairing; so
/// does the other side while `confirm` waits, whose future is dropped then.
///
/// # Errors
/// Why nothing came of it.
pub async fn join<F: Future<Output = bool>>(
    endpoint: &Endpoint,
    ticket: &Ticket,
    me: &DeviceName,
    confirm: impl FnOnce(Introduction) -> F,
) -> Result<Paired, PairingError> {
    join_within(endpoint, ticket, me, Deadlines::default(), confirm).await
}

/// [`join`] with other deadlines.
///
/// # Errors
/// As for [`join`].
pub async fn join_within<F: Future<Output = bool>>(
    endpoint: &Endpoint,
    ticket: &Ticket,
    me: &DeviceName,
    deadlines: Deadlines,
    confirm: impl FnOnce(Introduction) -> F,
) -> Result<Paired, PairingError> {
    ticket.check(SystemClock.now_ms())?;
    let device = ticket.device();
    async {
        let connection = connect(endpoint, ticket.address(), deadlines).await?;
        let _guard = CloseOnDrop(connection.clone());
        let paired = talk(endpoint, &connection, ticket, me, deadlines, confirm).await;
        match &paired {
            Ok(_) => close(&connection, CloseCode::Done, ""),
            Err(error) => close_after(&connection, error),
        }
        paired
    }
    .instrument(tracing::info_span!("join", %device))
    .await
}

/// A connection for pairing.
pub(super) async fn connect(
    endpoint: &Endpoint,
    address: iroh::EndpointAddr,
    deadlines: Deadlines,
) -> Result<Connection, PairingError> {
    if address.id == endpoint.id() {
        return Err(PairingError::Ticket(TicketError::Own));
    }
    let connected = timeout(deadlines.connect, endpoint.connect(address, ALPN)).await;
    let connected = connected.map_err(|_| {
        PairingError::Unreachable(format!("no answer in {} s", deadlines.connect.as_secs_f32()))
    })?;
    connected.map_err(|error| PairingError::Unreachable(format!("{error:#}")))
}

async fn talk<F: Future<Output = bool>>(
    endpoint: &Endpoint,
    connection: &Connection,
    ticket: &Ticket,
    me: &DeviceName,
    deadlines: Deadlines,
    confirm: impl FnOnce(Introduction) -> F,
) -> Result<Paired, PairingError> {
    let Deadlines { step, decision, .. } = deadlines;
    let mut nonce = [0; 32];
    SystemEntropy.fill(&mut nonce);
    let (joining, hello) = Joining::begin(ticket, endpoint.id(), me, nonce);
    let mut channel = Channel::open(connection.clone()).await?;
    channel.send(&hello, step, "the Hello's way out").await?;
    let welcome = channel.receive(step, "the inviter's Welcome").await?;
    let reached_at = address::tellable(&endpoint.addr());
    let (introduced, reveal) = joining.welcome(&welcome, reached_at)?;
    channel.send(&reveal, step, "the Reveal's way out").await?;

    let introduction = introduced.introduction.clone();
    let here = async {
        tokio::select! {
            biased;
            reason = channel::closed(connection) => Err(reason),
            yes = confirm(introduction) => if yes { Ok(()) } else { Err(PairingError::Declined) },
        }
    };
    let answered = timeout(decision, here).await;
    answered.map_err(|_| PairingError::TooSlow("this device's user's answer"))??;
    // From here on the inviter may record it without this side learning of it.
    let done = async {
        channel.send(&Frame::Confirm, step, "the Confirm's way out").await?;
        let done = channel.receive(decision, "the other user's answer").await?;
        expect(&Frame::Done, &done, "the inviter's Done")
    };
    done.await.map_err(|error| match error {
        PairingError::Lost(why) => PairingError::Unfinished(why),
        error if error.refusal() == Some(CloseCode::Closing) => {
            PairingError::Unfinished(error.to_string())
        }
        error => error,
    })?;
    // The other side waits for this before it lets go of the connection.
    close(connection, CloseCode::Done, "");
    Ok(introduced.paired())
}
