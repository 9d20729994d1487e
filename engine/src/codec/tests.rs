use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8]) -> Result<u64, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = reader.varint("a number")?;
    reader.finish("the end")?;
    Ok(value)
}

/// Numbers of every length.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64u32).prop_map(|(value, shift)| value >> shift)
}

proptest! {
    #[test]
    fn varint_round_trips_in_its_shortest_form(value in number()) {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, value);
        prop_assert_eq!(bytes.len(), (64 - value.leading_zeros()).div_ceil(7).max(1) as usize);
        prop_assert_eq!(read(&bytes), Ok(value));
    }

    #[test]
    fn varint_has_one_encoding(bytes in vec(any::<u8>(), 0..12)) {
        if let Ok(value) = read(&bytes) {
            let mut again = Vec::new();
            put_varint(&mut again, value);
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn zigzag_is_a_bijection(value: i64, code: u64) {
        prop_assert_eq!(unzigzag(zigzag(value)), value);
        prop_assert_eq!(zigzag(unzigzag(code)), code);
    }

    #[test]
    fn zigzag_keeps_small_differences_small(value in -64..64i64) {
        prop_assert!(zigzag(value) < 128);
    }

    #[test]
    fn bounded_admits_exactly_up_to_its_bound(value in number(), most in 0..200usize) {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, value);
        let admitted = Reader::new(&bytes).bounded(most, "a small number").is_ok();
        prop_assert_eq!(admitted, value <= most as u64);
    }

    #[test]
    fn sequence_admits_exactly_its_range(value in number(), least in 0..3u64) {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, value);
        let admitted = Reader::new(&bytes).sequence(least, "a sequence").is_ok();
        prop_assert_eq!(admitted, value >= least && value < 1 << 62);
    }
}

#[test]
fn overlong_overflowing_and_cut_varints_are_refused() {
    let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(read(&max), Ok(u64::MAX));
    let mut overflowing = max;
    overflowing[9] = 2;
    let mut endless = max.to_vec();
    endless[9] = 0x81;
    endless.push(0);
    for bytes in [&[0x80, 0x00][..], &[0xff, 0x80, 0x00], &overflowing, &endless] {
        assert_eq!(read(bytes), Err(DecodeError { offset: 0, expected: "a number" }), "{bytes:x?}");
    }
    assert_eq!(read(&[0x80]), Err(DecodeError { offset: 1, expected: "a number" }));
}

#[test]
fn error_says_where_it_stands() {
    let mut reader = Reader::new(&[1, 2, 3]);
    reader.u8("a byte").unwrap();
    let error = reader.array::<4>("four bytes").unwrap_err();
    assert_eq!(error, DecodeError { offset: 1, expected: "four bytes" });
    assert_eq!(reader.rest(), [2, 3]);
    assert_eq!(reader.remaining(), 0);
}
