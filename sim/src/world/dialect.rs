//! The version of the protocol that a peer speaks.
//!
//! A peer of another version is this same engine as it would be with another version number: frames
//! begin with its own, and it understands no others.

use graphshell_sync::ports::CallError;
use graphshell_sync::wire::{FrameError, PROTOCOL_VERSION, Reject, Request, Response};

/// A version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect(pub(crate) u8);

impl Dialect {
    /// A frame of this engine as this version writes it.
    pub(crate) fn spoken(self, mut frame: Vec<u8>) -> Vec<u8> {
        if let Some(version) = frame.first_mut() {
            *version = self.0;
        }
        frame
    }

    /// What a frame says to whoever speaks this version, or what to answer if that is nothing.
    pub(crate) fn request(self, frame: &[u8]) -> Result<Request, Reject> {
        self.read(frame, Request::decode).map_err(|error| match error {
            FrameError::Version { .. } => Reject::Version(self.0),
            error => error.into(),
        })
    }

    /// What a frame that answers a call says to whoever speaks this version.
    pub(crate) fn response(self, frame: &[u8]) -> Result<Response, CallError> {
        let heard = |frame: &[u8]| Ok::<_, FrameError>(Response::from_answer(frame));
        match self.read(frame, heard) {
            Ok(answer) => answer,
            Err(FrameError::Version { found }) => Ok(Response::Refused(Reject::Version(found))),
            Err(error) => Err(CallError::Nonsense(error.to_string())),
        }
    }

    /// Whether a frame is one in this version.
    pub(crate) fn understands(self, answers: bool, frame: &[u8]) -> bool {
        match answers {
            true => self.read(frame, Response::decode).is_ok(),
            false => self.read(frame, Request::decode).is_ok(),
        }
    }

    fn read<T>(
        self,
        frame: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, FrameError>,
    ) -> Result<T, FrameError> {
        match frame.first() {
            Some(&found) if found != self.0 && self.0 != PROTOCOL_VERSION => {
                Err(FrameError::Version { found })
            }
            Some(_) if self.0 != PROTOCOL_VERSION => {
                decode(&Dialect(PROTOCOL_VERSION).spoken(frame.to_vec()))
            }
            _ => decode(frame),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_understands_itself_and_names_the_others() {
        let ours = Response::InStep.encode();
        let (new, old) = (Dialect(PROTOCOL_VERSION + 1), Dialect(PROTOCOL_VERSION));
        let theirs = new.spoken(ours.clone());
        assert_eq!(new.response(&theirs), Ok(Response::InStep));
        let refused = |version| Ok(Response::Refused(Reject::Version(version)));
        assert_eq!(old.response(&theirs), refused(PROTOCOL_VERSION + 1));
        assert_eq!(new.response(&ours), refused(PROTOCOL_VERSION));
        assert_eq!(new.request(&ours), Err(Reject::Version(PROTOCOL_VERSION + 1)));
        assert_eq!(old.request(&theirs), Err(Reject::Version(PROTOCOL_VERSION)));
    }
}
