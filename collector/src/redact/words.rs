//! The words of redaction.

/// Replaces a hidden value.
pub const REDACTED: &str = "[redacted]";

/// Names of secrets, unless the configuration lists others.
pub const SECRET: [&str; 13] = [
    "*PASSWORD*",
    "*PASSWD*",
    "*PASSPHRASE*",
    "*SECRET*",
    "*TOKEN*",
    "*CREDENTIAL*",
    "*AUTHORIZATION*",
    "*COOKIE*",
    "*APIKEY*",
    "*_KEY",
    "*_KEY_*",
    "KEY",
    "KEY_*",
];

/// Names of variables that [`Mode::Allow`](super::Mode::Allow) shows, unless the configuration lists others.
pub const HARMLESS: [&str; 10] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "LANG", "LC_*", "TERM", "TZ"];
