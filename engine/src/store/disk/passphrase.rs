//! From a passphrase to a key: Argon2id (RFC 9106).
//!
//! Salt and costs lie in a small file in the store's folder, made once and never replaced, so that
//! a backup of the folder and the passphrase are enough to read it.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};

use super::files;
use super::keys::KeyBytes;
use crate::ports::{Entropy, StoreError};
use crate::system::SystemEntropy;

/// The file's name in the store's folder.
const FILE: &str = "passphrase.json";
const FORMAT: u64 = 1;

/// The costs of new stores, as OWASP recommends them for Argon2id: 19 MiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Whoever changed the file can make opening neither cheap to guess nor endless.
const MEMORY_KIB_RANGE: std::ops::RangeInclusive<u32> = 8 * 1024..=1024 * 1024;
const PASSES_RANGE: std::ops::RangeInclusive<u32> = 1..=16;
const LANES_RANGE: std::ops::RangeInclusive<u32> = 1..=16;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Costs {
    format: u64,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    /// 16 bytes in hexadecimal.
    salt: String,
}

/// As much of the file as every version has.
#[derive(Deserialize)]
struct AnyCosts {
    format: u64,
}

/// The key that `passphrase` stands for in `folder`; if the store is `new`, with a salt of its own.
pub(super) fn key(folder: &Path, passphrase: &str, new: bool) -> Result<KeyBytes, StoreError> {
    let path = folder.join(FILE);
    let damaged = |what: String| StoreError::Damaged(format!("{}: {what}", path.display()));
    let costs = match files::read(&path)? {
        Some(bytes) => {
            let no_costs = |error| damaged(format!("not the costs of a passphrase: {error}"));
            let AnyCosts { format } = serde_json::from_slice(&bytes).map_err(no_costs)?;
            if format > FORMAT {
                let what = format!("{}: format {format} is newer than {FORMAT}", path.display());
                return Err(StoreError::Refused(what));
            }
            serde_json::from_slice::<Costs>(&bytes).map_err(no_costs)?
        }
        None if new => make(&path)?,
        None => {
            return Err(damaged("it is missing, and the passphrase says nothing without".into()));
        }
    };
    let within = [
        ("memory_kib", costs.memory_kib, MEMORY_KIB_RANGE),
        ("passes", costs.passes, PASSES_RANGE),
        ("lanes", costs.lanes, LANES_RANGE),
    ];
    for (name, value, range) in within {
        if !range.contains(&value) {
            return Err(damaged(format!("{name} is {value}, expected one of {range:?}")));
        }
    }
    let salt = data_encoding::HEXLOWER.decode(costs.salt.as_bytes()).ok();
    let salt = salt.filter(|salt| salt.len() == 16);
    let salt = salt.ok_or_else(|| damaged("salt is not 16 bytes in hexadecimal".to_owned()))?;
    let params = Params::new(costs.memory_kib, costs.passes, costs.lanes, Some(32));
    let params = params.map_err(|error| damaged(error.to_string()))?;
    let mut key = KeyBytes::default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), &salt, &mut **key)
        .map_err(|error| StoreError::Refused(format!("the passphrase cannot be used: {error}")))?;
    Ok(key)
}

fn make(path: &Path) -> Result<Costs, StoreError> {
    let mut salt = [0; 16];
    SystemEntropy.fill(&mut salt);
    let costs = Costs {
        format: FORMAT,
        memory_kib: MEMORY_KIB,
        passes: PASSES,
        lanes: LANES,
        salt: data_encoding::HEXLOWER.encode(&salt),
    };
    let text = serde_json::to_vec_pretty(&costs).expect("numbers and text are JSON");
    files::replace(path, &text)?;
    Ok(costs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_depends_on_passphrase_and_salt_only() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = key(one.path(), "correct horse", true).unwrap();
        assert_eq!(key(one.path(), "correct horse", false).unwrap(), first);
        assert_ne!(key(one.path(), "correct horsf", false).unwrap(), first);
        assert_ne!(key(other.path(), "correct horse", true).unwrap(), first);
    }

    #[test]
    fn lost_salt_is_named_and_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let error = key(folder.path(), "correct horse", false).unwrap_err();
        assert!(error.to_string().contains(FILE), "{error}");
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn costs_out_of_bounds_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let good = serde_json::json!({
            "format": 1, "memory_kib": 8192, "passes": 1, "lanes": 1, "salt": "00".repeat(16)
        });
        std::fs::write(&path, good.to_string()).unwrap();
        key(folder.path(), "correct horse", false).expect("costs at the lower bounds");
        let bad = [
            ("format", 2.into()),
            ("memory_kib", 8191.into()),
            ("memory_kib", u32::MAX.into()),
            ("passes", 0.into()),
            ("passes", 17.into()),
            ("lanes", 0.into()),
            ("salt", "00".repeat(15).into()),
            ("salt", "zz".repeat(16).into()),
            ("more", 1.into()),
        ];
        for (name, value) in bad {
            let mut costs = good.clone();
            costs.as_object_mut().unwrap().insert(name.to_owned(), value);
            std::fs::write(&path, costs.to_string()).unwrap();
            let error = key(folder.path(), "correct horse", false).unwrap_err();
            assert!(error.to_string().contains(FILE), "{name}: {error}");
        }
    }
}
