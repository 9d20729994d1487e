use proptest::prelude::*;

use super::*;
use crate::testing::{dot, vector};

fn joined(a: &VersionVector, b: &VersionVector) -> VersionVector {
    let mut join = a.clone();
    join.join(b);
    join
}

proptest! {
    #[test]
    fn join_is_commutative_associative_and_idempotent(a in vector(), b in vector(), c in vector()) {
        prop_assert_eq!(joined(&a, &b), joined(&b, &a));
        prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
        prop_assert_eq!(joined(&a, &a), a);
    }

    #[test]
    fn join_is_the_least_upper_bound(a in vector(), b in vector(), extra in vector()) {
        let join = joined(&a, &b);
        prop_assert!(join.covers(&a) && join.covers(&b));
        let other_bound = joined(&join, &extra);
        prop_assert!(other_bound.covers(&join));
        for (peer, sequence) in join.iter() {
            let lowered = |row: (PeerId, u64)| (row.0, row.1 - u64::from(row == (peer, sequence)));
            let lower: VersionVector = join.iter().map(lowered).collect();
            prop_assert!(!lower.covers(&a) || !lower.covers(&b), "{peer} could be lower");
        }
    }

    #[test]
    fn covers_is_a_partial_order(a in vector(), b in vector(), c in vector()) {
        prop_assert!(a.covers(&a));
        prop_assert_eq!(a.covers(&b) && b.covers(&a), a == b);
        let (b, c) = (joined(&a, &b), joined(&joined(&a, &b), &c));
        prop_assert!(b.covers(&a) && c.covers(&b) && c.covers(&a));
    }

    #[test]
    fn covers_says_what_join_leaves_alone(a in vector(), b in vector()) {
        prop_assert_eq!(a.covers(&b), joined(&a, &b) == a);
    }

    #[test]
    fn vector_covers_exactly_the_dots_up_to_it(a in vector(), dot in dot()) {
        let alone: VersionVector = [(dot.peer, dot.sequence)].into_iter().collect();
        prop_assert_eq!(a.covers_dot(dot), a.covers(&alone));
    }

    #[test]
    fn vector_is_the_map_of_highest_sequences(rows in proptest::collection::vec(dot(), 0..20)) {
        let rows = || rows.iter().map(|dot| (dot.peer, dot.sequence));
        let mut highest = BTreeMap::new();
        let mut raised = VersionVector::new();
        let mut joined = VersionVector::new();
        for (peer, sequence) in rows() {
            highest.entry(peer).and_modify(|known| *known = sequence.max(*known)).or_insert(sequence);
            raised.raise(peer, sequence);
            joined.join(&[(peer, sequence)].into_iter().collect());
        }
        prop_assert!(raised.iter().eq(highest));
        prop_assert_eq!(&joined, &raised);
        prop_assert_eq!(rows().collect::<VersionVector>(), raised);
    }

    #[test]
    fn vector_survives_json(a in vector()) {
        let json = serde_json::to_string(&a).unwrap();
        prop_assert_eq!(serde_json::from_str::<VersionVector>(&json).unwrap(), a);
    }
}

#[test]
fn zero_component_of_a_file_is_an_absent_one() {
    let json = r#"{"00000000-0000-0000-0000-000000000001":0}"#;
    assert_eq!(serde_json::from_str::<VersionVector>(json).unwrap(), VersionVector::new());
}
