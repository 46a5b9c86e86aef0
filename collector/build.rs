//! Embeds the kernel object that `cargo xtask build` makes.
//!
//! Without it the agent builds all the same, with a warning, and starting it is an error that says what to do: everything
//! but the kernel side can then be worked on and tested on any machine.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// A path of the object, for a build system of its own.
const VARIABLE: &str = "COLLECTOR_BPF_OBJECT";
const NAME: &str = "collector-ebpf.o";

fn main() -> io::Result<()> {
    let variable =
        |name| env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other("not run by cargo"));
    let (manifest, out) = (variable("CARGO_MANIFEST_DIR")?, variable("OUT_DIR")?);
    let below = Path::new("bpf").join(variable("CARGO_CFG_TARGET_ARCH")?).join(NAME);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    let object = match env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        // It must be there: another object instead would be a surprise.
        Some(named) => Some(PathBuf::from(named)),
        None => find(&manifest, &out, &below),
    };
    let embedded = out.join(NAME);
    let Some(object) = object else {
        println!(
            "cargo::warning=collector is built without its kernel programs and cannot watch this machine: run \
             `cargo xtask build` in its repository, or set {VARIABLE} to the path of a {NAME}"
        );
        return fs::write(&embedded, []);
    };
    println!("cargo::rerun-if-changed={}", object.display());
    let copied = fs::copy(&object, &embedded);
    copied.map(drop).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot copy {} to {}: {error}", object.display(), out.display()),
        )
    })
}

/// The first of these places that has the object: the target directory in use, that of the repository, the package itself.
fn find(manifest: &Path, out: &Path, below: &Path) -> Option<PathBuf> {
    // A relative directory is relative to where cargo was started, which a build script does not see.
    let named = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).filter(|target| target.is_absolute());
    let targets = named.into_iter().chain(targets_of(out)).chain([manifest.join("../target")]);
    let mut places: Vec<PathBuf> =
        targets.chain([manifest.to_owned()]).map(|place| place.join(below)).collect();
    if let Some(found) = places.iter().position(|place| place.exists()) {
        return Some(places.swap_remove(found));
    }
    // In the repository, `cargo xtask build` may make it at any time. Elsewhere a missing file here would only have cargo
    // build the crate again each time.
    if manifest.join("../xtask").exists() {
        for place in &places {
            println!("cargo::rerun-if-changed={}", place.display());
        }
    }
    None
}

/// The target directory that OUT_DIR lies in, in whatever way it was set, and the part of it for the target triple. Never a
/// directory above: anyone may write to that of a checkout in /tmp, and the object runs in the kernel.
fn targets_of(out: &Path) -> Vec<PathBuf> {
    // Cargo marks both as caches.
    let Some(marked) = out.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists()) else {
        return Vec::new();
    };
    let is_of_triple = env::var_os("TARGET").is_some_and(|triple| marked.file_name() == Some(&triple));
    let above = marked.parent().filter(|_| is_of_triple);
    [Some(marked), above].into_iter().flatten().map(Path::to_owned).collect()
}
