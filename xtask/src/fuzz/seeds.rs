//! The seeds of the fuzzers: records and events of the fixtures, files of this machine's /proc, and kernel
//! types. The types (fuzz/seeds/btf) are the BTF of Linux 6.18 cut down to the structures and members that
//! the agent looks up.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace;

/// In a recording, lengths from here on stand for counters.
const COUNTERS: u32 = u32::MAX - 1;

/// Cgroup paths of containers, as each runtime writes them; `ID` stands for an id.
const CGROUPS: &[&str] = &[
    "0::/system.slice/docker-ID.scope\n",
    "12:pids:/docker/ID\n1:name=systemd:/docker/ID\n0::/\n",
    "0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-ID.scope\n",
    "0::/kubepods/besteffort/podc0ffee/ID\n",
    "0::/machine.slice/libpod-ID.scope/container\n",
    "0::/lxc.payload.web/init.scope\n",
    "0::/machine.slice/systemd-nspawn@web.service/payload\n",
    "0::/user.slice/user-1000.slice/session-2.scope (deleted)\n",
];

/// Mappings of files with misleading names.
const MAPPINGS: &[&str] = &[
    "00400000-00401000 r-xp 00000000 08:01 12                                  /SYSV1\n",
    "7f0000000000-7f0000001000 rw-s 00000000 00:01 0 /memfd:a b\\012c (deleted)\n\
     Size:                  4 kB\nAnonymous:             0 kB\nSwap:                  0 kB\nVmFlags: rd wr sh\n",
];

/// Variables and arguments that have secrets, separated by NUL.
const SECRETS: &[&str] = &[
    "HOME=/root\0DB_PASSWORD=hunter2\0API_KEY=\0TOKEN\0=odd\0",
    "curl\0--api-key\0s3cret\0--token=s3cret\0https://user:pa:ss@host/path?x=1#y\0",
    "curl\0https://host/?a=1&api_key=s3cret&b=2#token=x\0-d\0user=me&password=s3cret\0",
    "sh\0-c\0mysql --password s3cret -h db && curl -H 'Authorization: Bearer x' http://a:b@c\0",
];

/// The folder of one fuzzer's seeds.
pub(super) fn of(fuzzer: &str) -> PathBuf {
    workspace::target("fuzz-seeds").join(fuzzer)
}

/// Replaces the seeds of all fuzzers.
pub(super) fn write() -> Result<()> {
    let fixtures = workspace::root().join("tests/fixtures");
    let mut files: Vec<PathBuf> = fs::read_dir(&fixtures)
        .with_context(|| format!("cannot read {}", fixtures.display()))?
        .filter_map(|file| Some(file.ok()?.path()))
        .collect();
    files.sort();
    let mut records = Vec::new();
    let mut recordings = Vec::new();
    let mut events = Vec::new();
    for file in files {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("rec") => {
                let body = behind_head(&bytes);
                records.extend(records_of(body).map(<[u8]>::to_vec));
                recordings.push(body.to_vec());
            }
            Some("jsonl") => events.extend(bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec)),
            _ => {}
        }
    }
    save("record", &records)?;
    save("stream", &recordings)?;
    save("event", &events)?;
    save("redact", &texts(SECRETS))?;
    save("cgroup", &[texts(CGROUPS), of_proc(&["cgroup"])].concat())?;
    save("proc", &of_proc(&["stat", "status", "mountinfo", "cmdline", "maps"]))?;
    save("mapping", &[of_proc(&["maps", "smaps"]), texts(MAPPINGS)].concat())?;
    let names = ["/etc/passwd", "/etc/group"].map(|file| fs::read(file).unwrap_or_default());
    save("passwd", &[names.to_vec(), of_proc(&["uid_map"])].concat())?;
    let kernel_types = workspace::root().join("fuzz/seeds/btf/kernel-types");
    save(
        "btf",
        &[fs::read(&kernel_types).with_context(|| format!("cannot read {}", kernel_types.display()))?],
    )
}

/// The bytes after a recording's head.
fn behind_head(bytes: &[u8]) -> &[u8] {
    bytes.iter().position(|&byte| byte == b'\n').and_then(|end| bytes.get(end + 1..)).unwrap_or_default()
}

/// The records of a recording's body.
fn records_of(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let (len, behind) = rest.split_first_chunk::<4>()?;
        let len = u32::from_le_bytes(*len);
        if len >= COUNTERS {
            return None;
        }
        let (record, behind) = behind.split_at_checked(usize::try_from(len).ok()?)?;
        rest = behind;
        Some(record)
    })
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.replace("ID", &"0123456789abcdef".repeat(4)).into_bytes()).collect()
}

/// These files of pid 1, a kernel thread and this process.
fn of_proc(files: &[&str]) -> Vec<Vec<u8>> {
    let processes = ["1", "2", "self"];
    let all = processes.iter().flat_map(|pid| files.iter().map(move |file| format!("/proc/{pid}/{file}")));
    all.filter_map(|path| fs::read(path).ok()).collect()
}

fn save(fuzzer: &str, seeds: &[Vec<u8>]) -> Result<()> {
    let dir = of(fuzzer);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for (number, seed) in seeds.iter().filter(|seed| !seed.is_empty()).enumerate() {
        write_file(&dir.join(number.to_string()), seed)?;
    }
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{behind_head, records_of};

    #[test]
    fn a_recording_is_split_into_its_records() {
        let recording =
            [b"{\"format\":1}\n\x02\0\0\0ab\x01\0\0\0c".as_slice(), &u32::MAX.to_le_bytes(), b"counters"];
        let recording = recording.concat();
        assert_eq!(records_of(behind_head(&recording)).collect::<Vec<_>>(), [b"ab".as_slice(), b"c"]);
    }

    #[test]
    fn a_cut_recording_ends_with_its_last_whole_record() {
        assert_eq!(records_of(b"\x01\0\0\0a\x09\0\0\0b").count(), 1);
    }
}
