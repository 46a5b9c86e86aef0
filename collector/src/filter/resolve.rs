//! Where the paths of rules lead on this machine. The kernel reports an image by the path without symbolic links, so a rule
//! on `/bin/ls` would never match where `/bin` leads to `/usr/bin`.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{Filter, PathRule, Rule};

/// A finding about one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The rule, as [`Filter::words`] has it.
    pub rule: String,
    /// What was found.
    pub finding: Finding,
}

/// What was found out about a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Its path leads through symbolic links. A rule for the path without them was added; the rule as it was written still
    /// holds, for containers where the path is another one.
    Leads {
        /// The path without symbolic links.
        to: String,
    },
    /// Nothing has this path on this machine now.
    Missing,
    /// Only symbolic links to other places begin so.
    OnlyLinks,
    /// It keeps nothing: another rule leaves out all that it matches.
    Shadowed {
        /// The other rule.
        by: String,
    },
}

/// Most notes that become messages: a list of rules may have 100,000.
const SHOWN: usize = 10;

impl Note {
    /// A message for each of the first notes, and the number of the others.
    #[must_use]
    pub fn messages<'n>(notes: impl IntoIterator<Item = &'n Self>) -> Vec<String> {
        let mut notes = notes.into_iter();
        let mut messages: Vec<String> = notes.by_ref().take(SHOWN).map(ToString::to_string).collect();
        let more = notes.count();
        if more > 0 {
            messages.push(format!("the same holds for {more} more rules"));
        }
        messages
    }

    /// Whether the rule may match nothing, which is probably a mistake.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        match self.finding {
            Finding::Leads { .. } => false,
            Finding::Missing | Finding::OnlyLinks | Finding::Shadowed { .. } => true,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = &self.rule;
        match &self.finding {
            Finding::Leads { to } => write!(f, "{rule} leads to {to}: the rule holds for both paths"),
            Finding::Missing => {
                write!(f, "{rule} matches nothing on this machine now: there is no such path")
            }
            Finding::OnlyLinks => write!(
                f,
                "{rule} matches nothing on this machine now: all that begins so are symbolic links; name what they lead to"
            ),
            Finding::Shadowed { by } => write!(f, "{rule} keeps nothing: {by} leaves it out"),
        }
    }
}

impl Filter {
    /// This filter with a rule added for each path that leads elsewhere through symbolic links, and notes about its rules.
    /// It reads the file system of this machine, so it is of no use in a replay.
    #[must_use]
    pub fn resolve(&self) -> (Self, Vec<Note>) {
        let mut notes = self.shadowed();
        let exclude = resolve_all(&self.exclude, "exclude", &mut notes);
        let only = resolve_all(&self.only, "only", &mut notes);
        (Self { exclude, only, exec_limit: self.exec_limit }, notes)
    }

    /// Rules that keep what another rule leaves out.
    fn shadowed(&self) -> Vec<Note> {
        let note = |rule: &Rule| {
            let by = self.exclude.iter().find(|other| other.covers(rule))?;
            let finding = Finding::Shadowed { by: format!("exclude {by}") };
            Some(Note { rule: format!("only {rule}"), finding })
        };
        self.only.iter().filter_map(note).collect()
    }
}

fn resolve_all(rules: &[Rule], list: &str, notes: &mut Vec<Note>) -> Vec<Rule> {
    let mut resolved = rules.to_vec();
    for rule in rules {
        let (path, new): (_, fn(PathRule) -> Rule) = match rule {
            Rule::Image(path) => (path, Rule::Image),
            Rule::Parent(path) => (path, Rule::Parent),
            // A cgroup has no symbolic links.
            Rule::Uid(_) | Rule::Cgroup(_) | Rule::Comm(_) => continue,
        };
        let (leads_to, found) = resolve_path(path);
        let mut note = |finding| notes.push(Note { rule: format!("{list} {rule}"), finding });
        if let Some(leads_to) = leads_to {
            note(Finding::Leads { to: leads_to.to_string() });
            resolved.push(new(leads_to));
        }
        match found {
            Existing::Something => {}
            Existing::Nothing => note(Finding::Missing),
            Existing::Links => note(Finding::OnlyLinks),
        }
    }
    resolved
}

/// What there is at a path now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existing {
    /// A file or a directory; or unknown, since the agent lacks permission.
    Something,
    Nothing,
    Links,
}

/// The rule on the path without symbolic links, if that is another path, and what exists there.
fn resolve_path(rule: &PathRule) -> (Option<PathRule>, Existing) {
    let (directory, beginning) = match rule.text().strip_suffix('*').and_then(|text| text.rsplit_once('/')) {
        Some((directory, beginning)) => (Path::new(directory), Some(beginning)),
        None => (Path::new(rule.text()), None),
    };
    let directory = if directory.as_os_str().is_empty() { Path::new("/") } else { directory };
    let (real, exists) = without_links(directory);
    let found = match beginning {
        _ if !exists => Existing::Nothing,
        Some(beginning) => begins_with(&real, beginning),
        None => Existing::Something,
    };
    let text = real.to_str().map(|real| match beginning {
        Some(beginning) => format!("{}/{beginning}*", real.trim_end_matches('/')),
        None => real.to_owned(),
    });
    // A path that is too long or not UTF-8 without its links cannot be a rule.
    let real = text.and_then(|text| text.parse::<PathRule>().ok());
    (real.filter(|real| real != rule), found)
}

