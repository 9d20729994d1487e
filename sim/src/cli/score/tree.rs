//! The checkout with its patches, and a copy of it in which they are built one after the other.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use graphshell_sim::planted::Bug;
use serde_json::Value;

use super::ScoreError;

/// Where the patches lie in the checkout.
const PLANTED: &str = "sim/planted";
/// What the planted program is built as.
const PROFILE: &str = "score";
const PACKAGE: &str = "graphshell-sim";
/// Lines of a failed command that are shown.
const SHOWN: usize = 12;

/// One patch of the checkout.
#[derive(Clone, Debug)]
pub(super) struct Patch {
    /// The file's name, without its ending.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) bug: Bug,
}

/// The checkout that the program is started in.
#[derive(Debug)]
pub(super) struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// Finds it around the working directory.
    pub(super) fn find() -> Result<Checkout, ScoreError> {
        let root = done("git", git(None).args(["rev-parse", "--show-toplevel"]))
            .map_err(|error| ScoreError::NoCheckout(Box::new(error)))?;
        let root = PathBuf::from(String::from_utf8_lossy(&root.stdout).trim_end());
        let checkout = Checkout { root };
        let planted = checkout.root.join(PLANTED);
        if planted.is_dir() { Ok(checkout) } else { Err(ScoreError::NoPatches(planted)) }
    }

    /// The patches of a folder, or the checkout's own, by name; only those that are named, if some
    /// are. All of these must read.
    pub(super) fn patches(
        &self,
        folder: Option<&Path>,
        only: &[String],
    ) -> Result<Vec<Patch>, ScoreError> {
        let folder = folder.map_or_else(|| self.root.join(PLANTED), Path::to_owned);
        let listed = || -> io::Result<Vec<PathBuf>> {
            // Git is to find them from the copy.
            let folder = folder.canonicalize()?;
            fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
        };
        let mut paths =
            listed().map_err(|reason| ScoreError::Read { path: folder.clone(), reason })?;
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "patch"));
        if paths.is_empty() {
            return Err(ScoreError::NoPatches(folder));
        }
        let unknown = |name: &&String| paths.iter().all(|path| name_of(path) != **name);
        if let Some(name) = only.iter().find(unknown) {
            return Err(ScoreError::Unknown { name: name.clone() });
        }
        paths.retain(|path| only.is_empty() || only.contains(&name_of(path)));
        paths.sort();
        paths.into_iter().map(read).collect()
    }

    /// Makes sure that each patch applies.
    pub(super) fn check(&self, patches: &[Patch]) -> Result<(), ScoreError> {
        for patch in patches {
            let mut check = git(Some(&self.root));
            done("git", check.args(["apply", "--check"]).arg(&patch.path)).map_err(|why| {
                ScoreError::DoesNotApply { patch: patch.name.clone(), why: Box::new(why) }
            })?;
        }
        Ok(())
    }

    /// The tracked files, relative to the root; those that were deleted are left out.
    fn files(&self) -> Result<BTreeSet<PathBuf>, ScoreError> {
        let listed = done("git", git(Some(&self.root)).args(["ls-files", "-z"]))?;
        let names = String::from_utf8_lossy(&listed.stdout).into_owned();
        let names = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
        Ok(names.filter(|name| self.root.join(name).is_file()).collect())
    }

    /// Where cargo builds this checkout.
    fn target(&self) -> Result<PathBuf, ScoreError> {
        let mut cargo = command("cargo", &self.root);
        let told = done("cargo", cargo.args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let told: Option<Value> = serde_json::from_slice(&told.stdout).ok();
        let folder = told.as_ref().and_then(|told| told["target_directory"].as_str());
        folder.map(PathBuf::from).ok_or(ScoreError::NoTarget)
    }
}

/// What a patch is called: its file's name, without the ending.
fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn read(path: PathBuf) -> Result<Patch, ScoreError> {
    let name = name_of(&path);
    let text = fs::read_to_string(&path)
        .map_err(|reason| ScoreError::Read { path: path.clone(), reason })?;
    match Bug::read(&text) {
        Ok(bug) => Ok(Patch { name, path, bug }),
        Err(flaw) => Err(ScoreError::Header { patch: name, flaw }),
    }
}

/// The copy, below the target folder. Its own target folder is kept from patch to patch, and from
/// one score to the next.
#[derive(Debug)]
pub(super) struct Tree {
    checkout: Checkout,
    /// The tracked files, with or without a patch.
    root: PathBuf,
    target: PathBuf,
    files: BTreeSet<PathBuf>,
    /// Held as long as this program works here.
    _lock: File,
}

