//! Devices that know of each other only the key and a relay.

use graphshell_sync::backend::iroh::{EndpointOptions, Relay};
use graphshell_sync::store::{MemoryStore, MemoryWitness};
use iroh::endpoint::presets;
use iroh::{Endpoint, EndpointAddr, EndpointId, RelayMode, RelayUrl};
use iroh_relay::server::{RelayConfig, Server, ServerConfig};

use crate::support::{Node, PATIENCE, WORKSPACE, add, assert_same, key};

async fn relay() -> (Server, RelayUrl) {
    let mut config = ServerConfig::default();
    config.relay = Some(RelayConfig::new(([127, 0, 0, 1], 0)));
    let server = Server::spawn(config).await.expect("loopback has free ports");
    let address = server.http_addr().expect("it listens");
    (server, format!("http://{address}").parse().expect("it is a url"))
}

async fn node(endpoint: Endpoint) -> Node {
    let online = tokio::time::timeout(PATIENCE, endpoint.online()).await;
    assert!(online.is_ok(), "the relay is not reached");
    let stores = (MemoryStore::new(), MemoryWitness::new());
    Node::over(endpoint, WORKSPACE, stores, |builder| builder).await
}

async fn meet(laptop: &Node, phone: &Node, relay: &RelayUrl) {
    laptop.shares(phone.id, true).await;
    phone.shares(laptop.id, true).await;
    let id = EndpointId::from_bytes(&phone.id.0).expect("it is a key");
    laptop.backend.add_address(EndpointAddr::new(id).with_relay_url(relay.clone()));
    for number in 0..100 {
        laptop.edit(&[add(number)]).await;
    }
    let report = laptop.sync(phone.id).await.expect("the relay knows the phone");
    assert_eq!((report.pushed, report.lost), (100, 0));
    // The frontier first; then a pull and a push, beside each other.
    assert!(report.calls <= 3, "more round trips than the relay is worth: {report:?}");
    phone.edit(&[add(1_000)]).await;
    phone.sync(laptop.id).await.expect("the laptop is connected");
    assert_same(laptop, phone);
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_without_a_direct_way_sync_through_a_relay() {
    let (_server, url) = relay().await;
    let endpoint = |number| {
        let relays = RelayMode::custom([url.clone()]);
        let builder = Endpoint::builder(presets::Minimal).secret_key(key(number));
        builder.relay_mode(relays).clear_ip_transports().bind()
    };
    let laptop = node(endpoint(1).await.expect("no socket is needed")).await;
    let phone = node(endpoint(2).await.expect("no socket is needed")).await;
    meet(&laptop, &phone, &url).await;
    for (one, other) in [(&laptop, &phone), (&phone, &laptop)] {
        let info = one.backend.connection(other.id).expect("it is connected");
        assert!(info.is_relayed(), "{info:?}");
    }
    laptop.close().await;
    phone.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_know_a_relay_of_their_own_need_no_address() {
    let (_server, url) = relay().await;
    let endpoint = |number| {
        let relay = Relay::Own(vec![url.clone()]);
        EndpointOptions { relay, ..EndpointOptions::new(key(number)) }.bind()
    };
    let laptop = node(endpoint(1).await.expect("there are free ports")).await;
    let phone = node(endpoint(2).await.expect("there are free ports")).await;
    meet(&laptop, &phone, &url).await;
    laptop.close().await;
    phone.close().await;
}
