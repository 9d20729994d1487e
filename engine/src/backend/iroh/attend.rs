//! The answering half of a connection, whoever dialed it.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use iroh::endpoint::VarInt;
use tracing::{debug, debug_span, warn};

use super::Shared;
use super::close::CloseCode;
use super::frame::{Exchange, FrameFault};
use super::gate::Answer;
use super::info::NetworkEvent;
use super::pool::Link;
use crate::limits::{MAX_CONNECTION_STREAMS, MAX_FRAME_BYTES};
use crate::wire::{FrameError, Reject, Request, Response};

/// Why a connection is to be closed from here.
struct Offence {
    code: CloseCode,
    why: String,
}

/// Answers what comes over the connection until it ends, then takes it out of the pool.
pub(super) async fn attend(shared: &Arc<Shared>, link: Link) {
    let leaving = Leaving { shared, link: &link };
    let connection = &link.connection;
    // An endpoint that the host made may allow more.
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(MAX_CONNECTION_STREAMS));
    connection.set_max_concurrent_uni_streams(VarInt::from_u32(0));
    let mut served = FuturesUnordered::new();
    let ended = loop {
        let may_accept = served.len() < MAX_CONNECTION_STREAMS as usize;
        tokio::select! {
            biased;
            Some(result) = served.next(), if !served.is_empty() => {
                if let Err(Offence { code, why }) = result {
                    link.close(code, &why);
                    if code != CloseCode::NotAdmitted {
                        let number = code.number();
                        warn!(device = %link.device, code = number, why, "disconnected a device");
                        let device = link.device;
                        shared.pool.tell(NetworkEvent::Misbehaved { device, code, why });
                    }
                }
            }
            stream = connection.accept_bi(), if may_accept => match stream {
                Ok(streams) => served.push(serve(shared, &link, Exchange::new(streams, &shared.meter))),
                Err(error) => break error,
            },
        }
    };
    debug!(device = %link.device, why = %ended, "a connection ended");
    drop(served);
    drop(leaving);
}

/// Takes the connection out of the pool however its task ends.
struct Leaving<'a> {
    shared: &'a Shared,
    link: &'a Link,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self.link.connection.close_reason().is_none() {
            self.link.close(CloseCode::Leaving, "nobody attends to the connection");
        }
        self.shared.pool.leave(self.link);
    }
}

/// Reads one request, has it answered, writes the answer.
async fn serve(shared: &Shared, link: &Link, mut exchange: Exchange<'_>) -> Result<(), Offence> {
    let device = link.device;
    let _permit = shared.serving.acquire().await;
    let frame = match exchange.read(shared.deadlines.pace()).await {
        Ok(frame) => frame,
        Err(fault) => return offence(fault, "a request did not come"),
    };
    let (kind, response) = match Request::decode(&frame) {
        Ok(request) => {
            drop(frame);
            let kind = kind_of(&request);
            shared.pool.note_asked(device);
            match shared.gate.ask(device, request).await {
                Answer::Response(response) => (kind, response),
                Answer::NotAdmitted => {
                    let why = "the workspace is not shared with you".to_owned();
                    return Err(Offence { code: CloseCode::NotAdmitted, why });
                }
                Answer::Nobody => (kind, Response::Refused(Reject::Unavailable)),
            }
        }
        Err(FrameError::Version { found }) => {
            warn!(%device, version = found, "a device speaks another version of the protocol");
            shared.pool.tell(NetworkEvent::OtherVersion { device, version: found });
            ("other version", Response::Refused(FrameError::Version { found }.into()))
        }
        Err(error) => {
            return Err(Offence { code: CloseCode::Malformed, why: error.to_string() });
        }
    };
    let span = debug_span!("answer", kind);
    let bytes = response.encode();
    drop(response);
    span.in_scope(|| debug!(bytes = bytes.len(), "answered"));
    match exchange.write(&bytes, shared.deadlines.pace()).await {
        Ok(()) => {
            exchange.over();
            Ok(())
        }
        Err(fault) => offence(fault, "an answer was not taken"),
    }
}

/// What a frame's fault means for the connection.
fn offence(fault: FrameFault, what: &str) -> Result<(), Offence> {
    match fault {
        // Whoever asked does not want to know any more, or is gone.
        FrameFault::Abandoned | FrameFault::Connection(_) => Ok(()),
        FrameFault::TooLong => Err(Offence {
            code: CloseCode::TooLong,
            why: format!("a request has more than {MAX_FRAME_BYTES} bytes"),
        }),
        FrameFault::TooSlow => {
            Err(Offence { code: CloseCode::TooSlow, why: format!("{what} in time") })
        }
    }
}

pub(super) fn kind_of(request: &Request) -> &'static str {
    match request {
        Request::Frontier(_) => "frontier",
        Request::Pull(_) => "pull",
        Request::Push(_) => "push",
        Request::Snapshot(_) => "snapshot",
    }
}