impl Tree {
    /// Makes the copy, or brings it up to date. Nobody else may use it meanwhile.
    pub(super) fn new(checkout: Checkout) -> Result<Tree, ScoreError> {
        let place = checkout.target()?.join("planted");
        let (root, target) = (place.join("tree"), place.join("target"));
        let write = |reason| ScoreError::Write { path: place.clone(), reason };
        fs::create_dir_all(&root).map_err(write)?;
        // Git compares this with its own idea of the working directory.
        let root = root.canonicalize().map_err(write)?;
        let lock = File::create(place.join("lock")).map_err(write)?;
        if lock.try_lock().is_err() {
            return Err(ScoreError::Taken(place));
        }
        let files = checkout.files()?;
        let tree = Tree { checkout, root, target, files, _lock: lock };
        tree.remove_others(&tree.root)?;
        Ok(tree)
    }

    /// Builds the program with this patch; returns where it lies.
    pub(super) fn build(&self, patch: &Patch) -> Result<PathBuf, ScoreError> {
        self.revert()?;
        done("git", git(Some(&self.root)).arg("apply").arg(&patch.path)).map_err(|why| {
            ScoreError::DoesNotApply { patch: patch.name.clone(), why: Box::new(why) }
        })?;
        let mut cargo = command("cargo", &self.root);
        cargo.args(["build", "--quiet", "--locked", "--profile", PROFILE, "--package", PACKAGE]);
        cargo.arg("--bin").arg(PACKAGE).arg("--target-dir").arg(&self.target);
        done("cargo", &mut cargo).map_err(|why| match why {
            ScoreError::Command { .. } => {
                ScoreError::DoesNotBuild { patch: patch.name.clone(), why: Box::new(why) }
            }
            other => other,
        })?;
        Ok(self.program())
    }

    /// Where the program lies that was built last.
    pub(super) fn program(&self) -> PathBuf {
        self.target.join(PROFILE).join(format!("{PACKAGE}{}", std::env::consts::EXE_SUFFIX))
    }

    /// Where the patch's shrunk scenario is put.
    pub(super) fn shrunk(&self, patch: &Patch) -> PathBuf {
        self.target.with_file_name("shrunk").join(format!("{}.json", patch.name))
    }

    /// Makes each file what it is in the checkout. Those that are so already are not touched, so
    /// that cargo does not build them again.
    fn revert(&self) -> Result<(), ScoreError> {
        for name in &self.files {
            let (from, to) = (self.checkout.root.join(name), self.root.join(name));
            let source = fs::read(&from)
                .map_err(|reason| ScoreError::Read { path: from.clone(), reason })?;
            if fs::read(&to).is_ok_and(|copy| copy == source) {
                continue;
            }
            let folder = to.parent().expect("a file lies in a folder");
            fs::create_dir_all(folder)
                .and_then(|()| fs::copy(&from, &to))
                .map_err(|reason| ScoreError::Write { path: to.clone(), reason })?;
        }
        Ok(())
    }

    /// Removes files of an earlier score that the checkout has no more.
    fn remove_others(&self, folder: &Path) -> Result<(), ScoreError> {
        let failed = |reason| ScoreError::Write { path: folder.to_owned(), reason };
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            if entry.file_type().map_err(failed)?.is_dir() {
                self.remove_others(&path)?;
            } else if path.strip_prefix(&self.root).is_ok_and(|name| !self.files.contains(name)) {
                fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// Git in this folder, as if no repository lay around it: there the paths of a patch would be those
/// of the repository.
fn git(folder: Option<&Path>) -> Command {
    let mut git = Command::new("git");
    git.stdin(Stdio::null());
    // Set where git runs this program, for example in a hook.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        git.env_remove(name);
    }
    if let Some(folder) = folder {
        git.current_dir(folder);
        if let Some(above) = folder.parent() {
            git.env("GIT_CEILING_DIRECTORIES", above);
        }
    }
    git
}

fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs a command that must succeed.
fn done(program: &'static str, command: &mut Command) -> Result<Output, ScoreError> {
    let output = command.output().map_err(|reason| ScoreError::Start { program, reason })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let mut said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    said.truncate(SHOWN);
    let arguments = command.get_args().next().unwrap_or_default().to_string_lossy().into_owned();
    let said = said.join("\n  ");
    Err(ScoreError::Command { program, arguments, status: output.status, said })
}
