//! Showing a device that trusted an earlier key of this one that the key was changed.

use iroh::{Endpoint, EndpointAddr};

use super::PairingError;
use super::channel::{Channel, CloseOnDrop, close, close_after};
use super::close::CloseCode;
use super::deadlines::Deadlines;
use super::frame::Frame;
use super::handshake::expect;
use super::join::connect;
use crate::device_key::{Lineage, Succession};
use crate::id::DeviceId;

/// Shows another device how the key of `endpoint` came to its place. Returns when that one has
/// moved its consent to this key, in at least one workspace. Harmless to be done again.
///
/// # Errors
/// If it cannot be reached or does not trust any of the earlier keys.
pub async fn present(
    endpoint: &Endpoint,
    to: impl Into<EndpointAddr>,
    successions: &[Succession],
) -> Result<(), PairingError> {
    present_within(endpoint, to, successions, Deadlines::default()).await
}

/// [`present`] with other deadlines.
///
/// # Errors
/// As for [`present`].
pub async fn present_within(
    endpoint: &Endpoint,
    to: impl Into<EndpointAddr>,
    successions: &[Succession],
    deadlines: Deadlines,
) -> Result<(), PairingError> {
    // What the other side would refuse need not be sent.
    Lineage::verify(DeviceId(*endpoint.id().as_bytes()), successions)?;
    let connection = connect(endpoint, to.into(), deadlines).await?;
    let _guard = CloseOnDrop(connection.clone());
    let talk = async {
        let mut channel = Channel::open(connection.clone()).await?;
        let frame = Frame::Present(successions.to_vec());
        channel.send(&frame, deadlines.step, "the succession's way out").await?;
        let answer = channel.receive(deadlines.step, "the answer to the succession").await?;
        expect(&Frame::Followed, &answer, "that the succession was followed")?;
        close(&connection, CloseCode::Done, "");
        Ok(())
    };
    let result = talk.await;
    if let Err(error) = &result {
        close_after(&connection, error);
    }
    result
}
