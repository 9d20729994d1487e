//! Every way in for bytes of a stranger or of a disk.
//!
//! Whatever the bytes, a decoder ends, in bounded memory, with an error or with a value that
//! encodes to the very bytes it was read from. The first byte of an input chooses the decoder.
#![no_main]

use graphshell_sync::device_key::{Lineage, Succession};
use graphshell_sync::legacy::{decode_legacy, encode_legacy, fold};
use graphshell_sync::pairing::{Ticket, canonical_frame};
use graphshell_sync::recording::Recording;
use graphshell_sync::wire::{Request, Response};
use graphshell_sync::{Batch, LogEntry, Record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&decoder, bytes)) = input.split_first() else { return };
    match decoder {
        0 => {
            if let Ok(request) = Request::decode(bytes) {
                assert_eq!(request.encode(), bytes);
                if let Request::Push(push) = &request {
                    payloads_are_kept(&push.batch);
                }
            }
        }
        1 => {
            if let Ok(response) = Response::decode(bytes) {
                assert_eq!(response.encode(), bytes);
                if let Response::Batch { batch: Some(batch), .. } = &response {
                    payloads_are_kept(batch);
                }
            }
        }
        2 => {
            if let Ok(record) = Record::decode(bytes) {
                assert_eq!(record.encode(), bytes);
                if let Record::Ready(batch) | Record::Parked(batch) = &record {
                    payloads_are_kept(batch);
                }
            }
        }
        3 => {
            if let Ok(batch) = Batch::decode(bytes) {
                assert_eq!(batch.encode(), bytes);
                payloads_are_kept(&batch);
            }
        }
        4 => {
            if let Some((kind, payload)) = bytes.split_first_chunk() {
                payload_is_kept(u16::from_le_bytes(*kind), payload);
            }
        }
        5 => {
            // Many layouts read as one legacy entry, so only what was written anew must stay.
            if let Ok(entry) = decode_legacy(bytes) {
                let written = encode_legacy(&entry);
                let again = decode_legacy(&written).expect("what was written is read");
                assert_eq!(encode_legacy(&again), written);
                for entry in fold([entry]).entries {
                    entry.encode_payload(&mut Vec::new()).expect("a folded entry fits its bounds");
                }
            }
        }
        6 => {
            if let Ok(recording) = Recording::decode(bytes.to_vec()) {
                assert!(recording.cut().is_none_or(|rest| rest <= bytes.len()));
            }
        }
        7 => {
            if let Ok(ticket) = Ticket::decode(bytes) {
                assert_eq!(ticket.encode(), bytes);
            }
            // Guessing its checksum is not what a fuzzer is for.
            let checksum = blake3::hash(bytes);
            let sealed = [bytes, &checksum.as_bytes()[..4]].concat();
            if let Ok(ticket) = Ticket::decode(&sealed) {
                assert_eq!(ticket.encode(), sealed);
                assert_eq!(ticket.to_string().parse(), Ok(ticket));
            }
        }
        8 => {
            if let Ok(frame) = canonical_frame(bytes) {
                assert_eq!(frame, bytes);
            }
        }
        9 => {
            if let Ok(chain) = Succession::decode_chain(bytes) {
                assert_eq!(Succession::encode_chain(&chain), bytes);
                if let Some(last) = chain.last() {
                    let _ = Lineage::verify(last.new, &chain);
                }
            }
        }
        _ => {}
    }
});

fn payloads_are_kept(batch: &Batch) {
    for (kind, payload) in batch.payloads() {
        payload_is_kept(kind, payload);
    }
}

fn payload_is_kept(kind: u16, payload: &[u8]) {
    let entry = LogEntry::decode(kind, payload);
    let mut written = Vec::new();
    // A payload beyond its bound cannot come in a batch.
    if entry.encode_payload(&mut written).is_ok() {
        assert_eq!((entry.kind(), &written[..]), (kind, payload));
    }
}
