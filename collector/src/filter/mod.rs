//! Which events are written, by their process: rules, and a limit for each image. This room is data: the kernel side applies
//! the rules to each event, and [`load`](crate::load) passes them to it.

mod facts;
mod limit;
mod path;
mod recent;
mod resolve;
mod rule;
mod selection;
mod user;

use std::mem::discriminant;

use collector_common::{EXCLUDE, ONLY, PARENT_SHIFT};
use serde::{Deserialize, Serialize};

pub(crate) use self::path::Trie;
#[doc(hidden)]
pub use self::{
    facts::Facts,
    resolve::{Finding, Note},
};
pub use self::{
    limit::{Limit, LimitError},
    path::{PathRule, PathRuleError},
    rule::{CgroupRule, Comm, Rule, RuleError},
    selection::Selection,
    user::UserError,
};

/// `[filter]`. The kernel side judges by it, so what it leaves out costs next to nothing.
///
/// ```
/// use collector::filter::Filter;
///
/// let mut filter = Filter::default();
/// filter.exclude.push("image=/usr/bin/runc".parse()?);
/// filter.only.push("cgroup=/system.slice".parse()?);
/// filter.exec_limit = Some("100/s:200".parse()?);
/// assert_eq!(filter.words(), ["exclude image=/usr/bin/runc", "only cgroup=/system.slice", "exec-limit 100/s:200"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Filter {
    /// Leaves out what matches any of these.
    pub exclude: Vec<Rule>,
    /// Leaves out, for each key that has rules here, what matches none of them.
    pub only: Vec<Rule>,
    /// Limits how many executions of each image are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec_limit: Option<Limit>,
}

impl Filter {
    /// Leaves out nothing.
    pub const OFF: Self = Self { exclude: Vec::new(), only: Vec::new(), exec_limit: None };

    /// Whether it leaves out nothing.
    #[must_use]
    pub fn is_off(&self) -> bool {
        *self == Self::OFF
    }

    /// Whether a rule leaves out a process that the agent found in /proc, which the kernel side has not seen. The kernel side
    /// decides the same, with one difference: here a rule on the id of a cgroup does not match the cgroups below it.
    #[must_use]
    pub fn leaves_out(&self, facts: &Facts<'_>) -> bool {
        // One rule of each key that has rules must match.
        let missed = |rule: &Rule| {
            let of_key = self.only.iter().filter(|other| discriminant(*other) == discriminant(rule));
            !of_key.clone().any(|rule| rule.matches(facts))
        };
        self.exclude.iter().any(|rule| rule.matches(facts)) || self.only.iter().any(missed)
    }

    /// Each rule and the limit, as a user writes them: `exclude uid=1000`.
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

    /// The rules on images, with the bits that the path of an image gets from them: those of rules on parents come after
    /// those of rules on the image itself.
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
    fn rules_are_shown_as_they_are_written() {
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
