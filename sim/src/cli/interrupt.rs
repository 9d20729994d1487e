//! The first interrupt lets long work end after what is running, the second ends it at once.
//!
//! A request to terminate is an interrupt too: it is how clusters end a pod and CI servers a job. With a
//! handler it reaches also a program that is the first of its container.

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
