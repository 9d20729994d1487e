//! Names the build by the sources that decide what a run does.
//!
//! A hash of sources tells two builds apart where a version does not, in a checkout with changes too,
//! and needs no version control. What no run sees is left out, so that working on it gives no build another
//! name: the program, explanations, shrinking, planted bugs, and tests in files of that name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Digits that are shown: enough to tell builds apart, few enough to read aloud.
const DIGITS: usize = 8;

/// What no run sees, files and folders.
const UNSEEN: [&str; 7] = [
    "src/cli",
    "src/main.rs",
    "src/explain",
    "src/explain.rs",
    "src/shrink",
    "src/shrink.rs",
    "src/planted.rs",
];

fn main() -> io::Result<()> {
    // Not as it was when this was built: checkouts may share a target folder.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let package = PathBuf::from(package);
    let mut files = Vec::new();
    for folder in ["src", "data", "../engine/src"] {
        collect(&package, Path::new(folder), &mut files)?;
    }
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for (name, path) in files {
        println!("cargo::rerun-if-changed={}", path.display());
        let content = fs::read(&path)?;
        for part in [name.as_bytes(), &content[..]] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
    }
    println!("cargo::rustc-env=SOURCES_HASH={}", &hasher.finalize().to_hex()[..DIGITS]);
    Ok(())
}

/// Adds the files below `folder` of the package: their names, the same on every system, and paths. What
/// editors and systems leave there is none of them.
fn collect(package: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(package.join(folder))? {
        let entry = entry?;
        let name = folder.join(entry.file_name());
        let file = entry.file_name();
        let left_over =
            file.to_string_lossy().starts_with(['.', '#']) || file.to_string_lossy().ends_with('~');
        let unseen = file == "tests.rs" || UNSEEN.iter().any(|unseen| Path::new(unseen) == name);
        if left_over || unseen {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(package, &name, files)?;
        } else {
            files.push((name.to_string_lossy().replace('\\', "/"), entry.path()));
        }
    }
    Ok(())
}
