//! What of the events is told, by whose they are: rules, and a limit for each image. Data alone: the kernel side judges, and
//! [`load`](crate::load) hands it the rules.

mod limit;
mod path;
mod rule;

use std::mem::discriminant;

use collector_common::{EXCLUDE, ONLY, PARENT_SHIFT};
use serde::Deserialize;

pub(crate) use self::path::trie;
pub use self::{
    limit::{Limit, LimitError},
    path::{PathRule, PathRuleError},
    rule::{CgroupRule, Comm, Rule, RuleError},
};

/// What rules are about, of a process that the agent found by itself. What is not known matches no rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'p> {
    /// The effective user.
    pub uid: Option<u32>,
    /// Its name.
    pub comm: Option<&'p str>,
    /// Id and path of its cgroup.
    pub cgroup: Option<(u64, &'p str)>,
    /// The path of what it runs.
    pub image: Option<&'p str>,
    /// The path of what its parent runs.
    pub parent: Option<&'p str>,
}

/// `[filter]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// What matches any of these is left out.
    pub exclude: Vec<Rule>,
    /// What matches none of these is left out, for each key that has such rules.
    pub only: Vec<Rule>,
    /// How often each image may be run and told.
    pub exec_limit: Option<Limit>,
}

impl Filter {
    /// None: all is told.
    pub const OFF: Self = Self { exclude: Vec::new(), only: Vec::new(), exec_limit: None };

    /// Whether all is told.
    #[must_use]
    pub fn is_off(&self) -> bool {
        *self == Self::OFF
    }

    /// Whether a rule leaves out a process that no record tells of, where the kernel side has judged nothing. The only
    /// difference to what it would say: a rule on the id of a cgroup does not match those below it.
    #[must_use]
    pub fn leaves_out(&self, facts: &Facts<'_>) -> bool {
        // Rules of one key add up, and of each key that there is one must match.
        let missed = |rule: &Rule| {
            let of_key = self.only.iter().filter(|other| discriminant(*other) == discriminant(rule));
            !of_key.clone().any(|rule| rule.matches(facts))
        };
        self.exclude.iter().any(|rule| rule.matches(facts)) || self.only.iter().any(missed)
    }

    /// Each rule and the limit, as a user may write it: `exclude uid=1000`.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let exclude = self.exclude.iter().map(|rule| format!("exclude {rule}"));
        let only = self.only.iter().map(|rule| format!("only {rule}"));
        let limit = self.exec_limit.iter().map(|limit| format!("exec-limit {limit}"));
        exclude.chain(only).chain(limit).collect()
    }

    /// The rules, each with the bit of its kind.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&Rule, u32)> {
        let exclude = self.exclude.iter().map(|rule| (rule, EXCLUDE));
        exclude.chain(self.only.iter().map(|rule| (rule, ONLY)))
    }

    /// The rules on images, with the bits that the path of an image has by them: those on a parent's behind its own.
    pub(crate) fn image_rules(&self) -> impl Iterator<Item = (&PathRule, u32)> {
        self.rules().filter_map(|(rule, bit)| match rule {
            Rule::Image(path) => Some((path, bit)),
            Rule::Parent(path) => Some((path, bit << PARENT_SHIFT)),
            Rule::Uid(_) | Rule::Cgroup(_) | Rule::Comm(_) => None,
        })
    }

    /// The rules on paths of cgroups, with their bits.
    pub(crate) fn cgroup_rules(&self) -> impl Iterator<Item = (&CgroupRule, u32)> {
        self.rules().filter_map(|(rule, bit)| match rule {
            Rule::Cgroup(cgroup) => Some((cgroup, bit)),
            Rule::Uid(_) | Rule::Comm(_) | Rule::Image(_) | Rule::Parent(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Facts, Filter};

    #[track_caller]
    fn check(text: &str, left_out: bool) {
        let facts = Facts {
            uid: Some(1000),
            comm: Some("sh"),
            cgroup: Some((7, "/a/b")),
            image: Some("/usr/bin/dash"),
            parent: None,
        };
        assert_eq!(toml::from_str::<Filter>(text).unwrap().leaves_out(&facts), left_out, "{text}");
    }

    #[test]
    fn rules_of_one_key_add_up_and_each_key_must_keep() {
        check("", false);
        check("exclude = [\"uid=0\", \"comm=sh\"]", true);
        check("exclude = [\"uid=0\", \"comm=bash\", \"cgroup=8\"]", false);
        check("only = [\"uid=0\", \"uid=1000\", \"cgroup=/a\"]", false);
        check("only = [\"uid=1000\", \"image=/usr/sbin\"]", true);
        check("only = [\"uid=1000\"]\nexclude = [\"cgroup=7\"]", true);
    }

    #[test]
    fn what_is_not_known_matches_no_rule() {
        check("exclude = [\"parent=/\"]", false);
        check("only = [\"parent=/\"]", true);
    }

    #[test]
    fn rules_are_told_as_they_are_written() {
        let text = "exclude = [\"uid=0\", \"cgroup=/a/\"]\nonly = [\"comm=sh\"]\nexec_limit = \"5/s\"";
        let filter: Filter = toml::from_str(text).unwrap();
        assert_eq!(
            filter.words(),
            ["exclude uid=0", "exclude cgroup=/a", "only comm=sh", "exec-limit 5/s:5"]
        );
        assert!(!filter.is_off() && Filter::default().is_off());
    }

    #[test]
    fn a_wrong_rule_is_refused_with_its_line_and_what_rules_are() {
        let error =
            toml::from_str::<Filter>("exclude = []\nonly = [\"user=root\"]\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("uid=NUMBER"), "{error}");
    }
}