/// The path without symbolic links, as far as it exists, and whether all of it does.
fn without_links(path: &Path) -> (PathBuf, bool) {
    let mut missing = PathBuf::new();
    for above in path.ancestors() {
        match fs::canonicalize(above) {
            Ok(real) if missing.as_os_str().is_empty() => return (real, true),
            Ok(real) => return (real.join(missing), false),
            Err(error) if is_absent(&error) => {
                let last = above.file_name().map_or(Path::new(""), Path::new);
                missing = if missing.as_os_str().is_empty() { last.to_owned() } else { last.join(missing) };
            }
            // The agent lacks permission: it assumes that the path exists and has no links.
            Err(_) => break,
        }
    }
    (path.to_owned(), true)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether anything in this directory begins so, and is not only a link to another place.
fn begins_with(directory: &Path, beginning: &str) -> Existing {
    let Ok(entries) = fs::read_dir(directory) else { return Existing::Something };
    let matching = entries
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(beginning.as_bytes()));
    let mut found = Existing::Nothing;
    for entry in matching {
        let leads_here = fs::canonicalize(entry.path()).ok().is_some_and(|real| {
            let rest = real.strip_prefix(directory).ok();
            rest.is_some_and(|rest| rest.as_os_str().as_encoded_bytes().starts_with(beginning.as_bytes()))
        });
        if leads_here {
            return Existing::Something;
        }
        found = Existing::Links;
    }
    found
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use tempfile::TempDir;

    use super::{Filter, Finding, Note};

    /// A merged /usr: `bin` leads to `usr/bin`, which has `real` and a link `name` to it.
    fn merged() -> TempDir {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("usr/bin")).unwrap();
        fs::create_dir_all(at("elsewhere")).unwrap();
        fs::write(at("usr/bin/real"), "").unwrap();
        fs::write(at("elsewhere/java"), "").unwrap();
        symlink("usr/bin", at("bin")).unwrap();
        symlink("real", at("usr/bin/name")).unwrap();
        symlink("../../elsewhere/java", at("usr/bin/java")).unwrap();
        root
    }

    /// The rules and the findings that `image=` and this path, below `root`, come to.
    #[track_caller]
    fn check(root: &Path, path: &str, rules: &[&str], findings: &[Finding]) {
        // A directory for temporary files may be behind a link itself.
        let root = fs::canonicalize(root).unwrap();
        let root = root.to_str().unwrap();
        let filter = Filter { exclude: vec![format!("image={root}/{path}").parse().unwrap()], ..Filter::OFF };
        let (resolved, notes) = filter.resolve();
        let expected: Vec<_> = rules.iter().map(|rule| format!("exclude image={root}/{rule}")).collect();
        assert_eq!(resolved.words(), expected);
        let found: Vec<_> = notes.into_iter().map(|note| note.finding).collect();
        let with_root = |finding: &Finding| match finding {
            Finding::Leads { to } => Finding::Leads { to: format!("{root}/{to}") },
            other => other.clone(),
        };
        assert_eq!(found, findings.iter().map(with_root).collect::<Vec<_>>());
    }

    fn leads(to: &str) -> Finding {
        Finding::Leads { to: to.to_owned() }
    }

    #[test]
    fn a_path_through_a_link_gets_a_rule_for_where_it_leads() {
        let root = merged();
        check(root.path(), "bin/real", &["bin/real", "usr/bin/real"], &[leads("usr/bin/real")]);
        check(root.path(), "bin/name", &["bin/name", "usr/bin/real"], &[leads("usr/bin/real")]);
        check(root.path(), "bin", &["bin", "usr/bin"], &[leads("usr/bin")]);
        check(root.path(), "bin/re*", &["bin/re*", "usr/bin/re*"], &[leads("usr/bin/re*")]);
        check(root.path(), "usr/bin/real", &["usr/bin/real"], &[]);
    }

    #[test]
    fn a_path_that_is_not_there_is_noted_and_resolved_as_far_as_it_is() {
        let root = merged();
        check(root.path(), "usr/none", &["usr/none"], &[Finding::Missing]);
        let both = [leads("usr/bin/none/x"), Finding::Missing];
        check(root.path(), "bin/none/x", &["bin/none/x", "usr/bin/none/x"], &both);
        check(root.path(), "usr/bin/none*", &["usr/bin/none*"], &[Finding::Missing]);
        check(root.path(), "usr/bin/real/x", &["usr/bin/real/x"], &[Finding::Missing]);
    }

    #[test]
    fn a_beginning_that_only_links_have_is_noted() {
        let root = merged();
        check(root.path(), "usr/bin/ja*", &["usr/bin/ja*"], &[Finding::OnlyLinks]);
        check(root.path(), "usr/bin/*", &["usr/bin/*"], &[]);
    }

    #[test]
    fn a_long_list_of_notes_is_cut() {
        let note = |number| Note { rule: format!("exclude image=/{number}"), finding: Finding::Missing };
        let notes: Vec<_> = (0..100).map(note).collect();
        let words = Note::messages(&notes);
        assert_eq!((words.len(), words.last().unwrap().as_str()), (11, "the same holds for 90 more rules"));
        assert_eq!(Note::messages(&notes[..10]).len(), 10);
    }

    #[test]
    fn a_rule_that_keeps_what_another_leaves_out_is_noted() {
        let filter: Filter = toml::from_str(
            "only = [\"uid=0\", \"cgroup=/a/b\", \"comm=sh\"]\nexclude = [\"uid=0\", \"cgroup=/a\", \"uid=1\"]",
        )
        .unwrap();
        let (same, notes) = filter.resolve();
        assert_eq!(same, filter);
        let words: Vec<_> = notes.iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            [
                "only uid=0 keeps nothing: exclude uid=0 leaves it out",
                "only cgroup=/a/b keeps nothing: exclude cgroup=/a leaves it out"
            ]
        );
        assert!(notes.iter().all(Note::is_warning));
    }
}
