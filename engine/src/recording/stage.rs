//! The stage: does the steps of a recording to a core.

use std::borrow::Cow;

use super::mark::Mark;
use super::opening::Opening;
use super::step::Step;
use crate::api::{Config, OpenError};
use crate::core::{Core, Output, Rebuild};

/// A core, and what is known of the one that is to take its place.
#[derive(Debug)]
pub(super) struct Stage {
    config: Config,
    core: Option<Core>,
    opening: Opening,
    /// Why the core is used up.
    why: Option<Rebuild>,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Done {
    /// It gave nothing by itself.
    Nothing,
    /// It gave this.
    Gave(Mark),
    /// The workspace did not open.
    NotOpened(OpenError),
    /// It opened, although it did not when it was recorded.
    Opened,
    /// The image is not the one that the core would have made.
    OtherImage,
    /// It makes no sense here: there is no core that it could be done to, or the image is none.
    Senseless(&'static str),
}

impl Stage {
    pub(super) fn new(config: Config) -> Stage {
        Stage { config, core: None, opening: Opening::default(), why: None }
    }

    pub(super) fn core(&self) -> Option<&Core> {
        self.core.as_ref()
    }

    pub(super) fn core_mut(&mut self) -> Option<&mut Core> {
        self.core.as_mut()
    }

    /// A part begins that does not go on where the one before ends.
    pub(super) fn leave(&mut self) {
        *self = Stage::new(self.config);
    }

    /// The core's next output.
    pub(super) fn poll(&mut self) -> Option<Output> {
        let output = self.core.as_mut()?.poll_output();
        if let Some(Output::Rebuild(why)) = &output {
            self.why = Some(why.clone());
        }
        output
    }

    /// Asks the core for as many outputs as were recorded, after what it `gave` by itself. Returns
    /// all marks, and the outputs.
    pub(super) fn give(
        &mut self,
        gave: Option<Mark>,
        recorded: &[Mark],
    ) -> (Vec<Mark>, Vec<Output>) {
        let asked = recorded.iter().filter(|mark| !mark.kind.is_unasked()).count();
        let (mut marks, mut outputs) = (Vec::from_iter(gave), Vec::new());
        for _ in 0..asked {
            let output = self.poll();
            marks.push(Mark::of_output(output.as_ref()));
            outputs.extend(output);
        }
        (marks, outputs)
    }

    /// Does a step.
    pub(super) fn perform(&mut self, step: Step<'static>) -> Done {
        let Some(step) = self.opening.take(step) else { return Done::Nothing };
        match step {
            Step::Began => return self.begin(),
            Step::NotOpened => {
                let opening = std::mem::take(&mut self.opening);
                return match opening.open(self.config, 0) {
                    Ok(_) => Done::Opened,
                    Err(error) => Done::NotOpened(error),
                };
            }
            Step::Image(image) => return self.take_image(&image),
            _ => {}
        }
        let Some(core) = &mut self.core else {
            return Done::Senseless("an opening or an image before anything else");
        };
        let one = |result: Result<_, _>| Mark::of_edit(result.as_ref().map(std::slice::from_ref));
        match step {
            Step::Edit { now_ms, operations } => Done::Gave(one(core.edit(now_ms, &operations))),
            Step::Resolve { now_ms, conflict, resolution } => {
                Done::Gave(one(core.resolve(now_ms, conflict, &resolution)))
            }
            Step::Share { device, access } => Done::Gave(one(core.share_with(device, access))),
            Step::Import(operations) => {
                Done::Gave(Mark::of_edit(core.import(&operations).as_deref()))
            }
            Step::Input(input) => {
                core.handle(Cow::into_owned(input));
                Done::Nothing
            }
            Step::Looked => {
                core.settle_view();
                Done::Nothing
            }
            Step::WantSnapshot => {
                core.want_checkpoint();
                Done::Nothing
            }
            Step::WantCompaction => {
                core.want_compaction();
                Done::Nothing
            }
            // Compared, not done; the others were done above.
            _ => Done::Nothing,
        }
    }

    fn begin(&mut self) -> Done {
        let opening = std::mem::take(&mut self.opening);
        let first_receipt = self.core.as_ref().map_or(0, Core::next_receipt);
        let mut next = match opening.open(self.config, first_receipt) {
            Ok(core) => core,
            Err(error) => return Done::NotOpened(error),
        };
        if let Some(old) = self.core.take() {
            let Some(why) = self.why.take() else {
                return Done::Senseless("a core that is used up before another takes its place");
            };
            next.succeed(old, &why);
        }
        let mark = Mark::of_core(&next);
        self.core = Some(next);
        Done::Gave(mark)
    }

    fn take_image(&mut self, image: &[u8]) -> Done {
        let same = self.core.as_ref().is_none_or(|core| core.at_rest() && core.image() == image);
        match Core::from_image(self.config, image) {
            Ok(core) => self.core = Some(core),
            Err(_) => return Done::Senseless("an image of a core"),
        }
        if same { Done::Nothing } else { Done::OtherImage }
    }
}
