//! Where devices can be reached, as far as this side was told or found out.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use iroh::address_lookup::memory::MemoryLookup;
use iroh::{Endpoint, EndpointAddr, EndpointId};

use crate::id::DeviceId;
use crate::limits::{MAX_ADDRESSES, MAX_KNOWN_DEVICES};

/// See the module.
#[derive(Debug)]
pub(super) struct Addresses {
    told: MemoryLookup,
    devices: Mutex<BTreeSet<DeviceId>>,
    found: Arc<Mutex<BTreeSet<DeviceId>>>,
}

impl Addresses {
    /// What is added here, the endpoint will find.
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        let told = MemoryLookup::with_provenance("graphshell-sync");
        // An endpoint that is closed finds nothing in any way.
        if let Ok(lookup) = endpoint.address_lookup() {
            lookup.add(told.clone());
        }
        Addresses { told, devices: Mutex::default(), found: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<DeviceId>> {
        self.devices.lock().expect("no code that holds this lock panics")
    }

    pub(super) fn add(&self, address: EndpointAddr) {
        let device = DeviceId(*address.id.as_bytes());
        let mut devices = self.lock();
        if devices.len() >= MAX_KNOWN_DEVICES && !devices.contains(&device) {
            return;
        }
        devices.insert(device);
        let kept = address.addrs.into_iter().take(MAX_ADDRESSES);
        self.told.set_endpoint_info(EndpointAddr::from_parts(address.id, kept));
    }

    pub(super) fn remove(&self, device: DeviceId) {
        if self.lock().remove(&device)
            && let Ok(id) = EndpointId::from_bytes(&device.0)
        {
            self.told.remove_endpoint_info(id);
        }
    }

    /// All that were added or found.
    pub(super) fn devices(&self) -> BTreeSet<DeviceId> {
        let mut devices = self.lock().clone();
        devices.extend(self.found.lock().expect("no code that holds this lock panics").iter());
        devices
    }

    /// Announces this device in the local network and looks for others, as long as the endpoint and
    /// the backend live.
    #[cfg(feature = "mdns")]
    pub(super) fn look_around(&self, endpoint: &Endpoint) {
        use futures_util::StreamExt;
        use iroh_mdns_address_lookup::{DiscoveryEvent, MdnsAddressLookup};

        let mdns = match MdnsAddressLookup::builder().build(endpoint.id()) {
            Ok(mdns) => mdns,
            Err(error) => {
                tracing::warn!(%error, "devices of the local network cannot be looked for");
                return;
            }
        };
        if let Ok(lookup) = endpoint.address_lookup() {
            lookup.add(mdns.clone());
        }
        let found = Arc::downgrade(&self.found);
        let looking = async move {
            let mut events = mdns.subscribe().await;
            drop(mdns);
            while let Some(event) = events.next().await {
                let Some(found) = found.upgrade() else { return };
                let mut found = found.lock().expect("no code that holds this lock panics");
                match event {
                    DiscoveryEvent::Discovered { endpoint_info, .. }
                        if found.len() < MAX_KNOWN_DEVICES =>
                    {
                        found.insert(DeviceId(*endpoint_info.endpoint_id.as_bytes()));
                    }
                    DiscoveryEvent::Expired { endpoint_id } => {
                        found.remove(&DeviceId(*endpoint_id.as_bytes()));
                    }
                    _ => {}
                }
            }
        };
        drop(tokio::runtime::Handle::current().spawn(endpoint.closed().run_until(looking)));
    }
}
