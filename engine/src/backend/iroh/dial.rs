//! The making of one connection, by whomever and for however many it is wanted.

use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::{ConnectError, ConnectOptions, ConnectWithOptsError, ConnectingError};
use iroh::endpoint::{ConnectionError, TransportErrorCode};
use iroh::{EndpointAddr, EndpointId};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{Instrument, debug, info_span};

use super::attend::attend;
use super::close::CloseCode;
use super::options::transport;
use super::pool::Link;
use super::{ALPN, Shared};
use crate::id::DeviceId;
use crate::limits::RETIREMENT_MS;

/// Why no connection came about.
#[derive(Clone, Debug)]
pub(super) enum DialFault {
    /// The other side closed with a code, at once.
    Closed(ConnectionError),
    /// Anything else, for people.
    Failed(String),
}

/// A dial that all who want it wait for.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    result: watch::Receiver<Option<Result<Link, DialFault>>>,
}

impl Dial {
    pub(super) fn is_under_way(&self) -> bool {
        self.result.borrow().is_none() && self.result.has_changed().is_ok()
    }

    /// Waits for the connection.
    pub(super) async fn made(mut self) -> Result<Link, DialFault> {
        let made = self.result.wait_for(Option::is_some).await;
        match made.as_deref() {
            Ok(Some(result)) => result.clone(),
            _ => Err(DialFault::Failed("the network is shut down".to_owned())),
        }
    }
}

/// Begins to dial, in a task of its own, which attends to the connection afterwards.
pub(super) fn begin(shared: &Arc<Shared>, device: DeviceId) -> Dial {
    let (sender, result) = watch::channel(None);
    let task = Arc::clone(shared);
    let span = info_span!("sync_connection", %device);
    let dialing = async move {
        let made = match connect(&task, device).await {
            Ok(connection) => match task.pool.join(device, connection.clone()) {
                Ok(joined) => Ok(joined),
                Err(code) => {
                    connection.close(code.wire(), b"connected to too many devices");
                    Err(DialFault::Failed(
                        "connected to as many devices as can be; disconnect one".to_owned(),
                    ))
                }
            },
            Err(fault) => Err(fault),
        };
        let told = made.as_ref().map(|joined| joined.link.clone()).map_err(Clone::clone);
        // Nobody may wait any more.
        let _ = sender.send(Some(told));
        task.pool.dialed(device);
        match made {
            Ok(joined) => {
                retire(&task, joined.retired);
                attend(&task, joined.link).await;
            }
            Err(fault) => debug!(?fault, "no connection"),
        }
    };
    drop(shared.runtime.spawn(dialing.instrument(span)));
    Dial { result }
}

/// Lets a connection go that is one too many, once nothing is asked over it.
pub(super) fn retire(shared: &Arc<Shared>, retired: Option<Link>) {
    let Some(link) = retired else { return };
    drop(shared.runtime.spawn(async move {
        let step = Duration::from_millis(RETIREMENT_MS / 50);
        for _ in 0..50 {
            tokio::time::sleep(step).await;
            if !link.is_calling() {
                break;
            }
        }
        link.close(CloseCode::Duplicate, "the connection that you dialed is kept");
    }));
}

async fn connect(
    shared: &Shared,
    device: DeviceId,
) -> Result<iroh::endpoint::Connection, DialFault> {
    let failed = |why: String| DialFault::Failed(why);
    let id = EndpointId::from_bytes(&device.0)
        .map_err(|_| failed("its id is no public key of a device".to_owned()))?;
    let options = ConnectOptions::new().with_transport_config(transport());
    let connecting = async {
        let connecting =
            shared.endpoint.connect_with_opts(EndpointAddr::new(id), ALPN, options).await?;
        Ok::<_, ConnectError>(connecting.await?)
    };
    match timeout(shared.deadlines.connect, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(explain(&error)),
        Err(_) => Err(failed(format!(
            "it did not answer within {} s; is it on, and is its address still right?",
            shared.deadlines.connect.as_secs_f32()
        ))),
    }
}

fn explain(error: &ConnectError) -> DialFault {
    let connection = match error {
        ConnectError::Connect { source, .. } => {
            return DialFault::Failed(match source {
                ConnectWithOptsError::NoAddress { .. } => {
                    "no address of it is known; add one, or pair the devices again".to_owned()
                }
                ConnectWithOptsError::SelfConnect { .. } => "that is this device".to_owned(),
                other => format!("{other:#}"),
            });
        }
        ConnectError::Connecting {
            source: ConnectingError::ConnectionError { source, .. },
            ..
        }
        | ConnectError::Connection { source, .. } => source,
        ConnectError::Connecting { source, .. } => {
            return DialFault::Failed(format!("{source:#}"));
        }
        other => return DialFault::Failed(format!("{other:#}")),
    };
    match connection {
        error if CloseCode::of(error).is_some() => DialFault::Closed(error.clone()),
        ConnectionError::ConnectionClosed(close)
            if close.error_code == TransportErrorCode::crypto(NO_APPLICATION_PROTOCOL) =>
        {
            DialFault::Failed(format!(
                "it does not speak {} (another version of the program, or not running for sync)",
                String::from_utf8_lossy(ALPN)
            ))
        }
        ConnectionError::TimedOut => DialFault::Failed(
            "it did not answer; is it on, and is its address still right?".to_owned(),
        ),
        other => DialFault::Failed(other.to_string()),
    }
}

/// The TLS alert of RFC 7301, section 3.2.
const NO_APPLICATION_PROTOCOL: u8 = 120;
