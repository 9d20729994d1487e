//! What the inviter needs of the program around it.

use std::future::Future;

use iroh::EndpointAddr;

use super::error::PairingError;
use super::fingerprint::Fingerprint;
use super::name::DeviceName;
use crate::access::Access;
use crate::device_key::Lineage;
use crate::id::{DeviceId, WorkspaceId};
use crate::ports::Clock;
use crate::system::SystemClock;

/// Another device that wants to pair and has proven that it knows the ticket: what a user decides on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Its key.
    pub device: DeviceId,
    /// What it calls itself. Anybody may take any name.
    pub name: DeviceName,
    /// To be compared with what the other device shows; if it differs, to be declined.
    pub fingerprint: Fingerprint,
    /// The workspace that is to be shared.
    pub workspace: WorkspaceId,
    /// What the joiner is to be allowed.
    pub access: Access,
}

/// Two devices that both users want to pair. Nothing is shared by that alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paired {
    /// The other device.
    pub device: DeviceId,
    /// What it calls itself.
    pub name: DeviceName,
    /// Where it can be reached.
    pub address: EndpointAddr,
    /// The workspace that is to be shared.
    pub workspace: WorkspaceId,
    /// What the inviter lets the joiner do. What the joiner lets the inviter do is for its own user
    /// to say.
    pub access: Access,
}

/// The program around an [`Inviter`](super::Inviter).
pub trait Host: Send + Sync + 'static {
    /// Shows the introduction to the user, and says whether to pair. Dropped if the other device
    /// goes away or time is up.
    fn confirm(&self, introduction: &Introduction) -> impl Future<Output = bool> + Send;

    /// Both users said yes: records the consent, durably. The joiner is told that it is done after
    /// that.
    ///
    /// # Errors
    /// Says why it could not be recorded; the joiner is told only that it was not.
    fn paired(&self, paired: &Paired) -> impl Future<Output = Result<(), String>> + Send;

    /// A device proves that its key was changed: moves what the earlier keys were allowed to the new
    /// one, durably (see [`Workspace::follow`](crate::Workspace::follow)), and says whether any of
    /// them was allowed anything, or the new one is already. To be idempotent: a device that got no
    /// answer comes again. No user is asked.
    ///
    /// # Errors
    /// Says why it could not be recorded.
    fn succeeded(&self, lineage: &Lineage) -> impl Future<Output = Result<bool, String>> + Send;

    /// An attempt of `device` came to nothing; for logs and for the user.
    fn failed(&self, device: DeviceId, error: &PairingError) {
        let _ = (device, error);
    }

    /// Unix time in milliseconds, by which invitations expire.
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms()
    }
}
