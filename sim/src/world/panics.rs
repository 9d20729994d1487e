//! A panic anywhere in a run fails the run, with where and why, and nothing is printed. Only what
//! a store makes of a damaged file is its own affair.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// `Some` while this thread runs a simulation: the panics since, in order.
    static CAUGHT: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Runs `f`; `Err` says where it panicked first, even if somebody caught that panic.
pub(crate) fn watch<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            let caught = CAUGHT.with_borrow_mut(|caught| match caught {
                Some(panics) => {
                    panics.push(info.to_string());
                    true
                }
                None => false,
            });
            if !caught {
                before(info);
            }
        }));
    });
    CAUGHT.set(Some(Vec::new()));
    let result = catch_unwind(AssertUnwindSafe(f));
    let panics = CAUGHT.take().unwrap_or_default();
    match (result, panics.into_iter().next()) {
        (Ok(value), None) => Ok(value),
        (_, Some(panic)) => Err(panic),
        (Err(_), None) => Err("it panicked without a message".to_owned()),
    }
}

/// Runs `f`, which may catch panics of its own; those count as none.
pub(crate) fn forgive<T>(f: impl FnOnce() -> T) -> T {
    let before = CAUGHT.with_borrow(|caught| caught.as_ref().map_or(0, Vec::len));
    let result = f();
    CAUGHT.with_borrow_mut(|caught| caught.iter_mut().for_each(|panics| panics.truncate(before)));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_panic_that_ended_within_is_forgiven() {
        assert_eq!(watch(|| forgive(|| catch_unwind(|| panic!("within")).is_err())), Ok(true));
        assert!(watch(|| forgive(|| panic!("out of it"))).unwrap_err().contains("out of it"));
    }

    #[test]
    fn panic_that_somebody_swallowed_is_found() {
        let swallowed = watch(|| {
            let _ = catch_unwind(|| panic!("swallowed"));
            1
        });
        assert!(swallowed.unwrap_err().contains("swallowed"));
        assert_eq!(watch(|| 1), Ok(1));
        assert!(watch(|| panic!("loud")).unwrap_err().contains("loud"));
    }
}
