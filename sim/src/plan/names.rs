//! From the names in a plan to ids, and back.
//!
//! Ids hang on the name alone, so that a step taken out of a plan changes no id.

use std::collections::BTreeMap;

use graphshell_sync::{DeviceId, NodeId, WorkspaceId};
use uuid::{Builder, Uuid};

use super::{Edit, Plan};

/// The id of the node that a plan calls `name`.
pub fn node_id(name: &str) -> NodeId {
    NodeId(uuid("graphshell-sim 1 node", name))
}

/// The public key of the device that a plan calls `name`.
pub fn device_id(name: &str) -> DeviceId {
    DeviceId(blake3::derive_key("graphshell-sim 1 device", name.as_bytes()))
}

/// The workspace that all peers of a plan share.
pub fn workspace_id() -> WorkspaceId {
    WorkspaceId(uuid("graphshell-sim 1 workspace", ""))
}

fn uuid(context: &'static str, name: &str) -> Uuid {
    let hash = blake3::derive_key(context, name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

impl Plan {
    /// The peer's place in [`peers`](Plan::peers).
    pub fn peer_index(&self, name: &str) -> Option<usize> {
        self.peers.iter().position(|peer| peer.name == name)
    }

    /// Every node that an edit of the plan names, by its id.
    pub fn node_names(&self) -> BTreeMap<NodeId, String> {
        let mut names = BTreeMap::new();
        let mut note = |edits: &[Edit]| {
            for name in edits.iter().flat_map(Edit::nodes) {
                names.entry(node_id(name)).or_insert_with(|| name.to_owned());
            }
        };
        self.peers.iter().for_each(|peer| note(&peer.legacy));
        self.steps
            .iter()
            .filter_map(|step| step.action.edits())
            .for_each(|(_, edits)| note(&edits));
        names
    }
}

/// Bytes as lowercase hexadecimal text.
pub(super) mod hex {
    use data_encoding::HEXLOWER;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in super::super) fn serialize<S: Serializer>(
        bytes: &[u8],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(bytes))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        HEXLOWER.decode(text.as_bytes()).map_err(|flaw| {
            D::Error::custom(format!(
                "payload_hex: {flaw}; expected pairs of lowercase hexadecimal digits"
            ))
        })
    }
}
