//! Makes an explanation small enough for a page: leaves out what matters least, and says what.
//!
//! What led to the failure is never left out. Causes that lead through what is left out lead past it,
//! so that the past of an event stays whole.

use std::collections::{BTreeMap, BTreeSet};

use super::Explanation;
use super::causes::Cause;
use super::events::EventKind;
use super::spans::SpanKind;

/// Peers whose graphs are kept when not all can be.
const MOST_GRAPHS: usize = 4;

/// What is left out, in words, and how.
type Cut = (&'static str, fn(&mut Explanation));

/// From what matters least on; each goes on from the one before.
pub(super) const CUTS: &[Cut] = &[
    ("what repeats other events, and what was before the plan began", |explanation| {
        explanation.spans.retain(|span| span.kind != SpanKind::Round);
        explanation.keep(|explanation, place| {
            let event = &explanation.events[place];
            !event.minor && !event.set_up
        });
    }),
    ("how far a device was, at each frame and merge", |explanation| {
        explanation.frames.iter_mut().for_each(|frame| frame.told.clear());
        explanation.views.iter_mut().for_each(|view| view.applied.clear());
    }),
    ("frames without entries, rounds, and when disks were written", |explanation| {
        explanation.spans.retain(|span| span.kind != SpanKind::Write);
        explanation.keep(|explanation, place| {
            let event = &explanation.events[place];
            let empty = |frame: usize| explanation.frames[frame].entries.is_empty();
            event.kind != EventKind::Round && !event.frame.is_some_and(empty)
        });
    }),
    ("the graphs of all but a few devices", |explanation| {
        let mut shown: BTreeSet<usize> = explanation.verdict.peers.iter().copied().collect();
        for view in &explanation.views {
            if shown.len() < MOST_GRAPHS {
                shown.insert(view.peer);
            }
        }
        explanation.keep_views(&shown);
    }),
    ("all frames that did not lead to a failure", |explanation| {
        explanation.keep(|explanation, place| explanation.events[place].frame.is_none());
    }),
    ("merges", |explanation| {
        explanation.keep(|explanation, place| {
            let event = &explanation.events[place];
            event.kind != EventKind::View || event.view.is_some()
        });
    }),
    ("all but edits and what led to a failure", |explanation| {
        explanation.keep_views(&BTreeSet::new());
        explanation.spans.clear();
        explanation.keep(|explanation, place| {
            let kind = explanation.events[place].kind;
            [EventKind::Edit, EventKind::Heal].contains(&kind)
        });
    }),
];

impl Explanation {
    /// Keeps the events that are `wanted`, those that led to the failure, and all events of a frame
    /// of which one is kept.
    fn keep(&mut self, wanted: impl Fn(&Self, usize) -> bool) {
        let mut kept: Vec<bool> = (0..self.events.len()).map(|place| wanted(self, place)).collect();
        let since = self.findings.wrong_since.iter().map(|since| since.event);
        for place in self.slice.iter().copied().chain(since).chain(self.verdict.event) {
            kept[place] = true;
        }
        for frame in &self.frames {
            let ends = frame.arrived.iter().copied().chain(frame.lost).chain([frame.sent]);
            if ends.clone().any(|end| kept[end]) {
                ends.for_each(|end| kept[end] = true);
            }
        }
        // Each view is told where its event was, or where the next one of that peer is.
        let mut last: BTreeMap<usize, usize> = BTreeMap::new();
        for view in &self.views {
            last.insert(view.peer, view.event);
        }
        last.into_values().for_each(|event| kept[event] = true);
        let places: Vec<Option<usize>> = kept
            .iter()
            .scan(0, |next, &kept| {
                *next += usize::from(kept);
                Some(kept.then(|| *next - 1))
            })
            .collect();
        self.lead_past(&kept);
        self.merge_views(&kept);
        self.renumber(&places);
    }

    /// Lets causes lead past events that are not kept. A cause is told before what it leads to.
    fn lead_past(&mut self, kept: &[bool]) {
        for place in 0..self.events.len() {
            let mut causes: BTreeMap<usize, Option<BTreeSet<usize>>> = BTreeMap::new();
            let mut lead = |event: usize, entries: Option<BTreeSet<usize>>| {
                let known = causes.entry(event).or_insert_with(|| Some(BTreeSet::new()));
                match entries {
                    Some(entries) => known.iter_mut().for_each(|known| known.extend(&entries)),
                    None => *known = None,
                }
            };
            let all = |cause: &Cause| {
                (!cause.entries.is_empty()).then(|| cause.entries.iter().copied().collect())
            };
            for cause in &self.events[place].causes {
                let entries: Option<BTreeSet<usize>> = all(cause);
                if kept[cause.event] {
                    lead(cause.event, entries);
                    continue;
                }
                for before in &self.events[cause.event].causes {
                    match (&entries, all(before)) {
                        (Some(one), Some(other)) if one.is_disjoint(&other) => {}
                        (Some(one), Some(other)) => {
                            lead(before.event, Some(one.intersection(&other).copied().collect()));
                        }
                        (None, other) => lead(before.event, other),
                        (one, None) => lead(before.event, one.clone()),
                    }
                }
            }
            let cause = |(event, entries): (usize, Option<BTreeSet<usize>>)| Cause {
                event,
                entries: entries.into_iter().flatten().collect(),
            };
            self.events[place].causes = causes.into_iter().map(cause).collect();
        }
    }

    /// Adds each view whose event is not kept to the next one of its peer.
    fn merge_views(&mut self, kept: &[bool]) {
        let mut waiting = BTreeMap::new();
        let mut views = Vec::new();
        for mut view in std::mem::take(&mut self.views) {
            if let Some(before) = waiting.remove(&view.peer) {
                view.follow(before);
            }
            if kept[view.event] {
                self.events[view.event].view = Some(views.len());
                views.push(view);
            } else {
                waiting.insert(view.peer, view);
            }
        }
        self.views = views;
    }

    /// Keeps the views of these peers.
    fn keep_views(&mut self, peers: &BTreeSet<usize>) {
        self.views.retain(|view| peers.contains(&view.peer));
        self.events.iter_mut().for_each(|event| event.view = None);
        for (place, view) in self.views.iter().enumerate() {
            self.events[view.event].view = Some(place);
        }
    }

    /// Takes out the events that have no place any more, and the frames that were about them.
    fn renumber(&mut self, places: &[Option<usize>]) {
        let to = |place: usize| places[place];
        let mut frames: Vec<Option<usize>> = Vec::new();
        let mut left = 0;
        self.frames.retain_mut(|frame| {
            let sent = to(frame.sent);
            frames.push(sent.map(|_| left));
            let Some(sent) = sent else { return false };
            left += 1;
            frame.sent = sent;
            frame.arrived = frame.arrived.iter().filter_map(|&event| to(event)).collect();
            frame.lost = frame.lost.and_then(to);
            true
        });
        let mut place = 0;
        self.events.retain_mut(|event| {
            place += 1;
            if to(place - 1).is_none() {
                return false;
            }
            event.frame = event.frame.and_then(|frame| frames[frame]);
            event.causes.retain_mut(|cause| {
                let kept = to(cause.event);
                cause.event = kept.unwrap_or(cause.event);
                kept.is_some()
            });
            true
        });
        let kept = |place: &mut usize| to(*place).map(|now| *place = now).is_some();
        self.slice.retain_mut(kept);
        self.findings.wrong_since.retain_mut(|since| kept(&mut since.event));
        self.views.retain_mut(|view| kept(&mut view.event));
        self.verdict.event = self.verdict.event.and_then(to);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{About, page};
    use super::*;
    use crate::generate::{Shape, plan};
    use crate::plan::{Expectation, Fact};
    use crate::world::{Options, run};

    fn failing() -> Explanation {
        let mut plan = plan(1, &Shape { edits: 60, ..Shape::default() });
        let that = vec![Fact::NodeCount { count: 1_000_000 }];
        plan.expect.push(Expectation { at: Vec::new(), that });
        let run = run(&plan, &Options { keep_events: true, keep_marks: true });
        let (title, replay) = ("a run".to_owned(), "cargo sim replay".to_owned());
        Explanation::new(&plan, &run, About { title, replay, shrink: None, recorded: false })
    }

    #[test]
    fn a_page_leaves_out_as_much_as_it_must_and_says_what() {
        let whole = failing();
        let super::super::Page { html, left_out } = page::fitted(&whole, usize::MAX);
        assert!(left_out.is_empty() && !html.contains("left_out\""));
        let mut before = html.len();
        for (nth, (what, _)) in CUTS.iter().enumerate() {
            let page = page::fitted(&whole, before - 1);
            assert_eq!(page.left_out.last(), Some(what));
            assert_eq!(page.left_out.len(), nth + 1);
            assert!(page.html.len() < before && page.html.contains(what), "{what}");
            before = page.html.len();
        }
    }

    #[test]
    fn whatever_is_left_out_the_failure_and_what_led_to_it_stay() {
        let whole = failing();
        let labels = |explanation: &Explanation| -> Vec<String> {
            let slice = explanation.slice.iter();
            slice.map(|&place| explanation.events[place].label.clone()).collect()
        };
        let mut smaller = whole.clone();
        for (_, cut) in CUTS {
            cut(&mut smaller);
            assert_eq!(labels(&smaller), labels(&whole));
            let failed = smaller.verdict.event.unwrap();
            assert_eq!(smaller.events[failed].kind, EventKind::Fail);
            for (place, event) in smaller.events.iter().enumerate() {
                assert!(event.causes.iter().all(|cause| cause.event < place));
                let view = event.view.map(|view| smaller.views[view].event);
                assert!(view.is_none_or(|event| event == place));
                let frame = event.frame.map(|frame| &smaller.frames[frame]);
                assert!(frame.is_none_or(|frame| {
                    frame.sent == place
                        || frame.arrived.contains(&place)
                        || frame.lost == Some(place)
                }));
            }
        }
        assert!(smaller.events.len() < whole.events.len());
    }
}
