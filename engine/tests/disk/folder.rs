//! Folders as images: copied, cut, holed, compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What all files below a folder hold, by their paths in it. Zeros at a file's end are left out:
/// journals have room prepared there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image(BTreeMap<PathBuf, (u64, Vec<u8>)>);

impl Image {
    pub(crate) fn of(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        read_into(folder, Path::new(""), &mut files);
        Image(files)
    }

    /// Writes it into an empty folder.
    pub(crate) fn write(&self, folder: &Path) {
        for (path, (length, bytes)) in &self.0 {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("files lie in folders")).unwrap();
            fs::write(&path, bytes).unwrap();
            fs::File::options().write(true).open(&path).unwrap().set_len(*length).unwrap();
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// The bytes of a file up to the last one that is not zero; none if it is not there.
    pub(crate) fn bytes(&self, path: &Path) -> &[u8] {
        self.0.get(path).map_or(&[], |(_, bytes)| bytes)
    }

    /// Puts other bytes into a file; it keeps its length if they fit.
    pub(crate) fn put(&mut self, path: &Path, mut bytes: Vec<u8>) {
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        let (length, old) = self.0.entry(path.to_owned()).or_default();
        *length = (*length).max(bytes.len() as u64);
        *old = bytes;
    }

    /// Cuts a file off.
    pub(crate) fn cut(&mut self, path: &Path, length: u64) {
        let (old, bytes) = self.0.get_mut(path).expect("the file is there");
        *old = length;
        bytes.truncate(usize::try_from(length).unwrap());
    }

    pub(crate) fn remove(&mut self, path: &Path) {
        self.0.remove(path);
    }

    /// The journal files, the one that is written to last.
    pub(crate) fn journals(&self) -> Vec<PathBuf> {
        let journals = self.names().filter(|path| path.extension() == Some("jnl".as_ref()));
        journals.map(Path::to_owned).collect()
    }
}

fn read_into(root: &Path, below: &Path, files: &mut BTreeMap<PathBuf, (u64, Vec<u8>)>) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            read_into(root, &path, files);
            continue;
        }
        let mut bytes = fs::read(entry.path()).unwrap();
        let length = bytes.len() as u64;
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(used);
        files.insert(path, (length, bytes));
    }
}

/// Numbers that are the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}
