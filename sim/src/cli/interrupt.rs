//! The first interrupt lets long work end after what is running, the second ends it at once.

use std::sync::atomic::{AtomicBool, Ordering};

use super::exit::Exit;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Begins to listen; to be called once.
pub(crate) fn listen() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted.code().into());
        }
    })
}

/// Whether there was an interrupt.
pub(crate) fn seen() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
