//! Users of rules, by number or by name.

use std::{fs::File, io::Read as _};

use crate::procfs::passwd;

const PASSWD: &str = "/etc/passwd";
/// Most bytes of the file that are read.
const LEN: u64 = 16 << 20;

/// Why a user was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserError {
    /// A number that no user has.
    #[error("uid={value}: users have numbers from 0 to 4294967294")]
    Number {
        /// The number, as it was written.
        value: String,
    },
    /// A user name that /etc/passwd does not have.
    #[error("uid={name}: /etc/passwd has no user {name:?}; give the number that `id -u {name}` prints")]
    Name {
        /// The name.
        name: String,
    },
    /// The file of users cannot be read.
    #[error("uid={name}: cannot read /etc/passwd: {reason}; give the number that `id -u {name}` prints")]
    Read {
        /// The name to look up.
        name: String,
        /// Why not.
        reason: String,
    },
}

/// The number of a user. A name is looked up in /etc/passwd when the rule is read: NSS may go to the network, and the agent
/// loads no code of others.
pub(super) fn uid_of(value: &str) -> Result<u32, UserError> {
    if value.is_empty() || value.bytes().all(|byte| byte.is_ascii_digit()) {
        // The last number is "no user": chown(2) and setuid(2) refuse it.
        let uid = value.parse().ok().filter(|&uid| uid != u32::MAX);
        return uid.ok_or_else(|| UserError::Number { value: value.to_owned() });
    }
    let mut users = Vec::new();
    let read = File::open(PASSWD).and_then(|file| file.take(LEN).read_to_end(&mut users));
    match read {
        Ok(_) => find(&users, value).ok_or_else(|| UserError::Name { name: value.to_owned() }),
        Err(error) => Err(UserError::Read { name: value.to_owned(), reason: error.to_string() }),
    }
}

/// The first user of this name, as the C library has it.
fn find(users: &[u8], name: &str) -> Option<u32> {
    passwd::names(users).find(|(_, found)| *found == name.as_bytes()).map(|(uid, _)| uid)
}

#[cfg(test)]
mod tests {
    use super::{find, uid_of};

    #[test]
    fn a_number_is_itself_and_the_last_one_is_no_user() {
        assert_eq!(uid_of("4294967294"), Ok(4_294_967_294));
        for word in ["", "4294967295", "99999999999"] {
            assert!(uid_of(word).is_err(), "{word}");
        }
    }

    #[test]
    fn a_name_is_the_first_of_the_file() {
        let users = b"root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/:\nwww:x:34:34::/:\n";
        assert_eq!((find(users, "root"), find(users, "www"), find(users, "x")), (Some(0), Some(33), None));
    }
}
