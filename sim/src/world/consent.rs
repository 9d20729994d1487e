//! With whom a peer's user shares the workspace: everybody at the start, and as the plan says.

use std::time::Duration;

use graphshell_sync::{Access, EditError, Outcome, Receipt};
use tokio::time::sleep;

use super::user::User;

/// After how long a user tries again what the store refused, in virtual milliseconds.
pub(super) const RETRY_MS: u64 = 50;

impl User<'_> {
    /// Imports the legacy log and shares the workspace with everybody, durably; what the store
    /// refuses is tried again.
    pub(super) async fn set_up(&self) {
        loop {
            let mut refused = false;
            for receipt in self.import_legacy() {
                refused |= matches!(self.workspace.settled(receipt).await, Outcome::Refused(_));
            }
            let without_late = self.world.healed_ms.get().is_none();
            if self.share_with_all(without_late).await && !refused {
                return;
            }
            sleep(Duration::from_millis(RETRY_MS)).await;
        }
    }

    /// Shares the workspace with everybody; what is not possible now is tried again.
    pub(super) async fn share_at_last(&self) {
        while !self.share_with_all(false).await {
            sleep(Duration::from_millis(RETRY_MS)).await;
        }
    }

    /// Shares the workspace with everybody, durably; the late are left out if that is wanted. Says
    /// whether that is done.
    async fn share_with_all(&self, without_late: bool) -> bool {
        let plan = &self.world.plan;
        let (me, healing) = (self.me, !without_late);
        let late = |peer: usize| {
            let peer = &plan.peers[peer];
            peer.stranger && !plan.peers[me].stranger || without_late && peer.late
        };
        if late(me) || healing && !plan.heals(me) {
            return true;
        }
        let others = (0..self.world.peers.len()).filter(|&other| other != self.me && !late(other));
        let lacking = || {
            let shared = self.workspace.shared_with();
            let too_little = move |access| healing && access == Access::ReadOnly;
            others.clone().filter(move |&other| {
                let access = shared.get(&self.world.peer(other).device);
                access.is_none_or(|&access| too_little(access))
            })
        };
        let receipts: Vec<_> = lacking().filter_map(|other| self.share_with(other)).collect();
        for receipt in receipts {
            self.workspace.settled(receipt).await;
        }
        lacking().next().is_none()
    }

    /// Shares the workspace with another peer.
    pub(super) fn share_with(&self, other: usize) -> Option<Receipt> {
        let device = self.world.peer(other).device;
        match self.workspace.share_with(device, Access::Full) {
            Ok(receipt) => Some(receipt),
            Err(EditError::Unavailable) => None,
            Err(error) => {
                let name = &self.world.peer(other).name;
                self.fail("consent is taken", format!("consent for {name}: {error}"));
                None
            }
        }
    }

    /// Lets another peer do nothing any more, or only read. If that is less than before, no more may leave
    /// for it, or be taken from it, from now on.
    pub(super) fn restrict(&self, other: usize, access: Access) {
        let (peer, other) = (self.world.peer(self.me), self.world.peer(other));
        let name = &other.name;
        let (told, count) = match access {
            Access::None => {
                (format!("shares the workspace with {name} no more"), "consents withdrawn")
            }
            _ => {
                let told = format!("shares the workspace with {name}, which may only read");
                (told, "consents lowered to reading")
            }
        };
        self.world.note(self.me, &told, &[]);
        let may = peer.access_of(other.device);
        if self.workspace.share_with(other.device, access).is_ok() {
            peer.lowering.borrow_mut().entry(other.device).or_default().push_back(access);
            peer.lowered.set(peer.lowered.get() + 1);
            self.world.count_many(count, u64::from(access < may));
        }
    }
}
