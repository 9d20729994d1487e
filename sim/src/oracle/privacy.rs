//! No byte of a workspace leaves for a device that its user does not share it with, and what is not
//! content carries none. Nothing is taken from a device that may only read.
//!
//! A refusal that says nothing but that there is nothing for you may go to anybody. What is judged is
//! every frame as it is sent, by the consents that the sender's own disk holds.

use graphshell_sync::Access;
use graphshell_sync::wire::{Reject, Request, Response};

use super::Finding;
use super::at_rest::AtRest;

const PROPERTY: &str = "no byte leaves without consent";

/// Judges a question that `peer` asks: it tells that the workspace is there, so nobody else may hear
/// it, and whoever may only read is not asked for what it has.
pub(crate) fn judge_request(
    peer: usize,
    to: usize,
    access: Access,
    request: &Request,
) -> Result<(), Finding> {
    match (access, request) {
        (Access::None, _) => {
            Err(finding(peer, to, "a request to a device that the workspace is not shared with"))
        }
        (Access::ReadOnly, Request::Pull(_) | Request::Snapshot(_)) => {
            Err(finding(peer, to, "a request for entries, though it may only read"))
        }
        _ => Ok(()),
    }
}

/// Judges what `peer` answers to entries of `from`, which may only read.
pub(crate) fn judge_taken(peer: usize, from: usize, response: &Response) -> Result<(), Finding> {
    match response {
        Response::Durable { .. } => {
            Err(finding(peer, from, "word that its entries are taken, though it may only read"))
        }
        _ => Ok(()),
    }
}

/// Judges an answer of `peer`.
pub(crate) fn judge_response(
    peer: usize,
    to: usize,
    shared: bool,
    response: &Response,
) -> Result<(), Finding> {
    let says_nothing = matches!(
        response,
        // What a frame does wrong, or that the workspace is being closed, is the same for any workspace.
        Response::Refused(
            Reject::NotShared | Reject::Unavailable | Reject::Malformed(_) | Reject::Version(_)
        )
    );
    if shared || says_nothing {
        return Ok(());
    }
    Err(finding(peer, to, "an answer to a device that the workspace is not shared with"))
}

/// Judges what a frame without entries says: nothing that a user wrote.
pub(crate) fn judge_text(
    peer: usize,
    to: usize,
    texts: &AtRest,
    content: bool,
    frame: &[u8],
) -> Result<(), Finding> {
    if content {
        return Ok(());
    }
    let Some(text) = texts.find(frame) else { return Ok(()) };
    Err(Finding {
        property: "texts travel in entries alone",
        peers: vec![peer, to],
        operations: Vec::new(),
        detail: format!("{text:?} in a frame that holds no entries"),
    })
}

/// Whether a request brings entries.
pub(crate) fn asks_with_content(request: &Request) -> bool {
    matches!(request, Request::Push(_))
}

/// Whether a response brings entries.
pub(crate) fn answers_with_content(response: &Response) -> bool {
    matches!(response, Response::Batch { batch: Some(_), .. } | Response::Snapshot(_))
}

fn finding(peer: usize, to: usize, what: &str) -> Finding {
    Finding {
        property: PROPERTY,
        peers: vec![peer, to],
        operations: Vec::new(),
        detail: format!("the first peer sends the second {what}"),
    }
}
