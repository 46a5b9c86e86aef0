//! Embeds the kernel object that `cargo xtask build` left below `target/bpf`.
//!
//! Without it the agent builds all the same, and says so when it is run: everything but the kernel side can then be
//! worked on and tested on any machine.

use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| io::Error::other("not run by cargo"))?;
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("not run by cargo"))?;
    let arch = env::var_os("CARGO_CFG_TARGET_ARCH").ok_or_else(|| io::Error::other("not run by cargo"))?;
    let object = PathBuf::from(manifest).join("../target/bpf").join(arch).join("collector-ebpf.o");
    let embedded = PathBuf::from(out).join("collector-ebpf.o");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", object.display());
    if object.exists() {
        fs::copy(&object, &embedded)?;
    } else {
        println!(
            "cargo::warning=built without its kernel programs; `cargo xtask build` makes them and embeds them"
        );
        fs::write(&embedded, [])?;
    }
    Ok(())
}
