//! What the link can do: iroh and a disk, and nothing of the engine.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use graphshell_sync::backend::iroh::EndpointOptions;
use iroh::endpoint::Connection;
use iroh::protocol::{AcceptError, ProtocolHandler, Router};
use iroh::{Endpoint, EndpointAddr, SecretKey};

use crate::device::since;

const ALPN: &[u8] = b"/graphshell-bench/1";

/// Sends back what comes.
#[derive(Clone, Copy, Debug)]
struct Echo;

impl ProtocolHandler for Echo {
    async fn accept(&self, connection: Connection) -> Result<(), AcceptError> {
        loop {
            let (mut send, mut receive) = connection.accept_bi().await?;
            let bytes = receive.read_to_end(1 << 20).await.map_err(AcceptError::from_err)?;
            send.write_all(&bytes).await.map_err(AcceptError::from_err)?;
            send.finish()?;
        }
    }
}

pub(crate) async fn endpoint() -> Endpoint {
    let bind = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let options = EndpointOptions { bind, ..EndpointOptions::new(SecretKey::generate()) };
    options.bind().await.expect("loopback has free ports")
}

pub(crate) fn address_of(endpoint: &Endpoint) -> EndpointAddr {
    let sockets = endpoint.bound_sockets().into_iter();
    sockets.fold(EndpointAddr::new(endpoint.id()), EndpointAddr::with_ip_addr)
}

/// Two endpoints and a connection between them.
pub(crate) struct Bare {
    asking: Endpoint,
    answering: Router,
}

impl Bare {
    pub(crate) async fn new() -> Self {
        let answering = Router::builder(endpoint().await).accept(ALPN, Echo).spawn();
        Bare { asking: endpoint().await, answering }
    }

    pub(crate) async fn connect(&self) -> Connection {
        let address = address_of(self.answering.endpoint());
        self.asking.connect(address, ALPN).await.expect("it answers")
    }

    /// Closes both ends.
    pub(crate) async fn close(self) {
        self.asking.close().await;
        self.answering.shutdown().await.expect("no panic");
    }
}

/// One stream there and back.
pub(crate) async fn ping(connection: &Connection, bytes: &[u8]) -> Duration {
    let ((), time) = since(async {
        let (mut send, mut receive) = connection.open_bi().await.expect("it answers");
        send.write_all(bytes).await.expect("it answers");
        send.finish().expect("it answers");
        receive.read_to_end(1 << 20).await.expect("it answers");
    })
    .await;
    time
}

/// One write of `bytes` to a file, and its sync.
pub(crate) fn sync(folder: &Path, bytes: usize, times: usize) -> Vec<Duration> {
    let mut file = File::create(folder.join("bare")).expect("a file");
    let content = vec![7; bytes];
    (0..times)
        .map(|_| {
            let start = crate::device::now();
            file.write_all(&content).expect("there is room");
            file.sync_data().expect("it is synced");
            start.elapsed()
        })
        .collect()
}
