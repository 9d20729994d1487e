//! The first interrupt lets long work end after what is running, the second ends it at once.
//!
//! A request to terminate is an interrupt too: it is how clusters end a pod and CI servers a job. With a
//! handler it reaches also a program that is the first of its container.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::Error;
use super::exit::Exit;

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Begins to listen.
pub(crate) fn listen() -> Result<(), Error> {
    for signal in [SIGINT, SIGTERM] {
        // In this order: the second signal finds what the first has set.
        let ends = i32::from(Exit::Interrupted.code());
        flag::register_conditional_shutdown(signal, ends, Arc::clone(&INTERRUPTED))
            .and_then(|_| flag::register(signal, Arc::clone(&INTERRUPTED)))
            .map_err(Error::Interrupt)?;
    }
    Ok(())
}

/// Whether there was an interrupt.
pub(crate) fn seen() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
