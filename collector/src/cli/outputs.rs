//! Opens the outputs of a run.

use super::{closed_stdout, terminal};
use crate::{
    cli::terminal::ColourChoice,
    stream::{
        format::{CompactOptions, TimeZone, Width},
        output::{Destination, OpenError, Opened, OutputConfig, Style, open},
    },
};

/// Opens each of them.
pub(super) fn open_all(
    outputs: Vec<OutputConfig>,
    colour: ColourChoice,
    wide: bool,
) -> Result<Vec<Opened>, OpenError> {
    if closed_stdout::was_closed() && outputs.iter().any(|output| output.to == Destination::Stdout) {
        return Err(OpenError::StdoutClosed);
    }
    let options = |is_terminal| CompactOptions {
        width: if is_terminal && !wide {
            Width::Current(terminal::width_of_stdout)
        } else {
            Width::Unlimited
        },
        colour: colour.on(is_terminal),
        header: is_terminal,
        zone: TimeZone::system(),
    };
    let style = Style::new(options(true), options(false));
    outputs.into_iter().map(|output| open(output, &style)).collect()
}
