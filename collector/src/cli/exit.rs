//! Exit codes.

use std::process::ExitCode;

use super::settings::SettingsError;
use crate::{config::ConfigError, start_error::StartError, stream::output::OpenError};

/// Wrong usage, as clap has it.
const WRONG_USAGE: u8 = 2;
/// `EX_UNAVAILABLE` of sysexits.h: this kernel cannot.
const KERNEL_CANNOT: u8 = 69;
/// `EX_NOPERM`: not privileged.
const NOT_PRIVILEGED: u8 = 77;
/// `EX_CONFIG`: wrong configuration.
pub(super) const WRONG_CONFIGURATION: u8 = 78;

/// The code for an error.
pub(super) fn code(error: &anyhow::Error) -> ExitCode {
    if error.is::<SettingsError>() || error.is::<ConfigError>() {
        return ExitCode::from(WRONG_CONFIGURATION);
    }
    if let Some(OpenError::StdoutClosed) = error.downcast_ref() {
        return ExitCode::from(WRONG_USAGE);
    }
    match error.downcast_ref::<StartError>() {
        Some(StartError::Config(_)) => ExitCode::from(WRONG_CONFIGURATION),
        Some(StartError::Load(load)) if load.is_privilege() => ExitCode::from(NOT_PRIVILEGED),
        Some(StartError::Load(load)) if load.is_configuration() => ExitCode::from(WRONG_CONFIGURATION),
        Some(StartError::Load(_) | StartError::NothingToWatch { .. }) => ExitCode::from(KERNEL_CANNOT),
        Some(StartError::Proc(_) | StartError::Recording(_) | StartError::Thread(_)) | None => {
            ExitCode::FAILURE
        }
    }
}
