//! An invitation: the right to pair once, until some time.

use std::fmt;

use zeroize::Zeroizing;

use crate::access::Access;
use crate::id::WorkspaceId;

/// An invitation's name, drawn at random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvitationId(pub [u8; 16]);

impl fmt::Display for InvitationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for InvitationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What only the two devices of one pairing know.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub(super) Zeroizing<[u8; 32]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What an inviter offers, and to whoever knows the secret of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its name.
    pub id: InvitationId,
    /// The workspace that is to be shared.
    pub workspace: WorkspaceId,
    /// What the device that joins is to be allowed; never [`Access::None`].
    pub access: Access,
    /// When it ends, in unix milliseconds by the inviter's clock.
    pub expires_ms: u64,
    pub(super) secret: Secret,
}
