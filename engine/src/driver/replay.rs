//! From an opened store to a core.

use futures_util::future::maybe_done;
use futures_util::poll;

use super::Ports;
use crate::api::{Config, OpenError};
use crate::core::{Core, Replay, Replayed, Seeds};
use crate::id::Incarnation;
use crate::limits::REPLAY_RECORDS;
use crate::ports::{Entropy, Opened, Store, Witness};

/// Opens the store and replays its log, from the snapshot if there is one.
pub(super) async fn replay<P: Ports>(
    ports: &P,
    config: Config,
    first_receipt: u64,
) -> Result<Core, OpenError> {
    let Opened { mut snapshot, end, .. } = ports.store().open().await?;
    let witness = ports.witness().read().await?;
    let mut disowned = Vec::new();
    loop {
        let mut replay =
            Replay::new(config, seeds(ports.entropy()), first_receipt, disowned.clone());
        // The log has everything: an unreadable snapshot costs time only.
        if let Some(taken) = &snapshot
            && replay.restore(taken).is_err()
        {
            snapshot = None;
            continue;
        }
        match feed(ports, &mut replay, end).await? {
            Replayed::Further => return Ok(replay.finish(witness)),
            Replayed::Again(known) => {
                disowned = known;
                snapshot = None;
            }
        }
    }
}

async fn feed<P: Ports>(ports: &P, replay: &mut Replay, end: u64) -> Result<Replayed, OpenError> {
    let load = |first: u64| {
        let last = end.min(first + REPLAY_RECORDS);
        (last, Box::pin(maybe_done(ports.store().load((first..last).collect()))))
    };
    let mut next = (replay.position() < end).then(|| load(replay.position()));
    while let Some((last, mut loading)) = next.take() {
        loading.as_mut().await;
        let records = loading.as_mut().take_output().expect("it was waited for")?;
        if last < end {
            // Begins now, so that a store that waits elsewhere loads while these are merged.
            let mut ahead = load(last);
            let _ = poll!(ahead.1.as_mut());
            next = Some(ahead);
        }
        for record in records {
            let again = replay.record(record)?;
            if matches!(again, Replayed::Again(_)) {
                return Ok(again);
            }
        }
        if replay.position() != last {
            let problem = "the store returned fewer records than it has".to_owned();
            return Err(OpenError::Damaged { position: replay.position(), problem });
        }
    }
    Ok(Replayed::Further)
}

fn seeds<E: Entropy>(entropy: &E) -> Seeds {
    let mut bytes = [0; 64];
    entropy.fill(&mut bytes);
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let name = |at: usize| Incarnation(bytes[at..at + 16].try_into().expect("16 bytes"));
    Seeds { table: [number(0), number(8), number(16), number(24)], first: name(32), next: name(48) }
}
