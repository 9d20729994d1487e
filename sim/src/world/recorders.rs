//! Recordings of simulated peers, as a browser would make them: one for each life.
//!
//! A recorder changes nothing of a run; `tests/recordings.rs` compares the traces.

use std::cell::{Cell, RefCell};

use graphshell_sync::recording::Recorder;

use super::shared::World;

/// What was recorded of one life of one peer.
#[derive(Clone, Debug)]
pub struct LifeRecording {
    /// The peer's name.
    pub peer: String,
    /// Which of its lives, from 1.
    pub life: u64,
    /// The recording, or why there is none.
    pub bytes: Result<Vec<u8>, String>,
}

/// The recorders of one run.
#[derive(Default)]
pub(crate) struct Recorders {
    /// Each one's bound in bytes; 0 if nothing is recorded.
    most: Cell<usize>,
    /// By peer and life.
    lives: RefCell<Vec<(usize, u64, Recorder)>>,
}

impl Recorders {
    /// Lets every life from now on be recorded.
    pub(crate) fn record(&self, most: usize) {
        self.most.set(most);
    }

    /// The recorder of a life that begins, if it is recorded.
    pub(crate) fn begin(&self, peer: usize, life: u64) -> Option<Recorder> {
        let most = Some(self.most.get()).filter(|&most| most > 0)?;
        let recorder = Recorder::new(most);
        self.lives.borrow_mut().push((peer, life, recorder.clone()));
        Some(recorder)
    }

    /// All that was recorded, in the order in which lives began.
    pub(crate) fn finish(&self, world: &World) -> Vec<LifeRecording> {
        let lives = self.lives.take().into_iter();
        let saved = lives.map(|(peer, life, recorder)| LifeRecording {
            peer: world.peer(peer).name.clone(),
            life,
            bytes: recorder.recording().map_err(|error| error.to_string()),
        });
        saved.collect()
    }
}
