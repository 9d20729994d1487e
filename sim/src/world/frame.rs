//! What the simulated network puts around the engine's frames.

use graphshell_sync::wire::{Reject, Request, Response};

/// Bytes of the header.
pub(crate) const HEADER_BYTES: usize = 25;

/// What is needed to route a frame and to find its fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Whether the frame answers the call, or opens it.
    pub(crate) answers: bool,
    /// The call, unique for the calling device over all of its lives.
    pub(crate) call: u64,
    /// When it was sent, in virtual milliseconds since the first tick.
    pub(crate) sent_ms: u64,
    /// Its number on its link.
    pub(crate) nth: u64,
}

impl Header {
    pub(crate) fn encode(self, body: &[u8]) -> Vec<u8> {
        let mut datagram = Vec::with_capacity(HEADER_BYTES + body.len());
        datagram.push(u8::from(self.answers));
        for number in [self.call, self.sent_ms, self.nth] {
            datagram.extend_from_slice(&number.to_le_bytes());
        }
        datagram.extend_from_slice(body);
        datagram
    }

    /// The header and the frame of a datagram that [`encode`](Self::encode) wrote.
    pub(crate) fn decode(datagram: &[u8]) -> (Header, &[u8]) {
        let (header, body) = datagram.split_at(HEADER_BYTES);
        let number = |index: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&header[1 + index * 8..][..8]);
            u64::from_le_bytes(bytes)
        };
        let answers = header[0] != 0;
        (Header { answers, call: number(0), sent_ms: number(1), nth: number(2) }, body)
    }
}

/// What is lost with a frame that matters more than others.
pub(crate) fn rarely_lost(frame: &[u8]) -> Option<&'static str> {
    // The second byte is the tag; see the engine's `wire`.
    match frame.get(1)? {
        3 => Some("pushes lost to a partition"),
        132 => Some("acknowledgements lost to a partition"),
        135 => Some("parts of snapshots lost"),
        _ => None,
    }
}

/// A request in a word or two.
pub(crate) fn request(request: &Request) -> String {
    match request {
        Request::Frontier(_) => "Frontier".to_owned(),
        Request::Pull(_) => "Pull".to_owned(),
        Request::Snapshot(request) => format!("Snapshot from {} on", request.offset),
        Request::Push(push) => format!("Push of {} entries", push.batch.len()),
    }
}

/// A response in a word or two.
pub(crate) fn response(response: &Response) -> String {
    match response {
        Response::InStep => "InStep".to_owned(),
        Response::Frontier { frontier, excluded } if excluded.is_empty() => {
            format!("Frontier of {} authors", frontier.rows().len())
        }
        Response::Frontier { frontier, excluded } => {
            let authors = frontier.rows().len();
            format!("Frontier of {authors} authors, {} quarantined", excluded.len())
        }
        Response::Batch { batch, more } => {
            let entries = batch.as_ref().map_or(0, |batch| batch.len());
            format!("Batch of {entries} entries{}", if *more { ", more to come" } else { "" })
        }
        Response::Durable { .. } => "Durable".to_owned(),
        Response::Published => "Published".to_owned(),
        Response::Snapshot(part) => {
            let (bytes, total) = (part.bytes.len(), part.total);
            format!("Snapshot, {bytes} of {total} bytes from {} on", part.offset)
        }
        Response::Refused(Reject::Malformed(reason)) => format!("Refused: malformed: {reason}"),
        Response::Refused(reject) => format!("Refused: {reject}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagram_reads_as_it_was_written() {
        let header = Header { answers: true, call: u64::MAX, sent_ms: 7, nth: 1 << 40 };
        let datagram = header.encode(b"body");
        assert_eq!(Header::decode(&datagram), (header, &b"body"[..]));
    }
}
