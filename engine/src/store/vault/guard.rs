//! What a database can do to its caller: fail, or panic over bytes that it never wrote.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::ports::StoreError;
use crate::store::medium::{Medium, Part};

/// The database did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A newer program wrote it: hands off.
    Newer(String),
    /// Somebody else has it open, or the disk has no room.
    Refused(String),
    /// The disk failed. What the file holds may be as good as ever.
    Failed(String),
    /// It cannot be used.
    Unusable(String),
}

impl<E: Into<redb::Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        let error = error.into();
        let text = error.to_string();
        match error {
            redb::Error::DatabaseAlreadyOpen => Trouble::Refused(text),
            redb::Error::Io(io) if no_room(io.kind()) => Trouble::Refused(text),
            // These are what redb says of a file that is no database, and of one that was cut.
            redb::Error::Io(io)
                if matches!(io.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
            {
                Trouble::Unusable(text)
            }
            redb::Error::Io(_) | redb::Error::PreviousIo => Trouble::Failed(text),
            redb::Error::UpgradeRequired(_) => Trouble::Newer(text),
            _ => Trouble::Unusable(text),
        }
    }
}

impl Trouble {
    /// The error of whoever wanted something of a medium's database.
    pub(super) fn of(self, medium: &impl Medium) -> StoreError {
        let text = self.text(medium);
        match self {
            Trouble::Newer(_) | Trouble::Refused(_) => StoreError::Refused(text),
            Trouble::Failed(_) | Trouble::Unusable(_) => StoreError::Failed(text),
        }
    }

    /// The error of whoever has written something already, so that only the next opening tells
    /// what came of it.
    pub(super) fn unknown(self, medium: &impl Medium) -> StoreError {
        StoreError::Failed(self.text(medium))
    }

    /// What is wrong, and with which file.
    pub(super) fn text(&self, medium: &impl Medium) -> String {
        let (Trouble::Newer(text)
        | Trouble::Refused(text)
        | Trouble::Failed(text)
        | Trouble::Unusable(text)) = self;
        format!("{}: {text}", medium.name_of(Part::State))
    }
}

fn no_room(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Does what may panic. Whoever catches one lets go of the database: no half-done work of it is
/// ever used.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(Trouble::Unusable(format!("the database panicked: {}", text.unwrap_or("?"))))
    })
}
