use proptest::prelude::*;

use super::*;
use crate::testing::{self, request, response};
use crate::vector::VersionVector;

proptest! {
    #[test]
    fn request_survives_the_wire(request in request()) {
        prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
    }

    #[test]
    fn response_survives_the_wire(response in response()) {
        prop_assert_eq!(Response::decode(&response.encode()), Ok(response));
    }

    #[test]
    fn no_frame_is_the_beginning_of_another(request in request(), response in response()) {
        let (request, response) = (request.encode(), response.encode());
        for length in 0..request.len() {
            prop_assert!(Request::decode(&request[..length]).is_err(), "request cut to {length}");
        }
        for length in 0..response.len() {
            prop_assert!(Response::decode(&response[..length]).is_err(), "response cut to {length}");
        }
    }

    #[test]
    fn request_is_never_taken_for_a_response(request in request(), response in response()) {
        prop_assert!(Response::decode(&request.encode()).is_err());
        prop_assert!(Request::decode(&response.encode()).is_err());
    }

    #[test]
    fn hostile_frame_is_refused_or_canonical(
        request in testing::hostile(request().prop_map(|request| request.encode())),
        response in testing::hostile(response().prop_map(|response| response.encode())),
    ) {
        if let Ok(decoded) = Request::decode(&request) {
            prop_assert_eq!(decoded.encode(), request);
        }
        if let Ok(decoded) = Response::decode(&response) {
            prop_assert_eq!(decoded.encode(), response);
        }
    }
}

fn widest_frontier() -> Frontier {
    let row = |number| FrontierRow {
        peer: testing::author(number),
        sequence: crate::limits::SEQUENCE_END - 1,
        hash: Hash([7; 32]),
    };
    Frontier::new((0..MAX_AUTHORS).map(row).collect())
}

#[test]
fn peers_in_step_exchange_at_most_200_bytes() {
    let request = Request::Frontier(FrontierRequest {
        workspace: WorkspaceId(uuid::Uuid::max()),
        digest: widest_frontier().digest(),
    });
    assert_eq!(request.encode().len(), FRONTIER_REQUEST_BYTES);
    assert_eq!(Response::InStep.encode().len(), IN_STEP_RESPONSE_BYTES);
}

#[test]
fn widest_frontier_fits_a_frame() {
    let frontier = widest_frontier();
    let exclusion =
        |row: &FrontierRow| Exclusion { peer: row.peer, common: row.sequence, branch: row.hash };
    let excluded = frontier.rows().iter().map(exclusion).collect();
    let response = Response::Frontier { frontier, excluded };
    let frame = response.encode();
    assert!(frame.len() <= MAX_FRAME_BYTES, "{} bytes", frame.len());
    assert_eq!(Response::decode(&frame), Ok(response));
}

#[test]
fn other_version_is_told_from_damage() {
    let mut frame = Response::InStep.encode();
    frame[0] = 2;
    frame.extend_from_slice(b"whatever version 2 means by this");
    assert_eq!(Response::decode(&frame), Err(FrameError::Version { found: 2 }));
    assert_eq!(Request::decode(&frame), Err(FrameError::Version { found: 2 }));
    assert_eq!(Reject::from(FrameError::Version { found: 2 }), Reject::Version(PROTOCOL_VERSION));
}

#[test]
fn oversized_frame_is_refused_unread() {
    let bytes = MAX_FRAME_BYTES + 1;
    assert_eq!(Request::decode(&vec![9; bytes]), Err(FrameError::TooLong { bytes }));
}

#[test]
fn long_reason_is_cut_between_characters() {
    let reject = Reject::Malformed("ß".repeat(MAX_REASON_BYTES / 2 - 1) + "x" + "ß");
    let Response::Refused(Reject::Malformed(reason)) =
        Response::decode(&Response::Refused(reject).encode()).unwrap()
    else {
        panic!("not the refusal that was sent");
    };
    assert_eq!(reason, "ß".repeat(MAX_REASON_BYTES / 2 - 1) + "x");
}

#[test]
fn reason_of_a_stranger_is_shown_escaped() {
    let shown = Reject::Malformed("\x1b[2J\n".into()).to_string();
    assert!(!shown.contains(['\x1b', '\n']), "{shown:?}");
}

/// A `Durable` of the given rows, however malformed.
fn durable(rows: &[(u128, u64)]) -> Result<Response, FrameError> {
    let mut frame = vec![PROTOCOL_VERSION, RESPONSE_DURABLE];
    put_varint(&mut frame, rows.len() as u64);
    for &(peer, sequence) in rows {
        frame.extend_from_slice(&peer.to_be_bytes());
        put_varint(&mut frame, sequence);
    }
    Response::decode(&frame)
}

#[test]
fn rows_are_bounded_ascending_and_within_their_range() {
    let at = |offset, expected| Err(FrameError::Malformed(DecodeError { offset, expected }));
    let have: VersionVector = [(1, 5), (2, 1)]
        .map(|(peer, n)| (PeerId(uuid::Uuid::from_u128(peer)), n))
        .into_iter()
        .collect();
    assert_eq!(durable(&[(1, 5), (2, 1)]), Ok(Response::Durable { have }));
    assert_eq!(durable(&[(2, 5), (1, 1)]), at(20, "authors in ascending order"));
    assert_eq!(durable(&[(1, 5), (1, 6)]), at(20, "authors in ascending order"));
    assert_eq!(durable(&[(1, 0)]), at(19, "a sequence from 1, below 2^62"));
    assert_eq!(durable(&[(1, 1 << 62)]), at(19, "a sequence from 1, below 2^62"));
    let most: Vec<_> = (0..=MAX_AUTHORS as u128).map(|peer| (peer, 1)).collect();
    assert!(durable(&most[1..]).is_ok());
    assert_eq!(durable(&most), at(2, "a number of rows within its bound and the frame"));
}

#[test]
fn claimed_rows_beyond_the_frame_are_refused_before_allocation() {
    let mut frame = vec![PROTOCOL_VERSION, RESPONSE_FRONTIER];
    put_varint(&mut frame, MAX_AUTHORS as u64);
    let expected = "a number of rows within its bound and the frame";
    let error = DecodeError { offset: 2, expected };
    assert_eq!(Response::decode(&frame), Err(FrameError::Malformed(error)));
}

#[test]
fn an_answer_of_another_version_is_a_refusal_that_names_it() {
    let mut frame = Response::InStep.encode();
    assert_eq!(Response::from_answer(&frame), Ok(Response::InStep));
    frame[0] = PROTOCOL_VERSION + 1;
    let refusal = Response::Refused(Reject::Version(PROTOCOL_VERSION + 1));
    assert_eq!(Response::from_answer(&frame), Ok(refusal));
    frame[0] = PROTOCOL_VERSION;
    frame.push(0);
    assert!(matches!(Response::from_answer(&frame), Err(CallError::Nonsense(_))));
}
