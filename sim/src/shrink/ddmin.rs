//! The minimising loop of delta debugging: smaller and smaller chunks are taken out.

/// Takes out of `0..count` what it can. `remove` is offered ways to take out a chunk, in order, as
/// the items that would be left, and says which was the first that could be done.
///
/// Ends when no single item can go (1-minimal), or when `remove` stops agreeing. At most
/// `count * (count + 3) / 2` ways are tried, and about `2 * k * log2(count)` if `k` items must stay.
pub(super) fn minimise(count: usize, mut remove: impl FnMut(&[Vec<usize>]) -> Option<usize>) {
    let mut kept: Vec<usize> = (0..count).collect();
    let mut size = count;
    while size > 0 {
        let mut start = 0;
        let mut shrunk = false;
        while start < kept.len() {
            let starts: Vec<usize> = (start..kept.len()).step_by(size).collect();
            let without = |&at: &usize| {
                let end = (at + size).min(kept.len());
                kept[..at].iter().chain(&kept[end..]).copied().collect()
            };
            let ways: Vec<Vec<usize>> = starts.iter().map(without).collect();
            let Some(done) = remove(&ways) else { break };
            start = starts[done];
            kept.clone_from(&ways[done]);
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
            let found = ways.iter().position(fits);
            tried += found.map_or(ways.len(), |at| at + 1);
            if let Some(at) = found {
                left.clone_from(&ways[at]);
            }
            found
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
            let found = ways.iter().position(fits)?;
            left.clone_from(&ways[found]);
            Some(found)
        });
        assert_eq!(left, [2]);
    }
}
