//! What a terminal can show: colours and its width.

use std::env;

use clap::ValueEnum;

/// Whether to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ColourChoice {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ColourChoice {
    /// Whether to write colours to something that is a terminal or not.
    pub(in crate::cli) fn on(self, is_terminal: bool) -> bool {
        self.decide(is_terminal, |variable| env::var(variable).ok())
    }

    fn decide(self, is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            // https://no-color.org: any value but an empty one.
            Self::Auto => {
                is_terminal
                    && variable("NO_COLOR").is_none_or(|value| value.is_empty())
                    && variable("TERM").as_deref() != Some("dumb")
            }
        }
    }
}

/// The columns of the terminal that stdout is; `None` if it is not a terminal or does not know.
pub(in crate::cli) fn width_of_stdout() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    // A serial line has none.
    (size.ws_col > 0).then(|| size.ws_col.into())
}

#[cfg(test)]
mod tests {
    use super::ColourChoice;

    #[track_caller]
    fn check(choice: ColourChoice, is_terminal: bool, variables: &[(&str, &str)], expected: bool) {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(choice.decide(is_terminal, variable), expected, "{choice:?} {is_terminal} {variables:?}");
    }

    #[test]
    fn only_a_terminal_has_colours_by_itself() {
        check(ColourChoice::Auto, true, &[("TERM", "xterm")], true);
        check(ColourChoice::Auto, true, &[], true);
        check(ColourChoice::Auto, false, &[], false);
    }

    #[test]
    fn no_color_and_a_dumb_terminal_switch_them_off() {
        check(ColourChoice::Auto, true, &[("NO_COLOR", "1")], false);
        check(ColourChoice::Auto, true, &[("NO_COLOR", "")], true);
        check(ColourChoice::Auto, true, &[("TERM", "dumb")], false);
    }

    #[test]
    fn the_flag_goes_before_everything() {
        check(ColourChoice::Always, false, &[("NO_COLOR", "1")], true);
        check(ColourChoice::Never, true, &[], false);
    }
}
