//! The asking half: one request to another device.

use std::sync::Arc;

use iroh::endpoint::ConnectionError;
use tokio::time::timeout;
use tracing::{Instrument, debug, info_span};

use super::Shared;
use super::attend::kind_of;
use super::close::{CloseCode, told};
use super::dial::{self, DialFault};
use super::frame::{Exchange, FrameFault};
use super::info::NetworkEvent;
use super::pool::Link;
use crate::id::DeviceId;
use crate::ports::CallError;
use crate::wire::{Reject, Request, Response};

/// Connections that one call tries, each of which either side may just have replaced.
const ATTEMPTS: usize = 3;

/// Asks, over a connection that is there or is made. Ends within the call's deadline.
///
/// It runs as a task of the network's runtime, so that whoever waits may run on any executor; when
/// nobody waits any more, the stream is reset.
pub(super) async fn call(
    shared: &Arc<Shared>,
    to: DeviceId,
    request: Request,
) -> Result<Response, CallError> {
    let kind = kind_of(&request);
    let span = info_span!("call", kind, device = %to);
    let task = Arc::clone(shared);
    let asking = async move {
        let asking = ask(&task, to, request);
        timeout(task.deadlines.call, asking).await.unwrap_or_else(|_| {
            let seconds = task.deadlines.call.as_secs_f32();
            Err(CallError::Lost(format!("{to} did not answer a {kind} within {seconds} s")))
        })
    };
    let mut running = AbortOnDrop(shared.runtime.spawn(asking.instrument(span)));
    (&mut running.0)
        .await
        .unwrap_or_else(|_| Err(CallError::Lost("the network is shut down".to_owned())))
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn ask(shared: &Arc<Shared>, to: DeviceId, request: Request) -> Result<Response, CallError> {
    let frame = request.encode();
    drop(request);
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let link = match shared.pool.link_or_dial(to, || dial::begin(shared, to)) {
            Ok(link) => Ok(link),
            Err(dial) => dial.made().await,
        };
        let link = match link {
            Ok(link) => link,
            Err(DialFault::Failed(why)) => {
                return Err(CallError::Lost(format!("cannot connect to {to}: {why}")));
            }
            Err(DialFault::Closed(error)) => return closed(to, &error),
        };
        match exchange(shared, &link, &frame).await {
            Ok(answer) => {
                let response = Response::from_answer(&answer);
                if let Ok(Response::Refused(Reject::Version(version))) = response {
                    shared.pool.tell(NetworkEvent::OtherVersion { device: to, version });
                }
                if matches!(response, Err(CallError::Nonsense(_))) {
                    link.close(CloseCode::Malformed, "an answer breaks the protocol");
                }
                return response;
            }
            Err(FrameFault::Connection(error)) if link.invites_another(&error) => {
                debug!(device = %to, %error, "asking again over another connection");
                last = Some(error);
            }
            Err(FrameFault::Connection(error)) => return closed(to, &error),
            Err(FrameFault::Abandoned) => {
                return Err(CallError::Lost(format!("{to} let go of the request")));
            }
            Err(FrameFault::TooSlow) => {
                return Err(CallError::Lost(format!("the answer of {to} stood still")));
            }
            Err(FrameFault::TooLong) => {
                link.close(CloseCode::TooLong, "an answer is too long");
                let what = "an answer longer than any frame".to_owned();
                return Err(CallError::Nonsense(what));
            }
        }
    }
    match last {
        Some(error) => closed(to, &error),
        None => Err(CallError::Lost(format!("{to} cannot be reached"))),
    }
}

async fn exchange(shared: &Shared, link: &Link, frame: &[u8]) -> Result<Vec<u8>, FrameFault> {
    let _counted = link.call();
    let streams = link.connection.open_bi().await.map_err(FrameFault::Connection)?;
    let mut exchange = Exchange::new(streams, &shared.meter);
    exchange.write(frame, shared.deadlines.pace()).await?;
    // The other side may have to wait for its disk: only the call's deadline counts.
    let answer = exchange.read(shared.deadlines.answer()).await?;
    exchange.over();
    Ok(answer)
}

/// What the end of a connection means for the call that was under way.
fn closed(to: DeviceId, error: &ConnectionError) -> Result<Response, CallError> {
    let Some(code) = CloseCode::of(error) else {
        return Err(CallError::Lost(format!("the connection with {to} ended: {error}")));
    };
    match code {
        CloseCode::NotAdmitted => Ok(Response::Refused(Reject::NotShared)),
        CloseCode::Malformed | CloseCode::TooLong => {
            Ok(Response::Refused(Reject::Malformed(format!("{code}: {}", told(error)))))
        }
        code => Err(CallError::Lost(format!("{to}: {code}"))),
    }
}
