use proptest::prelude::*;

use super::*;
use crate::access::Access;
use crate::testing::{self, record};

proptest! {
    #[test]
    fn record_survives_the_disk(record in record()) {
        prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
    }

    #[test]
    fn cut_record_is_refused(record in record()) {
        let bytes = record.encode();
        for length in 0..bytes.len() {
            prop_assert!(Record::decode(&bytes[..length]).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn damaged_record_is_refused_or_canonical(
        bytes in testing::hostile(record().prop_map(|record| record.encode())),
    ) {
        if let Ok(record) = Record::decode(&bytes) {
            prop_assert_eq!(record.encode(), bytes);
        }
    }
}

#[test]
fn error_names_what_is_wrong_and_where() {
    assert_eq!(Record::decode(&[9, 1]), Err(RecordError::Version { found: 9 }));
    let at = |offset, expected| Err(RecordError::Malformed(DecodeError { offset, expected }));
    assert_eq!(Record::decode(&[]), at(0, "a record format version"));
    assert_eq!(Record::decode(&[1, 99]), at(1, "a record's tag"));
    let mut consent = Record::Consent { device: DeviceId([3; 32]), access: Access::Full }.encode();
    *consent.last_mut().unwrap() = 3;
    assert_eq!(Record::decode(&consent), at(34, "0, 1 or 2"));
    assert_eq!(
        Record::decode(&[1, 2, 7]),
        Err(RecordError::Batch(BatchError::Version { found: 7 }))
    );
}
