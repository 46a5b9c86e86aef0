//! A kernel from Debian's packages: its image, and the modules that the tests need.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::mirror::Mirror;
use super::series::{self, Series};
use crate::step;

/// Modules that the tests need and a kernel may not have built in: veth, file systems, tables of sockets,
/// NFS and its server.
const MODULES: [&str; 10] =
    ["veth", "overlay", "fuse", "inet_diag", "tcp_diag", "udp_diag", "unix_diag", "nfs", "nfsv4", "nfsd"];

/// An unpacked kernel.
pub(super) struct Kernel {
    pub(super) series: Series,
    /// `uname -r`
    pub(super) release: String,
    root: PathBuf,
}

/// A module that can be inserted.
pub(super) struct Module {
    pub(super) name: String,
    pub(super) object: Vec<u8>,
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.series, self.release)
    }
}

impl Kernel {
    /// Downloads the newest kernel of the series. It is an error if the mirror has none, since a series
    /// that is silently untested looks like one that works.
    pub(super) fn fetch(mirror: &Mirror, series: &Series, flavour: &str, cache: &Path) -> Result<Self> {
        let names = mirror.names(&format!("^linux-(image|base|binary|modules)-[0-9].*-{flavour}$"))?;
        let Some(release) = series::newest(names.iter().map(String::as_str), series, flavour) else {
            bail!("Debian's mirror has no kernel of the series {series} for {flavour}");
        };
        // Since 7.2 image and modules are in packages of their own, and `linux-image` is empty.
        let parts = ["image", "base", "binary", "modules"].map(|part| format!("linux-{part}-{release}"));
        let packages: Vec<String> = parts.into_iter().filter(|part| names.contains(part)).collect();
        let root = cache.join(release);
        step::say(format_args!("kernels: {series} is {release}"));
        mirror.unpack(&packages, &root)?;
        Ok(Self { series: series.clone(), release: release.to_owned(), root })
    }

    /// The image that is booted.
    pub(super) fn image(&self) -> Result<PathBuf> {
        let modules = self.modules_directory()?;
        let boot = self.root.join("boot").join(format!("vmlinuz-{}", self.release));
        let places = [boot, modules.join("vmlinuz")];
        match places.iter().find(|place| place.exists()) {
            Some(image) => Ok(image.clone()),
            None => bail!("no vmlinuz in the packages of {}", self.release),
        }
    }

    fn modules_directory(&self) -> Result<PathBuf> {
        let places =
            ["lib/modules", "usr/lib/modules"].map(|place| self.root.join(place).join(&self.release));
        match places.iter().find(|place| place.join("kernel").is_dir()) {
            Some(directory) => Ok(directory.clone()),
            None => bail!("no modules in the packages of {}", self.release),
        }
    }

    /// The modules that the tests need and their dependencies, each after those that it depends on. A
    /// module that is neither a file nor built in is an error here, because the failure of a test would
    /// not name it.
    pub(super) fn modules(&self) -> Result<Vec<Module>> {
        let directory = self.modules_directory()?;
        let mut files = BTreeMap::new();
        collect(&directory.join("kernel"), &mut files)?;
        let builtin = directory.join("modules.builtin");
        let builtin =
            fs::read_to_string(&builtin).with_context(|| format!("cannot read {}", builtin.display()))?;
        let builtin = builtin.lines().filter_map(|path| module_name(Path::new(path))).collect();
        let mut chosen = Chosen { files, builtin, modules: Vec::new() };
        for name in MODULES {
            chosen.add(name)?;
        }
        Ok(chosen.modules)
    }
}

/// The modules chosen so far, in the order of insertion.
struct Chosen {
    files: BTreeMap<String, PathBuf>,
    builtin: Vec<String>,
    modules: Vec<Module>,
}

impl Chosen {
    fn add(&mut self, name: &str) -> Result<()> {
        if self.modules.iter().any(|module| module.name == name) || self.builtin.iter().any(|one| one == name)
        {
            return Ok(());
        }
        let Some(file) = self.files.get(name) else { bail!("the kernel has no module {name}") };
        let object = unpacked(file)?;
        // The graph has no cycle: modules that need each other cannot be inserted.
        for needed in depends(&object) {
            self.add(&needed)?;
        }
        self.modules.push(Module { name: name.to_owned(), object });
        Ok(())
    }
}

/// All modules below a folder by name.
fn collect(directory: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let reading = || format!("cannot read {}", directory.display());
    for entry in fs::read_dir(directory).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if let Some(name) = module_name(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

/// The module `tcp_diag` of `kernel/net/ipv4/tcp_diag.ko.xz`; a hyphen in a file's name is an underscore
/// in the kernel.
fn module_name(path: &Path) -> Option<String> {
    let (name, _) = path.file_name()?.to_str()?.split_once(".ko")?;
    Some(name.replace('-', "_"))
}

fn unpacked(file: &Path) -> Result<Vec<u8>> {
    let reading = || format!("cannot read {}", file.display());
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("ko") => fs::read(file).with_context(reading),
        Some("xz") => {
            let output = Command::new("xz").arg("-dc").arg(file).output().with_context(reading)?;
            if !output.status.success() {
                bail!("{} from xz for {}", output.status, file.display());
            }
            Ok(output.stdout)
        }
        _ => bail!("{} has an unknown compression", file.display()),
    }
}

/// The names after `depends=` in a module's section `.modinfo`, which has strings separated by NUL.
fn depends(object: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = object.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let names = object.get(at + KEY.len()..).unwrap_or_default().split(|&byte| byte == 0).next();
    let names = String::from_utf8_lossy(names.unwrap_or_default()).into_owned();
    names.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_names_what_it_depends_on() {
        assert_eq!(depends(b"license=GPL\0depends=lockd,auth-rpcgss\0name=x\0"), ["lockd", "auth_rpcgss"]);
        assert_eq!(depends(b"license=GPL\0depends=\0name=x\0"), [""; 0]);
        assert_eq!(depends(b"\x7fELF"), [""; 0]);
    }

    #[test]
    fn a_module_is_named_by_its_file() {
        assert_eq!(module_name(Path::new("kernel/a/x-y.ko.xz")).as_deref(), Some("x_y"));
        assert_eq!(module_name(Path::new("kernel/a/veth.ko")).as_deref(), Some("veth"));
        assert_eq!(module_name(Path::new("modules.order")), None);
    }

    #[test]
    fn modules_come_after_what_they_depend_on() {
        let directory = std::env::temp_dir().join(format!("xtask-modules-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        for (name, needs) in [("top", "middle,bottom"), ("middle", "bottom,inside"), ("bottom", "")] {
            fs::write(directory.join(format!("{name}.ko")), format!("\0depends={needs}\0")).unwrap();
        }
        let mut files = BTreeMap::new();
        collect(&directory, &mut files).unwrap();
        let mut chosen = Chosen { files, builtin: vec!["inside".to_owned()], modules: Vec::new() };
        chosen.add("top").unwrap();
        let names: Vec<&str> = chosen.modules.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["bottom", "middle", "top"]);
        assert!(chosen.add("absent").is_err());
        fs::remove_dir_all(&directory).unwrap();
    }
}
