//! Tries for real whether a sealed value opens in another's place.
//!
//! On a copy of a peer's disk two rows of the database change places, as a disk that misdirects
//! writes would leave them. The vault must notice, and put the database aside.

use graphshell_sync::store::vault::Vault;
use redb::{Database, ReadableTable, TableDefinition, TableHandle};

use super::disk::SimDisk;
use super::disk::medium::{self, SimMedium};
use super::sealed::{Sealing, master_key};
use super::shared::Peer;
use crate::oracle::Finding;
use crate::plan::workspace_id;

/// A table of the vault's with a row for each author, all of one length.
const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("version_vector");

/// Judges a copy of the peer's disk; false if there were no two rows to swap, or the database or the
/// copy could not be opened for another reason.
pub(super) fn judge(me: usize, peer: &Peer, copy: SimDisk) -> Result<bool, Finding> {
    let finding = |detail: String| Finding {
        property: "no sealed value opens in another's place",
        peers: vec![me],
        operations: Vec::new(),
        detail,
    };
    // What a disk that lied left of a database does not open.
    if !swap(&copy).unwrap_or(false) {
        return Ok(false);
    }
    let entropy = Box::new(Sealing::new([0; 32]));
    let mut vault = Vault::new(SimMedium::new(copy), workspace_id(), master_key(peer), entropy);
    match vault.open() {
        Ok(opened) if opened.set_aside.is_empty() => {
            let detail = "two rows of the database were swapped, and the vault opened both";
            Err(finding(detail.to_owned()))
        }
        Ok(opened) => {
            let named = |why: &str| why.contains(TABLE.name()) && why.contains("seal");
            Ok(matches!(&opened.set_aside[..], [only] if named(&only.why)))
        }
        // It never came to the rows.
        Err(_) => Ok(false),
    }
}

fn swap(disk: &SimDisk) -> Result<bool, redb::Error> {
    let Some(file) = medium::database(disk)? else { return Ok(false) };
    let database = Database::builder().create_with_backend(file)?;
    let transaction = database.begin_write()?;
    let swapped = {
        let mut table = transaction.open_table(TABLE)?;
        let rows: Vec<(Vec<u8>, Vec<u8>)> = table
            .iter()?
            .take(2)
            .map(|row| row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
            .collect::<Result<_, _>>()?;
        if let [(one, first), (other, second)] = &rows[..] {
            table.insert(one.as_slice(), second.as_slice())?;
            table.insert(other.as_slice(), first.as_slice())?;
        }
        rows.len() == 2
    };
    transaction.commit()?;
    Ok(swapped)
}
