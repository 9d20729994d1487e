//! What another device may do with a workspace.

/// What the user of this device lets another device do with the workspace. Each side decides for
/// itself, and the receiver judges: what a device may not write is refused, whatever it says of itself.
/// Ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Nothing: it is not answered, and nothing is sent to it.
    None,
    /// It may ask and is told. Nothing is taken from it: no entries, no snapshot, and no word on
    /// forks.
    ReadOnly,
    /// All that this device may do.
    Full,
}

impl Access {
    /// The byte that stands for it wherever it is stored.
    pub(crate) fn byte(self) -> u8 {
        match self {
            Access::None => 0,
            Access::Full => 1,
            Access::ReadOnly => 2,
        }
    }

    /// What a stored byte stands for.
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Access::None, Access::Full, Access::ReadOnly]
            .into_iter()
            .find(|access| access.byte() == byte)
    }
}
