//! From an opened store to a core.

use std::borrow::Cow;

use futures_util::future::maybe_done;
use futures_util::poll;

use super::Ports;
use crate::api::{Config, Event, OpenError};
use crate::core::{Core, Replay, Replayed, Seeds};
use crate::id::Incarnation;
use crate::limits::REPLAY_RECORDS;
use crate::ports::{Clock, Entropy, Opened, SetAside, Store, Witness};
use crate::recording::{Recorder, Step};

/// Opens the store and replays its log, from the snapshot if there is one, else from the base.
///
/// If the disk lost records that had been durable, what is left of them is made durable anew, as a
/// base, before this returns. A recorder takes down all that the ports gave.
pub(crate) async fn open_core<P: Ports>(
    ports: &P,
    config: Config,
    first_receipt: u64,
    recorder: Option<&Recorder>,
) -> Result<Core, OpenError> {
    let opened = replay(ports, config, first_receipt, recorder).await;
    if opened.is_err() {
        note(ports, recorder, || Step::NotOpened);
    }
    opened
}

/// Takes down a step of the opening.
fn note<'a, P: Ports>(ports: &P, recorder: Option<&Recorder>, step: impl FnOnce() -> Step<'a>) {
    if let Some(recorder) = recorder {
        recorder.set_time(ports.clock().now_ms());
        recorder.step(&step());
    }
}

async fn replay<P: Ports>(
    ports: &P,
    config: Config,
    first_receipt: u64,
    recorder: Option<&Recorder>,
) -> Result<Core, OpenError> {
    let opened = ports.store().open().await;
    note(ports, recorder, || Step::Opened(Cow::Borrowed(&opened)));
    let Opened { base, snapshot, first, end, watermark, mut set_aside } = opened?;
    let witness = ports.witness().read().await;
    note(ports, recorder, || Step::Witnessed(witness.clone()));
    let witness = witness?;
    let reached = [&base, &snapshot].into_iter().flatten().map(|taken| taken.position);
    let reached = reached.fold(watermark, u64::max);
    let (mut shortcut, newer) = match snapshot {
        Some(snapshot) if snapshot.position > end => (None, Some(snapshot)),
        snapshot => (snapshot, None),
    };
    let mut disowned = Vec::new();
    let mut replay = loop {
        let mut drawn = [0; 64];
        ports.entropy().fill(&mut drawn);
        note(ports, recorder, || Step::Drawn(drawn));
        let mut replay = Replay::new(config, seeds(&drawn), first_receipt, disowned.clone());
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
        match feed(ports, &mut replay, end, recorder).await? {
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
        let written = ports.store().rebase(core.new_base(), first).await;
        note(ports, recorder, || Step::BaseWritten(written.clone()));
        written?;
        core.event(Event::Lost { records: reached - end });
    }
    set_aside.into_iter().for_each(|file| core.event(Event::SetAside(file)));
    Ok(core)
}

async fn feed<P: Ports>(
    ports: &P,
    replay: &mut Replay,
    end: u64,
    recorder: Option<&Recorder>,
) -> Result<Replayed, OpenError> {
    let load = |first: u64| {
        let last = end.min(first + REPLAY_RECORDS);
        (last, Box::pin(maybe_done(ports.store().load((first..last).collect()))))
    };
    let mut next = (replay.position() < end).then(|| load(replay.position()));
    while let Some((last, mut loading)) = next.take() {
        loading.as_mut().await;
        let records = loading.as_mut().take_output().expect("it was waited for");
        let first = replay.position();
        note(ports, recorder, || Step::Read { first, records: Cow::Borrowed(&records) });
        let records = records?;
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

fn seeds(bytes: &[u8; 64]) -> Seeds {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let name = |at: usize| Incarnation(bytes[at..at + 16].try_into().expect("16 bytes"));
    Seeds { table: [number(0), number(8), number(16), number(24)], first: name(32), next: name(48) }
}
