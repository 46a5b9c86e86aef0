//! A rule, as users write it: `KEY=VALUE`.

use std::{fmt, str::FromStr};

use collector_common::COMM_LEN;

use super::{
    facts::Facts,
    path::{PathRule, PathRuleError},
    user::{UserError, uid_of},
};
use crate::text::until_nul;

/// Leaves out or keeps the processes that match it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// `uid=NUMBER` or `uid=NAME`: the effective user, `process.user.id` of its events.
    Uid(u32),
    /// `cgroup=PATH` or `cgroup=ID`: its cgroup of version 2, or one below it.
    Cgroup(CgroupRule),
    /// `comm=NAME`: its name, `process.comm`.
    Comm(Comm),
    /// `image=PATH`: what it runs, `process.executable`.
    Image(PathRule),
    /// `parent=PATH`: what its parent runs, `process.parent.executable`. Not by the parent's name: any process may give
    /// itself any name.
    Parent(PathRule),
}

/// A cgroup and what is below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CgroupRule {
    /// By its path, however often it is removed and made again: `process.cgroup.path`.
    Path(PathRule),
    /// By its id, which is another one when it is made again: `process.cgroup.id`.
    Id(u64),
}

/// A name of a process, with zeros behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comm(pub [u8; COMM_LEN]);

/// Why a rule was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// It has no key, or one that no rule has.
    #[error(
        "{word:?} is not a rule; a rule is uid=NUMBER, uid=NAME, cgroup=PATH, cgroup=ID, comm=NAME, image=PATH or \
         parent=PATH"
    )]
    Key {
        /// The word.
        word: String,
    },
    /// A user that does not exist.
    #[error(transparent)]
    User(#[from] UserError),
    /// A name that no process can have.
    #[error("comm={value} is a name of {} bytes, and the kernel keeps 1 to 15; a longer one is cut: `ps -o comm` shows it", .value.len())]
    Comm {
        /// The name.
        value: String,
    },
    /// A name with a `*`, which would be compared as a character.
    #[error("comm={value} has a *, but a name is compared whole; image=PATH takes a * at its end")]
    CommStar {
        /// The name.
        value: String,
    },
    /// A path that nothing could match.
    #[error(transparent)]
    Path(#[from] PathRuleError),
}

impl Rule {
    /// Whether it matches every process that `other` matches.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Image(rule), Self::Image(other))
            | (Self::Parent(rule), Self::Parent(other))
            | (Self::Cgroup(CgroupRule::Path(rule)), Self::Cgroup(CgroupRule::Path(other))) => {
                rule.covers(other)
            }
            (_, _) => self == other,
        }
    }

    pub(super) fn matches(&self, facts: &Facts<'_>) -> bool {
        let matches =
            |rule: &PathRule, path: Option<&str>| path.is_some_and(|path| rule.matches(path.as_bytes()));
        match self {
            Self::Uid(uid) => facts.uid == Some(*uid),
            Self::Comm(comm) => facts.comm.is_some_and(|name| name.as_bytes() == until_nul(&comm.0)),
            Self::Cgroup(CgroupRule::Id(id)) => facts.cgroup.is_some_and(|(of, _)| of == *id),
            Self::Cgroup(CgroupRule::Path(rule)) => matches(rule, facts.cgroup.map(|(_, path)| path)),
            Self::Image(rule) => matches(rule, facts.image),
            Self::Parent(rule) => matches(rule, facts.parent),
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let unknown = || RuleError::Key { word: word.to_owned() };
        let (key, value) = word.split_once('=').ok_or_else(unknown)?;
        match key {
            "uid" => Ok(Self::Uid(uid_of(value)?)),
            "cgroup" => match value.parse() {
                Ok(id) => Ok(Self::Cgroup(CgroupRule::Id(id))),
                Err(_) => Ok(Self::Cgroup(CgroupRule::Path(value.parse()?))),
            },
            "comm" => Comm::new(value).map(Self::Comm),
            "image" => Ok(Self::Image(value.parse()?)),
            "parent" => Ok(Self::Parent(value.parse()?)),
            _ => Err(unknown()),
        }
    }
}

impl Comm {
    fn new(name: &str) -> Result<Self, RuleError> {
        let mut comm = [0; COMM_LEN];
        // The last byte is for the NUL.
        if name.is_empty() || name.len() >= COMM_LEN || name.contains('\0') {
            return Err(RuleError::Comm { value: name.to_owned() });
        }
        if name.contains('*') {
            return Err(RuleError::CommStar { value: name.to_owned() });
        }
        comm.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
        Ok(Self(comm))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "uid={uid}"),
            Self::Cgroup(CgroupRule::Path(path)) => write!(f, "cgroup={path}"),
            Self::Cgroup(CgroupRule::Id(id)) => write!(f, "cgroup={id}"),
            Self::Comm(Comm(comm)) => {
                let name = until_nul(comm);
                write!(f, "comm={}", String::from_utf8_lossy(name))
            }
            Self::Image(path) => write!(f, "image={path}"),
            Self::Parent(path) => write!(f, "parent={path}"),
        }
    }
}

crate::word::serde_as_word!(Rule);

#[cfg(test)]
mod tests {
    use super::{CgroupRule, Rule, RuleError};

    #[track_caller]
    fn check(word: &str, shown: &str) {
        assert_eq!(word.parse::<Rule>().unwrap().to_string(), shown);
    }

    #[track_caller]
    fn refused(word: &str, words: &[&str]) {
        let error = word.parse::<Rule>().unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }

    #[test]
    fn each_key_has_its_values() {
        check("uid=1000", "uid=1000");
        check("uid=root", "uid=0");
        check("cgroup=/system.slice/", "cgroup=/system.slice");
        check("comm=a=b c", "comm=a=b c");
        check("image=/usr/lib/jvm", "image=/usr/lib/jvm");
        check("parent=/usr/bin/make*", "parent=/usr/bin/make*");
        assert_eq!("cgroup=4242".parse(), Ok(Rule::Cgroup(CgroupRule::Id(4242))));
    }

    #[test]
    fn what_is_not_a_rule_is_refused_with_what_rules_are() {
        refused("uid", &["\"uid\" is not a rule", "uid=NUMBER", "parent=PATH"]);
        refused("user=root", &["\"user=root\" is not a rule"]);
        refused("uid=no-such-user", &["no user \"no-such-user\"", "id -u no-such-user"]);
        refused("uid=-1", &["uid=-1"]);
        refused("uid=4294967295", &["0 to 4294967294"]);
        refused("image=ls", &["\"ls\" does not begin with /"]);
        refused("cgroup=system.slice", &["\"system.slice\" does not begin with /"]);
    }

    #[test]
    fn a_rule_that_no_process_could_match_is_refused() {
        refused("image=/usr/*/bash", &["/usr/*/bash", "before its end"]);
        refused("comm=a*", &["comm=a*", "compared whole"]);
    }

    #[test]
    fn a_name_that_the_kernel_would_cut_is_refused() {
        assert!("comm=fifteen-bytes-x".parse::<Rule>().is_ok());
        assert!(matches!("comm=sixteen-bytes-xx".parse::<Rule>(), Err(RuleError::Comm { .. })));
        assert!(matches!("comm=".parse::<Rule>(), Err(RuleError::Comm { .. })));
    }
}
