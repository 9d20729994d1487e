//! From an opened store to a core.

use futures_util::future::maybe_done;
use futures_util::poll;

use super::Ports;
use crate::api::{Config, Event, OpenError};
use crate::core::{Core, Replay, Replayed, Seeds};
use crate::id::Incarnation;
use crate::limits::REPLAY_RECORDS;
use crate::ports::{Entropy, Opened, SetAside, Store, Witness};

/// Opens the store and replays its log, from the snapshot if there is one, else from the base.
///
/// If the disk lost records that had been durable, what is left of them is made durable anew, as a
/// base, before this returns.
pub(super) async fn replay<P: Ports>(
    ports: &P,
    config: Config,
    first_receipt: u64,
) -> Result<Core, OpenError> {
    let Opened { base, snapshot, first, end, watermark, mut set_aside } =
        ports.store().open().await?;
    let witness = ports.witness().read().await?;
    let reached = [&base, &snapshot].into_iter().flatten().map(|taken| taken.position);
    let reached = reached.fold(watermark, u64::max);
    let (mut shortcut, newer) = match snapshot {
        Some(snapshot) if snapshot.position > end => (None, Some(snapshot)),
        snapshot => (snapshot, None),
    };
    let mut disowned = Vec::new();
    let mut replay = loop {
        let mut replay =
            Replay::new(config, seeds(ports.entropy()), first_receipt, disowned.clone());
        if let Some(taken) = &shortcut {
            // The log has everything: an unreadable snapshot costs time only.
            if replay.restore(taken).is_err() {
                shortcut = None;
                continue;
            }
        } else if let Some(base) = &base {
            replay.restore(base).map_err(|error| {
                let problem = format!("the base that the log stands on there: {error}");
                OpenError::Damaged { position: base.position, problem }
            })?;
        }
        match feed(ports, &mut replay, end).await? {
            Replayed::Further => break replay,
            Replayed::Again(known) => {
                disowned = known;
                shortcut = None;
            }
        }
    };
    let lost = reached > end;
    if lost && let Err(why) = replay.recover(end, newer.as_ref()) {
        set_aside.push(SetAside { name: "the last snapshot".to_owned(), why });
    }
    let mut core = replay.finish(witness);
    core.set_log_first(first);
    if lost {
        ports.store().rebase(core.new_base(), first).await?;
        core.event(Event::Lost { records: reached - end });
    }
    set_aside.into_iter().for_each(|file| core.event(Event::SetAside(file)));
    Ok(core)
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
    let mut bytes = [0; 80];
    entropy.fill(&mut bytes);
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let name = |at: usize| Incarnation(bytes[at..at + 16].try_into().expect("16 bytes"));
    Seeds {
        table: [number(0), number(8), number(16), number(24)],
        first: name(32),
        next: [name(48), name(64)],
    }
}
