//! `/proc/<tgid>/mountinfo`: the mounts of a mount namespace, one line for each.

/// The device number of a mount's file system, as the kernel holds it (major << 20 | minor): `s_dev` of its
/// superblock, which differs on btrfs and overlayfs from the device that stat(2) reports for its files.
///
/// proc(5): `36 35 98:0 /mnt1 /mnt2 rw,noatime …`: the mount's id, its parent's, the device. `None` if the id is not
/// there: the mount is in another namespace, or outside the root of the process.
#[must_use]
pub fn device_of_mount(mountinfo: &[u8], mount: u64) -> Option<u32> {
    mountinfo.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b' ');
        let id: u64 = number(fields.next()?)?;
        let device = fields.nth(1).filter(|_| id == mount)?;
        let colon = device.iter().position(|&byte| byte == b':')?;
        let (major, minor) = device.split_at_checked(colon)?;
        Some((number::<u32>(major)? << 20) | number::<u32>(minor.get(1..)?)?)
    })
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::device_of_mount;

    /// Linux 6.18, 2026-11-25; the second mount point is not UTF-8.
    const MOUNTINFO: &[u8] = b"26 1 254:0 / / rw,relatime - ext4 /dev/root rw\n\
        38 26 0:45 /a /mnt/\xff rw - overlay overlay rw,lowerdir=/l\n\
        3 26 0:5 / /dev rw - devtmpfs none rw\n";

    #[test]
    fn a_mount_is_found_by_its_whole_id() {
        assert_eq!(device_of_mount(MOUNTINFO, 26), Some(254 << 20));
        assert_eq!(device_of_mount(MOUNTINFO, 38), Some(45));
        assert_eq!(device_of_mount(MOUNTINFO, 3), Some(5));
    }

    #[test]
    fn a_mount_that_is_not_listed_has_no_device() {
        assert_eq!(device_of_mount(MOUNTINFO, 2), None);
        assert_eq!(device_of_mount(b"", 26), None);
        assert_eq!(device_of_mount(b"26\n26 1\n26 1 254\n26 1 x:y\n", 26), None);
    }
}
