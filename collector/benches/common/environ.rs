//! An environment of 65 variables that fills a page. All figures for reading environments are about this one.

/// Includes the `=` and NUL of each variable.
pub(crate) const LEN: usize = 4096;
pub(crate) const VARIABLES: usize = 65;
/// Of each variable but the last.
const EACH: usize = 63;

/// Names and values.
pub(crate) fn variables() -> impl Iterator<Item = (String, String)> {
    (0..VARIABLES).map(|number| {
        let len = if number + 1 == VARIABLES { LEN - EACH * (VARIABLES - 1) } else { EACH };
        let name = format!("VARIABLE_{number:02}");
        let value = "v".repeat(len - name.len() - 2);
        (name, value)
    })
}
