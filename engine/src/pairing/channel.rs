//! Frames over one stream of a connection: bounded in length and time.

use std::time::Duration;

use iroh::endpoint::{Connection, ConnectionError, ReadExactError, RecvStream, SendStream};
use tokio::time::timeout;

use super::PairingError;
use super::close::CloseCode;
use super::frame::Frame;
use crate::limits::MAX_PAIRING_FRAME_BYTES;

/// The one stream of a pairing.
#[derive(Debug)]
pub(super) struct Channel {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
}

impl Channel {
    /// The stream that the joiner opens.
    pub(super) async fn open(connection: Connection) -> Result<Self, PairingError> {
        let (send, receive) = connection.open_bi().await.map_err(lost)?;
        Ok(Channel { connection, send, receive })
    }

    /// The same on the other side: ends when the first bytes came, or in time.
    pub(super) async fn accept(
        connection: Connection,
        within: Duration,
    ) -> Result<Self, PairingError> {
        let accepted = timeout(within, connection.accept_bi()).await;
        let accepted = accepted.map_err(|_| PairingError::TooSlow("the first frame"))?;
        let (send, receive) = accepted.map_err(lost)?;
        Ok(Channel { connection, send, receive })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Hands a frame to the network; `what` names it.
    pub(super) async fn send(
        &mut self,
        frame: &Frame,
        within: Duration,
        what: &'static str,
    ) -> Result<(), PairingError> {
        let body = frame.encode();
        let length = u16::try_from(body.len()).expect("a frame is bounded");
        let bytes = [&length.to_le_bytes(), &body[..]].concat();
        let written = timeout(within, self.send.write_all(&bytes)).await;
        let written = written.map_err(|_| PairingError::TooSlow(what))?;
        written.map_err(|error| self.broken(&error))
    }

    /// The next frame's body, its last byte included, within that time; `what` names it.
    pub(super) async fn receive(
        &mut self,
        within: Duration,
        what: &'static str,
    ) -> Result<Vec<u8>, PairingError> {
        let received = timeout(within, self.read_frame()).await;
        received.map_err(|_| PairingError::TooSlow(what))?
    }

    async fn read_frame(&mut self) -> Result<Vec<u8>, PairingError> {
        let mut length = [0; 2];
        self.read(&mut length).await?;
        let length = usize::from(u16::from_le_bytes(length));
        let most = MAX_PAIRING_FRAME_BYTES;
        if length > most {
            return Err(PairingError::TooLong { length, most });
        }
        let mut body = vec![0; length];
        self.read(&mut body).await?;
        Ok(body)
    }

    async fn read(&mut self, bytes: &mut [u8]) -> Result<(), PairingError> {
        match self.receive.read_exact(bytes).await {
            Ok(()) => Ok(()),
            Err(ReadExactError::FinishedEarly(_)) => {
                Err(super::handshake::unexpected("more of a frame before the stream ends"))
            }
            Err(ReadExactError::ReadError(error)) => Err(self.broken(&error)),
        }
    }

    /// Why a stream failed: what the other side said, if it did.
    fn broken(&self, error: &impl std::fmt::Display) -> PairingError {
        self.connection.close_reason().map_or_else(|| PairingError::Lost(error.to_string()), lost)
    }
}

/// Closes a connection when it is dropped, if nobody closed it with a reason before: whoever talked
/// over it was dropped in the middle.
#[derive(Debug)]
pub(super) struct CloseOnDrop(pub(super) Connection);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        close(&self.0, CloseCode::Closing, "");
    }
}

/// Ends when the connection does, with the reason.
pub(super) async fn closed(connection: &Connection) -> PairingError {
    lost(connection.closed().await)
}

/// Closes a connection, unless it is closed, and says why; with `detail`, if there is any.
pub(super) fn close(connection: &Connection, code: CloseCode, detail: &str) {
    let reason = match detail {
        "" => code.to_string(),
        detail => format!("{code}: {detail}"),
    };
    connection.close(code.quic(), reason.as_bytes());
}

/// Closes a connection because of what went wrong here.
pub(super) fn close_after(connection: &Connection, error: &PairingError) {
    let detail = match error {
        PairingError::Malformed(error) => error.to_string(),
        PairingError::TooSlow(what) => (*what).to_owned(),
        // What else there is to say is this side's own affair.
        _ => String::new(),
    };
    close(connection, error.close_code(), &detail);
}

fn lost(error: ConnectionError) -> PairingError {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            PairingError::refused(close.error_code.into_inner(), &close.reason)
        }
        error => PairingError::Lost(error.to_string()),
    }
}
