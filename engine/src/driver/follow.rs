//! A device that this workspace is shared with changes its key.

use super::{Ports, Workspace};
use crate::access::Access;
use crate::api::{EditError, Receipt};
use crate::device_key::Lineage;
use crate::id::DeviceId;

/// What a workspace made of a device's new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The new key is allowed what an earlier one was, and the earlier ones nothing any more, as soon
    /// as this receipt is durable.
    Moved(Receipt),
    /// The new key was allowed something before, and the earlier ones are not.
    Already,
    /// None of the keys is allowed anything here, or the succession is about another workspace.
    NotTrusted,
}

impl<P: Ports> Workspace<P> {
    /// Moves what the earlier keys of a device are allowed here to its new key. A device is
    /// followed once: an earlier key is allowed nothing afterwards.
    ///
    /// # Errors
    /// If the workspace is closed or its store failed.
    pub fn follow(&self, lineage: &Lineage) -> Result<Followed, EditError> {
        let new = lineage.device();
        // In one step, so that a consent which is taken back meanwhile is not given again.
        let id = self.shared.lock().config().workspace;
        if lineage.workspace().is_some_and(|workspace| workspace != id) {
            return Ok(Followed::NotTrusted);
        }
        self.change(|core| {
            let consents = core.look().consents();
            let access = |device: DeviceId| consents.get(&device).copied().unwrap_or(Access::None);
            let known = access(new) > Access::None;
            let earlier = lineage.earlier().iter().filter(|&&device| access(device) > Access::None);
            let earlier: Vec<_> = earlier.copied().map(|device| (device, access(device))).collect();
            let Some(most) = earlier.iter().map(|&(_, access)| access).max() else {
                return Ok(if known { Followed::Already } else { Followed::NotTrusted });
            };
            let mut receipt = None;
            if !known {
                receipt = Some(core.share_with(new, most)?);
            }
            for (device, _) in earlier {
                receipt = Some(core.share_with(device, Access::None)?);
            }
            Ok(receipt.map_or(Followed::Already, Followed::Moved))
        })
    }
}
