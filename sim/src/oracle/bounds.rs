//! What is sent, and what is kept for later, keeps within the engine's own bounds.

use graphshell_sync::limits::{MAX_FRAME_BYTES, MAX_IN_STEP_BYTES, MAX_PARKED_BATCHES};

use super::Finding;

/// Judges the length of a frame that `peer` is about to send.
pub(crate) fn judge_frame(peer: usize, bytes: usize) -> Result<(), Finding> {
    if bytes <= MAX_FRAME_BYTES {
        return Ok(());
    }
    Err(exceeded(peer, format!("a frame has {bytes} bytes, at most {MAX_FRAME_BYTES} are allowed")))
}

/// Judges a round trip of two sides that are in step, whatever the answer says; `bytes` are those of
/// both frames.
pub(crate) fn judge_in_step(peer: usize, bytes: usize) -> Result<(), Finding> {
    if bytes <= MAX_IN_STEP_BYTES {
        return Ok(());
    }
    Err(exceeded(
        peer,
        format!("a round in step took {bytes} bytes, at most {MAX_IN_STEP_BYTES} are allowed"),
    ))
}

/// Judges how many entries `peer` answers to somebody who takes at most `most`; one it may be always.
pub(crate) fn judge_batch(peer: usize, entries: usize, most: usize) -> Result<(), Finding> {
    if entries <= most.max(1) {
        return Ok(());
    }
    Err(exceeded(peer, format!("a batch has {entries} entries, at most {most} were asked for")))
}

/// Judges how many batches `peer` keeps that came before their causes.
pub(crate) fn judge_waiting(peer: usize, batches: usize) -> Result<(), Finding> {
    if batches <= MAX_PARKED_BATCHES {
        return Ok(());
    }
    Err(exceeded(
        peer,
        format!("{batches} batches wait for their causes, at most {MAX_PARKED_BATCHES} may"),
    ))
}

fn exceeded(peer: usize, detail: String) -> Finding {
    Finding { property: "bounds hold", peers: vec![peer], operations: Vec::new(), detail }
}
