//! One frame over a stream, bounded in length and time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use iroh::endpoint::{ConnectionError, ReadError, RecvStream, SendStream, VarInt, WriteError};
use tokio::time::timeout;

use super::info::Meter;
use crate::limits::MAX_FRAME_BYTES;

/// The code with which a stream is reset when nobody waits for it any more.
pub(super) const CANCELLED: u32 = 1;
/// Bytes that are handed to QUIC at once, between two looks at the time.
const WRITE_BYTES: usize = 128 * 1024;

/// How long a frame may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) frame: Duration,
    pub(super) stall: Duration,
}

/// A frame did not pass.
#[derive(Debug)]
pub(super) enum FrameFault {
    /// The connection has ended.
    Connection(ConnectionError),
    /// The other side lets go of the stream.
    Abandoned,
    /// More bytes than a frame may have.
    TooLong,
    /// It takes too long.
    TooSlow,
}

impl From<ReadError> for FrameFault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::ConnectionLost(error) => FrameFault::Connection(error),
            ReadError::Reset(_) | ReadError::ClosedStream | ReadError::ZeroRttRejected => {
                FrameFault::Abandoned
            }
        }
    }
}

impl From<WriteError> for FrameFault {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::ConnectionLost(error) => FrameFault::Connection(error),
            WriteError::Stopped(_) | WriteError::ClosedStream | WriteError::ZeroRttRejected => {
                FrameFault::Abandoned
            }
        }
    }
}

/// Both directions of one request. Dropped before its end it is reset, so that the other side does
/// not take half a frame for a whole one, and does not go on sending.
pub(super) struct Exchange<'a> {
    send: SendStream,
    receive: RecvStream,
    meter: &'a Meter,
    over: bool,
}

impl<'a> Exchange<'a> {
    pub(super) fn new((send, receive): (SendStream, RecvStream), meter: &'a Meter) -> Self {
        Exchange { send, receive, meter, over: false }
    }

    /// Everything was said.
    pub(super) fn over(&mut self) {
        self.over = true;
    }

    /// Reads until the other side has finished.
    pub(super) async fn read(&mut self, pace: Pace) -> Result<Vec<u8>, FrameFault> {
        let reading = async {
            let mut frame = Vec::new();
            loop {
                let most = MAX_FRAME_BYTES + 1 - frame.len();
                let chunk = timeout(pace.stall, self.receive.read_chunk(most)).await;
                let Some(chunk) = chunk.map_err(|_| FrameFault::TooSlow)?? else {
                    return Ok(frame);
                };
                self.meter.received.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                frame.extend_from_slice(&chunk);
                if frame.len() > MAX_FRAME_BYTES {
                    return Err(FrameFault::TooLong);
                }
            }
        };
        timeout(pace.frame, reading).await.unwrap_or(Err(FrameFault::TooSlow))
    }

    /// Writes a whole frame and finishes.
    pub(super) async fn write(&mut self, frame: &[u8], pace: Pace) -> Result<(), FrameFault> {
        let writing = async {
            for piece in frame.chunks(WRITE_BYTES) {
                let written = timeout(pace.stall, self.send.write_all(piece)).await;
                written.map_err(|_| FrameFault::TooSlow)??;
                self.meter.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
            self.send.finish().map_err(|_| FrameFault::Abandoned)
        };
        timeout(pace.frame, writing).await.unwrap_or(Err(FrameFault::TooSlow))
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if !self.over {
            // Streams of a connection that has ended are closed already.
            let _ = self.send.reset(VarInt::from_u32(CANCELLED));
            let _ = self.receive.stop(VarInt::from_u32(CANCELLED));
        }
    }
}
