//! A disagreement in words, with the commands that settle it.

use graphshell_sync::ConflictKind;

use super::style;
use crate::item::{Act, Conflict};
use crate::profile::short;
use crate::text::{ago, clean, counted, grouped, moment};

/// Lines that say what a conflict is about: indentation and text.
pub(super) fn lines(conflict: &Conflict) -> Vec<(usize, String)> {
    let id = short(&conflict.id.to_string());
    let page = clean(&conflict.page.label);
    let mut lines = Vec::new();
    let head = match conflict.kind {
        ConflictKind::DeleteVsUpdate => {
            format!("{page:?} was deleted, and changed by somebody who had not seen that.")
        }
        ConflictKind::ConcurrentStructuralChange => {
            format!(
                "{page:?} was deleted, and linked or visited by somebody who had not seen that."
            )
        }
        ConflictKind::ConcurrentEdgeTypes => {
            let to = conflict.to.as_ref().map(|to| clean(&to.label)).unwrap_or_default();
            format!("{page:?} and {to:?} were linked in different ways at the same time.")
        }
    };
    lines.push((0, format!("{}  {head}", style::strong(&id))));
    for removal in &conflict.removals {
        lines.push((2, format!("{} deleted it {}", who(removal), when(removal))));
    }
    if conflict.more_removals > 0 {
        lines.push((2, format!("and {} more deleted it", grouped(conflict.more_removals))));
    }
    for claim in &conflict.claims {
        let what = clean(&claim.what);
        let number = if claim.value { format!("{}. ", claim.number) } else { String::new() };
        lines.push((2, format!("{number}{} {what} {}", who(&claim.act), when(&claim.act))));
    }
    if conflict.more_claims > 0 {
        let more = counted(conflict.more_claims, "more change", "more changes");
        lines.push((2, format!("and {more}")));
    }
    let command = |choice: &str| format!("graphshell-peer resolve {id} {choice}");
    let mut choice = |choice: &str, means: &str| {
        lines.push((2, format!("{}   {means}", style::good(&command(choice)))));
    };
    match conflict.kind {
        ConflictKind::DeleteVsUpdate | ConflictKind::ConcurrentStructuralChange => {
            choice("delete", "it stays deleted, as it is now");
            choice("restore", "it comes back as it was changed last");
            if conflict.claims.iter().filter(|claim| claim.value).count() > 1 {
                choice(
                    "restore=1",
                    "it comes back with the change of this number, or of several (1,2)",
                );
            }
        }
        ConflictKind::ConcurrentEdgeTypes => {
            choice("both", "both links stay, as they are now");
            choice("hyperlink", "only this link stays; or history, or group");
        }
    }
    lines
}

fn who(act: &Act) -> String {
    match act.own {
        true => "You".to_owned(),
        false => clean(&act.by),
    }
}

fn when(act: &Act) -> String {
    match act.at_ms {
        0 => "long ago".to_owned(),
        at_ms => format!("{} ({})", ago(at_ms), moment(at_ms)),
    }
}
