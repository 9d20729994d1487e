//! The minimising loop of delta debugging: smaller and smaller chunks are taken out.

use std::ops::{ControlFlow, Range};

/// Ways to take a chunk out, in order. Each is made when it is asked for: together they are as long as the
/// square of what is left.
pub(super) struct Ways<'a> {
    kept: &'a [usize],
    /// Where the first chunk begins.
    start: usize,
    size: usize,
}

impl Ways<'_> {
    pub(super) fn len(&self) -> usize {
        (self.kept.len() - self.start).div_ceil(self.size)
    }

    /// The items that would be left the `n`-th way.
    pub(super) fn nth(&self, n: usize) -> Vec<usize> {
        let Range { start, end } = self.chunk(n);
        self.kept[..start].iter().chain(&self.kept[end..]).copied().collect()
    }

    fn chunk(&self, n: usize) -> Range<usize> {
        let start = self.start + n * self.size;
        start..(start + self.size).min(self.kept.len())
    }
}

/// Takes out of `0..count` what it can. `remove` is offered ways to take out a chunk and says which was the
/// first that could be done, or breaks if none will be tried any more.
///
/// Ends when no single item can go (1-minimal), or at once when `remove` breaks. At most
/// `count * (count + 3) / 2` ways are tried, and about `2 * k * log2(count)` if `k` items must stay.
pub(super) fn minimise(
    count: usize,
    mut remove: impl FnMut(&Ways<'_>) -> ControlFlow<(), Option<usize>>,
) {
    let mut kept: Vec<usize> = (0..count).collect();
    let mut size = count;
    while size > 0 {
        let mut start = 0;
        let mut shrunk = false;
        while start < kept.len() {
            let ways = Ways { kept: &kept, start, size };
            let done = match remove(&ways) {
                ControlFlow::Break(()) => return,
                ControlFlow::Continue(None) => break,
                ControlFlow::Continue(Some(done)) => ways.chunk(done),
            };
            start = done.start;
            kept.drain(done);
            shrunk = true;
        }
        // What could not go before may go now that other items are gone.
        if size > 1 || !shrunk {
            size /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of `count` items if `needed` must all stay, and how many ways were tried.
    fn left(count: usize, needed: &[usize]) -> (Vec<usize>, usize) {
        let mut left: Vec<usize> = (0..count).collect();
        let mut tried = 0;
        minimise(count, |ways| {
            let fits = |way: &Vec<usize>| needed.iter().all(|item| way.contains(item));
            let found = (0..ways.len()).position(|n| fits(&ways.nth(n)));
            tried += found.map_or(ways.len(), |at| at + 1);
            if let Some(at) = found {
                left = ways.nth(at);
            }
            ControlFlow::Continue(found)
        });
        (left, tried)
    }

    #[test]
    fn exactly_what_is_needed_is_left() {
        for needed in [&[][..], &[0], &[63], &[3, 17, 40], &[0, 1, 2, 3, 62, 63]] {
            assert_eq!(left(64, needed).0, needed);
        }
        assert_eq!(left(0, &[]).0, [0; 0]);
    }

    #[test]
    fn few_needed_items_are_found_in_few_ways() {
        let (_, tried) = left(1024, &[500, 700]);
        assert!(tried < 100, "{tried}");
    }

    #[test]
    fn what_can_go_only_after_something_else_goes() {
        // 5 may go only when 9 is gone.
        let mut left: Vec<usize> = (0..10).collect();
        minimise(10, |ways| {
            let fits = |way: &Vec<usize>| {
                way.contains(&2)
                    && (way.contains(&5) || !way.contains(&9))
                    && way.len() + 1 == left.len()
            };
            let found = (0..ways.len()).map(|n| ways.nth(n)).position(|way| fits(&way));
            if let Some(found) = found {
                left = ways.nth(found);
            }
            ControlFlow::Continue(found)
        });
        assert_eq!(left, [2]);
    }

    #[test]
    fn it_ends_with_the_first_break() {
        let mut calls = 0;
        minimise(64, |ways| {
            calls += 1;
            match calls {
                1 => ControlFlow::Continue(None),
                2 => ControlFlow::Continue(Some(ways.len() - 1)),
                _ => ControlFlow::Break(()),
            }
        });
        assert_eq!(calls, 3);
    }

    #[test]
    fn ways_cost_nothing_until_one_is_asked_for() {
        // All of them would be ten thousand million items.
        minimise(100_000, |ways| match ways.size {
            1 => {
                assert_eq!((ways.len(), ways.nth(99_999).len()), (100_000, 99_999));
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(None),
        });
    }
}
